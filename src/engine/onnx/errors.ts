/**
 * @file What ONNX Runtime's errors mean: which kernel of the recorded program failed, on which shapes, and what helps.
 */
import { outOfMemory } from "../lazy/graph.ts";

/** Runs `native`; an error of it names the kernel. `origins`: from ONNX Runtime's node names to kernels. */
export function explained(origins: ReadonlyMap<string, string | undefined>, native: () => void) {
  try {
    native();
  } catch (error) {
    const message = String(error instanceof Error ? error.message : error);
    const name = /(?:Name:\s*'|[Nn]ode \(|node with name '|[Nn]ode:\s*)([A-Za-z]+_\d+)/.exec(message)?.[1];
    const kernel = origins.get(name ?? "") || `a program of ${kernelsOf(origins)}`;
    const bytes = /requested buffer of size (\d+)/.exec(message)?.[1];
    if (bytes || /bad_?alloc|bad allocation|[Ff]ailed to allocate memory/.test(message))
      throw outOfMemory(kernel, bytes ? Number(bytes) : null);
    throw new Error(`engine onnx: ${kernel} failed: ${message}`, { cause: error });
  }
}

/** The kernels of a program, each once. */
function kernelsOf(origins: ReadonlyMap<string, string | undefined>): string {
  const kernels = [...new Set([...origins.values()].map((origin) => origin?.split("(")[0]).filter(Boolean))];
  return `${kernels.slice(0, 12).join(", ")}${kernels.length > 12 ? ` and ${kernels.length - 12} more` : ""}`;
}
