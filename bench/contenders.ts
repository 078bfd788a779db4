/**
 * @file Contenders: processes of their own that get the machine in turn, a few runs at a time, round after round, so that
 * a change of the machine's speed meets all of them. Protocol: bench/serve.ts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** What a turn of some runs gave; `seconds` has one value for each. */
export interface Turn {
  seconds: number[];
}

export interface Contender<T extends Turn> {
  name: string;
  /** What it said when it was ready: versions, settings, its warm-up. */
  about: Record<string, unknown> & { warmup: T };
  run(count: number): Promise<T>;
  /** Highest resident memory so far, compilation included; null where the system does not say. */
  peakBytes(): number | null;
  /** Processor seconds of the process and its descendants so far. */
  cpuSeconds(): number;
  quit(): void;
}

export const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** How one of our programs is started. */
export const ours = (program: string, ...args: string[]): [string, string[]] => [
  process.execPath,
  ["--import", "tsx", here(program), ...args],
];

/** Starts a process and waits until it is ready. @throws Error with the last thing it said, or that it took too long. */
export async function startContender<T extends Turn>(
  name: string,
  [command, args]: [string, string[]],
  limitSeconds: number,
): Promise<Contender<T>> {
  const child: ChildProcess = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  child.stderr!.on("data", (data) => {
    said = `${said}${data}`.slice(-4000);
  });
  child.stdin!.on("error", () => {}); // a process that died says why on stderr
  const ended = new Promise<never>((_, reject) => {
    child.on("error", (error) => reject(error));
    child.on("close", (code) => reject(new Error(lastWords(said) || `it ended with exit code ${code}`)));
  });
  ended.catch(() => {}); // noticed by whoever waits for an answer
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const answer = async () => {
    const next = await Promise.race([lines.next(), ended]);
    return next.done ? await ended : JSON.parse(next.value);
  };
  let late: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    late = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`not ready within ${limitSeconds} s`));
    }, limitSeconds * 1000);
  });
  const { ready: _, ...about } = await Promise.race([answer(), tooLate]).finally(() => clearTimeout(late));
  return {
    name,
    about,
    run: (count) => {
      child.stdin!.write(`run ${count}\n`);
      return answer();
    },
    peakBytes: () => {
      const peak = /VmHWM:\s+(\d+) kB/.exec(read(`/proc/${child.pid}/status`))?.[1];
      return peak === undefined ? null : Number(peak) * 1024;
    },
    cpuSeconds: () => cpuSecondsOf(child.pid!),
    quit: () => child.stdin!.end("quit\n"),
  };
}

/** The line of an error in what a process wrote to stderr: the last that says something. */
const lastWords = (text: string) => {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return (lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1))?.trim();
};

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Fields of /proc/PID/stat that follow the name in brackets: state, parent, ... */
const statOf = (pid: number | string) => read(`/proc/${pid}/stat`).split(") ").at(-1)!.split(" ");

function cpuSecondsOf(pid: number): number {
  const children = new Map<number, number[]>();
  let all: string[] = [];
  try {
    all = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    // not Linux: nothing is known, and nothing counts
  }
  for (const name of all) {
    const parent = Number(statOf(name)[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const sum = (id: number): number => {
    const [user = 0, system = 0] = statOf(id).slice(11, 13).map(Number);
    return (user + system) / 100 + (children.get(id) ?? []).map(sum).reduce((a, b) => a + b, 0);
  };
  return sum(pid);
}

export interface Race<T extends Turn> {
  /** For each contender, its turns. */
  turns: T[][];
  /** For each contender, the share of a core that it took while others had their turns: spinning would disturb them. */
  idleLoad: number[];
}

/** `rounds` turns each, the first of a round rotating. A turn has as many runs as fit `turnSeconds`, at most `most`. */
export async function race<T extends Turn>(
  contenders: Contender<T>[],
  { rounds, most, turnSeconds }: { rounds: number; most: number; turnSeconds: number },
): Promise<Race<T>> {
  const turns: T[][] = contenders.map(() => []);
  const length = contenders.map(({ about }) => {
    const fit = Math.floor(turnSeconds / about.warmup.seconds.at(-1)!);
    return Math.min(most, Math.max(1, fit));
  });
  const idleCpu = contenders.map(() => 0);
  const idleTime = contenders.map(() => 0);
  for (let round = 0; round < rounds; round++)
    for (let i = 0; i < contenders.length; i++) {
      const active = (i + round) % contenders.length;
      process.stderr.write(`round ${round + 1} of ${rounds}: ${contenders[active].name}, ${length[active]} runs\n`);
      const before = contenders.map((contender) => contender.cpuSeconds());
      const start = performance.now();
      turns[active].push(await contenders[active].run(length[active]));
      const seconds = (performance.now() - start) / 1000;
      contenders.forEach((contender, c) => {
        if (c === active) return;
        idleCpu[c] += contender.cpuSeconds() - before[c];
        idleTime[c] += seconds;
      });
    }
  return { turns, idleLoad: idleCpu.map((cpu, c) => (idleTime[c] > 0 ? cpu / idleTime[c] : 0)) };
}
