/**
 * @file One document through the stages that need no other: address, content, language, rules on the text, perplexity, in
 * the paper's order (section 3.1.1). All measures are kept.
 */

import { normalize } from "../../tokenizer/pretokenize.ts";
import { readPieces } from "../files/bytes.ts";
import { type Identifier, languageMeasure, loadIdentifier, UNDETERMINED } from "../language/identify.ts";
import type { Language } from "../languages.ts";
import { readArpa } from "../lm/arpa.ts";
import type { NgramModel } from "../lm/ngramModel.ts";
import { documentPerplexity } from "../lm/perplexity.ts";
import { tokenizerOf } from "../lm/tokens.ts";
import { type Blocklist, blocklist, findBlocked } from "../rules/blocklist.ts";
import { type RuleDocument, ratio, readDocument } from "../rules/document.ts";
import { fineWeb } from "../rules/fineWeb.ts";
import { limitsOf } from "../rules/fineWeb2.ts";
import { garbled } from "../rules/garbled.ts";
import { gopherQuality } from "../rules/gopherQuality.ts";
import { gopherRepetition } from "../rules/gopherRepetition.ts";
import type { Measure } from "../rules/measure.ts";
import { paper } from "../rules/paper.ts";
import { codePoints } from "../rules/pythonText.ts";
import { roots } from "../rules/roots.ts";
import { stopWordsOf } from "../rules/stopWords.ts";
import { extractMainText } from "../web/extract.ts";
import { decodePage } from "../web/http.ts";
import { makeUrlFilter, urlMeasures } from "../web/url.ts";
import type { Item } from "./items.ts";
import { decide, type LedgerLine, type StageMeasure } from "./ledger.ts";
import { blocklistOf, gopherStopWordsOf, urlListsOf } from "./lists.ts";
import { type Recipe, RULE_SETS } from "./recipe.ts";

/** The stages of a document by itself, and then those that look at all documents. */
export const LOCAL_STAGES = ["url", "extract", "language", ...RULE_SETS, "perplexity"] as const;
export const STAGES = [...LOCAL_STAGES, "minHash", "substring"] as const;

/** Code points of a text's beginning in the ledger. */
const START = 120;

/** The ledger's line, and the text of what is kept so far. */
export interface Judged {
  line: LedgerLine;
  text: string | null;
}

export interface Judge {
  judge(item: Item): Judged;
  dispose(): void;
}

/** Loads what the recipe needs: the identifier's models, language models. */
export async function makeJudge(recipe: Recipe): Promise<Judge> {
  const identifier: Identifier = await loadIdentifier();
  const urlFilter = makeUrlFilter(urlListsOf(recipe));
  const models = new Map<string, NgramModel>();
  for (const [language, path] of Object.entries(recipe.perplexity.models))
    models.set(language, await readArpa(bytesOf(path), path));
  const blocklists = new Map<string, Blocklist>();
  const wanted = new Set<string>(recipe.languages);
  const sets = RULE_SETS.filter((set) => recipe.rules.sets.includes(set));

  const listOf = (language: Language) => {
    const list = blocklists.get(language) ?? blocklistOf(recipe, language);
    blocklists.set(language, list);
    return list;
  };
  const measureText = (set: (typeof RULE_SETS)[number], document: RuleDocument, language: Language): Measure[] => {
    const limits = limitsOf(language);
    switch (set) {
      case "paper":
        return paper(document);
      case "gopherQuality":
        return gopherQuality(document, limits.gopherQuality, gopherStopWordsOf(language));
      case "gopherRepetition":
        return gopherRepetition(document, limits.gopherRepetition);
      case "fineWeb":
        return fineWeb(document, limits.fineWeb);
      case "roots":
        return roots(document, stopWordsOf(language), findBlocked(document.lower(), listOf(language)).length);
      case "garbled":
        return garbled(document);
      case "blocklist":
        return blocklist(document, listOf(language));
    }
  };

  // A limit from the distribution comes when all documents are known (across.ts).
  const perplexityLimit = (language: Language) => {
    const { limit } = recipe.perplexity;
    if (typeof limit === "number") return limit;
    return (limit !== undefined && !("sd" in limit) ? limit[language] : undefined) ?? Number.MAX_VALUE;
  };

  const judge = (item: Item): Judged => {
    const { id, source, ordinal, offset, url, content } = item;
    const measures: StageMeasure[] = [];
    const line: LedgerLine = {
      ...{ id, source, ordinal, offset, url, language: null, characters: 0 },
      ...{ outcome: "kept", stage: null, reason: null, measures },
    };
    const end = (outcome: LedgerLine["outcome"], stage: string, reason: string): Judged => {
      Object.assign(line, { outcome, stage, reason });
      return { line, text: null };
    };
    const add = (stage: string, found: readonly Measure[]) => {
      for (const measure of found) measures.push({ stage, ...measure });
    };
    const failed = () => recipe.explain === "first" && decide(measures, LOCAL_STAGES);
    const finish = (text: string | null): Judged => {
      const verdict = decide(measures, LOCAL_STAGES);
      return verdict ? end("dropped", verdict.stage, verdict.reason) : { line, text };
    };

    if (content.kind === "damage")
      return { ...end("quarantined", "read", content.reason), line: { ...line, start: content.head } };
    if (url !== null || content.kind === "html") add("url", urlMeasures(url, urlFilter));
    if (failed()) return finish(null);

    let text: string;
    if (content.kind === "text") text = content.text;
    else {
      if (content.body.length > recipe.limits.pageBytes) return end("quarantined", "extract", "page too large");
      const page = decodePage(content.body, content.contentType);
      if (!page) return end("quarantined", "extract", "undecodable");
      if (page.charset !== "utf-8") line.charset = page.charset;
      const main = content.contentType.startsWith("text/plain") ? { text: page.text } : extractMainText(page.text);
      if (!main) {
        add("extract", [{ rule: "extract.noMainContent", value: 1, limit: 0, keep: "atMost" }]);
        return finish(null);
      }
      text = main.text;
    }
    const controls = countControls(text);
    if (controls > 0) line.controls = controls;
    text = clean(text);
    line.characters = codePoints(text);
    if (!LETTER_OR_DIGIT.test(text)) {
      add("extract", [{ rule: "empty", value: 0, limit: 1, keep: "atLeast" }]);
      return finish(null);
    }
    line.start = [...text.slice(0, 2 * START)].slice(0, START).join("");

    const found = identifier.identify(text);
    line.language = found.language;
    const language = found.language as Language;
    if (found.language === UNDETERMINED)
      add("language", [{ rule: "language.undetermined", value: 1, limit: 0, keep: "atMost" }]);
    add("language", [{ rule: "language.wanted", value: wanted.has(language) ? 1 : 0, limit: 1, keep: "atLeast" }]);
    if (!wanted.has(language)) return finish(null);
    add("language", [languageMeasure(found, language, recipe.language.limit)]);
    if (failed()) return finish(null);

    const document = readDocument(text, language);
    const limits = { ...recipe.rules.limits, ...recipe.rules.limitsByLanguage[language] };
    for (const set of sets) {
      const found = measureText(set, document, language);
      add(
        set,
        found.map((measure) => ({
          ...measure,
          // They are not in the text any more.
          ...(measure.rule === "garbled.control" ? { value: ratio(controls, document.length + controls) } : {}),
          limit: limits[measure.rule] ?? measure.limit,
        })),
      );
      if (failed()) return finish(null);
    }
    const model = models.get(language);
    const perplexity = model ? documentPerplexity(model, text, tokenizerOf(language)) : null;
    if (perplexity !== null)
      add("perplexity", [
        { rule: "lm.perplexity", value: perplexity, limit: perplexityLimit(language), keep: "atMost" },
      ]);
    return finish(text);
  };
  return { judge, dispose: () => identifier.dispose() };
}

async function* bytesOf(path: string) {
  for await (const piece of readPieces(path)) if ("bytes" in piece) yield piece.bytes;
}

const LETTER_OR_DIGIT = /[\p{L}\p{N}]/u;
const CONTROL = /(?![\t\n\r\u0085])\p{Cc}/gu;
const countControls = (text: string) => text.match(CONTROL)?.length ?? 0;

/** NFC, without control characters (but line breaks and tabs), halves of surrogate pairs replaced (rows 11, 12, 14). */
export function clean(text: string): string {
  return normalize(text.replace(/\r\n?/g, "\n").replace(/(?![\t\n\u0085])\p{Cc}/gu, ""));
}
