/**
 * Preference pairs for direct preference optimisation (paper section 4.2).
 * deviation: the paper takes human preferences translated to 28 languages and answers sampled from the SFT model and
 * judged by another LLM. Ours are verifiable: chosen is the reference, rejected is a known corruption of it.
 */
import type { ChatMessage } from "../tokenizer/chatTemplate.ts";
import { groupBy } from "../util/arrays.ts";
import { makeRandom, type Random } from "../util/random.ts";
import type { Facts } from "./corpus.ts";
import type { CorpusRecord, Split } from "./document.ts";
import type { Language } from "./languages.ts";
import { type ChatCandidate, makeChatCandidates } from "./sft.ts";

/**
 * wrongLanguage: the same record in another language. neighbour: the answer to another question of the same task and
 * language. truncated: the first half. brokenPlaceholder: one `{0}`, `%s` ... damaged. untranslated: the text to translate.
 */
export const CORRUPTIONS = ["wrongLanguage", "neighbour", "truncated", "brokenPlaceholder", "untranslated"] as const;
export type Corruption = (typeof CORRUPTIONS)[number];

export interface PreferencePair {
  prompt: ChatMessage[];
  chosen: string;
  rejected: string;
  language: Language;
  corruption: Corruption;
  task: string;
  key: string;
}

export interface PreferenceOptions {
  seed: number;
  split: Split;
  /** At most this many pairs of each corruption in each language. */
  perCorruptionAndLanguage: number;
}

/** What a message leaves for a program to fill in: `{name}`, `{{name}}`, `%(name)s`, `%s`, `%1`, `$1`, `<tag>`. */
const PLACEHOLDER = /\{\{[^{}]*\}\}|\{[^{}]+\}|%\(\w+\)[sd]|%[sd\d]|\$\d|<\/?\w+>/;

/** Candidates for each pair wanted: most sentences have no placeholder. */
const CANDIDATES_PER_PAIR = 20;

/** Pairs with `chosen !== rejected`, each example used once; of equal seeds and records always the same. */
export function makePreferences(
  records: readonly CorpusRecord[],
  facts: Facts,
  { seed, split, perCorruptionAndLanguage }: PreferenceOptions,
): PreferencePair[] {
  const candidates = makeChatCandidates(records, facts, {
    seed: `${seed}/preferences`,
    split,
    perTaskAndLanguage: perCorruptionAndLanguage * CANDIDATES_PER_PAIR,
  }).filter(({ task }) => task !== "completion"); // any other ending may be as good
  const pairs = [...groupBy(candidates, ({ language }) => language).values()].flatMap((ofLanguage) => {
    const used = new Set<ChatCandidate>();
    // Scarce corruptions first, so that the others do not take the few sentences that have placeholders.
    return [...CORRUPTIONS].reverse().flatMap((corruption) => {
      const made: PreferencePair[] = [];
      for (const [i, candidate] of ofLanguage.entries()) {
        if (made.length === perCorruptionAndLanguage) break;
        if (used.has(candidate)) continue;
        const [question, { content: chosen }] = candidate.messages;
        const random = makeRandom(seed, "corruption", corruption, candidate.language, candidate.key);
        const rejected = corrupt(
          corruption,
          candidate,
          [...ofLanguage.slice(i + 1), ...ofLanguage.slice(0, i)],
          random,
        );
        if (rejected === undefined || rejected === chosen) continue;
        used.add(candidate);
        const { language, task, key } = candidate;
        made.push({ prompt: [question], chosen, rejected, language, corruption, task, key });
      }
      return made;
    });
  });
  return makeRandom(seed, "preferences").shuffle(pairs);
}

/** The candidate's answer, corrupted; undefined where the corruption does not apply. */
export function corrupt(
  corruption: Corruption,
  candidate: ChatCandidate,
  others: readonly ChatCandidate[],
  random: Random,
): string | undefined {
  const chosen = candidate.messages[1].content;
  switch (corruption) {
    case "wrongLanguage": {
      const languages = Object.keys(candidate.answers) as Language[];
      const texts = languages.filter((language) => language !== candidate.target).map((l) => candidate.answers[l]!);
      const different = texts.filter((text) => text !== chosen && text !== candidate.input && !text.includes("\n"));
      return different.length ? random.pick(different) : undefined;
    }
    case "neighbour": {
      const same = others.find(
        (other) =>
          other.task === candidate.task && other.target === candidate.target && other.messages[1].content !== chosen,
      );
      return same?.messages[1].content;
    }
    case "truncated": {
      const characters = [...chosen];
      return characters.length < 8
        ? undefined
        : characters
            .slice(0, characters.length / 2)
            .join("")
            .trim();
    }
    case "brokenPlaceholder": {
      if (!PLACEHOLDER.test(chosen)) return undefined;
      return chosen.replace(PLACEHOLDER, (placeholder) => placeholder.slice(0, -1));
    }
    case "untranslated":
      return candidate.input;
  }
}
