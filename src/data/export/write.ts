/** @file The folder of a datatrove export: pipeline.py, its settings, pinned requirements, and what is the same. */
import { copyFileSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../../util/assert.ts";
import { writeWhole } from "../../util/runDir.ts";
import type { Recipe } from "../curate/recipe.ts";
import { type ExportPlan, planExport } from "./plan.ts";

/** As they were compared with ours (test/data/export). datatrove 0.10.1 hashes text, which xxhash 4 refuses. */
const REQUIREMENTS = [
  ...["datatrove==0.10.1", "fasteners==0.20", "orjson==3.13.0", "numpy==2.4.6", "regex==2026.11.15"],
  ...["fasttext-numpy2-wheel==0.9.2", "tldextract==5.4.0", "pyahocorasick==2.3.1", "tokenizers==0.23.3"],
  ...["xxhash==3.5.0", "warcio==1.8.1", "faust-cchardet==3.2.0", "python-magic==0.4.27", "trafilatura==2.3.1"],
  ...["lxml_html_clean", "spacy==3.8.18", "jieba==0.42.1", "pythainlp==5.4.0", "pyvi==0.1.1"],
  ...["indic-nlp-library==0.92", "sudachipy==0.7.0", "sudachidict-core==20261015"],
];

function requirementsOf({ languages, sets }: ExportPlan["settings"]): string[] {
  return [
    ...REQUIREMENTS,
    ...(sets.includes("perplexity") ? ["kenlm==0.3.0"] : []), // is compiled when it is installed
    ...(languages.ko ? ["kiwipiepy==0.24.1"] : []),
    ...(languages.kk ? ["stanza"] : []), // not tested here: it downloads its models
  ];
}

/** Writes the export; returns the notes. @throws UserError when the folder holds something else. */
export function writeExport(recipe: Recipe, out: string): string[] {
  const { settings, notes } = planExport(recipe);
  if (existsSync(out) && readdirSync(out).length > 0 && !existsSync(join(out, "settings.json")))
    throw new UserError(`--out ${out}: is not empty and holds no export; choose another folder`);
  mkdirSync(out, { recursive: true });
  copyFileSync(fileURLToPath(new URL("pipeline.py", import.meta.url)), join(out, "pipeline.py"));
  writeWhole(join(out, "settings.json"), `${JSON.stringify(settings, null, 1)}\n`);
  writeWhole(join(out, "requirements.txt"), `${requirementsOf(settings).join("\n")}\n`);
  writeWhole(join(out, "README.md"), readme(notes));
  return notes;
}

const readme = (notes: readonly string[]) => `# A web recipe for datatrove

\`\`\`sh
python3.11 -m venv venv && venv/bin/pip install -r requirements.txt
venv/bin/python pipeline.py --input FOLDER --output FOLDER                  # this machine; --tasks, --workers
venv/bin/python pipeline.py --input FOLDER --output FOLDER --executor slurm --partition cpu --tasks 1000
venv/bin/python pipeline.py --input FOLDER --output FOLDER --executor ray --tasks 1000
\`\`\`

## The same

Limits of every rule in \`settings.json\`, the order of the rules, lists of addresses and words, the language model (lid.176;
\`--lid-model\` names the compressed one, which marco-mini uses), MinHash's permutations, bands, rows and hashes.

## Not the same

- Words are datatrove's (spaCy and others), so numbers that count words differ a little; most in Chinese, Japanese, Thai.
- Language is that of the whole text by fastText alone; marco-mini reads samples of it, without code, and asks CLD3 about
  Indonesian, Malay, Nepali and their neighbours.
- Pages' content is trafilatura's (\`--warc\`); marco-mini has Readability.
- Of near duplicates datatrove keeps the root of its tree, marco-mini the first document. Texts of fewer words than a
  shingle are never duplicates in datatrove.
- The registered domain is by the public suffix list; marco-mini has a short list.
${notes.map((note) => `- This recipe: ${note}.\n`).join("")}`;
