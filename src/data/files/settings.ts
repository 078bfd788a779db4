/** @file Recipes: YAML or JSON files, checked strictly against a schema; a mistake is one line that names the key. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { z } from "zod";
import { UserError } from "../../util/assert.ts";

/** The value with its defaults. @throws UserError that names the key; `help`: where the keys are listed. */
export function parseSettings<S extends z.ZodType>(schema: S, value: unknown, where: string, help: string): z.infer<S> {
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0];
  throw new UserError(`${where}: ${path.join(".") || "recipe"}: ${message}; see ${help}`);
}

/** Reads a file and gives its content to `check`. @throws UserError when it cannot be read or is neither YAML nor JSON. */
export function readSettings<T>(path: string, check: (value: unknown, where: string) => T): T {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UserError(`--recipe ${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  try {
    return check(parse(text), path);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`--recipe ${path}: ${(error as Error).message.split("\n")[0]}; expected YAML or JSON`);
  }
}
