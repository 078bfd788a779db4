/**
 * ChatML as Qwen2-Instruct's template writes it, and the mask that says which tokens a fine-tuned model must produce.
 *
 *     <|im_start|>system\nYou are a helpful assistant.<|im_end|>\n
 *     <|im_start|>user\nHow many?<|im_end|>\n
 *     <|im_start|>assistant\nTwo.<|im_end|>\n        loss on: Two.<|im_end|>
 *
 * The loss counts the assistant's content and its `<|im_end|>`, at which generation stops; not the role header, nor the
 * line break after `<|im_end|>`, which is never generated. Header, content and line break are encoded one by one, so a
 * conversation's ids start with those of its beginning. Hugging Face encodes header and content together, which differs
 * only when content starts with white space that holds a line break.
 */
import type { Tokenizer } from "./bpe.ts";

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
    add([imStart, ...tokenizer.encode(`${role}\n`)], 0);
    add([...tokenizer.encode(content), imEnd], role === "assistant" ? 1 : 0);
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

function withSystem(
  messages: readonly ChatMessage[],
  defaultSystem: string | null = DEFAULT_SYSTEM,
): readonly ChatMessage[] {
  if (defaultSystem === null || messages.length === 0 || messages[0].role === "system") return messages;
  return [{ role: "system", content: defaultSystem }, ...messages];
}
