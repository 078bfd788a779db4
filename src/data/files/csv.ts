/**
 * @file Records of a CSV file (RFC 4180), the first of which names the columns; memory is that of one record. A record that
 * cannot be used is told with its place, and the ones after it are read.
 */
import { decodeUtf8, headOf, type SourceFile } from "./lines.ts";

export type CsvRecord = { offset: number } & ({ fields: Record<string, string> } | { reason: string; head: string });

const QUOTE = 34;
const COMMA = 44;
const NEWLINE = 10;
/** In place of a quote that closed a field. */
const CLOSED = -1;

export async function* readCsv(file: SourceFile, maxBytes: number): AsyncGenerator<CsvRecord> {
  let names: string[] | undefined;
  let offset = 0; // of the record
  let length = 0; // of it so far
  let held: Uint8Array[] = []; // none of a record that is too long
  let quoted = false; // inside of quotes, where line feeds belong to a field
  let last = COMMA; // the byte before, a comma before the first
  const take = (): CsvRecord | null => {
    const bytes = Buffer.concat(held);
    const bad = (reason: string): CsvRecord => ({ offset, reason, head: headOf(bytes) });
    if (length > maxBytes) return bad(`a record of more than ${maxBytes} bytes; is a quote missing?`);
    const text = decodeUtf8(bytes);
    if (text === null) return bad("not UTF-8");
    const line = text.replace(/\r?\n$/, "");
    if (line === "") return null;
    const fields = fieldsOf(names ? line : line.replace(/^\ufeff/, ""));
    if (!fields) return bad("a quote inside a field without quotes, or text after one with them");
    if (!names) {
      names = fields;
      return null;
    }
    if (fields.length !== names.length) return bad(`${fields.length} fields, expected ${names.length}`);
    return { offset, fields: Object.fromEntries(names.map((name, i) => [name, fields[i]])) };
  };
  const next = () => {
    offset += length;
    length = 0;
    held = [];
    quoted = false;
    last = COMMA;
  };
  for await (const piece of file.open()) {
    if ("damage" in piece) {
      yield {
        offset,
        reason: `${piece.damage.reason} (at byte ${piece.damage.offset} of the file)`,
        head: headOf(piece.damage.head),
      };
      next();
      continue;
    }
    const { bytes } = piece;
    let start = 0;
    for (let i = 0; i < bytes.length; i++) {
      // Quotes open a field at its beginning; one after a closing one is a quote, and the field goes on.
      const closes = quoted && bytes[i] === QUOTE;
      if (bytes[i] === QUOTE) quoted = !quoted && (last === COMMA || last === CLOSED);
      last = closes ? CLOSED : bytes[i];
      const tooLong = length + i + 1 - start > maxBytes;
      if (bytes[i] !== NEWLINE || (quoted && !tooLong)) continue;
      if (!tooLong) held.push(bytes.subarray(start, i + 1));
      length += i + 1 - start;
      start = i + 1;
      const record = take();
      if (record) yield record;
      next();
    }
    const rest = bytes.subarray(start);
    if (rest.length > 0 && length <= maxBytes) held.push(Uint8Array.from(rest));
    length += rest.length;
  }
  if (length > 0) {
    const record = take();
    if (record) yield record;
  }
}

/** Null where quotes do not stand around a whole field. */
function fieldsOf(line: string): string[] | null {
  const fields: string[] = [];
  for (let at = 0; ; at++) {
    if (line[at] === '"') {
      let field = "";
      for (let from = at + 1; ; ) {
        const end = line.indexOf('"', from);
        if (end < 0) return null;
        field += line.slice(from, end);
        at = end + 1;
        if (line[at] !== '"') break;
        field += '"';
        from = at + 1;
      }
      fields.push(field);
    } else {
      const comma = line.indexOf(",", at);
      const field = line.slice(at, comma < 0 ? line.length : comma);
      if (field.includes('"')) return null;
      fields.push(field);
      at += field.length;
    }
    if (at >= line.length) return fields;
    if (line[at] !== ",") return null;
  }
}
