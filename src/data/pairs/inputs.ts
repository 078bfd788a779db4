/** @file Files of parallel text by their names: .tmx, .tsv, or two of the Moses layout, NAME.en and NAME.de. */
import { basename } from "node:path";
import { UserError } from "../../util/assert.ts";
import { readPieces } from "../files/bytes.ts";
import type { SourceFile } from "../files/lines.ts";
import { readMoses } from "./moses.ts";
import type { Languages, PairItem } from "./pair.ts";
import { readTmx } from "./tmx.ts";
import { readTsv, type TsvLayout } from "./tsv.ts";

const fileOf = (path: string): SourceFile => ({ name: basename(path), open: () => readPieces(path) });
const bare = (path: string) => path.replace(/\.(?:gz|zst)$/, "");

/**
 * What reads all pairs of the files, in their order; a Moses file stands where its source side does.
 * @throws UserError at once for files of unknown kinds and sides without the other.
 */
export function makePairReader(paths: readonly string[], languages: Languages, layout: TsvLayout) {
  const readers = planReaders(paths, languages, layout);
  return async function* (): AsyncGenerator<PairItem> {
    for (const read of readers) yield* read();
  };
}

function planReaders(paths: readonly string[], languages: Languages, layout: TsvLayout) {
  const { sourceLanguage, targetLanguage } = languages;
  const readers: (() => AsyncGenerator<PairItem>)[] = [];
  const targets = new Map<string, string>();
  const endings = [sourceLanguage, targetLanguage].map((language) => `.${language}`);
  for (const path of paths)
    if (bare(path).endsWith(endings[1])) targets.set(bare(path).slice(0, -endings[1].length), path);
  for (const path of paths) {
    const name = bare(path);
    if (name.endsWith(".tmx")) readers.push(() => readTmx({ file: fileOf(path), ...languages }));
    else if (name.endsWith(".tsv")) readers.push(() => readTsv({ file: fileOf(path), layout, ...languages }));
    else if (name.endsWith(endings[0])) {
      const stem = name.slice(0, -endings[0].length);
      const target = targets.get(stem);
      if (!target) throw new UserError(`${path}: its other side ${stem}${endings[1]} is not among the files`);
      targets.delete(stem);
      readers.push(() => readMoses({ source: fileOf(path), target: fileOf(target), ...languages }));
    } else if (!name.endsWith(endings[1]))
      throw new UserError(
        `${path}: unknown kind of file; expected .tmx, .tsv, or two files that end in ${endings.join(" and ")}, each also .gz or .zst`,
      );
  }
  for (const [stem, path] of targets)
    throw new UserError(`${path}: its other side ${stem}${endings[0]} is not among the files`);
  return readers;
}
