/**
 * @file Knowledge data from files to training text (paper section 3.1.3): what overlaps benchmarks goes, then equal and near
 * equal texts by n-grams, then texts that mean the same. Rows are {text} or chats of any layout; chats become text.
 *
 * `out` holds knowledge.*, ledger.jsonl, summary.json, report.html, recipe.json, and work/ to go on from.
 */
import { join } from "node:path";
import { Stopped, UserError } from "../../util/assert.ts";
import { plainText } from "../chats/plainText.ts";
import { chatText, prepareFiles, start } from "../chats/prepare.ts";
import { readChat } from "../chats/readChat.ts";
import { repairTurns } from "../chats/turns.ts";
import { writeCurationReport } from "../curate/report.ts";
import { claimFolder } from "../files/claimFolder.ts";
import type { RowItem } from "../files/readRows.ts";
import type { Identify } from "../pairs/pairRules.ts";
import { codePoints } from "../rules/pythonText.ts";
import { type Candidate, openCandidates, type SelectionLine } from "../selection/candidates.ts";
import { dropAlike, dropEqual, dropNear } from "../selection/duplicates.ts";
import { makeSelection, type SelectionSummary } from "../selection/selection.ts";
import { type Embedder, embedAll } from "../selection/vectors.ts";
import { type Benchmarks, readBenchmarks } from "./benchmarks.ts";
import type { KnowledgeRecipe } from "./recipe.ts";

export const KNOWLEDGE_STAGES = ["text", "decontaminate", "exact", "minHash", "semantic"] as const;

export interface KnowledgeRun {
  inputs: readonly string[];
  /** Files of evaluation sets. */
  benchmarks: readonly string[];
  out: string;
  recipe: KnowledgeRecipe;
  identify?: Identify;
  embedder?: Embedder;
  onProgress?: (step: string, done: number, total: number | null) => void;
  stop?: AbortSignal;
}

/** Runs the recipe; goes on from where an earlier run of the same recipe and inputs stopped. @throws Stopped */
export async function runKnowledge(options: KnowledgeRun): Promise<SelectionSummary> {
  const { inputs, benchmarks, out, recipe, identify, embedder, onProgress, stop } = options;
  if (recipe.decontaminate && benchmarks.length === 0)
    throw new UserError("no benchmarks; expected files with --benchmarks, or decontaminate: false in the recipe");
  const settings = { recipe, embedder: embedder?.name ?? null };
  claimFolder({ out, inputs, settings, files: benchmarks });
  const known = recipe.decontaminate ? await readBenchmarks(benchmarks, recipe.decontaminate, identify) : undefined;
  const candidates = await openCandidates(join(out, "work", "candidates.jsonl"), () =>
    prepareFiles(
      inputs,
      (source, item) => {
        if (stop?.aborted) throw new Stopped();
        return prepareText(source, item, known, identify);
      },
      (rows) => onProgress?.("read", rows, null),
    ),
  );
  try {
    const selection = makeSelection(candidates);
    if (!known) selection.skip("decontaminate", "off in the recipe");
    else for (const name of ["items", "tooShort", "ngrams"] as const) selection.tell(`benchmarks.${name}`, known[name]);
    const textOf = (candidate: Candidate) => candidate.row!.text as string;
    onProgress?.("duplicates", 0, null);
    if (recipe.exact) dropEqual(selection, selection.alive(), textOf);
    if (recipe.minHash) dropNear(selection, selection.alive(), textOf, recipe.minHash);
    if (!recipe.semantic) selection.skip("semantic", "off in the recipe");
    else if (!embedder) selection.skip("semantic", "no --embedder: nothing else tells meanings apart");
    else {
      const items = selection.alive();
      const textsOf = (i: number) => [textOf(candidates.read(i))];
      const progress = (done: number, total: number) => onProgress?.("embeddings", done, total);
      dropAlike(
        selection,
        items,
        await embedAll({ out, embedder, items, textsOf, onProgress: progress, stop }),
        recipe.semantic.below,
      );
    }
    const summary = selection.finish({ out, name: "knowledge", kind: recipe.output, stages: KNOWLEDGE_STAGES });
    await writeCurationReport(out, KNOWLEDGE_STAGES);
    return summary;
  } finally {
    candidates.close();
  }
}

function prepareText(source: string, item: RowItem, known?: Benchmarks, identify?: Identify): Candidate {
  const { ordinal, offset } = item;
  const line: SelectionLine = {
    ...{ id: `${source}#${ordinal}`, source, ordinal, offset, url: null, language: null, characters: 0 },
    ...{ outcome: "kept", stage: null, reason: null, measures: [] },
  };
  const quarantined = (reason: string, head: string): Candidate => ({
    line: { ...line, outcome: "quarantined", reason, start: start(head) },
    row: null,
  });
  if ("reason" in item) return quarantined(item.reason, item.head);
  const read = readText(item.row);
  if (typeof read === "string") return quarantined(read, JSON.stringify(item.row));
  const { text, flags, id, language, bad } = read;
  if (id !== null) line.id = id;
  if (flags.length > 0) line.flags = flags;
  line.start = start(text);
  const dropped = (stage: string, reason: string): Candidate => ({
    line: { ...line, outcome: "dropped", stage, reason },
    row: null,
  });
  if (bad !== null) {
    line.notes = { text: bad };
    return dropped("text", "bad_turns");
  }
  if (!/[\p{L}\p{N}]/u.test(text)) return dropped("text", "empty");
  line.characters = codePoints(text);
  line.language = language ?? identify?.(text).language ?? null;
  const found = known?.decontaminator.check(text, line.language ?? "und");
  const stage = "decontaminate";
  if (known) line.measures.push({ stage, rule: "decontaminate.ngram", value: found ? 1 : 0, limit: 0, keep: "atMost" });
  if (found) {
    line.contamination = found;
    return dropped(stage, "decontaminate.ngram");
  }
  return { line, row: { id: line.id, language: line.language ?? "und", text } };
}

/** The text of a row with `text`, or of a chat; in one line why it is neither. */
function readText(row: Row) {
  if (typeof row.text !== "string") {
    const chat = readChat(row);
    if (typeof chat === "string") return `no text, ${chat}`;
    const turns = repairTurns(chat.messages);
    const bad = "bad" in turns ? turns.bad : null;
    const text = chatText("bad" in turns ? chat.messages : turns.messages);
    return { text, flags: [...chat.flags], id: chat.id, language: chat.language, bad };
  }
  const { text, flags } = plainText(row.text);
  const name = (value: unknown) => (typeof value === "string" && value !== "" ? value : null);
  const id = typeof row.id === "number" ? String(row.id) : name(row.id);
  return { text, flags, id, language: name(row.language) ?? name(row.lang), bad: null };
}

type Row = Record<string, unknown>;
