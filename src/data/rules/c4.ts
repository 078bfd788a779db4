/**
 * @file C4's rules (Raffel et al. 2020, arXiv 1910.10683) as datatrove reads them. They change the text: lines that
 * look like menus or notices go, and the document is judged by what stays. The counts say which rule took which lines.
 */
import { type RuleDocument, readDocument } from "./document.ts";
import type { Measure } from "./measure.ts";
import { characterClasses, codePoints, splitLines, strip, TERMINAL, WHITE } from "./pythonText.ts";
import { ONLY_SYMBOLS, splitWords, type Words } from "./words.ts";

export interface C4Limits {
  minSentences: number;
  minWordsPerLine: number;
  maxWordLength: number;
  /** Drop lines that do not end in . ? ! " or '. FineWeb does not. */
  terminalPunctuation: boolean;
}

export const C4: C4Limits = { minSentences: 5, minWordsPerLine: 3, maxWordLength: 1000, terminalPunctuation: true };

export type RemovedLines = Record<"longWord" | "noTerminalPunctuation" | "fewWords" | "javascript" | "policy", number>;

export interface C4Result {
  measures: Measure[];
  /** The lines that stay. */
  text: string;
  removed: RemovedLines;
}

const POLICY = ["terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"];
const CITATION = /\[\p{Nd}*\]|\[edit\]|\[citation needed\]/gu;
const END = /[.?!"']$/;

export function c4(document: RuleDocument, limits: C4Limits = C4): C4Result {
  const removed: RemovedLines = { longWord: 0, noTerminalPunctuation: 0, fewWords: 0, javascript: 0, policy: 0 };
  const kept: string[] = [];
  let loremIpsum = 0;
  let brackets = 0;
  let sentences = 0;
  const lower = document.lower();
  // What the document does not have, no line has.
  const has = { javascript: lower.includes("javascript"), lorem: lower.includes("lorem ipsum"), citation: false };
  has.citation = document.text.includes("[");
  const policies = POLICY.filter((phrase) => lower.includes(phrase));
  let end = 0; // of the line, in the text
  let to = 0; // the first word after the line
  for (const raw of splitLines(document.text)) {
    const stripped = strip(raw);
    const from = to;
    end = document.text.indexOf(raw, end) + raw.length;
    while (to < document.words.count && document.words.start[to] < end) to++;
    const { words, longest } = measureWords(stripped);
    if (longest > limits.maxWordLength) {
      removed.longWord++;
      continue;
    }
    const line = has.citation ? stripped.replace(CITATION, "") : stripped;
    if (limits.terminalPunctuation && (!END.test(line.slice(-1)) || line.endsWith("..."))) {
      removed.noTerminalPunctuation++;
      continue;
    }
    if (words < limits.minWordsPerLine) {
      removed.fewWords++;
      continue;
    }
    const low = has.javascript || has.lorem || policies.length > 0 ? line.toLowerCase() : "";
    if (has.lorem && low.includes("lorem ipsum")) loremIpsum++;
    if (has.javascript && low.includes("javascript")) {
      removed.javascript++;
      continue;
    }
    if (line.includes("{")) brackets++;
    if (policies.some((phrase) => low.includes(phrase))) {
      removed.policy++;
      continue;
    }
    // The words of an unchanged line are those of the document.
    sentences +=
      line === stripped
        ? countSentences(document.text, document.words, from, to)
        : countSentences(line, splitWords(line, document.language));
    kept.push(line);
  }
  return {
    measures: [
      { rule: "c4.loremIpsum", value: loremIpsum, limit: 0, keep: "atMost" },
      { rule: "c4.curlyBrackets", value: brackets, limit: 0, keep: "atMost" },
      { rule: "c4.sentences", value: sentences, limit: limits.minSentences, keep: "atLeast" },
    ],
    text: strip(kept.join("\n")),
    removed,
  };
}

/** The document with the text that C4 leaves, for the rules after it. */
export const afterC4 = (document: RuleDocument, { text }: C4Result) =>
  text === document.text ? document : readDocument(text, document.language);

/** Words between white space, and the code points of the longest. */
function measureWords(line: string) {
  const kind = characterClasses();
  let words = 0;
  let longest = 0;
  for (let i = 0; i < line.length; ) {
    while (i < line.length && kind[line.charCodeAt(i)] & WHITE) i++;
    const start = i;
    while (i < line.length && (kind[line.charCodeAt(i)] & WHITE) === 0) i++;
    if (i === start) break;
    words++;
    if (i - start > longest) longest = Math.max(longest, codePoints(line, start, i));
  }
  return { words, longest };
}

/** A sentence starts at the first word and at each word after a full stop (or its like in another script). */
function countSentences(text: string, words: Words, from = 0, to = words.count): number {
  const kind = characterClasses();
  let sentences = to > from ? 1 : 0;
  let ended = false;
  for (let i = from; i < to; i++) {
    const terminal = words.end[i] - words.start[i] === 1 && kind[text.charCodeAt(words.start[i])] & TERMINAL;
    if (terminal) ended = true;
    else if (ended && (words.flags[i] & ONLY_SYMBOLS) === 0) {
      sentences++;
      ended = false;
    }
  }
  return sentences;
}
