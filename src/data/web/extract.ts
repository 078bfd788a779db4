/**
 * @file The main content of an HTML page as text: Mozilla's Readability chooses it, blocks become lines. Pages are
 * limited in size here; in time by the worker that calls this (src/data/curate/worker.ts).
 */
import { Readability } from "@mozilla/readability";
import { parseHTML } from "linkedom";

export interface Extraction {
  text: string;
  title: string;
}

/** Longest page in characters; longer ones are cut, as browsers' reader modes refuse them. */
const MAX_PAGE = 2_000_000;

/** Elements that begin and end a line. */
const BLOCKS = new Set(
  "ADDRESS ARTICLE ASIDE BLOCKQUOTE BR DD DIV DL DT FIGCAPTION FIGURE FOOTER FORM H1 H2 H3 H4 H5 H6 HEADER HR LI MAIN NAV OL P PRE SECTION TABLE TBODY TD TFOOT TH THEAD TR UL".split(
    " ",
  ),
);
const SKIPPED = new Set("SCRIPT STYLE NOSCRIPT TEMPLATE IFRAME SVG CANVAS OBJECT BUTTON SELECT TEXTAREA".split(" "));

/** Null where there is no main content. */
export function extractMainText(html: string): Extraction | null {
  const { document } = parseHTML(html.slice(0, MAX_PAGE));
  if (!document.documentElement || !document.body) return null;
  const article = new Readability(document as never, { charThreshold: 0 }).parse();
  if (!article?.content) return null;
  const text = blockText(parseHTML(`<!doctype html><html><body>${article.content}</body></html>`).document.body);
  return text === "" ? null : { text, title: (article.title ?? "").trim() };
}

interface DomNode {
  nodeType: number;
  nodeName: string;
  data?: string;
  childNodes: Iterable<DomNode>;
}

/** The text with a line for each block; white space inside a line is one space. */
function blockText(root: unknown): string {
  const lines: string[] = [];
  let line = "";
  const flush = () => {
    const clean = line.replace(/[\s\u00a0]+/g, " ").trim();
    if (clean !== "") lines.push(clean);
    line = "";
  };
  const visit = (node: DomNode) => {
    if (node.nodeType === 3) line += node.data;
    if (node.nodeType !== 1 || SKIPPED.has(node.nodeName.toUpperCase())) return;
    const block = BLOCKS.has(node.nodeName.toUpperCase());
    if (block) flush();
    for (const child of node.childNodes) visit(child);
    if (block) flush();
  };
  visit(root as DomNode);
  flush();
  return lines.join("\n");
}
