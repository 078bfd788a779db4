/**
 * @file Our side of the protocol between a benchmark and its contenders: one JSON line on stdout for `ready`, then one
 * for each `run N` on stdin; `quit` or the end of stdin ends the process.
 */
import { readSync, writeSync } from "node:fs";

export const answer = (value: object) => writeSync(1, `${JSON.stringify(value)}\n`);

/** N of the next `run N`; leaves at `quit` or at the end. Blocks: an idle contender must take nothing from the others. */
export function nextCommand(): number {
  const byte = Buffer.alloc(1);
  for (;;) {
    let line = "";
    while (readSync(0, byte) === 1 && byte[0] !== 10) line += byte.toString("latin1");
    const count = /^run (\d+)$/.exec(line)?.[1];
    if (count) return Number(count);
    if (line === "quit" || line === "") process.exit(0);
    answer({ error: `unknown command '${line}'; expected 'run N' or 'quit'` });
  }
}
