/**
 * @file AdamW with global-norm clipping, as PyTorch computes them (decoupled decay, bias correction, epsilon outside
 * the root). Paper section 3.2: β = 0.9 / 0.95, weight decay 0.1, clipping 1.0. Matrices decay; biases and norms
 * do not. Moments are kept by parameter name.
 *
 *   g ← g min(1, clip / ‖g‖)      m ← β₁ m + (1-β₁) g      v ← β₂ v + (1-β₂) g²
 *   θ ← θ (1 - η λ) - η / (1-β₁ᵗ) · m / (√v / √(1-β₂ᵗ) + ε)
 */
import * as tf from "@tensorflow/tfjs-core";
import { compile, lazyBackend } from "../engine/engine.ts";
import { makeSimdMemory, type SimdKernels } from "../engine/simd.ts";
import type { Parameters } from "../model/qwen2.ts";
import { type AdamWInput, adamw, globalNorm } from "../ops/adamw.ts";
import { UserError } from "../util/assert.ts";

export interface AdamWOptions {
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /** Largest global gradient norm; larger gradients are scaled down to it. */
  maxGradNorm: number;
}

/** The paper's optimiser (section 3.2); epsilon is PyTorch's default, the paper does not state it. */
export const PAPER_ADAMW: AdamWOptions = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };

export interface AdamW {
  /** Where the gradients may be written directly (see `compile`'s `into`); empty where the engine has its own memory. */
  gradientArrays: Record<string, Float32Array>;
  /** Updates the parameters; returns the gradient norm before clipping. A non-finite norm leaves them as they are. */
  step(gradients: Record<string, tf.Tensor>, learningRate: number): Promise<number>;
  /** What the next step depends on besides the parameters, as it is now: read it before that step. */
  state(): AdamWState;
  /** Goes on from a state of the same parameters, bit for bit. */
  restore(state: AdamWState): Promise<void>;
  dispose(): void;
}

/** The moments under their names in PyTorch, each with its parameter's: `exp_avg.NAME` is m, `exp_avg_sq.NAME` v. */
export interface AdamWState {
  /** Updates made, t: a skipped step makes none. */
  updates: number;
  shapes: Record<string, number[]>;
  read(name: string): Float32Array | Promise<Float32Array>;
}

/** By name, never by position: a model whose parameters are listed in another order goes on all the same. */
export function momentShapes(parameters: Parameters): Record<string, number[]> {
  const named = (moment: string) => Object.entries(parameters).map(([name, x]) => [`${moment}.${name}`, x.shape]);
  return Object.fromEntries([...named("exp_avg"), ...named("exp_avg_sq")]);
}

const decays = (x: tf.Tensor) => x.shape.length >= 2;

/**
 * An optimiser that owns the update of `parameters`: it replaces the record's tensors or changes them in place, in
 * memories of at most `largestMemory` bytes.
 */
export function makeAdamW(parameters: Parameters, options: AdamWOptions, largestMemory = LARGEST_MEMORY): AdamW {
  return lazyBackend()?.inHostMemory
    ? inPlace(parameters, options, makeShards(parameters, largestMemory))
    : replacing(parameters, options);
}

/** What one WebAssembly.Memory can hold: 2^16 pages. */
const LARGEST_MEMORY = 2 ** 32;

/** Parameters that share a memory: four arrays in it, each with every parameter, at the same offsets. */
interface Shard {
  kernels: SimdKernels;
  /** Bytes of one array: parameters, gradients, first and second moments follow each other. */
  block: number;
  /** Bytes of the parameters that decay; they come first. */
  decayed: number;
  /** Where in the first array each parameter is. */
  offsets: Record<string, number>;
  memory: WebAssembly.Memory;
}

const paddedBytes = (x: tf.Tensor) => Math.ceil(x.size / 4) * 16;

/** Splits the parameters over as few memories as they need, each parameter in one: a model of up to 268 M in one. */
function makeShards(parameters: Parameters, largestMemory = LARGEST_MEMORY): Shard[] {
  const groups: { names: string[]; block: number }[] = [];
  for (const [name, x] of Object.entries(parameters)) {
    const bytes = paddedBytes(x);
    if (4 * bytes > largestMemory)
      throw new UserError(
        `${name}: ${x.size} numbers are too many for one WebAssembly memory (${largestMemory / 16} at most)`,
      );
    let group = groups.find(({ block }) => 4 * (block + bytes) <= largestMemory);
    if (!group) {
      group = { names: [], block: 0 };
      groups.push(group);
    }
    group.names.push(name);
    group.block += bytes;
  }
  return groups.map(({ names, block }) => {
    names.sort((a, b) => Number(decays(parameters[b])) - Number(decays(parameters[a])));
    const offsets: Record<string, number> = {};
    let at = 0;
    let decayed = 0;
    for (const name of names) {
      offsets[name] = at;
      at += paddedBytes(parameters[name]);
      if (decays(parameters[name])) decayed = at;
    }
    return { ...makeSimdMemory(4 * block), block, decayed, offsets };
  });
}

/** All arrays in blocks of shared memory, one pass of a SIMD kernel over each. */
function inPlace(parameters: Parameters, options: AdamWOptions, shards: Shard[]): AdamW {
  const backend = lazyBackend()!;
  const gradientArrays: Record<string, Float32Array> = {};
  const moments: Record<string, Float32Array> = {};
  for (const { memory, block, offsets } of shards)
    for (const [name, at] of Object.entries(offsets)) {
      const { size, shape, dataId } = parameters[name];
      if (backend.refCount(dataId) > 1) {
        // a clone, e.g. of a frozen reference, which must not move with it
        const own = tf.tensor(backend.buffer(parameters[name]).slice(), shape);
        parameters[name].dispose();
        parameters[name] = own;
      }
      backend.relocate(parameters[name], new Float32Array(memory.buffer, at, size));
      gradientArrays[name] = new Float32Array(memory.buffer, block + at, size);
      moments[`exp_avg.${name}`] = new Float32Array(memory.buffer, 2 * block + at, size);
      moments[`exp_avg_sq.${name}`] = new Float32Array(memory.buffer, 3 * block + at, size);
    }
  let t = 0;
  return {
    gradientArrays,
    async step(gradients, learningRate) {
      for (const [name, array] of Object.entries(gradientArrays)) {
        const data = backend.buffer(gradients[name]) as Float32Array;
        if (data !== array) array.set(data);
      }
      backend.flush(); // nothing that still waits may see the new parameters
      const norm = Math.sqrt(shards.reduce((sum, { kernels, block }) => sum + kernels.sumSquares(block, block), 0));
      if (!Number.isFinite(norm)) return norm;
      t++;
      const { beta1, beta2, epsilon, weightDecay, maxGradNorm } = options;
      const clip = Math.min(1, maxGradNorm / (norm + 1e-6)); // torch.nn.utils.clip_grad_norm_
      for (const { kernels, block, decayed } of shards) {
        const update = (from: number, bytes: number, decay: number) => {
          const scalars = [beta1, 1 - beta1, beta2, 1 - beta2, clip, 1 - learningRate * decay];
          const root = Math.sqrt(1 - beta2 ** t);
          const correction = [(learningRate * root) / (1 - beta1 ** t), epsilon * root];
          kernels.adamw(from, block + from, 2 * block + from, 3 * block + from, bytes, ...scalars, ...correction);
        };
        update(0, decayed, weightDecay);
        update(decayed, block - decayed, 0);
      }
      return norm;
    },
    state: () => ({ updates: t, shapes: momentShapes(parameters), read: (name) => moments[name] }),
    async restore({ updates, read }) {
      for (const [name, array] of Object.entries(moments)) array.set(await read(name));
      t = updates;
    },
    dispose() {
      // leave the parameters memory of their own, so that the blocks can be freed
      for (const name of Object.keys(gradientArrays))
        backend.relocate(parameters[name], new Float32Array(parameters[name].size));
    },
  };
}

/** New tensors at each step: stock backends, and the lazy ones whose tensors are on a device and stay there. */
function replacing(parameters: Parameters, options: AdamWOptions): AdamW {
  const zeros = () => Object.fromEntries(Object.entries(parameters).map(([name, x]) => [name, tf.zerosLike(x)]));
  const records = { parameter: parameters, first: zeros(), second: zeros() };
  const normOf = compile((gradients) => ({ norm: globalNorm(Object.values(gradients)) }));
  const update = (weightDecay: number) =>
    compile((inputs) => adamw(inputs as unknown as AdamWInput, { ...options, weightDecay }));
  const [decaying, keeping] = [update(options.weightDecay), update(0)];
  /** Where the tensor of a moment is: which record, under which name. */
  const placeOf = (moment: string): [Record<string, tf.Tensor>, string] => {
    const [prefix, name] = moment.split(/\.(.*)/s);
    return [prefix === "exp_avg" ? records.first : records.second, name];
  };
  const momentOf = (moment: string) => {
    const [record, name] = placeOf(moment);
    return record[name];
  };
  let t = 0;
  return {
    gradientArrays: {},
    async step(gradients, learningRate) {
      const { norm } = normOf(gradients);
      const length = (await norm.data())[0];
      if (Number.isFinite(length)) {
        t++;
        const step = tf.tensor1d([learningRate, 1 - options.beta1 ** t, Math.sqrt(1 - options.beta2 ** t)]);
        for (const [name, gradient] of Object.entries(gradients)) {
          const old = Object.entries(records).map(([part, record]) => [part, record[name]]);
          const inputs = { ...Object.fromEntries(old), gradient, norm, step };
          const made = (decays(gradient) ? decaying : keeping)(inputs);
          for (const [part, record] of Object.entries(records)) {
            record[name].dispose();
            record[name] = made[part];
          }
        }
        step.dispose();
      }
      norm.dispose();
      return length;
    },
    state: () => ({
      updates: t,
      shapes: momentShapes(parameters),
      read: async (name) => (await momentOf(name).data()) as Float32Array,
    }),
    async restore({ updates, shapes, read }) {
      for (const [name, shape] of Object.entries(shapes)) {
        momentOf(name).dispose();
        const [record, parameter] = placeOf(name);
        record[parameter] = tf.tensor(await read(name), shape);
      }
      t = updates;
    },
    dispose() {
      for (const compiled of [normOf, decaying, keeping]) compiled.dispose();
      tf.dispose([records.first, records.second]);
    },
  };
}
