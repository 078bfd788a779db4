/**
 * @file The engines `tensorflow` and `cuda`: libtensorflow through @tensorflow/tfjs-node and @tensorflow/tfjs-node-gpu,
 * which are optional. Both packages register the same TensorFlow.js backend, "tensorflow": a process holds one of them.
 *
 * tfjs-node imports the whole of @tensorflow/tfjs, which replaces the gradients of engine/gradients.ts by its own; ours
 * are put back, so that every engine differentiates by the same formulas.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import util from "node:util";
import * as tf from "@tensorflow/tfjs-core";

export type TensorflowPackage = "@tensorflow/tfjs-node" | "@tensorflow/tfjs-node-gpu";

const VERSION = "4.22.0";

/** What this machine has; a test passes a machine on which something is missing. */
export interface Machine {
  hasNvidia: () => boolean;
  /** Whether Node still has what tfjs-node 4.22 calls. */
  hasIsNullOrUndefined: () => boolean;
  /** Where the package is. Throws when it is not installed. */
  resolve: (name: string) => string;
  load: (name: string) => Promise<unknown>;
}

const here: Machine = {
  hasNvidia: () => process.platform === "win32" || ["/dev/nvidiactl", "/dev/dxg"].some((device) => existsSync(device)), // dxg: WSL
  hasIsNullOrUndefined: () => "isNullOrUndefined" in util,
  resolve: (name) => createRequire(import.meta.url).resolve(name),
  load: (name) => import(name),
};

type Execute = (op: string, attributes: unknown, inputs: tf.TensorInfo[], outputs?: number) => unknown;

/** The part of tfjs-node's backend that we need. */
interface NodeBackend {
  isGPUPackage: boolean;
  isUsingGpuDevice: boolean;
  executeSingleOutput: Execute;
  executeMultipleOutputs: Execute;
}

/** Makes libtensorflow TensorFlow.js' backend. @throws Error that says what is missing and how to get it. */
export async function startTensorflow(name: TensorflowPackage, machine: Machine = here): Promise<undefined> {
  const gpu = name.endsWith("-gpu");
  if (gpu && !machine.hasNvidia()) throw new Error("no NVIDIA GPU on this machine");
  if (!tf.findBackend("tensorflow")) await load(name, machine);
  const backend = tf.findBackend("tensorflow") as unknown as NodeBackend;
  if (gpu !== backend.isGPUPackage)
    throw new Error(`${other(name)} is loaded already, and a process holds one of the two: use ${name} in another`);
  if (gpu && !backend.isUsingGpuDevice)
    throw new Error(
      "libtensorflow finds no usable GPU: it needs CUDA and cuDNN libraries of the versions it was built for, " +
        "on LD_LIBRARY_PATH (TF_CPP_MIN_LOG_LEVEL=0 shows which it could not open)",
    );
  if (!(await tf.setBackend("tensorflow"))) throw new Error("TensorFlow.js could not start its tensorflow backend");
}

const other = (name: TensorflowPackage): TensorflowPackage =>
  name === "@tensorflow/tfjs-node" ? "@tensorflow/tfjs-node-gpu" : "@tensorflow/tfjs-node";

/** Loads the package, which registers its kernels and its backend, and translates what it says when it cannot. */
async function load(name: TensorflowPackage, machine: Machine): Promise<void> {
  const build = `npm run libtensorflow${name.endsWith("-gpu") ? " -- --gpu" : ""}`;
  try {
    machine.resolve(name);
  } catch {
    throw new Error(`${name} is not installed: npm install ${name}@${VERSION}, or ${build} where that cannot download`);
  }
  if (!machine.hasIsNullOrUndefined())
    throw new Error(
      `Node ${process.versions.node} is too new for ${name} ${VERSION} (it calls util.isNullOrUndefined): use Node 20 or 22`,
    );
  process.env.TF_CPP_MIN_LOG_LEVEL ??= "1"; // warnings, not which processor features were found
  process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= "true"; // not all of the GPU's memory at once
  const ours = Object.values(tf).flatMap((kernel) => (typeof kernel === "string" && tf.getGradient(kernel)) || []);
  try {
    await machine.load(name);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const library = /(lib[\w.+-]+): cannot open shared object file/.exec(said)?.[1];
    if (library && /cuda|cudnn|cublas|cufft|curand|cusolver|cusparse|nccl|nvrtc/i.test(library))
      throw new Error(`the CUDA library ${library} is not found: install it or put its folder on LD_LIBRARY_PATH`);
    if (library) throw new Error(`the shared library ${library} of ${name} is not found: ${build}`);
    if (/native addon module .* can not be found/.test(said))
      throw new Error(`${name} is installed but its binding is not built: ${build}`);
    throw new Error(`${name} cannot be loaded: ${said.split("\n")[0]}`);
  }
  ours.forEach(tf.registerGradient);
  const backend = tf.findBackend("tensorflow") as unknown as NodeBackend;
  backend.executeSingleOutput = explained(backend.executeSingleOutput.bind(backend));
  backend.executeMultipleOutputs = explained(backend.executeMultipleOutputs.bind(backend));
}

/** libtensorflow's errors do not say which op failed, and for memory not on what. */
function explained(execute: Execute): Execute {
  return (op, attributes, inputs, outputs) => {
    try {
      return execute(op, attributes, inputs, outputs);
    } catch (error) {
      const shapes = inputs.map(({ shape }) => `[${shape}]`).join(", ");
      throw new Error(`tensorflow: ${op} of ${shapes}: ${error instanceof Error ? error.message : error}`);
    }
  };
}
