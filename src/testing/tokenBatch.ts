/**
 * @file Someone's masked cross-entropy as the claims ask it, and the random batches that it is asked: prompt, answer,
 * padding, with logits of small whole numbers over few tokens.
 */
import fc from "fast-check";
import { IGNORE_INDEX } from "../losses/crossEntropy.ts";

/** Rows of T positions over V tokens. */
export interface TokenBatch {
  /** [B, T, V]; those of position t predict token t + 1. */
  logits: number[][][];
  /** [B, T] as Hugging Face has them: not shifted, -100 on the prompt and on padding. */
  labels: number[][];
  /** [B, T]; padding is `padId`, which real tokens may be too. */
  inputIds: number[][];
  /** [B, T]: 1 on real tokens, 0 on padding. */
  attentionMask: number[][];
  padId: number;
}

/** The loss, and d loss / d logits [B, T, V] where it is known. */
export type TokensResult = number | { loss: number; gradient: number[][][] };
export type TokensLoss = (batch: TokenBatch) => TokensResult | Promise<TokensResult>;

export interface AskTokens {
  tolerance: number;
  reduction: "mean" | "sum";
  loss(batch: TokenBatch): Promise<number>;
  gradient(batch: TokenBatch): Promise<number[][][] | undefined>;
}

/** A row in parts, so that a case says what it is made of and shrinks part by part. */
export interface Row {
  /** Token ids. */
  prompt: number[];
  answer: number[];
  padding: number;
  /** [T, V] */
  logits: number[][];
}

export const V = 3;
const id = fc.nat(V - 1);
const logit = fc.integer({ min: -4, max: 4 });

const [PROMPT, ANSWER, PADDING] = [3, 4, 3];
const T = PROMPT + ANSWER + PADDING;

/** Rows of at least one prompt token and one answer token, so that something is predicted. */
export const rows = (): fc.Arbitrary<Row> =>
  fc
    .record({
      prompt: fc.array(id, { minLength: 1, maxLength: PROMPT }),
      answer: fc.array(id, { minLength: 1, maxLength: ANSWER }),
      padding: fc.nat(PADDING),
      logits: fc.array(fc.tuple(logit, logit, logit), { minLength: T, maxLength: T }), // V of them each
    })
    .map(({ prompt, answer, padding, logits }) => ({
      ...{ prompt, answer, padding },
      logits: logits.slice(0, prompt.length + answer.length + padding),
    }));

/** Rows side by side, padded on the right to the longest. */
export function batchOf(rows: readonly Row[], { padId = 0, padding = 0 } = {}): TokenBatch {
  const real = ({ prompt, answer }: Row) => prompt.length + answer.length;
  const T = padding + Math.max(...rows.map((row) => real(row) + row.padding));
  const fill = <X>(values: readonly X[], rest: X) => Array.from({ length: T }, (_, t) => values[t] ?? rest);
  return {
    logits: rows.map(({ logits }) => fill(logits, Array(V).fill(0))),
    labels: rows.map(({ prompt, answer }) => fill([...prompt.map(() => IGNORE_INDEX), ...answer], IGNORE_INDEX)),
    inputIds: rows.map(({ prompt, answer }) => fill([...prompt, ...answer], padId)),
    attentionMask: rows.map((row) => fill(Array(real(row)).fill(1), 0)),
    padId,
  };
}
