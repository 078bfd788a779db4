/** @file Equations in texts: what holds passes, what does not is wrong, and what may mean something else is left alone. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkEquations } from "../../../src/data/equations/check.ts";
import { parseExpression } from "../../../src/data/equations/parse.ts";
import { plainMaths } from "../../../src/data/equations/plainMaths.ts";

const verdicts = (text: string, question?: string) => checkEquations(text, question).map(({ verdict }) => verdict);
const right = (...texts: string[]) => {
  for (const text of texts) expect([text, verdicts(text)]).toEqual([text, ["right"]]);
};
const wrong = (...texts: string[]) => {
  for (const text of texts) expect([text, verdicts(text)]).toEqual([text, ["wrong"]]);
};
const unchecked = (...texts: string[]) => {
  for (const text of texts) expect([text, verdicts(text)]).toEqual([text, ["unchecked"]]);
};
const none = (...texts: string[]) => {
  for (const text of texts) expect([text, verdicts(text)]).toEqual([text, []]);
};

describe("row 31: equations", () => {
  test("row 31: decimals are exact, not floating point", () => {
    right("0.1+0.2=0.3", "0.1 + 0.2 = 0.30", "1.1 × 1.1 = 1.21");
    wrong("0.1+0.2=0.30000000000000004", "0.1 + 0.2 = 0.31");
  });

  test("row 31: a printed number is right to half a unit of its last place", () => {
    right(
      "1/3=0.333",
      "2/3 = 0.67",
      "1/8 = 0.13",
      "1/3 = 33%",
      "1/3 = 33.3 %",
      "2/3 = 0.666...",
      "22/7 ≈ 3.14",
      "1000/3 ≈ 330",
    );
    wrong("1/3=0.334", "2/3 = 0.66", "10/3 = 3", "1/3 = 34%", "2/3 = 0.661...", "1000/3 ≈ 350");
  });

  test("row 31: separators of thousands and decimal commas, whichever makes sense", () => {
    right("1,234 + 1 = 1,235", "1.234 + 1 = 1.235", "1,5 + 1,5 = 3", "1.234,5 + 0,5 = 1.235", "1 234 + 1 = 1 235");
    right("12,34,567 + 1 = 12,34,568", "1'000 × 2 = 2'000", "2,000 × 3 = 6,000");
    wrong("1,234 + 1 = 1,236", "1,5 + 1,5 = 4");
    none("1.2.3 + 4 = 5", "3, 4, 5,6,7 = 8");
    unchecked("5 100 + 200 = 300");
  });

  test("row 31: digits and operators of any script", () => {
    right(
      "２＋２＝４",
      "٣ + ٤ = ٧",
      "१२ × ३ = ३६",
      "৫ - ২ = ৩",
      "๑๐ ÷ ๒ = ๕",
      "١٫٥ + ١٫٥ = ٣",
      "7 − 10 = −3",
      "3 x 4 = 12",
      "12 : 4 = 3",
    );
    right("𝟏 + 𝟏 = 𝟐", "½ + ¼ = ¾", "1½ + 1½ = 3", "3² + 4² = 5²", "2 · 3 = 6", "2^3^2 = 512");
    wrong("２＋２＝５", "٣ + ٤ = ٨");
  });

  test("row 31: units are ignored where they are the same", () => {
    right(
      "3 kg + 4 kg = 7 kg",
      "$5 + $3 = $8",
      "5 apples + 3 apples = 8 apples",
      "20 hours × $10/hour = $200",
      "5 × 3 m = 15 m",
    );
    wrong("3 kg + 4 kg = 8 kg", "$5 + $3 = $9", "2x + 3x = 6x", "3 × 4 apples = 13 apples", "小明有3+4=8个苹果");
    unchecked(
      "1 km + 500 m = 1500 m",
      "2x + 3 = 11",
      "30 + 30 = 1 hour",
      "500 × 20 = 10 thousand",
      "7 / 2 = 3 R 1",
      "5 + 5万 = 15万",
    );
  });

  test("row 31: a division by zero equals nothing", () => {
    wrong("5 / 0 = 0", "1 ÷ (2 - 2) = 7");
    none("5 / 0 = undefined");
    expect(checkEquations("5/0=0")[0].derivation).toBe("division by zero");
  });

  test("row 31: what is too large is not computed", () => {
    const start = performance.now();
    unchecked("10^10^10 = 5", "9^9^9^9 = 1", "(2^8000)^8000 = 4", "2^0.5 = 1.41");
    expect(performance.now() - start).toBeLessThan(500);
    right("2^64 = 18446744073709551616", "2^-2 = 0.25", "0^0 = 1");
  });
});

describe("in sentences", () => {
  test("an equation is found wherever it stands, with its derivation", () => {
    const text = "First we add: (12 × 3) + 4 = 41, so the answer is 41.";
    expect(checkEquations(text)).toEqual([
      { text: "(12 × 3) + 4 = 41", offset: 14, verdict: "wrong", derivation: "12 × 3 = 36; 36 + 4 = 40; 40 ≠ 41" },
    ]);
    right(
      "- 5 + 3 = 8",
      "* 5 + 3 = 8",
      "1. 5 + 3 = 8",
      "2) 5 + 3 = 8",
      "**5 + 3 = 8**",
      "Step 1: 5 + 3 = 8.",
      "> 5 + 3 = 8",
      "=> 5 + 3 = 8",
    );
    right(
      "Result: -3 + 5 = 2",
      "$5 + 3 = 8$",
      "\\(5 + 3 = 8\\)",
      "$$\\frac{1}{2} + \\frac{1}{4} = 0.75$$",
      "$1{,}234 \\times 2 = 2{,}468$",
      "x = 5 + 3 = 8",
    );
    right(
      "5 + 3\n= 8",
      "$\\left(2 + 3\\right) \\cdot 2^{3} = 40$",
      "5 + 3 = 8!",
      "5 + 3 = 8 - that is all",
      "\\[ 5 + 3 = \\boxed{8} \\]",
    );
    wrong(
      "also 5 + 3 = 9 und fertig",
      "Итак, 5 + 3 = 9.",
      "だから5+3=9です",
      "so **5 + 3 = 9**!",
      "$5 + 3 = 9$",
      "it was 5 + 3 = 9 so we stop",
    );
  });

  test("each step of a chain is checked", () => {
    expect(verdicts("2 × 3 + 4 = 6 + 4 = 10")).toEqual(["right", "right"]);
    expect(verdicts("2 × 3 + 4 = 7 + 4 = 11")).toEqual(["wrong", "right"]);
    expect(verdicts("x + 1 = 2 + 3 = 5")).toEqual(["right"]);
  });

  test("what only looks like an equation is none", () => {
    none(
      "x + 3 = 8",
      "f(2) + 3 = 8",
      "a5 + 3 = 8",
      "half of 4 + 2 = 4",
      "sin 30 + 2 = 3",
      "sqrt(16) + 2 = 6",
      "√16 + 2 = 6",
      "\\sqrt{16} + 2 = 6",
    );
    none(
      "1 km = 1000 m",
      "if (5 + 3 == 8)",
      "5 + 3 != 8",
      "5 + 3 >= 8",
      "10:30 + 2 = 12",
      "n! + 2 = 3",
      "5! + 3 = 123",
      "log 100 + 2 = 4",
      "7 % 3 = 1",
      "3 and 4 + 2 = 14",
    );
    none("H2 + 2 = 3", "5 + 3 = x", "0x10 + 1 = 17", "x_1 + 2 = 5", "The ratio is 3:2 = y");
  });

  test("an equation that is denied, quoted or in another base is no claim", () => {
    unchecked(
      "2 + 2 = 5 is wrong",
      "2 + 2 = 5（错误）",
      "In binary, 1 + 1 = 10",
      "9 + 4 = 1 (mod 12)",
      "2 + 2 = 5 不对",
    );
    expect(verdicts("You wrote 2+2=5.", "Is 2 + 2 = 5 right?")).toEqual(["unchecked"]);
    unchecked(
      "5 + 3 = 9 - x",
      "5 + 3 = 4 × y",
      "5 + 3 = 2(x)",
      "-2^2 = 4",
      "100 - 20% = 80",
      "3 / 4 × 100 = 75%",
      "8 ÷ 2(2 + 2) = 1",
    );
  });
});

describe("for any arithmetic", () => {
  const golden: [string, string, string][] = JSON.parse(readFileSync("test/fixtures/data/equations.json", "utf8"));
  test("400 expressions have the values of Python's fractions", () => {
    for (const [text, n, d] of golden) {
      const { found, end } = parseExpression(plainMaths(text).text, 0, "dot");
      expect([text, found.value, end]).toEqual([text, { n: BigInt(n), d: BigInt(d) }, text.length]);
    }
  });

  /** An expression as text with its value n / d, computed here on its own. */
  type Made = { text: string; n: bigint; d: bigint };
  const number: fc.Arbitrary<Made> = fc.oneof(
    fc.integer({ min: 0, max: 9999 }).map((n) => ({ text: String(n), n: BigInt(n), d: 1n })),
    fc.tuple(fc.nat(999), fc.integer({ min: 10, max: 99 })).map(([whole, places]) => ({
      text: `${whole}.${places}`,
      n: BigInt(whole * 100 + places),
      d: 100n,
    })),
  );
  const { expression } = fc.letrec<{ expression: Made }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 3 },
      number,
      fc.tuple(tie("expression"), fc.constantFrom("+", "−", "×", "÷"), tie("expression")).map(([a, sign, b]) => {
        const text = `(${a.text} ${sign} ${b.text})`;
        if (sign === "×") return { text, n: a.n * b.n, d: a.d * b.d };
        if (sign === "÷") return b.n === 0n ? a : { text, n: a.n * b.d, d: a.d * b.n };
        return { text, n: sign === "+" ? a.n * b.d + b.n * a.d : a.n * b.d - b.n * a.d, d: a.d * b.d };
      }),
    ),
  }));
  const equation = fc.tuple(number, fc.constantFrom("+", "×"), expression).map(([a, sign, b]) => ({
    text: `${a.text} ${sign} ${b.text}`,
    ...(sign === "+" ? { n: a.n * b.d + b.n * a.d, d: a.d * b.d } : { n: a.n * b.n, d: a.d * b.d }),
  }));
  /** n / d to four decimals, half away from zero, plus `off` units of the last. */
  const printed = (n: bigint, d: bigint, off = 0n) => {
    const [top, bottom] = d < 0n ? [-n, -d] : [n, d];
    const size = ((top < 0n ? -top : top) * 20000n + bottom) / (2n * bottom);
    const units = (top < 0n ? -size : size) + off;
    const digits = String(units < 0n ? -units : units).padStart(5, "0");
    return `${units < 0n ? "-" : ""}${digits.slice(0, -4)}.${digits.slice(-4)}`;
  };

  test("a true equation, printed to four decimals, is right", () => {
    fc.assert(
      fc.property(equation, ({ text, n, d }) => {
        expect(verdicts(`${text} = ${printed(n, d)}`)).toEqual(["right"]);
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  test("one unit more or less in the last place is wrong", () => {
    fc.assert(
      fc.property(equation, fc.constantFrom(1n, -1n, 7n), ({ text, n, d }, off) => {
        const exactHalf = (2n * n * 10000n) % d === 0n && (n * 10000n) % d !== 0n; // both neighbours are right
        if (!exactHalf) expect(verdicts(`${text} = ${printed(n, d, off)}`)).toEqual(["wrong"]);
      }),
      { seed: 4, numRuns: 300 },
    );
  });

  test("hostile texts take bounded time", () => {
    const texts = [
      `${"(".repeat(4_000)}1 = 1`,
      `${"1+".repeat(4_000)}1 = 1`,
      `${"(1+".repeat(2_500)} = 1`,
      `${"9".repeat(8_000)} + 1 = 2`,
      `${"2^8000+".repeat(1_250)}1 = 2`,
      "1=".repeat(4_000),
      `${"- ".repeat(4_000)}1 = 2`,
      `${"$5 + ".repeat(1_500)} = `,
      `${"1 1/2 ".repeat(1_500)}= 3`,
      `${"{".repeat(4_000) + "$".repeat(4_000)}= 1`,
      `${"1,1".repeat(2_500)}+1=1`,
      `5 ${"a".repeat(4_000)} + 3 = 8`,
    ];
    for (const text of texts) {
      const start = performance.now();
      checkEquations(text);
      expect([text.slice(0, 10), performance.now() - start < 1000]).toEqual([text.slice(0, 10), true]);
    }
  });

  test("never throws, whatever the text", () => {
    const pieces = fc.array(
      fc.constantFrom(..."0123456789+-*/^()[]{}=≈%$\\., :x²½", "\\frac{", "\n", "1,000", " kg", "...", "**", "٣"),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(pieces, (list) => {
        for (const { text, offset } of checkEquations(list.join("")))
          expect(list.join("").slice(offset)).toContain(text);
      }),
      { seed: 5, numRuns: 3000 },
    );
  });
});
