/**
 * Packing token sequences into rows of exactly T tokens (paper sections 3.2 and 4.1).
 * Pretraining: documents joined by <|endoftext|> and cut, attention crosses documents, as in Megatron-LM.
 * Fine-tuning: "neat packing" (section 4.1), whole examples side by side that do not attend to each other.
 */
import { makeRandom } from "../util/random.ts";

/** Labels as Hugging Face has them: as long as `inputIds`, not shifted (the loss shifts), -100 = ignored. */
export const IGNORE = -100;

export interface PackedRow {
  inputIds: Int32Array; // [T]
  labels: Int32Array; // [T]
  /** Tokens attend only inside their document: 1, 2, 3 ... per row, 0 = padding; all 0 in pretraining. */
  documentIds: Int32Array; // [T]
  positionIds: Int32Array; // [T]
}

/** One stream: its documents' tokens, each followed by `endOfText`. */
export function joinDocuments(documents: readonly (readonly number[])[], endOfText: number): Int32Array {
  const tokens = new Int32Array(documents.reduce((n, document) => n + document.length + 1, 0));
  let end = 0;
  for (const document of documents) {
    tokens.set(document, end);
    end += document.length;
    tokens[end++] = endOfText;
  }
  return tokens;
}

/** Where a sequence starts: tokens taken from `stream` before it, counted over all epochs. */
export interface SequencePlace<Name extends string> {
  stream: Name;
  cursor: number;
}

/**
 * Gives every sequence of a stage its place in its stream. Streams are read in order and cyclically; `cursors` says
 * where earlier stages stopped, so Stage II continues each source where Stage I left it.
 */
export function placeSequences<Name extends string>(
  order: readonly Name[],
  T: number,
  cursors: Partial<Record<Name, number>> = {},
): { places: SequencePlace<Name>[]; cursors: Partial<Record<Name, number>> } {
  const next = { ...cursors };
  const places = order.map((stream) => {
    const cursor = next[stream] ?? 0;
    next[stream] = cursor + T;
    return { stream, cursor };
  });
  return { places, cursors: next };
}

/** How often a stream has been read through: 1.5 means once and a half. */
export function epochsAt(tokens: Int32Array, cursor: number): number {
  return cursor / tokens.length;
}

/** T tokens of a cyclic stream from `cursor` on; every token is a label and attention is plainly causal. */
export function pretrainingRow(tokens: Int32Array, cursor: number, T: number): PackedRow {
  if (tokens.length === 0) throw new Error("pretrainingRow: the stream has no tokens");
  const inputIds = Int32Array.from({ length: T }, (_, i) => tokens[(cursor + i) % tokens.length]);
  return {
    inputIds,
    labels: inputIds.slice(),
    documentIds: new Int32Array(T),
    positionIds: Int32Array.from({ length: T }, (_, i) => i),
  };
}

/** A tokenised chat: `lossMask` is 1 where the token is trained on (assistant text and its end). */
export interface MaskedExample {
  inputIds: readonly number[];
  lossMask: readonly number[];
}

/** How many tokens of an example are predicted: those of its mask, but never its first. */
export const targetsIn = ({ lossMask }: MaskedExample) => lossMask.reduce((n, m, t) => n + (m && t > 0 ? 1 : 0), 0);

export interface PackedExamples {
  rows: PackedRow[];
  /** Indices into the given examples: those of each row, in order of place. */
  members: number[][];
  /** Real tokens / all tokens of the rows. */
  utilisation: number;
  /** Indices of examples longer than T. They are dropped: a cut answer would teach not to end. */
  tooLong: number[];
  /** Indices of examples that have nothing to train on: no masked token, or only their first. */
  withoutLabel: number[];
}

/**
 * Best-fit decreasing: longest first (earlier first among equals), each into the fullest bin that still has room
 * (oldest first among equals), else into a new bin. Returns bins of indices. At most 11/9 of the optimum plus one.
 */
export function bestFitDecreasing(lengths: readonly number[], T: number): number[][] {
  const bins: number[][] = [];
  const binsBySpace: number[][] = Array.from({ length: T + 1 }, () => []);
  const longestFirst = lengths.map((_, i) => i).sort((a, b) => lengths[b] - lengths[a] || a - b);
  for (const i of longestFirst) {
    if (lengths[i] > T) throw new Error(`bestFitDecreasing: item ${i} has ${lengths[i]} tokens, a bin holds ${T}`);
    let space = lengths[i];
    while (space < T && binsBySpace[space].length === 0) space++;
    const bin = binsBySpace[space].shift() ?? bins.push([]) - 1; // space = T: only unopened bins have it
    bins[bin].push(i);
    binsBySpace[space - lengths[i]].push(bin);
  }
  return bins;
}

/**
 * Neat packing. Each example is a document of its own (documentIds, positions from 0); the label at its first token
 * is ignored, because after the shift it would be the target of the document before. Padding is never a label.
 */
export function packExamples(examples: readonly MaskedExample[], T: number, padId: number): PackedExamples {
  const tooLong: number[] = [];
  const withoutLabel: number[] = [];
  const kept: number[] = [];
  examples.forEach((example, i) => {
    if (example.inputIds.length > T) tooLong.push(i);
    else if (targetsIn(example) === 0) withoutLabel.push(i);
    else kept.push(i);
  });
  const lengths = kept.map((i) => examples[i].inputIds.length);
  const members = bestFitDecreasing(lengths, T).map((bin) => bin.map((k) => kept[k]));
  const rows = members.map((indices) => {
    const row: PackedRow = {
      inputIds: new Int32Array(T).fill(padId),
      labels: new Int32Array(T).fill(IGNORE),
      documentIds: new Int32Array(T),
      positionIds: new Int32Array(T),
    };
    let t = 0;
    indices.forEach((index, document) => {
      const { inputIds, lossMask } = examples[index];
      inputIds.forEach((id, position) => {
        row.inputIds[t] = id;
        row.labels[t] = lossMask[position] && position > 0 ? id : IGNORE;
        row.documentIds[t] = document + 1;
        row.positionIds[t] = position;
        t++;
      });
    });
    for (let position = 0; t < T; t++, position++) row.positionIds[t] = position;
    return row;
  });
  const used = lengths.reduce((n, length) => n + length, 0);
  return { rows, members, utilisation: rows.length ? used / (rows.length * T) : 0, tooLong, withoutLabel };
}

/** `epochs` passes over the items, each in an order of its own. */
export function shuffledEpochs<T>(items: readonly T[], epochs: number, seed: number, label: string): T[] {
  return Array.from({ length: epochs }, (_, epoch) => makeRandom(seed, label, `${epoch}`).shuffle(items)).flat();
}
