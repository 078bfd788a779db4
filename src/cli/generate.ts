/**
 * @file `marco generate`: continues a prompt, streamed to standard output; everything else goes to standard error.
 */
import type { Command } from "commander";
import { UserError } from "../util/assert.ts";
import {
  type AnswerFlags,
  answerOptions,
  describeOptions,
  describeSpeed,
  openModel,
  textOf,
  textStream,
  withAnswerFlags,
} from "./answers.ts";

interface Flags extends AnswerFlags {
  prompt?: string;
  lines?: boolean;
  json?: boolean;
}

/** Longest answer when neither the command line nor the model says: less where the context has no room. */
const MAX_NEW_TOKENS = 256;

export const addGenerateCommand = (program: Command) =>
  withAnswerFlags(program.command("generate"))
    .description("continue a prompt with a model")
    .option("--prompt <text>", "what to continue; '-' or none: standard input")
    .option("--lines", "each line is a prompt of its own; answers come together, an empty line between them")
    .option("--json", "one JSON object for each prompt: prompt, text, ids, finishReason")
    .action(run);

async function run(flags: Flags) {
  const prompts = await readPrompts(flags);
  const model = await openModel(flags.model, flags.engine);
  const { tokenizer, defaults, generate, contextLength, engine } = model;
  const options = answerOptions(flags, defaults);
  const ids = prompts.map((prompt) => tokenizer.encode(prompt));
  const room = contextLength - Math.max(...ids.map(({ length }) => Math.max(length, 1)));
  if (room < (flags.maxNewTokens ?? 1))
    throw new UserError(
      `--prompt: ${contextLength - room} tokens, and ${flags.maxNewTokens ?? 1} new, do not fit the model's context of ${contextLength}; shorten the prompt${flags.maxNewTokens ? " or --max-new-tokens" : ""}`,
    );
  const maxNewTokens = flags.maxNewTokens ?? Math.min(room, defaults.maxNewTokens ?? MAX_NEW_TOKENS);
  console.error(`engine ${engine.name}: ${engine.reason}`);
  console.error(`${describeOptions(options, model)}, at most ${maxNewTokens} new tokens`);

  const interrupt = new AbortController();
  process.once("SIGINT", () => interrupt.abort()); // a second one ends the process as it would without this
  const streamed = prompts.length === 1 && !flags.json && !options.numBeams;
  const stream = textStream(tokenizer, flags.stop);
  const onToken = streamed ? (_: number, id: number) => void process.stdout.write(stream.push(id)) : undefined;
  const start = performance.now();
  const answers = await generate(ids, { ...options, maxNewTokens, onToken, signal: interrupt.signal });
  const seconds = (performance.now() - start) / 1000;
  if (streamed) process.stdout.write(`${stream.end()}\n`);
  else {
    const texts = answers.map((answer) => textOf(tokenizer, answer.ids, flags.stop));
    const objects = answers.map((answer, i) => ({ prompt: prompts[i], text: texts[i], ...answer }));
    if (flags.json) for (const object of objects) console.log(JSON.stringify(object));
    else console.log(texts.join("\n\n"));
  }
  const tokens = answers.reduce((sum, answer) => sum + answer.ids.length, 0);
  const reasons = [...new Set(answers.map(({ finishReason }) => finishReason))].join(", ");
  console.error(`${describeSpeed(tokens, seconds)}; ended by ${reasons}`);
  if (interrupt.signal.aborted) process.exitCode = 130;
}

async function readPrompts({ prompt, lines }: Flags): Promise<string[]> {
  if (prompt === undefined && process.stdin.isTTY)
    throw new UserError("--prompt is missing; give it, or send text to standard input");
  const fromInput = prompt === undefined || prompt === "-";
  const text = fromInput ? (await readAll(process.stdin)).replace(/\r?\n$/, "") : prompt;
  const prompts = lines ? text.split(/\r?\n/) : [text];
  if (text === "")
    throw new UserError(`--prompt: ${fromInput ? "standard input" : "the text"} is empty; expected a prompt`);
  return prompts;
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  stream.setEncoding("utf8");
  let text = "";
  for await (const part of stream) text += part;
  return text;
}
