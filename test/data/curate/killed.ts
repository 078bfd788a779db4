/**
 * @file `curate` in a process that kills itself (SIGKILL) at the second sign of progress in a phase; for kill.test.ts.
 *
 *     tsx killed.ts INPUT OUT RECIPE THREADS [PHASE]
 */

import { readRecipe } from "../../../src/data/curate/recipe.ts";
import { curate } from "../../../src/data/curate/run.ts";

const [input, out, recipe, threads, deadly] = process.argv.slice(2);
let seen = 0;
await curate({
  ...{ inputs: [input], out, recipe: readRecipe(recipe), threads: Number(threads) },
  onProgress: ({ phase, documents }) => {
    console.log(`${phase} ${documents}`);
    if (phase === deadly && ++seen === 2) process.kill(process.pid, "SIGKILL");
  },
});
