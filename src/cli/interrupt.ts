/** @file Ctrl-C of a command that goes on when it is run again. */
import type { Progress } from "./progress.ts";

/**
 * What `work` returns; undefined when Ctrl-C stopped it, which is said, with exit code 130. A second Ctrl-C ends the
 * process at once. `note` is shown after the first; `goOn` says how the work goes on.
 */
export async function untilInterrupted<T>(
  progress: Pick<Progress, "note" | "end">,
  work: (signal: AbortSignal) => Promise<T>,
  note?: string,
  goOn = "the same command goes on from here",
): Promise<T | undefined> {
  const controller = new AbortController();
  const interrupt = () => {
    controller.abort();
    if (note) progress.note(note);
  };
  process.once("SIGINT", interrupt);
  try {
    return await work(controller.signal);
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    progress.end("stopped");
    console.error(goOn);
    process.exitCode = 130;
    return undefined;
  } finally {
    process.removeListener("SIGINT", interrupt);
  }
}
