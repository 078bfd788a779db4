/**
 * The paper's own numbers that the report prints beside ours (arXiv 2412.04003). Constants, not results: the paper
 * trains 1.5B to 72B parameters on 300 billion tokens, so only directions and shares compare with a miniature.
 */

export type Group = "HR" | "LR" | "other";

export interface PaperRow {
  /** Language code or source, as in results.json. */
  name: string;
  label: string;
  group: Group;
  available: number;
  used: number;
  utilisation: number;
}

/** Table 1: billions of tokens collected and used, and utilisation in per cent as printed; the paper's order. */
const TABLE_1_ROWS: [
  name: string,
  label: string,
  group: Group,
  available: number,
  used: number,
  utilisation: number,
][] = [
  ["en", "English", "HR", 1459.7, 90.4, 6.2],
  ["zh", "Chinese", "HR", 214.7, 48.2, 22.4],
  ["ar", "Arabic", "HR", 45.8, 10.6, 23],
  ["de", "German", "HR", 442.8, 10.6, 2.4],
  ["es", "Spanish", "HR", 397.8, 10.6, 2.7],
  ["fr", "French", "HR", 320.8, 10.6, 3.3],
  ["ko", "Korean", "HR", 41.8, 10.6, 25.2],
  ["ja", "Japanese", "HR", 224.2, 10.6, 4.7],
  ["pt", "Portuguese", "HR", 145.3, 10.6, 7.3],
  ["tr", "Turkish", "HR", 80.6, 10.6, 13.1],
  ["bn", "Bengali", "LR", 6.5, 1.9, 28.7],
  ["he", "Hebrew", "LR", 11.3, 1.9, 16.4],
  ["id", "Indonesian", "LR", 23.8, 1.9, 7.8],
  ["it", "Italian", "LR", 56.3, 1.9, 3.3],
  ["ms", "Malay", "LR", 2.9, 1.9, 64.4],
  ["nl", "Dutch", "LR", 31.3, 1.9, 6],
  ["pl", "Polish", "LR", 45.3, 1.9, 4.1],
  ["ru", "Russian", "LR", 251, 1.9, 0.7],
  ["th", "Thai", "LR", 8.3, 1.9, 22.4],
  ["uk", "Ukrainian", "LR", 18.4, 1.9, 10.1],
  ["ur", "Urdu", "LR", 8.7, 1.9, 21.4],
  ["vi", "Vietnamese", "LR", 24.4, 1.9, 7.6],
  ["cs", "Czech", "LR", 270.2, 1.9, 0.7],
  ["el", "Greek", "LR", 376.8, 1.9, 0.5],
  ["hu", "Hungarian", "LR", 214.4, 1.9, 0.9],
  ["kk", "Kazakh", "LR", 16.8, 1.9, 11.1],
  ["ro", "Romanian", "LR", 160, 1.9, 1.2],
  ["az", "Azerbaijani", "LR", 19.4, 1.9, 9.6],
  ["ne", "Nepali", "LR", 22.6, 1.9, 8.2],
  ["parallel", "Parallel data", "other", 103, 20.8, 20.2],
  ["knowledge", "Knowledge", "other", 65, 16.4, 25.2],
  ["synthetic", "Synthetic", "other", 6, 4.4, 73.3],
];

export const TABLE_1: PaperRow[] = TABLE_1_ROWS.map(([name, label, group, available, used, utilisation]) => ({
  name,
  label,
  group,
  available,
  used,
  utilisation,
}));

/** The last line of Table 1 as printed; the columns above add to a little more, because they are rounded. */
export const TABLE_1_TOTAL = { available: 5115.9, used: 300.0, utilisation: 5.9 };

/** Accuracy of the 7B models by language: Qwen2, then Marco-LLM (the paper's headline results over 29 languages). */
export const ACCURACY_7B = {
  en: { base: 77.4, marco: 77.9 },
  zh: { base: 75.8, marco: 76.0 },
  average: { base: 69.4, marco: 75.5 },
} as const;

const BY_NAME = new Map(TABLE_1.map((row) => [row.name, row]));

/** The paper's line for a language or source of results.json, if it has one. */
export function paperRow(name: string): PaperRow | undefined {
  return BY_NAME.get(name);
}

/** "Nepali" for "ne"; a name that the paper does not have stays as it is. */
export function labelOf(name: string): string {
  return BY_NAME.get(name)?.label ?? name;
}

/** HR, LR or other; languages that the paper does not have are "other". */
export function groupOf(name: string): Group {
  return BY_NAME.get(name)?.group ?? "other";
}
