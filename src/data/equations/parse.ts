/**
 * @file Arithmetic as people write it, evaluated exactly while it is read. Operators: + − × ÷ ^, brackets, percent, mixed
 * fractions, and nothing else; what else there is (variables, functions, factorials) makes it no expression of ours.
 *
 *     sum = term {(+|-) term}   term = factor {(*|/|:|x) factor}   factor = [-] primary [^ factor]
 *     primary = number [unit] | ( sum ) [unit] | FRACTION ( sum ) ( sum )
 */
import { type Convention, type Literal, NUMBER, readLiteral } from "./literal.ts";
import { FRACTION, MIXED, THIN } from "./plainMaths.ts";
import { add, divide, multiply, NoNumber, negate, power, type Rational, rational, show, subtract } from "./rational.ts";

export interface Expression {
  value: Rational;
  /** What was computed, in this order. */
  steps: Step[];
  /** Operators: of a failure more than steps. */
  operations: number;
  /** The unit of each summand, "" without one; units of factors are joined. A sole percentage has "%". */
  units: string[];
  /** Where it ends without the words that may be its unit. */
  numberEnd: number;
  /** Set where the expression is one number. */
  literal: Literal | null;
  /** Something in it is rounded, or may be. */
  inexact: boolean;
  /** Why it could also mean something else. */
  ambiguous: string | null;
  /** Why it has no value (its `value` is then of no use). */
  failure: NoNumber["why"] | null;
}

export interface Step {
  left: Rational;
  sign: string;
  right: Rational;
  result: Rational;
}

/** "12 × 3 = 36". */
export const showStep = ({ left, sign, right, result }: Step) =>
  `${show(left)} ${sign} ${show(right)} = ${show(result)}`;

/** Thrown where there is no expression; `at`: how far it was read. */
export class NoExpression extends Error {
  constructor(readonly at: number) {
    super("no expression");
  }
}

/** CHOSEN bounds of one expression, so that any text takes bounded time. */
const MAX_STEPS = 100;
const MAX_DEPTH = 30;

const CURRENCY = "$€£¥₹₽₩₺₴฿₫₪";
/** A word or two, a currency or degrees; with "/day" or "^2" behind. */
const UNIT = new RegExp(
  `[ ${THIN}]?(?:[${CURRENCY}]|°[CF]?|\\p{L}[\\p{L}\\p{M}'’]*(?: (?!x )\\p{L}[\\p{L}\\p{M}]*)?)(?:\\^[23])?(?: ?/ ?\\p{L}+)?`,
  "uy",
);
const PER = / ?\/ ?\p{L}+/uy;
const TIMES = /[xXхХ](?= ?[\d(.$€£¥-])/y;

export function parseExpression(
  text: string,
  start: number,
  convention: Convention,
): { found: Expression; end: number } {
  let at = start;
  let depth = 0;
  let operations = 0;
  let lastUnit = { from: start, to: start };
  const steps: Step[] = [];
  let inexact = false;
  let ambiguous: string | null = null;
  let failure: NoNumber["why"] | null = null;

  const fail = (): never => {
    throw new NoExpression(at);
  };
  const skip = () => {
    while (text[at] === " " || text[at] === THIN) at++;
  };
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0] ?? null;
    if (found !== null) at += found.length;
    return found;
  };
  const compute = (left: Rational, sign: string, right: Rational, result: () => Rational): Rational => {
    if (++operations > MAX_STEPS) fail();
    const step: Step = { left, sign, right, result: left };
    if (failure) return left; // it is read to its end, no more is computed
    try {
      step.result = result();
    } catch (error) {
      if (!(error instanceof NoNumber)) throw error;
      failure = error.why;
      return left;
    }
    steps.push(step);
    return step.result;
  };

  interface Part {
    value: Rational;
    unit: string;
    literal: Literal | null;
  }

  /** The operator here, if an operand may follow; moves behind it. */
  const operator = (among: "sum" | "term"): string | null => {
    const before = at;
    skip();
    const sign = text[at];
    const next = text[at + 1];
    if (among === "sum" && (sign === "+" || sign === "-") && next !== sign && next !== "=" && next !== ">") {
      at++;
      skip();
      if (/[\d(.[$€£¥+-]/.test(text[at] ?? "") || text[at] === FRACTION) return sign;
    } else if (among === "term") {
      if ((sign === "*" || sign === "/") && next !== sign && next !== "=") {
        at++;
        skip();
        if (/[\d(.[$€£¥-]/.test(text[at] ?? "") || text[at] === FRACTION) return sign;
      } else if (sign === ":" && before < at && /[ \u00a0]/.test(next ?? "")) {
        at++; // division in much of Europe, with spaces; without them it is a time or a ratio
        skip();
        if (/[\d(]/.test(text[at] ?? "")) return "/";
      } else if (match(TIMES)) {
        skip();
        return "*";
      }
    }
    at = before;
    return null;
  };

  const unit = (): string => {
    const before = at;
    skip();
    TIMES.lastIndex = at;
    if (TIMES.test(text)) {
      at = before;
      return "";
    }
    at = before;
    const found = match(UNIT) ?? "";
    if (found !== "") lastUnit = { from: before, to: at };
    return found.replaceAll(THIN, " ").trim();
  };

  const sum = (): Part & { units: string[] } => {
    if (++depth > MAX_DEPTH) fail();
    const first = term();
    let { value, literal } = first;
    const units = [first.unit];
    for (let sign = operator("sum"); sign; sign = operator("sum")) {
      const { value: right, unit } = term();
      const left = value;
      value = compute(left, sign, right, () => (sign === "+" ? add : subtract)(left, right));
      units.push(unit);
      literal = null;
    }
    depth--;
    const own = units.every((one) => one === units[0]) ? units[0] : units.join("+");
    return { value, literal, unit: own, units };
  };

  const term = (): Part => {
    let { value, unit, literal } = factor();
    let divided = false;
    const join = (other: string) => {
      const [a, b] = [unit === "%" ? "" : unit, other === "%" ? "" : other];
      unit = a && b ? `${a}·${b}` : a || b;
      literal = null;
    };
    for (;;) {
      const sign = operator("term");
      if (sign) {
        const right = factor();
        const left = value;
        if (sign === "/") inexact = divided = true;
        value = compute(left, sign === "*" ? "×" : "÷", right.value, () =>
          (sign === "*" ? multiply : divide)(left, right.value),
        );
        join(right.unit);
      } else if (unit === "" && /^\((?=[\d(.-])/.test(text.slice(at, at + 2))) {
        if (divided) ambiguous ??= "a product without a sign after a division";
        const right = factor();
        const left = value;
        value = compute(left, "×", right.value, () => multiply(left, right.value));
        join(right.unit);
      } else return { value, unit, literal };
    }
  };

  const factor = (negated = false): Part => {
    skip();
    if (text[at] === "-" || text[at] === "+") {
      if (++depth > MAX_DEPTH) fail();
      const minus = text[at++] === "-";
      const part = factor(minus);
      depth--;
      if (!minus) return part;
      const literal = part.literal && { ...part.literal, value: negate(part.literal.value) };
      return { ...part, value: negate(part.value), literal };
    }
    const base = primary();
    const before = at;
    skip();
    if (!match(/\^|\*\*(?=\s?[\d(-])/y)) {
      at = before;
      return base;
    }
    if (negated) ambiguous ??= "a power of a negative number without brackets";
    if (++depth > MAX_DEPTH) fail();
    const exponent = factor();
    depth--;
    const value = compute(base.value, "^", exponent.value, () => power(base.value, exponent.value));
    return { value, unit: base.unit || unit(), literal: null };
  };

  const primary = (): Part => {
    skip();
    const sign = text[at];
    if (sign === FRACTION) {
      at++;
      return fraction();
    }
    if (sign === "(" || sign === "[") {
      at++;
      const inner = sum();
      skip();
      if (text[at] !== (sign === "(" ? ")" : "]")) fail();
      at++;
      const percent = percentHere();
      const value = percent ? divide(inner.value, HUNDRED) : inner.value;
      const literal = percent ? null : inner.literal;
      return { value, literal, unit: inner.unit || (percent ? "%" : unit()) };
    }
    const currency = sign && CURRENCY.includes(sign) ? text[at++] : "";
    if (currency) skip();
    const printed = match(NUMBER);
    if (printed === null) return fail();
    if (printed === "0" && /[xXbBoO][\da-fA-F]/.test(text.slice(at, at + 2))) fail(); // 0x1F
    if (printed.includes(" ")) ambiguous ??= "a space between digits may separate two numbers";
    const read = readLiteral(printed, convention);
    if (read === null) return fail();
    let { value } = read;
    const mixed = match(MIXED_FRACTION);
    if (mixed) {
      const [, n, d] = /(\d+) ?\/ ?(\d+)/.exec(mixed)!;
      if (BigInt(d) === 0n) fail();
      value = add(value, rational(BigInt(n), BigInt(d)));
      return { value, unit: currency || unit(), literal: null };
    }
    if (text[at] === FRACTION) {
      at++;
      const part = fraction();
      return { ...part, value: add(value, part.value) };
    }
    if (read.decimals > 0) inexact = true;
    const percent = percentHere();
    if (percent) value = divide(value, HUNDRED);
    const literal: Literal = {
      ...{ value, decimals: read.decimals, percent, cut: match(/\.{3}|…|⋯/y) !== null },
      zeros: read.decimals > 0 ? 0 : /0*$/.exec(printed.replace(/[^\d]/g, ""))![0].length,
    };
    if (currency) match(PER);
    return { value, literal, unit: currency || (percent ? "%" : unit()) };
  };

  const fraction = (): Part => {
    const group = () => {
      skip();
      if (text[at++] !== "(") fail();
      const { value } = sum();
      skip();
      if (text[at++] !== ")") fail();
      return value;
    };
    const [left, right] = [group(), group()];
    inexact = true;
    return { value: compute(left, "÷", right, () => divide(left, right)), unit: unit(), literal: null };
  };

  /** "20 %", but not the remainder of "7 % 3". */
  const percentHere = (): boolean => match(/[ \u00a0]?%(?! ?[\d(])/y) !== null;

  const { value, literal, units } = sum();
  const numberEnd = lastUnit.to === at ? lastUnit.from : at;
  return { found: { numberEnd, value, steps, operations, units, literal, inexact, ambiguous, failure }, end: at };
}

const HUNDRED = rational(100n);
/** A fraction behind a whole number makes a mixed number: 1½, or 2 3/4 with a numerator of one or two digits. */
const MIXED_FRACTION = new RegExp(`(?:${MIXED}| (?=\\d{1,2} ?/ ?\\d{1,3}(?![\\d.,]\\d?)))\\d+ ?/ ?\\d+`, "y");
