/**
 * @file A row of any of the usual layouts as messages: OpenAI's and TRL's {messages}, ShareGPT's {conversations}, Alpaca's
 * {instruction, input, output} (with LLaMA-Factory's `history` and `system`), TRL's {prompt, completion}.
 */
import type { ChatMessage } from "../../tokenizer/chatTemplate.ts";
import type { Row } from "../files/readRows.ts";
import { plainText, type TextFlag } from "./plainText.ts";

export interface RawChat {
  /** As the row has them: no order is checked yet (turns.ts). */
  messages: ChatMessage[];
  /** The row's own `id`, null where it has none. */
  id: string | null;
  /** The row's own `language` or `lang`, null where it has none. */
  language: string | null;
  flags: Set<TextFlag>;
  /** Control characters that were left out. */
  controls: number;
}

/** Names that data sets give to the three roles. */
const ROLES: Record<string, ChatMessage["role"]> = {
  ...{ user: "user", human: "user", prompter: "user", instruction: "user" },
  ...{ assistant: "assistant", gpt: "assistant", chatgpt: "assistant", model: "assistant", bot: "assistant" },
  ...{ bard: "assistant", bing: "assistant", system: "system" },
};

/** The chat of a row, or in one line why it is none. */
export function readChat(row: Row): RawChat | string {
  const found = layoutOf(row);
  if (typeof found === "string") return found;
  const flags = new Set<TextFlag>();
  let controls = 0;
  const messages: ChatMessage[] = [];
  for (const [i, { role, content }] of found.entries()) {
    const known = typeof role === "string" ? ROLES[role.toLowerCase()] : undefined;
    if (!known) return `message ${i}: role ${show(role)}; expected system, user or assistant`;
    const text = textOf(content);
    if (text === null) return `message ${i}: content ${show(content)}; expected text`;
    const clean = plainText(text);
    for (const flag of clean.flags) flags.add(flag);
    controls += clean.controls;
    messages.push({ role: known, content: clean.text });
  }
  const name = (value: unknown) => (typeof value === "string" && value !== "" ? value : null);
  const id = typeof row.id === "number" ? String(row.id) : name(row.id);
  return { messages, id, language: name(row.language) ?? name(row.lang), flags, controls };
}

interface Turn {
  role: unknown;
  content: unknown;
}

const isRecord = (value: unknown): value is Row => typeof value === "object" && value !== null && !Array.isArray(value);

/** The first layout whose key the row has. */
function layoutOf(row: Row): Turn[] | string {
  const system: Turn[] = row.system ? [{ role: "system", content: row.system }] : [];
  for (const key of ["messages", "conversations", "conversation"]) {
    const list = row[key];
    if (list === undefined || list === null) continue;
    if (!Array.isArray(list)) return `"${key}" is ${show(list)}; expected a list of messages`;
    if (!list.every(isRecord)) return `"${key}" holds something that is no message`;
    return [...system, ...list.map((turn) => ({ role: turn.role ?? turn.from, content: turn.content ?? turn.value }))];
  }
  if (row.instruction !== undefined && row.instruction !== null) {
    const { instruction, input, output, history } = row;
    if (output === undefined || output === null) return '"instruction" without "output"';
    const before: Turn[] = [];
    for (const pair of Array.isArray(history) ? history : []) {
      if (!Array.isArray(pair) || pair.length !== 2) return '"history" holds something that is no pair of texts';
      before.push({ role: "user", content: pair[0] }, { role: "assistant", content: pair[1] });
    }
    // One line break between the two, as LLaMA-Factory joins them.
    const asked = typeof input === "string" && input.trim() !== "" ? `${textOf(instruction)}\n${input}` : instruction;
    return [...system, ...before, { role: "user", content: asked }, { role: "assistant", content: output }];
  }
  if (row.prompt !== undefined && row.prompt !== null) {
    const { prompt, completion } = row;
    if (completion === undefined || completion === null) return '"prompt" without "completion"';
    const side = (value: unknown, role: string): Turn[] =>
      Array.isArray(value) && value.every(isRecord)
        ? value.map((turn) => ({ role: turn.role, content: turn.content }))
        : [{ role, content: value }];
    return [...system, ...side(prompt, "user"), ...side(completion, "assistant")];
  }
  return `no messages, conversations, instruction or prompt (keys: ${Object.keys(row).slice(0, 8).join(", ")})`;
}

/** Text, or the text parts of OpenAI's list of parts; null for images and the rest. */
function textOf(content: unknown): string | null {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return null;
  const parts = content.map((part) => (isRecord(part) && part.type === "text" ? part.text : null));
  return parts.every((part): part is string => typeof part === "string") ? parts.join("") : null;
}

const show = (value: unknown) => (JSON.stringify(value) ?? "missing").slice(0, 40);
