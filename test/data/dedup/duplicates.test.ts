import { mkdtempSync, readdirSync, readFileSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { jaccard, makeDuplicateFinder } from "../../../src/data/dedup/duplicates.ts";
import { eachCandidate, MOST_COMPARED, makeClusters } from "../../../src/data/dedup/lsh.ts";
import { DATATROVE } from "../../../src/data/dedup/minHash.ts";
import { makeShingler } from "../../../src/data/dedup/shingles.ts";
import { findInFiles, writeSignatures } from "../../../src/data/dedup/signatureFiles.ts";
import { english, golden, sha256 } from "./fixtures.ts";

/** The two lists of make.py: change both or none. */
const first = english.slice(0, 60);
const second = first.map((text, i) => {
  const words = text.split(" ");
  if (i % 3 === 0) return text.toUpperCase(); // the same after simplification
  if (i % 3 === 1) return words.map((word, j) => (j % 40 === 20 ? "changed" : word)).join(" "); // near
  return words.map((word, j) => (j % 5 === 2 ? "other" : word)).join(" "); // no shingle is left
});

function duplicatesOf(texts: readonly (readonly [string, string])[], config = DATATROVE) {
  const finder = makeDuplicateFinder(config);
  for (const [text, language] of texts) finder.add(text, language);
  return finder.find();
}
const inEnglish = (texts: readonly string[]) => texts.map((text) => [text, "en"] as const);
const TEXT = english[0];

describe("duplicates", () => {
  test("are datatrove's clusters, with the first document as survivor", () => {
    const duplicates = duplicatesOf(inEnglish([...first, ...second]));
    const clusters = new Map<number, number[]>();
    for (const { document, of, how } of duplicates)
      if (how === "minHash") clusters.set(of, [...(clusters.get(of) ?? [of]), document]);
    const named = [...clusters.values()].map((cluster) => cluster.map((i) => [Math.floor(i / 60), i % 60]));
    expect(named.sort((a, b) => a[0][0] - b[0][0] || a[0][1] - b[0][1])).toEqual(golden.clusters);
    for (let i = 0; i < 60; i += 3)
      expect(duplicates).toContainEqual({ document: 60 + i, of: expect.any(Number), similarity: 1, how: "minHash" });
  });

  test.each(["xxh64", "sha1-64", "sha1-32"] as const)(
    "by %s among windows of a text are the six clusters of datatrove's own test",
    (hash) => {
      // tests/pipeline/dedup/test_minhash.py (Apache-2.0): offsets and text, of which 2,400 characters are needed
      const clusters = [[0, 20, 50], [400, 420], [800, 810, 820, 840, 860], [1205, 1215, 1225, 1245], [1600], [2000]];
      const text = readFileSync("test/fixtures/data/dedup/lorem.txt", "utf8");
      const windows = clusters.flat().map((at) => text.slice(at, at + 400));
      const found = duplicatesOf(inEnglish(windows), { ...DATATROVE, hash }).map(({ document, of }) => [document, of]);
      const starts = clusters.map((_, i) => clusters.slice(0, i).flat().length);
      const expected = clusters.flatMap((cluster, i) => cluster.slice(1).map((_, j) => [starts[i] + j + 1, starts[i]]));
      expect(found).toEqual(expected);
    },
  );

  test("stay within a language", () => {
    expect(
      duplicatesOf([
        [TEXT, "en"],
        [TEXT, "de"],
        [TEXT, "en"],
      ]),
    ).toEqual([{ document: 2, of: 0, similarity: 1, how: "minHash" }]);
  });

  test("of one to four words, or of symbols, are found by their words; others of these are none (row 17)", () => {
    const texts = ["", "Yes.", "No", "yes!", "?!", "?!", "!!", "one two three four", "One, two: three four?", "1 2"];
    expect(duplicatesOf(inEnglish(texts)).map(({ document, of, how }) => [document, of, how])).toEqual([
      [3, 1, "exact"],
      [5, 4, "exact"],
      [8, 7, "exact"],
    ]);
  });

  test("of one document a hundred times all point to the first (row 19)", () => {
    const texts = ["other words that are not in it at all", ...Array<string>(100).fill(TEXT)];
    const found = duplicatesOf(inEnglish(texts));
    expect(found).toHaveLength(99);
    expect(found.every(({ of, similarity }) => of === 1 && similarity === 1)).toBe(true);
  });

  test("count only if verified, where a verification is given", () => {
    const finder = makeDuplicateFinder(DATATROVE);
    for (const text of [first[1], second[1], first[1]]) finder.add(text, "en");
    const asked: [number, number][] = [];
    const found = finder.find((a, b) => {
      asked.push([a, b]);
      return a === 0 && b === 2;
    });
    expect(found.map(({ document, of }) => [document, of])).toEqual([[2, 0]]);
    expect(asked).toContainEqual([0, 1]);
  });

  test("do not depend on how the documents lie in memory: more documents than the first room", () => {
    const texts = Array.from({ length: 200 }, (_, i) =>
      `${TEXT.slice(0, 400)} ${"abcdefghij"[i % 10]} ${i} x`.repeat(2),
    );
    const found = duplicatesOf(inEnglish([...english.slice(20, 30), ...texts]));
    expect(found.every(({ of }) => of === 10)).toBe(true);
    expect(found).toHaveLength(199);
  });
});

test("Jaccard similarity is that of the sets", () => {
  expect(jaccard(Uint32Array.of(1, 0, 2, 0, 2, 0), Uint32Array.of(2, 0, 3, 0))).toBeCloseTo(1 / 3);
  expect(jaccard(Uint32Array.of(1, 2), Uint32Array.of(1, 3))).toBe(0);
  expect(jaccard(new Uint32Array(0), new Uint32Array(0))).toBe(0);
  const shingler = makeShingler(2, "xxh64");
  const hashes = ["a b c", "b c d"].map((text) => {
    shingler.read(text, "en");
    return shingler.hashes().slice();
  });
  expect(jaccard(hashes[0], hashes[1])).toBeCloseTo(1 / 3);
});

describe("candidates", () => {
  test("of ten thousand equal records are as many comparisons (row 20), verified or not", () => {
    const data = new Uint32Array(20000).fill(7);
    const band = { data, offset: 0, stride: 2, words: 2, count: 10000 };
    for (const same of [true, false]) {
      let asked = 0;
      eachCandidate(band, () => {
        asked++;
        return same;
      });
      expect(asked).toBeLessThan(same ? 10000 : MOST_COMPARED * 10000);
    }
  });

  test("join exactly the records with equal values", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3), fc.nat(2)), { maxLength: 60 }), (rows) => {
        const clusters = makeClusters(rows.length);
        const data = Uint32Array.from(rows.flatMap(([a, b]) => [99, a, b]));
        eachCandidate({ data, offset: 1, stride: 3, words: 2, count: rows.length }, (a, b) => {
          clusters.join(a, b);
          return true;
        });
        const keys = rows.map(String);
        expect(rows.map((_, i) => clusters.find(i))).toEqual(keys.map((key) => keys.indexOf(key)));
      }),
    );
  });
});

describe("signature files", () => {
  const folder = mkdtempSync(join(tmpdir(), "signatures-"));
  const write = (rank: number, texts: string[], to = folder) => {
    const writer = writeSignatures(to, rank, DATATROVE);
    const keys = texts.map((text) => writer.add(text, "en"));
    writer.close();
    return keys;
  };

  test("are byte for byte what datatrove writes, and give the duplicates that memory gives", () => {
    write(1, second); // the order of writing does not matter
    write(0, first);
    const files = (readdirSync(folder, { recursive: true }) as string[]).filter((name) => name.endsWith(".sig"));
    const digests = files.map((name) => [
      relative(".", name).split(sep).join("/"),
      sha256(readFileSync(join(folder, name))),
    ]);
    expect(Object.fromEntries(digests)).toEqual(golden.signatureFiles);

    const fromMemory = duplicatesOf(inEnglish([...first, ...second])).filter(({ how }) => how === "minHash");
    const place = ({ rank, document }: { rank: number; document: number }) => 60 * rank + document;
    const fromFiles = findInFiles(folder, DATATROVE).map(({ document, of, similarity }) => ({
      document: place(document),
      of: place(of),
      similarity,
      how: "minHash",
    }));
    expect(fromFiles).toEqual(fromMemory);
    expect(fromFiles.length).toBeGreaterThan(30);
  });

  test("leave out short texts, whose key is given back, and keep the others' numbers", () => {
    const other = mkdtempSync(join(tmpdir(), "signatures-"));
    const keys = write(3, ["Too short.", TEXT, TEXT], other);
    expect(keys).toEqual([expect.any(String), undefined, undefined]);
    expect(write(4, ["too SHORT", "to short"], other).map((key) => key === keys[0])).toEqual([true, false]);
    expect(findInFiles(other, DATATROVE)).toEqual([
      { document: { rank: 3, document: 2 }, of: { rank: 3, document: 1 }, similarity: 1 },
    ]);
    expect(readdirSync(join(other, "bucket_000"))).toEqual(["00003.minhash.sig", "00004.minhash.sig"]); // nothing partial is left
  });

  test("that were cut off are refused, at a record or inside one (row 39)", () => {
    const path = join(folder, "bucket_002", "00001.minhash.sig");
    truncateSync(path, 680);
    expect(() => findInFiles(folder, DATATROVE)).toThrow(/bucket 2 has \d+,10 records/);
    truncateSync(path, 100);
    expect(() => findInFiles(folder, DATATROVE)).toThrow(/00001.minhash.sig: has 100 bytes, expected a multiple of 68/);
  });
});
