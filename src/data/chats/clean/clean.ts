/**
 * @file The cleaning of the paper's section 4.1, in its order: merged turns, numbering, HTML, emoji, links. Code and formulas
 * are left alone, and so is what a chat is about: HTML in a chat on web pages, emoji where they are asked for.
 */
import type { ChatMessage } from "../../../tokenizer/chatTemplate.ts";
import { outsideCode } from "./code.ts";
import { removeEmoji } from "./emoji.ts";
import { removeHtml } from "./html.ts";
import { removeLinks } from "./links.ts";
import { splitMergedTurns } from "./mergedTurns.ts";
import { repairNumbering } from "./numbering.ts";

export const CLEANERS = ["mergedTurns", "numbering", "html", "emoji", "links"] as const;
export type Cleaner = (typeof CLEANERS)[number];

/** A question that names these is about them. */
const ABOUT: Partial<Record<Cleaner, RegExp>> = {
  html: /\b(?:x?html5?|css|xml|svg|jsx|dom|markup|web ?(?:page|site)s?|<\w+>|tags?|bbcode)\b|网页|網頁|标签|ウェブ|タグ|태그|웹 ?페이지|тег|разметк|веб-?страниц|صفحة ويب|balise|etiqueta|página web|webseite/iu,
  emoji:
    /emoji|emoticon|smil(?:ey|ies)|表情|絵文字|이모지|이모티콘|эмодзи|смайл|емодзі|رمز تعبيري|إيموجي|ایموجی|ইমোজি|อีโมจิ|\p{Emoji_Presentation}/iu,
  links:
    /\b(?:urls?|links?|hyperlinks?|href|domains?|https?|web ?(?:site|page|address)(?:e?s)?)\b|链接|連結|网址|網址|リンク|링크|주소|ссылк|посилан|رابط|لینک|\blien|enlace|bağlantı|tautan|liên kết|odkaz|συνδέσμ|ลิงก์|লিঙ্ক/iu,
};

const CHANGES = { numbering: repairNumbering, html: removeHtml, emoji: removeEmoji, links: removeLinks };

export interface Cleaned {
  messages: ChatMessage[];
  /** How much each cleaner changed; only of those that did. */
  counts: Partial<Record<Cleaner, number>>;
}

export function cleanChat(messages: readonly ChatMessage[], cleaners: readonly Cleaner[] = CLEANERS): Cleaned {
  const counts: Cleaned["counts"] = {};
  let cleaned = [...messages];
  for (const cleaner of CLEANERS) {
    if (!cleaners.includes(cleaner)) continue;
    let count = 0;
    if (cleaner === "mergedTurns") ({ messages: cleaned, count } = splitMergedTurns(cleaned));
    else {
      const about = ABOUT[cleaner];
      const asked = cleaned.filter(({ role }) => role !== "assistant");
      if (about && asked.some(({ content }) => about.test(content))) continue;
      cleaned = cleaned.map(({ role, content }) => {
        const text = outsideCode(content, (prose) => {
          const changed = CHANGES[cleaner](prose);
          count += changed.count;
          return changed.text;
        });
        return { role, content: text === content ? content : text.trim() };
      });
    }
    if (count > 0) counts[cleaner] = count;
  }
  return { messages: cleaned, counts };
}
