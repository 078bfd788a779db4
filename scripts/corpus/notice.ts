/** corpus/NOTICE.md: for every package the corpus takes text from, its licence and copyright notices. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fetchPackage, packageVersion } from "./fetch.ts";
import { FACT_PACKAGES, SOURCES, type Source } from "./sources.ts";

const INTRODUCTION = `# Notices for the corpus

The texts in this folder were taken from the packages below and changed: cleaned, deduplicated, thinned and split
(scripts/corpus). Each keeps its licence. \`records-mpl.jsonl.br\` alone is under the Mozilla Public License 2.0: this
Source Code Form is subject to the terms of the Mozilla Public License, v. 2.0. If a copy of the MPL was not distributed
with this file, You can obtain one at https://mozilla.org/MPL/2.0/. \`facts.json\` comes from the packages marked so.
The Universal Declaration of Human Rights is a text of the United Nations.
`;

/** Licence texts are printed once; packages with the same text are listed above it. */
export function makeNotice(): string {
  const facts = Object.values(FACT_PACKAGES).map(
    (name): Pick<Source, "package" | "licence" | "files"> => ({
      package: name,
      licence: name === FACT_PACKAGES.core ? "Unicode-3.0" : "MIT",
      files: /^(supplemental\/(territoryInfo|currencyData)|countries\.min)\.json$/,
    }),
  );
  const byText = new Map<string, string[]>();
  for (const source of [...SOURCES, ...facts]) {
    const copyright = "copyright" in source && source.copyright ? `. ${source.copyright}` : "";
    const use = facts.includes(source) ? " (facts.json)" : "";
    const line = `- ${source.package} ${packageVersion(source.package)}, ${source.licence}${use}${copyright}`;
    const text = licenceText(source);
    byText.set(text, [...(byText.get(text) ?? []), line]);
  }
  const sections = [...byText].map(([text, lines]) => `${lines.join("\n")}\n\n${fence(text)}`);
  return `${INTRODUCTION}\n${sections.join("\n\n")}\n`;
}

const fence = (text: string) => `\`\`\`text\n${text}\n\`\`\``;

/** The package's own licence file(s); for those without, the standard text with its copyright line. */
function licenceText(source: Pick<Source, "package" | "licence" | "files"> & { copyright?: string }): string {
  if (source.licence === "MPL-2.0") return "Mozilla Public License 2.0, see above.";
  const folder = fetchPackage(source.package, source.files);
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice)/i.test(file) && !/licenses$/i.test(file));
  const texts = files.sort().map((file) => readFileSync(join(folder, file), "utf8"));
  if (texts.length > 0)
    return texts
      .join("\n")
      .replace(/\r\n?/g, "\n")
      .replace(/[^\S\n]+$/gm, "")
      .trim();
  if (source.licence === "MIT") return MIT.replace("COPYRIGHT", source.copyright!);
  return licenceText(SOURCES.find(({ package: name }) => name === "matrix-react-sdk")!);
}

const MIT = `MIT License

COPYRIGHT

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;
