/**
 * @file Documents by the chunk, on several threads, in order, and so that a run that was killed goes on: a chunk's result
 * is a file that is there whole or not at all. What is written does not depend on threads or on interruptions.
 */
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { Worker } from "node:worker_threads";
import { UserError } from "../../util/assert.ts";
import { writeWhole } from "../../util/runDir.ts";
import { type Item, readItems } from "./items.ts";
import { type Judge, type Judged, makeJudge } from "./judge.ts";
import type { Recipe } from "./recipe.ts";

export const CHUNK = 64;

export interface Progress {
  /** Documents by themselves, then passes over all of them. */
  phase: "documents" | "perplexity" | "duplicates" | "passages" | "writing";
  documents: number;
  /** Of them, those that an earlier run had done. */
  resumed: number;
  /** In the first phase bytes of the inputs, as they are on disk; then documents. */
  done: number;
  total: number;
}

export interface ChunkOptions {
  inputs: readonly string[];
  folder: string;
  recipe: Recipe;
  threads: number;
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

export const chunkFile = (folder: string, chunk: number) =>
  join(folder, "chunks", `${String(chunk).padStart(7, "0")}.jsonl`);

/** Judges all documents; returns how many there are. @throws UserError when it is stopped: the same call goes on. */
export async function judgeChunks({
  inputs,
  folder,
  recipe,
  threads,
  onProgress,
  signal,
}: ChunkOptions): Promise<number> {
  mkdirSync(join(folder, "chunks"), { recursive: true });
  const pool = await makePool(threads, recipe);
  const starts = new Map<string, number>(); // of each input among the bytes of all
  const progress: Progress = { phase: "documents", documents: 0, resumed: 0, done: 0, total: 0 };
  for (const input of inputs) {
    starts.set(basename(input), progress.total);
    progress.total += statSync(input).size;
  }
  const running = new Set<Promise<void>>();
  let failure: unknown;
  let chunks = 0;
  try {
    for await (const items of inChunks(inputs)) {
      if (signal?.aborted) throw new UserError("stopped; the same command goes on from here");
      if (failure) break;
      const path = chunkFile(folder, chunks++);
      const { source, offset } = items[items.length - 1];
      progress.done = starts.get(source)! + offset;
      if (isWhole(path, items.length)) {
        progress.documents += items.length;
        progress.resumed += items.length;
        onProgress?.(progress);
        continue;
      }
      const done = pool(items).then((judged) => {
        writeWhole(path, judged.map((one) => `${JSON.stringify(one)}\n`).join(""));
        progress.documents += items.length;
        onProgress?.(progress);
      });
      const settled: Promise<void> = done
        .catch((error) => {
          failure ??= error;
        })
        .finally(() => running.delete(settled));
      running.add(settled);
      if (running.size >= 2 * threads) await Promise.race(running); // memory is bounded by what is under way
    }
    await Promise.all(running);
    if (failure) throw failure;
    return progress.documents;
  } finally {
    await Promise.all(running);
    await pool.close();
  }
}

/** A file that lost its end, to a full disk or to a power cut, is made again. */
function isWhole(path: string, documents: number): boolean {
  if (!existsSync(path)) return false;
  const bytes = readFileSync(path);
  let lines = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines++;
  return lines === documents && bytes[bytes.length - 1] === 10;
}

async function* inChunks(inputs: readonly string[]): AsyncGenerator<Item[]> {
  let items: Item[] = [];
  for (const input of inputs)
    for await (const item of readItems(input)) {
      items.push(item);
      if (items.length < CHUNK) continue;
      yield items;
      items = [];
    }
  if (items.length > 0) yield items;
}

/** What the chunks of a run in `folder` hold, in order. */
export function* readChunks(folder: string): Generator<Judged> {
  for (let chunk = 0; existsSync(chunkFile(folder, chunk)); chunk++)
    for (const line of readFileSync(chunkFile(folder, chunk), "utf8").split("\n")) if (line) yield JSON.parse(line);
}

interface Pool {
  (items: Item[]): Promise<Judged[]>;
  close(): Promise<void>;
}

async function makePool(threads: number, recipe: Recipe): Promise<Pool> {
  if (threads <= 1) {
    const judge: Judge = await makeJudge(recipe);
    const here = async (items: Item[]) => {
      await new Promise<void>((resolve) => setImmediate(resolve)); // so that Ctrl-C and progress are seen
      return items.map(judge.judge);
    };
    return Object.assign(here, { close: async () => judge.dispose() });
  }
  const free: Judging[] = Array.from({ length: threads }, () => new Judging(recipe));
  const waiting: ((worker: Judging) => void)[] = [];
  const there = async (items: Item[]) => {
    const worker = free.pop() ?? (await new Promise<Judging>((resolve) => waiting.push(resolve)));
    try {
      return await worker.run(items);
    } finally {
      const next = waiting.shift();
      if (next) next(worker);
      else free.push(worker);
    }
  };
  return Object.assign(there, { close: async () => void (await Promise.all(free.map((worker) => worker.stop()))) });
}

/** tsx reads TypeScript; a worker does not inherit it. */
const START = `
const { workerData } = require("node:worker_threads");
import(workerData.tsx).then(({ register }) => { register(); return import(workerData.module); });
`;

/** A thread that judges; it is started again when a page takes too long, and the page is set aside. */
class Judging {
  private worker: Worker | null = null;
  private answer: (answer: Answer) => void = () => {};
  constructor(private readonly recipe: Recipe) {}

  async run(items: Item[]): Promise<Judged[]> {
    const judged = await this.ask(items, this.recipe.limits.secondsPerPage * items.length);
    if (judged) return judged;
    const results: Judged[] = [];
    for (const item of items)
      results.push((await this.ask([item], this.recipe.limits.secondsPerPage))?.[0] ?? tooSlow(item));
    return results;
  }

  /** Null when it takes longer than `seconds` or the thread dies of the pages. */
  private async ask(items: Item[], seconds: number): Promise<Judged[] | null> {
    this.worker ??= this.start();
    const { worker } = this;
    let timer: NodeJS.Timeout | undefined;
    const answer = await new Promise<Answer>((resolve) => {
      this.answer = resolve;
      timer = setTimeout(() => resolve(null), (seconds + STARTING) * 1000);
      worker.postMessage(items);
    });
    clearTimeout(timer);
    if (Array.isArray(answer)) return answer;
    await this.stop();
    if (answer) throw answer;
    return null;
  }

  private start(): Worker {
    const workerData = {
      tsx: import.meta.resolve("tsx/esm/api"),
      module: new URL("./worker.ts", import.meta.url).href,
      recipe: this.recipe,
    };
    const worker = new Worker(START, { eval: true, workerData });
    worker.on("message", (message: Judged[] | { error: string }) =>
      this.answer(Array.isArray(message) ? message : new UserError(message.error)),
    );
    worker.on("error", (error: NodeJS.ErrnoException) =>
      this.answer(error.code === "ERR_WORKER_OUT_OF_MEMORY" ? null : error),
    );
    return worker;
  }

  async stop() {
    const { worker } = this;
    this.worker = null;
    await worker?.terminate();
  }
}

/** What a thread made of its documents; null when it took too long or too much memory. */
type Answer = Judged[] | Error | null;

/** Seconds that a thread may take to load its models. */
const STARTING = 30;

const tooSlow = ({ content: _, ...item }: Item): Judged => ({
  line: {
    ...item,
    ...{
      language: null,
      characters: 0,
      outcome: "quarantined",
      stage: "extract",
      reason: "took too long",
      measures: [],
    },
  },
  text: null,
});
