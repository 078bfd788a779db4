/** @file The mixture that people plan with their own files: tokens on disk, the plan, and going on from any token. */
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { megatronBlend } from "../../../src/data/mix/megatronBlend.ts";
import { type MixturePlan, planMixture } from "../../../src/data/mix/plan.ts";
import { type MixtureState, makeMixtureReader } from "../../../src/data/mix/reader.ts";
import { parseMixtureRecipe } from "../../../src/data/mix/recipe.ts";
import { makeTokenFileWriter, openTokenFile, type TokenFile } from "../../../src/data/mix/tokenFile.ts";
import { tokenizeStream } from "../../../src/data/mix/tokenize.ts";
import { makeTokenStream } from "../../../src/data/mix/tokenStream.ts";
import { TABLE_2 } from "../../../src/data/mixture.ts";
import { loadTokenizer } from "../../../src/tokenizer/tokenizerFiles.ts";
import { UserError } from "../../../src/util/assert.ts";

const folder = mkdtempSync(join(tmpdir(), "mix-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

function write(name: string, documents: readonly number[][], vocabSize: number) {
  const writer = makeTokenFileWriter(at(name), vocabSize);
  for (const ids of documents) writer.add(ids);
  writer.close();
}
const bytes = (name: string) => readFileSync(`${at(name)}_text_document.bin`);
const index = (name: string) => readFileSync(`${at(name)}_text_document.idx`);

/** A stream in memory whose tokens say where they are: document i of the file is i, i, i ... */
const numbered = (lengths: readonly number[]): TokenFile => {
  const all = lengths.flatMap((length, document) => new Array<number>(length).fill(document));
  const read = (from: number, to: number) => Int32Array.from(all.slice(from, to));
  return { lengths: Int32Array.from(lengths), tokens: all.length, read, close: () => {} };
};

describe("token files", () => {
  test("are Megatron-LM's, byte for byte (vectors/golden.json, megatron_idx)", () => {
    write(
      "golden",
      [
        [1, 2, 3],
        [4, 151643],
      ],
      151_936,
    );
    expect(bytes("golden").toString("hex")).toBe("010000000200000003000000040000005b500200");
    expect(index("golden").toString("hex")).toBe(
      "4d4d4944494458000001000000000000000402000000000000000300000000000000030000000200000000000000000000000c00000000000000000000000000000001000000000000000200000000000000",
    );
  });

  test("row 40: ids of a vocabulary of 65,500 or more take four bytes, and an id that it does not have is refused", () => {
    write("small", [[65_498]], 65_499);
    write("large", [[65_499, 70_000]], 151_936);
    expect(bytes("small")).toHaveLength(2);
    expect(bytes("large")).toHaveLength(8);
    expect([...openTokenFile(at("large")).read(0, 2)]).toEqual([65_499, 70_000]);
    const writer = makeTokenFileWriter(at("refused"), 65_499);
    for (const id of [65_499, 2 ** 16, 2 ** 32, -1, 0.5, Number.NaN])
      expect(() => writer.add([id]), String(id)).toThrow(RangeError);
    writer.stop();
  });

  test("what is written is read again, in any parts", () => {
    const document = fc.array(fc.nat(99), { maxLength: 9 });
    fc.assert(
      fc.property(fc.array(document, { maxLength: 9 }), fc.nat(), fc.nat(), (documents, a, b) => {
        write("any", documents, 100);
        const file = openTokenFile(at("any"));
        const all = documents.flat();
        const [from, to] = [a % (all.length + 1), b % (all.length + 1)].sort((x, y) => x - y);
        expect([...file.lengths]).toEqual(documents.map(({ length }) => length));
        expect([...file.read(from, to)]).toEqual(all.slice(from, to));
        file.close();
      }),
      { numRuns: 50 },
    );
  });

  test("row 39: a writer that was killed goes on after the last whole document, wherever its files were cut", () => {
    const documents = [[1, 2, 3], [4], [5, 6], [7, 8, 9, 10]];
    write("whole", documents, 100);
    for (let cutIds = 0; cutIds <= 20; cutIds++)
      for (let cutLengths = 0; cutLengths <= 16; cutLengths += 3) {
        const first = makeTokenFileWriter(at("killed"), 100);
        for (const ids of documents) first.add(ids);
        first.stop();
        truncateSync(`${at("killed")}_text_document.bin.partial`, cutIds);
        truncateSync(`${at("killed")}.lengths.partial`, cutLengths);
        const second = makeTokenFileWriter(at("killed"), 100, true);
        for (const ids of documents.slice(second.resumed)) second.add(ids);
        second.close();
        expect(bytes("killed").equals(bytes("whole")), `${cutIds} ${cutLengths}`).toBe(true);
        expect(index("killed").equals(index("whole"))).toBe(true);
      }
  });

  test.each<[string, (prefix: string) => void, RegExp]>([
    ["a missing index", (prefix) => rmSync(`${prefix}_text_document.idx`), /cannot be read \(ENOENT\)/],
    ["a cut index", (prefix) => truncateSync(`${prefix}_text_document.idx`, 50), /has 50 bytes, expected 62/],
    [
      "cut ids",
      (prefix) => truncateSync(`${prefix}_text_document.bin`, 2),
      /counts 2 tokens, but the .bin has 2 bytes/,
    ],
    [
      "another file",
      (prefix) => writeFileSync(`${prefix}_text_document.idx`, "x".repeat(99)),
      /does not begin as an index/,
    ],
  ])("%s is refused in one line", (name, damage, message) => {
    write("bad", [[1, 2]], 100);
    damage(at("bad"));
    expect(() => openTokenFile(at("bad")), name).toThrow(message);
    expect(() => openTokenFile(at("bad"))).toThrow(UserError);
  });
});

describe("a stream", () => {
  test("holds every document once in a pass, whole and in one piece, in an order of the seed and the pass", () => {
    const stream = makeTokenStream(numbered([3, 0, 1, 5, 2]), 7, "en");
    const passes = [0, 1, 2].map((pass) => [...stream.read(11 * pass, 11)]);
    for (const pass of passes) {
      expect([...pass].sort()).toEqual([0, 0, 0, 2, 3, 3, 3, 3, 3, 4, 4]);
      expect(pass.filter((document, i) => document !== pass[i - 1])).toHaveLength(4);
    }
    expect(new Set(passes.map(String)).size).toBeGreaterThan(1);
    expect([...makeTokenStream(numbered([3, 0, 1, 5, 2]), 7, "en").read(0, 11)]).toEqual(passes[0]);
  });

  test("is the same in any parts", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 6 }),
        fc.nat(40),
        fc.nat(40),
        (lengths, cursor, length) => {
          const stream = makeTokenStream(numbered(lengths), 1, "x");
          const all = stream.read(0, 100);
          expect([...stream.read(cursor, length)]).toEqual([...all.slice(cursor, cursor + length)]);
        },
      ),
    );
  });
});

const recipe = (value: object = {}) =>
  parseMixtureRecipe({
    sequenceLength: 10,
    sources: { english: { en: ["en.jsonl"] }, other: { de: ["de.jsonl"], fr: ["fr.jsonl"] } },
    stages: [
      { name: "one", tokens: 100, shares: { english: 60, other: 40 } },
      { name: "two", tokens: 50, shares: { english: 20, other: 80 } },
    ],
    ...value,
  });
const data = (tokens: Record<string, number>) =>
  Object.fromEntries(Object.entries(tokens).map(([name, n]) => [name, { tokens: n, sha256: `of ${name}` }]));
const enough = data({ en: 1000, de: 1000, fr: 1000 });

describe("a plan", () => {
  test("counts in tokens: shares first, then equal parts inside a source", () => {
    const { use, stages } = planMixture(recipe(), enough);
    expect(stages.map(({ counts }) => counts)).toEqual([
      { en: 6, de: 2, fr: 2 },
      { en: 1, de: 2, fr: 2 },
    ]);
    expect(use.map(({ name, used, epochs }) => [name, used, epochs])).toEqual([
      ["en", 70, 0.07],
      ["de", 40, 0.04],
      ["fr", 40, 0.04],
    ]);
  });

  test("row 36: a stream that is empty or too small is a problem before training, with what it needs and has", () => {
    const { problems } = planMixture(recipe(), data({ en: 70, de: 25, fr: 0 }));
    expect(problems).toEqual([
      "de: the stages take 40 tokens, there are 25: 1.60 epochs, more than maxEpochs 1; take fewer tokens, add text or raise maxEpochs",
      "fr: is empty, and the stages take 40 tokens of it; give it text or no share",
    ]);
    expect(planMixture(recipe({ maxEpochs: 1.6 }), data({ en: 70, de: 25, fr: 40 })).problems).toEqual([]);
  });

  test("row 37: shares that do not sum to 1 or 100 are taken as proportions, with a note", () => {
    const stages = (shares: object) => recipe({ stages: [{ name: "one", tokens: 100, shares }] });
    const { stages: planned, notes } = planMixture(stages({ english: 3, other: 2 }), enough);
    expect(planned[0].counts).toEqual({ en: 6, de: 2, fr: 2 });
    expect(notes).toEqual(["stage one: the shares sum to 5, neither 1 nor 100; they are taken as proportions"]);
    for (const shares of [
      { english: 60, other: 40 },
      { english: 0.6, other: 0.4 },
    ])
      expect(planMixture(stages(shares), enough).notes).toEqual([]);
  });

  test.each<[string, object, RegExp]>([
    ["a negative share", { stages: [{ name: "one", tokens: 9, shares: { english: -1 } }] }, /share of english is -1/],
    ["NaN", { stages: [{ name: "one", tokens: 9, shares: { english: Number.NaN } }] }, /stages.0.shares.english/],
    ["all shares 0", { stages: [{ name: "one", tokens: 9, shares: { english: 0 } }] }, /all shares are 0/],
    [
      "an unknown source",
      { stages: [{ name: "one", tokens: 9, shares: { german: 1 } }] },
      /no source is called german; there are english, other/,
    ],
    ["an unknown key", { maxEpoch: 2 }, /maxEpoch/],
    ["a stream twice", { sources: { a: { en: ["x"] }, b: { en: ["y"] } } }, /stream en is in a and in b/],
    [
      "two stages of one name",
      { stages: [1, 2].map(() => ({ name: "one", tokens: 9, shares: { english: 1 } })) },
      /two stages are called one/,
    ],
    ["a name that is a path (row 43)", { sources: { a: { "../en": ["x"] } } }, /a stream's name is letters/],
  ])("row 37: %s is an error in one line", (_, value, message) => {
    expect(() => recipe(value)).toThrow(message);
    expect(() => recipe(value)).toThrow(UserError);
  });
});

describe("reading a plan", () => {
  const streams = Object.fromEntries(
    ["en", "de", "fr"].map((name) => [name, makeTokenStream(numbered([30, 7, 50, 13]), 1, name)]),
  );
  const readAll = (plan: MixturePlan, from?: MixtureState) => {
    const reader = makeMixtureReader(plan, streams, { state: from });
    const sequences = [];
    for (let next = reader.next(); next; next = reader.next()) sequences.push(next);
    return { sequences, state: reader.state() };
  };
  const plan = planMixture(recipe(), enough);

  test("gives every token of a stream once, in order, across the stages", () => {
    const { sequences } = readAll(plan);
    expect(sequences.map(({ stage }) => stage).filter((stage, i, all) => stage !== all[i - 1])).toEqual(["one", "two"]);
    for (const name of ["en", "de", "fr"]) {
      const own = sequences.filter(({ stream }) => stream === name);
      expect(own.map(({ cursor }) => cursor)).toEqual(own.map((_, i) => 10 * i));
      expect(own.flatMap(({ tokens }) => [...tokens])).toEqual([...streams[name].read(0, 10 * own.length)]);
    }
  });

  test("stopped anywhere and gone on from the saved state, in another process, is the same to the last token", () => {
    const whole = readAll(plan);
    for (let stop = 0; stop <= whole.sequences.length; stop++) {
      const reader = makeMixtureReader(plan, streams);
      const first = Array.from({ length: stop }, () => reader.next()!);
      const rest = readAll(plan, JSON.parse(JSON.stringify(reader.state())));
      expect([...first, ...rest.sequences]).toEqual(whole.sequences);
      expect(rest.state.chain).toBe(whole.state.chain);
    }
  });

  test("row 38: a state of other data, another seed or other shares is refused", () => {
    const reader = makeMixtureReader(plan, streams);
    reader.next();
    const edited = { ...enough, de: { tokens: 1000, sha256: "edited, of the same length" } };
    for (const other of [planMixture(recipe(), edited), planMixture(recipe({ seed: 2 }), enough)])
      expect(() => makeMixtureReader(other, streams, { state: reader.state() })).toThrow(
        /are not those that the state/,
      );
  });

  test("a change of shares that is allowed goes on in every stream where it stopped: nothing twice, nothing left out", () => {
    const reader = makeMixtureReader(plan, streams);
    const before = Array.from({ length: 12 }, () => reader.next()!); // two sequences of stage two
    const stages = [recipe().stages[0], { name: "two", tokens: 80, shares: { english: 90, other: 10 } }];
    const other = makeMixtureReader(planMixture(recipe({ stages }), enough), streams, {
      state: reader.state(),
      changed: true,
    });
    const after = [];
    for (let next = other.next(); next; next = other.next()) after.push(next);
    expect(after).toHaveLength(6);
    for (const name of ["en", "de", "fr"]) {
      const own = [...before, ...after].filter(({ stream }) => stream === name);
      expect(own.map(({ cursor }) => cursor)).toEqual(own.map((_, i) => 10 * i));
    }
  });
});

describe("Megatron-LM's blending (vectors/golden.json, megatron_blend)", () => {
  const stage1 = Object.values(TABLE_2.stage1).map((share) => share / 100);

  test("of Stage I: the first 1000 draws by their hash", () => {
    const blend = megatronBlend(stage1, 1000);
    expect([...blend.slice(0, 12)]).toEqual([0, 2, 1, 3, 0, 2, 4, 5, 0, 2, 1, 0]);
    expect(createHash("sha256").update(blend).digest("hex")).toBe(
      "b54655750538975b668b939a842c213d0bec7e7d3f4bc620446dfdb30951346c",
    );
  });

  test("of ties: rounding draws otherwise than exact arithmetic", () => {
    const rounded = [1, 2, 0, 1, 3, 1, 2, 1, 2, 1, 1, 2, 0, 1, 3, 1, 2, 1, 2, 1];
    expect([...megatronBlend([0.1, 0.5, 0.3, 0.1], 20)]).toEqual(rounded);
  });

  test("differs from ours in 102 of Stage I's first 10,000 draws, with equal sums", () => {
    const sources = Object.fromEntries(Object.keys(TABLE_2.stage1).map((name) => [name, { [name]: ["x"] }]));
    const stages = [{ name: "one", tokens: 10_000, shares: TABLE_2.stage1 }];
    const exact = planMixture(recipe({ sequenceLength: 1, sources, stages }), {}).stages[0].order;
    const rounded = megatronBlend(stage1, 10_000);
    expect(exact.filter((stream, i) => stream !== rounded[i])).toHaveLength(102);
    for (const [i, share] of stage1.entries())
      expect(exact.filter((stream) => stream === i)).toHaveLength(Math.round(10_000 * share));
  });
});

describe("tokenising a stream", () => {
  const tokenizer = loadTokenizer("test/fixtures/tokenizer/small");
  afterAll(() => tokenizer.free());
  beforeAll(() => {
    const rows = ["A text.", "", 7, "Another text, <|endoftext|> as text."].map((text) => JSON.stringify({ text }));
    writeFileSync(at("some.jsonl"), [...rows.slice(0, 3), "{", rows[3]].join("\n"));
  });
  const tokenize = (prefix: string, signal?: AbortSignal) =>
    tokenizeStream({ files: [at("some.jsonl")], prefix: at(prefix), tokenizer, signal });

  test("counts what came in: documents, empty ones, unreadable ones", async () => {
    const counts = await tokenize("stream");
    expect(counts).toMatchObject({ in: 5, documents: 2, empty: 1, quarantined: 2 });
    expect(counts.problems).toEqual([`${at("some.jsonl")}: row 2: no "text"`, `${at("some.jsonl")}: row 3: not JSON`]);
    const file = openTokenFile(at("stream"));
    expect(counts.tokens).toBe(file.tokens);
    file.close();
  });

  test("row 28: the name of a control token in a text is text; only the end of a document is the token", async () => {
    await tokenize("stream");
    const file = openTokenFile(at("stream"));
    const { endOfText } = tokenizer.special;
    const ids = [...file.read(0, file.tokens)];
    file.close();
    expect(ids.filter((id) => id === endOfText)).toHaveLength(2);
    expect(tokenizer.decode(ids.slice(file.lengths[0], -1))).toBe("Another text, <|endoftext|> as text.");
  });

  test("stopped and gone on, it makes the same bytes and counts", async () => {
    const texts = Array.from({ length: 300 }, (_, i) => JSON.stringify({ text: `Text number ${i}.` }));
    writeFileSync(at("many.jsonl"), texts.join("\n"));
    const tokenize = (prefix: string, stopAfter = Number.POSITIVE_INFINITY) => {
      const controller = new AbortController();
      const onProgress = (documents: number) => documents >= stopAfter && controller.abort();
      return tokenizeStream({
        ...{ files: [at("many.jsonl")], prefix: at(prefix), tokenizer, onProgress },
        signal: controller.signal,
      });
    };
    const whole = await tokenize("uninterrupted");
    for (const stopAfter of [64, 192])
      await expect(tokenize("interrupted", stopAfter)).rejects.toThrow("goes on from here");
    expect(await tokenize("interrupted")).toEqual(whole);
    expect(bytes("interrupted").equals(bytes("uninterrupted"))).toBe(true);
    expect(index("interrupted").equals(index("uninterrupted"))).toBe(true);
  });

  test("is not done again, unless a file changed", async () => {
    const before = await tokenize("again");
    truncateSync(`${at("again")}_text_document.bin`, 0); // who looks, sees it
    expect(await tokenize("again")).toEqual(before);
    writeFileSync(at("some.jsonl"), `${JSON.stringify({ text: "A new text." })}\n`);
    expect(await tokenize("again")).toMatchObject({ in: 1, documents: 1 });
    expect(existsSync(`${at("again")}.lengths.partial`)).toBe(false);
  });
});
