/**
 * @file Repeated passages of a language's documents, with bounded memory: token ids wait in a file for each language, and
 * are compared so many at once. Texts are not kept.
 */
import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Tokenizer } from "../../tokenizer/bpe.ts";
import { findRepeats, type Repeat, tokenEnds } from "../dedup/substring.ts";
import type { Recipe } from "./recipe.ts";

/** Of a document: the tokens that are a repeat, and in which document they are first. */
export type Passage = Pick<Repeat, "from" | "to"> & { first: { document: number } };

export interface PassageStore {
  /** Documents by their number, in growing order. */
  add(document: number, language: string, text: string): void;
  /** The passages to cut, by document. */
  find(isGone: (document: number) => boolean, onPart?: () => Promise<void>): Promise<Map<number, Passage[]>>;
  /** Where each token of a text ends, in bytes of its normalised UTF-8. */
  ends(text: string): Uint32Array;
  /** How many parts each language was compared in. */
  parts: Record<string, number>;
}

/** Bytes that are held before they are written. */
const HELD = 1 << 20;

interface LanguageTokens {
  file: number;
  held: Uint8Array[];
  heldBytes: number;
  documents: number[];
  lengths: number[];
}

/** `folder` is made and removed again. Without a tokenizer the tokens are UTF-8 bytes. */
export function makePassageStore(
  folder: string,
  options: Exclude<Recipe["substring"], false>,
  tokenizer?: Tokenizer,
): PassageStore {
  rmSync(folder, { recursive: true, force: true });
  const languages = new Map<string, LanguageTokens>();
  const parts: Record<string, number> = {};
  const width = tokenizer ? 4 : 1;
  const least = tokenizer ? options.tokens : options.bytes;
  const flush = (tokens: LanguageTokens) => {
    for (const bytes of tokens.held) for (let at = 0; at < bytes.length; ) at += writeSync(tokens.file, bytes, at);
    tokens.held = [];
    tokens.heldBytes = 0;
  };
  const open = (language: string): LanguageTokens => {
    mkdirSync(folder, { recursive: true });
    const file = openSync(join(folder, language), "w+");
    return { file, held: [], heldBytes: 0, documents: [], lengths: [] };
  };
  const idsOf = (text: string): Uint8Array | Uint32Array =>
    tokenizer ? Uint32Array.from(tokenizer.encode(text)) : Buffer.from(text);

  return {
    parts,
    ends: (text) =>
      tokenizer
        ? tokenEnds(tokenizer.encode(text), tokenizer.tokenBytes)
        : Uint32Array.from({ length: Buffer.byteLength(text) }, (_, i) => i + 1),
    add(document, language, text) {
      const ids = idsOf(text);
      const tokens = languages.get(language) ?? open(language);
      languages.set(language, tokens);
      tokens.documents.push(document);
      tokens.lengths.push(ids.length);
      tokens.held.push(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength));
      tokens.heldBytes += ids.byteLength;
      if (tokens.heldBytes >= HELD) flush(tokens);
    },
    async find(isGone, onPart) {
      const found = new Map<number, Passage[]>();
      for (const [language, tokens] of [...languages].sort(([a], [b]) => (a < b ? -1 : 1))) {
        flush(tokens);
        let position = 0; // in tokens
        let part: { document: number; ids: Uint8Array | Uint32Array }[] = [];
        let size = 0;
        const compare = async () => {
          if (part.length === 0) return;
          parts[language] = (parts[language] ?? 0) + 1;
          const ids = part.map(({ ids }) => ids);
          for (const { document, from, to, first } of findRepeats(ids, { tokens: least, keep: options.keep })) {
            const { document: number } = part[document];
            const passage = { from, to, first: { document: part[first.document].document } };
            found.set(number, [...(found.get(number) ?? []), passage]);
          }
          part = [];
          size = 0;
          await onPart?.();
        };
        for (const [i, document] of tokens.documents.entries()) {
          const length = tokens.lengths[i];
          if (!isGone(document)) {
            if (size > 0 && size + length > options.tokensAtOnce) await compare();
            part.push({ document, ids: readTokens(tokens.file, position, length, width) });
            size += length;
          }
          position += length;
        }
        await compare();
        closeSync(tokens.file);
      }
      rmSync(folder, { recursive: true, force: true });
      return found;
    },
  };
}

function readTokens(file: number, position: number, length: number, width: number): Uint8Array | Uint32Array {
  const bytes = new Uint8Array(length * width);
  for (let at = 0; at < bytes.length; ) {
    const n = readSync(file, bytes, at, bytes.length - at, position * width + at);
    if (n === 0) throw new Error("tokens: the file is shorter than what was written");
    at += n;
  }
  return width === 1 ? bytes : new Uint32Array(bytes.buffer);
}
