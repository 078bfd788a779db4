/**
 * The tokenizer: byte-level BPE as in Qwen2, encoded by tiktoken (Rust in WebAssembly). It gives the ids of Hugging
 * Face's `tokenizers` for the same files (tokenizerFiles.ts), with one deliberate difference: text that spells a control
 * token, such as `<|im_end|>`, is never read as one here. (Hugging Face does the same with `split_special_tokens`.)
 *
 * tiktoken takes time quadratic in the length of a pre-token: 37 s for 200,000 times `a`. Text with a long pre-token is
 * encoded by {@link mergeBytes} instead, in n log n: other code, same ids.
 */
import { Tiktoken } from "tiktoken";
import { PairHeap } from "./heap.ts";
import { hasLongPretoken, normalize, PATTERN, pretokenize } from "./pretokenize.ts";

/** Qwen2's control tokens, in the order of their ids, which follow those of the vocabulary. */
export const SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] as const;

export interface Tokenizer {
  /** Number of ids: byte strings and added tokens. */
  readonly vocabSize: number;
  /** Ids of the control tokens. `endOfText` ends documents and pads; `imStart` and `imEnd` bracket chat messages. */
  readonly special: { endOfText: number; imStart: number; imEnd: number };
  /** Ids of the text after {@link normalize}; never a control token's, whatever the text. */
  encode(text: string): number[];
  /** The text of the ids: `decode(encode(x)) === normalize(x)`. Bytes that are not UTF-8 become U+FFFD. */
  decode(ids: readonly number[]): string;
  /** The bytes of one id; of an added token, the bytes of its name. */
  tokenBytes(id: number): Uint8Array;
  /** Releases the WebAssembly memory. `encode` throws afterwards. */
  free(): void;
}

/** A token beside the vocabulary: a control token, or a word that Hugging Face takes out of the text before BPE. */
export interface AddedToken {
  id: number;
  content: string;
  /** A control token: never read from text. */
  special: boolean;
  /** Looked for in normalised text, not in the text as it is. */
  normalized: boolean;
}

/** A vocabulary: the byte strings by rank, which is their id, as {@link trainBpe} gives them, and the added tokens. */
export interface Vocabulary {
  ranks: readonly Uint8Array[];
  added: readonly AddedToken[];
}

/** Qwen2's control tokens after a vocabulary of `count` byte strings. */
export function controlTokens(count: number): AddedToken[] {
  return SPECIAL_TOKENS.map((content, i) => ({ id: count + i, content, special: true, normalized: false }));
}

export function makeTokenizer(
  ranks: readonly Uint8Array[],
  added: readonly AddedToken[] = controlTokens(ranks.length),
): Tokenizer {
  // tiktoken's compact format: "!", the first rank of the line, then the tokens in base64.
  const lines = `! 0 ${ranks.map((bytes) => Buffer.from(bytes).toString("base64")).join(" ")}`;
  const tiktoken = new Tiktoken(lines, {}, PATTERN); // it knows no added tokens, so it cannot yield one
  let rankOf: Map<string, number> | undefined; // for long pre-tokens, which most texts do not have
  const bytesById = [...ranks];
  for (const { id, content } of added) bytesById[id] = new TextEncoder().encode(content);
  for (let id = ranks.length; id < bytesById.length; id++) bytesById[id] ??= new Uint8Array(); // a gap is no text
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true }); // that is: keep a leading U+FEFF

  const encodePlain = (text: string) => {
    if (!hasLongPretoken(text)) return tiktoken.encode_ordinary(text);
    rankOf ??= rankMap(ranks);
    const ids: number[] = [];
    for (const word of pretokenize(text)) pushAll(ids, mergeBytes(latin1(word), rankOf));
    return ids;
  };
  const encodeNormalized = splitAt(
    added.filter(({ normalized }) => normalized).map((token) => ({ ...token, content: normalize(token.content) })),
    encodePlain,
  );
  const encode = splitAt(
    added.filter(({ normalized }) => !normalized),
    (text) => encodeNormalized(normalize(text)),
  );

  const idOf = (name: string) => {
    const token = added.find(({ content }) => content === name);
    if (!token) throw new Error(`makeTokenizer: no added token is ${name}`);
    return token.id;
  };
  const [endOfText, imStart, imEnd] = SPECIAL_TOKENS.map(idOf);
  const tokenBytes = (id: number) => {
    const bytes = bytesById[id];
    if (bytes === undefined) throw new Error(`tokenizer: id ${id} is not in the vocabulary of ${bytesById.length}`);
    return bytes;
  };
  return {
    vocabSize: bytesById.length,
    special: { endOfText, imStart, imEnd },
    encode: (text) => Array.from(encode(text)),
    decode: (ids) => utf8.decode(Buffer.concat(ids.map(tokenBytes))),
    tokenBytes,
    free: () => tiktoken.free(),
  };
}

type Encoder = (text: string) => ArrayLike<number>;

/**
 * An encoder that takes `tokens` out of the text, the leftmost longest first, and gives the rest to `encodeRest`. As in
 * Hugging Face's `split_special_tokens`, the name of a control token is found like any other but stays text.
 */
function splitAt(tokens: readonly AddedToken[], encodeRest: Encoder): Encoder {
  if (tokens.every(({ special }) => special)) return encodeRest;
  const tokenOf = new Map(tokens.map((token) => [token.content, token]));
  const names = [...tokenOf.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(names.map((name) => name.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")).join("|"), "gu");
  return (text) => {
    const ids: number[] = [];
    let start = 0;
    for (const { 0: name, index } of text.matchAll(pattern)) {
      const { id, special } = tokenOf.get(name)!;
      if (special) continue;
      if (index > start) pushAll(ids, encodeRest(text.slice(start, index)));
      ids.push(id);
      start = index + name.length;
    }
    if (start < text.length) pushAll(ids, encodeRest(text.slice(start)));
    return ids;
  };
}

function pushAll(ids: number[], more: ArrayLike<number>): void {
  for (let i = 0; i < more.length; i++) ids.push(more[i]);
}

/** UTF-8 bytes, written as Latin-1 characters. */
const latin1 = (text: string) => Buffer.from(text).toString("latin1");

/** Rank by byte string, written as Latin-1 characters. */
export function rankMap(ranks: readonly Uint8Array[]): Map<string, number> {
  return new Map(ranks.map((bytes, rank) => [Buffer.from(bytes).toString("latin1"), rank]));
}

/**
 * The merge that made each token of two bytes or more, as two ranks: what is left of its bytes after all earlier merges;
 * undefined where that is not two tokens, so that no merge makes it.
 *
 * tiktoken merges any neighbours whose join is in the vocabulary, Hugging Face only listed pairs. Where every token has
 * its merge, and Hugging Face lists exactly these by rank, the two agree on every text: the earlier merges leave exactly
 * these two parts of a token's bytes wherever they stand, so no other two of its parts are ever neighbours.
 */
export function mergesOf(ranks: readonly Uint8Array[]): ([number, number] | undefined)[] {
  const rankOf = rankMap(ranks);
  const merges: ([number, number] | undefined)[] = [];
  for (const [bytes, rank] of rankOf) {
    if (bytes.length === 1) continue;
    const parts = mergeBytes(bytes, rankOf, rank);
    merges.push(parts.length === 2 ? [parts[0], parts[1]] : undefined);
  }
  return merges;
}

/** No join is in the vocabulary. */
const NEVER = 2 ** 31 - 1;
/** From how many bytes a heap finds the next join faster than a look at all of them. */
const LONG = 64;

/**
 * BPE of one pre-token (bytes as Latin-1 characters), by its definition: join the neighbours of lowest joint rank, the
 * leftmost of equals, until no join is below `limit`. The heap also holds joins that others have undone: one is still
 * there if the part at its place joins its right neighbour at the same rank. All joins that a place ever has are of
 * different lengths, so of different ranks.
 */
export function mergeBytes(bytes: string, rankOf: ReadonlyMap<string, number>, limit = NEVER): number[] {
  const known = rankOf.get(bytes);
  if (known !== undefined && known < limit) return [known]; // as tiktoken: a pre-token of the vocabulary is one token
  const n = bytes.length;
  const ends: number[] = []; // the part at i is bytes i to ends[i] - 1
  const starts: number[] = []; // the part before i is at starts[i]
  for (let i = 0; i < n; i++) {
    ends.push(i + 1);
    starts.push(i - 1);
  }
  const joins = ends.map((_, i) => rankOfJoin(bytes, ends, i, rankOf)); // of the part at i with the next
  const heap = n < LONG ? undefined : new PairHeap();
  for (let i = 0; heap && i < n; i++) if (joins[i] < limit) heap.push(-joins[i], i);
  for (;;) {
    const at = heap ? lowestOfHeap(heap, joins) : lowestOfAll(ends, joins, limit);
    if (at < 0) break;
    joins[ends[at]] = NEVER; // the right part is no more
    ends[at] = ends[ends[at]];
    starts[ends[at]] = at;
    for (const i of at > 0 ? [at, starts[at]] : [at]) {
      joins[i] = rankOfJoin(bytes, ends, i, rankOf);
      if (heap && joins[i] < limit) heap.push(-joins[i], i);
    }
  }
  const ids: number[] = [];
  for (let i = 0; i < n; i = ends[i]) ids.push(rankOf.get(bytes.slice(i, ends[i]))!);
  return ids;
}

// Functions of their own, not closures of mergeBytes: it runs once a word, and making closures would take as long.
function rankOfJoin(bytes: string, ends: readonly number[], i: number, rankOf: ReadonlyMap<string, number>): number {
  const end = ends[i];
  return (end < bytes.length ? rankOf.get(bytes.slice(i, ends[end])) : undefined) ?? NEVER;
}

/** The place of the lowest join, the leftmost of equals; -1 where none is below `limit`. */
function lowestOfAll(ends: readonly number[], joins: readonly number[], limit: number): number {
  let best = 0;
  for (let i = 0; i < ends.length; i = ends[i]) if (joins[i] < joins[best]) best = i;
  return joins[best] < limit ? best : -1;
}

function lowestOfHeap(heap: PairHeap, joins: readonly number[]): number {
  while (heap.size > 0) {
    const { weight, key } = heap.pop();
    if (joins[key] === -weight) return key;
  }
  return -1;
}

/** UTF-8 bytes per token in each language: how well the vocabulary serves it. More is better. */
export function bytesPerToken(
  tokenizer: Tokenizer,
  textsByLanguage: Record<string, readonly string[]>,
): Record<string, number> {
  const ratio = (texts: readonly string[]) => {
    let bytes = 0;
    let tokens = 0;
    for (const text of texts) {
      bytes += Buffer.byteLength(normalize(text));
      tokens += tokenizer.encode(text).length;
    }
    return bytes / tokens;
  };
  return Object.fromEntries(Object.entries(textsByLanguage).map(([language, texts]) => [language, ratio(texts)]));
}
