/**
 * @file SwiGLU (Shazeer 2020, arXiv 2002.05202, eq. 5): y = silu(gate) ∘ up with silu(g) = g σ(g), σ(g) = 1 / (1 + e⁻ᵍ).
 *
 *   dgate = dy ∘ up ∘ σ (1 + g (1 - σ))      dup = dy ∘ silu(gate)
 */
import { registerLaunches, type Thread } from "../launch.ts";

/** gate and up [N, F] -> y [N, F]. */
export function swiglu(this: Thread, gate: number[][], up: number[][]): number {
  const g = gate[this.thread.y][this.thread.x];
  return (g / (1 + Math.exp(-g))) * up[this.thread.y][this.thread.x];
}

/** gate, up and dy [N, F] -> dgate [N, F]. */
export function swigluGateGradient(this: Thread, gate: number[][], up: number[][], dy: number[][]): number {
  const g = gate[this.thread.y][this.thread.x];
  const sigmoid = 1 / (1 + Math.exp(-g));
  return dy[this.thread.y][this.thread.x] * up[this.thread.y][this.thread.x] * sigmoid * (1 + g * (1 - sigmoid));
}

/** gate and dy [N, F] -> dup [N, F]. */
export function swigluUpGradient(this: Thread, gate: number[][], dy: number[][]): number {
  const g = gate[this.thread.y][this.thread.x];
  return dy[this.thread.y][this.thread.x] * (g / (1 + Math.exp(-g)));
}

registerLaunches("Swiglu", (p, [gate, up]) => p.launch(swiglu, [gate, up], [gate.rows, gate.columns]));

registerLaunches("SwigluGrad", (p, [gate, up, dy]) => [
  p.launch(swigluGateGradient, [gate, up, dy], [gate.rows, gate.columns]),
  p.launch(swigluUpGradient, [gate, dy], [gate.rows, gate.columns]),
]);
