/**
 * @file What stands around an expression and decides whether it is one: "x + 3 = 8" has none that begins at the 3, "half of
 * 4 + 2 = 4" means something else, "10 = 8 (binary)" is no decimal arithmetic. Words are looked for in the larger of the
 * 29 languages only; where one is missing, an equation may be accused that its sentence excuses.
 */
import { BORDER, FRACTION, THIN } from "./plainMaths.ts";

const words = (list: string) => new Set(list.split(/\s+/));

/** In front of an expression: it is part of a larger one that is told in words, or the number of something. */
const OPERATOR_WORDS = words(
  "of and plus minus times by half twice double triple squared over from divided multiplied less than " +
    "log ln lg sin cos tan cot sec csc sqrt root cbrt exp abs max min mod gcd lcm det arcsin arccos arctan sum lim " +
    "step question problem example exercise part case day version chapter figure table item " +
    "und mal durch von hoch halb schritt aufgabe beispiel et moins fois sur de par étape exemple " +
    "y más menos por entre paso ejemplo e più meno per diviso di passo esempio mais menos vezes " +
    "и плюс минус умножить на разделить от шаг пример en keer min gedeeld stap ve artı eksi çarpı bölü adım " +
    "dan tambah kurang kali bagi langkah và cộng trừ nhân chia bước",
);
/** The same in languages without spaces. */
const OPERATOR_CHARACTERS = "和与與加减減乘除倍及的第のとは";

/** Behind a number: it is another number, or a result and its remainder. */
const SCALES = words(
  "hundred thousand million billion trillion dozen k m bn lakh crore r rem remainder mod modulo over " +
    "hundert tausend million millionen milliarde milliarden rest cent mille million millions milliard reste " +
    "mil millón millones millardo resto mila milione milioni miliardo resto milhão milhões bilhão " +
    "тысяч тысячи тысяча млн миллион миллиона миллионов миллиард остаток остатке duizend miljoen " +
    "bin milyon milyar kalan ribu juta miliar sisa nghìn triệu tỷ dư",
);
const SCALE_CHARACTERS = "万萬億亿千百十余餘兆천만억";

/** Physical units that others are parts of. */
const UNITS = words(
  "mm cm dm m km in ft yd mi mg g kg t lb lbs oz ml cl dl l s sec second seconds min minute minutes h hr hrs hour hours " +
    "day days week weeks month months year years inch inches foot feet yard yards mile miles meter meters metre metres " +
    "kilometer kilometers centimeter centimeters gram grams kilogram kilograms liter liters litre litres degree degrees " +
    "radian radians rad dollar dollars cent cents euro euros byte bytes kb mb gb tb bit bits",
);

/** Somewhere in the text: numbers may not be decimal, or equal only up to a modulus. */
export const ANOTHER_BASE =
  /\b(?:binary|hexadecimal|octal|base[- ]?(?:\d+|two|eight|sixteen)|modulo|modular|mod \d+)\b|\(mod|\\pmod|\\bmod|[二八十六]进制|二進|進数|двоичн|восьмеричн|шестнадцатеричн|binär|hexadezimal|binaire|hexadécimal|binari[oa]|hexadecimal|ikili|nhị phân|biner/i;

/** Behind an equation: the text does not claim it. */
export const DENIAL =
  /^[\s"'”»)*]*(?:is|are|was|would be|—|-|:|\(|，|,|→)?\s*(?:not\b|n't|wrong|incorrect|false|untrue|mistake|an? error|falsch|nicht|faux|incorrect|falso|incorrecto|errat[oa]|erróneo|errado|неверно|не верно|ошибк|错|錯|不对|不正确|不成立|間違|違い|틀|yanlış|salah|sai\b)/iu;

/** Whether an expression that is found at `at` begins there, by what stands before it. */
export function mayStart(text: string, at: number): boolean {
  let i = at - 1;
  while (i >= 0 && (text[i] === " " || text[i] === THIN)) i--;
  const before = text[i];
  const adjacent = i === at - 1;
  if (i < 0 || before === "\n" || before === BORDER) return true;
  if (/[\d%^\\√∑∫∏∛<&@#+/°!]/.test(before) && !(before === "!" && !adjacent))
    return before === "+" && !adjacent && isBullet(text, i);
  if (before === "-") return !adjacent && isBullet(text, i);
  if (before === "*" || before === "_") return isEmphasis(text, i, adjacent) || (!adjacent && isBullet(text, i));
  if (before === "=") return !/[=<>!:+\-*/~^]/.test(text[i - 1] ?? "");
  if (before === ">")
    return /[-=]/.test(text[i - 1] ?? "") || /(?:^|\n) *>$/.test(text.slice(Math.max(0, i - 8), i + 1));
  if (before === ")" || before === "]" || before === "}") return !adjacent;
  if (/[.,:]/.test(before)) return !adjacent || !/\d/.test(text[i - 1] ?? "");
  if (/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u.test(before))
    return !OPERATOR_CHARACTERS.includes(before);
  if (/[\p{L}\p{M}]/u.test(before)) {
    if (adjacent) return false;
    const word = /[\p{L}\p{M}'’]+$/u.exec(text.slice(Math.max(0, i - 30), i + 1))![0].toLowerCase();
    return !OPERATOR_WORDS.has(word) && !(text[at] === "-" && word.length === 1);
  }
  return before !== FRACTION;
}

/** "- 5 + 3 = 8" in a list. */
const isBullet = (text: string, i: number) => /(?:^|\n) *$/.test(text.slice(Math.max(0, i - 12), i));

/** "**5 + 3 = 8**": the stars stand behind white space or punctuation, and right before the expression. */
function isEmphasis(text: string, i: number, adjacent: boolean): boolean {
  while (text[i] === "*" || text[i] === "_") i--;
  return (
    adjacent &&
    !/[\p{L}\p{N})\]]/u.test(text[i] ?? " ") &&
    !(text[i] === " " && /[\p{L}\d)]/u.test(text[i - 1] ?? "") && text[i + 2] === " ")
  );
}

/** Whether nothing that belongs to the expression follows at `end`. */
export function endsExpression(text: string, end: number): boolean {
  const rest = text.slice(end, end + 40);
  if (/^[*_]+(?![\p{L}\d(])/u.test(rest)) return true; // the end of emphasis
  if (/^ ?[-–—] \p{L}[\p{L}\p{M}]/u.test(rest)) return true; // a dash between words
  if (/^\((?!\p{L}{2}|\p{Script=Han})|^[[\\^%√_\ue001]/u.test(rest) || /^:\d/.test(rest) || /^\/[\p{L}\d(]/u.test(rest))
    return false;
  if (/^\s?\((?:mod|rem|r\b|rest|余|остаток)/i.test(rest)) return false;
  return !/^ ?[-+*/^±×]/.test(rest) && !/^ ?\\/.test(rest);
}

const normal = (unit: string) =>
  unit
    .toLowerCase()
    .split(/[ /]/)[0]
    .replace(/(?:es|s|\.)$/, "");

interface Side {
  units: string[];
  steps: unknown[];
  start: number;
  end: number;
}

/** Why an equation that does not hold may be right all the same, by units and words; null where it cannot. */
export function otherMeaning(text: string, left: Side, right: Side): string | null {
  const mixed = "its numbers have different units";
  const own = left.units.length > 1 || left.units[0] !== "%" ? left.units : [""];
  if (own.every((unit) => unit === "")) {
    const sole = right.units.length === 1 ? right.units[0] : right.units.every((unit) => unit === "") ? "" : null;
    if (sole === null) return mixed;
    if (sole === "" || sole === "%") return null;
    // The right side is a number and what its sentence goes on with, or a unit.
    const raw = text.slice(right.start, right.end);
    const at = raw.search(/[\p{L}$€£¥₹₽₩₺₴฿₫₪°]/u);
    const first = raw[at] ?? "";
    if (/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]/u.test(first))
      return SCALE_CHARACTERS.includes(first) ? "a word behind the number changes it" : null;
    if (!/\p{L}/u.test(first) || !/\s/.test(raw[at - 1] ?? "")) return mixed;
    const word = raw.slice(at).toLowerCase().split(/[ /^]/)[0];
    if (word.length === 1 || SCALES.has(word) || UNITS.has(word)) return "a word behind the number changes it";
    return null;
  }
  const unit = normal(own[0]);
  const same = own.every((one) => normal(one) === unit) && !own[0].includes("·");
  return same && unit !== "" && right.units.every((one) => normal(one) === unit) ? null : mixed;
}
