/**
 * @file Synthetic text (paper section 3.1.4, Table 14): explanations and stories around keywords, with attributes drawn
 * from the seed, and rarer samples after examples; from several models in turn, checked, with where each text is from.
 */
import { createHash } from "node:crypto";
import { UserError } from "../../util/assert.ts";
import { makeRandom, type Random } from "../../util/random.ts";
import { LANGUAGES, type Language } from "../languages.ts";
import { type ChatModel, itemSeed, provenanceOf } from "../llm/chatModel.ts";
import {
  failed,
  type JobCounts,
  type JobOptions,
  type Outcome,
  type Place,
  readInputs,
  runJob,
  type Unreadable,
} from "../llm/job.ts";
import { answerMeasures, type Identify, lengthOf, textMeasures } from "./checks.ts";
import { type KeywordPool, keywordsFor, makeKeywordCounter, readKeywords } from "./keywords.ts";
import { ATTRIBUTES, type Drawn, promptOf, slotsOf, TEMPLATES, unitOf } from "./prompts.ts";
import type { SynthesizeRecipe } from "./recipe.ts";

export interface SynthesizeOptions extends Pick<JobOptions<Place>, "out" | "stop" | "onProgress"> {
  recipe: SynthesizeRecipe;
  /** Those of the recipe, in its order. */
  models: readonly ChatModel[];
  identify: Identify;
}

interface Sample {
  id: string;
  text: string;
}

/** What texts are made from, and the rows that could not be read. */
export interface Material {
  keywords: KeywordPool;
  samples: ReadonlyMap<Language, readonly Sample[]>;
  unreadable: Unreadable[];
}

/** Reads keywords and samples. @throws UserError where the recipe names none that its kinds need. */
export async function readMaterial(recipe: SynthesizeRecipe, identify: Identify): Promise<Material> {
  const { keywords, samples, kinds, seed } = recipe;
  const unreadable: Unreadable[] = [];
  const texts = async function* (what: string, paths: readonly string[], maxCharacters: number) {
    for await (const { id, source, ...rest } of readInputs(paths)) {
      const item = { id: `${what}/${id}`, source: `${what}/${source}`, ...rest };
      if ("reason" in item) unreadable.push(item);
      else if (typeof item.row.text !== "string")
        unreadable.push({ ...item, reason: 'no "text"', head: JSON.stringify(item.row).slice(0, 80) });
      else if (item.row.text.length <= maxCharacters) {
        const given = item.row.language;
        const language = LANGUAGES.find((one) => one === (given ?? identify(item.row.text as string).language));
        if (language) yield { id: item.id, text: item.row.text, language };
      }
    }
  };

  let pool: KeywordPool = new Map();
  if (kinds.some((kind) => kind !== "sample")) {
    if (Number(keywords.file !== undefined) + Number(keywords.documents !== undefined) !== 1)
      throw new UserError("keywords: explanations and stories need one of keywords.file and keywords.documents");
    if (keywords.file !== undefined) pool = readKeywords(keywords.file);
    else {
      const counter = makeKeywordCounter();
      for await (const { text, language } of texts("documents", keywords.documents!, Number.POSITIVE_INFINITY))
        counter.add(text, language);
      pool = counter.pool(keywords.size);
    }
  }
  const drawn = new Map<Language, Sample[]>();
  if (kinds.includes("sample")) {
    if (!samples.files)
      throw new UserError('samples.files: kind "sample" needs examples; name row files, or leave it out');
    const seen = new Map<Language, number>();
    const random = makeRandom(seed, "samples");
    for await (const { language, ...sample } of texts("samples", samples.files, samples.maxCharacters)) {
      if (sample.text.trim() === "") continue;
      const list = drawn.get(language) ?? [];
      drawn.set(language, list);
      const n = (seen.get(language) ?? 0) + 1;
      seen.set(language, n);
      const at = list.length < samples.pool ? list.length : random.int(n); // Vitter's algorithm R
      if (at < samples.pool) list[at] = sample;
    }
  }
  return { keywords: pool, samples: drawn, unreadable };
}

/** What text number `i` is asked for: the same for the same seed and material. Null where its language has too little. */
export function draw(
  recipe: SynthesizeRecipe,
  material: Material,
  i: number,
): Drawn | { lacking: string; language: Language } {
  const random = makeRandom(recipe.seed, "synthetic", String(i));
  const kind = recipe.kinds[i % recipe.kinds.length];
  const language = random.pick(recipe.languages);
  const nothing = { kind, language, attributes: {}, keywords: [], minLength: 0, maxLength: 0, samples: [] };
  if (kind === "sample") {
    const chosen = sampleOf(material.samples.get(language) ?? [], recipe.samples.shots, random);
    if (chosen.length === 0) return { lacking: "noSamples", language };
    const samples = chosen.map(({ text }) => text.trim());
    const lengths = samples.map((text) => lengthOf(text, language));
    return { ...nothing, samples, minLength: Math.min(...lengths), maxLength: Math.max(...lengths) };
  }
  const { least, most } = recipe.keywords;
  const keywords = sampleOf(
    keywordsFor(material.keywords, language),
    least + random.int(Math.max(1, most - least + 1)),
    random,
  );
  if (keywords.length < least) return { lacking: "noKeywords", language };
  const [min, max] = random.pick(recipe.lengths);
  const each = unitOf(language) === "characters" ? 2 : 1;
  const attributes = Object.fromEntries(ATTRIBUTES.map((name) => [name, random.pick(recipe.attributes[name])]));
  return { ...nothing, attributes, keywords, minLength: each * min, maxLength: each * max };
}

/** `count` different elements; all, where there are fewer. */
function sampleOf<T>(items: readonly T[], count: number, random: Random): T[] {
  const chosen = new Set<number>();
  while (chosen.size < Math.min(count, items.length)) chosen.add(random.int(items.length));
  return [...chosen].map((i) => items[i]);
}

/** Writes texts.*, and ledger.jsonl, into `out`. */
export async function synthesize(options: SynthesizeOptions): Promise<JobCounts> {
  const { recipe, models, identify, out, stop, onProgress } = options;
  const material = await readMaterial(recipe, identify);
  const seen = new Set<string>();

  async function work({ ordinal }: Place): Promise<Outcome> {
    const drawn = draw(recipe, material, ordinal);
    if ("lacking" in drawn) return { outcome: "dropped", reason: drawn.lacking, language: drawn.language };
    const { kind, language, attributes, keywords, minLength, maxLength, samples } = drawn;
    const prompt = promptOf(recipe.templates[kind] ?? TEMPLATES[kind], drawn);
    const model = models[Math.floor(ordinal / recipe.kinds.length) % models.length];
    const request = {
      messages: [{ role: "user" as const, content: prompt }],
      ...{ ...recipe.sampling, seed: itemSeed(recipe.seed, "synthetic", String(ordinal)) },
    };
    const answer = await model.ask(request);
    const text = answer.text.trim();
    const given = [...keywords, ...samples];
    const measures = [
      ...answerMeasures({ text, finishReason: answer.finishReason }, { given, slots: slotsOf(kind) }),
      ...textMeasures(text, { language, minLength, maxLength, prompt }, identify, recipe.checks),
    ];
    const provenance = { ...provenanceOf(model, request) };
    const details = { kind, prompt, start: text.slice(0, 200), provenance };
    const reason = failed(measures);
    if (reason !== null) return { outcome: "dropped", reason, language, measures, details };
    const all = Object.fromEntries(ATTRIBUTES.map((name) => [name, attributes[name] ?? ""]));
    const row = { id: `synthetic#${ordinal}`, text, language, kind, keywords, attributes: all, provenance };
    return { outcome: "kept", row, language, measures, details };
  }

  /** Models repeat themselves: of equal texts the first stays. */
  function settle(outcome: Outcome): Outcome {
    if (outcome.outcome !== "kept") return outcome;
    const hash = createHash("sha256").update(String(outcome.row.text)).digest("base64");
    if (!seen.has(hash)) {
      seen.add(hash);
      return outcome;
    }
    const { language, measures, details } = outcome;
    return { outcome: "dropped", reason: "duplicate", language, measures, details };
  }

  const items = function* (): Generator<Place | Unreadable> {
    yield* material.unreadable;
    for (let i = 0; i < recipe.count; i++) yield { id: `synthetic#${i}`, source: "synthetic", ordinal: i, offset: i };
  };
  const ahead = 4 * recipe.concurrency;
  return runJob({ out, name: "texts", kind: recipe.output, items: items(), work, settle, ahead, stop, onProgress });
}
