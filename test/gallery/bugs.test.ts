/**
 * @file The gallery proves itself: for each bug the property holds for the product's code and fails for the broken
 * variation. What the bugs do to training is measured by the script; with MARCO_GALLERY=1 here too (two minutes).
 */
import { beforeAll, describe, expect, test } from "vitest";
import { codeOf, tryOut } from "../../examples/bugs/bug.ts";
import { BUGS, FAMILIES } from "../../examples/bugs/index.ts";
import { type Exhibit, renderGallery } from "../../examples/bugs/page.ts";
import { startEngine } from "../../src/engine/engine.ts";

beforeAll(async () => {
  await startEngine("cpu");
});

describe("holds for our code", () => {
  for (const bug of BUGS)
    test(`${bug.claim} (${bug.id})`, async () => {
      expect(await tryOut(bug, bug.correct)).toBeUndefined();
    });
});

describe("is caught by its property", () => {
  for (const bug of BUGS)
    test(bug.title, async () => {
      const caught = await tryOut(bug, bug.broken);
      expect(caught?.said).toMatch(/\w/);
      expect(caught!.counterexample.length, "short enough for a slide").toBeLessThan(120);
    });
});

test("there are at least 20 bugs, each with its own id, its own public report and a lesson of two to four sentences", () => {
  expect(BUGS.length).toBeGreaterThanOrEqual(20);
  expect(new Set(BUGS.map(({ id }) => id)).size).toBe(BUGS.length);
  expect(new Set(BUGS.map(({ issue }) => issue.url)).size).toBe(BUGS.length);
  for (const { id, issue, lesson } of BUGS) {
    expect(id).toMatch(/^[a-z0-9-]+$/);
    expect(issue.url.toLowerCase()).toContain(`https://github.com/${issue.project.toLowerCase()}`);
    expect(lesson.split(/[.!?:]["')]? (?=[A-Z'-])/).length, lesson).toBeGreaterThanOrEqual(2);
  }
});

test("the right and the wrong lines are found in the files that they are quoted from", () => {
  for (const bug of BUGS) {
    const { right, wrong } = codeOf(bug);
    for (const { text } of [right, wrong]) {
      expect(text.join("").trim(), bug.id).not.toBe("");
      expect(text.length, bug.id).toBeLessThanOrEqual(6);
    }
    expect(right.file, "ours is the product's").toMatch(/^src\//);
  }
});

test("the page shows every bug, with its counterexample, and loads nothing", () => {
  const caught = { counterexample: "<[1]>", said: "is 2, expected 1", seed: 7, tried: 3 };
  const picture = {
    title: "t",
    y: "y",
    x: "x",
    shows: "s",
    holds: true,
    curves: [
      {
        label: "a",
        kind: "broken" as const,
        points: [
          { x: 1, y: 2 },
          { x: 2, y: 3 },
        ],
      },
    ],
  };
  const exhibits: Exhibit[] = Object.entries(FAMILIES).flatMap(([family, bugs]) =>
    bugs.map((bug) => ({ family, bug, correct: undefined, caught, picture })),
  );
  const page = renderGallery(exhibits);
  for (const { id, issue } of BUGS) {
    expect(page).toContain(`<article id="${id}">`);
    expect(page).toContain(`href="${issue.url}"`);
  }
  expect(page.match(/&#60;\[1\]&#62;/g)).toHaveLength(BUGS.length); // escaped
  expect(page).not.toMatch(/<script|<link|src=/);
});

describe.skipIf(!process.env.MARCO_GALLERY)("does to training what its lesson says (MARCO_GALLERY=1)", () => {
  beforeAll(async () => {
    await startEngine("onnx");
  });
  for (const bug of BUGS)
    test(bug.title, async () => {
      const { shows, holds } = await bug.picture();
      expect(holds, shows).toBe(true);
    });
});
