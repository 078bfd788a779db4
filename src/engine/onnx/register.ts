/**
 * @file The table of lowerings: what a kernel is in ONNX operators. The families in `lowerings/` fill it, and the fused ops
 * of `src/ops/` add theirs, so nothing here knows a model.
 */
import type { Node } from "../lazy/graph.ts";
import type { GraphBuilder, Name } from "./builder.ts";

/** Emits the operators of one kernel and returns the names of its outputs. */
export type Lowering = (g: GraphBuilder, inputs: Name[], node: Node) => Name | Name[];

export const lowerings = new Map<string, Lowering>();

export function registerLowering(kernel: string, lowering: Lowering) {
  lowerings.set(kernel, lowering);
}

export const attribute = <T>(node: Node, name: string) => node.attributes[name] as T;
export const shapeOf = (node: Node, i = 0) => node.inputs[i].shape;
export const dtypeOf = (node: Node, i = 0) => node.inputs[i].value.dtype as "float32" | "int32" | "bool";
export const number = (node: Node) => (dtypeOf(node) === "int32" ? "int32" : "float32");
