/**
 * @file Event files, byte for byte as TensorBoard's own writer has them (test/fixtures/tensorboard), whatever a kill left
 * of the last record. MARCO_TENSORBOARD=python (one that has tensorboard) lets TensorBoard read a file that we wrote.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { UserError } from "../../src/util/assert.ts";
import { crc32c, maskedCrc32c } from "../../src/util/crc32c.ts";
import { openEventFile, tensorboardTags } from "../../src/util/tensorboard.ts";

const root = mkdtempSync(join(tmpdir(), "marco-tensorboard-"));
afterAll(() => rmSync(root, { recursive: true }));
let folders = 0;
const newFolder = () => join(root, String(folders++));
const fixture = (name: string) => readFileSync(join("test/fixtures/tensorboard", name));
const json = (name: string) => JSON.parse(fixture(name).toString());

/** A clock that says these seconds. */
const clock = (...seconds: number[]) => {
  let i = 0;
  return () => seconds[i++];
};

/** The calls that make.py makes of the real writer, in two runs. */
function writeGolden(folder: string) {
  const first = openEventFile(folder, clock(1000.25, 1000.5, 1001, 1002, 1003));
  first.scalars(0, { "eval/loss": 2.5 });
  first.scalars(1, { "train/loss": 1.5, "train/learning_rate": 1e-5, "train/grad_norm": Number.POSITIVE_INFINITY });
  first.scalars(2, { "train/loss": 0, "train/rewards/chosen": -0.125 });
  first.scalars(300, { "train/loss": 0.75, "train/längste": 3 });
  const second = openEventFile(folder, clock(1004, 1005));
  second.scalars(3, { "train/loss": 0.5 });
  second.scalars(20_000_000_000, { "train/loss": 0.25, "eval/loss": 1 });
  return second.path;
}

describe("CRC-32C", () => {
  test("has the values of RFC 3720, appendix B.4", () => {
    const of = (bytes: number[]) => crc32c(Uint8Array.from(bytes));
    expect(of(Array(32).fill(0))).toBe(0x8a9136aa);
    expect(of(Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(of(Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
    expect(of(Array.from({ length: 32 }, (_, i) => 31 - i))).toBe(0x113fdb5c);
    expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
  });

  test("is masked as TensorBoard masks it", () => {
    for (const { hex, crc32c: plain, masked } of json("crc.json")) {
      const bytes = Buffer.from(hex, "hex");
      expect([crc32c(bytes), maskedCrc32c(bytes)]).toEqual([plain, masked]);
    }
  });

  test("changes with any bit of any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), fc.nat(), fc.nat(7), (bytes, where, bit) => {
        const other = bytes.slice();
        other[where % bytes.length] ^= 1 << bit;
        expect(crc32c(other)).not.toBe(crc32c(bytes));
      }),
    );
  });
});

describe("an event file", () => {
  test("has the bytes that TensorBoard's own writer makes of the same points", () => {
    expect(readFileSync(writeGolden(newFolder())).equals(fixture("events.tfevents"))).toBe(true);
  });

  test("of a run that went on: TensorBoard shows each step once, with the later value", () => {
    // what TensorBoard read in that very file: step 300 is gone, steps 0 to 2 are there
    expect(json("scalars.json")).toEqual({
      "eval/loss": [
        [0, 2.5, 1000.5],
        [20_000_000_000, 1, 1005],
      ],
      "train/grad_norm": [[1, "inf", 1001]],
      "train/learning_rate": [[1, Math.fround(1e-5), 1001]],
      "train/loss": [
        [1, 1.5, 1001],
        [2, 0, 1002],
        [3, 0.5, 1004],
        [20_000_000_000, 0.25, 1005],
      ],
      "train/längste": [],
      "train/rewards/chosen": [[2, -0.125, 1002]],
    });
  });

  test("that a kill cut anywhere loses the last record at most, and goes on", () => {
    const whole = readFileSync(writeGolden(newFolder()));
    const ends: number[] = [];
    for (let at = 0; at < whole.length; ends.push(at)) at += 16 + Number(whole.readBigUint64LE(at));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: whole.length }), (length) => {
        const folder = newFolder();
        const path = writeGolden(folder);
        writeFileSync(path, whole.subarray(0, length));
        openEventFile(folder, clock(1000.25));
        const kept = Math.max(ends[0], ...ends.filter((end) => end <= length)); // a file without a record begins again
        expect(readFileSync(path).equals(whole.subarray(0, kept))).toBe(true);
        rmSync(folder, { recursive: true });
      }),
      { numRuns: 40 },
    );
  });

  test("with a byte changed is refused", () => {
    const folder = newFolder();
    const path = writeGolden(folder);
    const bytes = readFileSync(path);
    bytes[30] ^= 1;
    writeFileSync(path, bytes);
    expect(() => openEventFile(folder)).toThrow(UserError);
    expect(() => openEventFile(folder)).toThrow(/is damaged at byte 12; remove it, or choose another folder$/);
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  test("is one that TensorBoard finds, by its name", () => {
    const folder = newFolder();
    openEventFile(folder);
    expect(readdirSync(folder)).toEqual([expect.stringMatching(/tfevents/)]);
  });

  test.skipIf(!process.env.MARCO_TENSORBOARD)("is read by TensorBoard itself", () => {
    const path = writeGolden(newFolder());
    const read = execFileSync(process.env.MARCO_TENSORBOARD!, ["test/fixtures/tensorboard/make.py", path], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    expect(JSON.parse(read)).toEqual(json("scalars.json"));
  });
});

test("metrics have the tags of Hugging Face's TensorBoardCallback", () => {
  expect(
    tensorboardTags({ loss: 1, learning_rate: 2, "rewards/chosen": 3, eval_loss: 4, "eval_rewards/margins": 5 }),
  ).toEqual({
    "train/loss": 1,
    "train/learning_rate": 2,
    "train/rewards/chosen": 3,
    "eval/loss": 4,
    "eval/rewards/margins": 5,
  });
});
