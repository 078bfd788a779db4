/**
 * @file Text of ids as they are generated. A character's bytes may be spread over several ids, so each push gives the
 * text that is whole by then and holds back the bytes of a character that has only begun.
 */
import type { Tokenizer } from "./bpe.ts";

/**
 * A decoder for one sequence of ids. What the pushes and the end return, joined, is `tokenizer.decode` of all the ids,
 * with U+FFFD exactly where that has it.
 */
export function streamDecoder(tokenizer: Pick<Tokenizer, "tokenBytes">): {
  /** The text that this id completes: often its own, or "" inside a character. */
  push(id: number): string;
  /** What was held back: "", or U+FFFD for the character that never ended. The decoder may then start anew. */
  end(): string;
} {
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true }); // that is: keep a leading U+FEFF
  return {
    push: (id) => utf8.decode(tokenizer.tokenBytes(id), { stream: true }),
    end: () => utf8.decode(),
  };
}
