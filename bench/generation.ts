/**
 * @file How fast is greedy generation with a KV cache? Our engines against Hugging Face transformers:
 *
 *     npm run bench:generation -- --python path/to/python
 *
 * The same weights and prompts by formula; half of the context is the prompt, half is generated. Contenders take turns
 * as in bench/step.ts. Prefill is a generation of one token, decoding is what the others take beyond it. The tokens of
 * all must be the same.
 */
import { main, parse } from "../src/cli/options.ts";
import { ENGINES } from "../src/engine/engine.ts";
import { CONFIGS, describeConfig, GENERATION_WIDTH, toPython } from "./configs.ts";
import { type Contender, here, ours, type Race, race, startContender, type Turn } from "./contenders.ts";
import { benchCommand, namesOf, numberOf, pythonOf } from "./options.ts";
import { describeMachine, printTable, save, showBytes, showInterval } from "./output.ts";
import { type Interval, median, medianInterval } from "./statistics.ts";

interface GenerationTurn extends Turn {
  prefill_seconds: number[];
  tokens: number[][];
}

interface Row {
  contender: string;
  about: Record<string, unknown>;
  generations: number;
  prefillTokensPerSecond: number;
  decodeTokensPerSecond: number;
  /** The best transformers contender's decoding time over this one's in each round. */
  ratio: Interval | null;
  peakBytes: number | null;
  idleLoad: number;
  decodeSecondsByRound: number[][];
}

interface Options {
  configs: string[];
  engines: string[];
  transformers: string;
  batches: string[];
  rounds: number;
  python?: string;
  quick?: boolean;
  save?: boolean;
}

const decodeSeconds = ({ seconds, prefill_seconds }: GenerationTurn) => seconds.map((s, i) => s - prefill_seconds[i]);

function rowsOf(
  contenders: Contender<GenerationTurn>[],
  { turns, idleLoad }: Race<GenerationTurn>,
  sizes: { batch: number; prompt: number; fresh: number },
): Row[] {
  const decode = turns.map((own) => own.map(decodeSeconds));
  const medians = decode.map((own) => median(own.flat()));
  const theirs = contenders.flatMap(({ about }, i) => (about.contender === "transformers" ? [i] : []));
  const best = theirs.sort((a, b) => medians[a] - medians[b]).at(0);
  return contenders.map(({ name, about, peakBytes }, i) => {
    const { warmup: _, ...rest } = about;
    const ratios = best === undefined ? [] : decode[i].map((own, round) => median(decode[best][round]) / median(own));
    return {
      contender: name,
      about: rest,
      generations: decode[i].flat().length,
      prefillTokensPerSecond: (sizes.batch * sizes.prompt) / median(turns[i].flatMap((turn) => turn.prefill_seconds)),
      decodeTokensPerSecond: (sizes.batch * (sizes.fresh - 1)) / medians[i],
      ratio: best === undefined ? null : medianInterval(ratios),
      peakBytes: peakBytes(),
      idleLoad: idleLoad[i],
      decodeSecondsByRound: decode[i],
    };
  });
}

/** Where two contenders' tokens first differ, in words; null when they do not. */
function difference(a: number[][], b: number[][]): string | null {
  for (const [row, tokens] of a.entries()) {
    const at = tokens.findIndex((token, i) => token !== b[row]?.[i]);
    if (at >= 0) return `prompt ${row}, new token ${at}: ${tokens[at]} and ${b[row]?.[at]}`;
  }
  return null;
}

async function measure(letter: string, batch: number, options: Options) {
  const config = CONFIGS[letter];
  const prompt = config.sequenceLength / 2;
  const fresh = config.sequenceLength - prompt;
  const warmup = 2;
  const contenders: Contender<GenerationTurn>[] = [];
  const missing: Record<string, string> = {};
  const start = async (name: string, program: [string, string[]]) => {
    process.stderr.write(`${letter}, ${batch} prompts: ${name} warms up\n`);
    try {
      contenders.push(await startContender<GenerationTurn>(name, program, 600));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      missing[name] = `${code ? `cannot be started (${code})` : message}; see --help`;
    }
  };
  const sizes = [
    "--batch",
    `${batch}`,
    "--prompt",
    `${prompt}`,
    "--new",
    `${fresh}`,
    "--warmup",
    `${warmup}`,
    "--width",
    `${GENERATION_WIDTH}`,
  ];
  for (const variant of options.transformers.split(",").filter((name) => name !== "none")) {
    const args = [here("generation.py"), "--config", toPython(config), ...sizes, "--variant", variant];
    await start(`transformers ${variant}`, [pythonOf(options.python), args]);
  }
  for (const engine of options.engines)
    await start(engine, ours("generator.ts", engine, letter, ...[batch, prompt, fresh, warmup].map(String)));
  if (contenders.length === 0) throw new Error(`${letter}: no contender starts: ${Object.values(missing).join("; ")}`);

  const result = await race(contenders, { rounds: options.rounds, most: 5, turnSeconds: 4 });
  const rows = rowsOf(contenders, result, { batch, prompt, fresh });
  for (const contender of contenders) contender.quit();

  const prompts = batch === 1 ? "one prompt" : `${batch} prompts`;
  console.log(`\n${letter}: ${describeConfig(config)}: ${prompts} of ${prompt} tokens, ${fresh} new tokens each`);
  const cells = rows.map((row) => [
    row.contender,
    `${Math.round(row.prefillTokensPerSecond)}`,
    `${Math.round(row.decodeTokensPerSecond)}`,
    row.ratio ? showInterval(row.ratio) : "-",
    showBytes(row.peakBytes),
    `${row.generations}`,
  ]);
  const head = [
    "contender",
    "prefill tokens/s",
    "decode tokens/s",
    "x best transformers",
    "peak memory",
    "generations",
  ];
  printTable([head, ...cells]);
  for (const [name, reason] of Object.entries(missing)) console.log(`${name}: NOT MEASURED: ${reason}`);
  const tokens = result.turns.map((turns) => turns[0].tokens);
  contenders.forEach(({ name }, i) => {
    const where = difference(tokens[i], tokens[0]);
    if (where === null) return;
    console.log(`${name} generates other tokens than ${contenders[0].name}: ${where}`);
    process.exitCode = 1;
  });
  return { letter, batch, prompt, fresh, rows, missing };
}

await main(async () => {
  const command = benchCommand("bench:generation", "Times greedy generation, in turn with Hugging Face transformers.")
    .option("--configs <letters>", "which of A,B,C,D", namesOf("--configs", Object.keys(CONFIGS)), ["B", "D"])
    .option("--engines <names>", `which of ${ENGINES.join(",")}`, namesOf("--engines", ENGINES), ["onnx"])
    .option("--transformers <variants>", "see bench/generation.py; or 'none'", "eager,compile")
    .option("--batches <numbers>", "prompts at once: which of 1,8,32", namesOf("--batches", ["1", "8", "32"]), [
      "1",
      "8",
    ])
    .option("--rounds <number>", "turns of each contender", numberOf("--rounds", 1), 7)
    .option("--quick", "2 rounds: does it run? its numbers mean nothing");
  const options = parse<Options>(command, process.argv);
  if (options.quick) options.rounds = 2;
  const machine = describeMachine();
  const results = [];
  for (const letter of options.configs)
    for (const batch of options.batches) results.push(await measure(letter, Number(batch), options));
  const { save: saved, python: _, ...settings } = options;
  if (saved) save("-generation", machine, { settings, results });
});
