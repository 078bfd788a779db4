/** @file The lists of words and addresses that a recipe stands for: ours, its own, and those of the files that it names. */
import { readFileSync } from "node:fs";
import { UserError } from "../../util/assert.ts";
import type { Language } from "../languages.ts";
import { type Blocklist, makeBlocklist } from "../rules/blocklist.ts";
import { GOPHER_STOP_WORDS } from "../rules/gopherQuality.ts";
import { stopWordsOf } from "../rules/stopWords.ts";
import { DEFAULT_URL_LISTS, type UrlLists } from "../web/url.ts";
import type { Recipe } from "./recipe.ts";

export function urlListsOf({ url }: Recipe): Record<keyof UrlLists, string[]> {
  const list = (name: keyof UrlLists) => [...DEFAULT_URL_LISTS[name], ...url[name], ...linesOf(url.files[name])];
  return {
    domains: list("domains"),
    urls: list("urls"),
    hardWords: list("hardWords"),
    softWords: list("softWords"),
    subwords: list("subwords"),
  };
}

export const blocklistOf = ({ blocklist }: Recipe, language: Language): Blocklist =>
  makeBlocklist(language, linesOf(blocklist.files[language]));

/** Gopher's eight words of English; of another language, all that we have. */
export const gopherStopWordsOf = (language: Language) =>
  language === "en" ? GOPHER_STOP_WORDS : stopWordsOf(language);

/** The entries of a list file; none without one. @throws UserError when it cannot be read */
function linesOf(path: string | undefined): string[] {
  if (path === undefined) return [];
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UserError(`${path}: the list cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  return text.split(/\r?\n/).filter((line) => line.trim() !== "" && !line.startsWith("#"));
}
