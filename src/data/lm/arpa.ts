/**
 * @file Reads and writes n-gram models as ARPA text, the format that KenLM, SRILM and IRSTLM share, as streams.
 *
 * A file is read as KenLM reads it (lm/read_arpa.cc): the counts must be true, every n-gram's context must be there, a
 * probability is at most one, `<unk>` may be missing (log10 probability -100). What KenLM refuses is refused here, in one
 * line with the number of the line at fault.
 */
import { UserError } from "../../util/assert.ts";
import { buildTrie, type NgramTable } from "./arpaTrie.ts";
import { type NgramModel, SPECIAL_WORDS, UNK } from "./ngramModel.ts";

/** A longer line is no n-gram. */
const MAX_LINE_CHARACTERS = 1 << 20;
const MAX_ORDER = 255;
/** What KenLM puts for a missing `<unk>`. */
const MISSING_UNKNOWN = -100;

/** The model in `chunks`, the bytes of an ARPA file (e.g. `createReadStream(path)`); `name` is for messages. */
export async function readArpa(chunks: AsyncIterable<Uint8Array>, name: string): Promise<NgramModel> {
  const reader = new ArpaReader(name);
  let rest = "";
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const decode = (bytes?: Uint8Array) => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch {
      throw reader.error("bytes that are not UTF-8", "text; decompress a .gz, and use the ARPA file of a KenLM binary");
    }
  };
  const takeLines = (text: string) => {
    const lines = text.split("\n");
    rest = lines.pop()!;
    for (const line of lines) reader.read(line.endsWith("\r") ? line.slice(0, -1) : line);
    if (rest.length > MAX_LINE_CHARACTERS) throw reader.error(`a line of over ${MAX_LINE_CHARACTERS} characters`);
  };
  for await (const chunk of chunks) takeLines(rest + decode(chunk));
  rest += decode();
  if (rest) takeLines(`${rest}\n`);
  return reader.finish();
}

/** Takes the lines one by one. */
class ArpaReader {
  private line = 0;
  private state: "before" | "counts" | "between" | "ngrams" | "after" = "before";
  private readonly counts: number[] = [];
  private readonly vocabulary: string[] = [...SPECIAL_WORDS];
  private readonly ids = new Map<string, number>(SPECIAL_WORDS.map((word, id) => [word, id]));
  /** Whether the file has each of the special words. */
  private readonly seen = new Set<string>();
  private readonly tables: NgramTable[] = [];

  constructor(private readonly name: string) {}

  error(found: string, expected = "an ARPA file as KenLM reads it"): UserError {
    return new UserError(`${this.name}: line ${this.line + 1}: ${found}; expected ${expected}`);
  }

  read(line: string): void {
    if (this.state === "ngrams") this.readNgram(line);
    else if (line.trim() === "") {
      if (this.state === "counts") this.startSections();
    } else if (this.state === "before") this.readStart(line);
    else if (this.state === "counts") this.readCount(line);
    else if (this.state === "between") this.readHeader(line);
    else throw this.error(`${quote(line)} after \\end\\`, "nothing more");
    this.line++;
  }

  private readStart(line: string): void {
    if (line.startsWith("#")) return;
    if (line !== "\\data\\") throw this.error(quote(line), "\\data\\ (an ARPA file; not a binary or compressed model)");
    this.state = "counts";
  }

  private readCount(line: string): void {
    const match = /^ngram (\d+)=\s*(\d+)\s*$/.exec(line);
    const order = this.counts.length + 1;
    if (!match || Number(match[1]) !== order) throw this.error(quote(line), `"ngram ${order}=COUNT" or an empty line`);
    if (order > MAX_ORDER) throw this.error(`order ${order}`, `orders up to ${MAX_ORDER}`);
    this.counts.push(Number(match[2]));
  }

  private startSections(): void {
    if (this.counts.length === 0) throw this.error("no counts after \\data\\", '"ngram 1=COUNT"');
    this.state = "between";
  }

  private readHeader(line: string): void {
    const order = this.tables.length + 1;
    const expected = order > this.counts.length ? "\\end\\" : `\\${order}-grams:`;
    if (line !== expected) throw this.error(quote(line), expected);
    if (order > this.counts.length) this.state = "after";
    else {
      this.tables.push({ order, words: new Int32Array(0), logProbs: [], backoffs: [], firstLine: this.line + 2 });
      if (this.counts[order - 1] > 0) this.state = "ngrams";
    }
  }

  private readNgram(line: string): void {
    const table = this.tables[this.tables.length - 1];
    const { order, logProbs, backoffs } = table;
    const fields = fieldsOf(line, order);
    const highest = order === this.counts.length;
    if (fields.length !== order + 1 && fields.length !== order + 2) {
      const found = line.trim() === "" ? "the section ends" : quote(line);
      throw this.error(
        found,
        `${this.counts[order - 1]} lines of a log10 probability and ${order} words, as counted above`,
      );
    }
    const logProb = this.number(fields[0]);
    if (logProb > 0) throw this.error(`the positive log10 probability ${fields[0]}`, "0 or less");
    const backoff = fields.length > order + 1 ? this.number(fields[order + 1]) : 0;
    if (highest && backoff !== 0) throw this.error(`a back-off of ${backoff}`, "none at the highest order");
    if (order === 1) this.addWord(fields[1]);
    const at = logProbs.length * order;
    if (at + order > table.words.length) {
      const larger = new Int32Array(Math.max(1024, 2 * table.words.length));
      larger.set(table.words);
      table.words = larger;
    }
    for (let i = 0; i < order; i++) {
      const id = this.ids.get(fields[i + 1]);
      if (id === undefined) throw this.error(`the word ${quote(fields[i + 1])}`, "a word of the 1-grams");
      table.words[at + i] = id;
    }
    logProbs.push(logProb);
    backoffs.push(backoff);
    if (logProbs.length === this.counts[order - 1]) this.state = "between";
  }

  private number(text: string): number {
    const value = /^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isFinite(Math.fround(value))) throw this.error(quote(text), "a number");
    return value;
  }

  private addWord(word: string): void {
    if (this.seen.has(word) || (this.ids.has(word) && this.ids.get(word)! > 2)) {
      throw this.error(`the word ${quote(word)} a second time`, "each word once");
    }
    if (this.ids.has(word)) this.seen.add(word);
    else {
      this.ids.set(word, this.vocabulary.length);
      this.vocabulary.push(word);
    }
  }

  finish(): NgramModel {
    if (this.state !== "after") throw this.error("the file ends", "\\end\\ after the n-grams");
    for (const word of ["<s>", "</s>"]) {
      if (!this.seen.has(word))
        throw new UserError(`${this.name}: no ${word} in the 1-grams; expected it, as KenLM does`);
    }
    const [unigrams] = this.tables;
    if (!this.seen.has("<unk>")) {
      const at = unigrams.logProbs.push(MISSING_UNKNOWN) - 1;
      unigrams.backoffs.push(0);
      const words = new Int32Array(at + 1);
      words.set(unigrams.words.subarray(0, at));
      words[at] = UNK;
      unigrams.words = words;
    }
    const levels = buildTrie(this.tables, this.vocabulary.length, (line, problem, expected) => {
      this.line = line - 1;
      return this.error(problem, expected);
    });
    return { order: this.counts.length, vocabulary: this.vocabulary, ids: this.ids, levels };
  }
}

/** Probability, words and back-off: between tabs as every program writes them (quick), or any white space between words. */
function fieldsOf(line: string, order: number): string[] {
  const [logProb, words, ...backoff] = line.split("\t");
  const split = words?.split(" ");
  if (split?.length === order && !split.includes("")) return [logProb, ...split, ...backoff];
  return line.split(/[\t ]+/);
}

const quote = (text: string) => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);

const CHUNK_CHARACTERS = 1 << 16;

/** The text of the ARPA file, in pieces. Numbers are short and give the same float back, as KenLM's do. */
export function* writeArpa({ order, vocabulary, levels }: NgramModel): Generator<string> {
  const unwritable = vocabulary.find((word) => word === "" || /[\s\0]/u.test(word));
  if (unwritable !== undefined) {
    throw new UserError(`ARPA: the token ${quote(unwritable)} cannot be written; expected tokens without white space`);
  }
  let text = `\\data\\\n${levels.map(({ words }, i) => `ngram ${i + 1}=${words.length}\n`).join("")}\n`;
  for (let k = 1; k <= order; k++) {
    text += `\\${k}-grams:\n`;
    const { logProbs, backoffs } = levels[k - 1];
    for (const [node, words] of ngramsOf(levels, k)) {
      const backoff = k < order ? `\t${shortest(backoffs[node])}` : "";
      text += `${shortest(logProbs[node])}\t${words.map((id) => vocabulary[id]).join(" ")}${backoff}\n`;
      if (text.length > CHUNK_CHARACTERS) {
        yield text;
        text = "";
      }
    }
    text += "\n";
  }
  yield `${text}\\end\\\n`;
}

/** The nodes of level k in order, each with its tokens from left to right. */
function* ngramsOf(levels: NgramModel["levels"], k: number): Generator<[number, number[]]> {
  // One node of each level, whose descendants hold the node of level k that is next.
  const path = new Array<number>(k).fill(0);
  for (let node = 0; node < levels[k - 1].words.length; node++) {
    path[k - 1] = node;
    for (let level = k - 2; level >= 0; level--) {
      while (levels[level].children[path[level] + 1] <= path[level + 1]) path[level]++;
    }
    yield [node, path.map((at, level) => levels[level].words[at]).reverse()];
  }
}

/** A short decimal that reads back as the same float32; one to nine places are enough but for the smallest numbers. */
function shortest(x: number): string {
  for (const scale of [1e6, 1e7, 1e8, 1e9]) {
    const rounded = Math.round(x * scale) / scale;
    if (Math.fround(rounded) === x) return String(rounded);
  }
  return String(Number(x.toPrecision(9)));
}
