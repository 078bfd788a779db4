/** A tokenizer of single characters and models with a table for a mind: small enough to check by hand. */
import type { LanguageModel } from "../../src/eval/languageModel.ts";
import type { Tokenizer } from "../../src/tokenizer/bpe.ts";

/** One token per code point, then the specials. `merges` are longer tokens, taken greedily. */
export function toyTokenizer(characters: string, merges: string[] = []): Tokenizer {
  const pieces = [...merges, ...new Set(characters)];
  const special = { endOfText: pieces.length, imStart: pieces.length + 1, imEnd: pieces.length + 2 };
  return {
    vocabSize: pieces.length + 3,
    special,
    encode(text) {
      const ids: number[] = [];
      for (let rest = text; rest !== ""; rest = rest.slice(pieces[ids[ids.length - 1]].length)) {
        const id = pieces.findIndex((piece) => rest.startsWith(piece));
        if (id < 0) throw new Error(`toy tokenizer has no ${JSON.stringify(rest[0])}`);
        ids.push(id);
      }
      return ids;
    },
    decode: (ids) => ids.map((id) => pieces[id] ?? "").join(""),
  } as Tokenizer;
}

/** A model from log p(token | everything before) and the token that it would write next; remembers what it was asked. */
export function toyModel(
  logprob: (token: number, before: number[]) => number,
  next: (before: number[]) => number = () => 0,
): LanguageModel & { asked: { context: number[]; continuation: number[] }[] } {
  const asked: { context: number[]; continuation: number[] }[] = [];
  return {
    asked,
    async loglikelihood(requests) {
      asked.push(...requests);
      return requests.map(({ context, continuation }) =>
        continuation.reduce((sum, token, i) => sum + logprob(token, [...context, ...continuation.slice(0, i)]), 0),
      );
    },
    async generate(prompts, { maxNewTokens, stopIds }) {
      return prompts.map((prompt) => {
        const written: number[] = [];
        while (written.length < maxNewTokens) {
          const token = next([...prompt, ...written]);
          if (stopIds.includes(token)) break;
          written.push(token);
        }
        return written;
      });
    },
  };
}
