/**
 * @file `npm run check:0.5b`: a checkpoint of Qwen2-0.5B's real shape (494 M random parameters, bfloat16, 1 GB) is
 * written, loaded, and generates a token, each in a process of its own, with time and peak memory; where a Python with
 * transformers is named, transformers loads the same directory and its logits are compared.
 *
 *     npm run check:0.5b
 *     npm run check:0.5b -- --python .venv/bin/python --directory somewhere --keep
 *
 * Needs 1 GB of disk and 6 GB of free memory. Linux only (peak memory is read from /proc).
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs-core";
import { Command } from "commander";
import { main, parse } from "../src/cli/options.ts";
import { startEngine } from "../src/engine/engine.ts";
import { loadModel, writeConfig } from "../src/model/checkpoint.ts";
import { makeGenerator } from "../src/model/generate.ts";
import { countParameters, parameterShapes } from "../src/model/init.ts";
import { decoder, logits } from "../src/model/qwen2.ts";
import { SafetensorsFile } from "../src/model/safetensors.ts";
import { saveWeights } from "../src/model/shards.ts";
import { QWEN2_SIZES } from "../src/model/sizes.ts";
import { causalMask } from "../src/ops/attention.ts";
import { UserError } from "../src/util/assert.ts";

const CONFIG = QWEN2_SIZES["0.5b"];
const PROMPT = [9707, 1879, 11, 220, 17, 15, 17, 21]; // any ids; the weights are random
const TOLERANCE = 1e-4;

/** A number of Linux' /proc/self/status in bytes: the highest resident memory of this process. */
const peakBytes = () => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))![1]) * 1024;

/** Uniform numbers with the spread that Qwen2 is initialised with; norms around 1. One tensor is in memory at a time. */
function randomValues(name: string, shape: number[]): Float32Array {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = new Float32Array(size);
  const width = CONFIG.initializerRange * Math.sqrt(12); // of a uniform distribution with that standard deviation
  const around = name.includes("norm") ? 1 : 0;
  let state = 0x811c9dc5;
  for (const byte of Buffer.from(name)) state = Math.imul(state ^ byte, 0x01000193);
  for (let i = 0; i < size; i++) {
    state = (state + 0x6d2b79f5) | 0; // mulberry32
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    values[i] = around + width * (((x ^ (x >>> 14)) >>> 0) / 2 ** 32 - 0.5);
  }
  return values;
}

/** What a process of its own does and prints as JSON. */
const STEPS: Record<string, (directory: string) => Promise<object>> = {
  async write(directory) {
    const shapes = parameterShapes(CONFIG);
    await saveWeights(directory, shapes, (name) => randomValues(name, shapes[name]), "BF16", 50e9);
    writeConfig(directory, CONFIG, 151_643, "bfloat16");
    return {};
  },
  async load(directory) {
    await startEngine("onnx");
    const before = peakBytes();
    const { parameters } = loadModel(directory);
    const names = Object.keys(parameters);
    return { before, tensors: names.length, parameters: names.reduce((sum, name) => sum + parameters[name].size, 0) };
  },
  async generate(directory) {
    const { name } = await startEngine("onnx");
    const { parameters, config } = loadModel(directory);
    const loaded = performance.now();
    const [{ ids }] = await makeGenerator(config, 64, 151_643)(parameters, [PROMPT], { maxNewTokens: 1 });
    const secondsToGenerate = (performance.now() - loaded) / 1000;
    const peak = peakBytes();
    const scores = tf.tidy(() => {
      const inputIds = tf.tensor2d([PROMPT], undefined, "int32"); // [1, T]
      const positionIds = tf.tensor2d([PROMPT.map((_, t) => t)], undefined, "int32");
      const input = { inputIds, positionIds, mask: causalMask(tf.zerosLike(inputIds)) };
      return logits(parameters, config, decoder(parameters, config, input).hidden); // [T, V]
    });
    writeFileSync(join(directory, "logits.f32"), (await scores.data()) as Float32Array);
    return { engine: name, token: ids[0], secondsToGenerate, peak };
  },
  /** One tensor as large as Qwen2-72B's embedding: more than 2 GiB on disk, more than 4 GiB in memory. */
  async large(directory) {
    const shape = [QWEN2_SIZES["72b"].vocabSize, QWEN2_SIZES["72b"].hiddenSize];
    const name = "model.embed_tokens.weight";
    const value = (i: number) => ((i * 2654435761) % 251) - 125; // whole numbers that bfloat16 has
    let data: Float32Array | undefined = new Float32Array(shape[0] * shape[1]);
    for (let i = 0; i < data.length; i++) data[i] = value(i);
    await saveWeights(directory, { [name]: shape }, () => data!, "BF16", 50e9);
    data = undefined;
    const file = new SafetensorsFile(join(directory, "model.safetensors"));
    const read = file.read(name);
    const wrong = read.findIndex((x, i) => x !== value(i));
    file.close();
    if (wrong >= 0) throw new Error(`${name}: number ${wrong} is ${read[wrong]}, expected ${value(wrong)}`);
    return { numbers: read.length };
  },
};

/** Runs a step and says how long it took and how much memory. */
function run(step: string, directory: string) {
  const start = performance.now();
  const self = fileURLToPath(import.meta.url);
  const args = ["--import", "tsx", self, "--step", step, "--directory", directory];
  const child = spawnSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  if (child.status !== 0) throw new Error(`${step}: ended with ${child.signal ?? `exit code ${child.status}`}`);
  const seconds = (performance.now() - start) / 1000;
  return { seconds, ...JSON.parse(child.stdout) };
}

const GiB = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

/** The largest difference to transformers' logits, and both sides' best token. */
function compare(directory: string, python: string) {
  const script = `
import json, resource, sys, time, torch, transformers
torch.set_num_threads(2)
transformers.logging.set_verbosity_error(); transformers.logging.disable_progress_bar()
start = time.time()
model, info = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32, output_loading_info=True)
loaded = time.time() - start
assert not any(info.values()), info
with torch.no_grad():
    logits = model(input_ids=torch.tensor([json.loads(sys.argv[2])])).logits[0]
logits.numpy().tofile(sys.argv[1] + "/transformers.f32")
print(json.dumps({"loaded": loaded, "seconds": time.time() - start, "version": transformers.__version__,
                  "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))`;
  const child = spawnSync(python, ["-c", script, directory, JSON.stringify(PROMPT)], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (child.status !== 0) throw new UserError(`--python ${python}: could not run transformers on ${directory}`);
  const floats = (name: string) => {
    const bytes = readFileSync(join(directory, name));
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  };
  const [ours, theirs] = [floats("logits.f32"), floats("transformers.f32")];
  if (ours.length !== PROMPT.length * CONFIG.vocabSize || theirs.length !== ours.length)
    throw new Error(`logits: ${ours.length} and ${theirs.length} numbers`);
  let difference = 0;
  let largest = 0;
  ours.forEach((x, i) => {
    difference = Math.max(difference, Math.abs(x - theirs[i]));
    largest = Math.max(largest, Math.abs(theirs[i]));
  });
  const last = theirs.subarray(theirs.length - CONFIG.vocabSize);
  return {
    ...JSON.parse(child.stdout),
    difference,
    largest,
    token: last.reduce((best, x, i) => (x > last[best] ? i : best), 0),
  };
}

function report(theirs: ReturnType<typeof compare>, token: number) {
  console.log(
    `transformers ${theirs.version}: loaded in ${theirs.loaded.toFixed(1)} s, peak ${GiB(theirs.peak)}; token ` +
      `${theirs.token}; logits of ${PROMPT.length} x ${CONFIG.vocabSize} differ by at most ` +
      `${theirs.difference.toExponential(1)} (the largest is ${theirs.largest.toFixed(2)})`,
  );
  if (theirs.difference > TOLERANCE || theirs.token !== token) {
    console.log(`FAILED     expected the same token and a difference of at most ${TOLERANCE}`);
    process.exitCode = 1;
  }
}

await main(async () => {
  const command = new Command("check:0.5b")
    .description("Writes, loads and runs a random checkpoint of Qwen2-0.5B's shape; compares it with transformers.")
    .option("--directory <path>", "where; not there yet", join(tmpdir(), "marco-0.5b"))
    .option("--keep", "leave the checkpoint there")
    .option("--large", "also a tensor of 5 GB; needs 10 GB of free memory and 2.5 GB of disk")
    .option("--python <path>", "a Python with transformers (or MARCO_PYTHON)", process.env.MARCO_PYTHON)
    .option("--step <name>", `one of ${Object.keys(STEPS).join(", ")}, in this process; prints JSON`);
  const options = parse<{
    directory: string;
    keep?: boolean;
    large?: boolean;
    python?: string;
    step?: string;
  }>(command, process.argv);
  const { directory, python, step } = options;
  if (step !== undefined) {
    if (!Object.hasOwn(STEPS, step)) throw new UserError(`--step ${step}: expected ${Object.keys(STEPS).join(", ")}`);
    const start = performance.now();
    const result = await STEPS[step](directory);
    console.log(JSON.stringify({ inside: (performance.now() - start) / 1000, peak: peakBytes(), ...result }));
    return;
  }
  if (existsSync(directory))
    throw new UserError(`--directory ${directory}: is already there; name another, or remove it`);
  mkdirSync(directory, { recursive: true });
  try {
    const written = run("write", directory);
    const size = readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
    console.log(
      `written    ${(size / 1e9).toFixed(2)} GB in ${written.inside.toFixed(1)} s, peak ${GiB(written.peak)}`,
    );
    const loaded = run("load", directory);
    const own = GiB(4 * loaded.parameters);
    console.log(
      `loaded     ${loaded.parameters.toLocaleString("en-US")} parameters (${own}) in ${loaded.tensors} tensors: ` +
        `${loaded.inside.toFixed(1)} s, peak ${GiB(loaded.peak)}, of which ${GiB(loaded.before)} before`,
    );
    if (loaded.parameters !== countParameters(CONFIG)) throw new Error("not the parameters that were written");
    const made = run("generate", directory);
    console.log(
      `generated  token ${made.token} after ${PROMPT.length} on ${made.engine} in ` +
        `${made.secondsToGenerate.toFixed(1)} s, the first, which compiles; peak ${GiB(made.peak)}`,
    );
    if (python) report(compare(directory, python), made.token);
    else console.log("SKIPPED    transformers: no --python and no MARCO_PYTHON");
    if (options.large) {
      mkdirSync(join(directory, "large"));
      const large = run("large", join(directory, "large"));
      console.log(
        `large      one tensor of ${large.numbers.toLocaleString("en-US")} numbers, ${GiB(2 * large.numbers)} on disk and ` +
          `${GiB(4 * large.numbers)} in memory, written and read back equal in ${large.inside.toFixed(1)} s`,
      );
    }
  } finally {
    if (!options.keep) rmSync(directory, { recursive: true, force: true });
  }
});
