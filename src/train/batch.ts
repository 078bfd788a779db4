/**
 * @file Packed rows as the tensors that a training step reads, whole or in micro-batches.
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

/** How many tokens of a row are predicted: position t predicts label t + 1. */
export const targetsOf = (row: PackedRow) => row.labels.reduce((n, label, t) => n + (t > 0 && label >= 0 ? 1 : 0), 0);

/**
 * The batch of a step in parts of at most `size` items: rows with {@link batchOf}, pairs with `preferenceBatch`. Each
 * part carries `numItemsInBatch`, what the loss of the whole step averages over (Σ `count`: target tokens, or pairs), and
 * `make` sees all items of the step, for what else a mean is taken over. So losses, gradients and metrics of the parts add
 * up to those of the whole batch, however unevenly the targets fall.
 */
export function microBatches<Item>(
  items: readonly Item[],
  size: number,
  make: (items: readonly Item[], step: readonly Item[]) => TensorMap,
  count: (item: Item) => number,
): TensorMap[] {
  if (size >= items.length) return [make(items, items)];
  const total = items.reduce((n, item) => n + count(item), 0);
  const parts: TensorMap[] = [];
  for (let i = 0; i < items.length; i += size)
    parts.push({ ...make(items.slice(i, i + size), items), numItemsInBatch: tf.scalar(total) });
  return parts;
}

/** How many tokens of a row are not padding; TRL's `num_tokens` is their sum over all rows of all steps so far. */
export const tokensOf = (row: PackedRow) => row.documentIds.reduce((n, document) => n + (document > 0 ? 1 : 0), 0);
