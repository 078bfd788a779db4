/**
 * @file Any OpenAI-compatible endpoint as a {@link ChatModel}: one POST to `<address>/chat/completions`, one answer or one
 * clear reason. The key comes from an environment variable, goes into the header, and nowhere else.
 */
import { z } from "zod";
import { UserError } from "../../util/assert.ts";
import { AskError, type ChatAnswer, type ChatModel, type ChatRequest, MAX_TOKENS } from "./chatModel.ts";

export interface EndpointOptions {
  /** Everything before /chat/completions, e.g. "http://localhost:8000/v1". */
  endpoint: string;
  model: string;
  /** The environment variable with the key; without it, no key is sent. */
  keyVariable?: string;
  /** Longest time for an answer. */
  timeoutSeconds: number;
  /** What the endpoint calls the longest answer; newer models of OpenAI want the second. */
  maxTokensName?: "max_tokens" | "max_completion_tokens";
}

/** A longer answer than this, in bytes, is no answer (CHOSEN). */
const MAX_BYTES = 16 << 20;

const logprob = z.object({ token: z.string(), logprob: z.number().nullish() });
const schema = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }),
        finish_reason: z.string().nullish(),
        logprobs: z.object({ content: z.array(z.object({ top_logprobs: z.array(logprob) })).nullish() }).nullish(),
      }),
    )
    .min(1),
  usage: z
    .object({ prompt_tokens: z.number().int().nonnegative(), completion_tokens: z.number().int().nonnegative() })
    .nullish(),
});

/** @throws UserError for an address or a key that cannot be. */
export function makeEndpoint(options: EndpointOptions): ChatModel {
  const { endpoint, model, keyVariable, timeoutSeconds, maxTokensName = "max_tokens" } = options;
  const { host } = addressOf(endpoint);
  const key = keyVariable === undefined ? undefined : readKey(keyVariable);
  const url = `${endpoint.replace(/\/+$/, "")}/chat/completions`;
  /** In one line, and without the key, which some endpoints repeat. */
  const clean = (text: string) => {
    const line = text.replace(/\s+/g, " ").trim();
    return (key ? line.replaceAll(key, "***") : line).slice(0, 300);
  };

  async function ask(request: ChatRequest, signal?: AbortSignal): Promise<ChatAnswer> {
    const { messages, temperature, topP, seed, maxTokens, stop, topLogprobs } = request;
    const body = {
      ...{ model, messages, temperature, top_p: topP, seed, stop, [maxTokensName]: maxTokens ?? MAX_TOKENS },
      ...(topLogprobs ? { logprobs: true, top_logprobs: topLogprobs } : {}),
    };
    const timeout = AbortSignal.timeout(timeoutSeconds * 1000);
    let response: Response;
    let text: string;
    try {
      response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json", ...(key ? { authorization: `Bearer ${key}` } : {}) },
        body: JSON.stringify(body),
        redirect: "error", // neither the key nor the text goes anywhere else
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      text = await readText(response);
    } catch (error) {
      if (signal?.aborted || error instanceof AskError) throw error;
      if (timeout.aborted) throw new AskError(`${host}: no answer in ${timeoutSeconds} s`, true, true);
      const { message, cause } = error as Error & { cause?: { code?: string; message?: string } };
      const refused = cause?.code === "ECONNREFUSED" || cause?.code === "ENOTFOUND";
      throw new AskError(`${host}: ${clean(cause?.code ?? cause?.message ?? message)}`, true, !refused);
    }
    if (!response.ok) throw failure(response, text, { host, model, clean, keyVariable });
    return parseAnswer(text, request, host);
  }
  return { name: model, host, ask };
}

function addressOf(endpoint: string): URL {
  const bad = (reason: string) => new UserError(`endpoint: ${reason}; expected an address such as http://host:8000/v1`);
  let url: URL;
  try {
    url = new URL(endpoint);
  } catch {
    throw bad("is not an address");
  }
  if (url.username || url.password) throw bad("holds a user or a password, which would be written to the results");
  if (url.protocol !== "http:" && url.protocol !== "https:") throw bad(`${url.protocol} is not HTTP`);
  if (url.search || url.hash) throw bad("has a ? or #");
  return url;
}

function readKey(variable: string): string {
  if (!/^[A-Z_][A-Z0-9_]*$/.test(variable))
    throw new UserError(
      "key: expected the NAME of an environment variable, in capitals; the key itself is not written",
    );
  const key = process.env[variable];
  if (!key) throw new UserError(`key: the environment variable ${variable} is not set; export it and run again`);
  return key;
}

async function readText(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  const reader = response.body?.getReader();
  let bytes = 0;
  for (let part = await reader?.read(); part?.value; part = await reader!.read()) {
    bytes += part.value.length;
    if (bytes > MAX_BYTES) throw new AskError(`an answer of more than ${MAX_BYTES} bytes`, false, true);
    parts.push(part.value);
  }
  return Buffer.concat(parts).toString("utf8");
}

interface Where {
  host: string;
  model: string;
  clean: (text: string) => string;
  keyVariable?: string;
}

/** Of an answer that is not 2xx. */
function failure(response: Response, text: string, { host, model, clean, keyVariable }: Where): Error {
  const { status, headers } = response;
  const said = z
    .object({ error: z.object({ message: z.string(), code: z.union([z.string(), z.number()]).nullish() }) })
    .safeParse(tryJson(text));
  const message = `${host} answers ${status}: ${clean(said.data?.error.message ?? text) || "nothing"}`;
  if (status === 401 || status === 403)
    return new UserError(`${message}; check the key in ${keyVariable ?? "an environment variable (key:)"}`);
  if (status === 404) return new UserError(`${message}; check the address and the model's name ${model}`);
  if (said.data?.error.code === "insufficient_quota") return new UserError(`${message}; top up and run again`);
  const later = status === 429 || status === 408 || status === 409 || status >= 500;
  return new AskError(message, later, false, retryAfter(headers.get("retry-after")));
}

/** Seconds, or a date (RFC 9110, section 10.2.3). */
function retryAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  const seconds = /^\d+(\.\d+)?$/.test(header.trim()) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A body that is no answer is asked for again: proxies cut and replace bodies. */
function parseAnswer(text: string, request: ChatRequest, host: string): ChatAnswer {
  const parsed = schema.safeParse(tryJson(text));
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0];
    const where = path.length > 0 ? `${path.join(".")}: ${message}` : "it is not JSON";
    throw new AskError(`${host}: the answer is no chat completion (${where})`, true, true);
  }
  const { choices, usage } = parsed.data;
  const [{ message, finish_reason, logprobs }] = choices;
  const answer = message.content ?? message.refusal;
  if (answer === null || answer === undefined) throw new AskError(`${host}: an answer without text`, true, true);
  const first = logprobs?.content?.[0]?.top_logprobs;
  return {
    text: answer,
    finishReason: finish_reason ?? "stop",
    promptTokens: usage?.prompt_tokens ?? promptBound(request),
    completionTokens: usage?.completion_tokens ?? Math.min(Buffer.byteLength(answer), request.maxTokens ?? MAX_TOKENS),
    ...(first ? { firstTokenLogprobs: Object.fromEntries(first.map((one) => [one.token, one.logprob ?? -9999])) } : {}),
    cached: false,
  };
}

/** Tokens that the messages cannot have more of: one a byte, and some for each turn and for a default system message. */
export const promptBound = ({ messages }: ChatRequest) =>
  messages.reduce((sum, { content }) => sum + Buffer.byteLength(content) + 16, 64);
