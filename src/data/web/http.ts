/** @file The page inside a WARC response: HTTP headers read, the body joined, decompressed and decoded to text. */
import { isUtf8 } from "node:buffer";
import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync } from "node:zlib";

export interface HttpResponse {
  status: number;
  headers: Map<string, string>;
  body: Uint8Array;
}

/** The response in a record's block; a string says why there is none. Bodies of more than `maxBody` bytes are not. */
export function parseHttp(block: Uint8Array, maxBody = 32 << 20): HttpResponse | string {
  const buffer = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
  const crlf = buffer.indexOf("\r\n\r\n", 0, "latin1");
  const lf = buffer.indexOf("\n\n", 0, "latin1");
  const end = crlf >= 0 && (lf < 0 || crlf < lf) ? crlf : lf;
  if (end < 0) return "no end of the HTTP headers";
  const [statusLine, ...lines] = buffer.toString("latin1", 0, end).split(/\r?\n/);
  const status = /^HTTP\/\d(?:\.\d)? (\d{3})/.exec(statusLine);
  if (!status) return "no HTTP status line";
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  let body = buffer.subarray(end + (end === crlf ? 4 : 2));
  if (headers.get("transfer-encoding")?.toLowerCase().includes("chunked")) body = dechunk(body);
  for (const encoding of (headers.get("content-encoding") ?? "").toLowerCase().split(",").reverse()) {
    const decompressed = decompress(body, encoding.trim(), maxBody);
    if (typeof decompressed === "string") return decompressed;
    body = decompressed;
  }
  return body.length > maxBody
    ? `the body has more than ${maxBody} bytes`
    : { status: Number(status[1]), headers, body };
}

/** Archives often hold bodies that were joined already, and chunks that are cut off: what is no chunk is left as it is. */
function dechunk(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  while (at < body.length) {
    const lineEnd = body.indexOf("\r\n", at, "latin1");
    const size = lineEnd < 0 ? null : /^([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?$/.exec(body.toString("latin1", at, lineEnd));
    if (!size) return parts.length === 0 ? body : Buffer.concat([...parts, body.subarray(at)]);
    const length = Number.parseInt(size[1], 16);
    if (length === 0) break;
    parts.push(body.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
  return Buffer.concat(parts);
}

function decompress(body: Buffer, encoding: string, maxOutputLength: number): Buffer | string {
  if (body.length === 0) return body;
  try {
    if (encoding === "gzip" || encoding === "x-gzip")
      return body[0] === 0x1f && body[1] === 0x8b ? gunzipSync(body, { maxOutputLength }) : body; // already done
    if (encoding === "br") return brotliDecompressSync(body, { maxOutputLength });
    if (encoding === "deflate")
      return (body[0] & 15) === 8 ? inflateSync(body, { maxOutputLength }) : inflateRawSync(body, { maxOutputLength });
    return body;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ERR_BUFFER_TOO_LARGE") return `the body is more than ${maxOutputLength} bytes when decompressed`;
    if (encoding === "br") return body; // archives keep the header of bodies that they decompressed
    return `content-encoding ${encoding}: ${message}`;
  }
}

export interface Decoded {
  text: string;
  /** As the WHATWG's encoding standard names it, in lower case. */
  charset: string;
}

/**
 * The text of a page's bytes: by its byte order mark, else UTF-8 where it is that, else by the charset that HTTP or the
 * page declares (HTML standard, 13.2.3). Null where none of them can be: nothing is guessed.
 */
export function decodePage(body: Uint8Array, contentType = ""): Decoded | null {
  const utf16 =
    body[0] === 0xff && body[1] === 0xfe ? "utf-16le" : body[0] === 0xfe && body[1] === 0xff ? "utf-16be" : null;
  const declared = /charset\s*=\s*["']?([\w:.-]+)/i;
  const buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  // What is no byte order mark of UTF-16 and is UTF-8 needs no declaration; TextDecoder takes several times as long.
  if (!utf16 && isUtf8(buffer)) {
    const text = buffer.toString("utf8");
    return { text: text.startsWith("\ufeff") ? text.slice(1) : text, charset: "utf-8" };
  }
  const start = buffer.toString("latin1", 0, 2048);
  const named =
    declared.exec(contentType)?.[1] ?? declared.exec(/<meta[^>]*charset[^>]*>/i.exec(start)?.[0] ?? "")?.[1];
  for (const charset of utf16 ? [utf16] : named ? [named.toLowerCase()] : []) {
    try {
      const decoder = new TextDecoder(charset, { fatal: true });
      return { text: decoder.decode(body), charset: decoder.encoding };
    } catch {}
  }
  return null;
}
