/**
 * @file Matchers: `toBeAllClose` compares arrays element by element and says how many differ, where and by how much.
 */
import fc from "fast-check";
import { afterAll, expect, vi } from "vitest";

// test files share a process (vitest.config.ts): none leaves its settings to the next
fc.resetConfigureGlobal();
afterAll(() => {
  vi.restoreAllMocks();
});

interface Tolerance {
  atol?: number;
  rtol?: number;
}

expect.extend({
  toBeAllClose(actual: ArrayLike<number>, expected: ArrayLike<number>, { atol = 0, rtol = 0 }: Tolerance = {}) {
    if (actual.length !== expected.length)
      return { pass: false, message: () => `${actual.length} values, expected ${expected.length}` };
    let wrong = 0;
    let first = -1;
    let largest = 0;
    for (let i = 0; i < actual.length; i++) {
      const difference = Math.abs(actual[i] - expected[i]);
      const same = Object.is(actual[i], expected[i]) || difference <= atol + rtol * Math.abs(expected[i]);
      if (!same) {
        wrong++;
        if (first < 0) first = i;
      }
      if (!(difference <= largest)) largest = difference;
    }
    const where = first < 0 ? "" : `; first at ${first}: ${actual[first]}, expected ${expected[first]}`;
    return {
      pass: wrong === 0,
      message: () =>
        `${wrong} of ${actual.length} differ by more than ${atol} + ${rtol}·|expected| (max ${largest})${where}`,
    };
  },
});

declare module "vitest" {
  // biome-ignore lint/suspicious/noExplicitAny: vitest's own declaration
  interface Matchers<T = any> {
    toBeAllClose(expected: ArrayLike<number>, tolerance?: Tolerance): T;
  }
}
