/**
 * @file Which pairs are clear, relevant and diverse, as far as rules can tell (paper section 4.2 selects by these words and
 * gives no rule: all of it is CHOSEN). Clarity: a prompt that can be read, answers that can be told apart. Relevance: the
 * better answer does not refuse and is in the prompt's language, unless the prompt names another. Diversity: no prompt
 * twice, whatever its case, spaces and punctuation.
 */
import { createHash } from "node:crypto";
import type { ChatMessage } from "../../tokenizer/chatTemplate.ts";
import type { Identify } from "../generated/checks.ts";
import { UNDETERMINED } from "../language/identify.ts";
import { LANGUAGE_NAMES, LANGUAGES } from "../languages.ts";
import { isRefusal } from "../llm/refusals.ts";
import { atLeast, atMost } from "../pairs/text.ts";
import { readDocument } from "../rules/document.ts";
import { garbled } from "../rules/garbled.ts";
import type { Measure } from "../rules/measure.ts";
import { codePoints } from "../rules/pythonText.ts";
import type { Pair } from "./layouts.ts";

export interface SelectionLimits {
  /** Of the prompt, in code points. */
  minPrompt: number;
  maxPrompt: number;
  /** Of an answer, in code points. */
  maxAnswer: number;
  /** Of ratings, where the set has them. */
  minMargin: number;
}

export const SELECTION: SelectionLimits = { minPrompt: 10, maxPrompt: 8000, maxAnswer: 16000, minMargin: 0 };

/** How many times as long as the shorter answer the longer one is, to two digits: above 3 it is worth a look. */
export function lengthRatio({ chosen, rejected }: Pick<Pair, "chosen" | "rejected">): number {
  const [long, short] = [codePoints(chosen), codePoints(rejected)].sort((a, b) => b - a);
  return Math.round((100 * long) / Math.max(1, short)) / 100;
}

/** The prompt's rules alone, before answers are sampled for it. */
export function promptMeasures(prompt: readonly ChatMessage[], language: string, limits: SelectionLimits): Measure[] {
  const text = prompt.map(({ content }) => content).join("\n");
  const length = codePoints(text);
  // Scripts are expected of the paper's languages only; other rules of garbled text count in all.
  const known = LANGUAGES.some((one) => one === language);
  const broken = garbled(readDocument(text, known ? language : "en")).filter(
    ({ rule }) => known || rule !== "garbled.expectedScript",
  );
  return [
    atLeast("prompt.promptTooShort", length, limits.minPrompt),
    atMost("prompt.promptTooLong", length, limits.maxPrompt),
    ...broken,
  ];
}

export function pairMeasures(pair: Pair, language: string, identify: Identify, limits: SelectionLimits): Measure[] {
  const { prompt, chosen, rejected, margin } = pair;
  const [better, worse] = [isRefusal(chosen), isRefusal(rejected)];
  return [
    atLeast("pair.emptyAnswer", chosen.trim() === "" || rejected.trim() === "" ? 0 : 1, 1),
    atMost("pair.identical", chosen.trim() === rejected.trim() ? 1 : 0, 0),
    atMost("pair.answerTooLong", Math.max(codePoints(chosen), codePoints(rejected)), limits.maxAnswer),
    atMost("pair.bothRefuse", better && worse ? 1 : 0, 0),
    atMost("pair.chosenRefuses", better ? 1 : 0, 0),
    atLeast("pair.chosenLanguage", fits(chosen, prompt, language, identify) ? 1 : 0, 1),
    ...(margin === null ? [] : [atLeast("pair.smallMargin", margin, limits.minMargin)]),
  ];
}

/** Whether the answer is in the prompt's language, or in one that the prompt names in English or by its own name. */
export function fits(answer: string, prompt: readonly ChatMessage[], language: string, identify: Identify): boolean {
  const found = identify(answer).language;
  if (found === UNDETERMINED || language === UNDETERMINED || found === language) return true;
  const known = LANGUAGES.find((one) => one === found);
  if (!known) return false;
  const own = new Intl.DisplayNames([known], { type: "language" }).of(known)?.toLowerCase();
  const asked = prompt.map(({ content }) => content.toLowerCase()).join("\n");
  return [LANGUAGE_NAMES[known].toLowerCase(), own].some((name) => name !== undefined && asked.includes(name));
}

/** What makes two prompts the same, hashed. */
export function promptKey(prompt: readonly ChatMessage[]): string {
  const plain = (text: string) =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}]+/gu, " ")
      .trim();
  const turns = prompt.map(({ role, content }) => [role, plain(content)]);
  return createHash("sha256").update(JSON.stringify(turns)).digest("base64");
}
