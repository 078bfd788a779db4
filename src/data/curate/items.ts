/**
 * @file What comes in: pages of WARC files, text of WET files, rows of JSON Lines and Parquet files; each damaged place is an item of its
 * own, so that everything that was there is counted.
 */
import { basename } from "node:path";
import { UserError } from "../../util/assert.ts";
import { type Damage, readPieces } from "../files/bytes.ts";
import { isRowFile, type Row, readRows } from "../files/readRows.ts";
import { parseHttp } from "../web/http.ts";
import { isDamage, readWarc, type WarcRecord } from "../web/warc.ts";

export interface Item {
  id: string;
  source: string;
  /** Number in its source, from 0. */
  ordinal: number;
  offset: number;
  url: string | null;
  /** HTML, or text that needs no extraction, or why it cannot be read. */
  content:
    | { kind: "html"; body: Uint8Array; contentType: string }
    | { kind: "text"; text: string }
    | { kind: "damage"; reason: string; head: string };
}

const HTML = new Set(["text/html", "application/xhtml+xml"]);

/**
 * The documents of a file, by its name: .warc, .wet, .txt (one document), .jsonl, .json, each also with .gz or .zst, and
 * .parquet.
 */
export async function* readItems(path: string): AsyncGenerator<Item> {
  const source = basename(path);
  const kind = isRowFile(path) ? "rows" : /\.(warc|wet|txt)(\.gz|\.zst)?$/.exec(source)?.[1];
  if (!kind)
    throw new UserError(
      `${path}: unknown kind of file; expected .warc, .wet, .jsonl, .json or .txt, or those with .gz or .zst, or .parquet`,
    );
  const damaged = ({ reason, head }: Omit<Damage, "offset">): Item["content"] => ({
    ...{ kind: "damage", reason },
    head: Buffer.from(head).toString("latin1"),
  });
  let ordinal = 0;
  const item = (offset: number, id: string | null, url: string | null, content: Item["content"]): Item => ({
    ...{ id: id ?? `${source}#${ordinal}`, source, ordinal: ordinal++, offset, url, content },
  });

  if (kind === "warc" || kind === "wet") {
    for await (const record of readWarc(readPieces(path))) {
      if (isDamage(record)) yield item(record.offset, null, null, damaged(record));
      else {
        const content = contentOf(record);
        if (content) yield item(record.offset, record.id, record.url, content);
      }
    }
    return;
  }
  if (kind === "txt") {
    const parts: Uint8Array[] = [];
    for await (const piece of readPieces(path)) {
      if ("damage" in piece) yield item(piece.damage.offset, null, null, damaged(piece.damage));
      else parts.push(piece.bytes);
    }
    const body = Buffer.concat(parts);
    yield item(0, null, null, { kind: "html", body, contentType: "text/plain" });
    return;
  }
  for await (const row of readRows(path)) {
    if ("row" in row) yield rowItem(row.row, row.offset, item);
    else yield item(row.offset, null, null, { kind: "damage", reason: row.reason, head: row.head });
  }
}

/** A row {text, id?, url?}; other keys are not looked at. */
function rowItem(
  row: Row,
  offset: number,
  item: (offset: number, id: string | null, url: string | null, content: Item["content"]) => Item,
): Item {
  const { text, id, url } = row;
  if (typeof text !== "string") {
    const head = JSON.stringify(row).slice(0, 80);
    return item(offset, null, null, { kind: "damage", reason: 'no "text"', head });
  }
  const content: Item["content"] = { kind: "text", text };
  return item(offset, typeof id === "string" ? id : null, typeof url === "string" ? url : null, content);
}

/** Of a page or a text; null of the records that hold neither (requests, metadata, images). */
function contentOf(record: WarcRecord): Item["content"] | null {
  const type = (name: string | undefined) => (name ?? "").split(";")[0].trim().toLowerCase();
  if (record.type === "conversion") {
    if (type(record.headers.get("content-type")) !== "text/plain") return null;
    return { kind: "html", body: record.block, contentType: "text/plain; charset=utf-8" };
  }
  if (record.type !== "response") return null;
  const http = parseHttp(record.block);
  if (typeof http === "string")
    return { kind: "damage", reason: http, head: Buffer.from(record.block.subarray(0, 80)).toString("latin1") };
  const contentType = http.headers.get("content-type") ?? record.headers.get("warc-identified-payload-type") ?? "";
  const identified = type(record.headers.get("warc-identified-payload-type")) || type(contentType);
  if (http.status >= 300 || !HTML.has(identified)) return null;
  return { kind: "html", body: http.body, contentType };
}
