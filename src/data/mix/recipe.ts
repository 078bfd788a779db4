/**
 * @file The stage table of a mixture as a YAML or JSON file: the sources with their streams and files, and for each stage
 * its tokens and shares. Default shares and tokens are the paper's (Tables 2 and 3); unknown keys are errors.
 */
import { z } from "zod";
import { UserError } from "../../util/assert.ts";
import { parseSettings } from "../files/settings.ts";

const schema = z.strictObject({
  /** Tokens of a training sequence (paper section 3.2: 32768 for 1.5B and 7B). */
  sequenceLength: z.number().int().positive(),
  /** Of the order of documents. */
  seed: z.number().int().nonnegative().default(1),
  /** How often a stream may be read through, all stages together; more is an error before anything is trained. */
  maxEpochs: z.number().positive().default(1),
  /** The rows of the table, e.g. `otherHR: {de: [de.jsonl], fr: [fr.jsonl]}`: a row's streams have equal parts. */
  sources: z.record(z.string(), z.record(z.string(), z.array(z.string()).min(1))),
  stages: z
    .array(
      z.strictObject({
        name: z.string(),
        tokens: z.number().positive(),
        shares: z.record(z.string(), z.number().max(1000)),
      }),
    )
    .min(1),
});

export interface MixtureRecipe extends z.infer<typeof schema> {}

/** @throws UserError that names the key. */
export function parseMixtureRecipe(value: unknown, where = "recipe"): MixtureRecipe {
  const recipe = parseSettings(schema, value, where, "marco data mixture --help");
  const owner = new Map<string, string>();
  for (const [source, streams] of Object.entries(recipe.sources)) {
    if (Object.keys(streams).length === 0) throw new UserError(`${where}: sources.${source}: has no streams`);
    for (const stream of Object.keys(streams)) {
      if (!/^[\w-]+$/.test(stream))
        throw new UserError(`${where}: sources.${source}.${stream}: a stream's name is letters, digits, - and _`);
      if (owner.has(stream))
        throw new UserError(`${where}: stream ${stream} is in ${owner.get(stream)} and in ${source}; name it once`);
      owner.set(stream, source);
    }
  }
  const names = recipe.stages.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw new UserError(`${where}: two stages are called ${twice}`);
  for (const { name, shares } of recipe.stages) {
    for (const [source, share] of Object.entries(shares)) {
      if (!(source in recipe.sources))
        throw new UserError(
          `${where}: stage ${name}: no source is called ${source}; there are ${Object.keys(recipe.sources).join(", ")}`,
        );
      if (share < 0)
        throw new UserError(`${where}: stage ${name}: the share of ${source} is ${share}, expected 0 or more`);
    }
    if (Object.values(shares).every((share) => share === 0))
      throw new UserError(`${where}: stage ${name}: all shares are 0`);
  }
  return recipe;
}

/** Shares in millionths, which is how exactly they are kept. */
export const wholeShares = (shares: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(shares).map(([name, share]) => [name, Math.round(share * 1e6)]));
