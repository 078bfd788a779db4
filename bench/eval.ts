/**
 * @file What does it save to compute shared beginnings once, and how fast is scoring beside lm-evaluation-harness' own
 * model class (HFLM) on the same checkpoint and token ids?
 *
 *     npm run bench:eval -- --python path/to/python    (one with lm_eval; without it only ours are timed)
 *
 * Multiple choice as in Table 4: examples before each question, four choices; then written answers to the questions with
 * the same examples. The contenders take turns, and the log-probabilities of all must agree. "Not shared" are the same
 * requests with first tokens made different.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, Option } from "commander";
import { main, parse, wholeNumber } from "../src/cli/options.ts";
import { ENGINES, startEngine } from "../src/engine/engine.ts";
import { saveModel } from "../src/model/checkpoint.ts";
import { makeInference, type ScoreRequest } from "../src/model/inference.ts";
import { initParameters } from "../src/model/init.ts";
import { PRESETS } from "../src/train/presets.ts";
import { makeRandom } from "../src/util/random.ts";
import { describeMachine, printTable, showInterval } from "./output.ts";
import { median, medianInterval } from "./statistics.ts";

const CONTEXT = 512;
const [EXAMPLES, QUESTION, CHOICE, CHOICES] = [5 * 48, 40, 8, 4]; // tokens, and choices of a question
const WRITTEN = 8; // new tokens of a written answer

/** Requests of `questions`; the examples are the same for all (`first`) or others for each (`random`). */
function requestsOf(questions: number, fewShot: "first" | "random", vocabSize: number): ScoreRequest[] {
  const random = makeRandom(1, "bench", "eval");
  const ids = (length: number) => Array.from({ length }, () => random.int(vocabSize));
  const first = ids(EXAMPLES);
  return Array.from({ length: questions }, () => {
    const context = [...(fewShot === "first" ? first : ids(EXAMPLES)), ...ids(QUESTION)];
    return Array.from({ length: CHOICES }, () => ({ context, continuation: ids(CHOICE) }));
  }).flat();
}

await main(async () => {
  const command = new Command("bench:eval")
    .description("scoring of multiple choice with shared beginnings, without, and by lm-evaluation-harness")
    .option("--python <path>", "a Python with lm_eval 0.4.13")
    .option("--questions <number>", "", wholeNumber("--questions", 1), 64)
    .option("--rounds <number>", "", wholeNumber("--rounds", 1), 3)
    .addOption(new Option("--engine <name>", `auto, ${ENGINES.join(", ")}`).default("auto"));
  const options = parse<{ python?: string; questions: number; rounds: number; engine: string }>(command, process.argv);
  const { python, questions, rounds } = options;
  describeMachine();
  const engine = await startEngine(options.engine);
  const { model, vocabSize } = PRESETS.default;
  const config = { ...model, vocabSize, maxPositionEmbeddings: CONTEXT };
  const parameters = initParameters(config, 1);
  const inference = makeInference(config, CONTEXT, 0);
  const folder = mkdtempSync(join(tmpdir(), "marco-bench-eval-"));
  try {
    await saveModel(folder, parameters, config, 0);
    for (const fewShot of ["first", "random"] as const) {
      const requests = requestsOf(questions, fewShot, vocabSize);
      const apart = requests.map(({ context, continuation }, i) => ({
        context: [i % vocabSize, ...context.slice(1)],
        continuation,
      }));
      const computed = { shared: 0, "not shared": 0 };
      const scoresOf = (name: keyof typeof computed, some: ScoreRequest[]) =>
        inference.score(parameters, some, {
          onProgress: (_done, _total, tokens) => {
            computed[name] = tokens;
          },
        });
      let [ours, theirs]: number[][] = [[], []];
      const seconds = await takeTurns(rounds, {
        shared: async () => {
          ours = (await scoresOf("shared", requests)).map(({ logprob }) => logprob);
        },
        "not shared": async () => {
          await scoresOf("not shared", apart);
        },
        ...(python && {
          HFLM: async () => {
            writeFileSync(join(folder, "requests.json"), JSON.stringify(requests));
            execFileSync(python, ["bench/lm_eval_scores.py", folder], { stdio: ["ignore", "ignore", "inherit"] });
            const { seconds, logprobs } = JSON.parse(readFileSync(join(folder, "scores.json"), "utf8"));
            theirs = logprobs;
            return seconds; // without the start of Python
          },
        }),
      });
      const alone = requests.reduce((sum, one) => sum + one.context.length + one.continuation.length - 1, 0);
      console.log(
        `\n${fewShot}: ${questions} questions of ${CHOICES} choices after ${EXAMPLES} tokens of examples, ${engine.name}`,
      );
      printTimes(seconds, (name) => String(computed[name as keyof typeof computed] ?? alone));
      if (python) {
        const largest = Math.max(...ours.map((x, i) => Math.abs(x - theirs[i])));
        console.log(`largest difference of a log-probability: ${largest.toExponential(1)} nats`);
      }
    }
    const prompts = requestsOf(questions, "first", vocabSize)
      .filter((_, i) => i % CHOICES === 0)
      .map(({ context }) => context);
    const apart = prompts.map((ids, i) => [i % vocabSize, ...ids.slice(1)]);
    const write = async (some: number[][]) => {
      await inference.generate(parameters, some, { maxNewTokens: WRITTEN, stopIds: [] });
    };
    console.log(
      `\n${questions} answers of ${WRITTEN} tokens after the same ${EXAMPLES} tokens of examples, ${engine.name}`,
    );
    const contenders = { shared: () => write(prompts), "not shared": () => write(apart) };
    printTimes(await takeTurns(rounds, contenders), () => "–");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Seconds of each contender, which take turns after a round to warm up; one may say itself how many. */
async function takeTurns(rounds: number, contenders: Record<string, () => Promise<unknown>>) {
  const seconds = Object.fromEntries(Object.keys(contenders).map((name) => [name, [] as number[]]));
  for (let round = -1; round < rounds; round++)
    for (const [name, run] of Object.entries(contenders)) {
      const start = performance.now();
      const told = await run();
      if (round >= 0) seconds[name].push(typeof told === "number" ? told : (performance.now() - start) / 1000);
    }
  return seconds;
}

function printTimes(seconds: Record<string, number[]>, computed: (name: string) => string) {
  printTable([
    ["", "tokens computed", "seconds", "shared is faster by"],
    ...Object.entries(seconds).map(([name, own]) => [
      name,
      computed(name),
      median(own).toFixed(2),
      showInterval(medianInterval(own.map((x, i) => x / seconds.shared[i]))),
    ]),
  ]);
}
