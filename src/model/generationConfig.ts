/**
 * @file How a model directory says that answers are generated: `generation_config.json`, with transformers' rules.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../util/assert.ts";
import { type GenerateOptions, RULES } from "./generateOptions.ts";

/** The defaults of a model's answers. */
export type GenerationDefaults = Pick<
  GenerateOptions,
  | "doSample"
  | "temperature"
  | "topK"
  | "topP"
  | "minP"
  | "repetitionPenalty"
  | "numBeams"
  | "lengthPenalty"
  | "earlyStopping"
  | "maxNewTokens"
> & {
  stopIds: number[];
  /** What the file says beyond that and may change answers: not read. */
  unread: string[];
};

const ids = z.union([z.number().int().nonnegative(), z.array(z.number().int().nonnegative())]);
const from = (name: keyof GenerateOptions) => RULES[name][0].nullish();
const schema = z.looseObject({
  do_sample: from("doSample"),
  temperature: from("temperature"),
  top_k: from("topK"),
  top_p: from("topP"),
  min_p: from("minP"),
  repetition_penalty: from("repetitionPenalty"),
  num_beams: from("numBeams"),
  length_penalty: from("lengthPenalty"),
  early_stopping: from("earlyStopping"),
  max_new_tokens: from("maxNewTokens"),
  eos_token_id: ids.nullish(),
});

/** Keys that change no answer here. */
const HARMLESS = ["bos_token_id", "pad_token_id", "transformers_version", "use_cache", "_from_model_config"];

/** transformers' own default when sampling (`_get_default_generation_params`); it has no other that matters here. */
const TOP_K = 50;

/**
 * What `generation_config.json` of a model directory says, else `config.json`'s `eos_token_id`; the rest as
 * transformers has it. Sampling values without `do_sample` do not count, as there.
 */
export function readGenerationDefaults(directory: string): GenerationDefaults {
  const read = (name: string): Record<string, unknown> | undefined => {
    const path = join(directory, name);
    if (!existsSync(path)) return undefined;
    let json: unknown;
    try {
      json = JSON.parse(readFileSync(path, "utf8"));
    } catch (error) {
      throw new UserError(`${path}: cannot be read (${(error as Error).message.split("\n")[0]}); expected JSON`);
    }
    const parsed = schema.safeParse(json);
    if (parsed.success) return parsed.data;
    const { path: at, message } = parsed.error.issues[0];
    throw new UserError(`${path}: ${at.join(".")}: ${message}; expected a Hugging Face ${name}`);
  };
  const config = read("config.json");
  const json: z.infer<typeof schema> = read("generation_config.json") ?? {
    eos_token_id: config?.eos_token_id as never,
  };
  const eos = json.eos_token_id ?? [];
  const told = Object.entries(json).filter(([, value]) => value !== null && value !== undefined);
  const out: GenerationDefaults = {
    unread: told.map(([key]) => key).filter((key) => !Object.hasOwn(schema.shape, key) && !HARMLESS.includes(key)),
    stopIds: typeof eos === "number" ? [eos] : eos,
    repetitionPenalty: json.repetition_penalty as number,
    maxNewTokens: json.max_new_tokens as number,
  };
  if (json.do_sample)
    Object.assign(out, {
      doSample: true,
      temperature: json.temperature ?? 1,
      topK: json.top_k ?? TOP_K,
      topP: json.top_p ?? 1,
      minP: json.min_p ?? undefined,
    });
  if (Number(json.num_beams ?? 1) > 1)
    Object.assign(out, {
      numBeams: json.num_beams,
      lengthPenalty: json.length_penalty ?? undefined,
      earlyStopping: json.early_stopping ?? undefined,
    });
  return out;
}
