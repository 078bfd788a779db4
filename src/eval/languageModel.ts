/**
 * What evaluation asks of a model. The Qwen2 implementation is in `model/inference.ts`; tests use tiny tables.
 */
export interface LoglikelihoodRequest {
  /** Token ids that are given; may be empty. */
  context: number[];
  /** Token ids that are scored; at least one. */
  continuation: number[];
}

export interface LanguageModel {
  /** For each request: sum over the continuation of log p(token | everything before it), in nats. */
  loglikelihood(requests: LoglikelihoodRequest[]): Promise<number[]>;
  /** Greedy continuation of each prompt, up to and without the first stop id. */
  generate(prompts: number[][], options: { maxNewTokens: number; stopIds: number[] }): Promise<number[][]>;
}
