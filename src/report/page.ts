/** @file The frame that all reports share: one page without network, server or script; sections, charts and tables. */
import { html, Markup } from "./markup.ts";
import { CSS } from "./style.ts";
import type { Cell, Table } from "./tables.ts";

/** The page as text; its policy forbids everything that it does not hold. `sources`: the files that it was made from. */
export function page(title: string, header: Markup, main: (Markup | undefined)[], sources: string): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Markup(CSS)}</style>
</head>
<body>
${header}
<main>
${main}
</main>
<footer><p>Written by marco-mini from ${sources} of this folder.</p></footer>
</body>
</html>
`.text;
}

export function section(id: string, title: string, intro: string, ...content: (Markup | undefined)[]): Markup {
  return html`<section id="${id}">
<h2>${title}</h2>
<p>${intro}</p>
${content}
</section>
`;
}

export const charts = (figures: (Markup | undefined)[]): Markup => html`<div class="charts">${figures}</div>`;

/** Nested settings, folded. */
export function settings(title: string, value: Record<string, unknown>): Markup {
  return html`<details><summary>${title}</summary><div class="scroll"><table class="settings"><tbody>${flatten(
    value,
  ).map(
    ([key, inner]) => html`<tr><th scope="row">${key}</th><td>${inner}</td></tr>`,
  )}</tbody></table></div></details>`;
}

/** Nested settings as lines "a.b.c" -> value. */
function flatten(value: unknown, path = ""): [string, string][] {
  if (typeof value !== "object" || value === null) return [[path, String(value)]];
  if (Array.isArray(value) && value.every((item) => typeof item !== "object")) return [[path, value.join(", ")]];
  return Object.entries(value).flatMap(([key, inner]) => flatten(inner, path === "" ? key : `${path}.${key}`));
}

/** Tables with their captions as headings, side by side where there is room. */
export function tables(...all: Table[]): Markup {
  return html`<div class="tables">${all.map((t) => html`<div><h3>${t.caption}</h3>${table(t)}</div>`)}</div>`;
}

/** Charts to the right of the tables with their numbers; on a phone above them. */
export function beside(figures: (Markup | undefined)[], ...numbers: Table[]): Markup {
  return html`<div class="beside">${charts(figures)}${tables(...numbers)}</div>`;
}

/** A table that scrolls sideways when it is wider than the page. */
export function table({ caption, columns, spans, rows, note }: Table): Markup {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table>
<thead>${
    spans &&
    html`<tr><td></td>${spans.map(([label, width]) => html`<th class="span" scope="colgroup" colspan="${width}">${label}</th>`)}</tr>`
  }<tr><td></td>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
<tbody>${rows.map((row) =>
    row.kind === "group"
      ? html`<tr class="group"><th colspan="${columns.length + 1}" scope="rowgroup"><span>${row.label}</span></th></tr>
`
      : html`<tr${row.kind === "average" && html` class="average"`}><th scope="row">${row.label}</th>${row.cells.map(cell)}</tr>
`,
  )}</tbody></table></div>${note && html`<p class="note">${note}</p>`}`;
}

/** The rounded text, with the exact value for machines (and for the test that compares the page with the results). */
function cell({ text, value, note, tone }: Cell): Markup {
  const shown = value === undefined ? html`${text}` : html`<data value="${value}">${text}</data>`;
  return html`<td${tone && html` class="${tone}"`}>${shown}${note && html` <small>${note}</small>`}</td>`;
}
