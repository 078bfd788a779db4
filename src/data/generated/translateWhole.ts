/**
 * @file Whole rows in other languages: preference pairs and prompts, as the paper brings English ones to 28 languages
 * (section 4.2). Every text of a row is translated, or the row is dropped.
 */
import { UserError } from "../../util/assert.ts";
import { makeRandom } from "../../util/random.ts";
import type { Row } from "../files/readRows.ts";
import { LANGUAGES, type Language } from "../languages.ts";
import type { Provenance } from "../llm/chatModel.ts";
import { together } from "../llm/inOrder.ts";
import {
  failed,
  type InputRow,
  type JobCounts,
  type Outcome,
  readInputs,
  runJob,
  type Unreadable,
} from "../llm/job.ts";
import type { TranslateOptions } from "./translate.ts";
import { translateText } from "./translateText.ts";

const KEYS = [
  "system",
  "instruction",
  "input",
  "question",
  "prompt",
  "output",
  "answer",
  "response",
  "chosen",
  "rejected",
  "messages",
];

type Item = InputRow & { from: Language; to: Language };

/** Writes rows.* (each with `from` and `to`), and ledger.jsonl, into `out`. */
export async function translateWholeRows(options: TranslateOptions): Promise<JobCounts> {
  const { inputs, recipe, models, identify, out, stop, onProgress } = options;
  if (inputs.length === 0) throw new UserError("translate: no files; name row files (.jsonl, .json or .parquet)");

  /** A row in each language that it is to be in. */
  const items = async function* (): AsyncGenerator<Item | Unreadable> {
    for await (const item of readInputs(inputs)) {
      if ("reason" in item) {
        yield item;
        continue;
      }
      const { row, ...place } = item;
      const texts = textsOf(row);
      const longest = texts.reduce((a, b) => (b.length > a.length ? b : a), "");
      const from = LANGUAGES.find((one) => one === identify(longest).language);
      if (from === undefined) {
        const reason = texts.length === 0 ? "no text to translate" : "its language is not known";
        yield { ...place, reason, head: JSON.stringify(row).slice(0, 80) };
        continue;
      }
      const others = recipe.languages.filter((language) => language !== from);
      const drawn = others.length > 0 ? [makeRandom(recipe.seed, "translate", item.id).pick(others)] : [];
      for (const to of recipe.each ? others : drawn) yield { ...item, id: `${item.id}/${to}`, from, to };
    }
  };

  async function work({ row, id, ordinal, from, to }: Item): Promise<Outcome> {
    const model = models[ordinal % models.length];
    const texts = textsOf(row).filter((text) => /\p{L}/u.test(text));
    const results = await together(
      texts.map((text, i) =>
        translateText(model, { text, source: from, target: to, id: `${id}/${i}` }, recipe, identify),
      ),
    );
    const measures = results.flatMap((one) => one.measures);
    const provenance: Provenance[] = results.map((one) => one.provenance);
    const details = { from, to, start: results[0]?.text.slice(0, 200) ?? "", provenance };
    const reason = failed(measures);
    if (reason !== null) return { outcome: "dropped", reason, language: to, measures, details };
    const known = new Map(texts.map((text, i) => [text, results[i].text]));
    const { id: _, language: __, ...rest } = mapTexts(row, (text) => known.get(text) ?? text);
    return {
      outcome: "kept",
      row: { id, language: to, ...rest, from, to, provenance },
      language: to,
      measures,
      details,
    };
  }

  const { concurrency, output: kind } = recipe;
  return runJob({ out, name: "rows", kind, items: items(), work, ahead: 4 * concurrency, stop, onProgress });
}

/** The row with other texts at the keys that hold texts or messages. */
function mapTexts(row: Row, change: (text: string) => string): Row {
  const inside = (value: unknown): unknown => {
    if (typeof value === "string") return value === "" ? value : change(value);
    if (!Array.isArray(value)) return value;
    return value.map((message) => {
      const content = (message as Row | null)?.content;
      return typeof content === "string" ? { ...message, content: change(content) } : message;
    });
  };
  return Object.fromEntries(
    Object.entries(row).map(([key, value]) => [key, KEYS.includes(key) ? inside(value) : value]),
  );
}

/** Each different text once: a prompt that is also in `chosen` is one translation. */
function textsOf(row: Row): string[] {
  const texts = new Set<string>();
  mapTexts(row, (text) => {
    texts.add(text);
    return text;
  });
  return [...texts];
}
