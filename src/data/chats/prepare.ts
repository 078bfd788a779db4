/**
 * @file One row on its own: read, cleaned, its turns repaired, its equations checked. Everything that needs the other rows or
 * a model comes later (run.ts).
 */
import { basename } from "node:path";
import type { ChatMessage } from "../../tokenizer/chatTemplate.ts";
import { checkEquations } from "../equations/check.ts";
import { type RowItem, readRows } from "../files/readRows.ts";
import type { Identify } from "../pairs/pairRules.ts";
import { codePoints } from "../rules/pythonText.ts";
import type { Candidate, SelectionLine } from "../selection/candidates.ts";
import { cleanChat } from "./clean/clean.ts";
import { withoutCode } from "./clean/code.ts";
import { readChat } from "./readChat.ts";
import type { ChatsRecipe } from "./recipe.ts";
import { exchanges, repairTurns } from "./turns.ts";

/** Code points of a text's beginning in the ledger, and wrong equations that it shows. */
const START = 80;
const SHOWN = 5;

export const start = (text: string) => [...text.slice(0, 2 * START)].slice(0, START).join("");

/** All of a chat that was said; system messages are shared by many. */
export const chatText = (messages: readonly ChatMessage[]) =>
  messages
    .filter(({ role }) => role !== "system")
    .map(({ content }) => content)
    .join("\n");

export interface PrepareOptions {
  recipe: Pick<ChatsRecipe, "clean" | "equations">;
  identify?: Identify;
}

export function prepareChat(source: string, item: RowItem, { recipe, identify }: PrepareOptions): Candidate {
  const { ordinal, offset } = item;
  const line: SelectionLine = {
    ...{ id: `${source}#${ordinal}`, source, ordinal, offset, url: null, language: null, characters: 0 },
    ...{ outcome: "kept", stage: null, reason: null, measures: [] },
  };
  const end = (outcome: SelectionLine["outcome"], stage: string | null, reason: string, head: string): Candidate => ({
    line: { ...line, outcome, stage, reason, start: start(head) },
    row: null,
  });
  if ("reason" in item) return end("quarantined", null, item.reason, item.head);
  const chat = readChat(item.row);
  if (typeof chat === "string") return end("quarantined", null, chat, JSON.stringify(item.row));
  if (chat.id !== null) line.id = chat.id;

  const flags: string[] = [...chat.flags];
  if (chat.controls > 0) flags.push("controlCharacters");
  const cleaned = cleanChat(chat.messages, recipe.clean);
  if (Object.keys(cleaned.counts).length > 0) line.cleaned = cleaned.counts;
  const turns = repairTurns(cleaned.messages);
  if ("bad" in turns) {
    line.notes = { turns: turns.bad };
    return end("dropped", "turns", "bad_turns", chatText(chat.messages));
  }
  const { messages, repairs } = turns;
  const text = chatText(messages);
  if (repairs.length > 0) line.repairs = repairs;
  if (flags.length > 0) line.flags = flags;
  line.language = chat.language ?? identify?.(text).language ?? null;
  line.characters = codePoints(text);
  line.start = start(text);

  if (recipe.equations) {
    const found = [...exchanges(messages)].flatMap(({ answer, at }) => {
      const asked = messages.slice(0, at).flatMap(({ role, content }) => (role === "assistant" ? [] : [content]));
      return checkEquations(withoutCode(answer), asked.join("\n"));
    });
    if (found.length > 0) {
      const count = (verdict: string) => found.filter((equation) => equation.verdict === verdict).length;
      const wrong = found.filter(({ verdict }) => verdict === "wrong");
      const derivations = wrong.slice(0, SHOWN).map(({ text: shown, derivation }) => `${shown}: ${derivation}`);
      line.equations = { right: count("right"), wrong: wrong.length, unchecked: count("unchecked"), derivations };
      const stage = "equations";
      line.measures.push({ stage, rule: "equation.wrong", value: wrong.length, limit: 0, keep: "atMost" });
      if (wrong.length > 0)
        return { line: { ...line, outcome: "dropped", stage, reason: "equation.wrong" }, row: null };
    }
  }
  return { line, row: { id: line.id, language: line.language ?? "und", messages } };
}

/** Every row of the files, in order; a number that was given twice gets a suffix. */
export async function* prepareFiles<T extends Candidate>(
  inputs: readonly string[],
  prepare: (source: string, item: RowItem) => T,
  onProgress?: (rows: number) => void,
): AsyncGenerator<T> {
  const seen = new Map<string, number>();
  let rows = 0;
  for (const path of inputs)
    for await (const item of readRows(path)) {
      const candidate = prepare(basename(path), item);
      const { line, row } = candidate;
      const before = seen.get(line.id) ?? 0;
      seen.set(line.id, before + 1);
      if (before > 0) {
        line.id = `${line.id}#${before + 1}`;
        line.flags = [...(line.flags ?? []), "duplicateId"];
        if (row) row.id = line.id;
      }
      if (++rows % 256 === 0) {
        onProgress?.(rows);
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      yield candidate;
    }
}
