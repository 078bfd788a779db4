/**
 * @file The shape of the source: which folder may import which, no cycles, short files, nothing of one machine in the
 * repository, and dependencies that install anywhere.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";

/** Each folder of src and those that it may import, besides itself. */
const MAY_IMPORT: Record<string, string[]> = {
  util: [],
  engine: ["util"],
  ops: ["util", "engine"],
  losses: ["util"], // float64 on plain arrays: for people's own tests, without an engine
  model: ["util", "engine", "ops"],
  tokenizer: ["util"],
  data: ["util", "tokenizer"],
  train: ["util", "losses", "engine", "ops", "model", "tokenizer", "data"], // never eval
  eval: ["util", "engine", "ops", "model", "tokenizer", "data"], // never train
  testing: ["util", "losses"], // what others install: no engine, no model
  report: ["util"], // it reads files
  cli: ["util", "losses", "engine", "ops", "model", "tokenizer", "data", "train", "eval", "report", "testing"],
};

const MAX_LINES = 350;
/** Files that are longer, and why they are not split. */
const LONG: Record<string, string> = {
  "src/report/charts.ts": "every chart of the report in one place: they share scales, colours and labels",
  "src/report/tables.ts":
    "every table of the report in one place: the terminal's summary and the page's use the same rows",
};

const files = (readdirSync("src", { recursive: true }) as string[])
  .filter((name) => name.endsWith(".ts"))
  .map((name) => join("src", name).split(sep).join("/"));

interface Import {
  from: string;
  to: string;
  /** Still there when the types are gone. */
  atRunTime: boolean;
}

/** Every import of a file of the repository, static, re-exported or dynamic. */
function importsOf(file: string): Import[] {
  const found: Import[] = [];
  const add = (specifier: ts.Node | undefined, atRunTime: boolean) => {
    if (!specifier || !ts.isStringLiteral(specifier) || !specifier.text.startsWith(".")) return;
    found.push({
      from: file,
      to: relative(".", join(dirname(file), specifier.text))
        .split(sep)
        .join("/"),
      atRunTime,
    });
  };
  const visit = (node: ts.Node) => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, !node.importClause?.isTypeOnly);
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, !node.isTypeOnly);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], true);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.ES2022));
  return found;
}

const imports = files.flatMap(importsOf);
const folderOf = (file: string) => file.split("/")[1];

describe("imports", () => {
  test("are found, and lead to files that exist", () => {
    expect(imports.length).toBeGreaterThan(150);
    expect(imports.filter(({ to }) => !existsSync(to))).toEqual([]);
  });

  test("every folder of src has its rule", () => {
    const folders = new Set(files.filter((file) => file.split("/").length > 2).map(folderOf));
    expect([...folders].sort()).toEqual(Object.keys(MAY_IMPORT).sort());
  });

  test("point one way", () => {
    const wrong = imports.filter(({ from, to }) => {
      if (from === "src/index.ts") return false; // the public face may name everything
      if (!to.startsWith("src/")) return folderOf(from) !== "cli"; // the command runs the example
      return folderOf(to) !== folderOf(from) && !MAY_IMPORT[folderOf(from)].includes(folderOf(to));
    });
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });

  test("make no cycle when the program runs", () => {
    const next = new Map(files.map((file) => [file, [] as string[]]));
    for (const { from, to, atRunTime } of imports) if (atRunTime) next.get(from)!.push(to);
    const finished = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, path: string[]) => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
      else if (!finished.has(file)) for (const to of next.get(file) ?? []) visit(to, [...path, file]);
      finished.add(file);
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });
});

test(`no file of src is longer than ${MAX_LINES} lines without a reason`, () => {
  const long = files.filter((file) => readFileSync(file, "utf8").split("\n").length - 1 > MAX_LINES);
  expect(long.sort()).toEqual(Object.keys(LONG).sort());
});

describe("the repository", () => {
  /** Written so that this file does not match them itself. */
  const FORBIDDEN = {
    "a package registry's host": /(?:\bregistry\.[\w-]+\.\w{2,}|\bpypi\.[a-z]{2,}|\bpythonhosted\.[a-z]{2,})/i,
    "a path of one machine": /(?<![\w.~})-])\/(?:home|Users|root|work|tmp|mnt)\/[\w.-]+|\b[A-Z]:\\Users\\/,
  };

  test("says nothing of one machine or registry in any text file", ({ skip }) => {
    if (!existsSync(".git")) skip("not a git checkout");
    const tracked = execFileSync("git", ["ls-files", "-z"], { encoding: "utf8" }).split("\0").filter(existsSync);
    expect(tracked.length).toBeGreaterThan(100);
    const found = tracked.flatMap((file) => {
      const text = readFileSync(file, "utf8");
      if (text.includes("\0")) return []; // not text
      return Object.entries(FORBIDDEN).flatMap(([what, pattern]) => {
        const match = pattern.exec(text);
        return match ? [`${file}: ${what}: ${match[0]}`] : [];
      });
    });
    expect(found).toEqual([]);
  });

  test("those patterns find what they are for", () => {
    const slash = "/";
    expect(FORBIDDEN["a path of one machine"].test(`see ${slash}home/someone/x`)).toBe(true);
    expect(FORBIDDEN["a path of one machine"].test(`"${slash}tmp/x.json"`)).toBe(true);
    expect(FORBIDDEN["a path of one machine"].test("https://example.org/work/main")).toBe(false);
    expect(FORBIDDEN["a package registry's host"].test(["registry", "example", "org"].join("."))).toBe(true);
    expect(FORBIDDEN["a package registry's host"].test(["https://py", "pi.org/simple"].join(""))).toBe(true);
    expect(FORBIDDEN["a package registry's host"].test("the npm registry. It")).toBe(false);
  });
});

describe("dependencies", () => {
  const manifest = JSON.parse(readFileSync("package.json", "utf8"));

  test("install without downloading libtensorflow", () => {
    const installed = { ...manifest.dependencies, ...manifest.optionalDependencies };
    expect(Object.keys(installed).filter((name) => /^@tensorflow\/tfjs-node(-gpu)?$/.test(name))).toEqual([]);
  });

  test("are pinned exactly, for the same results everywhere (and onnxruntime-node for its private binding)", () => {
    const ranges = Object.entries<string>({ ...manifest.dependencies, ...manifest.devDependencies })
      .filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
      .map(([name, version]) => `${name} ${version}`);
    expect(ranges).toEqual([]);
    expect(manifest.dependencies["gpu.js"]).toBeDefined();
  });

  test("are locked without the address that they came from", () => {
    expect(readFileSync("package-lock.json", "utf8")).not.toContain('"resolved"');
  });
});
