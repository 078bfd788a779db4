/**
 * @file Runs recorded programs with ONNX Runtime (the npm package onnxruntime-node, CPU provider).
 *
 * The public `session.run` wraps a synchronous native call in a promise; TensorFlow.js needs synchronous reads, so
 * the native binding is used directly. That path is private to the package: its version is pinned exactly and
 * `test/engine` covers it.
 */
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { Tensor } from "onnxruntime-common";
import {
  allocate,
  describeNode,
  type Executable,
  type Executor,
  type Graph,
  sizeOf,
  type TypedArray,
  type Value,
} from "../lazy/graph.ts";
import { GraphBuilder, type Name } from "./builder.ts";
import { explained } from "./errors.ts";
import { lowerings } from "./lowering.ts";
import { encodeModel, nodeName, type OnnxType } from "./proto.ts";

interface NativeSession {
  loadModel(buffer: ArrayBufferLike, offset: number, length: number, options: object): void;
  run(feeds: Record<string, Tensor>, fetches: Record<string, Tensor>, options: object): Record<string, Tensor>;
  endProfiling(): void;
  dispose(): void;
}

const require = createRequire(import.meta.url);

export class OnnxExecutor implements Executor {
  readonly inHostMemory = true;
  private readonly binding: { InferenceSession: new () => NativeSession };

  /** Throws when the native library cannot be loaded on this platform. */
  constructor(private readonly options: object = {}) {
    const path = require.resolve("onnxruntime-node").replace(/index\.js$/, "binding.js");
    const { binding, initOrt } = require(path);
    initOrt();
    this.binding = binding;
  }

  /** Compiles the smallest program. Throws what ONNX Runtime says against its options or this machine. */
  check() {
    const x: Value = { shape: [1], dtype: "float32", producer: null, data: null, device: null };
    this.compile({ inputs: [x], nodes: [], outputs: [x] }).dispose();
  }

  compile(graph: Graph): Executable {
    const onnx = toOnnx(graph);
    const model = encodeModel(onnx);
    const session = new this.binding.InferenceSession();
    const origins = new Map(onnx.nodes.map((node, i) => [nodeName(node, i), node.origin]));
    explained(origins, () => {
      session.loadModel(model.buffer, model.byteOffset, model.byteLength, {
        executionProviders: ["cpu"],
        intraOpNumThreads: availableParallelism(),
        graphOptimizationLevel: "disabled", // the lowerings already fuse what can be fused
        logSeverityLevel: 3,
        ...this.options,
      });
    });
    const inputs = new TensorCache(graph.inputs);
    const outputs = new TensorCache(graph.outputs);
    const what = graph.outputs.map(({ producer }) => (producer ? describeNode(producer) : undefined));
    return {
      run: (values, into) => {
        const feeds = values.map(({ data }) => data!);
        const results = graph.outputs.map(({ dtype, shape }, i) => into[i] ?? allocate(dtype, sizeOf(shape), what[i]));
        explained(origins, () => {
          session.run(inputs.named("x", feeds), outputs.named("y", results), {});
        });
        return results;
      },
      dispose: () => session.dispose(),
    };
  }
}

/** ONNX Runtime's tensor objects over arrays; an array seen in the last run keeps its object. */
class TensorCache {
  private readonly last: { array: TypedArray | null; tensor: Tensor | null }[];

  constructor(private readonly values: Value[]) {
    this.last = values.map(() => ({ array: null, tensor: null }));
  }

  named(prefix: string, arrays: TypedArray[]): Record<string, Tensor> {
    const tensors: Record<string, Tensor> = {};
    arrays.forEach((array, i) => {
      const slot = this.last[i];
      if (slot.array !== array) {
        slot.array = array;
        slot.tensor = new Tensor(this.values[i].dtype as "float32", array as Float32Array, this.values[i].shape);
      }
      tensors[`${prefix}${i}`] = slot.tensor!;
    });
    return tensors;
  }
}

/** The ONNX model of a recorded program: each kernel is replaced by its lowering. */
export function toOnnx(graph: Graph) {
  const builder = new GraphBuilder();
  const names = new Map<Value, Name>();
  graph.inputs.forEach((value, i) => {
    names.set(value, `x${i}`);
  });
  for (const node of graph.nodes) {
    const lower = lowerings.get(node.kernel);
    if (!lower) throw new Error(`engine onnx: no operator for kernel ${node.kernel}`);
    const inputs = node.inputs.map(({ value, shape }) => {
      const name = names.get(value)!;
      return shape.join() === value.shape.join() ? name : builder.reshape(name, shape);
    });
    builder.origin = describeNode(node);
    const outputs = [lower(builder, inputs, node)].flat();
    node.outputs.forEach((value, k) => {
      names.set(value, outputs[k]);
    });
  }
  return builder.finish(
    graph.inputs.map((value, i) => ({ name: `x${i}`, type: value.dtype as OnnxType, shape: value.shape })),
    graph.outputs.map((value, i) => ({
      name: `y${i}`,
      type: value.dtype as OnnxType,
      shape: value.shape,
      from: names.get(value)!,
    })),
  );
}
