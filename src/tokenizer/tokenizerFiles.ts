/**
 * @file Tokenizers as files. Read: Hugging Face's `tokenizer.json` of the Qwen2 family (Qwen1.5, Qwen2, Qwen2.5, Qwen3),
 * its older `vocab.json` with `merges.txt`, and tiktoken's `.tiktoken`. Written: Hugging Face's, which Python's
 * `tokenizers` and `transformers` load with the same ids. A file that asks for anything else than Qwen2's byte-level BPE
 * is refused with the place and the value, never read as something that it is not.
 *
 * Not read, for they change no ids: `truncation` and `padding` (Hugging Face sets them anew with every call),
 * `special_tokens_map.json` (the control tokens are found by their names).
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../util/assert.ts";
import { writeWhole } from "../util/runDir.ts";
import {
  type AddedToken,
  controlTokens,
  makeTokenizer,
  mergesOf,
  rankMap,
  SPECIAL_TOKENS,
  type Tokenizer,
  type Vocabulary,
} from "./bpe.ts";
import { chatTemplate, DEFAULT_SYSTEM } from "./chatTemplate.ts";
import { PATTERN } from "./pretokenize.ts";

/** The tokenizer in a model's directory. @throws UserError that names the file, the place and what was expected */
export function loadTokenizer(directory: string): Tokenizer {
  const { ranks, added } = loadVocabulary(directory);
  return makeTokenizer(ranks, added);
}

/** The vocabulary in a model's directory: of `tokenizer.json`, else `vocab.json` and `merges.txt`, else `.tiktoken`. */
export function loadVocabulary(directory: string): Vocabulary {
  const at = (name: string) => join(directory, name);
  if (existsSync(at("tokenizer.json"))) return readTokenizerJson(at("tokenizer.json"), at("tokenizer_config.json"));
  if (existsSync(at("vocab.json"))) return readVocabAndMerges(directory);
  const [name, another] = existsSync(directory) ? readdirSync(directory).filter((n) => n.endsWith(".tiktoken")) : [];
  if (name === undefined || another !== undefined)
    throw new UserError(
      `${directory}: ${another ? `holds ${name} and ${another}` : "holds no tokenizer"}; expected tokenizer.json, ` +
        "or vocab.json and merges.txt, or one .tiktoken file: give the directory of a model",
    );
  return readTiktoken(at(name));
}

const no = z.literal(false);
const none = z.union([z.null(), z.literal("")]).optional();
const addedToken = z.object({
  content: z.string().min(1),
  single_word: no,
  lstrip: no,
  rstrip: no,
  normalized: z.boolean(),
  special: z.boolean(),
});
/** What a `tokenizer.json` must say, beside its vocabulary and merges: that it is Qwen2's byte-level BPE. */
const tokenizerSchema = z.object({
  added_tokens: z.array(addedToken.extend({ id: z.int().nonnegative() })),
  normalizer: z.strictObject({ type: z.literal("NFC") }),
  pre_tokenizer: z.strictObject({
    type: z.literal("Sequence"),
    pretokenizers: z.tuple([
      z.strictObject({
        type: z.literal("Split"),
        pattern: z.strictObject({ Regex: z.literal(PATTERN) }),
        behavior: z.literal("Isolated"),
        invert: no,
      }),
      z.object({ type: z.literal("ByteLevel"), add_prefix_space: no, use_regex: no }),
    ]),
  }),
  post_processor: z.object({ type: z.literal("ByteLevel") }).nullish(), // it changes offsets, not ids
  decoder: z.object({ type: z.literal("ByteLevel") }),
  model: z.strictObject({
    type: z.literal("BPE"),
    dropout: z.union([z.null(), z.literal(0)]).optional(),
    unk_token: z.string().nullish(), // never used: all bytes are in the vocabulary
    fuse_unk: z.boolean().optional(),
    continuing_subword_prefix: none,
    end_of_word_suffix: none,
    byte_fallback: no.optional(),
    ignore_merges: z.boolean().optional(), // no matter: every token is reached by its merges
    vocab: z.custom<Record<string, number>>((vocab) => isObject(vocab), "expected an object of ids"),
    merges: z.array(z.custom<string | [string, string]>()),
  }),
});

const addedNames = z.object({
  added_tokens_decoder: z.record(z.string(), z.object({ content: z.string() })).optional(),
});

function readTokenizerJson(path: string, configPath: string): Vocabulary {
  const { model, added_tokens: added } = parse(tokenizerSchema, readJson(path), path);
  const config = existsSync(configPath) ? parse(addedNames, readJson(configPath), configPath) : {};
  for (const [id, { content }] of Object.entries(config.added_tokens_decoder ?? {}))
    if (!added.some((token) => `${token.id}` === id && token.content === content))
      throw new UserError(
        `${configPath}: ${content} (${id}) is not in tokenizer.json: save the tokenizer again with transformers`,
      );
  const merges = model.merges.map((merge) => (Array.isArray(merge) ? merge.join(" ") : merge));
  return vocabularyOf(path, model.vocab, merges, added);
}

/** The two files do not say how text is split: the class named in tokenizer_config.json does. */
const configSchema = z.object({
  tokenizer_class: z.enum(["Qwen2Tokenizer", "Qwen2TokenizerFast"]),
  add_prefix_space: no.nullish(),
  added_tokens_decoder: z.record(z.string().regex(/^\d+$/), addedToken),
});

function readVocabAndMerges(directory: string): Vocabulary {
  const at = (name: string) => join(directory, name);
  for (const name of ["merges.txt", "tokenizer_config.json"])
    if (!existsSync(at(name))) throw new UserError(`${at(name)}: is missing; vocab.json alone is no tokenizer: add it`);
  const config = parse(configSchema, readJson(at("tokenizer_config.json")), at("tokenizer_config.json"));
  const added = Object.entries(config.added_tokens_decoder).map(([id, token]) => ({ ...token, id: Number(id) }));
  const vocab = readJson(at("vocab.json"));
  if (!isObject(vocab)) throw new UserError(`${at("vocab.json")}: is not an object; expected the ids by token`);
  const lines = readFileSync(at("merges.txt"), "utf8").split("\n");
  const merges = lines.slice(lines[0].startsWith("#version") ? 1 : 0).filter((line) => line.trim() !== "");
  return vocabularyOf(at("vocab.json"), vocab as Record<string, number>, merges, added);
}

/** Byte strings by id of a Hugging Face vocabulary, once its merges are known to be the ones that the ids imply. */
function vocabularyOf(
  path: string,
  vocab: Record<string, number>,
  merges: readonly string[],
  addedTokens: readonly AddedToken[],
): Vocabulary {
  const fail = (what: string, remedy = "take the model's own files") => {
    throw new UserError(`${path}: ${what}: ${remedy}`);
  };
  const added = addedTokens.map(({ id, content, special, normalized }) => ({
    id,
    content,
    special: special || (SPECIAL_TOKENS as readonly string[]).includes(content),
    normalized,
  }));
  const addedId = new Map(added.map(({ content, id }) => [content, id]));
  const ranks: Uint8Array[] = [];
  const names: string[] = [];
  for (const [name, id] of Object.entries(vocab)) {
    if (addedId.get(name) === id) continue; // some files list added tokens here too
    const bytes = nameToBytes(name);
    if (!bytes) return fail(`vocab: ${JSON.stringify(name)} is not a name of bytes, as byte-level BPE has them`);
    if (!Number.isInteger(id) || id < 0) fail(`vocab: the id of ${JSON.stringify(name)} is ${id}`);
    if (names[id] !== undefined)
      fail(`vocab: ${JSON.stringify(names[id])} and ${JSON.stringify(name)} both have id ${id}`);
    ranks[id] = bytes;
    names[id] = name;
  }
  assertWhole(ranks, Object.keys(names).length, fail);

  for (const [i, { id, content }] of added.entries()) {
    if (id < ranks.length) fail(`added token ${content} has id ${id}, expected ${ranks.length} or more`);
    const twin = added.find((other, j) => j < i && (other.id === id || other.content === content));
    if (twin) fail(`added tokens ${twin.content} (${twin.id}) and ${content} (${id}) clash`);
  }
  for (const name of SPECIAL_TOKENS)
    if (!addedId.has(name)) fail(`no added token is ${name}`, "this is not a tokenizer of the Qwen2 family");

  const implied = mergesOf(ranks);
  const tokens = ranks.flatMap((bytes, id) => (bytes.length > 1 ? [id] : []));
  for (const [i, merge] of implied.entries()) {
    const expected = merge?.map((id) => names[id]).join(" ");
    if (expected === merges[i] && expected !== undefined) continue;
    const token = `token ${JSON.stringify(names[tokens[i]])} (id ${tokens[i]})`;
    fail(
      `merge ${i} is ${JSON.stringify(merges[i])}, but ${token} ${expected ? `comes of "${expected}"` : "comes of no merge"}`,
      "only vocabularies whose merges stand in the order of their ids are read",
    );
  }
  if (merges.length > implied.length) fail(`${merges.length} merges for ${implied.length} tokens`);
  return { ranks, added };
}

function assertWhole(ranks: readonly Uint8Array[], count: number, fail: (what: string) => void): void {
  if (ranks.length !== count) fail(`the ids of ${count} tokens reach ${ranks.length - 1}, expected 0 to ${count - 1}`);
  if (rankMap(ranks).size !== count) fail("two tokens have the same bytes");
  const singles = new Set(ranks.filter((bytes) => bytes.length === 1).map(([byte]) => byte));
  if (singles.size !== 256) fail(`${singles.size} of the 256 bytes are tokens, expected all`);
}

/** Lines of base64 and rank. The file names no control tokens: Qwen's code puts them after the ranks. */
function readTiktoken(path: string): Vocabulary {
  const fail = (what: string) => {
    throw new UserError(`${path}: ${what}: take the model's own file`);
  };
  const ranks: Uint8Array[] = [];
  let count = 0;
  for (const [i, line] of readFileSync(path, "utf8").split("\n").entries()) {
    if (line.trim() === "") continue;
    const [, base64, rank] =
      /^([A-Za-z0-9+/]+={0,2}) (\d+)\r?$/.exec(line) ?? fail(`line ${i + 1} is not base64 and a rank`)!;
    if (ranks[Number(rank)]) fail(`line ${i + 1}: rank ${rank} is there twice`);
    ranks[Number(rank)] = Buffer.from(base64, "base64");
    count++;
  }
  assertWhole(ranks, count, fail);
  return { ranks, added: controlTokens(ranks.length) };
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new UserError(`${path}: ${(error as Error).message}; expected a file of Hugging Face's`);
  }
}

function parse<T>(schema: z.ZodType<T>, value: unknown, path: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const got = issue.path.reduce<unknown>((inside, key) => (inside as Record<PropertyKey, unknown>)?.[key], value);
  throw new UserError(
    `${path}: ${issue.path.join(".") || "the file"} is ${JSON.stringify(got)?.slice(0, 200)}: ${issue.message}; ` +
      "only tokenizers of the Qwen2 family are read",
  );
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
  const special = controlTokens(ranks.length).map(({ id, content }) => ({ id, content, ...flags }));
  const names = ranks.map(bytesToName);
  const merges = mergesOf(ranks).map((merge) => {
    if (!merge) throw new Error("saveTokenizer: a token comes of no merge of two earlier ones");
    return `${names[merge[0]]} ${names[merge[1]]}`;
  });
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
      merges,
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
    tokenizer_class: "Qwen2Tokenizer",
    unk_token: null,
    ...specialMap,
  };
  mkdirSync(dir, { recursive: true });
  writeWhole(join(dir, "tokenizer.json"), `${JSON.stringify(tokenizer, null, 1)}\n`);
  writeWhole(join(dir, "tokenizer_config.json"), `${JSON.stringify(config, null, 2)}\n`);
  writeWhole(join(dir, "special_tokens_map.json"), `${JSON.stringify(specialMap, null, 2)}\n`);
  writeWhole(join(dir, "chat_template.jinja"), template);
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

/** The bytes of a token's name; undefined where a character names no byte. */
function nameToBytes(name: string): Uint8Array | undefined {
  const bytes = Array.from(name, (char) => BYTE_OF_NAME.get(char));
  return name === "" || bytes.includes(undefined) ? undefined : Uint8Array.from(bytes as number[]);
}
