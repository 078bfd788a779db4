/** @file What the optional engines say when a part of them is missing. Each message says what to do. */
import { describe, expect, test } from "vitest";
import { type Machine, startTensorflow } from "../../src/engine/tensorflow.ts";

/** A machine on which all is there until the package is loaded, which fails as Node fails. */
const machine = (parts: Partial<Machine>): Machine => ({
  hasNvidia: () => true,
  hasIsNullOrUndefined: () => true,
  resolve: (name) => name,
  load: async () => {},
  ...parts,
});
const failing = (message: string) => ({ load: () => Promise.reject(new Error(message)) });
const said = (name: Parameters<typeof startTensorflow>[0], parts: Partial<Machine>) =>
  startTensorflow(name, machine(parts)).then(
    () => "it started",
    (error: Error) => error.message,
  );
const absent = {
  resolve: (name: string): string => {
    throw new Error(`Cannot find module '${name}'`);
  },
};

describe("engine cuda", () => {
  const name = "@tensorflow/tfjs-node-gpu";

  test("no GPU: nothing is looked for or loaded", async () => {
    expect(await said(name, { hasNvidia: () => false, ...absent })).toBe("no NVIDIA GPU on this machine");
  });

  test("the package is absent: both ways to get it", async () => {
    expect(await said(name, absent)).toBe(
      `${name} is not installed: npm install ${name}@4.22.0, or npm run libtensorflow -- --gpu where that cannot download`,
    );
  });

  test("a CUDA library is absent: which", async () => {
    const error = "libcudnn.so.8: cannot open shared object file: No such file or directory";
    expect(await said(name, failing(error))).toMatch(
      /^the CUDA library libcudnn\.so\.8 is not found: .*LD_LIBRARY_PATH/,
    );
  });
});

describe("engine tensorflow", () => {
  const name = "@tensorflow/tfjs-node";

  test("needs no GPU; the package is absent: both ways to get it", async () => {
    expect(await said(name, { hasNvidia: () => false, ...absent })).toBe(
      `${name} is not installed: npm install ${name}@4.22.0, or npm run libtensorflow where that cannot download`,
    );
  });

  test("a Node without what the package calls: which Node to use", async () => {
    expect(await said(name, { hasIsNullOrUndefined: () => false })).toBe(
      `Node ${process.versions.node} is too new for ${name} 4.22.0 (it calls util.isNullOrUndefined): use Node 20 or 22`,
    );
  });

  test("the binding is not built: the command that builds it", async () => {
    // the first line of what tfjs-node 4.22 throws
    const error = "The Node.js native addon module (tfjs_binding.node) can not be found at path: x.node. \nPlease run";
    expect(await said(name, failing(error))).toBe(
      `${name} is installed but its binding is not built: npm run libtensorflow`,
    );
  });

  test("libtensorflow is not beside the binding: which library, and the command", async () => {
    const error = "libtensorflow.so.2: cannot open shared object file: No such file or directory";
    expect(await said(name, failing(error))).toBe(
      `the shared library libtensorflow.so.2 of ${name} is not found: npm run libtensorflow`,
    );
  });

  test("anything else is passed on, in one line", async () => {
    expect(await said(name, failing("wrong ELF class\nat x"))).toBe(`${name} cannot be loaded: wrong ELF class`);
  });
});
