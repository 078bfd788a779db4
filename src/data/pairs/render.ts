/**
 * @file A pair as training text: direction and template (paper Table 13) drawn from the seed and the pair's id, both
 * directions and all eleven templates with equal chance (CHOSEN: the paper states neither).
 */
import { UserError } from "../../util/assert.ts";
import { makeRandom } from "../../util/random.ts";
import { LANGUAGES, type Language } from "../languages.ts";
import { renderPair, reversed, TEMPLATE_NAMES, type TemplateName } from "../parallel.ts";
import type { SentencePair } from "./pair.ts";
import { primary } from "./text.ts";

export interface RenderedPair {
  id: string;
  template: TemplateName;
  source: Language;
  target: Language;
  text: string;
}

export function renderSeeded(pair: SentencePair, seed: number): RenderedPair {
  const random = makeRandom(seed, "pair", pair.id);
  const forward = {
    source: languageOf(pair.sourceLanguage),
    target: languageOf(pair.targetLanguage),
    input: pair.source,
    output: pair.target,
  };
  const one = random.next() < 0.5 ? forward : reversed(forward);
  const template = random.pick(TEMPLATE_NAMES);
  return { id: pair.id, template, source: one.source, target: one.target, text: renderPair(template, one) };
}

function languageOf(code: string): Language {
  const language = LANGUAGES.find((one) => one === primary(code));
  if (language) return language;
  throw new UserError(
    `Language of a pair: "${code}" is none of ${LANGUAGES.join(" ")}, whose names the templates need`,
  );
}
