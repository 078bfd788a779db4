/**
 * @file What the commands share that ask models: opening them, progress with what was spent, Ctrl-C, the summary, and the
 * exit codes.
 */
import { join } from "node:path";
import type { z } from "zod";
import { claimFolder } from "../data/files/claimFolder.ts";
import { OUTPUT_KINDS } from "../data/files/writeRows.ts";
import type { Identify } from "../data/generated/checks.ts";
import { loadIdentifier } from "../data/language/identify.ts";
import type { BudgetLimits } from "../data/llm/budget.ts";
import type { ChatModel } from "../data/llm/chatModel.ts";
import type { JobCounts } from "../data/llm/job.ts";
import type { ModelRecipe } from "../data/llm/recipe.ts";
import { openSession, type Session } from "../data/llm/session.ts";
import { Stopped, UserError } from "../util/assert.ts";
import { writeWhole } from "../util/runDir.ts";
import { openChatModel } from "./ownModel.ts";
import { startProgress } from "./progress.ts";

/** A model in the recipes that the help shows. */
export const MODEL = { endpoint: "http://localhost:8000/v1", model: "name", key: "API_KEY" };

/** A recipe with its defaults, a key a line; each line is YAML. */
export function recipeHelp(schema: z.ZodType, given: object): string {
  const recipe = schema.parse(given) as object;
  const lines = Object.entries(recipe).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}`);
  return `\nA recipe, with the defaults of what is left out (key: name of the environment variable; or folder: an own model):\n${lines.join("\n")}`;
}

export interface AskingRecipe {
  budget: BudgetLimits;
  concurrency: number;
  retries: number;
  limits: { quarantined: number };
  /** Of texts; more of them begin with the same ones. */
  count?: number;
}

export interface Asking {
  /** A model of the recipe within the budget; each is opened once. */
  open: (recipe: ModelRecipe) => Promise<ChatModel>;
  identify: Identify;
  stop: AbortSignal;
  onProgress: (done: number) => void;
}

export interface AskingOptions<C extends JobCounts> {
  out: string;
  recipe: AskingRecipe;
  /** What is read, and what the recipe names to be read. */
  inputs: readonly string[];
  files?: readonly string[];
  /** Write over the results of another recipe or other inputs; answers stay. */
  force?: boolean;
  json?: boolean;
  /** How many items there are, where it is known. */
  total?: number;
  run: (asking: Asking) => Promise<C>;
  /** Lines after the counts. */
  describeMore?: (counts: C) => string[];
}

/** What a job writes besides its answers. */
const RESULTS = [
  ...["texts", "rows", "pairs"].flatMap((name) => OUTPUT_KINDS.map((kind) => `${name}.${kind}`)),
  ...["ledger.jsonl", "summary.json"],
];

export async function runAsking<C extends JobCounts>(options: AskingOptions<C>) {
  const { out, recipe, inputs, files, force, json, total, run, describeMore } = options;
  const { budget, concurrency, retries, limits, count: _, ...decides } = recipe; // those may change before it goes on
  claimFolder({ out, inputs, files, settings: { recipe: decides }, force, results: RESULTS });
  const controller = new AbortController();
  const progress = startProgress("items");
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
    progress.note("waiting for the answers under way; Ctrl-C again leaves at once");
  };
  process.on("SIGINT", interrupt);
  let session: Session | undefined;
  const identifier = await loadIdentifier();
  const models = new Map<string, Promise<ChatModel>>();
  const open = async (model: ModelRecipe) => {
    session ??= openSession({
      ...{ path: join(out, "answers.jsonl"), budget, concurrency, retries, stop: controller.signal },
    });
    const key = JSON.stringify(model);
    const opened = models.get(key) ?? openChatModel(model);
    models.set(key, opened);
    return session.use(await opened, model.price);
  };
  const start = performance.now();
  const onProgress = (done: number) => {
    const rate = (done / ((performance.now() - start) / 1000)).toFixed(1);
    progress.update(done, total ?? done, `items · ${rate}/s · ${describeSpent(session, budget)}`);
  };
  let counts: C;
  try {
    counts = await run({ open, identify: identifier.identify, stop: controller.signal, onProgress });
  } catch (error) {
    progress.end(`stopped · ${describeSpent(session, budget)}`);
    if (!(error instanceof Stopped)) throw error;
    console.error("the same command goes on from here");
    process.exitCode = 130;
    return;
  } finally {
    process.removeListener("SIGINT", interrupt);
    session?.close();
    identifier.dispose();
  }
  progress.end(`${counts.in} · ${describeSpent(session, budget)}`);
  writeWhole(join(out, "summary.json"), `${JSON.stringify(counts, null, 1)}\n`);
  console.log(json ? JSON.stringify(counts) : [describe(counts), ...(describeMore?.(counts) ?? [])].join("\n"));
  if (counts.quarantined > limits.quarantined * counts.in)
    throw new UserError(
      `${counts.quarantined} of ${counts.in} items could not be read or got no answer, more than limits.quarantined ${limits.quarantined}; ledger.jsonl says why, and the same command asks for what is missing`,
    );
}

/** "12 of 100 requests, 3456 tokens, 30 from before": over all runs, as the budget counts. */
function describeSpent(session: Session | undefined, limits: BudgetLimits): string {
  if (!session) return "no requests";
  const { spent, cached } = session;
  const part = (name: "requests" | "tokens") =>
    `${spent[name]}${limits[name] === undefined ? "" : ` of ${limits[name]}`} ${name}`;
  const money =
    spent.money > 0 || limits.money !== undefined
      ? [`money ${spent.money.toFixed(4)}${limits.money === undefined ? "" : ` of ${limits.money}`}`]
      : [];
  return [part("requests"), part("tokens"), ...money, ...(cached > 0 ? [`${cached} known answers`] : [])].join(", ");
}

function describe({ in: all, kept, dropped, quarantined, reasons, byLanguage }: JobCounts): string {
  const most = Object.entries(reasons).sort(([, a], [, b]) => b - a);
  const languages = Object.entries(byLanguage).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    `${all} in, ${kept} kept, ${dropped} dropped, ${quarantined} quarantined`,
    ...most.map(([reason, count]) => `  ${String(count).padStart(6)}  ${reason}`),
    ...languages.map(([language, counts]) => `${language}: ${counts.kept} kept, ${counts.dropped} dropped`),
  ].join("\n");
}
