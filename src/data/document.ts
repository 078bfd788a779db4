/**
 * The shapes of text on its way to the model: a corpus record (one key, up to 29 translations) and a document.
 */
import type { Language } from "./languages.ts";

export type Split = "train" | "validation" | "test";

/**
 * What sort of text a record holds: an interface `message`, an `article` paragraph (UDHR), a `name` (CLDR display
 * names, emoji names and keywords), a `generated` sentence (numbers in words, cron explanations) or a `document`
 * (long prose, one language each).
 */
export type RecordKind = "message" | "article" | "name" | "generated" | "document";

/** One key of one source with its text in each language that has it. Splits are by key, so a key never straddles. */
export interface CorpusRecord {
  /** npm package that the text is from, e.g. `typescript` (version and licence are in the manifest). */
  source: string;
  /** Key inside the source, unique within it, e.g. `A_get_accessor_must_return_a_value_2378`. */
  key: string;
  kind: RecordKind;
  split: Split;
  /** NFC text by language. */
  text: Partial<Record<Language, string>>;
}

/** One piece of training text. */
export interface Document {
  id: string;
  text: string;
}
