/** @file WARC files made by hand, for tests. */
import { gzipSync } from "node:zlib";

export interface MadeRecord {
  url?: string | null;
  type?: string;
  body: string | Uint8Array;
  /** HTTP headers of a response, or null for a record without HTTP. */
  http?: string[] | null;
  contentType?: string;
  contentLength?: number;
  /** More header lines of the record. */
  lines?: string[];
}

export function makeRecord(record: MadeRecord, index = 0): Buffer {
  const { url = `https://example.org/${index}`, type = "response", body, http = ["Content-Type: text/html"] } = record;
  const bytes = typeof body === "string" ? Buffer.from(body) : Buffer.from(body);
  const block =
    type === "response" && http !== null
      ? Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\n${http.join("\r\n")}\r\n\r\n`), bytes])
      : bytes;
  const header = [
    "WARC/1.0",
    `WARC-Type: ${type}`,
    `WARC-Record-ID: <urn:uuid:${index}>`,
    "WARC-Date: 2026-01-01T00:00:00Z",
    ...(url === null ? [] : [`WARC-Target-URI: ${url}`]),
    ...(record.lines ?? []),
    `Content-Type: ${record.contentType ?? "application/http; msgtype=response"}`,
    `Content-Length: ${record.contentLength ?? block.length}`,
  ].join("\r\n");
  return Buffer.concat([Buffer.from(`${header}\r\n\r\n`), block, Buffer.from("\r\n\r\n")]);
}

/** Plain, one gzip member for each record, or one for all. */
export function makeWarc(records: MadeRecord[], compression: "none" | "records" | "whole" = "none"): Buffer {
  const made = records.map(makeRecord);
  if (compression === "records") return Buffer.concat(made.map((record) => gzipSync(record)));
  return compression === "whole" ? gzipSync(Buffer.concat(made)) : Buffer.concat(made);
}
