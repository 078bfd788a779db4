/**
 * @file Text with mathematics in the characters that the parser knows: ASCII digits for the digits of every script,
 * one character for each operator however it is written, LaTeX's commands as the characters that they stand for.
 */

/* Private characters: where a text has them, it gets others. */
/** Stands where a formula begins or ends ($, \( and so on): nothing reaches over it. */
export const BORDER = "\ue000";
/** Begins a fraction of two groups: \frac{a}{b}. */
export const FRACTION = "\ue001";
/** A space that only separates thousands: no-break, thin and narrow ones, and LaTeX's "\,". */
export const THIN = "\u00a0";
/** A space between a number and the vulgar fraction that follows it: 1½. */
export const MIXED = "\ue002";

const CHARACTERS: Record<string, string> = {};
const put = (characters: string, as: string) => {
  for (const character of characters) CHARACTERS[character] = as;
};
put("−–‐‑﹣－", "-");
put("＋﹢", "+");
put("×✕✖⨯⋅·∙∗＊", "*");
put("÷∕⁄／", "/");
put("＝﹦", "=");
put("≈≃≅≒", "≈");
put("（﹙", "(");
put("）﹚", ")");
put("［", "[");
put("］", "]");
put("％٪﹪", "%");
put("：", ":");
put("，", ","); // full-width comma: between digits it separates thousands
put("．", ".");
put("\u00a0\u2007\u2009\u202f", THIN);
put("\t\u3000 ", " ");
const VULGAR: Record<string, string> = {
  ...{ "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5", "⅘": "4/5" },
  ...{ "⅙": "1/6", "⅚": "5/6", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8" },
};
const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

const COMMANDS: Record<string, string> = {
  ...{ times: "*", cdot: "*", ast: "*", div: "/", approx: "≈", simeq: "≈", frac: FRACTION, dfrac: FRACTION },
  ...{ tfrac: FRACTION, left: "", right: "", big: "", Big: "", text: "", mathrm: "", mathbf: "", textbf: "" },
  ...{ boxed: "", displaystyle: "", quad: " ", qquad: " ", newline: "\n" },
};

export interface PlainMaths {
  original: string;
  text: string;
  /** Where in the original each character is from; one more for the end. */
  at: number[];
}

/** A digit's value: blocks of digits follow each other in tens. */
function digitOf(point: number): number {
  let first = point;
  while (/\p{Nd}/u.test(String.fromCodePoint(first - 1))) first--;
  return (point - first) % 10;
}

export function plainMaths(original: string): PlainMaths {
  let text = "";
  const at: number[] = [];
  const emit = (as: string, from: number) => {
    text += as;
    for (let i = 0; i < as.length; i++) at.push(from);
  };
  const dollars = formulaBorders(original);
  let open = 0; // LaTeX groups; in plain text braces are no mathematics
  for (let i = 0; i < original.length; ) {
    const point = original.codePointAt(i)!;
    const character = String.fromCodePoint(point);
    const from = i;
    i += character.length;
    if (character === "\\") {
      const command = /[a-zA-Z]+|[\s\S]/y;
      command.lastIndex = i;
      const name = command.exec(original)?.[0] ?? "";
      i += name.length;
      if (/^[()[\]]$/.test(name)) emit(BORDER, from);
      else if (name === "\\" || name === "newline") emit("\n", from);
      else if (/^[,;: ]$/.test(name)) emit(THIN, from);
      else if (name === "!") continue;
      else if (/^[%${}]$/.test(name)) emit(name, from);
      else emit(COMMANDS[name] ?? "\\", from);
    } else if (dollars.has(from)) emit(BORDER, from);
    else if (character === "{") {
      if (original.startsWith("{,}", from)) {
        emit(",", from);
        i = from + 3;
      } else {
        open++;
        emit("(", from);
      }
    } else if (character === "}" && open > 0) {
      open--;
      emit(")", from);
    } else if (SUPERSCRIPTS.includes(character)) {
      emit("^", from);
      while (i < original.length && SUPERSCRIPTS.includes(original[i])) i++;
      for (let j = from; j < i; j++) emit(String(SUPERSCRIPTS.indexOf(original[j])), j);
    } else if (VULGAR[character]) emit(/\d$/.test(text) ? MIXED + VULGAR[character] : `(${VULGAR[character]})`, from);
    else if (point < 0x80) emit(character === "\t" ? " " : character, from);
    else if (CHARACTERS[character] !== undefined) emit(CHARACTERS[character], from);
    else if (/\p{Nd}/u.test(character)) emit(String(digitOf(point)), from);
    else if (point > 0xffff)
      emit("\ufffc", from); // one place for any other character
    else emit(character, from);
  }
  at.push(original.length);
  return { original, text, at };
}

/** Dollar signs that begin and end formulas, by Pandoc's rule: no space inside beside them, no digit after the second. */
function formulaBorders(text: string): Set<number> {
  const borders = new Set<number>();
  let open = -1;
  for (let i = text.indexOf("$"); i >= 0; i = text.indexOf("$", i + 1)) {
    if (text[i - 1] === "\\") continue;
    if (text[i + 1] === "$") {
      borders.add(i).add(i + 1); // display formulas
      i++;
      open = -1;
    } else if (
      open >= 0 &&
      !/\s/.test(text[i - 1]) &&
      !/\d/.test(text[i + 1] ?? "") &&
      !text.slice(open, i).includes("\n\n")
    ) {
      borders.add(open).add(i);
      open = -1;
    } else if (/\S/.test(text[i + 1] ?? "")) open = i;
  }
  return borders;
}
