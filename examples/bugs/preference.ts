/** @file DPO: what is compared with what, in which unit, and what is reported of it. */
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import type { LossFunction, PackedRow, PairScore, Parameters, PreferenceRows } from "marco-mini";
import * as marco from "marco-mini";
import { type Bug, type Curve, defineBug, expectNear } from "./bug.ts";
import { ANSWER, EOS, experiment, inOrder, last, meter, numbers, randomOf, successor, TINY, words } from "./tiny.ts";

const file = "examples/bugs/preference.ts";

// ------------------------------------------------------------------------------------------------ the runs

interface Texts {
  prompt: number[];
  chosen: number[];
  rejected: number[];
}

/** The chosen answer follows the rule of {@link successor} for `length` words, the rejected one is random. */
function pairsOf(label: string, n: number, length: number): Texts[] {
  const random = randomOf("pairs", label);
  return Array.from({ length: n }, () => {
    const prompt = [...words(random, 2), ANSWER];
    const chosen = [successor(prompt[1])];
    while (chosen.length < length) chosen.push(successor(chosen[chosen.length - 1]));
    return { prompt, chosen: [...chosen, EOS], rejected: [...words(random, length), EOS] };
  });
}

/** Sequence log-probabilities [B] of token log-probabilities and what counts, both [B, T]. */
type Sequence = (logprobs: tf.Tensor, counted: tf.Tensor) => tf.Tensor;

/** The answer's log-probability under the model, for each row, in nats. */
function scores(
  parameters: Parameters,
  rows: readonly PackedRow[],
  sequence: Sequence = marco.sequenceLogprob,
): number[] {
  return numbers(
    tf.tidy(() => {
      const { inputIds, labels, documentIds, positionIds } = marco.batchOf(rows);
      const input = { inputIds, positionIds, mask: marco.causalMask(documentIds) };
      const { logprobs, counted } = marco.labelLogprobs(parameters, TINY, input, labels);
      return sequence(logprobs, counted);
    }),
  );
}

const rowsOf = ({ prompt, chosen, rejected }: Texts) => {
  const T = prompt.length + Math.max(chosen.length, rejected.length);
  return [chosen, rejected].map((answer) => marco.answerRow(prompt, answer, T, EOS));
};

/** Pairs with the log-probabilities of a reference, which is asked once. */
function withReference(parameters: Parameters, texts: readonly Texts[], sequence?: Sequence): PreferenceRows[] {
  const rows = texts.map(rowsOf);
  const chosenScores = scores(
    parameters,
    rows.map(([chosen]) => chosen),
    sequence,
  );
  const rejectedScores = scores(
    parameters,
    rows.map(([, rejected]) => rejected),
    sequence,
  );
  return rows.map(([chosen, rejected], i) => ({
    chosen,
    rejected,
    referenceChosen: chosenScores[i],
    referenceRejected: rejectedScores[i],
  }));
}

/** The product's sigmoid loss with another log-probability of an answer. */
const dpoWith =
  (sequence: Sequence, beta: number): LossFunction =>
  (parameters, batch) => {
    const { inputIds, labels, documentIds, positionIds, referenceChosen, referenceRejected } = batch;
    const input = { inputIds, positionIds, mask: marco.causalMask(documentIds) };
    const { logprobs, counted } = marco.labelLogprobs(parameters, TINY, input, labels);
    const [policyChosen, policyRejected] = tf.split(sequence(logprobs, counted), 2); // each [B]
    const [chosenTokens, rejectedTokens] = tf.split(tf.sum(counted, 1), 2);
    const pairs = { policyChosen, policyRejected, referenceChosen, referenceRejected, chosenTokens, rejectedTokens };
    return { loss: tf.mean(marco.preferenceLosses(pairs, { lossType: "sigmoid", beta })) as tf.Scalar };
  };

/** A model that has not learned the rule: what DPO starts from. */
const start = () => marco.initParameters(TINY, 1);

/** DPO for 100 steps, and a number of the policy every five. */
async function dpoCurve(
  label: string,
  kind: Curve["kind"],
  lossFunction: LossFunction,
  pairs: readonly PreferenceRows[],
  measured: (parameters: Parameters, loss: number) => number,
  again?: (parameters: Parameters, step: number) => readonly PreferenceRows[],
): Promise<Curve> {
  const points: Curve["points"] = [];
  const parameters = start();
  await experiment({
    lossFunction,
    parameters,
    steps: 100,
    rate: 0.003,
    batchAt: (step) => marco.preferenceBatch(again ? again(parameters, step) : inOrder(pairs, 8)(step)),
    onStep: (step, policy, { loss }) => {
      if (step % 5 === 0 || step === 99) points.push({ x: step + 1, y: measured(policy, loss) });
    },
  });
  tf.dispose(parameters);
  return { label, kind, points };
}

/** Mean Δ of held-out pairs against the model before DPO: by how many nats more the chosen answer was raised. */
function marginMeter(texts: readonly Texts[]) {
  const before = start();
  const reference = withReference(before, texts);
  tf.dispose(before);
  const negative: LossFunction = (parameters, batch) => {
    const { inputIds, labels, documentIds, positionIds, referenceChosen, referenceRejected } = batch;
    const input = { inputIds, positionIds, mask: marco.causalMask(documentIds) };
    const [chosen, rejected] = tf.split(
      marco.sequenceLogprob(marco.labelLogprobs(parameters, TINY, input, labels).logprobs),
      2,
    );
    return { loss: tf.mean(tf.sub(tf.sub(chosen, referenceChosen), tf.sub(rejected, referenceRejected))) as tf.Scalar };
  };
  return meter(marco.preferenceBatch(reference), negative);
}

// ------------------------------------------------------------------------------------------------ length-normalised DPO

const summed: Sequence = (logprobs) => marco.sequenceLogprob(logprobs);
const averaged: Sequence = (logprobs, counted) =>
  // bug: length-normalised-dpo
  tf.div(tf.sum(logprobs, 1), tf.sum(counted, 1));
// end

const lengthNormalised = defineBug<Sequence, number[]>({
  id: "length-normalised-dpo",
  title: "DPO on the mean of an answer's log-probabilities",
  issue: {
    project: "jingyaogong/minimind",
    url: "https://github.com/jingyaogong/minimind/issues/659",
    said: "logits_to_log_probs averaged over the answer: with the mean instead of the sum, DPO favours short answers.",
  },
  lesson:
    "The loss of DPO is derived for the probability of the whole answer, a product over its tokens: a sum of logarithms. The mean is another objective " +
    "(SimPO's, TRL's sigmoid_norm), with its own β. Under DPO's name, β holds the policy back as many times less as the answer has tokens.",
  claim: "log p of an answer is the sum over its tokens: of two parts together, the sum of both.",
  correct: summed,
  broken: averaged,
  right: { file: "src/train/losses.ts", from: "export const sequenceLogprob =" },
  file,
  inputs: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
  check(sequence, nats) {
    const logps = (part: number[]) =>
      numbers(
        tf.tidy(() => sequence(tf.neg(tf.tensor2d([part], [1, part.length], "float32")), tf.ones([1, part.length]))),
      )[0];
    const apart = nats.reduce((sum, x) => sum + logps([x]), 0);
    expectNear(
      `log p of the answer with tokens of ${nats.map((x) => `-${x}`).join(", ")} nats`,
      logps(nats),
      apart,
      1e-5,
    );
  },
  async picture() {
    const texts = pairsOf("normalised", 400, 9);
    const margin = marginMeter(pairsOf("normalised test", 40, 9));
    const run = (label: string, kind: Curve["kind"], sequence: Sequence) => {
      const before = start();
      const pairs = withReference(before, texts, sequence);
      tf.dispose(before);
      return dpoCurve(label, kind, dpoWith(sequence, 0.5), pairs, (policy) => margin.read(policy));
    };
    const curves = [await run("sum", "correct", summed), await run("mean", "broken", averaged)];
    margin.dispose();
    return {
      title: "How far DPO moves the policy, β = 0.5",
      y: "margin on held-out pairs, in nats of whole answers of ten tokens",
      x: "step",
      curves,
      shows:
        "With sums, the loss is content at some margin, and β says at which. With means it pushes on: the same β is a tenth as strong.",
      holds: last(curves[1]) > 1.3 * last(curves[0]),
    };
  },
});

// ------------------------------------------------------------------------------------------------ moving reference

/** The frozen model of these parameters. */
type Freeze = (parameters: Parameters) => Parameters;
const copied: Freeze = (parameters) =>
  Object.fromEntries(Object.entries(parameters).map(([name, x]) => [name, tf.clone(x)]));
const same: Freeze = (parameters) =>
  // bug: reference-moves
  parameters;
// end

const referenceMoves = defineBug<Freeze, { weight: number; gradient: number }>({
  id: "reference-moves",
  title: "The reference is the policy itself",
  issue: {
    project: "YiyangZhou/POVID",
    url: "https://github.com/YiyangZhou/POVID/issues/11",
    said: "ref_model is None, so reference and policy have the same parameters, which are updated all the time; the loss would never change.",
  },
  lesson:
    "A reference that shares tensors with the policy moves with it. Then Δ is 0 at every step, the loss stands at ln 2, the rewards at 0, and yet the weights " +
    "move without a limit, because the gradient is that of the first step for ever. Hash the reference before and after.",
  claim: "A step of the optimiser leaves the reference as it was, to the last bit.",
  correct: copied,
  broken: same,
  right: { file: "src/train/optimizer.ts", from: "if (backend.refCount(dataId) > 1) {", lines: 6 },
  file,
  inputs: fc.record({ weight: fc.integer({ min: -9, max: 9 }), gradient: fc.integer({ min: -9, max: 9 }) }),
  runs: 20,
  async check(freeze, { weight, gradient }) {
    const policy: Parameters = { w: tf.tensor1d([weight]) };
    const reference = freeze(policy);
    const optimizer = marco.makeAdamW(policy, marco.PAPER_ADAMW);
    const gradients = { w: tf.tensor1d([gradient]) };
    await optimizer.step(gradients, 0.1);
    const after = reference.w.dataSync()[0];
    optimizer.dispose();
    tf.dispose([policy, reference, gradients]);
    expectNear("the reference's weight after a step of the policy", after, weight, 0);
  },
  async picture() {
    const texts = pairsOf("moving", 400, 4);
    const lossFunction = marco.dpoLoss(TINY, { lossType: "sigmoid", beta: 0.5 });
    const before = start();
    const frozen = withReference(before, texts);
    tf.dispose(before);
    const moving = (parameters: Parameters, step: number) => withReference(parameters, inOrder(texts, 8)(step));
    const curves = [
      await dpoCurve("frozen", "correct", lossFunction, frozen, (_, loss) => loss),
      await dpoCurve("moving", "broken", lossFunction, [], (_, loss) => loss, moving),
    ];
    return {
      title: "Reported DPO loss",
      y: "nats per pair; ln 2 = 0.693",
      x: "step",
      curves,
      shows: "A loss of 0.6931 to four digits, step after step, has one cause.",
      holds: curves[1].points.every(({ y }) => Math.abs(y - Math.LN2) < 1e-4) && last(curves[0]) < 0.5,
    };
  },
});

// ------------------------------------------------------------------------------------------------ ties

/** Share of the pairs whose chosen answer gained more. */
type Accuracy = (policy: readonly PairScore[], reference: readonly PairScore[]) => number;
const strict: Accuracy = (policy, reference) => marco.rewardAccuracy(policy, reference).value;
const withTies: Accuracy = (policy, reference) => {
  const gain = (i: number, side: keyof PairScore) => policy[i][side] - reference[i][side];
  // bug: accuracy-counts-ties
  return policy.filter((_, i) => gain(i, "chosen") >= gain(i, "rejected")).length / policy.length;
  // end
};

const score = fc.integer({ min: -9, max: -1 });
const ties = defineBug<Accuracy, PairScore[]>({
  id: "accuracy-counts-ties",
  title: "An accuracy that counts ties",
  issue: {
    project: "huggingface/trl",
    url: "https://github.com/huggingface/trl/issues/1311",
    said: "Rewards of 0 with rewards/accuracies at 0.0, not 0.5 or 1.0: TRL counts with a strict >, so a tie is no win.",
  },
  lesson:
    "Before the first step policy and reference agree, so every pair is a tie. With >= the accuracy starts at 100 %, and a run that learns nothing looks perfect; " +
    "with > it shows 0 %, and one asks why. State the rule, and test the metric where nothing was learned.",
  claim: "A policy that equals its reference has an accuracy of 0.",
  correct: strict,
  broken: withTies,
  right: { file: "src/eval/preference.ts", from: 'const preferred = policy.filter((_, i) => moved(i, "chosen")' },
  file,
  inputs: fc.array(fc.record({ chosen: score, rejected: score }), { minLength: 1, maxLength: 3 }),
  check(accuracy, scores) {
    expectNear(`the accuracy over ${scores.length} pairs`, accuracy(scores, scores), 0, 0);
  },
  async picture() {
    const texts = pairsOf("ties", 64, 4);
    const before = start();
    const rows = texts.map(rowsOf);
    const read = (parameters: Parameters): PairScore[] => {
      const [chosen, rejected] = [0, 1].map((side) =>
        scores(
          parameters,
          rows.map((both) => both[side]),
        ),
      );
      return chosen.map((x, i) => ({ chosen: x, rejected: rejected[i] }));
    };
    const reference = read(before);
    tf.dispose(before);
    // a learning rate of 0: the run learns nothing
    const run = async (label: string, kind: Curve["kind"], accuracy: Accuracy): Promise<Curve> => {
      const points: Curve["points"] = [];
      const pairs = rows.map(([chosen, rejected], i) => ({
        chosen,
        rejected,
        referenceChosen: reference[i].chosen,
        referenceRejected: reference[i].rejected,
      }));
      tf.dispose(
        await experiment({
          lossFunction: marco.dpoLoss(TINY, { lossType: "sigmoid", beta: 0.1 }),
          steps: 10,
          rate: 0,
          batchAt: (step) => marco.preferenceBatch(inOrder(pairs, 8)(step)),
          onStep: (step, policy) => points.push({ x: step + 1, y: 100 * accuracy(read(policy), reference) }),
        }),
      );
      return { label, kind, points };
    };
    const curves = [await run(">", "correct", strict), await run(">=", "broken", withTies)];
    return {
      title: "Reward accuracy of a run that learns nothing (learning rate 0)",
      y: "per cent of 64 pairs",
      x: "step",
      curves,
      shows: "One metric says 0 %, the other 100 %, of the same model.",
      holds: curves[0].points.every(({ y }) => y === 0) && curves[1].points.every(({ y }) => y === 100),
    };
  },
});

// ------------------------------------------------------------------------------------------------ log of a sigmoid

/** DPO's losses [B] of the margins βΔ [B], in float32. */
type OfMargins = (margins: tf.Tensor) => tf.Tensor;
const stable: OfMargins = (margins) => {
  const zeros = tf.zerosLike(margins);
  const pairs = {
    policyChosen: margins,
    policyRejected: zeros,
    referenceChosen: zeros,
    referenceRejected: zeros,
    chosenTokens: zeros,
    rejectedTokens: zeros,
  };
  return marco.preferenceLosses(pairs, { lossType: "sigmoid", beta: 1 });
};
const naive: OfMargins = (margins) =>
  // bug: log-of-sigmoid
  tf.neg(tf.log(tf.sigmoid(margins)));
// end

const logOfSigmoid = defineBug<OfMargins, number>({
  id: "log-of-sigmoid",
  title: "The logarithm of a sigmoid, in two steps",
  issue: {
    project: "thinking-machines-lab/tinker-cookbook",
    url: "https://github.com/thinking-machines-lab/tinker-cookbook/pull/188",
    said: "-log(sigmoid(x)) gave NaN gradients for large negative log-ratios; replaced by logsigmoid (DeepSpeedExamples #501: infinite from -90 on).",
  },
  lesson:
    "In float32 the sigmoid of -104 is 0 (with some implementations that of -18) and its logarithm -∞. Margins are sums over hundreds of tokens, so one bad pair reaches that, and its gradient is NaN. " +
    "-log σ(x) is softplus(-x), which is nearly -x there. Test losses at ±10,000.",
  claim: "The loss is finite, and at least -x, for every margin x down to -10,000.",
  correct: stable,
  broken: naive,
  right: { file: "src/train/preferenceLosses.ts", from: "const logistic = (z: tf.Tensor) =>" },
  file,
  inputs: fc.integer({ min: 0, max: 10_000 }).map((n) => 0 - n),
  check(losses, margin) {
    const loss = numbers(tf.tidy(() => losses(tf.tensor1d([margin]))))[0];
    if (!Number.isFinite(loss) || loss < -margin * (1 - 1e-6))
      throw new Error(`the loss at a margin of ${margin} is ${loss}`);
  },
  async picture() {
    const at = Array.from({ length: 66 }, (_, i) => 5 - 2 * i);
    const curve = (label: string, kind: Curve["kind"], losses: OfMargins): Curve => {
      const values = numbers(tf.tidy(() => losses(tf.tensor1d(at))));
      return {
        label,
        kind,
        points: at
          .map((x, i) => ({ x, y: values[i] }))
          .filter(({ y }) => Number.isFinite(y))
          .reverse(),
      };
    };
    const curves = [curve("softplus(-x)", "correct", stable), curve("-log σ(x)", "broken", naive)];
    return {
      title: "DPO's loss of a pair, float32",
      y: "nats",
      x: "margin βΔ",
      curves,
      shows: `Left of ${curves[1].points[0].x} the broken loss is infinite on this engine: the line ends.`,
      holds: curves[0].points.length === at.length && curves[1].points[0].x > -106 && curves[1].points[0].x < -10,
    };
  },
});

// ------------------------------------------------------------------------------------------------ IPO

type Ipo = (pairs: marco.PairLogps, beta: number) => number[];
const perToken: Ipo = (pairs, beta) => marco.preferenceLoss(pairs, { lossType: "ipo", beta }).losses;
const ofSums: Ipo = (pairs, beta) =>
  // bug: ipo-of-sums
  marco.preferenceLoss(pairs, { lossType: "ipo_sum", beta }).losses;
// end

const ipo = defineBug<Ipo, { chosen: number; rejected: number; tokens: number; times: number }>({
  id: "ipo-of-sums",
  title: "IPO's threshold for means, applied to sums",
  issue: {
    project: "huggingface/trl",
    url: "https://github.com/huggingface/trl/pull/1265",
    said: "Log-probabilities are averaged when the loss is IPO, so that β does not depend on the length of the sequence (with the authors' agreement; #1677 asks why).",
  },
  lesson:
    "IPO pulls the margin to 1/(2β), neither more nor less. If the margin is a sum, a long answer reaches it with a trace of a preference per token. Both " +
    "conventions exist (the DPO authors' code and OpenRLHF sum); a β tuned under one is wrong under the other. Name the convention: ours are ipo and ipo_sum.",
  claim: "IPO's loss does not change when every token is repeated: sums and lengths times k.",
  correct: perToken,
  broken: ofSums,
  right: { file: "src/train/preferenceLosses.ts", from: 'const mean = lossType === "ipo"', lines: 3 },
  file,
  inputs: fc.record({
    chosen: fc.integer({ min: -9, max: 9 }),
    rejected: fc.integer({ min: -9, max: 9 }),
    tokens: fc.integer({ min: 1, max: 3 }),
    times: fc.integer({ min: 1, max: 3 }),
  }),
  check(loss, { chosen, rejected, tokens, times }) {
    const pairs = (k: number): marco.PairLogps => ({
      policyChosen: [k * chosen],
      policyRejected: [k * rejected],
      referenceChosen: [0],
      referenceRejected: [0],
      chosenTokens: [k * tokens],
      rejectedTokens: [k * tokens],
    });
    expectNear(`IPO's loss with every token ${times} times`, loss(pairs(times), 0.5)[0], loss(pairs(1), 0.5)[0], 1e-9);
  },
  async picture() {
    const length = 9;
    const texts = pairsOf("ipo", 400, length);
    const margin = marginMeter(pairsOf("ipo test", 40, length));
    const before = start();
    const pairs = withReference(before, texts);
    tf.dispose(before);
    const perTokenMargin = (policy: Parameters) => margin.read(policy) / (length + 1);
    const curves = [
      await dpoCurve("means", "correct", marco.dpoLoss(TINY, { lossType: "ipo", beta: 0.5 }), pairs, perTokenMargin),
      await dpoCurve("sums", "broken", marco.dpoLoss(TINY, { lossType: "ipo_sum", beta: 0.5 }), pairs, perTokenMargin),
    ];
    margin.dispose();
    return {
      title: "What IPO with β = 0.5 trains, answers of ten tokens",
      y: "margin on held-out pairs, nats per token; 1/(2β) = 1",
      x: "step",
      curves,
      shows: "With means, training goes to a margin of 1 nat a token. With sums it stops at a tenth of that.",
      holds: last(curves[0]) > 0.6 && last(curves[1]) < 0.3,
    };
  },
});

// ------------------------------------------------------------------------------------------------ prompt in the log-probabilities

type Row = typeof marco.answerRow;
const rowWithPrompt: Row = (prompt, answer, T, padId) => {
  const row = marco.answerRow(prompt, answer, T, padId);
  // bug: prompt-in-logps
  return { ...row, labels: row.inputIds.map((id, t) => (row.documentIds[t] > 0 ? id : marco.IGNORE)) };
  // end
};

const word = fc.integer({ min: 4, max: 7 });
const promptInLogps = defineBug<Row, { prompt: number[]; answer: number[] }>({
  id: "prompt-in-logps",
  title: "The prompt is in the answers' log-probabilities",
  issue: {
    project: "OpenRLHF/OpenRLHF",
    url: "https://github.com/OpenRLHF/OpenRLHF/pull/237",
    said: "The tokens of the prompt were counted in DPO's log-probabilities.",
  },
  lesson:
    "Both answers have the same prompt, so in DPO's sigmoid loss it cancels to the last digit, and training goes as it should. What is wrong is everything else: logps/chosen, " +
    "lengths, means (IPO, SimPO), the SFT term. A loss that is right does not prove its parts: test them apart.",
  claim: "As many tokens count as the answer has, however long the prompt is.",
  correct: marco.answerRow,
  broken: rowWithPrompt,
  right: {
    file: "src/data/chatRows.ts",
    from: "labels: Int32Array.from({ length: T }, (_, t) => (at(t, prompt.length)",
  },
  file,
  inputs: fc.record({
    prompt: fc.array(word, { minLength: 2, maxLength: 4 }),
    answer: fc.array(word, { minLength: 1, maxLength: 3 }),
  }),
  check(row, { prompt, answer }) {
    const counted = marco.targetsOf(row(prompt, answer, prompt.length + answer.length, EOS));
    expectNear(`the number of tokens that count for an answer of ${answer.length}`, counted, answer.length, 0);
  },
  async picture() {
    const parameters = start();
    const texts = pairsOf("prompts", 64, 4).map((t, i) => ({
      ...t,
      prompt: [...words(randomOf("more", `${i}`), i % 16), ...t.prompt],
    }));
    const T = Math.max(...texts.map(({ prompt, chosen }) => prompt.length + chosen.length));
    const logps = (row: Row, side: "chosen" | "rejected") =>
      scores(
        parameters,
        texts.map((t) => row(t.prompt, t[side], T, EOS)),
      );
    const curve = (label: string, kind: Curve["kind"], row: Row): Curve => {
      const values = logps(row, "chosen");
      const points = texts.map(({ prompt }, i) => ({ x: prompt.length, y: values[i] })).sort((a, b) => a.x - b.x);
      const lengths = [...new Set(points.map(({ x }) => x))];
      const mean = (ys: number[]) => ys.reduce((a, b) => a + b) / ys.length;
      return {
        label,
        kind,
        points: lengths.map((x) => ({ x, y: mean(points.filter((p) => p.x === x).map((p) => p.y)) })),
      };
    };
    const curves = [curve("answers only", "correct", marco.answerRow), curve("with prompts", "broken", rowWithPrompt)];
    const difference = (row: Row) => logps(row, "rejected").map((x, i) => logps(row, "chosen")[i] - x);
    const [right, wrong] = [difference(marco.answerRow), difference(rowWithPrompt)];
    tf.dispose(parameters);
    return {
      title: "logps/chosen by the length of the prompt",
      y: "nats, answers of five tokens",
      x: "tokens of the prompt",
      curves,
      shows:
        "The reported log-probability falls with the prompt. The differences of the pairs, which DPO trains on, are equal.",
      holds: last(curves[1]) < last(curves[0]) - 30 && right.every((x, i) => Math.abs(x - wrong[i]) < 1e-3),
    };
  },
});

export const PREFERENCE_BUGS: Bug[] = [lengthNormalised, referenceMoves, ties, logOfSigmoid, ipo, promptInLogps];
