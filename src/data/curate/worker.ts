/** @file A thread that judges the chunks that it is sent (see chunks.ts). */
import { parentPort, workerData } from "node:worker_threads";
import type { Item } from "./items.ts";
import { makeJudge } from "./judge.ts";

const judge = makeJudge(workerData.recipe);
parentPort!.on("message", async (items: Item[]) => {
  try {
    const { judge: one } = await judge;
    parentPort!.postMessage(items.map(one));
  } catch (error) {
    parentPort!.postMessage({ error: (error as Error).message });
  }
});
