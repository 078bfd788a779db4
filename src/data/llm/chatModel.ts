/**
 * @file A language model as the data pipeline sees it: messages in, an answer out. Endpoints (endpoint.ts) and the
 * project's own models (src/cli/ownModel.ts) are such; session.ts adds what every use of one needs: a cache, a budget,
 * retries, and at most so many requests at once.
 */
import { createHash } from "node:crypto";
import type { ChatMessage } from "../../tokenizer/chatTemplate.ts";
import { makeRandom } from "../../util/random.ts";

export interface ChatRequest {
  messages: ChatMessage[];
  /** 0: the likeliest token always. Left out: as the model does by itself. */
  temperature?: number;
  /** Only the likeliest tokens that add up to this share. */
  topP?: number;
  seed?: number;
  /** Longest answer in tokens; 1,024 where it is left out. */
  maxTokens?: number;
  /** The answer ends before the first of these. */
  stop?: string[];
  /** How many of the likeliest first tokens to tell, with their log-probabilities. */
  topLogprobs?: number;
}

export interface ChatAnswer {
  text: string;
  /** "stop": the model ended it. "length": it was cut at `maxTokens`. Endpoints have others, e.g. "content_filter". */
  finishReason: string;
  /** Tokens of the messages and of the answer; counted too high where an endpoint does not tell them. */
  promptTokens: number;
  completionTokens: number;
  /** Of the likeliest tokens that the answer may have begun with: log-probability in nats, by the token's text. */
  firstTokenLogprobs?: Record<string, number>;
  /** It was there already: nothing was asked. */
  cached: boolean;
}

export interface ChatModel {
  /** Names the weights: the endpoint's name for the model, or an own model's folder and hash. */
  readonly name: string;
  /** The endpoint's host, or "own model". */
  readonly host: string;
  /** @throws AskError, or UserError for what the user must mend before anything can be asked. */
  ask(request: ChatRequest, signal?: AbortSignal): Promise<ChatAnswer>;
}

/** Longest answer where a request does not say (CHOSEN). */
export const MAX_TOKENS = 1024;

/** Why there is no answer. */
export class AskError extends Error {
  override name = "AskError";
  constructor(
    message: string,
    /** Whether the same request may succeed later. */
    readonly retry: boolean,
    /** Whether the request may have been computed, and paid, all the same. */
    readonly charged: boolean,
    /** How long the endpoint asks to wait. */
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
  }
}

/** What an answer depends on, hashed: the same key is the same question to the same model. */
export function requestKey({ name, host }: Pick<ChatModel, "name" | "host">, request: ChatRequest): string {
  const { messages, temperature, topP, seed, maxTokens, stop, topLogprobs } = request;
  const turns = messages.map(({ role, content }) => [role, content]);
  const key = [host, name, turns, temperature, topP, seed, maxTokens ?? MAX_TOKENS, stop, topLogprobs];
  return createHash("sha256").update(JSON.stringify(key)).digest("hex");
}

/** A seed for one item of a job, the same in every run: a whole number below 2^31, which every endpoint accepts. */
export const itemSeed = (seed: number, ...labels: string[]) => makeRandom(seed, "item", ...labels).int(2 ** 31);

/** Where a text comes from; nothing in it differs between two runs of the same job. */
export interface Provenance {
  model: string;
  host: string;
  /** The first 16 hexadecimal digits of SHA-256 of the messages as JSON. */
  promptHash: string;
  seed: number;
  temperature: number;
  topP: number;
  maxTokens: number;
}

export function provenanceOf({ name, host }: Pick<ChatModel, "name" | "host">, request: SampledRequest): Provenance {
  const { messages, seed, temperature, topP, maxTokens } = request;
  const promptHash = createHash("sha256").update(JSON.stringify(messages)).digest("hex").slice(0, 16);
  return { model: name, host, promptHash, seed, temperature, topP, maxTokens };
}

/** A request that leaves nothing of the sampling to the model. */
export type SampledRequest = ChatRequest & Required<Pick<ChatRequest, "seed" | "temperature" | "topP" | "maxTokens">>;
