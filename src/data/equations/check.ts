/**
 * @file Equations of a text, recomputed (paper section 4.1: wrong ones are dropped): every `expression = number` or
 * `expression = expression` is evaluated exactly and shown with its steps. A text is only accused when it can mean nothing
 * else: with units, separators or words around it that leave a doubt, an equation that does not hold is `unchecked`.
 *
 * What holds: equal exactly; or the printed number has decimals (or %) and differs by at most half a unit of its last
 * place (1/3 = 0.333); or it ends in "..." or follows "≈" and differs by at most one such unit.
 */
import type { Convention } from "./literal.ts";
import { type Expression, NoExpression, parseExpression, showStep } from "./parse.ts";
import { type PlainMaths, plainMaths } from "./plainMaths.ts";
import { absolute, compare, divide, isZero, multiply, type Rational, rational, show, subtract } from "./rational.ts";
import { ANOTHER_BASE, DENIAL, endsExpression, mayStart, otherMeaning } from "./surroundings.ts";

export interface Equation {
  /** As the text has it. */
  text: string;
  /** UTF-16 units from the text's start. */
  offset: number;
  verdict: "right" | "wrong" | "unchecked";
  /** The operations one after the other, and how the two sides compare. */
  derivation: string;
  /** Why it was not checked. */
  reason?: string;
}

/** Places of one text where an expression is looked for; what follows is not looked at. CHOSEN. */
const MAX_STARTS = 20_000;

const START = /[\d([\ue001]|\.(?=\d)|[-$€£¥₹₽₩₺₴฿₫₪](?=[\d(.$€£¥])/g;

/** The equations of `text`. `question`: what the text answers; an equation that stands there is quoted, not claimed. */
export function checkEquations(text: string, question = ""): Equation[] {
  if (!/[=＝﹦≈≃≅≒]|\\(?:approx|simeq)/.test(text)) return [];
  const plain = plainMaths(text);
  const asked = squeezed(question);
  const anotherBase = ANOTHER_BASE.test(text) || ANOTHER_BASE.test(question);
  const found: Equation[] = [];
  START.lastIndex = 0;
  for (let starts = 0; starts < MAX_STARTS; starts++) {
    const start = START.exec(plain.text)?.index;
    if (start === undefined) break;
    const { chains, readTo } = readChains(plain.text, start);
    const begins = mayStart(plain.text, start);
    for (const equation of begins ? judge(plain, chains) : []) {
      const { end, ...rest } = equation;
      const reason =
        rest.verdict !== "wrong"
          ? undefined
          : anotherBase
            ? "another base or a modulus is spoken of"
            : asked.includes(squeezed(rest.text))
              ? "quoted from the question"
              : DENIAL.test(plain.text.slice(end, end + 60))
                ? "the text says that it is wrong"
                : undefined;
      found.push(reason === undefined ? rest : { ...rest, verdict: "unchecked", reason });
    }
    // In "x + 1 = 2 + 3 = 5" nothing begins at the 1, but "2 + 3 = 5" does begin.
    START.lastIndex =
      chains.length === 0
        ? Math.max(start + 1, "([".includes(plain.text[start]) ? 0 : readTo)
        : Math.max(...chains.map(({ parts, end }) => (begins ? end : parts[0].end)));
  }
  return found;
}

/** To find an equation again however it is spaced. */
const squeezed = (text: string) => plainMaths(text).text.replace(/[\s\u00a0\ue000]/g, "");

type Side = Expression & { start: number; end: number };

/** Sides with signs between them. */
interface Chain {
  parts: Side[];
  /** Sign i stands before part i + 1. */
  signs: ("=" | "≈")[];
  /** Something follows that is no expression of ours: the last part may be only the beginning of its side. */
  open: boolean;
  end: number;
}

/** The chain at `start` under each convention that can read it. `readTo`: where the reading ended in vain. */
function readChains(text: string, start: number): { chains: Chain[]; readTo: number } {
  const dot = readChain(text, start, "dot");
  const end = typeof dot === "number" ? dot : dot.end;
  const same = !/[.,\u066b]\d/.test(text.slice(start, end + 2));
  const read = same ? [dot] : [dot, readChain(text, start, "comma")];
  return {
    chains: read.filter((chain): chain is Chain => typeof chain !== "number"),
    readTo: Math.max(start + 1, ...read.filter((chain) => typeof chain === "number")),
  };
}

const SIGN = /[ \u00a0]*\n?[ \u00a0]*([=≈])(?![=>~])[ \u00a0]*\n?[ \u00a0]*/y;

function readChain(text: string, start: number, convention: Convention): Chain | number {
  const chain: Chain = { parts: [], signs: [], open: false, end: start };
  for (let at = start; ; ) {
    try {
      const { found, end } = parseExpression(text, at, convention);
      chain.parts.push({ ...found, start: at, end });
      chain.end = end;
    } catch (error) {
      if (!(error instanceof NoExpression)) throw error;
      if (chain.parts.length === 0) return error.at;
      chain.signs.pop(); // "5 + 3 = x"
      return chain;
    }
    SIGN.lastIndex = chain.end;
    const sign = SIGN.exec(text);
    if (!sign) {
      chain.open = !endsExpression(text, chain.end);
      return chain;
    }
    chain.signs.push(sign[1] as "=" | "≈");
    at = chain.end + sign[0].length;
  }
}

type Found = Equation & { end: number };

/** Each equation once: right if it is under one convention, wrong only if it is under all that can read it. */
function judge(plain: PlainMaths, chains: readonly Chain[]): Found[] {
  const readings = new Map<number, Found[]>(); // by the place of the right side
  for (const { parts, signs, open } of chains)
    signs.forEach((sign, i) => {
      const [left, right] = [parts[i], parts[i + 1]];
      if (left.operations + right.operations === 0) return;
      const found = compareSides(plain, left, right, sign, open && i + 2 === parts.length);
      readings.set(right.start, [...(readings.get(right.start) ?? []), found]);
    });
  const best = (some: Found[]) =>
    some.find(({ verdict }) => verdict === "right") ?? some.find(({ verdict }) => verdict === "unchecked") ?? some[0];
  return [...readings.values()].map(best);
}

function compareSides(plain: PlainMaths, left: Side, right: Side, sign: "=" | "≈", open: boolean): Found {
  // Words behind the last number are its unit only where others have units.
  const end = left.units.every((unit) => unit === "") ? right.numberEnd : right.end;
  const offset = plain.at[left.start];
  const common = { text: plain.original.slice(offset, plain.at[end]).trim(), offset, end };
  const steps = [...left.steps, ...right.steps].map(showStep);
  const failure = left.failure ?? right.failure;
  if (failure) {
    const derivation = [...steps, failure].join("; ");
    // A division by zero equals nothing; of the rest we cannot say.
    if (failure === "division by zero" && !open) return { ...common, verdict: "wrong", derivation };
    return { ...common, verdict: "unchecked", derivation, reason: failure };
  }
  const tell = (relation: string) => [...steps, `${show(left.value)} ${relation} ${show(right.value)}`].join("; ");
  const difference = absolute(subtract(left.value, right.value));
  if (isZero(difference)) return { ...common, verdict: "right", derivation: tell("=") };
  if (within(difference, left, right, sign)) return { ...common, verdict: "right", derivation: tell("≈") };
  const reason = open
    ? "it goes on with something else"
    : (left.ambiguous ??
      right.ambiguous ??
      percentOfHundred(plain, left, right) ??
      otherMeaning(plain.text, left, right));
  return reason === null
    ? { ...common, verdict: "wrong", derivation: tell("≠") }
    : { ...common, verdict: "unchecked", derivation: tell("≠"), reason };
}

const HUNDRED = rational(100n);
const HALF = rational(1n, 2n);
/** Two expressions with rounded numbers may differ by so much of the greater. CHOSEN. */
const RELATIVE = rational(1n, 200n);

function within(difference: Rational, left: Side, right: Side, sign: "=" | "≈"): boolean {
  const printed = right.literal ?? left.literal;
  if (printed === null) {
    if (!left.inexact && !right.inexact && sign === "=") return false;
    const [a, b] = [absolute(left.value), absolute(right.value)];
    return compare(difference, multiply(RELATIVE, compare(a, b) > 0 ? a : b)) <= 0;
  }
  const { decimals, zeros, percent, cut } = printed;
  let place = rational(1n, 10n ** BigInt(decimals));
  if (percent) place = divide(place, HUNDRED);
  if (sign === "≈") return compare(difference, multiply(place, rational(10n ** BigInt(zeros)))) <= 0;
  if (cut) return compare(difference, place) <= 0;
  return (decimals > 0 || percent) && compare(difference, multiply(place, HALF)) <= 0;
}

/** "3 / 4 × 100 = 75 %": usual, though it says 0.75 for 75. */
function percentOfHundred(plain: PlainMaths, left: Side, right: Side): string | null {
  if (!right.literal?.percent || !/100/.test(plain.text.slice(left.start, left.end))) return null;
  const times = multiply(right.value, HUNDRED);
  const literal = { ...right.literal, percent: false, value: times };
  const difference = absolute(subtract(left.value, times));
  const holds = isZero(difference) || within(difference, left, { ...right, value: times, literal }, "=");
  return holds ? "a percentage of a hundred" : null;
}
