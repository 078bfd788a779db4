/**
 * @file TMX (Translation Memory eXchange 1.4b), streamed: one translation unit in memory at a time. Language variants
 * (`en-US` is `en`), entities, inline elements: their native codes (`bpt`, `ept`, `ph`, `it`, `ut`) are dropped, what
 * `hi` encloses stays. Markup is ASCII, so it is found in the bytes; each text is decoded by itself.
 */
import type { Piece } from "../files/bytes.ts";
import { decodeUtf8, headOf, type SourceFile } from "../files/lines.ts";
import { cleanSide, type Languages, type PairItem } from "./pair.ts";

export interface TmxOptions extends Languages {
  file: SourceFile;
  maxUnitBytes?: number;
}

const MAX_UNIT_BYTES = 1 << 20;
/** What may stand between units, or hide a unit's end. */
const MARK = /<!--|<!\[CDATA\[|<\?|<tu(?=[\s>/])|<\/tu\s*>/g;
const LONGEST_MARK = 64;

export async function* readTmx(options: TmxOptions): AsyncGenerator<PairItem> {
  const { file, maxUnitBytes = MAX_UNIT_BYTES } = options;
  let text = ""; // bytes as Latin-1, from `base` on
  let base = 0;
  let at = 0; // everything before is looked at
  let unit = -1; // where the open unit starts
  let hidden: string | null = null; // what ends the open comment or CDATA section
  let skipping = false;
  let number = 0;
  const quarantine = (offset: number, reason: string, bytes: string): PairItem => ({
    quarantine: {
      file: file.name,
      line: number,
      offset,
      reason,
      head: headOf(Buffer.from(bytes.slice(0, 80), "latin1")),
    },
  });

  for await (const piece of toUtf8(file.open())) {
    if ("damage" in piece) {
      const { offset, reason, head } = piece.damage;
      yield { quarantine: { file: file.name, line: number, offset, reason, head: headOf(head) } };
      [text, base, at, unit, hidden, skipping] = ["", base + text.length, 0, -1, null, false];
      continue;
    }
    text += Buffer.from(piece.bytes.buffer, piece.bytes.byteOffset, piece.bytes.length).toString("latin1");
    for (;;) {
      if (hidden !== null) {
        const end = text.indexOf(hidden, at);
        if (end < 0) {
          at = Math.max(at, text.length - 2);
          break;
        }
        at = end + hidden.length;
        hidden = null;
      }
      MARK.lastIndex = at;
      const mark = MARK.exec(text);
      if (!mark) {
        at = Math.max(at, text.length - LONGEST_MARK);
        break;
      }
      at = mark.index + mark[0].length;
      if (mark[0] === "<!--") hidden = "-->";
      else if (mark[0] === "<![CDATA[") hidden = "]]>";
      else if (mark[0] === "<?") hidden = "?>";
      else if (mark[0] === "<tu") {
        if (unit >= 0) yield quarantine(base + unit, "a <tu> inside a <tu>", text.slice(unit, unit + 80));
        number++;
        unit = mark.index;
        skipping = false;
        const close = /^[^<>]*\/>/.exec(text.slice(at, at + maxUnitBytes));
        if (close) {
          yield quarantine(base + unit, "an empty <tu/>", text.slice(unit, at + close[0].length));
          at += close[0].length;
          unit = -1;
        }
      } else if (unit >= 0) {
        if (!skipping) yield readUnit(text.slice(unit, at), base + unit, number, options, quarantine);
        unit = -1;
        skipping = false;
      }
    }
    if (unit >= 0 && !skipping && text.length - unit > maxUnitBytes) {
      yield quarantine(base + unit, `a <tu> of more than ${maxUnitBytes} bytes`, text.slice(unit, unit + 80));
      skipping = true;
    }
    const done = unit >= 0 && !skipping ? unit : at;
    text = text.slice(done);
    base += done;
    at -= done;
    if (unit >= 0) unit = skipping ? 0 : unit - done;
  }
  if (unit >= 0 && !skipping) yield quarantine(base + unit, "the file ends inside a <tu>", text.slice(unit, unit + 80));
}

/** TMX may be UTF-16: then it is made UTF-8, and offsets are of that. */
async function* toUtf8(pieces: AsyncIterable<Piece>): AsyncGenerator<Piece> {
  let decoder: TextDecoder | null | undefined;
  for await (const piece of pieces) {
    if ("damage" in piece) {
      yield piece;
      continue;
    }
    const { bytes, offset } = piece;
    if (decoder === undefined && bytes.length > 0) {
      const little = bytes[0] === 0xff && bytes[1] === 0xfe;
      const big = bytes[0] === 0xfe && bytes[1] === 0xff;
      decoder = little || big ? new TextDecoder(little ? "utf-16le" : "utf-16be") : null;
    }
    yield decoder ? { bytes: Buffer.from(decoder.decode(bytes, { stream: true })), offset } : piece;
  }
}

const TOKEN =
  /<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<\?[\s\S]*?\?>|<(\/?)([A-Za-z][\w:.-]*)((?:[^<>"']|"[^"]*"|'[^']*')*)>|[^<]+|</g;
const DROPPED = new Set(["bpt", "ept", "ph", "it", "ut"]);

function readUnit(
  xml: string,
  offset: number,
  number: number,
  { file, sourceLanguage, targetLanguage }: TmxOptions,
  quarantine: (offset: number, reason: string, bytes: string) => PairItem,
): PairItem {
  const segments: { language: string; text: string }[] = [];
  let problem: string | null = null;
  let language = "";
  let inside = false; // a <seg>
  let codes = 0; // open elements with native codes
  let id = `${file.name}#${number}`;
  const append = (bytes: string, entities: boolean) => {
    const text = decodeUtf8(Buffer.from(bytes, "latin1"));
    if (text === null) problem ??= "not UTF-8";
    const plain = text !== null && entities ? decodeEntities(text) : text;
    if (text !== null && plain === null) problem ??= "an entity that XML does not have";
    segments[segments.length - 1].text += plain ?? "";
  };
  for (const [token, cdata, slash, name, attributes] of xml.matchAll(TOKEN)) {
    if (name === undefined) {
      const isText = cdata !== undefined || !token.startsWith("<");
      if (isText && inside && codes === 0) append(cdata ?? token, cdata === undefined);
      else if (token === "<") problem ??= "a < that begins no element";
      continue;
    }
    const empty = attributes.endsWith("/");
    if (name === "tu" && slash === "") id = attribute(attributes, "tuid") ?? id;
    else if (name === "tuv" && slash === "")
      language = attribute(attributes, "xml:lang") ?? attribute(attributes, "lang") ?? "";
    else if (name === "seg") {
      inside = slash === "" && !empty;
      codes = 0;
      if (slash === "") segments.push({ language, text: "" });
    } else if (inside && DROPPED.has(name) && !empty) codes = Math.max(0, codes + (slash === "" ? 1 : -1));
  }
  if (problem !== null) return quarantine(offset, problem, xml);
  const textOf = (wanted: string) => cleanSide(segmentOf(segments, wanted) ?? "");
  // A unit without one of the languages has an empty side: the rules drop it, and it is counted.
  return {
    pair: { id, source: textOf(sourceLanguage), target: textOf(targetLanguage), sourceLanguage, targetLanguage },
  };
}

/** The segment of exactly this language, or else of a variant of it (`en` and `en-GB`, `EN_us`). */
function segmentOf(segments: { language: string; text: string }[], wanted: string): string | undefined {
  const key = (language: string) => language.toLowerCase().replaceAll("_", "-");
  const primary = (language: string) => key(language).split("-")[0];
  const exact = segments.find(({ language }) => key(language) === key(wanted));
  return (exact ?? segments.find(({ language }) => primary(language) === primary(wanted)))?.text;
}

function attribute(attributes: string, name: string): string | undefined {
  const match = new RegExp(`(?:^|\\s)${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`).exec(attributes);
  const raw = match?.[1] ?? match?.[2];
  return raw === undefined ? undefined : (decodeEntities(decodeUtf8(Buffer.from(raw, "latin1")) ?? raw) ?? raw);
}

const NAMED: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** XML's five entities and character references, once; null for any other: there is no DTD to define it. */
export function decodeEntities(text: string): string | null {
  if (!text.includes("&")) return text;
  let known = true;
  const decoded = text.replace(/&(?:#(\d+)|#[xX]([\da-fA-F]+)|(\w+));|&/g, (_, decimal, hex, name) => {
    if (name !== undefined && Object.hasOwn(NAMED, name)) return NAMED[name];
    const code = decimal !== undefined ? Number(decimal) : hex !== undefined ? Number.parseInt(hex, 16) : -1;
    if (code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)) return String.fromCodePoint(code);
    known = false;
    return "";
  });
  return known ? decoded : null;
}
