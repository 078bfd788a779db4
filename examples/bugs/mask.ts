/** @file Which tokens count: the loss mask of SFT, and the one shift from labels to targets. */
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import type { LossFunction, MaskedExample, PackedRow } from "marco-mini";
import * as marco from "marco-mini";
import { type Bug, defineBug, expectNear } from "./bug.ts";
import {
  EOS,
  experiment,
  heldOutCurve,
  inOrder,
  last,
  masked,
  metricCurve,
  question,
  randomOf,
  ruleRows,
  TINY,
  WORDS,
} from "./tiny.ts";

const file = "examples/bugs/mask.ts";
const word = fc.integer({ min: WORDS, max: WORDS + 3 });
const someWords = (maxLength = 3) => fc.array(word, { minLength: 1, maxLength });
const pair = fc.record({ prompt: someWords(), answer: someWords() });

type Pack = (examples: readonly MaskedExample[], T: number, padId: number) => PackedRow[];
const pack: Pack = (examples, T, padId) => marco.packExamples(examples, T, padId).rows;

const questions = (label: string, n: number, length?: number, answers?: number) => {
  const random = randomOf(label);
  return Array.from({ length: n }, () => question(random, length, answers));
};
/** One question a row. */
const alone = (label: string, n: number, length = 4, answers = 2): PackedRow[] =>
  questions(label, n, length, answers).flatMap((q) => pack([masked(q)], length + answers + 2, EOS));

// ------------------------------------------------------------------------------------------------ dropped loss mask

const packWithoutMask: Pack = (examples, T, padId) =>
  pack(examples, T, padId).map((row) => ({
    ...row,
    // bug: dropped-loss-mask
    labels: row.inputIds.map((id, t) => (row.documentIds[t] > 0 ? id : marco.IGNORE)),
    // end
  }));

const droppedLossMask = defineBug({
  id: "dropped-loss-mask",
  title: "The loss mask is dropped on the way to the loss",
  issue: {
    project: "karpathy/nanochat",
    url: "https://github.com/karpathy/nanochat/issues/570",
    said: "A rewrite of the SFT data loader lost the mask; restoring it (#582) took ChatCORE from 0.315 to 0.355.",
  },
  lesson:
    "The model is trained to write the user's questions too. Nothing crashes and the loss falls, only it is the loss of " +
    "another task. Print one batch as text with the counted tokens marked, once per run.",
  claim: "Every label stands in an answer: no token of the prompt is a target.",
  correct: pack,
  broken: packWithoutMask,
  right: { file: "src/data/pack.ts", from: "row.labels[t] = lossMask[position]" },
  file,
  inputs: pair,
  check(pack, { prompt, answer }) {
    const [row] = pack([masked({ prompt, answer })], prompt.length + answer.length, EOS);
    const wrong = row.labels.findIndex((label, t) => label >= 0 && t < prompt.length && t > 0);
    if (wrong >= 0) throw new Error(`token ${wrong} (id ${row.inputIds[wrong]}) is of the prompt and is a label`);
  },
  async picture() {
    const rows = alone("mask train", 400, 8);
    const run = (label: string, kind: "correct" | "broken", pack: Pack) =>
      heldOutCurve(label, kind, alone("mask test", 40, 8), {
        lossFunction: marco.sftLoss(TINY),
        steps: 60,
        batchAt: (step) =>
          marco.batchOf(
            inOrder(
              questions("mask train", 400, 8),
              4,
            )(step).flatMap((q) => pack([masked(q)], rows[0].inputIds.length, EOS)),
          ),
      });
    const curves = [await run("mask kept", "correct", pack), await run("mask dropped", "broken", packWithoutMask)];
    return {
      title: "Loss of held-out answers",
      y: "nats per answer token",
      x: "step",
      curves,
      shows: "With the same data and steps, the run without its mask answers worse: it spends itself on the questions.",
      holds: last(curves[1]) > 1.1 * last(curves[0]),
    };
  },
});

// ------------------------------------------------------------------------------------------------ first answer token

type Row = (prompt: readonly number[], answer: readonly number[], T: number, padId: number) => PackedRow;

const rowFromSecondToken: Row = (prompt, answer, T, padId) => {
  // bug: first-answer-token-lost
  const start = prompt.length + 1;
  // end
  const row = marco.answerRow(prompt, answer, T, padId);
  return { ...row, labels: row.labels.map((label, t) => (t < start ? marco.IGNORE : label)) };
};

const firstAnswerTokenLost = defineBug({
  id: "first-answer-token-lost",
  title: "The mask starts one token late",
  issue: {
    project: "jingyaogong/minimind",
    url: "https://github.com/jingyaogong/minimind/pull/621",
    said: "The DPO mask was off by one and dropped the first token of each answer.",
  },
  lesson:
    "The mask was made for unshifted labels and used on shifted ones, or the other way round. The first token of an answer " +
    "often decides it (yes or no), and just this one is never trained. Count: as many targets as the answer has tokens.",
  claim: "Every token of the answer is a target, the first and the last included.",
  correct: marco.answerRow as Row,
  broken: rowFromSecondToken,
  right: {
    file: "src/data/chatRows.ts",
    from: "labels: Int32Array.from({ length: T }, (_, t) => (at(t, prompt.length)",
  },
  file,
  inputs: pair,
  check(row, { prompt, answer }) {
    const targets = marco.targetsOf(row(prompt, answer, prompt.length + answer.length, EOS));
    expectNear(`the number of targets for an answer of ${answer.length} tokens`, targets, answer.length, 0);
  },
  async picture() {
    const firstOnly = questions("first test", 40, 2).map(({ prompt, answer }) =>
      marco.answerRow(prompt, answer.slice(0, 1), prompt.length + 1, EOS),
    );
    const train = questions("first train", 400, 2);
    const run = (label: string, kind: "correct" | "broken", row: Row) =>
      heldOutCurve(label, kind, firstOnly, {
        lossFunction: marco.sftLoss(TINY),
        steps: 200,
        rate: 0.02,
        batchAt: (step) =>
          marco.batchOf(inOrder(train, 8)(step).map(({ prompt, answer }) => row(prompt, answer, 6, EOS))),
      });
    const curves = [
      await run("whole answer", "correct", marco.answerRow),
      await run("first token lost", "broken", rowFromSecondToken),
    ];
    return {
      title: "Loss of the first token of held-out answers",
      y: "nats",
      x: "step",
      curves,
      shows: "The first token of an answer is learned in one run and never in the other.",
      holds: last(curves[0]) < 1 && last(curves[1]) > Math.log(10),
    };
  },
});

// ------------------------------------------------------------------------------------------------ pad equals eos

const packMaskedById: Pack = (examples, T, padId) =>
  pack(examples, T, padId).map((row) => ({
    ...row,
    // bug: pad-equals-eos
    labels: row.labels.map((label) => (label === padId ? marco.IGNORE : label)),
    // end
  }));

const padEqualsEos = defineBug({
  id: "pad-equals-eos",
  title: "Padding is masked by its id, which is the id of the end",
  issue: {
    project: "mlabonne/llm-course",
    url: "https://github.com/mlabonne/llm-course/issues/33",
    said: "With pad_token = eos_token the collator masks every end of text, and the fine-tuned model never stops.",
  },
  lesson:
    "Qwen2 pads with <|endoftext|>, which also ends texts. Who masks labels by id removes the real ends as well, and the " +
    "model is never told to stop. Mask by length. Symptom: every answer runs to the length limit.",
  claim: "The token that ends an answer is a target even when it has the id of the padding.",
  correct: pack,
  broken: packMaskedById,
  right: { file: "src/data/pack.ts", from: "labels: new Int32Array(T).fill(IGNORE)," },
  file,
  inputs: pair,
  check(pack, { prompt, answer }) {
    const [row] = pack([masked({ prompt, answer: [...answer, EOS] })], prompt.length + answer.length + 3, EOS);
    const end = prompt.length + answer.length;
    if (row.labels[end] !== EOS)
      throw new Error(`the label of the token that ends the answer is ${row.labels[end]}, expected ${EOS}`);
  },
  async picture() {
    const train = questions("eos train", 400);
    /** Only the end of the answer is a label. */
    const ends = questions("eos test", 40).map(({ prompt, answer }) =>
      marco.answerRow([...prompt, ...answer.slice(0, -1)], [EOS], 8, EOS),
    );
    const run = async (label: string, kind: "correct" | "broken", pack: Pack) => {
      const curve = await heldOutCurve(label, kind, ends, {
        lossFunction: marco.sftLoss(TINY),
        steps: 90,
        batchAt: (step) => marco.batchOf(inOrder(train, 6)(step).flatMap((q) => pack([masked(q)], 10, EOS))),
      });
      return { ...curve, points: curve.points.map(({ x, y }) => ({ x, y: Math.exp(-y) })) };
    };
    const curves = [
      await run("masked by length", "correct", pack),
      await run("masked by id", "broken", packMaskedById),
    ];
    return {
      title: "Probability of stopping where the answer ends",
      y: "geometric mean over held-out answers",
      x: "step",
      curves,
      shows: "One model learns to stop. The other never does.",
      holds: last(curves[0]) > 0.8 && last(curves[1]) < 0.1,
    };
  },
});

// ------------------------------------------------------------------------------------------------ double shift

type LabelsOf = (ids: readonly number[]) => PackedRow;
const unshifted: LabelsOf = (ids) => marco.pretrainingRow(Int32Array.from(ids), 0, ids.length);
const shifted: LabelsOf = (ids) => ({
  ...unshifted(ids),
  // bug: double-shift
  labels: Int32Array.from([...ids.slice(1), marco.IGNORE]),
  // end
});

const doubleShift = defineBug({
  id: "double-shift",
  title: "Labels are shifted by the data and again by the loss",
  issue: {
    project: "wdndev/tiny-llm-zh",
    url: "https://github.com/wdndev/tiny-llm-zh/issues/10",
    said: "The data set made X = ids[:-1], Y = ids[1:], and the model shifted Y once more; LLM360's amber-train #6 asks the same.",
  },
  lesson:
    "The model learns to predict the token after the next. Its own loss falls nicely wherever that can be guessed, and what " +
    "it generates is nonsense. Shift in one place only, and compare a loss with log-probabilities computed by hand.",
  claim: "The loss is the chain rule: minus the sum of log p(token | all before it), computed from the logits by hand.",
  correct: unshifted,
  broken: shifted,
  right: { file: "src/model/qwen2.ts", from: "const next = tf.concat([tf.slice(labels" },
  file,
  inputs: fc.array(word, { minLength: 2, maxLength: 4 }),
  runs: 8,
  check(labelsOf, ids) {
    const row = labelsOf(ids);
    const { summed, expected } = tf.tidy(() => {
      const parameters = marco.initParameters({ ...TINY, initializerRange: 0.5 }, 1);
      const { inputIds, labels, documentIds, positionIds } = marco.batchOf([row]);
      const input = { inputIds, positionIds, mask: marco.causalMask(documentIds) };
      const z = tf.logSoftmax(marco.logits(parameters, TINY, marco.decoder(parameters, TINY, input).hidden)); // [T, V]
      const logprobs = z.arraySync() as number[][];
      const expected = ids.slice(1).reduce((sum, id, t) => sum + logprobs[t][id], 0);
      return { summed: tf.sum(marco.labelLogprobs(parameters, TINY, input, labels).logprobs).dataSync()[0], expected };
    });
    expectNear("the log-probability of the text", summed, expected, 1e-3);
  },
  async picture() {
    const rows = ruleRows("shift train", 400);
    const test = ruleRows("shift test", 20);
    const run = (label: string, kind: "correct" | "broken" | "other", labelsOf: LabelsOf, measured: PackedRow[]) =>
      heldOutCurve(label, kind, measured, {
        lossFunction: marco.pretrainLoss(TINY),
        steps: 90,
        batchAt: (step) => marco.batchOf(inOrder(rows, 4)(step).map((row) => labelsOf([...row.inputIds]))),
      });
    const asItSays = test.map((row) => shifted([...row.inputIds]));
    const curves = [
      await run("one shift", "correct", unshifted, test),
      await run("two shifts", "broken", shifted, test),
      await run("two shifts, its own loss", "other", shifted, asItSays),
    ];
    return {
      title: "Loss of the next token, held out",
      y: "nats per token",
      x: "step",
      curves,
      shows:
        "The loss that the broken run reports of itself falls too; as a model of the next token it is worse than guessing.",
      holds: last(curves[1]) > Math.log(TINY.vocabSize) && last(curves[2]) < 2.5 && last(curves[0]) < 2,
    };
  },
});

// ------------------------------------------------------------------------------------------------ predict padding

const rowThatPredictsPadding: Row = (prompt, answer, T, padId) => {
  const row = marco.answerRow(prompt, answer, T, padId);
  // bug: predict-padding
  const end = prompt.length + answer.length + 1;
  // end
  return { ...row, labels: row.inputIds.map((id, t) => (t >= prompt.length && t < end ? id : marco.IGNORE)) };
};

const predictPadding = defineBug({
  id: "predict-padding",
  title: "The last real token is asked to predict padding",
  issue: {
    project: "OpenRLHF/OpenRLHF",
    url: "https://github.com/OpenRLHF/OpenRLHF/pull/1338",
    said: "In a right-padded batch, shorter rows still contributed one target: the padding after their last token.",
  },
  lesson:
    "A mask made of attention masks is one token too long after the shift, in every row but the longest. That target is learned at " +
    "once, so the reported loss is too good, and it depends on what else is in the batch.",
  claim: "Padding adds no target: a row made longer has the targets that it had.",
  correct: marco.answerRow as Row,
  broken: rowThatPredictsPadding,
  right: { file: "src/data/chatRows.ts", from: "const at = (t: number, from: number) =>" },
  file,
  inputs: fc.record({ prompt: someWords(), answer: someWords(), padding: fc.integer({ min: 0, max: 3 }) }),
  check(row, { prompt, answer, padding }) {
    const T = prompt.length + answer.length;
    const targets = marco.targetsOf(row(prompt, answer, T + padding, EOS));
    expectNear(`the number of targets with ${padding} tokens of padding`, targets, answer.length, 0);
  },
  async picture() {
    const train = questions("padding train", 400, 4, 1).map(({ prompt, answer }) => ({
      prompt,
      answer: answer.slice(0, 1),
    }));
    const run = (label: string, kind: "correct" | "broken", row: Row) =>
      metricCurve(label, kind, "loss", {
        lossFunction: marco.sftLoss(TINY),
        steps: 40,
        batchAt: (step) =>
          marco.batchOf(inOrder(train, 8)(step).map(({ prompt, answer }) => row(prompt, answer, 8, EOS))),
      });
    const curves = [
      await run("answers only", "correct", marco.answerRow),
      await run("and padding", "broken", rowThatPredictsPadding),
    ];
    const middle = (i: number) => curves[i].points[20].y;
    return {
      title: "Reported training loss, answers of one token",
      y: "nats per target",
      x: "step",
      curves,
      shows: "Half of the broken run's targets are padding, which it knows soon: the reported loss is about half.",
      holds: middle(1) < 0.75 * middle(0),
    };
  },
});

// ------------------------------------------------------------------------------------------------ fully masked

type PackLong = (examples: readonly MaskedExample[], T: number) => PackedRow[];
const packDropping: PackLong = (examples, T) => pack(examples, T, EOS);
const packCutting: PackLong = (examples, T) =>
  examples.map(({ inputIds, lossMask }) => {
    const start = lossMask.indexOf(1);
    // bug: fully-masked
    return marco.answerRow(inputIds.slice(0, Math.min(start, T)), inputIds.slice(start, T), T, EOS);
    // end
  });

/** The mean that most trainers take: 0 / 0 when nothing counts. */
const plainMean: LossFunction = (parameters, { inputIds, labels, documentIds, positionIds }) => {
  const input = { inputIds, positionIds, mask: marco.causalMask(documentIds) };
  const { logprobs, counted } = marco.labelLogprobs(parameters, TINY, input, labels);
  return { loss: tf.neg(tf.div(tf.sum(logprobs), tf.sum(counted))) as tf.Scalar };
};

const fullyMasked = defineBug({
  id: "fully-masked",
  title: "Truncation leaves examples with nothing to learn",
  issue: {
    project: "huggingface/trl",
    url: "https://github.com/huggingface/trl/pull/6320",
    said: "Examples whose answer is cut away entirely gave a loss of NaN, shown as 0.0 (#3927, #6668); such examples are dropped now.",
  },
  lesson:
    "A long prompt is cut at the context length and its whole answer goes. The mean over no tokens is 0/0: NaN, and one such batch ruins every " +
    "weight, or a logger prints 0.0 and nobody looks. Drop such examples and say how many.",
  claim: "Every row has at least one target, however long the examples were.",
  correct: packDropping,
  broken: packCutting,
  right: { file: "src/data/pack.ts", from: "if (example.inputIds.length > T) tooLong.push(i);", lines: 3 },
  file,
  inputs: fc.record({ prompt: someWords(4), answer: someWords() }),
  check(pack, example) {
    for (const row of pack([masked(example)], 4))
      if (marco.targetsOf(row) === 0)
        throw new Error(
          `a prompt of ${example.prompt.length} tokens fills the row of 4: it has no target, and its loss is 0/0`,
        );
  },
  async picture() {
    const random = randomOf("long prompts");
    const examples = Array.from({ length: 400 }, () => masked(question(random, 3 + random.int(6))));
    const T = 9;
    const run = async (label: string, kind: "correct" | "broken", pack: PackLong) => {
      const rows = pack(examples, T);
      let loss = 0;
      const points: { x: number; y: number }[] = [];
      try {
        await experiment({
          lossFunction: plainMean,
          steps: 80,
          batchAt: (step) => marco.batchOf([rows[step]]),
          onStep: (step, _, metrics) => {
            loss = points.length ? 0.8 * loss + 0.2 * metrics.loss : metrics.loss;
            if (Number.isFinite(metrics.loss)) points.push({ x: step + 1, y: metrics.loss });
          },
        }).then(tf.dispose);
      } catch (error) {
        if (!(error instanceof marco.UserError)) throw error; // the loop's own guard: too many steps without a number
      }
      return { label, kind, points };
    };
    const curves = [
      await run("dropped and counted", "correct", packDropping),
      await run("cut to nothing", "broken", packCutting),
    ];
    return {
      title: "Reported training loss, one row a step",
      y: "nats per answer token",
      x: "step",
      curves,
      shows:
        "Steps without a target give NaN. Our loop leaves the weights alone and stops the run after eleven; without that guard the first one would have been the end.",
      holds: curves[0].points.length === 80 && curves[1].points.length < 60,
    };
  },
});

export const MASK_BUGS: Bug[] = [
  droppedLossMask,
  firstAnswerTokenLost,
  padEqualsEos,
  doubleShift,
  predictPadding,
  fullyMasked,
];
