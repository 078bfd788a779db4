/**
 * @file Writes an ONNX model file: the few protobuf messages of onnx.proto3 that a program needs.
 * Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3.
 */

export type OnnxType = "float32" | "int32" | "int64" | "bool";
const TYPE_CODES: Record<OnnxType, number> = { float32: 1, int32: 6, int64: 7, bool: 9 };

export type OnnxAttribute = number | { int: number } | { ints: number[] } | { string: string };

export interface OnnxNode {
  op: string;
  domain: string;
  inputs: string[];
  outputs: string[];
  /** A bare number is a float attribute. */
  attributes: Record<string, OnnxAttribute>;
  /** What it was lowered from, for error messages; not part of the file. */
  origin?: string;
}

export interface OnnxTensor {
  name: string;
  type: OnnxType;
  shape: number[];
}

export interface OnnxModel {
  nodes: OnnxNode[];
  inputs: OnnxTensor[];
  outputs: OnnxTensor[];
  constants: (OnnxTensor & { bytes: Uint8Array })[];
}

const utf8 = new TextEncoder();

/** Protobuf's wire format: varints and length-delimited fields, appended to a growing list. */
class Message {
  private readonly parts: Uint8Array[] = [];

  private varint(n: number | bigint): Uint8Array {
    let rest = BigInt.asUintN(64, BigInt(n));
    const bytes: number[] = [];
    do {
      const more = rest >> 7n;
      bytes.push(Number(rest & 127n) | (more > 0n ? 128 : 0));
      rest = more;
    } while (rest > 0n);
    return Uint8Array.from(bytes);
  }

  int(field: number, value: number): this {
    this.parts.push(this.varint(field << 3), this.varint(value));
    return this;
  }

  float(field: number, value: number): this {
    this.parts.push(this.varint((field << 3) | 5), new Uint8Array(Float32Array.of(value).buffer));
    return this;
  }

  bytes(field: number, value: Uint8Array | string | Message): this {
    const bytes = value instanceof Message ? value.finish() : typeof value === "string" ? utf8.encode(value) : value;
    this.parts.push(this.varint((field << 3) | 2), this.varint(bytes.length), bytes);
    return this;
  }

  finish(): Uint8Array {
    const out = new Uint8Array(this.parts.reduce((n, part) => n + part.length, 0));
    let at = 0;
    for (const part of this.parts) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }
}

function attributeMessage(name: string, value: OnnxAttribute): Message {
  const message = new Message().bytes(1, name);
  if (typeof value === "number") return message.float(2, value).int(20, 1);
  if ("int" in value) return message.int(3, value.int).int(20, 2);
  if ("string" in value) return message.bytes(4, value.string).int(20, 3);
  for (const n of value.ints) message.int(8, n);
  return message.int(20, 7);
}

/** What ONNX Runtime calls node `index` in its messages. */
export const nodeName = (node: OnnxNode, index: number) => `${node.op}_${index}`;

function nodeMessage(node: OnnxNode, index: number): Message {
  const message = new Message();
  for (const input of node.inputs) message.bytes(1, input);
  for (const output of node.outputs) message.bytes(2, output);
  message.bytes(3, nodeName(node, index)).bytes(4, node.op);
  for (const [name, value] of Object.entries(node.attributes)) message.bytes(5, attributeMessage(name, value));
  return node.domain === "" ? message : message.bytes(7, node.domain);
}

function valueInfoMessage({ name, type, shape }: OnnxTensor): Message {
  const dims = new Message();
  for (const n of shape) dims.bytes(1, new Message().int(1, n));
  const tensor = new Message().int(1, TYPE_CODES[type]).bytes(2, dims);
  return new Message().bytes(1, name).bytes(2, new Message().bytes(1, tensor));
}

/** The bytes of a ModelProto: IR version 10, opset 23, and ONNX Runtime's com.microsoft operators. */
export function encodeModel(model: OnnxModel): Uint8Array {
  const graph = new Message();
  model.nodes.forEach((node, i) => {
    graph.bytes(1, nodeMessage(node, i));
  });
  graph.bytes(2, "program");
  for (const { name, type, shape, bytes } of model.constants) {
    const tensor = new Message();
    for (const n of shape) tensor.int(1, n);
    graph.bytes(5, tensor.int(2, TYPE_CODES[type]).bytes(8, name).bytes(9, bytes));
  }
  for (const input of model.inputs) graph.bytes(11, valueInfoMessage(input));
  for (const output of model.outputs) graph.bytes(12, valueInfoMessage(output));
  return new Message()
    .int(1, 10)
    .bytes(7, graph)
    .bytes(8, new Message().bytes(1, "").int(2, 23))
    .bytes(8, new Message().bytes(1, "com.microsoft").int(2, 1))
    .finish();
}
