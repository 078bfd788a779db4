import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadTokenizer, loadVocabulary, saveTokenizer } from "../../src/tokenizer/tokenizerFiles.ts";
import { trainBpe } from "../../src/tokenizer/trainBpe.ts";
import { UserError } from "../../src/util/assert.ts";
import { GOLDEN, SMALL_DIR, SMALL_VOCAB_SIZE, UDHR } from "./fixtures.ts";

const temporary = mkdtempSync(join(tmpdir(), "tokenizer-"));
afterAll(() => rmSync(temporary, { recursive: true }));
let count = 0;
/** A directory with these files; objects become JSON. */
function directoryWith(files: Record<string, unknown>): string {
  const directory = join(temporary, `${count++}`);
  mkdirSync(directory);
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(directory, name), typeof content === "string" ? content : JSON.stringify(content));
  return directory;
}

const ranks = trainBpe(UDHR, { vocabSize: SMALL_VOCAB_SIZE });
const read = (name: string) => JSON.parse(readFileSync(join(SMALL_DIR, name), "utf8"));
const small = read("tokenizer.json");
const flags = { single_word: false, lstrip: false, rstrip: false };

/** The golden texts come out as Hugging Face has them. */
function expectGolden(directory: string, texts = GOLDEN.texts): void {
  const tokenizer = loadTokenizer(directory);
  for (const { text, ids } of texts) expect(tokenizer.encode(text), text).toEqual(ids);
  tokenizer.free();
}

describe("saveTokenizer", () => {
  it("writes exactly the committed files, so training has not changed", () => {
    const directory = join(temporary, "saved");
    saveTokenizer(directory, ranks);
    const names = ["chat_template.jinja", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"];
    expect(readdirSync(directory).sort()).toEqual(names);
    for (const name of names)
      expect(readFileSync(join(directory, name), "utf8")).toBe(readFileSync(join(SMALL_DIR, name), "utf8"));
  });

  it("refuses ranks that no merges make", () => {
    const broken = [...ranks, new Uint8Array([1, 2, 3])];
    expect(() => saveTokenizer(join(temporary, "broken"), broken)).toThrow("comes of no merge");
    expect(existsSync(join(temporary, "broken"))).toBe(false);
  });
});

describe("loadTokenizer", () => {
  it("reads what saveTokenizer wrote", () => {
    expect(loadVocabulary(SMALL_DIR).ranks).toEqual(ranks);
    expectGolden(SMALL_DIR);
  });

  it("reads newer layouts: merges as pairs, ignore_merges, more added tokens, some also in the vocabulary", () => {
    const added = [...small.added_tokens, ...GOLDEN.added.tokens.map((token) => ({ ...token, ...flags }))];
    const merges = small.model.merges.map((merge: string) => merge.split(" "));
    const vocab = { ...small.model.vocab, "<|endoftext|>": 597 };
    const model = { ...small.model, merges, vocab, ignore_merges: true };
    const truncation = { max_length: 4 };
    const directory = directoryWith({ "tokenizer.json": { ...small, added_tokens: added, model, truncation } });
    expectGolden(directory, GOLDEN.added.texts);
    expectGolden(directory);
    expect(loadTokenizer(directory).special).toEqual({ endOfText: 597, imStart: 598, imEnd: 599 });
  });

  it("finds the control tokens by name and never reads them from text, whatever their flags", () => {
    const contents = ["<|im_end|>", "<other>", "<|endoftext|>", "<|im_start|>"];
    const added = contents.map((content, i) => ({ id: 650 + i, content, special: false, normalized: false, ...flags }));
    const tokenizer = loadTokenizer(directoryWith({ "tokenizer.json": { ...small, added_tokens: added } }));
    expect(tokenizer.special).toEqual({ endOfText: 652, imStart: 653, imEnd: 650 });
    expect(tokenizer.vocabSize).toBe(654);
    expect(tokenizer.encode("<|im_end|><other>").filter((id) => id > 600)).toEqual([651]);
    tokenizer.free();
  });

  const vocabAndMerges = {
    "vocab.json": small.model.vocab,
    "merges.txt": `#version: 0.2\n${small.model.merges.join("\n")}\n`,
    "tokenizer_config.json": read("tokenizer_config.json"),
  };
  it("reads vocab.json and merges.txt", () => expectGolden(directoryWith(vocabAndMerges)));

  const tiktoken = ranks.map((bytes, rank) => `${Buffer.from(bytes).toString("base64")} ${rank}\n`);
  it("reads a .tiktoken file, and names one of no merges as tiktoken does", () => {
    expectGolden(directoryWith({ "qwen.tiktoken": tiktoken.join("") }));
    const odd = loadTokenizer(directoryWith({ "a.tiktoken": `${tiktoken.join("")}${btoa("qqqq")} 597\n` }));
    expect(odd.encode("qqqq qqqq")).toEqual([597, 32, ...Buffer.from("qqqq")]); // only as a whole pre-token
    odd.free();
  });

  /** tokenizer.json with the value at the path replaced. */
  const changed = (path: string, value: unknown) => {
    const file = structuredClone(small);
    const keys = path.split(".");
    const last = keys.pop()!;
    keys.reduce((inside, key) => inside[key], file)[last] = value;
    return { "tokenizer.json": file };
  };
  const vocabWith = (change: Record<string, unknown>, less: string[] = []) => {
    const vocab = Object.entries(small.model.vocab).filter(([name]) => !less.includes(name));
    return changed("model.vocab", { ...Object.fromEntries(vocab), ...change });
  };
  const names = Object.keys(small.model.vocab);
  const [first, second, ...others] = small.model.merges;
  const added = (change: object) => changed("added_tokens.1", { ...small.added_tokens[1], ...change });

  // Of the text abc, Hugging Face makes a bc (no merge joins these), tiktoken abc.
  const bytesAnd = (words: string[]) => [...Object.keys(small.model.vocab).slice(0, 256), ...words];
  const inconsistent = {
    "tokenizer.json": {
      ...small,
      model: {
        ...small.model,
        vocab: Object.fromEntries(bytesAnd(["bc", "ab", "abc"]).map((name, id) => [name, id])),
        merges: ["b c", "a b", "ab c"],
      },
    },
  };

  it.each<[string, Record<string, unknown>, string]>([
    ["nothing there", {}, "holds no tokenizer; expected tokenizer.json, or vocab.json"],
    ["not JSON", { "tokenizer.json": "{" }, "tokenizer.json: "],
    ["another JSON value", { "tokenizer.json": "null" }, "the file is null"],
    ["another model", changed("model.type", "Unigram"), 'model.type is "Unigram"'],
    ["dropout", changed("model.dropout", 0.1), "model.dropout is 0.1"],
    ["byte_fallback", changed("model.byte_fallback", true), "model.byte_fallback is true"],
    ["a prefix", changed("model.continuing_subword_prefix", "##"), 'model.continuing_subword_prefix is "##"'],
    ["an unknown option of the model", changed("model.novelty", 1), "novelty"],
    ["no normalizer", changed("normalizer", null), "normalizer is null"],
    ["another normalizer", changed("normalizer.type", "NFKC"), 'normalizer.type is "NFKC"'],
    ["no pre-tokenizer", changed("pre_tokenizer", null), "pre_tokenizer is null"],
    ["another pattern", changed("pre_tokenizer.pretokenizers.0.pattern.Regex", "\\w+"), 'Regex is "\\\\w+"'],
    ["other splits", changed("pre_tokenizer.pretokenizers.0.behavior", "Removed"), 'behavior is "Removed"'],
    ["a prefix space", changed("pre_tokenizer.pretokenizers.1.add_prefix_space", true), "add_prefix_space is true"],
    ["a third pre-tokenizer", changed("pre_tokenizer.pretokenizers.2", { type: "Digits" }), "pretokenizers"],
    ["tokens put around a text", changed("post_processor", { type: "TemplateProcessing" }), "post_processor.type"],
    ["another decoder", changed("decoder", { type: "Metaspace" }), "decoder.type"],
    ["a vocabulary that is a list", changed("model.vocab", [["a", 0]]), "model.vocab is"],
    ["a token that is not bytes", vocabWith({ "▁the": 597 }), '"▁the" is not a name of bytes'],
    ["an empty token", vocabWith({ "": 597 }), '"" is not a name of bytes'],
    ["an id twice", vocabWith({ qqqq: 300 }), "both have id 300"],
    ["an id that is none", vocabWith({ qqqq: "5" }), 'the id of "qqqq" is 5'],
    ["a gap in the ids", vocabWith({ qqqq: 700 }), "reach 700, expected 0 to 597"],
    ["a byte missing", vocabWith({ qqqq: 65 }, ["A"]), "255 of the 256 bytes"],
    ["no merges", changed("model.merges", []), "merge 0 is undefined"],
    ["merges in another order", changed("model.merges", [second, first, ...others]), "merge 0 is"],
    ["a merge too many", changed("model.merges", [...small.model.merges, "a b"]), "342 merges for 341 tokens"],
    ["a merge that is none", changed("model.merges", [...small.model.merges.slice(1), 5]), "merge 0 is"],
    ["a token of no merge", vocabWith({ qqqq: 596 }, [names[596]]), 'token "qqqq" (id 596) comes of no merge'],
    ["merges that tiktoken would not follow", inconsistent, '"ab c", but token "abc" (id 258) comes of "a bc"'],
    [
      "an added token that only the configuration has",
      { "tokenizer.json": small, "tokenizer_config.json": { added_tokens_decoder: { 600: { content: "<x>" } } } },
      "tokenizer_config.json: <x> (600) is not in tokenizer.json",
    ],
    ["no control tokens", changed("added_tokens", []), "no added token is <|endoftext|>"],
    ["an added token that strips", added({ lstrip: true }), "added_tokens.1.lstrip is true"],
    ["an added token's id in the vocabulary", added({ id: 5 }), "<|im_start|> has id 5, expected 597 or more"],
    ["an added id twice", added({ id: 599 }), "clash"],
    ["an added token twice", added({ content: "<|im_end|>" }), "clash"],
    ["an added token without a name", added({ content: "" }), 'added_tokens.1.content is ""'],
    ["vocab.json alone", { "vocab.json": small.model.vocab }, "merges.txt: is missing"],
    ["no class", { ...vocabAndMerges, "tokenizer_config.json": {} }, "tokenizer_class is undefined"],
    [
      "another class",
      { ...vocabAndMerges, "tokenizer_config.json": { tokenizer_class: "GPT2Tokenizer" } },
      'tokenizer_class is "GPT2Tokenizer"',
    ],
    ["a list for vocab.json", { ...vocabAndMerges, "vocab.json": [] }, "vocab.json: is not an object"],
    ["two .tiktoken files", { "a.tiktoken": "", "b.tiktoken": "" }, "holds a.tiktoken and b.tiktoken"],
    ["an empty .tiktoken", { "a.tiktoken": "" }, "0 of the 256 bytes"],
    ["a line that is none", { "a.tiktoken": `${tiktoken[0]}IQ== x\n` }, "line 2 is not base64 and a rank"],
    ["a rank twice", { "a.tiktoken": `${tiktoken[0]}IQ== 0\n` }, "line 2: rank 0 is there twice"],
    [
      "a token twice",
      { "a.tiktoken": `${tiktoken.join("")}${tiktoken[0].split(" ")[0]} 597\n` },
      "have the same bytes",
    ],
    ["a rank left out", { "a.tiktoken": tiktoken.slice(1).join("") }, "expected 0 to 595"],
  ])("refuses %s, and says where", (_, files, message) => {
    const directory = directoryWith(files);
    const load = () => loadTokenizer(directory);
    expect(load).toThrow(UserError);
    expect(load).toThrow(message);
    expect(load).toThrow(directory);
  });

  it("refuses a directory that is not there", () => {
    expect(() => loadTokenizer(join(temporary, "absent"))).toThrow("absent: holds no tokenizer");
  });
});
