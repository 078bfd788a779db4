/**
 * @file A model's own way to answer, read as transformers reads it, and how the command line's flags go with it.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type AnswerFlags, answerOptions } from "../../src/cli/answers.ts";
import { readGenerationDefaults } from "../../src/model/generationConfig.ts";

const folder = mkdtempSync(join(tmpdir(), "marco-generation-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

function defaultsOf(generation: object | string | undefined, config: object = { eos_token_id: 9 }) {
  rmSync(join(folder, "generation_config.json"), { force: true });
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const text = typeof generation === "string" ? generation : JSON.stringify(generation);
  if (generation !== undefined) writeFileSync(join(folder, "generation_config.json"), text);
  return readGenerationDefaults(folder);
}

/** As Qwen2-7B-Instruct has it. */
const INSTRUCT = {
  ...{ bos_token_id: 151643, pad_token_id: 151643, do_sample: true, eos_token_id: [151645, 151643] },
  ...{ repetition_penalty: 1.05, temperature: 0.7, top_p: 0.8, top_k: 20, transformers_version: "4.37.0" },
};

test("Qwen2-Instruct's samples; flags go before it, and --greedy and --beams put the sampling aside", () => {
  const defaults = defaultsOf(INSTRUCT);
  const options = (flags: Partial<AnswerFlags>) => {
    const given = answerOptions({ model: "", engine: "", ...flags }, defaults);
    return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  };
  const common = { stopIds: [151645, 151643], repetitionPenalty: 1.05 };
  const sampling = { doSample: true, temperature: 0.7, topK: 20, topP: 0.8, seed: 1 };
  expect(defaults.unread).toEqual([]);
  expect(options({})).toEqual({ ...common, ...sampling });
  expect(options({ topK: 0, minP: 0.1, seed: 4 })).toEqual({ ...common, ...sampling, topK: 0, minP: 0.1, seed: 4 });
  expect(options({ greedy: true, repetitionPenalty: 1 })).toEqual({ ...common, repetitionPenalty: 1 });
  expect(options({ beams: 3 })).toEqual({ ...common, numBeams: 3 });
  expect(options({ beams: 1 })).toEqual(common);
});

test("sampling without top_k takes transformers' 50; sampling values without do_sample do not count", () => {
  expect(defaultsOf({ do_sample: true })).toMatchObject({ temperature: 1, topK: 50, topP: 1 });
  const greedy = defaultsOf({ temperature: 0.3, top_p: 0.5, eos_token_id: 7 });
  expect(answerOptions({ model: "", engine: "" }, greedy)).toEqual({ stopIds: [7] });
});

test("without the file, config.json says what ends an answer; with it, config.json does not", () => {
  expect(defaultsOf(undefined).stopIds).toEqual([9]);
  expect(defaultsOf(undefined, {}).stopIds).toEqual([]);
  expect(defaultsOf({ do_sample: false }).stopIds).toEqual([]);
});

test("beams of the file count until something else is asked for", () => {
  const defaults = defaultsOf({ num_beams: 4, length_penalty: 0.5, early_stopping: "never" });
  const beams = { numBeams: 4, lengthPenalty: 0.5, earlyStopping: "never" };
  expect(answerOptions({ model: "", engine: "" }, defaults)).toMatchObject(beams);
  expect(answerOptions({ model: "", engine: "", beams: 2 }, defaults)).toMatchObject({ ...beams, numBeams: 2 });
  expect(answerOptions({ model: "", engine: "", temperature: 0.5 }, defaults)).not.toHaveProperty("numBeams");
  const both = defaultsOf({ num_beams: 4, do_sample: true });
  expect(() => answerOptions({ model: "", engine: "" }, both)).toThrow("add --greedy, --beams or --temperature");
});

test("what is not read is named; what is wrong is refused", () => {
  expect(defaultsOf({ no_repeat_ngram_size: 3, typical_p: null, max_length: 20 }).unread).toEqual([
    "no_repeat_ngram_size",
    "max_length",
  ]);
  const path = join(folder, "generation_config.json");
  expect(() => defaultsOf("{")).toThrow(`${path}: cannot be read (`);
  expect(() => defaultsOf({ top_p: 2 })).toThrow(`${path}: top_p: `);
  expect(() => defaultsOf({ eos_token_id: "x" })).toThrow(`${path}: eos_token_id: `);
});
