/**
 * @file The order of turns: an optional system message, then user and assistant in turn, the assistant last. What can be
 * repaired without guessing is, in this order, and each repair is named; the rest is `bad_turns`.
 *
 * 1. System messages that are not first move to the front; several are joined by an empty line.
 * 2. Answers before the first question are left out (many ShareGPT chats begin with one).
 * 3. Neighbours of one role are joined by an empty line; the second of two equal ones is left out.
 * 4. The chat ends before the question whose answer is empty.
 * 5. Questions after the last answer are left out.
 */
import type { ChatMessage } from "../../tokenizer/chatTemplate.ts";

export type TurnRepair =
  | "systemMoved"
  | "systemJoined"
  | "answerBeforeQuestion"
  | "neighboursJoined"
  | "cutAtEmptyAnswer"
  | "questionWithoutAnswer";

export type Turns = { messages: ChatMessage[]; repairs: TurnRepair[] } | { bad: string };

const isEmpty = (text: string) => !/[\p{L}\p{N}\p{P}\p{S}]/u.test(text);

export function repairTurns(raw: readonly ChatMessage[]): Turns {
  const repairs: TurnRepair[] = [];
  const note = (repair: TurnRepair) => {
    if (!repairs.includes(repair)) repairs.push(repair);
  };
  const system = raw.filter(({ role, content }) => role === "system" && !isEmpty(content));
  if (system.length > 1) note("systemJoined");
  else if (system.length === 1 && raw[0] !== system[0]) note("systemMoved");

  const turns: ChatMessage[] = [];
  for (const { role, content } of raw) {
    if (role === "system") continue;
    const last = turns[turns.length - 1];
    if (!last && role === "assistant") note("answerBeforeQuestion");
    else if (last?.role !== role) turns.push({ role, content });
    else {
      note("neighboursJoined");
      if (isEmpty(last.content)) last.content = content;
      else if (!isEmpty(content) && content !== last.content) last.content += `\n\n${content}`;
    }
  }
  if (turns.length === 0) return { bad: raw.length === 0 ? "no messages" : "no question" };

  const empty = turns.findIndex(({ role, content }) => role === "assistant" && isEmpty(content));
  if (empty >= 0) {
    turns.length = empty - 1; // its question goes with it
    if (turns.length === 0) return { bad: "the first answer is empty" };
    note("cutAtEmptyAnswer");
  }
  if (turns[turns.length - 1].role === "user") {
    turns.pop();
    if (turns.length === 0) return { bad: "no answer" };
    note("questionWithoutAnswer");
  }
  if (turns.some(({ content }) => isEmpty(content))) return { bad: "a question is empty" };
  const first: ChatMessage[] =
    system.length === 0 ? [] : [{ role: "system", content: system.map(({ content }) => content).join("\n\n") }];
  return { messages: [...first, ...turns], repairs };
}

/** Question and answer of each exchange, and the index of the answer among the messages. */
export function* exchanges(messages: readonly ChatMessage[]) {
  for (const [i, { role, content }] of messages.entries())
    if (role === "assistant") yield { question: messages[i - 1].content, answer: content, at: i };
}
