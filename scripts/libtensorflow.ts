/**
 * @file Builds the engine `tensorflow` (or `cuda`) where the install script of @tensorflow/tfjs-node cannot download
 * libtensorflow: the library and its headers come from TensorFlow's Python wheel, the package from npm, and the binding
 * is compiled here from the package's own source.
 *
 *     npm run libtensorflow                  the engine tensorflow
 *     npm run libtensorflow -- --gpu         the engine cuda
 *
 * All of it lives in .libtensorflow/, ignored by git, and node_modules has a link to it, which `npm ci` removes: run this
 * again, what is there is kept. tfjs-node must use our copy of tfjs-core, so its own is removed.
 */
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs-core";
import { Command } from "commander";
import { main, parse } from "../src/cli/options.ts";
import { startEngine } from "../src/engine/engine.ts";
import { UserError } from "../src/util/assert.ts";

/** tfjs-node 4.22 asks for 2.9.1, whose wheel has no C API without Python; from 2.12 on it is a library of its own. */
const TENSORFLOW = "2.15.1";
const PACKAGES = { "node-api-headers": "1.5.0" };
const TFJS = "4.22.0";
const LIBRARIES = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"];

/** Copies the libraries and the headers of the C API out of a wheel. */
const EXTRACT = `
import re, sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
wanted = r"tensorflow/(libtensorflow_(cc|framework)\\.so\\.2|include/(tensorflow|tsl)/(c/|(core/)?platform/ctstring).*\\.h)$"
wheel.extractall(sys.argv[2], [name for name in wheel.namelist() if re.match(wanted, name)])
`;

const root = fileURLToPath(new URL("..", import.meta.url));

function run(what: string, command: string, args: string[], remedy: string) {
  console.error(`${what} ...`);
  const { status, error } = spawnSync(command, args, { stdio: ["ignore", 2, 2] });
  if (error)
    throw new UserError(`${what}: cannot run ${command} (${(error as NodeJS.ErrnoException).code}); ${remedy}`);
  if (status !== 0) throw new UserError(`${what}: ${command} failed with exit code ${status}, see above; ${remedy}`);
}

/** Libraries and headers -> FOLDER/tensorflow. */
function unpackWheel(folder: string, gpu: boolean, given: string | undefined) {
  if (existsSync(join(folder, "tensorflow"))) return;
  const [name, part] = [gpu ? "tensorflow" : "tensorflow-cpu", join(folder, "part")];
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part);
  let wheel = given;
  if (wheel === undefined) {
    const how = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--python-version", "3.11"];
    const size = gpu ? 475 : 207;
    run(
      `download ${name} ${TENSORFLOW} (${size} MB)`,
      "python3",
      [...how, "--dest", part, `${name}==${TENSORFLOW}`],
      "it needs Python's pip and a package index; --wheel takes a file downloaded elsewhere",
    );
    wheel = join(part, readdirSync(part).find((file) => file.endsWith(".whl"))!);
  }
  run("unpack the C API", "python3", ["-c", EXTRACT, wheel, part], `expected a wheel of ${name} ${TENSORFLOW}`);
  const missing = LIBRARIES.filter((library) => !existsSync(join(part, "tensorflow", library)));
  if (missing.length > 0) throw new UserError(`${wheel}: has no ${missing.join(", ")}; expected ${name} ${TENSORFLOW}`);
  renameSync(join(part, "tensorflow"), join(folder, "tensorflow"));
  rmSync(part, { recursive: true });
}

/** The package without its install script -> FOLDER/node_modules. */
function installPackage(folder: string, name: string) {
  if (existsSync(join(folder, "node_modules", name))) return;
  const manifest = { private: true, dependencies: { [name]: TFJS, ...PACKAGES } };
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  const how = ["install", "--prefix", folder, "--ignore-scripts", "--no-package-lock", "--loglevel", "error"];
  run(`install ${name} ${TFJS}`, "npm", how, "it needs the npm registry");
}

function compileBinding(folder: string, name: string) {
  const home = join(folder, "node_modules", name);
  const binding = join(home, "lib", "napi-v8", "tfjs_binding.node"); // the newest Node-API that 4.22 looks for
  if (existsSync(binding)) return;
  mkdirSync(dirname(binding), { recursive: true });
  const library = join(folder, "tensorflow");
  const headers = [join(folder, "node_modules", "node-api-headers", "include"), join(library, "include"), home];
  const sources = readdirSync(join(home, "binding")).filter((file) => file.endsWith(".cc"));
  run(
    "compile the binding",
    "g++",
    [
      ...["-O2", "-std=c++17", "-fPIC", "-shared", "-DNAPI_VERSION=8", "-o", binding],
      ...headers.flatMap((path) => ["-I", path]),
      ...sources.map((file) => join(home, "binding", file)),
      ...["-L", library, ...LIBRARIES.map((file) => `-l:${file}`)],
      `-Wl,-rpath,$ORIGIN/${relative(dirname(binding), library)}`,
    ],
    "it needs g++",
  );
}

function link(folder: string, name: string) {
  const at = join(root, "node_modules", name);
  const old = lstatSync(at, { throwIfNoEntry: false });
  if (old && !old.isSymbolicLink())
    throw new UserError(`${at}: npm installed it; remove it first: npm uninstall ${name}`);
  rmSync(at, { force: true });
  mkdirSync(dirname(at), { recursive: true });
  symlinkSync(relative(dirname(at), join(folder, "node_modules", name)), at);
}

await main(async () => {
  const command = new Command("libtensorflow")
    .description(
      `Builds the engine tensorflow from TensorFlow ${TENSORFLOW}'s wheel and @tensorflow/tfjs-node ${TFJS}. Needs Linux\n` +
        "on x86-64, python3 with pip, g++ and 1.5 GB of disk.",
    )
    .option("--gpu", "the engine cuda; to run it needs an NVIDIA GPU, CUDA 12.2 and cuDNN 8.9")
    .option("--wheel <file>", "the wheel, downloaded elsewhere");
  const { gpu = false, wheel } = parse<{ gpu?: boolean; wheel?: string }>(command, process.argv);
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new UserError(
      `${process.platform} ${process.arch}: expected linux x64; elsewhere npm install @tensorflow/tfjs-node`,
    );
  if (wheel !== undefined && !existsSync(wheel)) throw new UserError(`--wheel ${wheel}: no such file`);
  const name = gpu ? "@tensorflow/tfjs-node-gpu" : "@tensorflow/tfjs-node";
  const folder = join(root, ".libtensorflow", gpu ? "gpu" : "cpu");
  mkdirSync(folder, { recursive: true });
  unpackWheel(folder, gpu, wheel);
  installPackage(folder, name);
  for (const ours of ["tfjs-core", "tfjs-backend-cpu"])
    rmSync(join(folder, "node_modules", "@tensorflow", ours), { recursive: true, force: true });
  compileBinding(folder, name);
  link(folder, name);

  const engine = await startEngine(gpu ? "cuda" : "tensorflow");
  const product = tf.tidy(() => tf.matMul(tf.tensor2d([[1, 2, 3]]), tf.tensor2d([[4], [5], [6]])).dataSync()[0]);
  if (product !== 32) throw new Error(`engine ${engine.name}: 1·4 + 2·5 + 3·6 is ${product}`);
  console.log(`engine ${engine.name} works: TensorFlow ${TENSORFLOW} under ${name} ${TFJS}`);
});
