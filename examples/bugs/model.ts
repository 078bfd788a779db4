/**
 * @file The decoder's details that a checkpoint cannot tell: the same weights read with one of them wrong are another
 * model, which still runs. In the pictures a checkpoint that our decoder trained is read so and trained further.
 */
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import type { AttentionShape, Parameters } from "marco-mini";
import * as marco from "marco-mini";
import { type Bug, type Curve, defineBug, expectNear, type Picture } from "./bug.ts";
import { echoRows, experiment, inOrder, metricCurve, numbers, randomOf, TINY, WORDS } from "./tiny.ts";

const file = "examples/bugs/model.ts";
const { numAttentionHeads: H, numKeyValueHeads: K } = TINY;
const D = TINY.hiddenSize / H;

/** A trained model; its biases are far from 0, as Qwen2's are, because they start so (CHOSEN: normal, 1). */
async function trainedModel(): Promise<Parameters> {
  const parameters = marco.initParameters(TINY, 1);
  const random = randomOf("biases");
  for (const name of Object.keys(parameters).filter((name) => name.endsWith(".bias"))) {
    const { size, shape } = parameters[name];
    parameters[name].dispose();
    parameters[name] = tf.tensor(
      Float32Array.from({ length: size }, () => random.normal()),
      shape,
    );
  }
  const rows = echoRows("checkpoint", 400);
  const batchAt = (step: number) => marco.batchOf(inOrder(rows, 4)(step));
  return experiment({ lossFunction: marco.pretrainLoss(TINY), parameters, steps: 400, rate: 0.02, batchAt });
}

/** Further training of the checkpoint as it is and as the bug reads it: `misread` gives the weights that compute the same. */
async function readings(shows: string, misread: (parameters: Parameters) => Parameters): Promise<Picture> {
  const trained = await trainedModel();
  const rows = echoRows("further", 400);
  const batchAt = (step: number) => marco.batchOf(inOrder(rows, 4)(step));
  const copy = () =>
    Object.fromEntries(Object.entries(trained).map(([name, x]) => [name, tf.tensor(x.dataSync().slice(), x.shape)]));
  const run = (label: string, kind: Curve["kind"], parameters: Parameters) =>
    metricCurve(label, kind, "loss", {
      lossFunction: marco.pretrainLoss(TINY),
      parameters,
      steps: 60,
      rate: 0.003,
      batchAt,
    });
  const curves = [await run("read right", "correct", copy()), await run("read wrong", "broken", misread(copy()))];
  tf.dispose(trained);
  return {
    title: "A checkpoint trained further",
    y: "training loss, nats per token",
    x: "step",
    curves,
    shows,
    holds: curves[1].points[0].y > curves[0].points[0].y + 0.5,
  };
}

/** Rows of a weight [out, in] or elements of a bias [out] in another order. */
const reorder = (x: tf.Tensor, order: number[], axis = 0): tf.Tensor => {
  const out = tf.gather(x, tf.tensor1d(order, "int32"), axis);
  x.dispose();
  return out;
};

// ------------------------------------------------------------------------------------------------ epsilon

type Norm = (x: tf.Tensor, weight: tf.Tensor, epsilon: number) => tf.Tensor;
const hardCoded: Norm = (x, weight) => {
  // bug: norm-epsilon
  const epsilon = 1e-5; // as in Llama
  // end
  return marco.rmsNorm(x, weight, epsilon);
};

const normOf = (norm: Norm, x: number[], epsilon: number) =>
  numbers(tf.tidy(() => norm(tf.tensor2d([x]), tf.ones([x.length]), epsilon)));

const epsilonBug = defineBug<Norm, { x: number[]; exponent: number }>({
  id: "norm-epsilon",
  title: "RMSNorm's epsilon is a constant of the code",
  issue: {
    project: "paiml/aprender",
    url: "https://github.com/paiml/aprender/pull/1606",
    said: "The kernel had 1e-5 (Llama's) built in, Qwen2's configuration says 1e-6: about 2 % at the size of its embeddings. PaddlePaddle/FastDeploy #2797 had it too.",
  },
  lesson:
    "Both values exist among checkpoints of one family. The wrong one changes small activations most and everything a little: text stays fluent, and no " +
    "loss looks alarming. Read it from config.json, never default it, and compare logits with the reference.",
  claim: "The norm is x / sqrt(mean(x²) + ε) for the ε of the configuration.",
  correct: marco.rmsNorm as Norm,
  broken: hardCoded,
  right: { file: "src/model/qwen2.ts", from: "const a = rmsNorm(x, weights" },
  file,
  inputs: fc.record({
    x: fc.array(
      fc.integer({ min: 1, max: 9 }).map((n) => n / 1000),
      { minLength: 1, maxLength: 3 },
    ),
    exponent: fc.constantFrom(-6, -5),
  }),
  check(norm, { x, exponent }) {
    const epsilon = 10 ** exponent;
    const expected = x[0] / Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length + epsilon);
    expectNear(`the first element with ε = 1e${exponent}`, normOf(norm, x, epsilon)[0], expected, 1e-3 * expected);
  },
  async picture() {
    const sizes = Array.from({ length: 25 }, (_, i) => 10 ** (-3.5 + i / 10));
    const random = randomOf("activations");
    const unit = Array.from({ length: 896 }, () => random.normal()); // as wide as Qwen2 0.5B
    const error = (norm: Norm) =>
      sizes.map((size) => {
        const x = unit.map((v) => v * size);
        const r = Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length + 1e-6);
        return { x: size, y: (100 * Math.abs(normOf(norm, x, 1e-6)[0] - x[0] / r)) / Math.abs(x[0] / r) };
      });
    const curves: Curve[] = [
      { label: "from the config", kind: "correct", points: error(marco.rmsNorm) },
      { label: "1e-5 built in", kind: "broken", points: error(hardCoded) },
    ];
    return {
      title: "Error of a normalised activation",
      y: "per cent, against float64",
      x: "size of the activations (root mean square)",
      logX: true,
      curves,
      shows:
        "At 0.02, the size of Qwen2's embeddings at their start, it is one per cent: too little to be seen, too much to be equal.",
      holds: curves[1].points[0].y > 50 && Math.max(...curves[0].points.map(({ y }) => y)) < 0.01,
    };
  },
});

// ------------------------------------------------------------------------------------------------ lost biases

type Logits = (parameters: Parameters, ids: readonly number[]) => tf.Tensor;
const logitsOf: Logits = (parameters, ids) => {
  const { inputIds, positionIds, documentIds } = marco.batchOf([
    marco.pretrainingRow(Int32Array.from(ids), 0, ids.length),
  ]);
  const input = { inputIds, positionIds, mask: marco.causalMask(documentIds) };
  return marco.logits(parameters, TINY, marco.decoder(parameters, TINY, input).hidden); // [T, V]
};
const logitsWithoutBiases: Logits = (parameters, ids) => {
  // bug: lost-qkv-bias
  const read = Object.entries(parameters).filter(([name]) => name.endsWith(".weight"));
  // end
  return logitsOf(Object.fromEntries(read), ids);
};

const lostBias = defineBug<Logits, { projection: string; by: number }>({
  id: "lost-qkv-bias",
  title: "The biases of q, k and v are not read",
  issue: {
    project: "paiml/aprender",
    url: "https://github.com/paiml/aprender/pull/1604",
    said: "Qwen2's biases of q, k and v were not added; the loaded model had a validation loss of 18.55, above the 11.93 = ln(vocabulary) of guessing.",
  },
  lesson:
    "Llama has no biases, Qwen2 has three a layer, and a loader that takes what it knows leaves them out in silence. A trained model with a loss above " +
    "that of guessing is wired wrongly. Refuse checkpoints with unknown or missing tensors.",
  claim: "A change of any bias of q, k or v changes the logits.",
  correct: logitsOf,
  broken: logitsWithoutBiases,
  right: { file: "src/model/qwen2.ts", from: "const y = linear(a, weights[" },
  file,
  inputs: fc.record({ projection: fc.constantFrom("q_proj", "k_proj", "v_proj"), by: fc.integer({ min: 1, max: 3 }) }),
  runs: 9,
  check(logits, { projection, by }) {
    const changed = tf.tidy(() => {
      const parameters = marco.initParameters({ ...TINY, initializerRange: 0.5 }, 1);
      const name = `model.layers.0.self_attn.${projection}.bias`;
      const other = { ...parameters, [name]: tf.add(parameters[name], by) };
      const ids = [WORDS, WORDS + 1, WORDS + 2];
      return tf.max(tf.abs(tf.sub(logits(parameters, ids), logits(other, ids)))).dataSync()[0];
    });
    if (!(changed > 0)) throw new Error(`${by} added to the bias of ${projection} changes no logit`);
  },
  picture: () =>
    readings("Without its biases the checkpoint starts over, although every weight is there.", (parameters) => {
      for (const name of Object.keys(parameters).filter((name) => name.endsWith(".bias"))) {
        const zeros = tf.zerosLike(parameters[name]);
        parameters[name].dispose();
        parameters[name] = zeros;
      }
      return parameters;
    }),
});

// ------------------------------------------------------------------------------------------------ interleaved RoPE

type Rope = typeof marco.rope;

/** Channels of a head of `size` so that pairs (2i, 2i + 1) become (i, i + size / 2), for every head. */
const pairsToHalves = (heads: number, size: number) =>
  Array.from({ length: heads * size }, (_, c) => {
    const [head, i] = [Math.floor(c / size), c % size];
    return head * size + (i < size / 2 ? 2 * i : 2 * (i - size / 2) + 1);
  });

const interleavedRope: Rope = (x, cos, sin, heads) => {
  const order = pairsToHalves(heads, x.shape[2]! / heads);
  // bug: interleaved-rope
  const pairs = tf.gather(x, order, 2); // channel 2i turns with channel 2i + 1
  // end
  return tf.gather(
    marco.rope(pairs, cos, sin, heads),
    order.map((_, c) => order.indexOf(c)),
    2,
  );
};

const interleaved = defineBug<Rope, { x: number[]; position: number }>({
  id: "interleaved-rope",
  title: "Rotary pairs are neighbours instead of halves",
  issue: {
    project: "huggingface/transformers",
    url: "https://github.com/huggingface/transformers/issues/25199",
    said: "Meta's code turns neighbouring channels, Hugging Face's turns halves, and converted weights are permuted to match; weights and code must agree.",
  },
  lesson:
    "Two layouts of rotary embeddings exist, and either trains well from scratch. Weights of one under the code of the other run without an error and know " +
    "nothing of order. Qwen2 has halves. Compare with reference logits at positions beyond 0, where nothing turns yet.",
  claim: "Channel i turns with channel i + D/2: at every position the pair keeps its length.",
  correct: marco.rope,
  broken: interleavedRope,
  right: { file: "src/ops/rope.ts", from: "const rotated = [tf.sub(tf.mul(a, c), tf.mul(b, s))" },
  file,
  inputs: fc.record({
    x: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 4, maxLength: 4 }),
    position: fc.integer({ min: 0, max: 5 }),
  }),
  check(rope, { x, position }) {
    const y = numbers(
      tf.tidy(() => {
        const { cos, sin } = marco.ropeTables(
          tf.tensor2d([[position]], [1, 1], "int32"),
          marco.ropeFrequencies(4, 1e4),
        );
        return rope(tf.tensor3d([[x]]), cos, sin, 1);
      }),
    );
    for (const i of [0, 1])
      expectNear(
        `the length of channels ${i} and ${i + 2} at position ${position}`,
        Math.hypot(y[i], y[i + 2]),
        Math.hypot(x[i], x[i + 2]),
        1e-4,
      );
  },
  picture: () =>
    readings(
      "Read with the other layout, the heads look at other positions: the model has to learn to look back again.",
      (parameters) => {
        for (const name of Object.keys(parameters)) {
          if (name.includes("q_proj")) parameters[name] = reorder(parameters[name], pairsToHalves(H, D));
          if (name.includes("k_proj")) parameters[name] = reorder(parameters[name], pairsToHalves(K, D));
        }
        return parameters;
      },
    ),
});

// ------------------------------------------------------------------------------------------------ repeat

type Attention = typeof marco.attention;

/** The place of query head h so that it reads key/value head h mod K: what tiling the K heads does. */
const tiled = ({ heads, kvHeads }: AttentionShape, size: number) => {
  const headAt = Array.from({ length: heads }, (_, place) => {
    const group = heads / kvHeads;
    return Math.floor(place / group) + (place % group) * kvHeads;
  });
  return headAt.flatMap((head) => Array.from({ length: size }, (_, i) => head * size + i));
};

const tiledAttention: Attention = (q, k, v, mask, shape) => {
  const order = tiled(shape, q.shape[2]! / shape.heads);
  // bug: tiled-kv-heads
  const queries = tf.gather(q, order, 2); // query head h reads key/value head h mod K
  // end
  return tf.gather(
    marco.attention(queries, k, v, mask, shape),
    order.map((_, c) => order.indexOf(c)),
    2,
  );
};

const tiledHeads = defineBug<Attention, { kvHeads: number; group: number }>({
  id: "tiled-kv-heads",
  title: "Key/value heads are tiled instead of repeated",
  issue: {
    project: "onnx/onnx",
    url: "https://github.com/onnx/onnx/pull/7274",
    said: "The Attention operator tiled the heads (0, 1, 0, 1) where torch and every GQA checkpoint repeat each (0, 0, 1, 1).",
  },
  lesson:
    "repeat and repeat_interleave give the same shape, and the same result when there is one key/value head or as many as query heads. With grouped heads, " +
    "queries read the wrong group. Test with at least two groups of two, and values that name their head.",
  claim: "Query head h reads key/value head ⌊h / (H/K)⌋.",
  correct: marco.attention,
  broken: tiledAttention,
  right: { file: "src/ops/attention.ts", from: "const wide = tf.broadcastTo(rows, [batch * heads, times", lines: 2 },
  file,
  inputs: fc.record({ kvHeads: fc.integer({ min: 1, max: 3 }), group: fc.integer({ min: 1, max: 3 }) }),
  runs: 30,
  check(attention, { kvHeads, group }) {
    const heads = kvHeads * group;
    const out = numbers(
      tf.tidy(() => {
        const values = tf.tensor3d([[Array.from({ length: kvHeads }, (_, j) => j)]]); // [1, 1, K·1]: head j holds j
        return attention(tf.zeros([1, 1, heads]), tf.zeros([1, 1, kvHeads]), values, tf.zeros([1, 1, 1]), {
          heads,
          kvHeads,
        });
      }),
    );
    for (const [h, got] of out.entries())
      expectNear(`the key/value head that query head ${h} of ${heads} reads`, got, Math.floor(h / group), 1e-6);
  },
  picture: () =>
    readings(
      "Two of four query heads read the other group's keys and values: the checkpoint starts as a worse model.",
      (parameters) => {
        const order = tiled({ heads: H, kvHeads: K }, D);
        for (const name of Object.keys(parameters)) {
          if (name.includes("q_proj")) parameters[name] = reorder(parameters[name], order);
          if (name.includes("o_proj")) parameters[name] = reorder(parameters[name], order, 1);
        }
        return parameters;
      },
    ),
});

export const MODEL_BUGS: Bug[] = [epsilonBug, lostBias, interleaved, tiledHeads];
