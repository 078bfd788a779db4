/**
 * @file The oracle: every fused op of this folder as plain float64 loops over flat row-major arrays, with its gradient.
 * Nothing here is fast and nothing calls it but the tests: test/parity compares every engine with it, and
 * test/ops/reference.test.ts the gradients below with finite differences.
 *
 * Letters: N = B·T rows, T queries, S keys, C hidden, I inputs, O outputs, H query heads, K key/value heads, D head
 * dimension, V vocabulary. `dy` is the gradient of the loss with respect to the op's result.
 */

type Numbers = ArrayLike<number>;

const zeros = (n: number) => new Float64Array(n);
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

// --- embedding: y[n] = table[ids[n]] ---------------------------------------------------------------------------------

/** table [V, C], ids [N] -> [N, C]. */
export function embedding(table: Numbers, ids: Numbers, C: number): Float64Array {
  const y = zeros(ids.length * C);
  for (let n = 0; n < ids.length; n++) for (let c = 0; c < C; c++) y[n * C + c] = table[ids[n] * C + c];
  return y;
}

/** dy [N, C], ids [N] -> dtable [V, C]: a token that occurs twice gets both rows. */
export function embeddingGradient(dy: Numbers, ids: Numbers, V: number): Float64Array {
  const C = dy.length / ids.length;
  const dtable = zeros(V * C);
  for (let n = 0; n < ids.length; n++) for (let c = 0; c < C; c++) dtable[ids[n] * C + c] += dy[n * C + c];
  return dtable;
}

// --- linear: y = x Wᵀ + addend, PyTorch's layout ---------------------------------------------------------------------

/** x [N, I], weight [O, I], addend: none, bias [O] or residual [N, O] -> [N, O]. */
export function linear(x: Numbers, weight: Numbers, I: number, addend?: Numbers): Float64Array {
  const [N, O] = [x.length / I, weight.length / I];
  const y = zeros(N * O);
  for (let n = 0; n < N; n++)
    for (let o = 0; o < O; o++) {
      let sum = addend ? addend[addend.length === O ? o : n * O + o] : 0;
      for (let i = 0; i < I; i++) sum += x[n * I + i] * weight[o * I + i];
      y[n * O + o] = sum;
    }
  return y;
}

/** dx = dy W [N, I], dW = dyᵀ x [O, I]. (Of a bias: the sum of dy over n; of a residual: dy.) */
export function linearGradient(dy: Numbers, x: Numbers, weight: Numbers, I: number) {
  const [N, O] = [x.length / I, weight.length / I];
  const [dx, dweight] = [zeros(N * I), zeros(O * I)];
  for (let n = 0; n < N; n++)
    for (let o = 0; o < O; o++)
      for (let i = 0; i < I; i++) {
        dx[n * I + i] += dy[n * O + o] * weight[o * I + i];
        dweight[o * I + i] += dy[n * O + o] * x[n * I + i];
      }
  return { dx, dweight };
}

// --- rmsNorm: y = x r ∘ w with r = (mean(x²) + ε)^-½ (Zhang & Sennrich 2019, arXiv 1910.07467, eq. 4) ----------------

/** x [N, C], weight [C] -> [N, C]. */
export function rmsNorm(x: Numbers, weight: Numbers, epsilon: number): Float64Array {
  const C = weight.length;
  const y = zeros(x.length);
  for (let n = 0; n < x.length / C; n++) {
    const r = inverseRms(x, n, C, epsilon);
    for (let c = 0; c < C; c++) y[n * C + c] = x[n * C + c] * r * weight[c];
  }
  return y;
}

function inverseRms(x: Numbers, n: number, C: number, epsilon: number): number {
  let squares = 0;
  for (let c = 0; c < C; c++) squares += x[n * C + c] ** 2;
  return 1 / Math.sqrt(squares / C + epsilon);
}

/** With g = dy ∘ w: dx = r (g - x r² mean(g ∘ x)) [N, C], dw = Σₙ dy ∘ x r [C]. */
export function rmsNormGradient(dy: Numbers, x: Numbers, weight: Numbers, epsilon: number) {
  const C = weight.length;
  const [dx, dweight] = [zeros(x.length), zeros(C)];
  for (let n = 0; n < x.length / C; n++) {
    const r = inverseRms(x, n, C, epsilon);
    let mean = 0; // of g ∘ x
    for (let c = 0; c < C; c++) mean += (dy[n * C + c] * weight[c] * x[n * C + c]) / C;
    for (let c = 0; c < C; c++) {
      const at = n * C + c;
      dx[at] = r * (dy[at] * weight[c] - x[at] * r * r * mean);
      dweight[c] += dy[at] * x[at] * r;
    }
  }
  return { dx, dweight };
}

// --- rope: pairs (i, i + D/2) turned by φ = position · θ^(-2i/D) (Su et al. 2021, arXiv 2104.09864, eq. 34; on halves,
// as Hugging Face's rotate_half) ---------------------------------------------------------------------------------------

/** x [N, heads·D], positions [N], frequencies [D/2] -> the same shape. The gradient is the rotation back. */
export function rope(x: Numbers, positions: Numbers, heads: number, frequencies: Numbers, direction = 1) {
  const y = zeros(x.length);
  const D = 2 * frequencies.length;
  for (let n = 0; n < positions.length; n++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < D / 2; i++) {
        const angle = direction * positions[n] * frequencies[i];
        const at = (n * heads + h) * D + i;
        const [a, b] = [x[at], x[at + D / 2]];
        y[at] = a * Math.cos(angle) - b * Math.sin(angle);
        y[at + D / 2] = b * Math.cos(angle) + a * Math.sin(angle);
      }
  return y;
}

// --- attention: softmax(q kᵀ / √D + mask) v (Vaswani et al. 2017, arXiv 1706.03762, eq. 1), query head h with key/value
// head ⌊h K / H⌋ (Ainslie et al. 2023, arXiv 2305.13245) ---------------------------------------------------------------

/** Query t sees key s when s ≤ t and both are of one document: documentIds [B, T] -> [B, T, T], 0 or -3e38. */
export function causalMask(documentIds: Numbers, T: number): Float64Array {
  const mask = zeros(documentIds.length * T);
  for (let row = 0; row < documentIds.length; row++)
    for (let s = 0; s < T; s++) {
      const t = row % T;
      if (s > t || documentIds[row] !== documentIds[row - t + s]) mask[row * T + s] = -3e38;
    }
  return mask;
}

export interface AttentionSizes {
  B: number;
  T: number;
  S: number;
  H: number;
  K: number;
  D: number;
}

/** q [B, T, H·D], k and v [B, S, K·D], additive mask [B, T, S] -> [B, T, H·D]. Who sees nothing gets all values' mean. */
export function attention(q: Numbers, k: Numbers, v: Numbers, mask: Numbers, sizes: AttentionSizes): Float64Array {
  const y = zeros(q.length);
  forEachQuery(q, k, mask, sizes, (p, query, key) => {
    for (let s = 0; s < p.length; s++) for (let d = 0; d < sizes.D; d++) y[query + d] += p[s] * v[key(s) + d];
  });
  return y;
}

/**
 * dv = pᵀ dy; with dp = dy vᵀ: dz = p ∘ (dp - p·dp), dq = dz k / √D, dk = dzᵀ q / √D (a group's heads are summed).
 * For a query that sees nothing too, as automatic differentiation has it: the mask is a constant that is added.
 */
export function attentionGradient(
  dy: Numbers,
  q: Numbers,
  k: Numbers,
  v: Numbers,
  mask: Numbers,
  sizes: AttentionSizes,
) {
  const { D } = sizes;
  const [dq, dk, dv] = [zeros(q.length), zeros(k.length), zeros(v.length)];
  forEachQuery(q, k, mask, sizes, (p, query, key) => {
    const dp = zeros(p.length);
    for (let s = 0; s < p.length; s++) for (let d = 0; d < D; d++) dp[s] += dy[query + d] * v[key(s) + d];
    const mean = p.reduce((sum, x, s) => sum + x * dp[s], 0);
    for (let s = 0; s < p.length; s++) {
      const dz = (p[s] * (dp[s] - mean)) / Math.sqrt(D);
      for (let d = 0; d < D; d++) {
        dq[query + d] += dz * k[key(s) + d];
        dk[key(s) + d] += dz * q[query + d];
        dv[key(s) + d] += p[s] * dy[query + d];
      }
    }
  });
  return { dq, dk, dv };
}

/** Gives each query head its probabilities [S], where its row [D] begins in q, and where key s's row begins in k and v. */
function forEachQuery(
  q: Numbers,
  k: Numbers,
  mask: Numbers,
  { B, T, S, H, K, D }: AttentionSizes,
  use: (p: Float64Array, query: number, key: (s: number) => number) => void,
) {
  for (let b = 0; b < B; b++)
    for (let t = 0; t < T; t++)
      for (let h = 0; h < H; h++) {
        const query = ((b * T + t) * H + h) * D;
        const key = (s: number) => ((b * S + s) * K + Math.floor((h * K) / H)) * D;
        const scores = zeros(S);
        for (let s = 0; s < S; s++) {
          for (let d = 0; d < D; d++) scores[s] += (q[query + d] * k[key(s) + d]) / Math.sqrt(D);
          scores[s] += mask[(b * T + t) * S + s];
        }
        use(softmax(scores), query, key);
      }
}

function softmax(z: Float64Array): Float64Array {
  const max = z.reduce((a, b) => Math.max(a, b));
  const e = z.map((x) => Math.exp(x - max));
  const sum = e.reduce((a, b) => a + b);
  return e.map((x) => x / sum);
}

/**
 * Dual chunk attention by its definition (see dualChunkAttention.ts): q is turned anew for every pair, to where `at` says
 * that query (row of positions) stands for key s; k is turned already. dy given: the gradients of q, k and v, else y.
 */
export function dualChunkAttention(
  [q, k, v, mask]: Numbers[],
  sizes: AttentionSizes,
  frequencies: Numbers,
  at: (row: number, s: number) => number,
  dy?: Numbers,
): Float64Array[] {
  const { S, H, K, D } = sizes;
  const y = zeros(q.length);
  const [dq, dk, dv] = [zeros(q.length), zeros(k.length), zeros(v.length)];
  for (let from = 0; from < q.length; from += D) {
    const row = Math.floor(from / (H * D)); // b·T + t
    const head = Math.floor(((from / D) % H) / (H / K));
    const key = (s: number) => ((Math.floor(row / sizes.T) * S + s) * K + head) * D;
    const query = Array.from(q).slice(from, from + D);
    const turned = Array.from({ length: S }, (_, s) => rope(query, [at(row, s)], 1, frequencies));
    const score = (x: Float64Array, s: number) => x.reduce((n, xi, d) => n + xi * k[key(s) + d], 0);
    const p = softmax(Float64Array.from(turned, (x, s) => score(x, s) / Math.sqrt(D) + mask[row * S + s]));
    p.forEach((weight, s) => {
      for (let d = 0; d < D; d++) y[from + d] += weight * v[key(s) + d];
    });
    if (!dy) continue;
    const dot = (s: number) => query.reduce((n, _, d) => n + dy[from + d] * v[key(s) + d], 0);
    const mean = p.reduce((n, weight, s) => n + weight * dot(s), 0);
    p.forEach((weight, s) => {
      const dz = (weight * (dot(s) - mean)) / Math.sqrt(D);
      const dturned = query.map((_, d) => dz * k[key(s) + d]);
      rope(dturned, [at(row, s)], 1, frequencies, -1).forEach((g, d) => {
        dq[from + d] += g;
        dk[key(s) + d] += dz * turned[s][d];
        dv[key(s) + d] += weight * dy[from + d];
      });
    });
  }
  return dy ? [dq, dk, dv] : [y];
}

/** cache [B, S, W], rows [B, T, W], position [B] -> the cache with rows[b, t] at position[b] + t. */
export function cacheWrite(cache: Numbers, rows: Numbers, position: Numbers, W: number): Float64Array {
  const y = Float64Array.from(cache);
  const B = position.length;
  for (let b = 0; b < B; b++)
    for (let i = 0; i < rows.length / B; i++)
      y[(b * cache.length) / B + position[b] * W + i] = rows[(b * rows.length) / B + i];
  return y;
}

// --- swiglu: y = silu(gate) ∘ up, silu(g) = g σ(g) (Shazeer 2020, arXiv 2002.05202, eq. 5) ---------------------------

/** gate and up [N, F] -> [N, F]. */
export function swiglu(gate: Numbers, up: Numbers): Float64Array {
  return Float64Array.from(gate, (g, i) => g * sigmoid(g) * up[i]);
}

/** dgate = dy ∘ up ∘ (σ + g σ (1 - σ)), dup = dy ∘ silu(gate). */
export function swigluGradient(dy: Numbers, gate: Numbers, up: Numbers) {
  const slope = (g: number) => sigmoid(g) + g * sigmoid(g) * (1 - sigmoid(g));
  return {
    dgate: Float64Array.from(gate, (g, i) => dy[i] * up[i] * slope(g)),
    dup: Float64Array.from(gate, (g, i) => dy[i] * g * sigmoid(g)),
  };
}

// --- tokenLogprobs: y[n] = log softmax(h Wᵀ)[n, labels[n]], nats -----------------------------------------------------

/** h [N, C], weight [V, C], labels [N] -> [N]. */
export function tokenLogprobs(h: Numbers, weight: Numbers, labels: Numbers, C: number): Float64Array {
  const z = linear(h, weight, C); // [N, V]
  const V = weight.length / C;
  return Float64Array.from(labels, (label, n) => {
    const row = z.subarray(n * V, (n + 1) * V);
    const max = row.reduce((a, b) => Math.max(a, b));
    return row[label] - max - Math.log(row.reduce((sum, x) => sum + Math.exp(x - max), 0));
  });
}

/** dz[n] = dy[n] (onehot(labels[n]) - softmax(z[n])), then as {@link linearGradient}: dh [N, C], dweight [V, C]. */
export function tokenLogprobsGradient(dy: Numbers, h: Numbers, weight: Numbers, labels: Numbers, C: number) {
  const z = linear(h, weight, C); // [N, V]
  const V = weight.length / C;
  const dz = zeros(z.length);
  for (let n = 0; n < labels.length; n++) {
    const p = softmax(z.subarray(n * V, (n + 1) * V));
    for (let v = 0; v < V; v++) dz[n * V + v] = dy[n] * ((v === labels[n] ? 1 : 0) - p[v]);
  }
  const { dx, dweight } = linearGradient(dz, h, weight, C);
  return { dh: dx, dweight };
}

// --- optimiser: Loshchilov & Hutter 2019 (arXiv 1711.05101, algorithm 2), as torch.optim.AdamW computes it -----------

/** ‖g‖ over all gradients together: √Σ g². */
export function globalNorm(gradients: Numbers[]): number {
  let squares = 0;
  for (const g of gradients) for (let i = 0; i < g.length; i++) squares += g[i] * g[i];
  return Math.sqrt(squares);
}

/** One step t (from 1) on one parameter: changes `p`, `m` and `v`, all of the same size. `g` is clipped already. */
export function adamW(
  p: Float64Array,
  g: Numbers,
  m: Float64Array,
  v: Float64Array,
  t: number,
  options: { learningRate: number; beta1: number; beta2: number; epsilon: number; weightDecay: number },
) {
  const { learningRate, beta1, beta2, epsilon, weightDecay } = options;
  for (let i = 0; i < p.length; i++) {
    m[i] = beta1 * m[i] + (1 - beta1) * g[i];
    v[i] = beta2 * v[i] + (1 - beta2) * g[i] ** 2;
    const mean = m[i] / (1 - beta1 ** t);
    const square = v[i] / (1 - beta2 ** t);
    p[i] = p[i] * (1 - learningRate * weightDecay) - (learningRate * mean) / (Math.sqrt(square) + epsilon);
  }
}
