/**
 * @file AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2; as torch.optim.AdamW), one step t from 1:
 *
 *   g ← g clip      m ← β₁ m + (1-β₁) g      v ← β₂ v + (1-β₂) g²
 *   θ ← θ (1 - η λ) - η / (1-β₁ᵗ) · m / (√v / √(1-β₂ᵗ) + ε)
 *
 * A kernel has one result, so a step is three launches, and none writes over what it reads. What changes from step to
 * step comes as data, never as a constant: a constant would be compiled anew each step.
 */
import { registerLaunches, type Thread } from "../launch.ts";
import { clipScale } from "./globalNorm.ts";

/** m and g [N, C], clip [1, 1] -> m [N, C]. */
export function firstMoment(this: Thread, m: number[][], g: number[][], clip: number[][]): number {
  const gradient = g[this.thread.y][this.thread.x] * clip[0][0];
  return this.constants.beta1 * m[this.thread.y][this.thread.x] + (1 - this.constants.beta1) * gradient;
}

/** v and g [N, C], clip [1, 1] -> v [N, C]. */
export function secondMoment(this: Thread, v: number[][], g: number[][], clip: number[][]): number {
  const gradient = g[this.thread.y][this.thread.x] * clip[0][0];
  return this.constants.beta2 * v[this.thread.y][this.thread.x] + (1 - this.constants.beta2) * gradient * gradient;
}

/** θ, m and v [N, C], step [1, 3]: η, 1-β₁ᵗ, √(1-β₂ᵗ) -> θ [N, C]. */
export function adamw(this: Thread, p: number[][], m: number[][], v: number[][], step: number[][]): number {
  const rate = step[0][0];
  const kept = p[this.thread.y][this.thread.x] * (1 - rate * this.constants.weightDecay);
  const scale = Math.sqrt(v[this.thread.y][this.thread.x]) / step[0][2] + this.constants.epsilon;
  return kept - ((rate / step[0][1]) * m[this.thread.y][this.thread.x]) / scale;
}

/** Inputs θ, g, m, v, ‖g‖ and step (see {@link adamw}); results θ, m and v. */
registerLaunches("AdamW", (p, [theta, g, m, v, norm, step], node) => {
  const { beta1, beta2, epsilon, weightDecay, maxGradNorm } = node.attributes as Record<string, number>;
  const size = [theta.rows, theta.columns] as const;
  const clip = p.launch(clipScale, [norm], [1, 1], { maxGradNorm });
  const first = p.launch(firstMoment, [m, g, clip], size, { beta1 });
  const second = p.launch(secondMoment, [v, g, clip], size, { beta2 });
  return [p.launch(adamw, [theta, first, second, step], size, { epsilon, weightDecay }), first, second];
});
