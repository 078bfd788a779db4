/**
 * @file Greedy generation with src/model/inference.ts as a contender of bench/generation.ts: the twin of
 * bench/generation.py. Prefill is a generation of one token.
 *
 *     npx tsx bench/generator.ts onnx B 8 64 64 2      engine, config, prompts, their length, new tokens, warm-up runs
 *     run 3       -> {"seconds": [one per generation], "prefill_seconds": [...], "tokens": the last generation's}
 */
import { startEngine } from "../src/engine/engine.ts";
import { makeInference } from "../src/model/inference.ts";
import { CONFIGS, GENERATION_WIDTH, makeParameters, makeTokens } from "./configs.ts";
import { answer, nextCommand } from "./serve.ts";

const [engine, letter] = process.argv.slice(2);
const [batch, promptLength, newTokens, warmup] = process.argv.slice(4).map(Number);
const { model } = CONFIGS[letter];

await startEngine(engine);
const parameters = makeParameters(model, GENERATION_WIDTH);
const prompts = Array.from({ length: batch }, (_, b) => [...makeTokens(`prompt.${b}`, promptLength, model.vocabSize)]);
const inference = makeInference(model, promptLength + newTokens, 0);

async function generate(maxNewTokens: number) {
  const start = performance.now();
  const tokens = await inference.generate(parameters, prompts, { maxNewTokens, stopIds: [] });
  return { tokens, seconds: (performance.now() - start) / 1000 };
}

async function run(count: number) {
  const seconds: number[] = [];
  const prefillSeconds: number[] = [];
  let tokens: number[][] = [];
  for (let i = 0; i < count; i++) {
    prefillSeconds.push((await generate(1)).seconds);
    const whole = await generate(newTokens);
    seconds.push(whole.seconds);
    tokens = whole.tokens;
  }
  return { seconds, prefill_seconds: prefillSeconds, tokens };
}

answer({ ready: true, contender: engine, warmup: await run(warmup) });
for (;;) answer(await run(nextCommand()));
