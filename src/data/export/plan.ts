/**
 * @file A web recipe as settings for a datatrove pipeline (pipeline.py beside this file): the limits are asked of the
 * rules themselves, so that they cannot differ. What datatrove cannot say is an error, or a note where a stage stays out.
 */
import { resolve } from "node:path";
import { UserError } from "../../util/assert.ts";
import { blocklistOf, gopherStopWordsOf, urlListsOf } from "../curate/lists.ts";
import type { Recipe } from "../curate/recipe.ts";
import type { Language } from "../languages.ts";
import { type Blocklist, blocklist } from "../rules/blocklist.ts";
import { type RuleDocument, readDocument } from "../rules/document.ts";
import { fineWeb } from "../rules/fineWeb.ts";
import { limitsOf } from "../rules/fineWeb2.ts";
import { garbled } from "../rules/garbled.ts";
import { gopherQuality } from "../rules/gopherQuality.ts";
import { gopherRepetition } from "../rules/gopherRepetition.ts";
import type { Measure } from "../rules/measure.ts";
import { paper } from "../rules/paper.ts";
import { roots, rootsLimitsOf } from "../rules/roots.ts";
import { stopWordsOf } from "../rules/stopWords.ts";
import type { UrlLists } from "../web/url.ts";

/** datatrove's names of the languages. */
const CODES: Record<Language, string> = {
  ...{ en: "eng_Latn", zh: "cmn_Hani", ar: "arb_Arab", de: "deu_Latn", es: "spa_Latn", fr: "fra_Latn", ko: "kor_Hang" },
  ...{ ja: "jpn_Jpan", pt: "por_Latn", tr: "tur_Latn", az: "azj_Latn", bn: "ben_Beng", cs: "ces_Latn", el: "ell_Grek" },
  ...{ he: "heb_Hebr", hu: "hun_Latn", id: "ind_Latn", it: "ita_Latn", kk: "kaz_Cyrl", ms: "zsm_Latn", ne: "npi_Deva" },
  ...{ nl: "nld_Latn", pl: "pol_Latn", ro: "ron_Latn", ru: "rus_Cyrl", th: "tha_Thai", uk: "ukr_Cyrl", ur: "urd_Arab" },
  vi: "vie_Latn",
};

/** datatrove's reasons as our rules. */
export const REASONS: Record<string, string> = {
  ...{ domain: "url.domain", subdomain: "url.subdomain", url: "url.exact", hard_blacklisted: "url.hardWords" },
  ...{ soft_blacklisted: "url.softWords", blacklisted_subword: "url.subwords" },
  ...{ gopher_short_doc: "gopher.minWords", gopher_long_doc: "gopher.maxWords" },
  ...{ gopher_below_avg_threshold: "gopher.minWordLength", gopher_above_avg_threshold: "gopher.maxWordLength" },
  ...{ gopher_too_many_hashes: "gopher.hashes", gopher_too_many_ellipsis: "gopher.ellipses" },
  ...{ gopher_too_many_bullets: "gopher.bulletLines", gopher_too_many_end_ellipsis: "gopher.ellipsisLines" },
  ...{ gopher_below_alpha_threshold: "gopher.letterWords", gopher_enough_stop_words: "gopher.stopWords" },
  ...{ dup_para_frac: "gopher.duplicateParagraphs", dup_para_char_frac: "gopher.duplicateParagraphCharacters" },
  ...{ dup_line_frac: "gopher.duplicateLines", dup_line_char_frac: "gopher.duplicateLineCharacters" },
  ...Object.fromEntries([2, 3, 4].map((n) => [`top_${n}_gram`, `gopher.top${n}Gram`])),
  ...Object.fromEntries([5, 6, 7, 8, 9, 10].map((n) => [`duplicated_${n}_n_grams`, `gopher.duplicate${n}Grams`])),
  ...{ line_punct_ratio: "fineweb.terminalLines", short_line_ratio: "fineweb.shortLines" },
  ...{ char_dup_ratio: "fineweb.duplicateCharacters", list_ratio: "fineweb.newlines" },
};

type Limits = ReadonlyMap<string, Measure>;

interface LanguageSettings {
  datatrove: string;
  languageLimit: number;
  rules: Record<string, Record<string, unknown>>;
}

export interface ExportPlan {
  settings: {
    languages: Partial<Record<Language, LanguageSettings>>;
    sets: string[];
    reasons: Record<string, string>;
    url: Record<keyof UrlLists, string[]>;
    minHash: { words: number; bands: number; rows: number; seed: number } | null;
  };
  /** What the pipeline does otherwise, or not at all. */
  notes: string[];
}

/** @throws UserError for limits that datatrove has no way to say, and for rules that do not exist. */
export function planExport(recipe: Recipe): ExportPlan {
  const notes: string[] = [];
  const known = new Set<string>();
  const sets = recipe.rules.sets.filter((set) => set !== "garbled");
  const languages: ExportPlan["settings"]["languages"] = {};
  for (const language of recipe.languages) {
    const document = readDocument("", language);
    const list = blocklistOf(recipe, language);
    const overrides = { ...recipe.rules.limits, ...recipe.rules.limitsByLanguage[language] };
    const limits = (set: (typeof recipe.rules.sets)[number]): Limits =>
      new Map(
        measuresOf(set, document, language, list).map((measure) => {
          known.add(measure.rule);
          return [measure.rule, { ...measure, limit: overrides[measure.rule] ?? measure.limit }];
        }),
      );
    if (recipe.rules.sets.includes("garbled")) limits("garbled");
    const rules = Object.fromEntries(sets.map((set) => [set, settingsOf(set, limits(set), language, list)]));
    const path = recipe.perplexity.models[language];
    if (path !== undefined) {
      const limit = recipe.perplexity.limit;
      if (limit !== undefined && typeof limit !== "number")
        throw new UserError(
          "perplexity.limit: a limit from the documents' distribution is known only after a run; give the number that marco data web found",
        );
      rules.perplexity = { path: resolve(path), limits: { "lm.perplexity": [limit ?? Number.MAX_VALUE, "atMost"] } };
    }
    languages[language] = { datatrove: CODES[language], languageLimit: recipe.language.limit, rules };
  }
  for (const rule of overridden(recipe))
    if (!known.has(rule))
      throw new UserError(`rules.limits: "${rule}" is no rule of the sets ${recipe.rules.sets.join(", ")}`);

  if (recipe.rules.sets.includes("garbled"))
    notes.push("the set garbled has no counterpart in datatrove and is left out: damaged and mixed-script text stays");
  if (recipe.substring)
    notes.push("repeated passages are not cut: datatrove's step needs a second program, and tokens below 65,536");
  if (recipe.minHash && recipe.minHash.similarity > 0)
    notes.push("minHash.similarity has no counterpart: datatrove drops every candidate, however similar");
  const download = recipe.languages.filter((language) => language === "kk" || language === "ko");
  if (download.length > 0)
    notes.push(`datatrove's words of ${download.join(" and ")} need models that it downloads when it runs`);
  const minHash = recipe.minHash && {
    ...{
      words: recipe.minHash.words,
      bands: recipe.minHash.bands,
      rows: recipe.minHash.rows,
      seed: recipe.minHash.seed,
    },
  };
  const withPerplexity = Object.values(languages).some(({ rules }) => rules.perplexity) ? ["perplexity"] : [];
  return {
    settings: {
      languages,
      sets: [...sets, ...withPerplexity],
      reasons: REASONS,
      url: urlListsOf(recipe),
      minHash: minHash || null,
    },
    notes,
  };
}

const overridden = ({ rules }: Recipe) =>
  new Set([rules.limits, ...Object.values(rules.limitsByLanguage)].flatMap((limits) => Object.keys(limits)));

function measuresOf(set: string, document: RuleDocument, language: Language, list: Blocklist): Measure[] {
  const limits = limitsOf(language);
  const sets: Record<string, () => Measure[]> = {
    paper: () => paper(document),
    gopherQuality: () => gopherQuality(document, limits.gopherQuality),
    gopherRepetition: () => gopherRepetition(document, limits.gopherRepetition),
    fineWeb: () => fineWeb(document, limits.fineWeb),
    roots: () => roots(document, new Set(), 0),
    garbled: () => garbled(document),
    blocklist: () => blocklist(document, list),
  };
  return sets[set]();
}

/** Arguments of datatrove's filter, or the limits of pipeline.py's own rules and what these need. */
function settingsOf(set: string, limits: Limits, language: Language, list: Blocklist): Record<string, unknown> {
  const limit = (rule: string) => limits.get(rule)!.limit;
  /** datatrove takes 0 for "no limit". */
  const above0 = (rule: string) => {
    if (limit(rule) !== 0) return limit(rule);
    throw new UserError(`${rule}: the limit 0 turns the rule off in datatrove; give a small number above 0`);
  };
  const own = {
    limits: Object.fromEntries([...limits].map(([rule, { limit, keep }]) => [rule, [limit, keep]])),
  };
  const blocked = { words: [...list.byStart.values()].flat(), unspaced: list.edges === "unspaced" };
  switch (set) {
    case "gopherQuality":
      if (limit("gopher.hashes") !== limit("gopher.ellipses"))
        throw new UserError("gopher.hashes and gopher.ellipses: datatrove has one limit for both; give both the same");
      return {
        arguments: {
          min_doc_words: limit("gopher.minWords"),
          max_doc_words: above0("gopher.maxWords"),
          min_avg_word_length: limit("gopher.minWordLength"),
          max_avg_word_length: above0("gopher.maxWordLength"),
          max_symbol_word_ratio: above0("gopher.hashes"),
          max_bullet_lines_ratio: above0("gopher.bulletLines"),
          max_ellipsis_lines_ratio: above0("gopher.ellipsisLines"),
          max_non_alpha_words_ratio: limit("gopher.letterWords"),
          min_stop_words: limit("gopher.stopWords"),
          stop_words: [...gopherStopWordsOf(language)],
        },
      };
    case "gopherRepetition":
      return {
        arguments: {
          dup_line_frac: above0("gopher.duplicateLines"),
          dup_para_frac: above0("gopher.duplicateParagraphs"),
          dup_line_char_frac: above0("gopher.duplicateLineCharacters"),
          dup_para_char_frac: above0("gopher.duplicateParagraphCharacters"),
          top_n_grams: [2, 3, 4].map((n) => [n, limit(`gopher.top${n}Gram`)]),
          dup_n_grams: [5, 6, 7, 8, 9, 10].map((n) => [n, limit(`gopher.duplicate${n}Grams`)]),
        },
      };
    case "fineWeb":
      return {
        arguments: {
          line_punct_thr: limit("fineweb.terminalLines"),
          short_line_thr: limit("fineweb.shortLines"),
          char_duplicates_ratio: limit("fineweb.duplicateCharacters"),
          new_line_ratio: limit("fineweb.newlines"),
        },
      };
    case "roots": {
      const { characterNGram, wordNGram } = rootsLimitsOf(language);
      return { ...own, ...blocked, stopWords: [...stopWordsOf(language)], nGrams: [characterNGram, wordNGram] };
    }
    case "blocklist":
      return { ...own, ...blocked };
    default:
      return own;
  }
}
