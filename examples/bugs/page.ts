/** @file The gallery as one HTML page that needs no server and loads nothing. */
import { CSS, html, Markup } from "marco-mini";
import { type Bug, type Caught, codeOf, type Lines, type Picture } from "./bug.ts";
import { figure } from "./chart.ts";

/** What the script found out about a bug. */
export interface Exhibit {
  family: string;
  bug: Bug;
  /** What the property says of the product's code: undefined, unless something is wrong with us. */
  correct: Caught | undefined;
  /** What it says of the broken code: undefined, unless the property is too weak. */
  caught: Caught | undefined;
  /** Absent when pictures were left out. */
  picture?: Picture;
}

const STYLE = `
article { padding: 26px 0 8px; border-top: 1px solid var(--line); margin-top: 22px; }
article h3 { font-size: 19px; margin: 0 0 2px; letter-spacing: -0.01em; }
article h3 a { color: inherit; text-decoration: none; }
.number { color: var(--soft); font-weight: 400; margin-right: 8px; }
.exhibit { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 470px); gap: 10px 48px; align-items: start; }
.exhibit p { margin: 6px 0 10px; } .said { color: var(--soft); font-size: 14px; } .shows { color: var(--soft); font-size: 13.5px; }
.claim { border-left: 3px solid var(--good); padding-left: 12px; } .found { border-left: 3px solid var(--bad); padding-left: 12px; }
.claim small, .found small, .where { color: var(--soft); font-size: 12.5px; display: block; }
pre { margin: 2px 0 10px; padding: 10px 12px; background: var(--card); border-radius: 8px; overflow-x: auto;
  font: 12px/1.55 ui-monospace, "Noto Sans Mono", monospace; }
pre ins, pre del { text-decoration: none; display: block; white-space: pre-wrap; } pre ins { color: var(--good); } pre del { color: var(--bad); }
.broken { color: var(--bad); } .key { display: inline !important; font-weight: 600; margin-right: 16px; }
.key::before { content: "━ "; } .keys { margin-top: 2px; }
.contents { columns: 3 280px; column-gap: 40px; padding: 0; list-style: none; } .contents li { break-inside: avoid; padding: 1px 0; font-size: 14px; }
.contents li.family { font-weight: 600; color: var(--soft); font-size: 12.5px; padding-top: 9px; break-after: avoid; }
@media (max-width: 860px) { .exhibit { grid-template-columns: 1fr; } }
@media print { article { break-inside: avoid; } pre { white-space: pre-wrap; } }
`;

const listing = ({ file, line, text }: Lines, mark: "ins" | "del", sign: string) =>
  html`<span class="where">${file}:${line}</span><pre>${text.map((code) =>
    mark === "ins" ? html`<ins>${sign} ${code}</ins>` : html`<del>${sign} ${code}</del>`,
  )}</pre>`;

function exhibit({ bug, correct, caught, picture }: Exhibit, number: number): Markup {
  const { right, wrong } = codeOf(bug);
  const { project, url, said } = bug.issue;
  return html`<article id="${bug.id}">
<h3><span class="number">${number}</span><a href="#${bug.id}">${bug.title}</a></h3>
<div class="exhibit"><div>
<p class="said"><a href="${url}">${project} ${url.replace(/^.*\/(\d+)$/, "#$1").replace(/^http.*/, "")}</a>: ${said}</p>
<p>${bug.lesson}</p>
${listing(right, "ins", "+")}${listing(wrong, "del", "−")}
<p class="claim"><small>Property</small>${bug.claim}</p>
${correct && html`<p class="found broken"><small>fails for our own code</small><code>${correct.counterexample}</code> ${correct.said}</p>`}
<p class="found"><small>${
    caught
      ? `Smallest counterexample to the broken code: input ${caught.tried} of seed ${caught.seed}, shrunk`
      : "The property does not catch the broken code"
  }</small>${caught && html`<code>${caught.counterexample}</code><br>${caught.said}`}</p>
</div>${picture && figure(picture)}</div>
</article>`;
}

/** The page of these exhibits, in their order. */
export function renderGallery(exhibits: readonly Exhibit[]): string {
  const families = [...new Set(exhibits.map(({ family }) => family))];
  const numberOf = (e: Exhibit) => exhibits.indexOf(e) + 1;
  const of = (family: string) => exhibits.filter((e) => e.family === family);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A gallery of training bugs</title>
<style>${new Markup(CSS + STYLE)}</style>
</head>
<body>
<header>
<p class="kicker">marco-mini · ${exhibits.length} defects of public trainers, metrics and loaders</p>
<h1>A gallery of training bugs</h1>
<p class="lead">Each of these was in a real project, and hardly any of them crashed. For each there is a property that holds for the code here and fails for
the broken variation of it, the smallest counterexample that fast-check found, and what the bug does to a run of a tiny Qwen2 or to a real metric.
Green is the code of this project, orange is the same with the bug.</p>
</header>
<main>
<ol class="contents">${families.map((family) => [
    html`<li class="family">${family}</li>`,
    of(family).map((e) => html`<li>${numberOf(e)} <a href="#${e.bug.id}">${e.bug.title}</a></li>`),
  ])}</ol>
${families.map((family) => html`<section><h2>${family}</h2>${of(family).map((e) => exhibit(e, numberOf(e)))}</section>`)}
</main>
<footer><p>Written by examples/bug-gallery.ts. Code lines are read from the files at the time of writing; every picture is a run of this machine.</p></footer>
</body>
</html>
`.text;
}
