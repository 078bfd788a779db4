/**
 * @file What a job may cost. Before a request is sent, the most that it can cost is set aside, so that the budget is never
 * passed; when less was used, the rest is free again.
 */
import { UserError } from "../../util/assert.ts";
import type { Spent } from "./answerFile.ts";

/** Over all runs of a job; what is left out has no limit. */
export type BudgetLimits = Partial<Spent>;

/** The budget allows no more; what was answered is in the file of answers. */
export class BudgetSpent extends UserError {}

export interface Budget {
  /** Waits while requests under way may still leave room. @throws BudgetSpent */
  reserve(most: Spent): Promise<void>;
  /** After the request, when its cost is in what was spent. */
  release(most: Spent): void;
}

const NAMES = ["requests", "tokens", "money"] as const;

export function makeBudget(limits: BudgetLimits, spent: Readonly<Spent>): Budget {
  const reserved: Spent = { requests: 0, tokens: 0, money: 0 };
  let underWay = 0;
  let waiting: (() => void)[] = [];
  const over = (most: Spent, set: Spent) =>
    NAMES.find((name) => limits[name] !== undefined && spent[name] + set[name] + most[name] > limits[name]);
  return {
    async reserve(most) {
      for (;;) {
        const name = over(most, reserved);
        if (name === undefined) break;
        if (underWay === 0) {
          const used = `${round(spent[name])} of ${limits[name]} are used, the next request may need ${round(most[name])}`;
          throw new BudgetSpent(`budget.${name}: ${used}; raise it and run the same command, which goes on from here`);
        }
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
      underWay++;
      for (const name of NAMES) reserved[name] += most[name];
    },
    release(most) {
      underWay--;
      for (const name of NAMES) reserved[name] = underWay === 0 ? 0 : reserved[name] - most[name];
      const woken = waiting;
      waiting = [];
      for (const wake of woken) wake();
    },
  };
}

const round = (x: number) => Number(x.toPrecision(6));
