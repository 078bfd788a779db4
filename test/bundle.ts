/**
 * @file A program of ours as one file, for tests that start it often: it starts in a third of the time that tsx needs.
 */
import { rmSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { build } from "esbuild";
import { afterAll } from "vitest";

/** Packages with binaries or WebAssembly, which they look for beside themselves; they are imported as ever. */
const WITH_FILES = ["onnxruntime-node", "gpu.js", "webgpu", "tiktoken", "cld3-asm", "fasttext.wasm.js"];

/** Bundles the program with what it imports, and returns the path of what `node` runs. */
export async function bundle(entry: string): Promise<string> {
  // two folders below the root, as the modules of src are that look for the root's files beside them
  const folder = resolve("node_modules", `.bundle-${process.pid}`);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  await build({
    entryPoints: [entry],
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true, // what is imported when it is needed stays apart
    platform: "node",
    format: "esm",
    alias: { "marco-mini": resolve("src/index.ts") },
    external: [...WITH_FILES, "tiktoken/*", "@tensorflow/tfjs-backend-w*"],
    banner: { js: "import { createRequire as make } from 'node:module'; const require = make(import.meta.url);" },
  });
  return join(folder, basename(entry).replace(/\.ts$/, ".mjs"));
}
