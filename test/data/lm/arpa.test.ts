/** @file ARPA files: what KenLM reads from them, and what it refuses. */
import { createReadStream, readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readArpa, writeArpa } from "../../../src/data/lm/arpa.ts";
import { trainKneserNey } from "../../../src/data/lm/kneserNey.ts";
import { type NgramModel, scoreSentence } from "../../../src/data/lm/ngramModel.ts";
import { UserError } from "../../../src/util/assert.ts";

const path = (name: string) => fileURLToPath(new URL(`../../fixtures/data/lm/${name}`, import.meta.url));
const odd = readFileSync(path("odd.arpa"), "utf8");
const golden = JSON.parse(readFileSync(path("golden.json"), "utf8"));

/** The text in pieces of `size` bytes. */
const read = (text: string | Buffer, size = 1 << 16) => {
  const bytes = Buffer.from(text as string);
  const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  );
  return readArpa(Readable.from(pieces), "m.arpa");
};
const write = (model: NgramModel) => [...writeArpa(model)].join("");

describe("a file with everything odd that KenLM reads", () => {
  const { sentences, scores } = golden.odd;

  test.each([1, 7, 65536])("scores as KenLM does, token by token, read in pieces of %s bytes", async (size) => {
    const model = await read(odd, size);
    for (const [i, sentence] of sentences.entries()) {
      const found: [number, number, boolean][] = [];
      scoreSentence(model, sentence.split(" "), (logProb, length, id) => found.push([logProb, length, id === 0]));
      for (const [t, [logProb, , unknown]] of scores[i].entries()) {
        expect(Math.abs(found[t][0] - logProb), `${sentence}, token ${t}`).toBeLessThan(1e-4);
        expect(found[t][2]).toBe(unknown);
      }
      expect(found.length).toBe(scores[i].length);
    }
  });

  test("scores the same after it was written and read again", async () => {
    const model = await readArpa(createReadStream(path("odd.arpa")), "odd.arpa");
    const again = await read(write(model));
    for (const sentence of sentences) {
      const tokens = sentence.split(" ");
      expect(scoreSentence(again, tokens).logProb).toBeCloseTo(scoreSentence(model, tokens).logProb, 5);
    }
  });

  test("may end its lines with CR LF and lack <unk>", async () => {
    const model = await read(odd.replaceAll("\n", "\r\n"));
    expect(scoreSentence(model, ["also", "zzz"])).toEqual(scoreSentence(await read(odd), ["also", "zzz"]));
    const lines = odd.split("\n").filter((line) => !line.includes("<unk>"));
    const counted = lines.join("\n").replace("1=14", "1=13").replace("2=16", "2=14").replace("3=13", "3=11");
    const without = await read(counted);
    const each: number[] = [];
    scoreSentence(without, ["zzz"], (logProb) => each.push(logProb));
    expect(each[0]).toBeCloseTo(-100.41, 4); // KenLM's -100, and the back-off of <s>
  });
});

test("a trained model, written and read, is the same model", async () => {
  const token = fc.constantFrom("a", "b", "c", "é", "17", "的", "<x>", "\u200b", "#");
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(token, { maxLength: 8 }), { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 5 }),
      async (lines, order) => {
        const { discounts, tokens, ...model } = trainKneserNey(lines, { order });
        expect(await read(write(model), 97)).toEqual(model);
      },
    ),
    { numRuns: 50 },
  );
});

describe("is refused in one line with the line's number:", () => {
  const change = (from: string, to: string) => {
    expect(odd).toContain(from);
    return odd.replace(from, to);
  };
  const at = (text: string, part: string) => text.slice(0, text.indexOf(part)).split("\n").length;
  const cases: [string, string | Buffer, number, string][] = [
    ["an empty file", "", 1, "the file ends"],
    ["another file", "hello\n", 1, '"hello"'],
    ["a gzip file", Buffer.from([0x1f, 0x8b, 8, 0, 0xff, 0xfe]), 1, "not UTF-8"],
    ["no counts", "\\data\\\n\n", 2, "no counts"],
    ["counts out of order", change("ngram 2=16", "ngram 3=16"), at(odd, "ngram 2="), '"ngram 2=COUNT"'],
    ["a count that is no number", change("ngram 2=16", "ngram 2=many"), at(odd, "ngram 2="), "ngram 2=many"],
    ["a count too high", change("ngram 1=14", "ngram 1=15"), at(odd, "\\2-grams") - 1, "the section ends"],
    ["a count too low", change("ngram 1=14", "ngram 1=13"), at(odd, "\\2-grams") - 2, "\\2-grams:"],
    ["a count of petabytes", change("ngram 1=14", "ngram 1=999999999999999"), at(odd, "\\2-grams") - 1, "section ends"],
    ["a missing section", change("\\3-grams:", "\\4-grams:"), at(odd, "\\3-grams:"), "\\3-grams:"],
    ["a word too few", change("-6\tfoo bar", "-6\tfoo"), at(odd, "-6\tfoo bar"), "2 words"],
    ["a word too many", change("-6\tfoo bar", "-6\tfoo bar bar bar"), at(odd, "-6\tfoo bar"), "2 words"],
    ["a positive log probability", change("-3.14\tfoo", "3.14\tfoo"), at(odd, "-3.14\tfoo"), "positive"],
    ["no number", change("-3.14\tfoo", "NaN\tfoo"), at(odd, "-3.14\tfoo"), '"NaN"'],
    ["an infinite number", change("-3.14\tfoo", "-1e99\tfoo"), at(odd, "-3.14\tfoo"), "-1e99"],
    ["a back-off that is no number", change("\tbar\t3.0", "\tbar\tx"), at(odd, "\tbar\t3.0"), '"x"'],
    ["a back-off at the highest order", change("er looking\n", "er looking\t-1\n"), at(odd, "-5\talso"), "back-off"],
    ["an unknown word", change("-6\tfoo bar", "-6\tfoo qux"), at(odd, "-6\tfoo bar"), '"qux"'],
    ["a word twice", change("-3.14\tfoo", "-3.14\tbar"), at(odd, "\tbar\t3.0"), "second time"],
    ["an n-gram twice", change("-6\tfoo bar", "-2\talso would\t-6"), at(odd, "-6\tfoo bar"), "second time"],
    ["an n-gram without its context", change("-0.3\tto look", "-0.3\tto also"), at(odd, "to look a"), "context"],
    ["no end", change("\\end\\\n", ""), odd.split("\n").length - 1, "the file ends"],
    ["text after the end", `${odd}more\n`, odd.split("\n").length, "nothing more"],
    ["a line of two million characters", `\\data\\\n${"x".repeat(2e6)}`, 2, "a line of over"],
  ];
  test.each(cases)("%s", async (_, text, line, part) => {
    const error: UserError = await read(text).then(
      () => expect.unreachable("it was read"),
      (thrown) => thrown,
    );
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).toContain(`m.arpa: line ${line}:`);
    expect(error.message.toLowerCase()).toContain(part.toLowerCase());
    expect(error.message).not.toContain("\n");
    expect(error.message.length).toBeLessThan(300);
  });

  test("and a model without </s> by its name", async () => {
    await expect(read("\\data\\\nngram 1=1\n\n\\1-grams:\n-1\t<s>\n\n\\end\\\n")).rejects.toThrow("m.arpa: no </s>");
  });
});

test("whatever is changed in a file, it is read or refused", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(odd.length - 1),
      fc.nat(6),
      fc.constantFrom("", "\n", "\t", " ", "-", "9", "<unk>", "\\", "é"),
      async (from, length, instead) => {
        const text = odd.slice(0, from) + instead + odd.slice(from + length);
        const outcome = await read(text).catch((thrown) => thrown);
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(UserError);
        else expect(Number.isFinite(scoreSentence(outcome, ["also", "would", "zzz"]).logProb)).toBe(true);
      },
    ),
    { numRuns: 400 },
  );
});

test("tokens with white space cannot be written", () => {
  expect(() => write(trainKneserNey([["a b"]]))).toThrow(UserError);
});
