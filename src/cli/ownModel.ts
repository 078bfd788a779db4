/** @file The models of a recipe as {@link ChatModel}s: endpoints, and the project's own models, whose answers are free. */
import { createHash } from "node:crypto";
import { createReadStream, readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { AskError, type ChatModel, MAX_TOKENS } from "../data/llm/chatModel.ts";
import { makeEndpoint } from "../data/llm/endpoint.ts";
import type { ModelRecipe } from "../data/llm/recipe.ts";
import { defaultSystemOf, renderChat } from "../tokenizer/chatTemplate.ts";
import { answerOptions, openModel, textOf } from "./answers.ts";

/** A model of a recipe. @throws UserError */
export async function openChatModel(recipe: ModelRecipe): Promise<ChatModel> {
  const { endpoint, model, key: keyVariable, timeoutSeconds, maxTokensName, folder, engine } = recipe;
  if (folder !== undefined) return openOwnModel(folder, engine);
  return makeEndpoint({ endpoint: endpoint!, model: model!, keyVariable, timeoutSeconds, maxTokensName });
}

/**
 * A model's directory. Its name holds a hash of its files, so that no answer of other weights is taken for one of these.
 * It answers one request after the other: in a batch, the numbers of one would depend on the others in their last bits.
 */
export async function openOwnModel(folder: string, engine: string): Promise<ChatModel> {
  const { tokenizer, defaults, generate, nextLogprobs, contextLength } = await openModel(folder, engine);
  const defaultSystem = defaultSystemOf(folder);
  let last: Promise<unknown> = Promise.resolve();

  const answer: ChatModel["ask"] = async (request, signal) => {
    const { messages, temperature, topP, seed, maxTokens = MAX_TOKENS, stop, topLogprobs } = request;
    const { inputIds } = renderChat(tokenizer, messages, { defaultSystem, addGenerationPrompt: true });
    const room = contextLength - inputIds.length;
    if (room < 1)
      throw new AskError(`${inputIds.length} tokens do not fit the context of ${contextLength}`, false, false);
    const sampling = temperature === 0 ? { greedy: true } : { temperature, topP, seed };
    const options = answerOptions({ model: folder, engine, stop, ...sampling }, defaults);
    const maxNewTokens = Math.min(maxTokens, room);
    const [{ ids, finishReason }] = await generate([inputIds], { ...options, maxNewTokens, signal });
    signal?.throwIfAborted();
    return {
      text: textOf(tokenizer, ids, stop),
      finishReason,
      promptTokens: inputIds.length,
      completionTokens: ids.length,
      ...(topLogprobs ? { firstTokenLogprobs: likeliest(await nextLogprobs(inputIds), topLogprobs) } : {}),
      cached: false,
    };
  };
  const likeliest = (logprobs: Float64Array, count: number) => {
    const ids = [...logprobs.keys()].sort((a, b) => logprobs[b] - logprobs[a]).slice(0, count);
    return Object.fromEntries(ids.map((id) => [tokenizer.decode([id]), logprobs[id]]).reverse()); // the likelier of equals
  };

  return {
    name: `${basename(resolve(folder))}@${await hashOf(folder)}`,
    host: "own model",
    ask(request, signal) {
      const next = last.then(() => answer(request, signal));
      last = next.catch(() => {});
      return next;
    },
  };
}

/** Of all that an answer depends on: weights, configuration, tokenizer and template. 12 hexadecimal digits of SHA-256. */
export async function hashOf(folder: string): Promise<string> {
  const hash = createHash("sha256");
  for (const name of readdirSync(folder).sort()) {
    if (!/\.(safetensors|json|jinja|txt)$/.test(name)) continue;
    hash.update(name);
    for await (const piece of createReadStream(join(folder, name))) hash.update(piece);
  }
  return hash.digest("hex").slice(0, 12);
}
