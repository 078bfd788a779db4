/** @file Ctrl-C of a command that goes on when it is run again. */
import type { Progress } from "./progress.ts";

/**
 * What `work` returns; undefined when Ctrl-C stopped it, which is said, with exit code 130. A second Ctrl-C ends the
 * process at once. `note` is shown after the first.
 */
export async function untilInterrupted<T>(
  progress: Progress,
  work: (signal: AbortSignal) => Promise<T>,
  note?: string,
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
    console.error("the same command goes on from here");
    process.exitCode = 130;
    return undefined;
  } finally {
    process.removeListener("SIGINT", interrupt);
  }
}
