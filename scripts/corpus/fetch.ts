/**
 * Fetches npm packages by exact name and version with `npm pack`, verifies their integrity against the committed
 * hashes of packages.json, and unpacks the wanted files into the cache.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { UserError } from "../../src/util/assert.ts";

const CACHE = fileURLToPath(new URL("../../.cache/corpus", import.meta.url));
const PACKAGES: Record<string, { version: string; integrity: string }> = JSON.parse(
  readFileSync(new URL("packages.json", import.meta.url), "utf8"),
);

export const packageVersion = (name: string): string => PACKAGES[name].version;

/**
 * The folder with the files of package `name` that match `files` (package.json and licences always come along). `from`: a
 * folder in which `npm pack` has put the package, for machines without a network.
 * @throws UserError when it is not there and cannot be fetched
 */
export function fetchPackage(name: string, files: RegExp, from?: string): string {
  const { version, integrity } = PACKAGES[name];
  const stem = `${name.replace("@", "").replace("/", "-")}-${version}`;
  const folder = join(CACHE, "files", stem);
  const stamp = join(folder, ".unpacked");
  const wanted = `${integrity} ${files}`;
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return folder;
  const tarball = from ? readFrom(from, stem) : download(name, version, stem);
  const hash = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
  if (hash !== integrity)
    throw new UserError(
      `${name}@${version}: got ${hash}, expected ${integrity}; delete ${from ?? CACHE} and fetch again`,
    );
  rmSync(folder, { recursive: true, force: true });
  for (const [path, content] of readTar(gunzipSync(tarball))) {
    const inside = path.slice(path.indexOf("/") + 1);
    if (!files.test(inside) && !/^(package\.json|licen[cs]e\S*|notice\S*)$/i.test(inside)) continue;
    if (inside.split("/").includes("..")) throw new Error(`${name}: unsafe path ${path}`);
    mkdirSync(dirname(join(folder, inside)), { recursive: true });
    writeFileSync(join(folder, inside), content);
  }
  writeFileSync(stamp, wanted);
  return folder;
}

function readFrom(folder: string, stem: string): Buffer {
  try {
    return readFileSync(join(folder, `${stem}.tgz`));
  } catch {
    throw new UserError(`${join(folder, `${stem}.tgz`)}: cannot be read; expected the file that npm pack writes`);
  }
}

function download(name: string, version: string, stem: string): Buffer {
  const tarball = join(CACHE, "tgz", `${stem}.tgz`);
  if (!existsSync(tarball)) {
    const partial = join(CACHE, "partial");
    mkdirSync(partial, { recursive: true });
    mkdirSync(dirname(tarball), { recursive: true });
    try {
      execFileSync("npm", ["pack", "--silent", `${name}@${version}`], { cwd: partial, stdio: "pipe" });
    } catch {
      throw new UserError(
        `npm pack ${name}@${version} failed; expected a network: run it where there is one, and give its folder`,
      );
    }
    renameSync(join(partial, `${stem}.tgz`), tarball);
  }
  return readFileSync(tarball);
}

/** The regular files of a tar archive (ustar, with pax and GNU long names). */
function* readTar(tar: Buffer): Generator<[path: string, content: Buffer]> {
  const field = (start: number, length: number) => tar.toString("utf8", start, start + length).split("\0")[0];
  let longName = "";
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const size = Number.parseInt(field(at + 124, 12).trim() || "0", 8);
    const type = field(at + 156, 1);
    const content = tar.subarray(at + 512, at + 512 + size);
    const prefix = field(at + 257, 5) === "ustar" ? field(at + 345, 155) : "";
    if (type === "x") longName = /^\d+ path=(.*)$/m.exec(content.toString("utf8"))?.[1] ?? "";
    else if (type === "L") longName = content.toString("utf8").split("\0")[0];
    else {
      if (type === "0" || type === "") yield [longName || (prefix ? `${prefix}/` : "") + field(at, 100), content];
      longName = "";
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
}
