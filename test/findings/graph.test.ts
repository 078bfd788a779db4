/** @file The graph of cached nodes: what makes a node another one, what is run, in which order, and what is left behind. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { closure, hashOf, type Node } from "../../examples/findings/shared/graph.ts";
import { makePlan, runNodes, timeLeft } from "../../examples/findings/shared/pool.ts";
import { Stopped } from "../../src/util/assert.ts";

let out: string;
let ran: string[];
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "findings-"));
  ran = [];
});
afterEach(() => rmSync(out, { recursive: true }));

/** A node that adds its number to the sum of its parents' results. */
const adding = (name: string, add: number, parents: Node<number>[] = [], work = 1): Node<number> => ({
  kind: "adding",
  name,
  settings: { add },
  parents,
  work,
  run: async ({ resultOf }) => {
    ran.push(name);
    return parents.reduce((sum, parent) => sum + resultOf(parent), add);
  },
});
const all = { signal: new AbortController().signal, jobs: 1 };

describe("the hash", () => {
  test("changes with the kind, a setting, a setting deep inside, and a parent's setting", () => {
    const node = (settings: object, kind = "k", parents: Node[] = []) =>
      hashOf({ ...adding("n", 0, []), settings: settings as Record<string, unknown>, kind, parents });
    const same = node({ a: 1, b: { c: [1, 2] } });
    expect(same).toMatch(/^[0-9a-f]{12}$/);
    const others = [
      node({ a: 2, b: { c: [1, 2] } }),
      node({ a: 1, b: { c: [2, 1] } }),
      node({ a: 1, b: { c: [1, 2] }, d: null }),
      node({ a: 1, b: { c: [1, 2] } }, "other"),
      node({ a: 1, b: { c: [1, 2] } }, "k", [adding("p", 1)]),
      node({ a: 1, b: { c: [1, 2] } }, "k", [adding("p", 2)]),
    ];
    expect(new Set([same, ...others]).size).toBe(7);
  });

  test("does not change with the name, the work, the order of keys, or a key that is undefined", () => {
    const a = adding("a", 3);
    expect(hashOf({ ...a, name: "b", work: 9 })).toBe(hashOf(a));
    expect(hashOf({ ...a, settings: { x: 1, y: { v: 1, w: 2 } } })).toBe(
      hashOf({ ...a, settings: { y: { w: 2, v: 1, z: undefined }, x: 1 } }),
    );
  });

  test("refuses settings that JSON would lose", () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, () => 1])
      expect(() => hashOf({ ...adding("a", 1), settings: { bad } })).toThrow("expected plain JSON");
  });
});

describe("a graph", () => {
  test("runs every node once, parents first, and shares equal ones", async () => {
    const base = () => adding("base", 1);
    const [left, right] = [adding("left", 10, [base()]), adding("right", 20, [base()])];
    const both = adding("both", 100, [left, right]);
    const store = await runNodes([both, right], { out, ...all });
    expect(ran.sort()).toEqual(["base", "both", "left", "right"]);
    expect(store.read(both)!.result).toBe(1 + 10 + 1 + 20 + 100);
    expect(closure([both]).map(({ name }) => name)).toEqual(["base", "left", "right", "both"]);
  });

  test("never runs a finished node again, whatever it is called, and runs what a changed setting makes new", async () => {
    await runNodes([adding("b", 2, [adding("a", 1)])], { out, ...all });
    ran = [];
    const store = await runNodes([adding("other name", 2, [adding("a", 1)])], { out, ...all });
    expect(ran).toEqual([]);
    expect(store.read(adding("b", 2, [adding("a", 1)]))!.result).toBe(3);
    await runNodes([adding("b", 2, [adding("a", 5)])], { out, ...all });
    expect(ran).toEqual(["a", "b"]);
    expect(readdirSync(join(out, "nodes")).length).toBe(4);
  });

  test("runs an interrupted node again in the folder that it left, and then what waits for it", async () => {
    let first = true;
    const flaky: Node<number> = {
      ...adding("flaky", 7),
      run: async ({ folder }) => {
        if (!first) return existsSync(join(folder, "half")) ? 7 : Number.NaN;
        first = false;
        writeFileSync(join(folder, "half"), "");
        throw new Stopped("stopped");
      },
    };
    const child = adding("child", 1, [flaky]);
    await expect(runNodes([child], { out, ...all })).rejects.toThrow(Stopped);
    expect(ran).toEqual([]);
    expect((await runNodes([child], { out, ...all })).read(child)!.result).toBe(8);
  });

  test("starts nothing more after an abort or a failure, and says which", async () => {
    const controller = new AbortController();
    const stopping: Node<number> = { ...adding("stopping", 1), run: async () => Number(controller.abort() ?? 1) };
    await expect(
      runNodes([adding("child", 1, [stopping])], { out, jobs: 1, signal: controller.signal }),
    ).rejects.toThrow(Stopped);
    const broken: Node<number> = { ...adding("broken", 2), run: () => Promise.reject(new Error("no such thing")) };
    await expect(runNodes([adding("child", 2, [broken])], { out, ...all })).rejects.toThrow("no such thing");
    expect(ran).toEqual([]);
  });

  test("does the longest chain first, so that no process waits at the end", async () => {
    const chain = adding("chain 3", 1, [adding("chain 2", 2, [adding("chain 1", 3, [], 5)], 5)], 5);
    const plan = makePlan(closure([adding("small", 4, [], 1), adding("big", 5, [], 9), chain]));
    await plan.work(1, all.signal, async ({ name }) => {
      ran.push(name);
    });
    expect(ran).toEqual(["chain 1", "chain 2", "big", "chain 3", "small"]);
  });

  test("counts what the running nodes have done in the time left, but not what an earlier command did of them", () => {
    const resumed = new Map([[{ work: 40 }, { from: 0.25, at: 0.75 }]]); // 20 done in these 10 s, 10 still to do
    expect(timeLeft(10, { doneWork: 0, workLeft: 100 }, resumed)).toBe(35);
    expect(timeLeft(10, { doneWork: 5, workLeft: 100 }, new Map())).toBe(200);
    expect(timeLeft(10, { doneWork: 0, workLeft: 100 }, new Map())).toBeUndefined();
  });

  test("is written by one process at a time: a live one is named, a dead one's lock is taken over", async () => {
    writeFileSync(join(out, "lock"), `${process.pid}`);
    await expect(runNodes([adding("a", 1)], { out, ...all })).rejects.toThrow(
      `process ${process.pid} is writing there`,
    );
    writeFileSync(join(out, "lock"), "999999999");
    await runNodes([adding("a", 1)], { out, ...all });
    expect(existsSync(join(out, "lock"))).toBe(false);
  });

  test("names a damaged record instead of believing it", async () => {
    const node = adding("a", 1);
    const store = await runNodes([node], { out, ...all });
    writeFileSync(join(store.folderOf(node), "result.json"), "{");
    await expect(runNodes([node], { out, ...all })).rejects.toThrow("remove its folder");
  });
});
