/**
 * @file Near duplicates of a set of documents by MinHash, within each language: clusters of candidates, one survivor
 * each (the first document: lowest source rank, then position, since that is the order in which documents are added),
 * and for each other document which one it equals and how similar the two are. Texts are not kept.
 */
import { type Band, eachCandidate, makeClusters } from "./lsh.ts";
import { estimateJaccard, type MinHashConfig, makeMinHasher, wordsPerValue } from "./minHash.ts";
import { hashKey } from "./shingles.ts";

/** A document that is dropped; documents are numbered in the order in which they were added. */
export interface Duplicate {
  document: number;
  /** The one that is kept in its place. */
  of: number;
  /**
   * Estimated Jaccard similarity of the two (share of equal MinHash values), or 1 for equal words of a text too short for a
   * signature. It can be low: two documents of a cluster may be linked by a third.
   */
  similarity: number;
  how: "minHash" | "exact";
}

export interface DuplicateFinder {
  /** Adds a document and returns its number. */
  add(text: string, language: string): number;
  /**
   * The documents to drop, in order.
   * @param verify candidates count as duplicates if this holds, too: e.g. the {@link jaccard} similarity of their shingles
   */
  find(verify?: (earlier: number, later: number) => boolean): Duplicate[];
}

/** A list of numbers that grows: signatures of documents as they come. */
function growing(start: number) {
  let data = new Uint32Array(start);
  return {
    room: (length: number) => {
      if (length <= data.length) return data;
      const larger = new Uint32Array(Math.max(length, Math.ceil(1.5 * data.length)));
      larger.set(data);
      data = larger;
      return data;
    },
  };
}

/**
 * Memory: a signature for each document, 896 bytes with datatrove's 112 values of 64 bits.
 * @param least candidates of a lower estimated similarity are no duplicates; 0 takes every candidate, as datatrove does
 */
export function makeDuplicateFinder(config: MinHashConfig, least = 0): DuplicateFinder {
  const hasher = makeMinHasher(config);
  const bandWords = config.rows * wordsPerValue(config.hash);
  const languages = new Map<string, { signatures: ReturnType<typeof growing>; documents: number[] }>();
  const firstWith = new Map<string, number>();
  const exact: Duplicate[] = [];
  let count = 0;

  return {
    add: (text, language) => {
      const document = count++;
      const known = languages.get(language) ?? { signatures: growing(64 * hasher.length), documents: [] };
      languages.set(language, known);
      const at = known.documents.length * hasher.length;
      const key = hasher.sign(text, language, known.signatures.room(at + hasher.length), at);
      if (key === undefined) known.documents.push(document);
      else {
        const named = `${language} ${key}`;
        const of = firstWith.get(named);
        if (of === undefined) firstWith.set(named, document);
        else exact.push({ document, of, similarity: 1, how: "exact" });
      }
      return document;
    },
    find: (verify) => {
      const found = [...exact];
      for (const { signatures, documents } of languages.values()) {
        const data = signatures.room(0);
        const clusters = makeClusters(documents.length);
        const signature = (i: number) => data.subarray(i * hasher.length, (i + 1) * hasher.length);
        const similarityOf = (a: number, b: number) =>
          estimateJaccard(signature(a), signature(b), wordsPerValue(config.hash));
        const same = (earlier: number, later: number) => {
          if (clusters.find(earlier) === clusters.find(later)) return true;
          if (least > 0 && similarityOf(earlier, later) < least) return false;
          if (verify && !verify(documents[earlier], documents[later])) return false;
          clusters.join(earlier, later);
          return true;
        };
        for (let band = 0; band < config.bands; band++) {
          const records: Band = {
            data,
            offset: band * bandWords,
            stride: hasher.length,
            words: bandWords,
            count: documents.length,
          };
          eachCandidate(records, same);
        }
        documents.forEach((document, i) => {
          const of = clusters.find(i);
          if (of === i) return;
          found.push({ document, of: documents[of], similarity: similarityOf(i, of), how: "minHash" });
        });
      }
      return found.sort((a, b) => a.document - b.document);
    },
  };
}

/** Jaccard similarity of two texts' sets of 64-bit hashes, as {@link Shingler.hashes} has them. */
export function jaccard(a: Uint32Array, b: Uint32Array): number {
  const setOf = (hashes: Uint32Array) => {
    const set = new Set<number>();
    for (let i = 0; i < hashes.length; i += 2) set.add(hashKey(hashes[i], hashes[i + 1]));
    return set;
  };
  const [left, right] = [setOf(a), setOf(b)];
  let both = 0;
  for (const hash of left) if (right.has(hash)) both++;
  const all = left.size + right.size - both;
  return all === 0 ? 0 : both / all;
}
