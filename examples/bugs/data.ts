/** @file What is read when: resuming, epochs, and test items in the training text. */

import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import type { PackedRow } from "marco-mini";
import * as marco from "marco-mini";
import { type Bug, type Curve, defineBug } from "./bug.ts";
import { experiment, heldOutCurve, inOrder, last, meter, randomOf, ruleRows, TINY, words } from "./tiny.ts";

const file = "examples/bugs/data.ts";

// ------------------------------------------------------------------------------------------------ resume

type Place = typeof marco.placeSequences<"a" | "b">;
const fromTheStart: Place = (order, T, _cursors) =>
  // bug: resume-restarts-data
  marco.placeSequences(order, T);
// end

const resumeRestarts = defineBug<Place, { order: ("a" | "b")[]; stop: number }>({
  id: "resume-restarts-data",
  title: "A resumed run reads the data from the beginning",
  issue: {
    project: "paiml/entrenar",
    url: "https://github.com/paiml/entrenar/issues/294",
    said: "The loader restarted at shard 1: perplexity improved on text seen twice, then collapsed from 251 to 782 on new text; 40 % of the run was wasted.",
  },
  lesson:
    "Weights and moments are in the checkpoint, the position in the data is not. After each restart the first rows are read again, the training loss looks " +
    "excellent, and the rest of the corpus is never seen. Save the cursors; test that stopping and going on reads what one run reads.",
  claim: "A run that stops after any sequence and goes on reads the same places as a run that does not stop.",
  correct: marco.placeSequences,
  broken: fromTheStart,
  right: { file: "src/data/pack.ts", from: "const cursor = next[stream] ?? 0;", lines: 2 },
  file,
  inputs: fc
    .array(fc.constantFrom("a" as const, "b" as const), { minLength: 1, maxLength: 5 })
    .chain((order) => fc.record({ order: fc.constant(order), stop: fc.integer({ min: 0, max: order.length }) })),
  check(place, { order, stop }) {
    const show = (places: marco.SequencePlace<string>[]) =>
      places.map(({ stream, cursor }) => `${stream}${cursor}`).join(" ");
    const whole = show(place(order, 1).places);
    const before = place(order.slice(0, stop), 1);
    const resumed = show([...before.places, ...place(order.slice(stop), 1, before.cursors).places]);
    if (resumed !== whole) throw new Error(`stopped after ${stop}, it reads ${resumed}; expected ${whole}`);
  },
  async picture() {
    const rows = ruleRows("resume", 400, 8);
    const test = ruleRows("resume test", 30, 8);
    const [legs, perLeg] = [16, 10]; // a run that is killed every ten steps
    const run = (label: string, kind: Curve["kind"], place: Place) => {
      const read: number[] = [];
      let cursors: Partial<Record<"a" | "b", number>> = {};
      for (let leg = 0; leg < legs; leg++) {
        const placed = place(
          Array.from({ length: perLeg * 2 }, () => "a" as const),
          1,
          cursors,
        );
        cursors = placed.cursors;
        read.push(...placed.places.map(({ cursor }) => cursor));
      }
      const batchAt = (step: number) =>
        marco.batchOf(
          inOrder(
            read.map((i) => rows[i]),
            2,
          )(step),
        );
      return heldOutCurve(label, kind, test, { lossFunction: marco.pretrainLoss(TINY), steps: legs * perLeg, batchAt });
    };
    const curves = [
      await run("goes on", "correct", marco.placeSequences),
      await run("from the start", "broken", fromTheStart),
    ];
    return {
      title: "Held-out loss of a run that is killed every ten steps",
      y: "nats per token",
      x: "step",
      curves,
      shows: "The broken run reads the first sixteenth of the text sixteen times; what it has not seen it cannot know.",
      holds: last(curves[1]) > 1.15 * last(curves[0]),
    };
  },
});

// ------------------------------------------------------------------------------------------------ epochs

type Epochs = typeof marco.shuffledEpochs;
const sameOrder: Epochs = (items, epochs, seed, label) => {
  // bug: same-order-every-epoch
  const order = marco.makeRandom(seed, label).shuffle(items);
  return Array.from({ length: epochs }, () => order).flat();
  // end
};

const sameEpochs = defineBug<Epochs, number>({
  id: "same-order-every-epoch",
  title: "Every epoch repeats the first one's order",
  issue: {
    project: "hiyouga/LLaMA-Factory",
    url: "https://github.com/hiyouga/LLaMA-Factory/issues/10672",
    said: "The seed of the interleaving is fixed, so every epoch repeats the same order.",
  },
  lesson:
    "The generator is seeded anew at each epoch, for reproducibility. Then the same examples share a batch every time and the last batches are always the " +
    "last. Derive each epoch's order from the seed and the epoch's number: reproducible, and different.",
  claim: "Two epochs over twelve examples are two orders (equal by chance once in 479 million).",
  correct: marco.shuffledEpochs,
  broken: sameOrder,
  right: {
    file: "src/data/pack.ts",
    from: "return Array.from({ length: epochs }, (_, epoch) => makeRandom(seed, label",
  },
  file,
  inputs: fc.nat({ max: 1000 }),
  check(epochs, seed) {
    const all = epochs(
      Array.from({ length: 12 }, (_, i) => i),
      2,
      seed,
      "sft",
    );
    const [first, second] = [all.slice(0, 12).join(" "), all.slice(12).join(" ")];
    if (first === second) throw new Error(`with seed ${seed} both epochs read ${first}`);
  },
  async picture() {
    const [n, size, epochs] = [64, 4, 10];
    const curve = (label: string, kind: Curve["kind"], make: Epochs): Curve => {
      const all = make(
        Array.from({ length: n }, (_, i) => i),
        epochs,
        1,
        "batches",
      );
      const seen = new Set<string>();
      const points = [];
      for (let i = 0; i < all.length; i += size) {
        seen.add(
          all
            .slice(i, i + size)
            .sort((a, b) => a - b)
            .join(" "),
        );
        points.push({ x: i / size + 1, y: seen.size });
      }
      return { label, kind, points };
    };
    const curves = [
      curve("an order an epoch", "correct", marco.shuffledEpochs),
      curve("one order", "broken", sameOrder),
    ];
    return {
      title: "Different batches seen",
      y: "64 examples in batches of 4, ten epochs",
      x: "step",
      curves,
      shows: "After the first epoch the broken run never sees a new batch.",
      holds: last(curves[1]) === n / size && last(curves[0]) > 9 * (n / size),
    };
  },
});

// ------------------------------------------------------------------------------------------------ contamination

/** The training documents that are kept. */
type Decontaminate = (documents: readonly string[], tests: readonly string[]) => string[];
const byNgrams: Decontaminate = (documents, tests) => {
  const decontaminator = marco.makeDecontaminator(marco.THIRTEEN_WORDS);
  for (const label of tests) decontaminator.add({ task: "test", language: "en", label });
  return documents.filter((text) => !decontaminator.check(text, "en"));
};
const byEquality: Decontaminate = (documents, tests) =>
  // bug: contaminated-evaluation
  documents.filter((text) => !tests.includes(text));
// end

/** A test item of thirteen words. */
const ITEM = "the ferry to the northern islands leaves every tuesday morning at half past seven";
const filler = fc.array(fc.constantFrom("news", "today", "weather"), { maxLength: 3 });

const contaminated = defineBug<Decontaminate, { before: string[]; after: string[] }>({
  id: "contaminated-evaluation",
  title: "Test items stand inside training documents",
  issue: {
    project: "jingyaogong/minimind",
    url: "https://github.com/jingyaogong/minimind#readme",
    said: "A candid note of its README: a model near chance reached about 97 % on a subset after fine-tuning on contaminated data.",
  },
  lesson:
    "Decontamination compared whole documents, and test items stand in the middle of longer pages, in lists, in dumps of forums. The score then measures memory. " +
    "Compare n-grams of 13 words, on simplified text, before training; and mistrust a jump on one benchmark only.",
  claim: "A document that contains a test item of thirteen words is dropped, whatever stands before and after it.",
  correct: byNgrams,
  broken: byEquality,
  right: { file: "src/data/dedup/decontaminate.ts", from: "for (let i = 0; i < shingler.count; i++) {", lines: 4 },
  file,
  inputs: fc.record({ before: filler, after: filler }),
  check(decontaminate, { before, after }) {
    const text = [...before, ITEM, ...after].join(" ");
    if (decontaminate([text], [ITEM]).length > 0) throw new Error(`kept: "${text}"`);
  },
  async picture() {
    // words of the tiny model as text, so that the product's filter reads what the model is trained on
    const random = randomOf("contamination");
    const text = (ids: readonly number[]) => ids.map((id) => `w${String.fromCharCode(97 + id)}`).join(" ");
    const tests = Array.from({ length: 8 }, () => words(random, 14)); // no rule: knowing one is memory
    const clean = Array.from({ length: 56 }, () => words(random, 16));
    const documents = [...clean, ...tests.map((test) => [...words(random, 1), ...test, ...words(random, 1)])];
    const keep = (decontaminate: Decontaminate) => {
      const kept = new Set(decontaminate(documents.map(text), tests.map(text)));
      return documents.filter((ids) => kept.has(text(ids)));
    };
    const row = (ids: number[]): PackedRow => marco.pretrainingRow(Int32Array.from(ids), 0, ids.length);
    const model = { ...TINY, hiddenSize: 32, intermediateSize: 64 };
    const run = async (label: string, kind: Curve["kind"], decontaminate: Decontaminate): Promise<Curve> => {
      const rows = marco.shuffledEpochs(keep(decontaminate).map(row), 20, 1, "contamination");
      const score = meter(tests.map(row), marco.pretrainLoss(model));
      const points: Curve["points"] = [];
      tf.dispose(
        await experiment({
          lossFunction: marco.pretrainLoss(model),
          parameters: marco.initParameters(model, 1),
          steps: 120,
          rate: 0.02,
          batchAt: (step) => marco.batchOf(inOrder(rows, 8)(step)),
          onStep: (step, parameters) => {
            if (step % 5 === 0 || step === 119) points.push({ x: step + 1, y: score.read(parameters) });
          },
        }),
      );
      score.dispose();
      return { label, kind, points };
    };
    const curves = [await run("13-grams", "correct", byNgrams), await run("whole documents", "broken", byEquality)];
    return {
      title: "Loss on the test items, which have no rule",
      y: "nats per token; guessing is ln 28 = 3.33",
      x: "step",
      curves,
      shows: "Nothing can be learned about random words. What the broken run's test shows is memory.",
      holds: last(curves[1]) < 2.8 && last(curves[0]) > Math.log(28),
    };
  },
});

export const DATA_BUGS: Bug[] = [resumeRestarts, sameEpochs, contaminated];
