/**
 * @file The oracle of a training step: the decoder, the three losses, clipping and AdamW in float64, composed from
 * src/ops/reference.ts. golden.test.ts compares it with Hugging Face, model.test.ts every engine with it.
 */
import { headDim, type Qwen2Config } from "../../src/model/config.ts";
import * as reference from "../../src/ops/reference.ts";
import { ropeFrequencies, yarnAttentionFactor, yarnFrequencies } from "../../src/ops/rope.ts";
import type { AdamWOptions } from "../../src/train/optimizer.ts";

export type Arrays64 = Record<string, Float64Array>;

/** Rows of T tokens, flat. */
export interface Batch {
  B: number;
  T: number;
  inputIds: number[];
  labels: number[];
  positionIds: number[];
  documentIds: number[];
}

/** A value of the forward pass and where its gradient is summed. */
interface Value {
  x: Float64Array;
  d: Float64Array;
}

/** A loss and its gradient with respect to `logprobs` [B·T] (0 where nothing counts). */
export type LossOf = (logprobs: Float64Array, counted: boolean[]) => { loss: number; dlogprobs: Float64Array };

/** The loss, its gradient for every parameter, and the logits of every position [B·T, V]. */
export function lossAndGradients(parameters: Arrays64, config: Qwen2Config, batch: Batch, lossOf: LossOf) {
  const { B, T, inputIds, positionIds, documentIds, labels } = batch;
  const { hiddenSize: C, numAttentionHeads: H, numKeyValueHeads: K, rmsNormEps: epsilon } = config;
  const [D, V] = [headDim(config), config.vocabSize];
  const causal = reference.causalMask(documentIds, T);
  const sliding = causal.map((x, i) => {
    const row = Math.floor(i / T);
    const back = positionIds[row] - positionIds[row - (row % T) + (i % T)];
    return back >= (config.slidingWindow ?? Infinity) ? -3e38 : x;
  });
  const sizes = { B, T, S: T, H, K, D };
  const { ropeTheta, ropeScaling: yarn, dualChunkAttention: chunk } = config;
  const frequencies = yarn ? yarnFrequencies(D, ropeTheta, yarn) : ropeFrequencies(D, ropeTheta);
  const scale = yarn ? yarnAttentionFactor(yarn) : 1;
  const c = chunk ? chunk.chunkSize - chunk.localSize : Infinity;
  const inside = positionIds.map((position) => position % c);

  const leaf = (x: Float64Array): Value => ({ x, d: new Float64Array(x.length) });
  const leaves = Object.fromEntries(Object.entries(parameters).map(([name, x]) => [name, leaf(x)]));
  const tape: (() => void)[] = []; // run backwards
  const op = (x: Float64Array, inputs: Value[], gradients: (dy: Float64Array) => ArrayLike<number>[]): Value => {
    const y = leaf(x);
    tape.push(() => {
      gradients(y.d).forEach((g, i) => {
        for (let j = 0; j < g.length; j++) inputs[i].d[j] += g[j];
      });
    });
    return y;
  };
  const linear = (x: Value, weight: Value, addend?: Value) => {
    const width = x.x.length / (B * T);
    return op(reference.linear(x.x, weight.x, width, addend?.x), addend ? [x, weight, addend] : [x, weight], (dy) => {
      const { dx, dweight } = reference.linearGradient(dy, x.x, weight.x, width);
      if (!addend) return [dx, dweight];
      const sums = new Float64Array(addend.x.length);
      dy.forEach((d, i) => {
        sums[i % sums.length] += d;
      });
      return [dx, dweight, sums];
    });
  };
  const rmsNorm = (x: Value, weight: Value) =>
    op(reference.rmsNorm(x.x, weight.x, epsilon), [x, weight], (dy) => {
      const { dx, dweight } = reference.rmsNormGradient(dy, x.x, weight.x, epsilon);
      return [dx, dweight];
    });
  const rope = (x: Value, heads: number) => {
    const turn = (x: Float64Array, way: number) =>
      reference.rope(x, inside, heads, frequencies, way).map((y) => y * scale);
    return op(turn(x.x, 1), [x], (dy) => [turn(dy, -1)]);
  };
  const attention = (q: Value, k: Value, v: Value, mask: Float64Array) => {
    if (chunk) return dualChunkAttention(q, k, v, mask);
    const turned = rope(q, H);
    return op(reference.attention(turned.x, k.x, v.x, mask, sizes), [turned, k, v], (dy) => {
      const { dq, dk, dv } = reference.attentionGradient(dy, turned.x, k.x, v.x, mask, sizes);
      return [dq, dk, dv];
    });
  };
  const dualChunkAttention = (q: Value, k: Value, v: Value, mask: Float64Array) => {
    const at = (row: number, s: number) => {
      const back = Math.floor(positionIds[row] / c) - Math.floor(positionIds[row - (row % T) + s] / c);
      if (back <= 0) return inside[row];
      return Math.min(back === 1 ? inside[row] + c : 2 * c - 1, chunk!.chunkSize);
    };
    const inputs = [q.x.map((x) => x * scale), k.x, v.x, mask];
    return op(reference.dualChunkAttention(inputs, sizes, frequencies, at)[0], [q, k, v], (dy) => {
      const [dq, dk, dv] = reference.dualChunkAttention(inputs, sizes, frequencies, at, dy);
      return [dq.map((g) => g * scale), dk, dv];
    });
  };
  const swiglu = (gate: Value, up: Value) =>
    op(reference.swiglu(gate.x, up.x), [gate, up], (dy) => {
      const { dgate, dup } = reference.swigluGradient(dy, gate.x, up.x);
      return [dgate, dup];
    });

  const table = leaves["model.embed_tokens.weight"];
  let x = op(reference.embedding(table.x, inputIds, C), [table], (dy) => [
    reference.embeddingGradient(dy, inputIds, V),
  ]);
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const weight = (name: string) => leaves[`model.layers.${layer}.${name}`];
    const a = rmsNorm(x, weight("input_layernorm.weight"));
    const project = (name: string) => linear(a, weight(`self_attn.${name}.weight`), weight(`self_attn.${name}.bias`));
    const mask = config.layerTypes?.[layer] === "sliding_attention" ? sliding : causal;
    const mixed = attention(project("q_proj"), rope(project("k_proj"), K), project("v_proj"), mask);
    x = linear(mixed, weight("self_attn.o_proj.weight"), x);
    const m = rmsNorm(x, weight("post_attention_layernorm.weight"));
    const inner = swiglu(linear(m, weight("mlp.gate_proj.weight")), linear(m, weight("mlp.up_proj.weight")));
    x = linear(inner, weight("mlp.down_proj.weight"), x);
  }
  const hidden = rmsNorm(x, leaves["model.norm.weight"]);
  const head = config.tieWordEmbeddings ? table : leaves["lm_head.weight"];

  // position t predicts label t + 1, the last position nothing
  const next = labels.map((_, i) => ((i + 1) % T === 0 ? -100 : labels[i + 1]));
  const counted = next.map((label) => label >= 0);
  const target = next.map((label) => Math.max(0, label));
  const raw = reference.tokenLogprobs(hidden.x, head.x, target, C);
  const { loss, dlogprobs } = lossOf(
    raw.map((y, i) => (counted[i] ? y : 0)),
    counted,
  );
  const dy = dlogprobs.map((d, i) => (counted[i] ? d : 0));
  const { dh, dweight } = reference.tokenLogprobsGradient(dy, hidden.x, head.x, target, C);
  hidden.d.set(dh);
  for (let i = 0; i < dweight.length; i++) head.d[i] += dweight[i];
  for (const step of tape.reverse()) step();
  return {
    loss,
    gradients: Object.fromEntries(Object.entries(leaves).map(([name, { d }]) => [name, d])) as Arrays64,
    logits: reference.linear(hidden.x, head.x, C),
  };
}

/** Mean over the counted tokens: pretraining and SFT. */
export const crossEntropy: LossOf = (logprobs, counted) => {
  const count = counted.filter(Boolean).length;
  return { loss: -logprobs.reduce((a, b) => a + b, 0) / count, dlogprobs: logprobs.map(() => -1 / count) };
};

/** Mean of -log σ(β Δ) over the pairs; rows: the chosen ones, then the rejected ones. */
export const dpo =
  (chosen: ArrayLike<number>, rejected: ArrayLike<number>, beta: number): LossOf =>
  (logprobs) => {
    const pairs = chosen.length;
    const T = logprobs.length / (2 * pairs);
    const sum = (row: number) => logprobs.subarray(row * T, (row + 1) * T).reduce((a, b) => a + b, 0);
    const dlogprobs = new Float64Array(logprobs.length);
    let loss = 0;
    for (let i = 0; i < pairs; i++) {
      const delta = sum(i) - chosen[i] - (sum(pairs + i) - rejected[i]);
      loss += Math.log1p(Math.exp(-beta * delta)) / pairs;
      const slope = -beta / (1 + Math.exp(beta * delta)) / pairs;
      dlogprobs.fill(slope, i * T, (i + 1) * T);
      dlogprobs.fill(-slope, (pairs + i) * T, (pairs + i + 1) * T);
    }
    return { loss, dlogprobs };
  };

/** Training in float64: the losses, the norms before clipping, and what the parameters are at the end. */
export function train64(
  initial: Arrays64,
  config: Qwen2Config,
  decays: (name: string) => boolean,
  steps: { batch: Batch; lossOf: LossOf; learningRate: number }[],
  { maxGradNorm, weightDecay, ...options }: AdamWOptions,
) {
  const state = Object.entries(initial).map(([name, x]) => ({
    name,
    p: x.slice(),
    m: x.map(() => 0),
    v: x.map(() => 0),
  }));
  const [losses, norms]: number[][] = [[], []];
  steps.forEach(({ batch, lossOf, learningRate }, step) => {
    const now = Object.fromEntries(state.map(({ name, p }) => [name, p]));
    const { loss, gradients } = lossAndGradients(now, config, batch, lossOf);
    const norm = reference.globalNorm(Object.values(gradients));
    const clip = Math.min(1, maxGradNorm / (norm + 1e-6)); // torch.nn.utils.clip_grad_norm_
    losses.push(loss);
    norms.push(norm);
    for (const { name, p, m, v } of state) {
      const g = gradients[name].map((x) => x * clip);
      const settings = { ...options, learningRate, weightDecay: decays(name) ? weightDecay : 0 };
      reference.adamW(p, g, m, v, step + 1, settings);
    }
  });
  return { losses, norms, parameters: Object.fromEntries(state.map(({ name, p }) => [name, p])) as Arrays64 };
}
