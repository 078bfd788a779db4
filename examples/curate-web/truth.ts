/**
 * @file What a pipeline did with planted pages, judged without it: similarity by comparing all pairs of documents (through
 * an index of all their shingles, which gives the same numbers), the rest by what was planted.
 */
import { type LedgerLine, makeShingler } from "marco-mini";
import type { Page, Truth } from "./plant.ts";
import { MIXED } from "./sources.ts";

/** From here on two documents are near duplicates (FineWeb's aim with the same bands and rows). */
export const NEAR = 0.75;

export interface Score {
  kind: string;
  /** Pages that are such: planted, and for duplicates also those among the real pages. */
  are: number;
  planted: number;
  caught: number;
  recall: number | null;
  /** Pages that were dropped for it. */
  dropped: number;
  right: number;
  precision: number | null;
}

export interface Outcome {
  scores: Score[];
  /** Pairs by similarity: how many documents have an earlier one as similar, and how many of them were dropped. */
  bySimilarity: { from: number; documents: number; dropped: number }[];
  /** By what was planted and how: caught of how many whose base was kept. */
  byHow: {
    kind: string;
    how: string;
    planted: number;
    judged: number;
    caught: number;
    reasons: Record<string, number>;
  }[];
  /** Dropped because the identifier was not sure: of which kinds, and how many real ones are in two languages. */
  inDoubt: { pages: number; kinds: Record<string, number> };
  /** Real pages: how many came through, and by which stage the others were dropped. */
  real: { pages: number; kept: number; dropped: Record<string, number> };
  misses: Miss[];
}

export interface Miss {
  kind: string;
  what: "missed" | "wrong";
  url: string;
  detail: string;
}

export interface Text {
  id: string;
  url: string;
  language: string;
  text: string;
}

/** For each text the largest Jaccard similarity of its five-word shingles with an earlier one of its language. */
export function largestSimilarities(texts: readonly Text[]): { similarity: number; of: string }[] {
  const shingler = makeShingler(5, "xxh64");
  const index = new Map<string, Map<bigint, number[]>>(); // documents by shingle, for each language
  const keys = new Map<string, string>(); // of texts with fewer than five words
  const sizes: number[] = [];
  return texts.map(({ text, language, url }, number) => {
    shingler.read(text, language);
    const hashes = shingler.hashes();
    const shingles = new Set<bigint>();
    for (let i = 0; i < hashes.length; i += 2) shingles.add((BigInt(hashes[i + 1]) << 32n) | BigInt(hashes[i]));
    sizes.push(shingles.size);
    if (shingles.size === 0) {
      const key = `${language} ${shingler.key()}`;
      const of = keys.get(key);
      keys.set(key, of ?? url);
      return { similarity: of === undefined ? 0 : 1, of: of ?? "" };
    }
    const known = index.get(language) ?? new Map<bigint, number[]>();
    index.set(language, known);
    const shared = new Map<number, number>();
    for (const shingle of shingles) {
      const list = known.get(shingle) ?? [];
      known.set(shingle, list);
      for (const other of list) shared.set(other, (shared.get(other) ?? 0) + 1);
      list.push(number);
    }
    let best = { similarity: 0, of: "" };
    for (const [other, both] of shared) {
      const similarity = both / (shingles.size + sizes[other] - both);
      if (similarity > best.similarity) best = { similarity, of: texts[other].url };
    }
    return best;
  });
}

/** The paper drops documents in doubt, too: that is no claim that they are in another language. */
const DOUBT = "language.score";

const share = (part: number, whole: number) => (whole === 0 ? null : part / whole);

/**
 * `texts`: of the documents that came as far as the search for duplicates, in order. A planted page counts only if the
 * page that it was made of came as far: otherwise it may have been dropped for the base's faults.
 */
export function judgeOutcome(
  pages: readonly Page[],
  ledger: readonly LedgerLine[],
  texts: readonly Text[],
  languages: readonly string[],
): Outcome {
  const lineOf = new Map(ledger.map((line) => [line.url, line]));
  const truthOf = new Map<string | null, Truth>(pages.map(({ truth }) => [truth.url, truth]));
  const similar = largestSimilarities(texts);
  const reached = new Map(texts.map(({ url }, i) => [url, similar[i]]));
  const misses: Miss[] = [];
  const isDuplicate = ({ stage }: LedgerLine) => stage === "minHash";
  const gone = (line: LedgerLine) => line.outcome !== "kept";

  const duplicates = (
    kind: string,
    planted: Truth["kind"],
    is: (similarity: number) => boolean,
    claimed: (similarity: number) => boolean,
  ): Score => {
    const such = texts.filter((_, i) => is(similar[i].similarity));
    const missed = such.filter(({ url }) => !isDuplicate(lineOf.get(url)!));
    const dropped = texts.filter(({ url }) => {
      const { stage, duplicateOf } = lineOf.get(url)!;
      return stage === "minHash" && claimed(duplicateOf!.similarity);
    });
    const wrong = dropped.filter(({ url }) => reached.get(url)!.similarity < NEAR);
    const detail = (url: string) => `similarity ${reached.get(url)!.similarity.toFixed(3)} to ${reached.get(url)!.of}`;
    for (const { url } of missed) misses.push({ kind, what: "missed", url, detail: detail(url) });
    for (const { url } of wrong) misses.push({ kind, what: "wrong", url, detail: detail(url) });
    return {
      kind,
      are: such.length,
      planted: such.filter(({ url }) => truthOf.get(url)!.kind === planted).length,
      caught: such.length - missed.length,
      recall: share(such.length - missed.length, such.length),
      dropped: dropped.length,
      right: dropped.length - wrong.length,
      precision: share(dropped.length - wrong.length, dropped.length),
    };
  };

  const baseCame = ({ base }: Truth) => base === undefined || reached.has(base);
  const planted = (
    kind: Truth["kind"],
    caught: (line: LedgerLine) => boolean,
    droppedFor: (line: LedgerLine) => boolean,
    isRight: (truth: Truth) => boolean,
  ): Score => {
    const such = pages.filter(({ truth }) => truth.kind === kind && baseCame(truth)).map(({ truth }) => truth);
    const missed = such.filter(({ url }) => !caught(lineOf.get(url)!));
    const dropped = ledger.filter((line) => gone(line) && droppedFor(line));
    const wrong = dropped.filter(({ url }) => !isRight(truthOf.get(url)!));
    for (const { url, how } of missed)
      misses.push({
        kind,
        what: "missed",
        url,
        detail: `${how}; ${lineOf.get(url)!.outcome} ${lineOf.get(url)!.reason}`,
      });
    for (const { url, reason, measures } of wrong) {
      const measure = measures.find(({ rule }) => rule === reason);
      misses.push({ kind, what: "wrong", url: url!, detail: `${reason} ${measure?.value} (${measure?.limit})` });
    }
    return {
      kind,
      are: such.length,
      planted: such.length,
      caught: such.length - missed.length,
      recall: share(such.length - missed.length, such.length),
      dropped: dropped.length,
      right: dropped.length - wrong.length,
      precision: share(dropped.length - wrong.length, dropped.length),
    };
  };

  const scores = [
    duplicates(
      "exact duplicate",
      "copy",
      (similarity) => similarity === 1,
      (similarity) => similarity === 1,
    ),
    duplicates(
      "near duplicate",
      "edit",
      (similarity) => similarity >= NEAR && similarity < 1,
      (similarity) => similarity < 1,
    ),
    planted(
      "language",
      ({ stage }) => stage === "language",
      ({ stage, reason }) => stage === "language" && reason !== DOUBT,
      // Damage can leave a text that is in no language.
      ({ kind, language }) => kind === "garbled" || !languages.includes(language),
    ),
    planted(
      "garbled",
      gone,
      ({ stage }) => stage === "garbled",
      ({ kind }) => kind === "garbled",
    ),
    planted(
      "spam",
      gone,
      ({ stage }) => stage === "url" || stage === "blocklist",
      ({ kind }) => kind === "spam",
    ),
  ];

  const doubtful = ledger.filter(({ reason }) => reason === DOUBT).map(({ url }) => truthOf.get(url)!);
  const kinds: Record<string, number> = {};
  for (const { kind, language } of doubtful) {
    const what = kind === "real" || kind === "language" ? (language === MIXED ? MIXED : kind) : "planted";
    kinds[what] = (kinds[what] ?? 0) + 1;
  }
  const edges = [1, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5, 0.3];
  const bySimilarity = edges.map((from, i) => {
    const here = texts.filter(
      (_, t) => similar[t].similarity >= from && (i === 0 || similar[t].similarity < edges[i - 1]),
    );
    return { from, documents: here.length, dropped: here.filter(({ url }) => isDuplicate(lineOf.get(url)!)).length };
  });
  const groups = new Map<string, Truth[]>();
  for (const { truth } of pages) {
    const key = truth.kind === "language" ? truth.kind : `${truth.kind}: ${truth.how}`;
    groups.set(key, [...(groups.get(key) ?? []), truth]);
  }
  const byHow = [...groups.values()]
    .filter(([{ kind }]) => kind !== "real")
    .map((all) => {
      const judged = all.filter(baseCame);
      const reasons: Record<string, number> = {};
      for (const { url } of judged) {
        const { stage } = lineOf.get(url)!;
        if (stage !== null) reasons[stage] = (reasons[stage] ?? 0) + 1;
      }
      const caught = judged.filter(({ url }) => gone(lineOf.get(url)!)).length;
      const [{ kind, how }] = all;
      return {
        kind,
        how: kind === "language" ? "" : how,
        ...{ planted: all.length, judged: judged.length, caught, reasons },
      };
    })
    .sort((a, b) => `${a.kind}${a.how}`.localeCompare(`${b.kind}${b.how}`));
  const real = pages.filter(({ truth }) => truth.kind === "real").map(({ truth }) => lineOf.get(truth.url)!);
  const dropped: Record<string, number> = {};
  for (const { stage } of real) if (stage !== null) dropped[stage] = (dropped[stage] ?? 0) + 1;
  return {
    ...{ scores, bySimilarity, byHow, misses, inDoubt: { pages: doubtful.length, kinds } },
    real: { pages: real.length, kept: real.filter((line) => !gone(line)).length, dropped },
  };
}
