/**
 * @file Dialogues that were merged into one message (paper section 4.1): where a message begins lines with the names of
 * both sides ("Human: ... Assistant: ..."), each such line begins a turn of its own. A chat in which a dialogue is asked
 * for is left as it is, and so are questions and answers ("Q:", "A:"), which are often the task itself.
 */
import type { ChatMessage } from "../../../tokenizer/chatTemplate.ts";
import { withoutCode } from "./code.ts";

const NAMES = {
  user: "Human|User|### ?(?:Human|User|Instruction)|用户|用戶|使用者|人类|人類|ユーザー|사용자|Benutzer|Nutzer|Utilisateur|Usuario|Usuário|Utente|Пользователь|Користувач|Kullanıcı|Pengguna|Người dùng|المستخدم|Użytkownik|Uživatel|Gebruiker|Utilizator|Χρήστης|ผู้ใช้|ব্যবহারকারী|صارف",
  assistant:
    "Assistant|AI|Bot|Chatbot|GPT|ChatGPT|### ?(?:Assistant|Response)|助手|助理|人工智能|アシスタント|어시스턴트|Assistent|Assistente|Asistente|Ассистент|Помощник|Асистент|Asistan|Asisten|Trợ lý|المساعد|Asystent|Βοηθός|ผู้ช่วย|সহকারী|معاون",
};
const marker = (names: string) =>
  `\\*{0,2}(?:${names})\\*{0,2}(?:[ \\t]?[:：]\\*{0,2}|(?<=### ?\\w{4,11})[ \\t]*(?=\\n))[ \\t]*`;
/** A name with a colon (or a heading "### Response") where a line begins. */
const TURN = new RegExp(`(?<=^|\\n)[ \\t]*(?:(${marker(NAMES.user)})|(${marker(NAMES.assistant)}))`, "giu");

/** In a question: the dialogue is what was asked for. */
const ASKS_FOR_DIALOGUE =
  /dialog|conversation|\bchat\b|script|interview|role-?play|transcript|screenplay|对话|對話|会话|劇本|剧本|対話|会話|대화|gespräch|unterhaltung|conversación|diálogo|conversa|conversazione|разговор|диалог|беседа|розмов|діалог|konuşma|diyalog|percakapan|hội thoại|محادثة|حوار|rozmow|rozhovor|gesprek|conversație|διάλογο|บทสนทนา|সংলাপ|مکالمہ|کہانی/iu;

/** `count`: turns that were split off, and names that were taken from the beginning of a message. */
export function splitMergedTurns(messages: readonly ChatMessage[]): { messages: ChatMessage[]; count: number } {
  if (messages.some(({ role, content }) => role !== "assistant" && ASKS_FOR_DIALOGUE.test(content)))
    return { messages: [...messages], count: 0 };
  let count = 0;
  const out: ChatMessage[] = [];
  for (const message of messages) {
    const { role, content } = message;
    const marks = role === "system" ? [] : [...withoutCode(content).matchAll(TURN)];
    const roleOf = (mark: RegExpExecArray): "user" | "assistant" => (mark[1] === undefined ? "assistant" : "user");
    const first = marks[0];
    const begins = first !== undefined && content.slice(0, first.index).trim() === "";
    const roles = marks.map(roleOf);
    const both = roles.includes("user") && roles.includes("assistant");
    // An answer that runs on into the user's next words, or a question that holds a whole dialogue.
    const merged = both || (!begins && roles.some((other) => other !== role));
    if (!merged) {
      if (begins && marks.length === 1 && roles[0] === role) {
        count++;
        out.push({ role, content: content.slice(first.index + first[0].length) });
      } else out.push(message);
      continue;
    }
    if (!begins) out.push({ role, content: content.slice(0, first.index).trimEnd() });
    marks.forEach((mark, i) => {
      if (i > 0 || !begins) count++;
      const text = content.slice(mark.index + mark[0].length, marks[i + 1]?.index).trim();
      out.push({ role: roles[i], content: text });
    });
  }
  return { messages: out, count };
}
