/** @file An ONNX Runtime executor that counts what it is asked to do. */
import * as tf from "@tensorflow/tfjs-core";
import { LazyBackend } from "../../src/engine/lazy/backend.ts";
import type { Executor, Graph } from "../../src/engine/lazy/graph.ts";
import { OnnxExecutor } from "../../src/engine/onnx/executor.ts";

export interface Counts {
  compiled: number;
  runs: number;
  disposed: number;
  kernels: Set<string>;
}

/** Registers the onnx engine with a counting executor; call before `startEngine("onnx")`. */
export function countingEngine(): Counts {
  const counts: Counts = { compiled: 0, runs: 0, disposed: 0, kernels: new Set() };
  const onnx = new OnnxExecutor();
  const executor: Executor = {
    inHostMemory: true,
    compile(graph: Graph) {
      counts.compiled++;
      for (const { kernel } of graph.nodes) counts.kernels.add(kernel);
      const executable = onnx.compile(graph);
      return {
        run(inputs, into) {
          counts.runs++;
          return executable.run(inputs, into);
        },
        dispose() {
          counts.disposed++;
          executable.dispose();
        },
      };
    },
  };
  tf.registerBackend("onnx", () => new LazyBackend(executor));
  return counts;
}
