/**
 * @file Threads that share the rows of one WebAssembly kernel and have finished when the call returns. GPU.js has threads
 * of its own, but they answer by message: nothing could be read synchronously.
 *
 * The kernel's module is instantiated in each worker over one shared memory. `control` says whose turn it is: the workers
 * sleep until its first number changes, take their part of the cells, and the last one that is done wakes the caller.
 */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";

/** What GPU.js' module exports: cells [start, end) one by one, and four at a time. */
interface Exports {
  run(start: number, end: number, seed: number): void;
  run_simd?(start: number, end: number, seed: number): void;
}

/** A kernel's module over shared memory, for outputs of that many columns and cells. */
export interface SharedKernel {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  /** Names of the functions of Math that it calls. */
  math: string[];
  width: number;
  cells: number;
}

export interface Threads {
  count: number;
  /** Returns what runs the kernel over what is in its memory, and what forgets it. */
  add(kernel: SharedKernel): { run(): void; dispose(): void };
}

const [TURN, KERNEL, LEFT, FAILED, PARTS] = [0, 1, 2, 3, 4];

/** Cells [start, end), four at a time where they lie in one row; as GPU.js' own `dispatchSpans`. */
function runCells({ run, run_simd }: Exports, width: number, start: number, end: number) {
  if (!run_simd) return run(start, end, 0);
  if (width % 4 === 0) return run_simd(start, end, 0);
  const four = width - (width % 4);
  for (let row = start; row < end; row += width) {
    if (four > 0) run_simd(row, row + four, 0);
    run(row + four, row + width, 0);
  }
}

function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory, math: string[]): Exports {
  const env: Record<string, unknown> = { memory };
  for (const name of math) env[`math_${name}`] = Math[name as "exp"];
  return new WebAssembly.Instance(module, { env } as WebAssembly.Imports).exports as unknown as Exports;
}

/** A worker's whole life; the two functions above are pasted into it. */
const WORKER = `
const { workerData: { control, port, index }, receiveMessageOnPort } = require("node:worker_threads");
const runCells = ${runCells};
const instantiate = ${instantiate};
const kernels = new Map();
for (let turn = 0; ; ) {
  Atomics.wait(control, ${TURN}, turn);
  turn = Atomics.load(control, ${TURN});
  try {
    for (let got; (got = receiveMessageOnPort(port)); ) {
      const { id, kernel } = got.message;
      if (kernel) kernels.set(id, { exports: instantiate(kernel.module, kernel.memory, kernel.math), width: kernel.width });
      else kernels.delete(id);
    }
    const { exports, width } = kernels.get(control[${KERNEL}]);
    const [start, end] = control.subarray(${PARTS} + 2 * index);
    if (start < end) runCells(exports, width, start, end);
  } catch (error) {
    Atomics.store(control, ${FAILED}, 1);
  }
  if (Atomics.sub(control, ${LEFT}, 1) === 1) Atomics.notify(control, ${LEFT});
}`;

/** `count` threads, the caller's own among them; they do not keep the process alive. */
export function makeThreads(count: number): Threads {
  const control = new Int32Array(new SharedArrayBuffer(4 * (PARTS + 2 * count)));
  const ports: MessagePort[] = [];
  const startWorkers = () => {
    for (let index = 1; index < count; index++) {
      const { port1, port2 } = new MessageChannel();
      port1.unref();
      const workerData = { control, port: port2, index };
      new Worker(WORKER, { eval: true, workerData, transferList: [port2] }).unref();
      ports.push(port1);
    }
  };
  let nextId = 0;
  return {
    count,
    add({ module, memory, math, width, cells }) {
      if (ports.length === 0) startWorkers();
      const id = nextId++;
      for (const port of ports) port.postMessage({ id, kernel: { module, memory, math, width } });
      const own = instantiate(module, memory, math);
      const unit = width % 4 === 0 ? 4 : width; // a part begins where four cells of one row do
      const share = Math.ceil(cells / unit / count) * unit;
      const end = (index: number) => Math.min(cells, (index + 1) * share);
      return {
        run() {
          control[KERNEL] = id;
          for (let index = 1; index < count; index++) control.set([end(index - 1), end(index)], PARTS + 2 * index);
          Atomics.store(control, LEFT, count - 1);
          Atomics.add(control, TURN, 1);
          Atomics.notify(control, TURN);
          runCells(own, width, 0, end(0));
          for (let left = Atomics.load(control, LEFT); left > 0; left = Atomics.load(control, LEFT))
            Atomics.wait(control, LEFT, left, 1000);
          if (Atomics.exchange(control, FAILED, 0) === 1) throw new Error("a thread of the kernel failed");
        },
        dispose() {
          for (const port of ports) port.postMessage({ id, kernel: null });
        },
      };
    },
  };
}
