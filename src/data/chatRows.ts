/**
 * Chats and preference pairs as token ids. The miniature's chats have no default system message (`deviation:` see
 * chatTemplate.ts).
 */
import type { Tokenizer } from "../tokenizer/bpe.ts";
import { type ChatMessage, renderChat } from "../tokenizer/chatTemplate.ts";
import type { Language } from "./languages.ts";
import { IGNORE, type MaskedExample, type PackedRow } from "./pack.ts";
import type { PreferencePair } from "./preferences.ts";

/** A conversation for SFT: token ids, and 1 where a token counts in the loss. */
export function chatExample(tokenizer: Tokenizer, messages: readonly ChatMessage[]): MaskedExample {
  return renderChat(tokenizer, messages, { defaultSystem: null });
}

/** The ids after which the model writes its answer. */
export function chatPrompt(tokenizer: Tokenizer, messages: readonly ChatMessage[]): number[] {
  return renderChat(tokenizer, messages, { defaultSystem: null, addGenerationPrompt: true }).inputIds;
}

/** A preference pair as ids; both answers end with `<|im_end|>`. */
export interface TokenizedPair {
  language: Language;
  prompt: number[];
  chosen: number[];
  rejected: number[];
  /** The chosen answer as text. */
  reference: string;
}

/** The pairs whose longer side fits `T` tokens, in order; the others are dropped and counted. */
export function tokenizePairs(
  tokenizer: Tokenizer,
  pairs: readonly PreferencePair[],
  T: number,
): { pairs: TokenizedPair[]; tooLong: number } {
  const answer = (text: string) => [...tokenizer.encode(text), tokenizer.special.imEnd];
  const fitting = pairs
    .map(({ language, prompt, chosen, rejected }) => ({
      language,
      prompt: chatPrompt(tokenizer, prompt),
      chosen: answer(chosen),
      rejected: answer(rejected),
      reference: chosen,
    }))
    .filter(({ prompt, chosen, rejected }) => prompt.length + Math.max(chosen.length, rejected.length) <= T);
  return { pairs: fitting, tooLong: pairs.length - fitting.length };
}

/** Prompt and answer in a row of T tokens: labels on the answer only, then padding that belongs to no document. */
export function answerRow(prompt: readonly number[], answer: readonly number[], T: number, padId: number): PackedRow {
  const ids = [...prompt, ...answer];
  if (ids.length > T) throw new Error(`answerRow: ${ids.length} tokens do not fit a row of ${T}`);
  const at = (t: number, from: number) => t >= from && t < ids.length;
  return {
    inputIds: Int32Array.from({ length: T }, (_, t) => ids[t] ?? padId),
    labels: Int32Array.from({ length: T }, (_, t) => (at(t, prompt.length) ? ids[t] : IGNORE)),
    documentIds: Int32Array.from({ length: T }, (_, t) => (at(t, 0) ? 1 : 0)),
    positionIds: Int32Array.from({ length: T }, (_, t) => t),
  };
}
