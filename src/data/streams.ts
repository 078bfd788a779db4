/**
 * The 32 streams of training text: monolingual documents of each language, parallel, knowledge and synthetic data
 * (paper section 3.1). Only records of the training split go in.
 */
import type { Tokenizer } from "../tokenizer/bpe.ts";
import { groupBy, roundRobin } from "../util/arrays.ts";
import { makeRandom } from "../util/random.ts";
import type { Facts } from "./corpus.ts";
import type { CorpusRecord, Document } from "./document.ts";
import { makeKnowledgeDocuments, makeKnowledgeItems } from "./knowledge.ts";
import { LANGUAGES, type Language } from "./languages.ts";
import type { StreamName } from "./mixture.ts";
import { joinDocuments } from "./pack.ts";
import { makeParallelDocuments } from "./parallel.ts";
import { makeSyntheticDocuments } from "./synthetic.ts";

export interface StreamOptions {
  seed: number;
  /** Upper bound of each stream's characters: documents after it are left out. Default: no bound. */
  maxCharacters?: number;
}

/** Sizes of the made streams, a little over what the presets draw (CHOSEN). */
const KNOWLEDGE = { documentsPerTask: 1200, itemsPerDocument: 8 };
const SYNTHETIC = { documentsPerLanguage: 60 };

/** A monolingual document ends with the segment that takes it over this many characters (CHOSEN). */
const DOCUMENT_CHARACTERS = 600;

/** Every stream's documents, in training order. */
export function makeStreams(
  records: readonly CorpusRecord[],
  facts: Facts,
  { seed, maxCharacters = Number.POSITIVE_INFINITY }: StreamOptions,
): Record<StreamName, Document[]> {
  const train = records.filter((record) => record.split === "train");
  const items = makeKnowledgeItems(train, facts, "train");
  const streams = {
    ...Object.fromEntries(LANGUAGES.map((language) => [language, makeMonolingualDocuments(train, language, seed)])),
    parallel: makeParallelDocuments(train, { seed }),
    knowledge: makeKnowledgeDocuments(items, { seed, ...KNOWLEDGE }),
    synthetic: makeSyntheticDocuments(train, facts, { seed, ...SYNTHETIC }),
  } as Record<StreamName, Document[]>;
  for (const name of Object.keys(streams) as StreamName[]) streams[name] = capped(streams[name], maxCharacters);
  return streams;
}

/**
 * One language's text: consecutive segments of a source joined by line breaks, so that neighbouring messages of one
 * program stay together, articles in order, and long documents in parts. Generated sentences (numbers, cron) and keyword
 * lists belong to the knowledge stream. Prose and messages take turns with names, which would otherwise be most of the text
 * of the poorest languages (CHOSEN: one to one, while there is any).
 */
export function makeMonolingualDocuments(train: readonly CorpusRecord[], language: Language, seed: number): Document[] {
  const segments = train.filter(
    ({ kind, key, text }) => text[language] && kind !== "generated" && !key.startsWith("emoji-keywords/"),
  );
  const documents: { names: Document[]; prose: Document[] } = { names: [], prose: [] };
  for (const [source, ofSource] of groupBy(segments, (record) => record.source)) {
    const texts =
      ofSource[0].kind === "document"
        ? ofSource.flatMap(({ text }) => joinSegments(text[language]!.split("\n")))
        : joinSegments(ofSource.map(({ text }) => text[language]!));
    const target = ofSource[0].kind === "name" ? documents.names : documents.prose;
    texts.forEach((lines, i) => {
      target.push({ id: `${language}/${source}/${i}`, text: lines.join("\n") });
    });
  }
  const shuffled = [documents.prose, documents.names].map((some) =>
    makeRandom(seed, "monolingual", language).shuffle(some),
  );
  return roundRobin(shuffled);
}

/** Consecutive segments in groups of at least {@link DOCUMENT_CHARACTERS}; what a group has already is left out. */
function joinSegments(segments: readonly string[]): string[][] {
  const groups: string[][] = [[]];
  let length = 0;
  for (const segment of segments) {
    if (length >= DOCUMENT_CHARACTERS) {
      groups.push([]);
      length = 0;
    }
    const group = groups[groups.length - 1];
    if (group.includes(segment)) continue;
    group.push(segment);
    length += segment.length;
  }
  return groups;
}

function capped(documents: readonly Document[], maxCharacters: number): Document[] {
  let length = 0;
  const end = documents.findIndex(({ text }) => {
    length += text.length;
    return length > maxCharacters;
  });
  return end === -1 ? [...documents] : documents.slice(0, Math.max(1, end));
}

/** Each stream as one run of tokens, every document followed by <|endoftext|>. */
export function tokenizeStreams(
  tokenizer: Tokenizer,
  streams: Record<StreamName, Document[]>,
): Record<StreamName, Int32Array> {
  const entries = Object.entries(streams).map(([name, documents]) => {
    const ids = documents.map(({ text }) => tokenizer.encode(text));
    return [name, joinDocuments(ids, tokenizer.special.endOfText)];
  });
  return Object.fromEntries(entries);
}

/** The first documents of a stream, up to `maxBytes` bytes of UTF-8: what the tokenizer is trained on. */
export function sampleTexts(documents: readonly Document[], maxBytes: number): string[] {
  const texts: string[] = [];
  for (let bytes = 0, i = 0; i < documents.length && bytes < maxBytes; i++) {
    texts.push(documents[i].text);
    bytes += Buffer.byteLength(documents[i].text);
  }
  return texts;
}
