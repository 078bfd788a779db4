/**
 * @file Instruction-following difficulty (Li et al., 2024, "Cherry LLM"): how much a question helps a model to foresee its
 * answer. Loss is nats per token of the answers; "alone" they follow only the header that every answer has.
 *
 *     IFD = loss(answer | question) / loss(answer alone)      (paper: conditioned over direct answer score)
 *
 * Small: the question says it all. Above 1: the question makes the answer less likely, the two do not belong together.
 */

import type { Tokenizer } from "../../tokenizer/bpe.ts";
import type { ChatMessage } from "../../tokenizer/chatTemplate.ts";
import { chatPrompt } from "../chatRows.ts";

/** Sum of log p(token | everything before it) over each continuation, in nats: an own model has it. */
export type Loglikelihood = (requests: { context: number[]; continuation: number[] }[]) => Promise<number[]>;

export interface Ifd {
  /** Nats per token. */
  conditioned: number;
  direct: number;
  ratio: number;
}

export interface IfdModel {
  name: string;
  tokenizer: Tokenizer;
  /** Tokens of a context with its continuation. */
  contextLength: number;
  loglikelihood: Loglikelihood;
}

/** The IFD of each chat over all its answers, or why it has none. */
export async function measureIfd(
  model: IfdModel,
  chats: readonly (readonly ChatMessage[])[],
): Promise<(Ifd | string)[]> {
  const { tokenizer, contextLength, loglikelihood } = model;
  const header = [tokenizer.special.imStart, ...tokenizer.encode("assistant\n")];
  const requests: Parameters<Loglikelihood>[0] = [];
  const planned = chats.map((messages): { from: number; to: number; tokens: number } | string => {
    const own: typeof requests = [];
    let tokens = 0;
    for (const [i, { role, content }] of messages.entries()) {
      if (role !== "assistant") continue;
      const continuation = tokenizer.encode(content);
      if (continuation.length === 0) continue;
      const context = chatPrompt(tokenizer, messages.slice(0, i));
      const length = context.length + continuation.length;
      if (length > contextLength)
        return `answer ${i} needs ${length} tokens, more than the context of ${contextLength}`;
      own.push({ context, continuation }, { context: header, continuation });
      tokens += continuation.length;
    }
    if (tokens === 0) return "the answer has no tokens";
    requests.push(...own);
    return { from: requests.length - own.length, to: requests.length, tokens };
  });
  const sums = requests.length > 0 ? await loglikelihood(requests) : [];
  return planned.map((plan) => {
    if (typeof plan === "string") return plan;
    let [given, alone] = [0, 0];
    for (let i = plan.from; i < plan.to; i += 2) {
      given -= sums[i];
      alone -= sums[i + 1];
    }
    const found = { conditioned: given / plan.tokens, direct: alone / plan.tokens, ratio: given / alone };
    return Object.values(found).every(Number.isFinite) ? found : "the model gives no finite number";
  });
}
