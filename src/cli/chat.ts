/**
 * @file `marco chat`: a conversation with a fine-tuned model, on a terminal or from a pipe (a message a line).
 * Answers go to standard output as they come, notes to standard error.
 */
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Command } from "commander";
import { z } from "zod";
import { type ChatMessage, defaultSystemOf, renderChat } from "../tokenizer/chatTemplate.ts";
import { UserError } from "../util/assert.ts";
import { writeWhole } from "../util/runDir.ts";
import {
  type AnswerFlags,
  answerOptions,
  describeOptions,
  describeSpeed,
  type OpenModel,
  openModel,
  textOf,
  textStream,
  withAnswerFlags,
} from "./answers.ts";

interface Flags extends AnswerFlags {
  system?: string;
  save?: string;
  load?: string;
}

const HELP = `/reset          forget the conversation, keep the system message
/system TEXT    another system message (without TEXT: the model's own), and forget the conversation
/help           this
/exit           leave; so does the end of input
Ctrl-C          stop the answer; again: leave`;

/** Longest answer when neither the command line nor the model says. */
const MAX_NEW_TOKENS = 512;

export const addChatCommand = (program: Command) =>
  withAnswerFlags(program.command("chat"))
    .description("talk with a fine-tuned model; /help in it lists its commands")
    .option("--system <text>", "system message (default: that of the model's chat template)")
    .option("--save <file>", "keep the conversation in this file, as JSON")
    .option("--load <file>", "go on with a conversation that --save kept")
    .action(run);

async function run(flags: Flags) {
  const loaded = flags.load === undefined ? [] : readTranscript(flags.load);
  if (flags.save !== undefined) checkWritable(flags.save);
  const model = await openModel(flags.model, flags.engine);
  const defaultSystem = defaultSystemOf(flags.model);
  const own = loaded[0]?.role === "system" ? loaded[0].content : undefined;
  let system = flags.system ?? own;
  let turns = loaded.filter(({ role }) => role !== "system");
  let count = turns.length / 2; // so that no two answers draw the same random numbers

  const { imEnd, endOfText } = model.tokenizer.special;
  const stopIds = [...new Set([...model.defaults.stopIds, imEnd, endOfText])];
  const options = { ...answerOptions(flags, model.defaults), stopIds };
  const note = (text: string) => console.error(`[${text}]`);
  console.error(`engine ${model.engine.name}: ${model.engine.reason}`);
  console.error(describeOptions(options, model));
  if (process.stdin.isTTY) console.error("/help lists the commands");

  const withSystem = (messages: ChatMessage[]): ChatMessage[] =>
    system === undefined ? messages : [{ role: "system", content: system }, ...messages];
  const save = () => {
    if (flags.save !== undefined) writeWhole(flags.save, `${JSON.stringify(withSystem(turns), null, 1)}\n`);
  };
  const render = (messages: ChatMessage[]) =>
    renderChat(model.tokenizer, withSystem(messages), { defaultSystem, addGenerationPrompt: true }).inputIds;

  let answering: AbortController | null = null;
  let interrupted = false;
  const interrupt = () => {
    if (interrupted) process.exit(130);
    interrupted = true;
    if (answering) answering.abort();
    else {
      note("Ctrl-C again, or /exit, leaves");
      if (process.stdin.isTTY) lines.prompt();
    }
  };
  const lines = createInterface({ input: process.stdin, output: process.stdin.isTTY ? process.stdout : undefined });
  lines.on("SIGINT", interrupt); // Ctrl-C on a terminal
  process.on("SIGINT", interrupt); // the signal itself
  lines.setPrompt("> ");
  if (process.stdin.isTTY) lines.prompt();
  for await (const line of lines) {
    interrupted = false;
    const [, command, argument = ""] = /^\/(\S*)\s*(.*)$/.exec(line) ?? [];
    if (command === "exit") break;
    if (command === "help") console.error(HELP);
    else if (command === "reset" || command === "system") {
      if (command === "system") system = argument || undefined;
      turns = [];
      note(command === "reset" ? "a new conversation" : `system message: ${system ?? defaultSystem ?? "none"}`);
    } else if (command !== undefined) note(`there is no command /${command}; /help lists them`);
    else if (line.trim() !== "") {
      answering = new AbortController();
      const asked: ChatMessage[] = [...turns, { role: "user", content: line }];
      const content = await answer(
        model,
        asked,
        { ...flags, options: seeded(options, count++), render, note },
        answering.signal,
      );
      answering = null;
      if (content !== null) turns = [...asked, { role: "assistant", content }];
      save();
    }
    if (process.stdin.isTTY) lines.prompt();
  }
  save();
  process.removeListener("SIGINT", interrupt);
  if (interrupted) process.exitCode = 130;
}

type Options = ReturnType<typeof answerOptions>;

const seeded = (options: Options, turn: number): Options =>
  options.doSample ? { ...options, seed: options.seed! + turn } : options;

interface Answering extends Flags {
  options: Options;
  render: (messages: ChatMessage[]) => number[];
  note: (text: string) => void;
}

/** Writes the answer to the last message and returns it; null when the message does not fit the context. */
async function answer(
  { tokenizer, defaults, generate, contextLength }: OpenModel,
  messages: ChatMessage[],
  { maxNewTokens: asked, options, render, note }: Answering,
  signal: AbortSignal,
): Promise<string | null> {
  const longest = asked ?? defaults.maxNewTokens ?? MAX_NEW_TOKENS;
  const reserved = asked ?? Math.min(longest, Math.ceil(contextLength / 4));
  let dropped = 0;
  let ids = render(messages);
  while (ids.length + reserved > contextLength && dropped + 1 < messages.length) {
    dropped += 2; // a message and its answer
    ids = render(messages.slice(dropped));
  }
  if (ids.length + reserved > contextLength) {
    note(`${ids.length} tokens and an answer of ${reserved} do not fit the context of ${contextLength}; write less`);
    return null;
  }
  if (dropped > 0)
    note(`the oldest ${dropped} of ${messages.length} messages do not fit the context of ${contextLength} any more`);
  const maxNewTokens = Math.min(longest, contextLength - ids.length);
  const stream = textStream(tokenizer, options.stopStrings);
  const onToken = options.numBeams ? undefined : (_: number, id: number) => void process.stdout.write(stream.push(id));
  const start = performance.now();
  const [result] = await generate([ids], { ...options, maxNewTokens, onToken, signal });
  const seconds = (performance.now() - start) / 1000;
  const text = textOf(tokenizer, result.ids, options.stopStrings);
  process.stdout.write(`${onToken ? stream.end() : text}\n`);
  const ended = { stop: "", length: "; cut at the greatest length", aborted: "; stopped" }[result.finishReason];
  note(`${describeSpeed(result.ids.length, seconds)}${ended}`);
  return text;
}

const transcript = z.array(z.strictObject({ role: z.enum(["system", "user", "assistant"]), content: z.string() }));

/** Messages as --save writes them: system or not, then question and answer in turn. */
function readTranscript(path: string): ChatMessage[] {
  const bad = (reason: string) => new UserError(`--load ${path}: ${reason}; expected a conversation that --save wrote`);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw bad(
      error instanceof SyntaxError ? "is not JSON" : `cannot be read (${(error as NodeJS.ErrnoException).code})`,
    );
  }
  const { success, data, error } = transcript.safeParse(json);
  if (!success) throw bad(`${error.issues[0].path.join(".") || "the file"}: ${error.issues[0].message}`);
  const turns = data[0]?.role === "system" ? data.slice(1) : data;
  const wrong = turns.findIndex(({ role }, i) => role !== (i % 2 === 0 ? "user" : "assistant"));
  if (wrong >= 0) throw bad(`message ${wrong + data.length - turns.length} is the ${turns[wrong].role}'s out of turn`);
  if (turns.length % 2 === 1) throw bad("the last message has no answer");
  return data;
}

/** Says so before the conversation, not after it. */
function checkWritable(path: string) {
  try {
    if (existsSync(path)) accessSync(path, constants.W_OK);
    else writeWhole(path, "[]\n");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(`--save ${path}: cannot be written (${code}); choose a file that you may write to`);
  }
}
