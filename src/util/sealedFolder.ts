/**
 * @file Folders that are there whole or not at all: written beside their place with the SHA-256 of every file, flushed
 * to the disk, then renamed. `SHA256SUMS` is as coreutils writes it, so `sha256sum -c SHA256SUMS` checks it too. A folder
 * in which one byte, or the list of its files, is not what was written is refused, never read.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, sep } from "node:path";
import { UserError } from "./assert.ts";
import { hashFile } from "./hashFile.ts";

const SUMS = "SHA256SUMS";

/** Every file below a folder but the sums, sorted. */
function filesIn(folder: string): string[] {
  return (readdirSync(folder, { recursive: true }) as string[])
    .filter((name) => name !== SUMS && !lstatSync(join(folder, name)).isDirectory())
    .map((name) => name.split(sep).join("/"))
    .sort();
}

const sumOf = (folder: string, name: string) => hashFile(createHash("sha256"), join(folder, name)).digest("hex");

/** Waits until a file, or the names in a folder, are on the disk. Windows flushes no folders. */
export function flushToDisk(path: string, isFolder = false) {
  if (isFolder && process.platform === "win32") return;
  const file = openSync(path, isFolder ? "r" : "r+");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * Makes the folder `path` of what `write` puts into the folder that it is given; what was there before is replaced.
 * After a failure nothing is left behind, and what was there is untouched.
 */
export async function writeSealed(path: string, write: (folder: string) => Promise<void>) {
  const partial = `${path}.partial`;
  try {
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    await write(partial);
    const names = filesIn(partial);
    writeFileSync(join(partial, SUMS), names.map((name) => `${sumOf(partial, name)}  ${name}\n`).join(""));
    for (const name of [...names, SUMS]) flushToDisk(join(partial, name));
    const folders = new Set([...names, SUMS].map((name) => dirname(join(partial, name))));
    for (const folder of folders) flushToDisk(folder, true);
    if (existsSync(path)) removeSealed(path);
    renameSync(partial, path);
    flushToDisk(dirname(path), true);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw error;
  }
}

/** Removes the folder: first its name, so that half of it is never seen under it. */
export function removeSealed(path: string) {
  renameSync(path, `${path}.removed`);
  rmSync(`${path}.removed`, { recursive: true });
}

/** Removes the folders in `folder` that {@link writeSealed} and {@link removeSealed} leave when they are killed. */
export function removeUnfinished(folder: string) {
  const entries = existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : [];
  for (const entry of entries)
    if (entry.isDirectory() && /\.(partial|removed)$/.test(entry.name))
      rmSync(join(folder, entry.name), { recursive: true });
}

/** @throws UserError that names the file when the folder is not exactly what {@link writeSealed} wrote */
export function checkSealed(path: string) {
  const sums = join(path, SUMS);
  if (!existsSync(sums))
    throw new UserError(
      existsSync(path)
        ? `${path}: ${SUMS} is missing, so nothing says that it is whole; copy the whole folder again`
        : `${path}: is missing (ENOENT); expected a folder with ${SUMS}`,
    );
  const expected = new Map<string, string>();
  for (const line of readFileSync(sums, "utf8").split(/(?<=\n)/)) {
    const [, sum, name] = /^([0-9a-f]{64}) {2}([^\n]+)\n$/.exec(line) ?? [];
    if (name === undefined || expected.has(name))
      throw new UserError(`${sums}: is damaged: line ${expected.size + 1} is no checksum of a file; copy it again`);
    expected.set(name, sum);
  }
  const there = filesIn(path);
  for (const name of expected.keys())
    if (!there.includes(name))
      throw new UserError(`${join(path, name)}: is missing (ENOENT), and ${SUMS} has it; copy it again`);
  for (const name of there) {
    const file = join(path, name);
    if (!expected.has(name))
      throw new UserError(`${file}: is not in ${SUMS}: it was not saved with the others; remove it`);
    const sum = sumOf(path, name);
    if (sum !== expected.get(name))
      throw new UserError(`${file}: is damaged: sha256 ${sum}, expected ${expected.get(name)}; copy it again`);
  }
}
