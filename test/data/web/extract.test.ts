/** @file The main content of pages: what is around it goes, and what is in lists or without the usual tags is found. */
import { describe, expect, test } from "vitest";
import { extractMainText } from "../../../src/data/web/extract.ts";

const text = "Nobody knows how the first boat was built, or who dared to step into it on a cold morning by the sea.";
const paragraphs = `<p>${Array(6).fill(text).join("</p>\n<p>")}</p>`;
const lines = Array(6).fill(text).join("\n");

describe("tags that HTML lets a page leave out", () => {
  test.each([
    ["none is left out", `<!doctype html><html><head><title>Boats</title></head><body>${paragraphs}</body></html>`],
    ["body", `<html><head><title>Boats</title></head>${paragraphs}</html>`],
    ["html", `<body>${paragraphs}</body>`],
    ["head and body", `<html lang="en">${paragraphs}`],
    ["all", paragraphs],
    ["all, after a doctype", `<!DOCTYPE html>\n${paragraphs}`],
  ])("%s", (_, html) => expect(extractMainText(html)?.text).toBe(lines));
});

test("navigation, footer and side columns are not content, and are not chosen where there is little else", () => {
  const around = (inside: string) =>
    `<html><body><nav><a href="/">Home</a></nav>${inside}<aside><p>${text}</p></aside><footer><p>${text}</p></footer></body></html>`;
  expect(extractMainText(around(`<main>${paragraphs}</main>`))?.text).toBe(lines);
  expect(extractMainText(around("<main><h1>Units</h1><ul><li>metre<li>second</ul></main>"))?.text).toBe(
    "Units\nmetre\nsecond",
  );
});

test("a list in an article is found as a whole, a line for each entry", () => {
  const entries = Array.from({ length: 30 }, (_, i) => `entry ${i} of the list`);
  const html = `<html><body><article><ul>${entries.map((e) => `<li><code>${e}</code></li>`).join("")}</ul></article></body></html>`;
  expect(extractMainText(html)?.text).toBe(entries.join("\n"));
});

test("row 16: a page without text has no main content", () => {
  for (const html of ["", " ", "<html></html>", "<html><body><script>x()</script></body></html>", "<!--"])
    expect(extractMainText(html)).toBeNull();
});
