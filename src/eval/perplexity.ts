/**
 * Bits per byte: sum of -log p in nats / (ln 2 x UTF-8 bytes). Unlike perplexity it does not depend on the tokenizer,
 * so it compares models, but not languages: a byte of Thai carries less than a byte of English.
 *
 * Rule: every text is tokenized alone and cut into windows of at most `contextLength - 1` tokens; each window is scored
 * after one <|endoftext|>, as in training. No token is dropped and none is scored twice; the <|endoftext|> is context,
 * so it adds neither nats nor bytes. Method of nanochat's `loss_eval.py`.
 */
import type { Tokenizer } from "../tokenizer/bpe.ts";
import type { LanguageModel, LoglikelihoodRequest } from "./languageModel.ts";

export interface BitsPerByte {
  bitsPerByte: number;
  nats: number;
  bytes: number;
  tokens: number;
}

/** One request per window: the tokens of `texts` in order, none lost, `context + continuation <= contextLength`. */
export function scoringWindows(tokenizer: Tokenizer, texts: string[], contextLength: number): LoglikelihoodRequest[] {
  const size = contextLength - 1;
  if (!(size >= 1)) throw new Error(`scoringWindows: contextLength is ${contextLength}, expected at least 2`);
  return texts.flatMap((text) => {
    const ids = tokenizer.encode(text);
    return Array.from({ length: Math.ceil(ids.length / size) }, (_, i) => ({
      context: [tokenizer.special.endOfText],
      continuation: ids.slice(i * size, (i + 1) * size),
    }));
  });
}

/** How well `model` predicts `texts` of one language. */
export async function bitsPerByte(
  model: LanguageModel,
  tokenizer: Tokenizer,
  texts: string[],
  contextLength: number,
): Promise<BitsPerByte> {
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text, "utf8"), 0);
  if (bytes === 0) throw new Error("bitsPerByte: the texts have no bytes, expected at least one");
  const windows = scoringWindows(tokenizer, texts, contextLength);
  const nats = -sum(await model.loglikelihood(windows));
  return {
    bitsPerByte: nats / (Math.LN2 * bytes),
    nats,
    bytes,
    tokens: sum(windows.map((w) => w.continuation.length)),
  };
}

function sum(values: number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
