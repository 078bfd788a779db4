/**
 * The tokenizer: byte-level BPE as in Qwen2, encoded by tiktoken (Rust in WebAssembly), stored as Hugging Face files.
 * Python's `tokenizers` and `transformers` read those files and give the same ids for the same text, with one
 * deliberate difference: text that spells a control token, such as `<|im_end|>`, is never read as one here.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Tiktoken } from "tiktoken";
import { UserError } from "../util/assert.ts";
import { writeWhole } from "../util/runDir.ts";
import { chatTemplate, DEFAULT_SYSTEM } from "./chatTemplate.ts";
import { normalize, PATTERN } from "./pretokenize.ts";

/** Qwen2's control tokens, in the order of their ids, which follow those of the vocabulary. */
export const SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] as const;

export interface Tokenizer {
  /** Number of ids: byte strings and control tokens. */
  readonly vocabSize: number;
  /** Ids of the control tokens. `endOfText` ends documents and pads; `imStart` and `imEnd` bracket chat messages. */
  readonly special: { endOfText: number; imStart: number; imEnd: number };
  /** Ids of the text after {@link normalize}; never a control token's, whatever the text. */
  encode(text: string): number[];
  /** The text of the ids: `decode(encode(x)) === normalize(x)`. Bytes that are not UTF-8 become U+FFFD. */
  decode(ids: readonly number[]): string;
  /** The bytes of one id; of a control token, the bytes of its name. */
  tokenBytes(id: number): Uint8Array;
  /** Releases the WebAssembly memory. `encode` throws afterwards. */
  free(): void;
}

/** A tokenizer from the vocabulary's byte strings by rank, as {@link trainBpe} gives them. */
export function makeTokenizer(ranks: readonly Uint8Array[]): Tokenizer {
  // tiktoken's compact format: "!", the first rank of the line, then the tokens in base64.
  const lines = `! 0 ${ranks.map((bytes) => Buffer.from(bytes).toString("base64")).join(" ")}`;
  const tiktoken = new Tiktoken(lines, {}, PATTERN); // it knows no control tokens, so it cannot yield one
  const bytesById = [...ranks, ...SPECIAL_TOKENS.map((name) => new TextEncoder().encode(name))];
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true }); // that is: keep a leading U+FEFF

  const tokenBytes = (id: number) => {
    const bytes = bytesById[id];
    if (bytes === undefined) throw new Error(`tokenizer: id ${id} is not in the vocabulary of ${bytesById.length}`);
    return bytes;
  };
  return {
    vocabSize: bytesById.length,
    special: { endOfText: ranks.length, imStart: ranks.length + 1, imEnd: ranks.length + 2 },
    encode: (text) => Array.from(tiktoken.encode_ordinary(normalize(text))),
    decode: (ids) => utf8.decode(Buffer.concat(ids.map(tokenBytes))),
    tokenBytes,
    free: () => tiktoken.free(),
  };
}

export interface SaveTokenizerOptions {
  /** System message of chats that bring none; null for none (see {@link renderChat}). */
  defaultSystem?: string | null;
  /** Longest sequence of the model that uses the tokenizer, for `model_max_length`. */
  maxLength?: number;
}

/**
 * Writes `tokenizer.json`, `tokenizer_config.json`, `special_tokens_map.json` and `chat_template.jinja` to `dir`.
 * Each file is written beside its place and renamed, so a reader never sees half a file.
 */
export function saveTokenizer(dir: string, ranks: readonly Uint8Array[], options: SaveTokenizerOptions = {}): void {
  const { defaultSystem = DEFAULT_SYSTEM, maxLength = 32768 } = options;
  const [endOfText, imStart, imEnd] = SPECIAL_TOKENS;
  const template = chatTemplate(defaultSystem);
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const special = SPECIAL_TOKENS.map((content, i) => ({ id: ranks.length + i, content, ...flags }));
  const names = ranks.map(bytesToName);
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false };
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special,
    normalizer: { type: "NFC" },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [{ type: "Split", pattern: { Regex: PATTERN }, behavior: "Isolated", invert: false }, byteLevel],
    },
    post_processor: byteLevel,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(names.map((name, rank) => [name, rank])),
      merges: mergesOf(ranks).map(([left, right]) => `${names[left]} ${names[right]}`),
    },
  };
  const specialMap = { eos_token: imEnd, pad_token: endOfText, additional_special_tokens: [imStart, imEnd] };
  const config = {
    add_prefix_space: false,
    added_tokens_decoder: Object.fromEntries(special.map(({ id, ...rest }) => [id, rest])),
    bos_token: null,
    chat_template: template,
    clean_up_tokenization_spaces: false,
    errors: "replace",
    model_max_length: maxLength,
    split_special_tokens: false,
    tokenizer_class: "PreTrainedTokenizerFast", // Qwen2's own class would put its pattern in place of ours
    unk_token: null,
    ...specialMap,
  };
  mkdirSync(dir, { recursive: true });
  writeWhole(join(dir, "tokenizer.json"), `${JSON.stringify(tokenizer, null, 1)}\n`);
  writeWhole(join(dir, "tokenizer_config.json"), `${JSON.stringify(config, null, 2)}\n`);
  writeWhole(join(dir, "special_tokens_map.json"), `${JSON.stringify(specialMap, null, 2)}\n`);
  writeWhole(join(dir, "chat_template.jinja"), template);
}

/** The tokenizer that {@link saveTokenizer} wrote to `dir`. */
export function loadTokenizer(dir: string): Tokenizer {
  return makeTokenizer(loadRanks(dir));
}

/** The vocabulary's byte strings by rank, from `tokenizer.json` in `dir`. */
export function loadRanks(dir: string): Uint8Array[] {
  const path = join(dir, "tokenizer.json");
  const refuse = (got: string): never => {
    throw new UserError(`${path}: ${got}; expected a tokenizer written by saveTokenizer`);
  };
  let file: StoredTokenizer;
  try {
    file = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    return refuse((error as Error).message);
  }
  if (file.model?.type !== "BPE") return refuse(`the model is ${file.model?.type}`);
  if (file.pre_tokenizer?.pretokenizers?.[0]?.pattern?.Regex !== PATTERN) return refuse("another Split pattern");
  const ranks: Uint8Array[] = [];
  for (const [name, rank] of Object.entries(file.model.vocab)) ranks[rank] = nameToBytes(name);
  const count = Object.keys(file.model.vocab).length;
  if (ranks.length !== count) refuse(`the ranks of ${count} tokens reach ${ranks.length}`);
  const special = file.added_tokens.map(({ id, content }) => `${content} ${id}`).join(", ");
  const expected = SPECIAL_TOKENS.map((content, i) => `${content} ${count + i}`).join(", ");
  if (special !== expected) refuse(`the added tokens are ${special}, not ${expected}`);
  return ranks;
}

/** The parts of `tokenizer.json` that {@link loadRanks} reads. */
interface StoredTokenizer {
  added_tokens: { id: number; content: string }[];
  pre_tokenizer?: { pretokenizers?: { pattern?: { Regex?: string } }[] };
  model?: { type: string; vocab: Record<string, number> };
}

/**
 * The merge that made each rank above 255, as two ranks: what is left of its bytes after all earlier merges. tiktoken
 * merges any neighbours whose join is in the vocabulary, Hugging Face only listed pairs. For ranks learned by merging
 * the two agree: the earlier merges leave exactly these two parts of a token's bytes wherever they stand.
 */
export function mergesOf(ranks: readonly Uint8Array[]): [number, number][] {
  const rankOf = new Map(ranks.map((bytes, rank) => [Buffer.from(bytes).toString("latin1"), rank]));
  return ranks.slice(256).map((bytes, i) => {
    const parts = encodeWithRanks(Buffer.from(bytes).toString("latin1"), rankOf, 256 + i);
    if (parts.length !== 2) throw new Error(`rank ${256 + i} is not a merge of two earlier ranks`);
    return [parts[0], parts[1]];
  });
}

/**
 * BPE of one pre-token as its definition says, quadratic: join the neighbours of lowest joint rank, the leftmost of
 * equals, until no join is below `limit`. Bytes are written as Latin-1 characters. The oracle of tiktoken in the tests.
 */
export function encodeWithRanks(bytes: string, rankOf: ReadonlyMap<string, number>, limit = Infinity): number[] {
  const parts = [...bytes];
  for (;;) {
    let best = limit;
    let at = -1;
    for (let i = 0; i + 1 < parts.length; i++) {
      const rank = rankOf.get(parts[i] + parts[i + 1]) ?? Infinity;
      if (rank < best) [best, at] = [rank, i];
    }
    if (at < 0) return parts.map((part) => rankOf.get(part)!);
    parts.splice(at, 2, parts[at] + parts[at + 1]);
  }
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

/** GPT-2's names of the bytes: printable Latin-1 stands for itself, the other 68 bytes for U+0100 onwards. */
const BYTE_NAMES = (() => {
  const isPrintable = (b: number) => (b > 32 && b < 127) || (b > 160 && b < 256 && b !== 173);
  let next = 256;
  return Array.from({ length: 256 }, (_, b) => String.fromCharCode(isPrintable(b) ? b : next++));
})();
const BYTE_OF_NAME = new Map(BYTE_NAMES.map((name, byte) => [name, byte]));

function bytesToName(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => BYTE_NAMES[byte]).join("");
}

function nameToBytes(name: string): Uint8Array {
  return Uint8Array.from(name, (char) => BYTE_OF_NAME.get(char)!);
}
