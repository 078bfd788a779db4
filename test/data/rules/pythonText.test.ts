import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  characterClasses,
  codePoints,
  count,
  isAlpha,
  isDecimal,
  isDigit,
  LINE_END,
  splitLines,
  splitWhite,
  strip,
  stripEnd,
  stripStart,
  WHITE,
} from "../../../src/data/rules/pythonText.ts";

interface Python {
  assigned: [number, number][];
  classes: Record<string, [number, number][]>;
  texts: { text: string; len: number; split: string[] }[];
}
const python: Python = JSON.parse(readFileSync("test/fixtures/data/python.json", "utf8"));
const expand = (ranges: [number, number][]) =>
  ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i));

describe("as Python's str says", () => {
  const assigned: number[] = expand(python.assigned);
  const isSpace = (character: string) =>
    character.length === 1 && (characterClasses()[character.charCodeAt(0)] & WHITE) !== 0;
  test.each([
    ["isspace", isSpace],
    ["isalpha", isAlpha],
    ["isdecimal", isDecimal],
    ["isdigit", isDigit],
  ])("%s of every code point that Python knows", (name, ours) => {
    const theirs = new Set(expand(python.classes[name]));
    const differ = assigned.filter((point) => ours(String.fromCodePoint(point)) !== theirs.has(point));
    expect(differ.map((point) => point.toString(16))).toEqual([]);
    expect(theirs.size).toBeGreaterThan(20);
  });

  test.each(python.texts)("$text", (row) => {
    const { text } = row;
    expect({
      text,
      len: codePoints(text),
      strip: strip(text),
      lstrip: stripStart(text),
      rstrip: stripEnd(text),
      split: splitWhite(text),
      splitlines: splitLines(text),
      isalpha: isAlpha(text),
      isdecimal: isDecimal(text),
      isdigit: isDigit(text),
      dots: count(text, "..."),
      hashes: count(text, "##"),
    }).toEqual(row);
  });
});

test("where JavaScript differs: length, trim, and what ends a line", () => {
  expect(["😀".length, codePoints("😀")]).toEqual([2, 1]);
  expect(["\ufeff".trim(), strip("\ufeff")]).toEqual(["", "\ufeff"]);
  expect(["\x1f\x85".trim(), strip("\x1f\x85")]).toEqual(["\x1f\x85", ""]);
  expect(codePoints("\ud800a\udc00")).toBe(3); // lone halves count, as in Python
});

test("lines and words are what the slow definition says, in any text", () => {
  const unit = fc.constantFrom(..."a😀. \n\r\v\f\x1c\x1e\x85\u2028\u3000\ufeffé");
  const ends = [..."\n\r\v\f\x1c\x1e\x85\u2028"];
  fc.assert(
    fc.property(fc.string({ unit }), (text) => {
      const marked = [...text.replaceAll("\r\n", "\n")].map((c) => (ends.includes(c) ? "\n" : c)).join("");
      const lines = marked.split("\n");
      if (lines.at(-1) === "") lines.pop();
      expect(splitLines(text)).toEqual(lines);
      expect(splitWhite(text)).toEqual(marked.split(/[ \n\u3000]+/).filter(Boolean));
      expect(codePoints(text)).toBe([...text].length);
    }),
  );
});

test("every line end is white space", () => {
  const kind = characterClasses();
  const ends = [...kind.keys()].filter((unit) => kind[unit] & LINE_END);
  expect(ends.length).toBe(10);
  expect(ends.every((unit) => kind[unit] & WHITE)).toBe(true);
});
