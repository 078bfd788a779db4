/**
 * ChatML as Qwen2-Instruct's template writes it, and the mask that says which tokens a fine-tuned model must produce.
 *
 *     <|im_start|>system\nYou are a helpful assistant.<|im_end|>\n
 *     <|im_start|>user\nHow many?<|im_end|>\n
 *     <|im_start|>assistant\nTwo.<|im_end|>\n        loss on: Two.<|im_end|>
 *
 * The loss counts the assistant's content and its `<|im_end|>`, at which generation stops; not the role header, nor the
 * line break after `<|im_end|>`, which is never generated.
 *
 * Ids and mask are Hugging Face's, for which a header and its content are one text. So where content starts with white
 * space that holds a line break, that may share a token with the header's line break; such a token counts in the loss.
 * The ids of a conversation start with those of its beginning, always; and with its prompt's, but for such answers.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../util/assert.ts";
import type { Tokenizer } from "./bpe.ts";
import { normalize } from "./pretokenize.ts";

export interface ChatMessage {
  role: "system" | "user" | "assistant";
  content: string;
}

export interface ChatOptions {
  /** End with the header of the answer that the model is to write. */
  addGenerationPrompt?: boolean;
  /**
   * System message of a conversation that does not start with one. deviation: Qwen2 always has its default; null leaves
   * it out, since it would fill a large part of the miniature's short context.
   */
  defaultSystem?: string | null;
}

/** Qwen2's default system message (Qwen1.5's has no full stop; Qwen2.5's names Qwen). */
export const DEFAULT_SYSTEM = "You are a helpful assistant.";

/** The token ids of a conversation, and 1 where a token counts in the loss. */
export function renderChat(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  options: ChatOptions = {},
): { inputIds: number[]; lossMask: number[] } {
  const { imStart, imEnd } = tokenizer.special;
  const inputIds: number[] = [];
  const lossMask: number[] = [];
  const add = (ids: readonly number[], loss: 0 | 1) => {
    for (const id of ids) {
      inputIds.push(id);
      lossMask.push(loss);
    }
  };
  for (const { role, content } of withSystem(messages, options.defaultSystem)) {
    const header = `${role}\n`;
    const ids = tokenizer.encode(header + content);
    let start = 0; // the first token that reaches into the content
    for (let bytes = 0; start < ids.length; start++) {
      bytes += tokenizer.tokenBytes(ids[start]).length;
      if (bytes > Buffer.byteLength(normalize(header))) break;
    }
    add([imStart, ...ids.slice(0, start)], 0);
    add([...ids.slice(start), imEnd], role === "assistant" ? 1 : 0);
    add(tokenizer.encode("\n"), 0);
  }
  if (options.addGenerationPrompt) add([imStart, ...tokenizer.encode("assistant\n")], 0);
  return { inputIds, lossMask };
}

/** The conversation as text, character for character what Hugging Face renders from {@link chatTemplate}. */
export function renderChatText(messages: readonly ChatMessage[], options: ChatOptions = {}): string {
  const parts = withSystem(messages, options.defaultSystem).map(
    ({ role, content }) => `<|im_start|>${role}\n${content}<|im_end|>\n`,
  );
  if (options.addGenerationPrompt) parts.push("<|im_start|>assistant\n");
  return parts.join("");
}

/** Qwen2's Jinja template with `defaultSystem` as its default, or without that part when it is null. */
export function chatTemplate(defaultSystem: string | null): string {
  const system = `<|im_start|>system\n${defaultSystem}<|im_end|>\n`;
  const literal = system.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll("\n", "\\n");
  const ifNone = `{% if loop.first and messages[0]['role'] != 'system' %}{{ '${literal}' }}{% endif %}`;
  return (
    `{% for message in messages %}${defaultSystem === null ? "" : ifNone}` +
    "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
  );
}

/**
 * The default system message of the chat template in a model's directory; null where it has none, or there is no
 * template. @throws UserError where the template renders chats otherwise than {@link renderChat} does
 */
export function defaultSystemOf(directory: string): string | null {
  const found = findTemplate(directory);
  if (!found) return null;
  const template = found.template.trim().replaceAll("\n", "\\n"); // Jinja reads both alike inside a literal
  // Qwen1.5's, Qwen2's and ours; Qwen2.5's has the default twice, the first time in the branch for tools.
  const [, literal] = /\{\{-? '<\|im_start\|>system\\n((?:[^'\\]|\\.)*)<\|im_end\|>\\n' \}\}/.exec(template) ?? [];
  const text = literal?.replace(/\\(.)/g, (_, char) => (char === "n" ? "\n" : char)) ?? null;
  if (template === chatTemplate(text)) return text;
  if (literal !== undefined && sha256(template.replaceAll(literal, "")) === QWEN25) return text;
  throw new UserError(
    `${found.path}: its chat template is none that we render (Qwen2's, or Qwen2.5's without tools): ` +
      "take a model with one of these",
  );
}

/** Hash of Qwen2.5's template (test/fixtures/tokenizer/qwen2.5.jinja) without its default system message. */
const QWEN25 = "cbd5cd842a2cfff4a3052ad4a29c31e3478e2540f0b15cd1c6128f3dcfe98cd1";
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** As transformers: `chat_template.jinja`, else `chat_template` of the configuration, which may be a list of named ones. */
function findTemplate(directory: string): { path: string; template: string } | undefined {
  const jinja = join(directory, "chat_template.jinja");
  if (existsSync(jinja)) return { path: jinja, template: readFileSync(jinja, "utf8") };
  const path = join(directory, "tokenizer_config.json");
  if (!existsSync(path)) return undefined;
  let config: { chat_template?: string | { name: string; template: string }[] } | null;
  try {
    config = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new UserError(`${path}: ${(error as Error).message}; expected Hugging Face's tokenizer_config.json`);
  }
  const named = config?.chat_template;
  const template = Array.isArray(named) ? named.find(({ name }) => name === "default")?.template : named;
  return typeof template === "string" ? { path, template } : undefined;
}

function withSystem(
  messages: readonly ChatMessage[],
  defaultSystem: string | null = DEFAULT_SYSTEM,
): readonly ChatMessage[] {
  if (defaultSystem === null || messages.length === 0 || messages[0].role === "system") return messages;
  return [{ role: "system", content: defaultSystem }, ...messages];
}
