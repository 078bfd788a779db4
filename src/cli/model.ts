/**
 * @file `marco model`: what a model of a size, or of a config.json, has and costs.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { type Command, Option } from "commander";
import { readConfig } from "../model/checkpoint.ts";
import { headDim, type Qwen2Config } from "../model/config.ts";
import { countByPart, flopsPerToken, inferenceMemory, trainingMemory } from "../model/cost.ts";
import { QWEN2_SIZES, type Qwen2Size } from "../model/sizes.ts";
import { UserError } from "../util/assert.ts";
import { wholeNumber } from "./options.ts";

interface Options {
  preset?: Qwen2Size;
  config?: string;
  sequenceLength: number;
  batchSize: number;
  json?: boolean;
}

/** Adds the command to `marco`. */
export function addModelCommand(program: Command) {
  program
    .command("model")
    .description("parameters, FLOPs and memory of a Qwen2 size or of any Qwen2 config.json")
    .addOption(new Option("--preset <size>", "one of Qwen2's sizes").choices(Object.keys(QWEN2_SIZES)))
    .addOption(new Option("--config <path>", "a config.json, or a model directory").conflicts("preset"))
    .option("--sequence-length <tokens>", "tokens of a sequence", wholeNumber("--sequence-length", 1), 4096)
    .option("--batch-size <sequences>", "sequences at once", wholeNumber("--batch-size", 1), 1)
    .option("--json", "exact numbers, for programs")
    .action((options: Options) => {
      const { name, config } = chosen(options);
      const cost = describe(config, options.sequenceLength, options.batchSize);
      console.log(options.json ? JSON.stringify({ name, config, ...cost }, null, 2) : table(name, config, cost));
    });
}

function chosen({ preset, config: path }: Options): { name: string; config: Qwen2Config } {
  if (preset) return { name: `Qwen2-${preset.toUpperCase()}`, config: QWEN2_SIZES[preset] };
  if (path === undefined)
    throw new UserError(`model: say which, with --preset (${Object.keys(QWEN2_SIZES).join(", ")}) or --config <path>`);
  const directory = statSync(path, { throwIfNoEntry: false })?.isDirectory();
  return { name: path, config: readConfig(directory ? join(path, "config.json") : path) };
}

function describe(config: Qwen2Config, sequenceLength: number, batchSize: number) {
  const training = (precision: "float32" | "mixed", gradientCheckpointing: boolean) =>
    trainingMemory(config, { sequenceLength, batchSize, precision, gradientCheckpointing });
  return {
    sequenceLength,
    batchSize,
    parameters: countByPart(config),
    flopsPerToken: flopsPerToken(config, sequenceLength),
    trainingBytes: {
      float32: training("float32", false),
      float32Checkpointing: training("float32", true),
      mixed: training("mixed", false),
      mixedCheckpointing: training("mixed", true),
    },
    inferenceBytes: {
      float32: inferenceMemory(config, batchSize, sequenceLength, "float32"),
      bfloat16: inferenceMemory(config, batchSize, sequenceLength, "bfloat16"),
    },
  };
}

const count = (n: number) => n.toLocaleString("en-US");
const giga = (n: number) => `${(n / 1e9).toLocaleString("en-US", { maximumFractionDigits: 2 })} G`;
function bytes(n: number): string {
  const unit = n >= 2 ** 30 ? 3 : n >= 2 ** 20 ? 2 : 1;
  const value = (n / 1024 ** unit).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  return `${value} ${["", "KiB", "MiB", "GiB"][unit]}`;
}

function table(name: string, config: Qwen2Config, cost: ReturnType<typeof describe>): string {
  const { parameters: p, flopsPerToken: flops, trainingBytes: training, inferenceBytes: inference } = cost;
  const row = (label: string, ...cells: string[]) =>
    `  ${label.padEnd(24)}${cells.map((x) => x.padStart(18)).join("")}`;
  const part = (label: string, n: number) => row(label, count(n), `${((100 * n) / p.total).toFixed(1)} %`);
  const both = <T>(of: Record<string, T>, pick: (x: T) => number) => Object.values(of).map((x) => bytes(pick(x)));
  const tokens = `${count(cost.batchSize)} x ${count(cost.sequenceLength)} tokens`;
  return [
    `${name}: ${config.numHiddenLayers} layers, width ${config.hiddenSize}, ${config.numAttentionHeads} heads of ` +
      `${headDim(config)}, ${config.numKeyValueHeads} of keys and values, MLP ${config.intermediateSize}, ` +
      `vocabulary ${config.vocabSize}, head ${config.tieWordEmbeddings ? "tied" : "not tied"}`,
    "",
    "parameters",
    part("embedding", p.embedding),
    part("attention", p.attention),
    part("MLP", p.mlp),
    part("norms", p.norms),
    part("head", p.head),
    part("total", p.total),
    part("without embedding, head", p.nonEmbedding),
    row("tensors", count(p.tensors)),
    "",
    `operations per token, in sequences of ${count(cost.sequenceLength)}`,
    row("forward", giga(flops.forward), "  2 N +  4 L H D T"),
    row("training", giga(flops.training), "  6 N + 12 L H D T"),
    row("N, weights in products", count(flops.multiplying)),
    "",
    `memory of training with AdamW, ${tokens}, at least`,
    row("", "float32", "checkpointing", "bfloat16 mixed", "checkpointing"),
    row("weights", ...both(training, (x) => x.weights)),
    row("gradients", ...both(training, (x) => x.gradients)),
    row("master weights, moments", ...both(training, (x) => x.optimizer)),
    row("activations", ...both(training, (x) => x.activations)),
    row("attention probabilities", ...both(training, (x) => x.attention)),
    row("logits, their gradient", ...both(training, (x) => x.logits)),
    row("total", ...both(training, (x) => x.total)),
    "",
    `memory of inference, ${tokens}, at least`,
    row("", "float32", "bfloat16"),
    row("weights", ...both(inference, (x) => x.weights)),
    row("KV cache of a token", ...both(inference, (x) => x.cachePerToken)),
    row("KV cache", ...both(inference, (x) => x.cache)),
    row("total", ...both(inference, (x) => x.total)),
  ].join("\n");
}
