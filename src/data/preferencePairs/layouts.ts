/**
 * @file Preference sets as they are published: LMSYS's arena in its two layouts, UltraFeedback in its two, and TRL's own.
 * Each row becomes a prompt with two answers and which one is better, a prompt alone, or the reason why neither.
 */
import type { ChatMessage } from "../../tokenizer/chatTemplate.ts";
import { makeRandom } from "../../util/random.ts";
import type { Row } from "../files/readRows.ts";

export interface Pair {
  prompt: ChatMessage[];
  chosen: string;
  rejected: string;
  /** Names of the models that answered; "" where the row does not say. */
  chosenModel: string;
  rejectedModel: string;
  /** Who decided. */
  judge: string;
  /** How much better, in the unit of the set's ratings; null where there are none. */
  margin: number | null;
}

export type Read =
  | { pair: Pair }
  | { prompt: ChatMessage[] }
  /** `dropped`: a whole row that prefers nothing. Otherwise the row is none of ours. */
  | { reason: string; dropped: boolean };

const drop = (reason: string): Read => ({ reason, dropped: true });
const bad = (reason: string): Read => ({ reason, dropped: false });
const isText = (value: unknown): value is string => typeof value === "string";
const isOne = (value: unknown) => value === 1 || value === "1" || value === true;
const nameOf = (value: unknown) => (isText(value) ? value : "");

/** By the row's columns. `seed` and `id` draw among UltraFeedback's worse answers. */
export function readPreference(row: Row, seed: number, id: string): Read {
  if ("winner_model_a" in row) return arenaColumns(row);
  if ("conversation_a" in row) return arenaConversations(row);
  if (Array.isArray(row.completions)) return ultraFeedback(row, seed, id);
  if ("chosen" in row || "rejected" in row) return chosenRejected(row);
  const prompt = promptOf(row.messages ?? row.prompt ?? row.instruction);
  return prompt ? { prompt } : bad("no layout that we know");
}

/** lmsys/lmsys-arena-human-preference-55k: turns as JSON lists in text, 1 in one of three winner columns. */
function arenaColumns(row: Row): Read {
  const [asked, a, b] = [row.prompt, row.response_a, row.response_b].map(turnsOf);
  if (!asked || !a || !b || asked.length === 0 || a.length !== asked.length || b.length !== asked.length)
    return bad("prompt, response_a and response_b are not lists of as many turns");
  if (![...asked, ...a, ...b].every(isText)) return drop("missingTurn"); // the set has null in some
  const wins = [row.winner_model_a, row.winner_model_b, row.winner_tie].map(isOne);
  if (wins.filter(Boolean).length !== 1) return bad("not one winner");
  const conversation = (answers: unknown[]) =>
    asked.flatMap((content, i): ChatMessage[] => [
      { role: "user", content: content as string },
      { role: "assistant", content: answers[i] as string },
    ]);
  return decided(conversation(a), conversation(b), wins[0] ? "a" : wins[1] ? "b" : "tie", row);
}

function turnsOf(value: unknown): unknown[] | undefined {
  if (Array.isArray(value)) return value;
  if (!isText(value)) return undefined;
  try {
    const turns: unknown = JSON.parse(value);
    return Array.isArray(turns) ? turns : undefined;
  } catch {
    return undefined;
  }
}

/** lmsys/chatbot_arena_conversations (33k): two lists of messages, `winner` "model_a", "model_b", "tie" or "tie (bothbad)". */
function arenaConversations(row: Row): Read {
  const [a, b] = [messagesOf(row.conversation_a), messagesOf(row.conversation_b)];
  if (!a || !b) return bad("conversation_a or conversation_b is not a list of messages");
  const { winner } = row;
  if (winner === "model_a" || winner === "model_b") return decided(a, b, winner === "model_a" ? "a" : "b", row);
  return isText(winner) && winner.startsWith("tie") ? drop("tie") : bad("winner is none of model_a, model_b, tie");
}

function decided(a: ChatMessage[], b: ChatMessage[], winner: "a" | "b" | "tie", row: Row): Read {
  if (winner === "tie") return drop("tie");
  const models = { a: nameOf(row.model_a), b: nameOf(row.model_b) };
  const [chosen, rejected] = winner === "a" ? [a, b] : [b, a];
  const [chosenModel, rejectedModel] = winner === "a" ? [models.a, models.b] : [models.b, models.a];
  return conversations(chosen, rejected, { chosenModel, rejectedModel, judge: "human", margin: null });
}

/** Two conversations that differ in their last answer; a preference for whole dialogues is none for one answer. */
function conversations(
  chosen: ChatMessage[],
  rejected: ChatMessage[],
  rest: Omit<Pair, "prompt" | "chosen" | "rejected">,
): Read {
  const prompt = chosen.slice(0, -1);
  if (chosen.at(-1)?.role !== "assistant" || rejected.at(-1)?.role !== "assistant" || prompt.at(-1)?.role !== "user")
    return bad("a conversation does not end with an answer to a question");
  const same = (a: ChatMessage, b?: ChatMessage) => a.role === b?.role && a.content === b.content;
  if (rejected.length !== chosen.length || !prompt.every((message, i) => same(message, rejected[i])))
    return drop("promptDiffers");
  return { pair: { prompt, chosen: chosen.at(-1)!.content, rejected: rejected.at(-1)!.content, ...rest } };
}

/**
 * openbmb/UltraFeedback: four completions with ratings by GPT-4. Chosen is the best by the mean of its aspects' ratings,
 * as argilla/ultrafeedback-binarized-preferences has it, since some `overall_score` of 10 are misread 1s; without ratings
 * by `overall_score`. Rejected is drawn among the worse ones (HuggingFaceH4/ultrafeedback_binarized).
 */
function ultraFeedback(row: Row, seed: number, id: string): Read {
  const prompt = promptOf(row.instruction ?? row.prompt);
  if (!prompt) return bad("no instruction");
  const completions = (row.completions as Row[]).flatMap((one) => {
    const score = one && isText(one.response) ? scoreOf(one) : null;
    return score === null ? [] : [{ text: one.response as string, score, model: nameOf(one.model) }];
  });
  if (completions.length < 2) return bad("fewer than two rated completions");
  const best = Math.max(...completions.map(({ score }) => score));
  const [first, ...equal] = completions.filter(({ score }) => score === best);
  const worse = completions.filter(({ score }) => score < best);
  if (equal.length > 0 || worse.length === 0) return drop("tie");
  const rejected = makeRandom(seed, "rejected", id).pick(worse);
  return {
    pair: {
      ...{ prompt, chosen: first.text, rejected: rejected.text, judge: "UltraFeedback" },
      ...{ chosenModel: first.model, rejectedModel: rejected.model, margin: first.score - rejected.score },
    },
  };
}

function scoreOf({ annotations, overall_score }: Row): number | null {
  const aspects = Object.values((annotations ?? {}) as Row).flatMap((aspect) =>
    Array.isArray(aspect) ? aspect : [aspect],
  );
  const ratings = aspects.map((aspect) => Number.parseFloat(String((aspect as Row | null)?.Rating))); // "N/A" is NaN
  const known = ratings.filter(Number.isFinite);
  if (known.length > 0) return known.reduce((a, b) => a + b, 0) / known.length;
  const overall = Number(overall_score ?? Number.NaN);
  return Number.isFinite(overall) ? overall : null;
}

/** HuggingFaceH4/ultrafeedback_binarized and TRL: lists of messages or texts; with the prompt inside or beside them. */
function chosenRejected(row: Row): Read {
  const [better, worse] = [Number(row.score_chosen ?? Number.NaN), Number(row.score_rejected ?? Number.NaN)];
  const margin = Number.isFinite(better - worse) ? better - worse : null;
  if (margin === 0) return drop("tie");
  const [first, second] = margin !== null && margin < 0 ? [row.rejected, row.chosen] : [row.chosen, row.rejected];
  const rest = {
    chosenModel: "",
    rejectedModel: "",
    judge: "given",
    margin: margin === null ? null : Math.abs(margin),
  };
  const prompt = promptOf(row.prompt);
  if (isText(first) && isText(second))
    return prompt ? { pair: { prompt, chosen: first, rejected: second, ...rest } } : bad("no prompt");
  const [chosen, rejected] = [messagesOf(first), messagesOf(second)];
  if (!chosen || !rejected) return bad("chosen or rejected is neither text nor a list of messages");
  const alone = [chosen, rejected].every((list) => list.length === 1 && list[0].role === "assistant");
  if (alone) return prompt ? conversations([...prompt, ...chosen], [...prompt, ...rejected], rest) : bad("no prompt");
  const read = conversations(chosen, rejected, rest);
  const last = (messages?: ChatMessage[]) => messages?.at(-1)?.content.trim();
  if ("pair" in read && prompt && last(prompt) !== last(read.pair.prompt)) return drop("promptDiffers");
  return read;
}

/** A question in text, or messages that end with one. */
function promptOf(value: unknown): ChatMessage[] | undefined {
  if (isText(value)) return value.trim() === "" ? undefined : [{ role: "user", content: value }];
  const messages = messagesOf(value);
  if (messages?.at(-1)?.role === "assistant") messages.pop(); // H4's `messages` hold the chosen answer
  return messages?.at(-1)?.role === "user" ? messages : undefined;
}

const ROLES: Record<string, ChatMessage["role"]> = { system: "system", user: "user", assistant: "assistant" };

function messagesOf(value: unknown): ChatMessage[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const messages = value.map((message) => {
    const { role, content } = (message ?? {}) as Record<string, unknown>;
    const known = isText(role) && Object.hasOwn(ROLES, role) ? ROLES[role] : undefined;
    return known && isText(content) ? { role: known, content } : undefined;
  });
  return messages.every((message) => message !== undefined) ? messages : undefined;
}
