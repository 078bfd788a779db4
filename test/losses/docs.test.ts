/** @file docs/losses.md says what the code does: its formulas are evaluated, its numbers and claims computed. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crossEntropyLoss } from "../../src/losses/crossEntropy.ts";
import { ktoLoss } from "../../src/losses/kto.ts";
import {
  F_DIVERGENCES,
  type FDivergenceType,
  PREFERENCE_LOSSES,
  type PreferenceLossOptions,
  type PreferenceLossType,
} from "../../src/losses/preference.ts";
import { between } from "../arbitraries.ts";
import {
  beta,
  fewRuns,
  isBroken,
  lossesOf,
  lossOf,
  type Pair,
  pair,
  ratios,
  shifted,
  slopesOf,
  sumOf,
} from "./cases.ts";

fewRuns();

const page = readFileSync("docs/losses.md", "utf8");
/** The rows of the table below a heading, without the two that head it. */
const table = (heading: string) =>
  page
    .split(`## ${heading}`)[1]
    .split("\n## ")[0]
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .slice(2)
    .map((line) => line.replaceAll("\\|", "/").slice(2, -2).split(" | "));
const unquoted = (cell: string) => cell.replaceAll("`", "");

const sigma = (z: number) => 1 / (1 + Math.exp(-z));
const FUNCTIONS = {
  σ: sigma,
  L: (z: number) => -Math.log(sigma(z)),
  odds: (x: number) => Math.exp(x) / (1 - Math.exp(x)),
  ln: Math.log,
  exp: Math.exp,
  max: Math.max,
};
/** A formula of the page as a function of the numbers that it names. */
function formulaOf(cell: string): (values: Record<string, number>) => number {
  const code = unquoted(cell)
    .replaceAll("·", "*")
    .replaceAll("²", "**2")
    .replaceAll("½", "0.5")
    .replaceAll("lnZ", "LogZ");
  return (values) => {
    const scope = { ...FUNCTIONS, ...values };
    return new Function(...Object.keys(scope), `return ${code}`)(...Object.values(scope));
  };
}
const close = (x: number, y: number, what: string) => expect([x], what).toBeAllClose([y], { rtol: 1e-9, atol: 1e-9 });
const sorted = (values: number[]) => [...values].sort((x, y) => x - y);

describe("the preference losses of docs/losses.md", () => {
  const rows = table("Preference losses").map(
    ([name, ...cells]) => [unquoted(name) as PreferenceLossType, ...cells] as [PreferenceLossType, ...string[]],
  );
  const epsilonOf = (lossType: PreferenceLossType) =>
    ["sigmoid", "exo_pair", "robust", "aot", "aot_unpaired", "simpo"].includes(lossType) ? 0.1 : 0;

  test("are all of them, in the order of the code", () => {
    expect(rows.map(([name]) => name)).toEqual(PREFERENCE_LOSSES);
  });

  test.each(rows)("%s is %s", (lossType, formula) => {
    const value = formulaOf(formula);
    const ε = epsilonOf(lossType);
    fc.assert(
      fc.property(fc.array(pair, { minLength: 1, maxLength: 4 }), beta, (pairs, β) => {
        const [a, b] = [
          pairs.map((p) => p.policyChosen - p.referenceChosen),
          pairs.map((p) => p.policyRejected - p.referenceRejected),
        ];
        const [p, r] = [
          sorted(pairs.map((one) => one.policyChosen - one.policyRejected)),
          sorted(pairs.map((one) => one.referenceChosen - one.referenceRejected)),
        ];
        const [s, t] = [sorted(a), sorted(b)];
        const N = pairs.reduce((sum, one) => sum + one.chosenTokens, 0) / pairs.length;
        const losses = lossesOf(pairs, { lossType, beta: β, labelSmoothing: ε });
        for (const [i, one] of pairs.entries()) {
          const [n, m, πc, πr] = [one.chosenTokens, one.rejectedTokens, one.policyChosen, one.policyRejected];
          const hMean = a[i] / n - b[i] / m;
          const ofPair = { πc, πr, n, m, N, a: a[i], b: b[i], h: a[i] - b[i], hMean, x: πc / n, y: πr / m };
          const expected = value({ ...ofPair, p: p[i], r: r[i], s: s[i], t: t[i], β, ε, τ: 0.05, γ: 0.5 });
          fc.pre(Number.isFinite(expected)); // discopop as it is written is 0 · ∞ far on the left
          close(losses[i], expected, lossType);
        }
      }),
    );
  });

  const started = rows.filter(([, , start]) => start !== "-");
  test.each(started)("%s starts at the value that it says", (lossType, _, start) => {
    const labelSmoothing = lossType === "exo_pair" ? 0.001 : 0;
    expect(lossOf(ratios(0, 0, 3, 4), { lossType, beta: 0.1, labelSmoothing }).toFixed(6)).toBe(
      Number(start).toFixed(6),
    );
  });

  const options = (lossType: PreferenceLossType, beta: number): PreferenceLossOptions => ({
    lossType,
    beta,
    labelSmoothing: epsilonOf(lossType),
  });
  test.each(rows)("%s sees a shift, and adds up, as it says", (lossType, _formula, _start, seesShift, addsUp) => {
    const batch = fc.array(pair, { minLength: 2, maxLength: 4 });
    const shift = fc.property(batch, between(-8, 8), beta, (pairs, c, beta) => {
      const moved = pairs.map((one: Pair) => shifted(one, { policyChosen: c, policyRejected: c }));
      close(sumOf(moved, options(lossType, beta)), sumOf(pairs, options(lossType, beta)), lossType);
    });
    expect(isBroken(shift, 60) ? "yes" : "no").toBe(seesShift);
    const parts = fc.property(batch, beta, (pairs, beta) => {
      const apart = pairs.reduce((sum, one) => sum + lossOf(one, options(lossType, beta)), 0);
      close(sumOf(pairs, options(lossType, beta)), apart, lossType);
    });
    expect(isBroken(parts, 60) ? "no" : "yes").toBe(addsUp);
  });
});

describe("the other tables of docs/losses.md", () => {
  const divergences = table("f-divergences (`fDivergenceType`)");
  test("f-divergences: all of them, their scores and slopes", () => {
    expect(divergences.map(([name]) => unquoted(name))).toEqual(F_DIVERGENCES);
    for (const [name, formula, slope] of divergences) {
      const score = formulaOf(formula);
      const fDivergenceType = unquoted(name) as FDivergenceType;
      fc.assert(
        fc.property(between(-5, 5), between(-5, 5), beta, (a, b, beta) => {
          const expected = (score({ a, α: 0.5 }) - score({ a: b, α: 0.5 }) - 1 / (2 * beta)) ** 2;
          close(lossOf(ratios(a, b), { lossType: "ipo_sum", beta, fDivergenceType }), expected, name);
        }),
      );
      close(slopesOf(ratios(0, 0), { lossType: "sigmoid", beta: 2, fDivergenceType })[0], -Number(slope), name);
    }
  });

  const [desirable, undesirable, crossEntropy] = table("Others").map(([, formula]) => formulaOf(formula));
  test("KTO", () => {
    fc.assert(
      fc.property(between(-20, 20), between(-20, 20), between(0, 9), beta, (a, b, kl, beta) => {
        const answers = {
          policy: [a, b],
          reference: [0, 0],
          desirable: [true, false],
          policyKl: [kl, kl],
          referenceKl: [0, 0],
        };
        const { losses } = ktoLoss(answers, { beta, desirableWeight: 1.5, undesirableWeight: 0.5 });
        const values = { a, b, kl, β: beta, wD: 1.5, wU: 0.5 };
        close(losses[0], desirable(values), "desirable");
        close(losses[1], undesirable(values), "undesirable");
      }),
    );
  });

  test("cross-entropy", () => {
    fc.assert(
      fc.property(fc.array(between(-5, 5), { minLength: 4, maxLength: 4 }), fc.nat(3), (z, label) => {
        const { loss } = crossEntropyLoss({ logits: [z], labels: [label] }, { labelSmoothing: 0.1, zLoss: 0.01 });
        const LogZ = Math.log(z.reduce((sum, x) => sum + Math.exp(x), 0));
        const zMean = z.reduce((sum, x) => sum + x, 0) / 4;
        close(loss, crossEntropy({ LogZ, zLabel: z[label], zMean, ε: 0.1, c: 0.01 }), "cross-entropy");
      }),
    );
  });

  test("the example", () => {
    const { beta, ...one } = { ...ratios(-12, -15, 8, 9), referenceChosen: -13, referenceRejected: -13, beta: 0.1 };
    expect(page).toContain(`losses: [${lossOf(one, { lossType: "sigmoid", beta }).toString().slice(0, 5)}...]`);
  });
});
