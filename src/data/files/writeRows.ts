/**
 * @file Rows to JSON Lines, gzip or Parquet, by the file's name. A file is written beside its place and renamed when it is
 * whole; equal rows give equal bytes. All rows of a file have the same keys: readers infer types from the first ones.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { gzipSync } from "node:zlib";
import type { SchemaElement } from "hyparquet";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { UserError } from "../../util/assert.ts";
import type { Row } from "./readRows.ts";

export interface RowWriter {
  write(row: Row): void;
  /** Puts the file in its place. */
  close(): void;
  /** Leaves nothing behind. */
  discard(): void;
}

export const OUTPUT_KINDS = ["jsonl", "jsonl.gz", "parquet"] as const;
export type OutputKind = (typeof OUTPUT_KINDS)[number];

/** Characters of rows that are held before they are written, if no other number is given: a gzip member, a row group. */
const HELD = 16 << 20;

/** Opens `path` (.jsonl, .jsonl.gz or .parquet). @throws UserError when it is of another kind or cannot be written. */
export function makeRowWriter(path: string, most = HELD): RowWriter {
  const kind = OUTPUT_KINDS.find((kind) => path.endsWith(`.${kind}`));
  if (!kind)
    throw new UserError(`${path}: unknown kind of file; expected ${OUTPUT_KINDS.map((k) => `.${k}`).join(", ")}`);
  const partial = `${path}.partial`;
  let file: number;
  try {
    mkdirSync(dirname(path), { recursive: true });
    file = openSync(partial, "w");
  } catch (error) {
    throw new UserError(`${path}: cannot be written (${(error as NodeJS.ErrnoException).code}); choose another place`);
  }
  const put = (bytes: Uint8Array | string) => {
    const all = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
    for (let done = 0; done < all.length; ) done += writeSync(file, all, done);
  };
  const sink = kind === "parquet" ? parquetSink(path, put) : lineSink(put, kind === "jsonl.gz");
  let lines: string[] = [];
  let held = 0;
  const flush = () => {
    if (lines.length > 0) sink.put(lines);
    lines = [];
    held = 0;
  };
  return {
    write(row) {
      const line = JSON.stringify(row);
      lines.push(line);
      held += line.length;
      if (held >= most) flush();
    },
    close() {
      flush();
      sink.end();
      fsyncSync(file);
      closeSync(file);
      renameSync(partial, path);
    },
    discard() {
      closeSync(file);
      rmSync(partial, { force: true });
    },
  };
}

interface Sink {
  put(lines: string[]): void;
  end(): void;
}

function lineSink(put: (bytes: Uint8Array | string) => void, zipped: boolean): Sink {
  return {
    put(lines) {
      const text = `${lines.join("\n")}\n`;
      put(zipped ? gzipSync(text) : text);
    },
    end() {},
  };
}

/** Columns and their types are those of the first rows; what does not fit them later is an error, not a guess. */
function parquetSink(path: string, put: (bytes: Uint8Array) => void): Sink {
  const bytes = new ByteWriter();
  let writer: ParquetWriter | undefined;
  let columns: Shape & { kind: "group" } = { kind: "group", fields: new Map() };
  const flush = () => {
    put(bytes.getBytes());
    bytes.index = 0; // its offsets go on
  };
  return {
    put(lines) {
      const rows = lines.map((line): Row => JSON.parse(line));
      if (!writer) {
        columns = rows.reduce<Shape>(
          (shape, row, i) => merge(shape, shapeOf(row), `row ${i}`, path),
          columns,
        ) as typeof columns;
        const schema = [...schemaOf("root", columns)];
        schema[0] = { name: "root", num_children: columns.fields.size };
        writer = new ParquetWriter({ writer: bytes, schema, codec: "SNAPPY", createdBy: "marco-mini" });
      } else for (const [i, row] of rows.entries()) fits(columns, shapeOf(row), `row ${i} of a later group`, path);
      const columnData = [...columns.fields.keys()].map((name) => ({
        name,
        data: rows.map((row) => row[name] ?? null),
      }));
      void writer.write({ columnData, rowGroupSize: rows.length });
      flush();
    },
    end() {
      writer ??= new ParquetWriter({ writer: bytes, schema: [{ name: "root", num_children: 0 }] });
      void writer.finish();
      flush();
    },
  };
}

/** What a JSON value is; null may become anything. */
type Shape =
  | { kind: "null" | "string" | "number" | "boolean" }
  | { kind: "list"; of: Shape }
  | { kind: "group"; fields: Map<string, Shape> };

function shapeOf(value: unknown): Shape {
  if (value === null || value === undefined) return { kind: "null" };
  if (Array.isArray(value))
    return { kind: "list", of: value.map(shapeOf).reduce((a, b) => merge(a, b, "a list", ""), { kind: "null" }) };
  if (typeof value === "object")
    return { kind: "group", fields: new Map(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)])) };
  return { kind: typeof value as "string" | "number" | "boolean" };
}

function merge(a: Shape, b: Shape, where: string, path: string): Shape {
  if (a.kind === "null") return b;
  if (b.kind === "null") return a;
  if (a.kind === "list" && b.kind === "list") return { kind: "list", of: merge(a.of, b.of, where, path) };
  if (a.kind === "group" && b.kind === "group") {
    const fields = new Map(a.fields);
    for (const [key, shape] of b.fields)
      fields.set(key, fields.has(key) ? merge(fields.get(key)!, shape, `${where}, ${key}`, path) : shape);
    return { kind: "group", fields };
  }
  if (a.kind !== b.kind) throw new UserError(`${path}: ${where}: ${b.kind} where rows before have ${a.kind}`);
  return a;
}

/** @throws UserError when merging `b` would change `a`. */
function fits(a: Shape, b: Shape, where: string, path: string) {
  if (b.kind === "null") return;
  if (a.kind !== b.kind) throw new UserError(`${path}: ${where}: ${b.kind} where the first rows have ${a.kind}`);
  if (a.kind === "list" && b.kind === "list") fits(a.of, b.of, where, path);
  if (a.kind === "group" && b.kind === "group")
    for (const [key, shape] of b.fields) {
      const known = a.fields.get(key);
      if (!known) throw new UserError(`${path}: ${where}: "${key}", which the first rows do not have`);
      fits(known, shape, `${where}, ${key}`, path);
    }
}

/** Everything may be null; numbers are doubles. */
function* schemaOf(name: string, shape: Shape): Generator<SchemaElement> {
  const repetition_type = "OPTIONAL" as const;
  switch (shape.kind) {
    case "list":
      yield { name, repetition_type, num_children: 1, converted_type: "LIST", logical_type: { type: "LIST" } };
      yield { name: "list", repetition_type: "REPEATED", num_children: 1 };
      yield* schemaOf("element", shape.of);
      return;
    case "group":
      yield { name, repetition_type, num_children: shape.fields.size };
      for (const [key, inner] of shape.fields) yield* schemaOf(key, inner);
      return;
    case "number":
      yield { name, repetition_type, type: "DOUBLE" };
      return;
    case "boolean":
      yield { name, repetition_type, type: "BOOLEAN" };
      return;
    default:
      yield { name, repetition_type, type: "BYTE_ARRAY", converted_type: "UTF8", logical_type: { type: "STRING" } };
  }
}
