/**
 * @file Runs the unfinished nodes of a graph, in this process or in several. Models of this size gain little from a second
 * thread (a step of half a million parameters: 18,400 tokens/s with two threads, 14,400 with one), so two processes of one
 * thread each are one and a half times as fast. The parent process hands out nodes; the others run the same script.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Stopped, UserError } from "marco-mini";
import { closure, hashOf, type Node, type NodeStore, openStore } from "./graph.ts";

/** Set in the processes that the first one starts. */
const WORKER = "MARCO_FINDINGS_WORKER";

export interface PoolOptions {
  out: string;
  /** Processes that work at the same time. */
  jobs: number;
  signal: AbortSignal;
  /** Called once in each process that runs a node, before its first: starts the engine. */
  prepare?: () => Promise<void>;
  /** `left`: seconds, from the work done so far; `detail`: what the running nodes are at. */
  onProgress?: (done: number, total: number, detail: string, left: number | undefined) => void;
}

/**
 * Runs `wanted` and all that they need.
 * @throws Stopped after an abort, when every process has saved what it was at; UserError where another command writes there
 */
export async function runNodes(wanted: readonly Node[], options: PoolOptions): Promise<NodeStore> {
  if (process.env[WORKER]) return serve(wanted, options);
  const { out, jobs, signal, prepare = async () => {}, onProgress = () => {} } = options;
  const release = claim(out);
  try {
    const store = openStore(out);
    const nodes = closure(wanted);
    const unfinished = new Map(nodes.filter((node) => !store.read(node)).map((node) => [hashOf(node), node]));
    const plan = makePlan([...unfinished.values()]);
    const begun = performance.now();
    const running = new Map<Node, Running>();
    const report = () => {
      const details = [...running.values()].map(({ detail }) => detail).join(" | ");
      const seconds = (performance.now() - begun) / 1000;
      onProgress(nodes.length - plan.left, nodes.length, details, timeLeft(seconds, plan, running));
    };
    const slots = Array.from({ length: Math.min(jobs, Math.max(1, unfinished.size)) }, () =>
      jobs === 1 ? here(store, prepare, signal) : there(store, unfinished, signal),
    );
    try {
      await plan.work(slots.length, signal, async (node, slot) => {
        await slots[slot].run(node, (done, total, detail) => {
          const from = running.get(node)?.from ?? done / total;
          running.set(node, { from, at: done / total, detail: `${node.name} ${done}/${total} ${detail}` });
          report();
        });
        running.delete(node);
        report();
      });
    } finally {
      for (const slot of slots) slot.close();
    }
    if (signal.aborted) throw new Stopped("stopped");
    return store;
  } finally {
    release();
  }
}

/** A node that is being worked on: the share done when this command took it up, the share done now, and words for people. */
interface Running {
  from: number;
  at: number;
  detail: string;
}

/** Seconds left, if the rest goes as fast as what was done in `seconds`; undefined before any work is done. */
export function timeLeft(
  seconds: number,
  { doneWork, workLeft }: { doneWork: number; workLeft: number },
  running: ReadonlyMap<{ work: number }, Pick<Running, "from" | "at">>,
): number | undefined {
  let [done, left] = [doneWork, workLeft];
  for (const [{ work }, { from, at }] of running) {
    done += work * (at - from);
    left -= work * at;
  }
  return done > 0 ? (seconds / done) * left : undefined;
}

/** Hands out nodes whose parents are done, those on the longest chain first. */
export function makePlan(unfinished: readonly Node[]) {
  const todo = new Map(unfinished.map((node) => [hashOf(node), node]));
  const chain = new Map<string, number>();
  for (const node of [...unfinished].reverse()) {
    const length = (chain.get(hashOf(node)) ?? 0) + node.work; // what waits for it is already added: children come later
    chain.set(hashOf(node), length);
    for (const parent of node.parents) chain.set(hashOf(parent), Math.max(chain.get(hashOf(parent)) ?? 0, length));
  }
  const waiting = new Set(unfinished);
  let doneWork = 0;
  const next = () =>
    [...waiting]
      .filter(({ parents }) => parents.every((parent) => !todo.has(hashOf(parent))))
      .sort((a, b) => chain.get(hashOf(b))! - chain.get(hashOf(a))!)[0];
  return {
    get left() {
      return todo.size;
    },
    get doneWork() {
      return doneWork;
    },
    get workLeft() {
      return [...todo.values()].reduce((sum, { work }) => sum + work, 0);
    },
    /** Calls `run` for every node, in `slots` at a time; ends after an abort or the first failure, when all have ended. */
    async work(slots: number, signal: AbortSignal, run: (node: Node, slot: number) => Promise<void>) {
      const idle = Array.from({ length: slots }, (_, slot) => slot);
      const busy = new Set<Promise<void>>();
      const failures: unknown[] = [];
      while (todo.size > 0) {
        for (let node = next(); node && idle.length > 0 && failures.length === 0 && !signal.aborted; node = next()) {
          const [one, slot] = [node, idle.pop()!];
          waiting.delete(one);
          const running: Promise<void> = run(one, slot)
            .then(() => {
              todo.delete(hashOf(one));
              doneWork += one.work;
            })
            .catch((error) => {
              failures.push(error);
            })
            .finally(() => {
              idle.push(slot);
              busy.delete(running);
            });
          busy.add(running);
        }
        if (busy.size === 0) break;
        await Promise.race(busy);
      }
      if (failures.length > 0) throw failures.find((error) => !(error instanceof Stopped)) ?? failures[0];
    },
  };
}

type OnProgress = (done: number, total: number, detail: string) => void;
interface Slot {
  run(node: Node, onProgress: OnProgress): Promise<void>;
  close(): void;
}

/** Runs nodes in this process. */
function here(store: NodeStore, prepare: () => Promise<void>, signal: AbortSignal): Slot {
  let prepared: Promise<void> | undefined;
  return {
    async run(node, onProgress) {
      prepared ??= prepare();
      await prepared;
      await store.run(node, { signal, onProgress });
    },
    close() {},
  };
}

type Request = { hash: string } | { stop: true };
type Reply =
  | { hash: string; kind: "done" }
  | { hash: string; kind: "progress"; at: [done: number, total: number, detail: string] }
  | { hash: string; kind: "failed"; message: string; type: "stopped" | "user" | "bug" };

/** Runs nodes in a process of its own, which is started for the first node. */
function there(store: NodeStore, nodes: ReadonlyMap<string, Node>, signal: AbortSignal): Slot {
  let child: ChildProcess | undefined;
  const send = (request: Request) => child?.connected && child.send(request);
  signal.addEventListener("abort", () => send({ stop: true }));
  return {
    run: (node, onProgress) =>
      new Promise<void>((resolve, reject) => {
        child ??= fork(process.argv[1], process.argv.slice(2), {
          env: { ...process.env, [WORKER]: "1" },
          stdio: ["ignore", "ignore", "inherit", "ipc"],
        });
        const exited = (code: number | null, by: string | null) => {
          end();
          reject(
            signal.aborted ? new Stopped("stopped") : new Error(`${node.name}: its process ended (${by ?? code})`),
          );
        };
        const answered = (reply: Reply) => {
          if (reply.hash !== hashOf(node)) return;
          if (reply.kind === "progress") return onProgress(...reply.at);
          end();
          if (reply.kind === "done" && store.read(nodes.get(reply.hash)!)) return resolve();
          const { type, message } = reply.kind === "failed" ? reply : { type: "bug", message: "left no result" };
          const Kind = type === "stopped" ? Stopped : type === "user" ? UserError : Error;
          reject(new Kind(type === "bug" ? `${node.name}: ${message}` : message));
        };
        const end = () => {
          child!.off("exit", exited);
          child!.off("message", answered);
        };
        child.on("exit", exited);
        child.on("message", answered);
        send({ hash: hashOf(node) });
        if (signal.aborted) send({ stop: true });
      }),
    close: () => child?.connected && child.disconnect(),
  };
}

/** The other end of {@link there}: runs what it is told to until the parent has gone, and never returns. */
async function serve(wanted: readonly Node[], { out, prepare = async () => {} }: PoolOptions): Promise<never> {
  const nodes = new Map(closure(wanted).map((node) => [hashOf(node), node]));
  const store = openStore(out);
  const controller = new AbortController();
  const slot = here(store, prepare, controller.signal);
  const reply = (message: Reply) => process.connected && process.send!(message, undefined, undefined, () => {}); // the parent may have gone
  process.on("SIGINT", () => {}); // of the terminal, to all: the parent says when to stop
  process.on("message", (request: Request) => {
    if ("stop" in request) return controller.abort();
    const { hash } = request;
    slot
      .run(nodes.get(hash)!, (...at) => reply({ hash, kind: "progress", at }))
      .then(
        () => {
          reply({ hash, kind: "done" });
        },
        (error) => {
          const type = error instanceof Stopped ? "stopped" : error instanceof UserError ? "user" : "bug";
          reply({ hash, kind: "failed", message: type === "bug" ? `${error?.stack ?? error}` : error.message, type });
        },
      );
  });
  process.on("disconnect", () => process.exit()); // what is half done goes on from its last checkpoint
  return new Promise(() => {});
}

/** One command at a time writes into `out`: its process id is in `lock`. A lock whose process has gone is taken over. */
function claim(out: string): () => void {
  mkdirSync(out, { recursive: true });
  const path = join(out, "lock");
  for (let tries = 0; ; tries++) {
    try {
      writeFileSync(path, `${process.pid}`, { flag: "wx" });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || tries > 1) throw error;
      const pid = Number(readFileSync(path, "utf8"));
      if (isAlive(pid))
        throw new UserError(`--out ${out}: process ${pid} is writing there; wait for it, or choose another`);
      rmSync(path, { force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
