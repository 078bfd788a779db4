/**
 * @file `npm run parity -- --suite trl`: our trainer beside TRL's, step by step, as a table: the committed logs of
 * test/fixtures/trl and, where a Python with TRL is named, new ones with other weights and data.
 */
import { startEngine } from "../src/engine/engine.ts";
import { ALLOWED, compareCase, liveTrl, QUANTITIES, readTrl, type TrlSuite } from "../test/parity/trlCases.ts";

export interface Options {
  engine?: string;
  python?: string;
  seed: number;
}

type Differences = Record<string, number | null>;

/** True when all is within what is allowed. */
export async function trlParity({ engine, python, seed }: Options): Promise<boolean> {
  const { name, reason } = await startEngine(engine);
  console.log(`Training steps against TRL on engine ${name} (${reason})`);
  const rows: Row[] = [];
  const compare = async (suite: TrlSuite, about: string) => {
    console.log(line(`seed ${suite.seed}, ${about}`, Object.keys(QUANTITIES)));
    for (const one of suite.cases) {
      const differences = await compareCase(one, suite);
      rows.push({ name: `${one.name} (seed ${suite.seed})`, differences });
      console.log(line(`${one.name}, ${one.steps} steps`, Object.values(differences).map(shown)));
    }
  };
  await compare(readTrl(), "committed");
  if (python) await compare(liveTrl(python, seed), "live");
  else console.log("live TRL: NOT COMPARED, no --python (or MARCO_TRL_PYTHON) names a Python that has it");

  const largest = Object.keys(QUANTITIES).map((kind) =>
    Math.max(...rows.map(({ differences }) => differences[kind] ?? 0)),
  );
  const bad = rows.filter(({ differences }) => Object.values(differences).some((x) => !((x ?? 0) <= ALLOWED)));
  console.log(line("largest", largest.map(shown)));
  console.log(
    line(
      "allowed",
      largest.map(() => shown(ALLOWED)),
    ),
  );
  console.log(`trl parity: ${rows.length - bad.length} passed, ${bad.length} failed`);
  for (const { name } of bad) console.log(`failed: ${name}`);
  return bad.length === 0;
}

interface Row {
  name: string;
  differences: Differences;
}

const line = (name: string, cells: string[]) => `${name.padEnd(44)}${cells.map((cell) => cell.padStart(12)).join("")}`;
const shown = (x: number | null) => (x === null ? "-" : x === 0 ? "0" : x.toExponential(1));
