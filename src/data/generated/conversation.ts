/**
 * @file One question with its answer, out of the layouts that instruction data has: {instruction, input, output},
 * {question, answer}, and {messages} of one turn.
 */
import type { Row } from "../files/readRows.ts";

export interface Exchange {
  system: string;
  /** What to do; empty where the row has only a question. */
  instruction: string;
  /** What to do it with. */
  question: string;
  answer: string;
}

/** The exchange of a row, or why there is none: "several turns" is fine elsewhere, the rest is no row of ours. */
export function exchangeOf(row: Row): Exchange | { reason: string } {
  const text = (...keys: string[]) => keys.map((key) => row[key]).find((value) => typeof value === "string") ?? "";
  if (Array.isArray(row.messages)) return ofMessages(row.messages);
  const exchange = {
    system: text("system"),
    instruction: text("instruction"),
    question: text("input", "question"),
    answer: text("output", "answer", "response"),
  } as Exchange;
  if (exchange.instruction.trim() === "" && exchange.question.trim() === "")
    return { reason: 'no "instruction", "question" or "messages"' };
  if (exchange.answer.trim() === "") return { reason: 'no "output" or "answer"' };
  return exchange;
}

function ofMessages(messages: readonly unknown[]): Exchange | { reason: string } {
  const turns = messages as { role?: unknown; content?: unknown }[];
  if (turns.some((turn) => typeof turn?.role !== "string" || typeof turn.content !== "string"))
    return { reason: "a message without role and content" };
  const [system, rest] = turns[0]?.role === "system" ? [turns[0].content as string, turns.slice(1)] : ["", turns];
  if (rest.length > 2) return { reason: "several turns" };
  if (rest[0]?.role !== "user" || rest[1]?.role !== "assistant") return { reason: "not a question and an answer" };
  return { system, instruction: "", question: rest[0].content as string, answer: rest[1].content as string };
}
