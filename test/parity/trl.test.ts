/**
 * @file Training steps beside TRL 1.16's own, on every engine: losses, gradient norms, log-probabilities, rewards and the
 * rest of its panel. `npm run parity -- --suite trl` runs all cases and all steps; docs/trl.md says where the two differ.
 */
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { startEngine } from "../../src/engine/engine.ts";
import { makeTokenizer } from "../../src/tokenizer/bpe.ts";
import { type ChatMessage, renderChat } from "../../src/tokenizer/chatTemplate.ts";
import { sftLoss } from "../../src/train/sft.ts";
import { ENGINES } from "../engines.ts";
import { FULL, onEveryEngine, SLOW } from "./engines.ts";
import { measure } from "./measure.ts";
import { noiseParameters } from "./noise.ts";
import { ALLOWED, AWAY, compareCase, readTrl, runCase, sftRun } from "./trlCases.ts";

const QWEN25_SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";
const suite = readTrl();
const caseOf = (name: string) => suite.cases.find((one) => one.name === name)!;

onEveryEngine((engine) => {
  test.each(["dpo sigmoid, accumulated", "sft packed"])("%s", async (name) => {
    const one = caseOf(name);
    const differences = await compareCase(one, suite, FULL && !SLOW.includes(engine) ? one.steps : 2);
    for (const [quantity, difference] of Object.entries(differences))
      expect(difference ?? 0, quantity).toBeLessThanOrEqual(ALLOWED);
    expect(differences.loss).not.toBeNull();
  });
}, ENGINES);

describe.skipIf(FULL)("engine onnx", () => {
  beforeAll(async () => {
    await startEngine("onnx");
  });

  test("another loss than TRL's is far off: the comparison can fail", async () => {
    const differences = await compareCase({ ...caseOf("dpo sigmoid"), loss_type: ["hinge"] }, suite, 2);
    expect(differences.loss).toBeGreaterThan(0.1);
    expect(differences["grad norm"]).toBeGreaterThan(0.1);
    expect(differences.rewards).toBeGreaterThan(100 * ALLOWED); // of the second step; those of the first are the same
  });

  test("DPO: TRL averages micro-batches whatever is in them; ours averages pairs, as if there were none", async () => {
    const one = caseOf("dpo uneven micro-batches"); // 2, 2, 2 and 1 pairs
    const [{ loss: asTrl }] = await runCase(one, suite);
    const [{ loss: ours }] = await runCase({ ...one, averaged: "as we do" }, suite);
    const [{ loss: whole }] = await runCase(
      { ...one, per_device_train_batch_size: 7, gradient_accumulation_steps: 1 },
      suite,
    );
    expect(asTrl).toBeCloseTo(suite.golden[one.name].loss[0], 5);
    expect(ours).toBeCloseTo(whole, 5);
    expect(Math.abs(asTrl - whole)).toBeGreaterThan(0.001);
  });

  test("SFT: TRL's loss averages the tokens of the step as ours does, its entropy the micro-batches", async () => {
    const one = caseOf("sft accumulated");
    const golden = suite.golden[one.name];
    const parts = sftRun(one, suite).batchAt(0);
    const tokens: number[] = [];
    const entropies: number[] = [];
    const parameters = noiseParameters(suite.config, suite.seed, AWAY);
    for (const { numItemsInBatch, ...part } of parts) {
      numItemsInBatch.dispose();
      const { metrics } = await measure(sftLoss(suite.config, { metrics: "full" }), parameters, part);
      tokens.push(metrics.answer_tokens);
      entropies.push(metrics.entropy);
    }
    tf.dispose(parameters);
    const mean = (xs: number[]) => xs.reduce((a, b) => a + b, 0) / xs.length;
    expect(mean(entropies)).toBeCloseTo(golden.entropy[0], 5);
    const [ours] = await runCase(one, suite, 1);
    expect(ours.loss).toBeCloseTo(golden.loss[0], 5);
    expect(ours.entropy).toBeCloseTo(mean(entropies.map((x, i) => x * tokens[i])) / mean(tokens), 5);
    expect(Math.abs(ours.entropy - golden.entropy[0])).toBeGreaterThan(0.001);
  });
});

describe("conversations, a byte as a token", () => {
  const tokenizer = makeTokenizer(Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)));
  const [imEnd, lineBreak] = [tokenizer.special.imEnd, 10];
  const render = (messages: ChatMessage[], addGenerationPrompt = false) =>
    renderChat(tokenizer, messages, { defaultSystem: QWEN25_SYSTEM, addGenerationPrompt });

  test("SFT: the same ids; TRL also trains the line breaks before and after an answer, ours the answer and its end", () => {
    for (const { messages, input_ids, labels } of suite.chats) {
      const { inputIds, lossMask } = render(messages);
      expect(inputIds).toEqual(input_ids);
      const isExtra = (t: number) =>
        input_ids[t] === lineBreak && labels[t] !== -100 && (labels[t - 1] === -100 || labels[t - 1] === imEnd);
      expect(labels.map((label, t) => (label !== -100 && !isExtra(t) ? 1 : 0))).toEqual(lossMask);
      expect(labels.filter((_, t) => isExtra(t))).toHaveLength(
        2 * messages.filter(({ role }) => role === "assistant").length,
      );
    }
  });

  test("DPO: the prompt ends with the answer's header; TRL's answer ends with a line break after ours", () => {
    const { prompt, prompt_ids, ...answers } = suite.pair;
    expect(render(prompt, true).inputIds).toEqual(prompt_ids);
    for (const side of ["chosen", "rejected"] as const)
      expect(answers[`${side}_ids`]).toEqual([...tokenizer.encode(answers[side][0].content), imEnd, lineBreak]);
  });
});

describe("what TRL logged", () => {
  test("label_smoothing does nothing to its sigmoid loss; ours is cDPO", () => {
    const [plain, smoothed] = [suite.golden["dpo sigmoid"], suite.golden["dpo sigmoid with label smoothing"]];
    for (const name of Object.keys(smoothed)) expect(smoothed[name], name).toEqual(plain[name].slice(0, 3));
  });

  test("a precomputed reference gives the numbers of an online one", () => {
    expect(suite.golden["dpo precomputed reference"]).toEqual(suite.golden["dpo sigmoid"]);
  });

  test("has every name of its panel in every DPO case", () => {
    const of = (metrics: string[], sides: string[]) =>
      metrics.flatMap((metric) => sides.map((side) => `${metric}/${side}`));
    const names = [
      ...["loss", "grad_norm", "learning_rate", "num_tokens", "entropy", "mean_token_accuracy"],
      ...of(["logits", "logps", "rewards"], ["chosen", "rejected"]),
      ...of(["rewards"], ["margins", "accuracies"]),
    ];
    for (const [name, golden] of Object.entries(suite.golden))
      if (name.startsWith("dpo")) expect(Object.keys(golden).sort(), name).toEqual(names.sort());
  });
});
