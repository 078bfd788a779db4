/**
 * @file HTML in prose (paper section 4.1): tags of HTML's elements are taken away and entities decoded. Only known element
 * names are tags, so `a < b`, `Vec<T>` and `<think>` stay; an element that takes content goes only together with its end,
 * so "use the <p> tag" stays. Whole pages are code that nobody fenced, and stay.
 */

const VOID = "br|hr|img|wbr|input|col|embed|source|track|meta|link|area|base";
const BLOCK =
  "p|div|h[1-6]|ul|ol|dl|dt|dd|table|thead|tbody|tfoot|tr|section|article|header|footer|main|aside|nav|blockquote|pre|figure|figcaption|center|form|fieldset|address|details|summary";
const INLINE =
  "a|abbr|acronym|b|bdi|bdo|big|button|caption|cite|code|data|del|dfn|em|font|i|ins|kbd|label|mark|noscript|optgroup|option|output|q|rp|rt|ruby|s|samp|select|small|span|strike|strong|sub|sup|td|textarea|th|time|tt|u|var";

/** Attributes: quoted values may hold anything but their quote; the bound keeps a stray "<" from reaching far. */
const ATTRIBUTES = `(?:\\s(?:[^<>"']|"[^"<]{0,500}"|'[^'<]{0,500}'){0,300})?`;
const OPENING = new RegExp(`<(${VOID}|${BLOCK}|${INLINE}|li)${ATTRIBUTES}\\s*/?>`, "gi");
const CLOSING = new RegExp(`</(${BLOCK}|${INLINE}|li)\\s*>`, "gi");
const TAG = new RegExp(`<(/?)(${VOID}|${BLOCK}|${INLINE}|li)${ATTRIBUTES}\\s*/?>`, "gi");
const WITH_CONTENT = /<(script|style)\b[^<>]{0,500}>[\s\S]{0,20000}?<\/\1\s*>|<!--[\s\S]{0,5000}?-->/gi;
const PAGE = /<!doctype\s+html|<html[\s>]|<\?xml|<\/?(?:body|head)\s*>/i;
const isVoid = new RegExp(`^(?:${VOID})$`, "i");
const isBlock = new RegExp(`^(?:${BLOCK}|li)$`, "i");

/** HTML's names that occur in text; numbers are decoded as well. */
const ENTITIES: Record<string, string> = {
  ...{ amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", shy: "", copy: "©", reg: "®", trade: "™" },
  ...{ hellip: "…", mdash: "—", ndash: "–", lsquo: "‘", rsquo: "’", ldquo: "“", rdquo: "”", laquo: "«", raquo: "»" },
  ...{ bull: "•", middot: "·", times: "×", divide: "÷", deg: "°", euro: "€", pound: "£", yen: "¥", cent: "¢" },
  ...{ sect: "§", para: "¶", plusmn: "±", frac12: "½", frac14: "¼", frac34: "¾", sup2: "²", sup3: "³", micro: "µ" },
  ...{ auml: "ä", ouml: "ö", uuml: "ü", Auml: "Ä", Ouml: "Ö", Uuml: "Ü", szlig: "ß", eacute: "é", egrave: "è" },
  ...{ ecirc: "ê", agrave: "à", aacute: "á", acirc: "â", ccedil: "ç", ntilde: "ñ", oacute: "ó", iacute: "í" },
  ...{ uacute: "ú", ocirc: "ô", icirc: "î", ucirc: "û", atilde: "ã", otilde: "õ", ugrave: "ù", rarr: "→", larr: "←" },
};
const ENTITY = /&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,8}\d{0,2}));/gi;

/** `count`: tags and entities that were changed. */
export function removeHtml(prose: string): { text: string; count: number } {
  if (PAGE.test(prose)) return { text: prose, count: 0 };
  let count = 0;
  const counted = (replacement: string) => {
    count++;
    return replacement;
  };
  let text = prose.replace(WITH_CONTENT, () => counted(""));
  // An element goes when it is opened and closed equally often.
  const balance = new Map<string, number>();
  for (const [pattern, by] of [
    [OPENING, 1],
    [CLOSING, -1],
  ] as const)
    for (const [, name] of text.matchAll(pattern))
      balance.set(name.toLowerCase(), (balance.get(name.toLowerCase()) ?? 0) + by);
  text = text.replace(TAG, (tag, slash: string, name: string) => {
    const lower = name.toLowerCase();
    if (!isVoid.test(lower) && balance.get(lower) !== 0) return tag;
    if (lower === "br") return counted("\n");
    if (lower === "li") return counted(slash ? "" : "\n- ");
    if (/^t[dh]$/.test(lower)) return counted(slash ? " " : "");
    return counted(isBlock.test(lower) || lower === "hr" ? "\n" : "");
  });
  if (count > 0)
    text = text
      .replace(/[ \t]+\n/g, "\n")
      .replace(/\n{3,}/g, "\n\n")
      .replace(/^\n+(?=\S)/, "");
  text = text.replace(ENTITY, (entity, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) {
      const known = ENTITIES[name] ?? ENTITIES[name.toLowerCase()];
      return known === undefined ? entity : counted(known);
    }
    const point = Number.parseInt(decimal ?? hex!, decimal === undefined ? 16 : 10);
    const isText =
      point >= 0x20 && (point < 0x7f || point >= 0xa0) && (point < 0xd800 || point > 0xdfff) && point <= 0x10ffff;
    return isText ? counted(String.fromCodePoint(point)) : entity;
  });
  return { text, count };
}
