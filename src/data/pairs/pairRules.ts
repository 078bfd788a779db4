/**
 * @file What is wrong with a pair as a pair: an empty side, both sides the same, languages swapped, a side in another
 * language. Language identification is a function that the caller gives.
 */
import type { Measure } from "../rules/measure.ts";
import type { SentencePair } from "./pair.ts";
import { atMost, countMatches, primary } from "./text.ts";

/** The most likely language of a text, and how sure that is, from 0 to 1. */
export type Identify = (text: string) => { language: string; probability: number };

/** Fewer letters are not identified: any language would do. CHOSEN, as for documents. */
export const MIN_LETTERS = 20;
/** CHOSEN: more likely than not. */
const SURE = 0.5;

export function pairRules(pair: SentencePair, identify?: Identify): Measure[] {
  const same = pair.source.toLowerCase() === pair.target.toLowerCase();
  const measures = [
    atMost("pair.empty_side", Number(pair.source === "") + Number(pair.target === ""), 0),
    atMost("pair.identical", same && pair.source !== "" ? 1 : 0, 0),
  ];
  if (!identify) return measures;
  const [s, t] = [pair.source, pair.target].map((text) => found(text, identify));
  const [sl, tl] = [primary(pair.sourceLanguage), primary(pair.targetLanguage)];
  if (s && t) {
    const swapped = s.language === tl && t.language === sl && sl !== tl;
    measures.push(atMost("pair.swapped", swapped ? Math.min(s.probability, t.probability) : 0, SURE));
  }
  for (const [side, is, expected] of [["source", s, sl] as const, ["target", t, tl] as const])
    if (is) measures.push(atMost(`pair.wrong_language(${side})`, is.language === expected ? 0 : is.probability, SURE));
  return measures;
}

/** How sure it is that the text is in another language; 0 where it is too short to say. */
export function otherLanguage(identify: Identify): (text: string, language: string) => number {
  return (text, language) => {
    const is = found(text, identify);
    return is && is.language !== primary(language) ? is.probability : 0;
  };
}

function found(text: string, identify: Identify) {
  if (countMatches(text, /\p{L}/gu) < MIN_LETTERS) return null;
  const { language, probability } = identify(text);
  return { language: primary(language), probability };
}

/** The pair with its sides exchanged: what to make of one whose reason is `swapped`. */
export const exchanged = (pair: SentencePair): SentencePair => ({ ...pair, source: pair.target, target: pair.source });
