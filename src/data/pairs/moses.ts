/**
 * @file Moses layout (OPUS): two files, line n of one translates line n of the other. Files with different numbers of
 * lines are refused before the first pair, for every pair after the place where they part would be a wrong one; the
 * message says where that place seems to be.
 */
import { type Line, readLines, type SourceFile } from "../files/lines.ts";
import { cleanSide, type Languages, type PairItem, pairsError } from "./pair.ts";

export interface MosesOptions extends Languages {
  source: SourceFile;
  target: SourceFile;
  maxLineBytes?: number;
}

export async function* readMoses(options: MosesOptions): AsyncGenerator<PairItem> {
  const { source, target, sourceLanguage, targetLanguage, maxLineBytes } = options;
  const sizes = [await measureFile(source), await measureFile(target)];
  if (sizes[0].lines !== sizes[1].lines) throw await unequal(source, target, sizes);
  const left = readLines(source, maxLineBytes);
  const right = readLines(target, maxLineBytes);
  for (;;) {
    const [{ value: s }, { value: t }] = [await left.next(), await right.next()];
    if (!s || !t) return;
    const bad = s.text === null ? { file: source, line: s } : t.text === null ? { file: target, line: t } : null;
    if (bad) {
      const { number, offset, reason, head } = bad.line;
      yield { quarantine: { file: bad.file.name, line: number, offset, reason: reason!, head: head! } };
      continue;
    }
    yield {
      pair: {
        id: `${source.name}#${s.number}`,
        source: cleanSide(s.text!),
        target: cleanSide(t.text!),
        sourceLanguage,
        targetLanguage,
      },
    };
  }
}

interface Size {
  lines: number;
  bytes: number;
}

/** Counts "\n", and a last line without one. */
async function measureFile(file: SourceFile): Promise<Size> {
  let lines = 0;
  let bytes = 0;
  let last = 10;
  for await (const piece of file.open()) {
    if ("damage" in piece) {
      const where = `is damaged at byte ${piece.damage.offset} (${piece.damage.reason}): later lines do not pair`;
      throw pairsError(file.name, where, "fetch it again");
    }
    for (let at = piece.bytes.indexOf(10); at >= 0; at = piece.bytes.indexOf(10, at + 1)) lines++;
    bytes += piece.bytes.length;
    if (piece.bytes.length > 0) last = piece.bytes[piece.bytes.length - 1];
  }
  return { lines: lines + (last === 10 ? 0 : 1), bytes };
}

/** More lines of difference than this are not looked into: the ring of lines ahead would be long. */
const MAX_DIFFERENCE = 100_000;

async function unequal(source: SourceFile, target: SourceFile, sizes: Size[]) {
  const counts = `${source.name} has ${sizes[0].lines} lines and ${target.name} ${sizes[1].lines}`;
  const error = (where: string) => pairsError(`${counts},`, `expected as many; ${where}`, "align them again");
  const swapped = sizes[0].lines > sizes[1].lines;
  const [short, long] = swapped ? [target, source] : [source, target];
  const difference = Math.abs(sizes[0].lines - sizes[1].lines);
  if (difference > MAX_DIFFERENCE) return error("the difference is too large to say where they part");
  const ratio = Math.log((sizes[swapped ? 0 : 1].bytes + 1) / (sizes[swapped ? 1 : 0].bytes + 1));
  const at = await findDivergence(short, long, difference, ratio);
  if (at.shortText === null) return error(`the first ${at.line - 1} lines seem to pair: ${short.name} ends there`);
  const shown = (text: string) => JSON.stringify([...text].slice(0, 40).join(""));
  const lines = `${short.name} ${shown(at.shortText)}, ${long.name} ${shown(at.longText)}`;
  return error(`they seem to part at line ${at.line}: ${lines}`);
}

/** How badly two lines pair, by length and digits alone (as Gale and Church align, without a language). */
function cost(short: Feature, long: Feature, ratio: number): number {
  const length = Math.min(2, Math.abs(Math.log((long.bytes + 1) / (short.bytes + 1)) - ratio));
  return length + (short.digits === long.digits ? 0 : 1) + ((short.bytes === 0) === (long.bytes === 0) ? 0 : 2);
}

interface Feature {
  bytes: number;
  digits: string;
  text: string;
}

const featureOf = (line: Line): Feature => {
  const text = line.text ?? "";
  const digits = text.replace(/\D+/g, "").slice(0, 20);
  return { bytes: line.length, digits, text: text.slice(0, 80) };
};

/**
 * The line k from which `short` pairs better with what is `difference` lines later in `long`: the k with the least
 * sum of (lines before k as they stand) + (lines from k on moved). One pass, `difference` lines ahead.
 */
async function findDivergence(short: SourceFile, long: SourceFile, difference: number, ratio: number) {
  const ahead: Feature[] = [];
  const longLines = readLines(long);
  const advance = async () => {
    const { value } = await longLines.next();
    if (value) ahead.push(featureOf(value));
  };
  for (let i = 0; i <= difference; i++) await advance();
  let sum = 0;
  let least = Number.POSITIVE_INFINITY;
  let best = { line: 1, shortText: null as string | null, longText: "" };
  let line = 1;
  let start = 0; // of the ring in `ahead`
  for await (const value of readLines(short)) {
    const feature = featureOf(value);
    const [here, moved] = [ahead[start], ahead[start + difference]];
    if (!here || !moved) break;
    if (sum < least - 1e-9) {
      least = sum;
      best = { line, shortText: feature.text, longText: here.text };
    }
    sum += cost(feature, here, ratio) - cost(feature, moved, ratio);
    await advance();
    start++;
    if (start > MAX_DIFFERENCE) {
      ahead.splice(0, start);
      start = 0;
    }
    line++;
  }
  return sum < least - 1e-9 ? { line, shortText: null, longText: "" } : best;
}
