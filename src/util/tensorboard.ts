/**
 * @file Scalars as TensorBoard reads them: event files, which are TFRecords (length, its CRC, data, its CRC) of the
 * protobuf `Event`, of which we need six fields (tensorboard/compat/proto/event.proto and summary.proto). Files are
 * appended to only; a run that goes on says from which step (`SessionLog.START`), and TensorBoard drops what was there
 * from that step on.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "./assert.ts";
import { maskedCrc32c } from "./crc32c.ts";

/** One file of a run. TensorBoard wants "tfevents" in the name; ours holds no time and no host, so it is found again. */
const NAME = "events.out.tfevents.0.marco-mini";

// protobuf: a field is its number and wire type, then its value
const varint = (n: number): number[] => (n < 128 ? [n] : [(n % 128) + 128, ...varint(Math.floor(n / 128))]);
const field = (number: number, wireType: number, value: Iterable<number>) => [(number << 3) | wireType, ...value];
const bytes = (number: number, value: ArrayLike<number>) =>
  field(number, 2, [...varint(value.length), ...Array.from(value)]);
const text = (number: number, value: string) => bytes(number, new TextEncoder().encode(value));
const double = (number: number, value: number) => field(number, 1, new Uint8Array(Float64Array.of(value).buffer));
const float = (number: number, value: number) => field(number, 5, new Uint8Array(Float32Array.of(value).buffer));

/** Event { wall_time = 1, step = 2, what }; proto3 leaves out a step of 0. */
const event = (wallTime: number, step: number, what: number[]) =>
  Uint8Array.from([...double(1, wallTime), ...(step > 0 ? field(2, 0, varint(step)) : []), ...what]);
const fileVersion = text(3, "brain.Event:2");
/** Summary { value = 1: { tag = 1, simple_value = 2 } } */
const summary = (values: Record<string, number>) =>
  bytes(
    5,
    Object.entries(values).flatMap(([tag, value]) => bytes(1, [...text(1, tag), ...float(2, value)])),
  );
/** SessionLog { status = 1: START = 1 } */
const sessionStart = bytes(7, field(1, 0, [1]));

function record(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(16 + data.length);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(out.subarray(0, 8)), true);
  out.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return out;
}

export interface EventFile {
  path: string;
  /** Adds points at a step, by tag: see {@link tensorboardTags}. */
  scalars(step: number, values: Record<string, number>): void;
}

/**
 * The event file of a folder, to add to. Where there is one already, the first step that is added takes the place of
 * the points from it on. `now` is the clock, in seconds.
 * @throws UserError when the file that is there is damaged
 */
export function openEventFile(folder: string, now = () => Date.now() / 1000): EventFile {
  const path = join(folder, NAME);
  let goesOn = existsSync(path);
  if (goesOn) {
    const end = endOfRecords(readFileSync(path), path);
    truncateSync(path, end); // what a kill left of the last record
    goesOn = end > 0;
  }
  if (!goesOn) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, record(event(now(), 0, fileVersion)));
  }
  return {
    path,
    scalars(step, values) {
      const time = now();
      if (goesOn) appendFileSync(path, record(event(time, step, sessionStart)));
      goesOn = false;
      appendFileSync(path, record(event(time, step, summary(values))));
    },
  };
}

/** Where the last whole record ends. */
function endOfRecords(file: Uint8Array, path: string): number {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const check = (from: number, to: number) => {
    if (view.getUint32(to, true) !== maskedCrc32c(file.subarray(from, to)))
      throw new UserError(`${path}: is damaged at byte ${from}; remove it, or choose another folder`);
  };
  for (let at = 0; ; ) {
    if (at + 12 > file.length) return at;
    check(at, at + 8);
    const end = at + 12 + Number(view.getBigUint64(at, true)) + 4;
    if (end > file.length) return at;
    check(at + 12, end - 4);
    at = end;
  }
}

/**
 * Metrics under the tags of Hugging Face's TensorBoardCallback (`rewrite_logs` in transformers'
 * integrations/integration_utils.py): `loss` is `train/loss`, `rewards/chosen` is `train/rewards/chosen`, `eval_loss` is
 * `eval/loss`.
 */
export const tensorboardTags = (metrics: Record<string, number>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(metrics).map(([name, value]) => [
      name.startsWith("eval_") ? `eval/${name.slice("eval_".length)}` : `train/${name}`,
      value,
    ]),
  );
