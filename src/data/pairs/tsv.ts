/**
 * @file Tab-separated pairs: two plain columns, and CCAligned's two layouts. A row with another number of columns is
 * quarantined, for a tab inside a field moves all that follows it.
 */
import { headOf, readLines, type SourceFile } from "../files/lines.ts";
import { cleanSide, type Languages, type PairItem } from "./pair.ts";

export interface TsvLayout {
  columns: number;
  /** Columns from 0. */
  source: number;
  target: number;
  /** A similarity, a number. */
  score?: number;
}

export const TSV_LAYOUTS = {
  plain: { columns: 2, source: 0, target: 1 },
  /** Source_Sentence, Target_Sentence, LASER_similarity. */
  ccalignedSentences: { columns: 3, source: 0, target: 1, score: 2 },
  /** Domain, Source_URL, Source_Content, Target_URL, Target_Content. */
  ccalignedDocuments: { columns: 5, source: 2, target: 4 },
} satisfies Record<string, TsvLayout>;

export interface TsvOptions extends Languages {
  file: SourceFile;
  layout?: TsvLayout;
  maxLineBytes?: number;
}

export async function* readTsv(options: TsvOptions): AsyncGenerator<PairItem> {
  const { file, sourceLanguage, targetLanguage, maxLineBytes } = options;
  const layout: TsvLayout = options.layout ?? TSV_LAYOUTS.plain;
  for await (const { number, offset, text, reason, head } of readLines(file, maxLineBytes)) {
    const refuse = (why: string, shown: string): PairItem => ({
      quarantine: { file: file.name, line: number, offset, reason: why, head: shown },
    });
    if (text === null) {
      yield refuse(reason!, head!);
      continue;
    }
    const shown = () => headOf(Buffer.from(text.slice(0, 80)));
    const fields = text.split("\t");
    if (fields.length !== layout.columns) {
      yield refuse(`${fields.length} columns, expected ${layout.columns}`, shown());
      continue;
    }
    const score = layout.score === undefined ? undefined : Number(fields[layout.score].trim() || Number.NaN);
    if (score !== undefined && !Number.isFinite(score)) {
      yield refuse(`column ${layout.score! + 1} is not a number`, shown());
      continue;
    }
    yield {
      pair: {
        id: `${file.name}#${number}`,
        source: cleanSide(fields[layout.source]),
        target: cleanSide(fields[layout.target]),
        sourceLanguage,
        targetLanguage,
        ...(score === undefined ? {} : { givenScore: score }),
      },
    };
  }
}
