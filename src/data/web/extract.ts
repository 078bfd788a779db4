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

/** The element itself, not its HTML, which would be parsed again; nobody reads classes or JSON-LD here. */
const OPTIONS = {
  charThreshold: 0,
  keepClasses: true,
  disableJSONLD: true,
  serializer: (element: unknown) => element as DomNode,
};

/** What a page says is no main content. trafilatura leaves out the same; Readability would choose the footer of a list. */
const AROUND = "nav, footer, aside, [role=navigation], [role=contentinfo]";
/** What it says is. Readability looks for paragraphs, and passes over lists and tables. */
const INSIDE = "main, article, [role=main]";
/** Readability's own measure of too little text, in UTF-16 units. */
const LITTLE = 500;

/** Null where there is no main content. Of a page with little of it, what the page marks as such, if that is more. */
export function extractMainText(html: string): Extraction | null {
  const page = withBody(html.slice(0, MAX_PAGE));
  const { document } = parseHTML(page);
  if (!document.documentElement || !document.body) return null;
  document.querySelectorAll(AROUND).forEach((node) => void node.remove());
  const article = new Readability<DomNode>(document as never, OPTIONS).parse();
  let text = article?.content ? blockText(article.content) : "";
  if (text.length < LITTLE) {
    const again = parseHTML(page).document;
    again.querySelectorAll(AROUND).forEach((node) => void node.remove());
    const marked = again.querySelector(INSIDE);
    const whole = marked ? blockText(marked as unknown as DomNode) : "";
    if (whole.length > text.length) text = whole;
  }
  return text === "" ? null : { text, title: (article?.title ?? "").trim() };
}

/** HTML lets a page leave out the tags of html, head and body; linkedom does not put them in. */
function withBody(html: string): string {
  let page = html;
  if (!/<body[\s>]/i.test(page)) {
    if (/<\/head\s*>/i.test(page)) page = page.replace(/<\/head\s*>/i, "$&<body>");
    else if (/<html[\s>]/i.test(page)) page = page.replace(/<html(?:\s[^>]*)?>/i, "$&<body>");
    else page = `<body>${page}`;
  }
  return /<html[\s>]/i.test(page) ? page : `<html>${page}</html>`;
}

interface DomNode {
  nodeType: number;
  nodeName: string;
  data?: string;
  childNodes: Iterable<DomNode>;
}

/** The text with a line for each block; white space inside a line is one space. */
function blockText(root: DomNode): string {
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
  visit(root);
  flush();
  return lines.join("\n");
}
