/**
 * The data mixture of the two-stage continual pretraining (paper section 3.2, Tables 1, 2 and 3): how many sequences of
 * each stream a stage trains on, in which order, and what that makes of the corpus (Table 1's utilisation).
 * Units are sequences of equal length, so shares hold in tokens after packing. All counting is in integers.
 */
import type { MixtureLine, StageMixture, UtilisationRow } from "../util/results.ts";
import { LANGUAGES, languageGroup } from "./languages.ts";

/** The rows of Table 2, in its order. */
export const MIXTURE_SOURCES = ["english", "chinese", "otherHR", "LR", "parallel", "knowledge", "synthetic"] as const;
export type MixtureSource = (typeof MIXTURE_SOURCES)[number];
/** Shares in whole per cent; a stage's shares sum to 100. */
export type Shares = Record<MixtureSource, number>;

/** Paper Table 2: "The proportion of high-quality and multilingual sources", in per cent. */
export const TABLE_2: Record<"stage1" | "stage2", Shares> = {
  stage1: { english: 32, chinese: 17, otherHR: 30, LR: 9, parallel: 6, knowledge: 5, synthetic: 1 },
  stage2: { english: 28, chinese: 15, otherHR: 26, LR: 15, parallel: 8, knowledge: 6, synthetic: 2 },
};

/** Paper Table 3: training tokens (billions) and maximal learning rate of the two stages. */
export const TABLE_3 = {
  stage1: { billionTokens: 160, learningRate: 1e-5 },
  stage2: { billionTokens: 140, learningRate: 6e-6 },
} as const;

/**
 * deviation: the paper starts from Qwen2, whose mixture is not published. Our base model is trained from scratch on
 * this stand-in: English, Chinese and other HR text, hardly any LR text, none of the sources that the paper adds.
 */
export const BASE_SHARES: Shares = {
  english: 48,
  chinese: 24,
  otherHR: 26,
  LR: 2,
  parallel: 0,
  knowledge: 0,
  synthetic: 0,
};

/**
 * Paper Table 1: billions of tokens collected and used, and the printed utilisation in per cent; paper's order.
 * The rounded figures explain what {@link deriveTable1} does not meet: Hebrew 16.5 and Malay 64.2.
 */
export const TABLE_1: { name: StreamName; available: number; used: number; utilisation: number }[] = [
  { name: "en", available: 1459.7, used: 90.4, utilisation: 6.2 },
  { name: "zh", available: 214.7, used: 48.2, utilisation: 22.4 },
  { name: "ar", available: 45.8, used: 10.6, utilisation: 23.0 },
  { name: "de", available: 442.8, used: 10.6, utilisation: 2.4 },
  { name: "es", available: 397.8, used: 10.6, utilisation: 2.7 },
  { name: "fr", available: 320.8, used: 10.6, utilisation: 3.3 },
  { name: "ko", available: 41.8, used: 10.6, utilisation: 25.2 },
  { name: "ja", available: 224.2, used: 10.6, utilisation: 4.7 },
  { name: "pt", available: 145.3, used: 10.6, utilisation: 7.3 },
  { name: "tr", available: 80.6, used: 10.6, utilisation: 13.1 },
  { name: "bn", available: 6.5, used: 1.9, utilisation: 28.7 },
  { name: "he", available: 11.3, used: 1.9, utilisation: 16.4 },
  { name: "id", available: 23.8, used: 1.9, utilisation: 7.8 },
  { name: "it", available: 56.3, used: 1.9, utilisation: 3.3 },
  { name: "ms", available: 2.9, used: 1.9, utilisation: 64.4 },
  { name: "nl", available: 31.3, used: 1.9, utilisation: 6.0 },
  { name: "pl", available: 45.3, used: 1.9, utilisation: 4.1 },
  { name: "ru", available: 251.0, used: 1.9, utilisation: 0.7 },
  { name: "th", available: 8.3, used: 1.9, utilisation: 22.4 },
  { name: "uk", available: 18.4, used: 1.9, utilisation: 10.1 },
  { name: "ur", available: 8.7, used: 1.9, utilisation: 21.4 },
  { name: "vi", available: 24.4, used: 1.9, utilisation: 7.6 },
  { name: "cs", available: 270.2, used: 1.9, utilisation: 0.7 },
  { name: "el", available: 376.8, used: 1.9, utilisation: 0.5 },
  { name: "hu", available: 214.4, used: 1.9, utilisation: 0.9 },
  { name: "kk", available: 16.8, used: 1.9, utilisation: 11.1 },
  { name: "ro", available: 160.0, used: 1.9, utilisation: 1.2 },
  { name: "az", available: 19.4, used: 1.9, utilisation: 9.6 },
  { name: "ne", available: 22.6, used: 1.9, utilisation: 8.2 },
  { name: "parallel", available: 103.0, used: 20.8, utilisation: 20.2 },
  { name: "knowledge", available: 65.0, used: 16.4, utilisation: 25.2 },
  { name: "synthetic", available: 6.0, used: 4.4, utilisation: 73.3 },
];

/** The 32 streams that training draws from: one per language and the paper's three added sources. */
export const STREAM_NAMES = [...LANGUAGES, "parallel", "knowledge", "synthetic"] as const;
export type StreamName = (typeof STREAM_NAMES)[number];

/** The Table 2 row that a stream belongs to. */
export function sourceOf(stream: StreamName): MixtureSource {
  return stream === "parallel" || stream === "knowledge" || stream === "synthetic" ? stream : languageGroup(stream);
}

/** The streams of a Table 2 row. */
export function streamsOf(source: MixtureSource): StreamName[] {
  return STREAM_NAMES.filter((stream) => sourceOf(stream) === source);
}

/** HR, LR or other: the sections of Table 1. */
export function tableGroup(stream: StreamName): UtilisationRow["group"] {
  const source = sourceOf(stream);
  if (source === "LR") return "LR";
  return source === "english" || source === "chinese" || source === "otherHR" ? "HR" : "other";
}

export interface DerivedRow extends UtilisationRow {
  /** used / available in per cent, rounded half up to one decimal as the paper prints it. */
  utilisation: number;
}

/**
 * Table 1's used tokens and utilisation from Tables 2 and 3: a source uses the sum over stages of tokens x share, and
 * the languages of a group share it equally. Numerators are integers (hundredths of a billion), divided once.
 */
export function deriveTable1(): DerivedRow[] {
  return TABLE_1.map(({ name, available }) => {
    const source = sourceOf(name);
    const members = streamsOf(source).length;
    const hundredths =
      TABLE_3.stage1.billionTokens * TABLE_2.stage1[source] + TABLE_3.stage2.billionTokens * TABLE_2.stage2[source];
    const numerator = hundredths * 100; // per mille of tenths: (hundredths / 100) / (tenths / 10) * 1000
    const denominator = Math.round(available * 10) * members;
    return {
      name,
      group: tableGroup(name),
      available,
      used: hundredths / (100 * members),
      utilisation: Math.floor((2 * numerator + denominator) / (2 * denominator)) / 10,
    };
  });
}

/**
 * Splits `total` in proportion to whole-number `shares` by largest remainder (Hamilton): every part is within one of
 * its exact quota and the parts sum to `total`. Of equal remainders the first wins.
 */
export function allocate<Name extends string>(shares: Record<Name, number>, total: number): Record<Name, number> {
  const names = Object.keys(shares) as Name[];
  const sum = names.reduce((n, name) => n + shares[name], 0);
  const counts = Object.fromEntries(names.map((name) => [name, Math.floor((shares[name] * total) / sum)])) as Record<
    Name,
    number
  >;
  const left = total - names.reduce((n, name) => n + counts[name], 0);
  const byRemainder = [...names].sort((a, b) => ((shares[b] * total) % sum) - ((shares[a] * total) % sum));
  for (const name of byRemainder.slice(0, left)) counts[name]++;
  return counts;
}

/**
 * Orders `counts` so that every prefix is near the target: at draw i, with x = max(i, 1), take the argmax of
 * `share * x - taken`, first of equals (Megatron-LM's blending). The arithmetic is exact: shares are count / total.
 * A stream that is used up has a negative deficit or zero count, so each is drawn exactly `counts` times.
 */
export function interleave<Name extends string>(counts: Record<Name, number>): Name[] {
  const names = (Object.keys(counts) as Name[]).filter((name) => counts[name] > 0);
  const total = names.reduce((n, name) => n + counts[name], 0);
  const taken = names.map(() => 0);
  return Array.from({ length: total }, (_, i) => {
    let best = 0;
    let bestDeficit = Number.NEGATIVE_INFINITY;
    for (let d = 0; d < names.length; d++) {
      const deficit = counts[names[d]] * Math.max(i, 1) - taken[d] * total;
      if (deficit > bestDeficit) [best, bestDeficit] = [d, deficit];
    }
    taken[best]++;
    return names[best];
  });
}

/**
 * Sequences of each stream in a stage of `totalSequences`: first over Table 2's rows, then uniformly inside a row
 * (the only reading of Table 2 that gives Table 1), so both levels are within one sequence of their quota.
 */
export function streamCounts(shares: Shares, totalSequences: number): Record<StreamName, number> {
  const perSource = allocate(shares, totalSequences);
  const counts = {} as Record<StreamName, number>;
  for (const source of MIXTURE_SOURCES) {
    const equal = Object.fromEntries(streamsOf(source).map((stream) => [stream, 1])) as Record<StreamName, number>;
    Object.assign(counts, allocate(equal, perSource[source]));
  }
  return counts;
}

/** The stream of every sequence of a stage, in training order. */
export function planStage(shares: Shares, totalSequences: number): StreamName[] {
  return interleave(streamCounts(shares, totalSequences));
}

/** Counts how often each stream occurs in `order`. */
export function countStreams(order: readonly StreamName[]): Record<StreamName, number> {
  const counts = Object.fromEntries(STREAM_NAMES.map((name) => [name, 0])) as Record<StreamName, number>;
  for (const name of order) counts[name]++;
  return counts;
}

/** Realised shares of a stage beside Table 2's; `order` is what was trained on, `sequenceLength` in tokens. */
export function stageMixture(
  stage: StageMixture["stage"],
  shares: Shares,
  order: readonly StreamName[],
  sequenceLength: number,
): StageMixture {
  const counts = countStreams(order);
  const sources: MixtureLine[] = MIXTURE_SOURCES.map((source) => {
    const sequences = streamsOf(source).reduce((n, stream) => n + counts[stream], 0);
    return {
      source,
      target: shares[source] / 100,
      realised: order.length ? sequences / order.length : 0,
      tokens: sequences * sequenceLength,
    };
  });
  return { stage, tokens: order.length * sequenceLength, sources };
}

/**
 * Our Table 1: tokens there are and tokens used by the given stages, per stream. used / available above 1 means that
 * the stream repeats: compute this before training, see {@link overdrawn}.
 */
export function utilisation(
  orders: readonly (readonly StreamName[])[],
  sequenceLength: number,
  availableTokens: Record<StreamName, number>,
): UtilisationRow[] {
  const counts = countStreams(orders.flat());
  return STREAM_NAMES.map((name) => ({
    name,
    group: tableGroup(name),
    available: availableTokens[name],
    used: counts[name] * sequenceLength,
  }));
}

/** The streams that would be seen more than `maxEpochs` times, with their epochs. */
export function overdrawn(rows: readonly UtilisationRow[], maxEpochs = 1): { name: string; epochs: number }[] {
  return rows
    .map(({ name, used, available }) => ({ name, epochs: used === 0 ? 0 : used / available }))
    .filter(({ epochs }) => epochs > maxEpochs);
}
