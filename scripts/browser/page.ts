/**
 * @file Bundles examples/browser with esbuild and serves it on localhost, which browsers trust with WebGPU.
 */
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import type { Report } from "../../examples/browser/train.ts";
import { UserError } from "../../src/util/assert.ts";

const root = new URL("../..", import.meta.url);
const pathOf = (name: string) => fileURLToPath(new URL(name, root));

/** What the engines of Node import: empty in a browser, where those engines do not start. */
const nodeOnly: Plugin = {
  name: "node-only",
  setup(build) {
    build.onResolve(
      { filter: /^(node:|(onnxruntime-node|webgpu|@tensorflow\/tfjs-node(-gpu)?)(\/|$))/ },
      ({ path }) => ({
        path,
        namespace: "node-only",
      }),
    );
    build.onLoad({ filter: /.*/, namespace: "node-only" }, () => ({ contents: "module.exports = {}" }));
  },
};

/** The files of the page by their address. */
async function bundle(): Promise<Map<string, Uint8Array>> {
  const { outputFiles } = await build({
    entryPoints: [pathOf("examples/browser/train.ts")],
    outdir: "/",
    write: false,
    bundle: true,
    splitting: true, // engines are loaded when they are started
    format: "esm",
    platform: "browser",
    minify: true,
    keepNames: true,
    logLevel: "error",
    plugins: [nodeOnly],
  });
  return new Map([
    ["/", readFileSync(pathOf("examples/browser/index.html"))],
    ...outputFiles.map(({ path, contents }): [string, Uint8Array] => [`/${basename(path)}`, contents]),
    ...["", "-simd", "-threaded-simd"].map((kind): [string, Uint8Array] => {
      const name = `tfjs-backend-wasm${kind}.wasm`;
      return [`/${name}`, readFileSync(pathOf(`node_modules/@tensorflow/tfjs-backend-wasm/dist/${name}`))];
    }),
  ]);
}

const TYPES: Record<string, string> = { js: "text/javascript", wasm: "application/wasm" };

/** Serves the page until `close`; port 0 is any free one. `onReport` gets what the page posts. */
export async function servePage(port: number, onReport: (report: Report) => void = () => {}) {
  const files = await bundle();
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url!, "http://localhost");
    const contents = files.get(pathname);
    if (request.method === "POST" && pathname === "/report") {
      onReport(JSON.parse(await text(request)));
      response.end();
    } else if (contents) {
      response.setHeader("content-type", TYPES[pathname.split(".").pop()!] ?? "text/html; charset=utf-8");
      response.end(contents);
    } else {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "EADDRINUSE" ? new UserError(`--port ${port}: in use; choose another, or 0 for any`) : error,
      ),
    );
    server.listen(port, "localhost", resolve);
  });
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://localhost:${(server.address() as AddressInfo).port}/`, close };
}

async function text(request: IncomingMessage): Promise<string> {
  let all = "";
  for await (const part of request.setEncoding("utf8")) all += part;
  return all;
}
