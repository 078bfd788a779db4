/**
 * Translation by greedy generation, scored with chrF2 and BLEU per direction (the paper: FLORES and WMT-16 BLEU).
 * The answer is the first line that the model writes: it stops at <|endoftext|>, <|im_end|> or a token that starts
 * with a line break, and what follows a break inside a token (".\n") is cut off the text.
 */
import type { Tokenizer } from "../tokenizer/bpe.ts";
import type { TranslationResult } from "../util/results.ts";
import type { LanguageModel } from "./languageModel.ts";
import { bleuSignature, bleuTokenizerFor, corpusBleu } from "./metrics/bleu.ts";
import { chrfSignature, corpusChrf } from "./metrics/chrf.ts";

export interface TranslationTask {
  /** Language codes. */
  source: string;
  target: string;
  pairs: { source: string; reference: string }[];
  maxNewTokens: number;
}

/** Ids that end a one-line answer. */
export function lineStopIds(tokenizer: Tokenizer): number[] {
  const { endOfText, imEnd } = tokenizer.special;
  const ids = [endOfText, imEnd];
  for (let id = 0; id < tokenizer.vocabSize; id++) {
    if (id !== endOfText && id !== imEnd && /^[\r\n]/.test(tokenizer.decode([id]))) ids.push(id);
  }
  return ids;
}

/** The first line that the model writes after each prompt, trimmed. */
export async function generateLines(
  model: LanguageModel,
  tokenizer: Tokenizer,
  prompts: number[][],
  maxNewTokens: number,
  stopIds = lineStopIds(tokenizer),
): Promise<string[]> {
  const answers = await model.generate(prompts, { maxNewTokens, stopIds });
  return answers.map((ids) =>
    tokenizer
      .decode(ids)
      .trimStart()
      .split(/[\r\n]/, 1)[0]
      .trim(),
  );
}

/** Scores of one direction and its first `samples` translations. */
export function scoreTranslations(task: TranslationTask, hypotheses: string[], samples = 3): TranslationResult {
  const { source, target, pairs } = task;
  const references = [pairs.map((pair) => pair.reference)];
  const tokenizer = bleuTokenizerFor(target);
  return {
    source,
    target,
    n: pairs.length,
    bleu: corpusBleu(hypotheses, references, { tokenizer }),
    chrf: corpusChrf(hypotheses, references),
    bleuSignature: bleuSignature({ tokenizer }),
    chrfSignature: chrfSignature(),
    samples: pairs.slice(0, samples).map((pair, i) => ({ ...pair, hypothesis: hypotheses[i] })),
  };
}
