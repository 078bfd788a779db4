/**
 * @file Packed rows as the tensors that a training step reads.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { PackedRow } from "../data/pack.ts";
import type { TensorMap } from "../engine/engine.ts";

/** rows of T tokens -> inputIds, labels, documentIds, positionIds, each [B, T] int32. */
export function batchOf(rows: readonly PackedRow[]): TensorMap {
  const T = rows[0].inputIds.length;
  const stack = (field: keyof PackedRow) => {
    const values = new Int32Array(rows.length * T);
    rows.forEach((row, b) => {
      values.set(row[field], b * T);
    });
    return tf.tensor2d(values, [rows.length, T], "int32");
  };
  return {
    inputIds: stack("inputIds"),
    labels: stack("labels"),
    documentIds: stack("documentIds"),
    positionIds: stack("positionIds"),
  };
}
