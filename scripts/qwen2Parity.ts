/**
 * @file `npm run parity -- --suite qwen2`: the grid of test/parity/qwen2Grid.ts as a table, the committed cases and,
 * where a Python with transformers is named, as many random ones as asked for.
 */
import { startEngine } from "../src/engine/engine.ts";
import {
  ALLOWED,
  compareCase,
  type Differences,
  type Grid,
  KINDS,
  liveGrid,
  randomCase,
  readGrid,
} from "../test/parity/qwen2Grid.ts";

export interface Options {
  engine?: string;
  python?: string;
  random: number;
  seed: number;
}

/** True when all is within what is allowed. */
export async function qwen2Parity({ engine, python, random, seed }: Options): Promise<boolean> {
  const { name, reason } = await startEngine(engine);
  console.log(`Qwen2 against Hugging Face transformers on engine ${name} (${reason})`);
  const rows: { name: string; differences: Differences }[] = [];
  const compare = async (grid: Grid) => {
    for (const one of grid.cases) {
      const differences = await compareCase(one, grid);
      rows.push({ name: one.name, differences });
      console.log(line(one.name, differences));
    }
  };
  console.log(header());
  await compare(readGrid());
  if (python) {
    const seeds = Array.from({ length: random }, (_, i) => seed + i);
    await compare(liveGrid(python, seeds.map(randomCase)));
  } else console.log("live transformers: NOT COMPARED, no --python (or MARCO_PYTHON) names a Python that has it");

  const largest = Object.fromEntries(
    KINDS.map((kind) => [kind, Math.max(...rows.map(({ differences }) => differences[kind] ?? 0))]),
  ) as Record<(typeof KINDS)[number], number>;
  const undecided = rows.filter(({ differences }) => Object.values(differences).includes(null)).length;
  const bad = rows.filter(({ differences }) => KINDS.some((kind) => !((differences[kind] ?? 0) <= ALLOWED[kind])));
  console.log(line("largest", largest));
  console.log(line("allowed", ALLOWED));
  if (undecided > 0)
    console.log(`tie: in ${undecided} random cases transformers' own float64 differs from its float32`);
  console.log(`qwen2 parity: ${rows.length - bad.length} passed, ${bad.length} failed`);
  for (const { name } of bad) console.log(`failed: ${name}`);
  return bad.length === 0;
}

const WIDTH = 44;
const header = () => `${"".padEnd(WIDTH)}${KINDS.map((kind) => kind.padStart(13)).join("")}`;
const line = (name: string, differences: Differences) =>
  `${name.padEnd(WIDTH)}${KINDS.map((kind) => shown(kind, differences[kind]).padStart(13)).join("")}`;
const shown = (kind: (typeof KINDS)[number], x: number | null) => {
  if (x === null) return "tie";
  return kind === "greedy" || kind === "beams" ? String(x) : x.toExponential(1);
};
