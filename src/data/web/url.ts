/**
 * @file The URL filter: fraud, adult, violence and gambling pages by their addresses, before any costly step (paper,
 * section 3.1.1). Order and meaning are datatrove's URLFilter: registered domain, host (equal, not a suffix), whole
 * URL, a hard word, two soft words, a part of a word. No URL makes it throw.
 *
 * deviations: upper and lower case are one everywhere, IDN hosts are compared in ASCII form, percent-encoding is
 * undone before words are looked for, and words may have letters of any script. The registered domain is the last two
 * labels, or three under a second-level suffix such as co.uk, by a short list in place of the whole public suffix list.
 */
import { domainToASCII, domainToUnicode } from "node:url";
import { type Blocklist, findBlocked, indexWords } from "../rules/blocklist.ts";
import type { Measure } from "../rules/measure.ts";

export interface UrlLists {
  /** Registered domains, or hosts. */
  domains: Iterable<string>;
  urls: Iterable<string>;
  /** One is enough where it is a whole word of the URL. */
  hardWords: Iterable<string>;
  /** Two different ones are needed. */
  softWords: Iterable<string>;
  /** Anywhere in the URL's letters and digits. */
  subwords: Iterable<string>;
}

/** Small lists of our own; a user brings domains (data-anchors 2.2: no list of them is complete or free). */
export const DEFAULT_URL_LISTS: UrlLists = {
  domains: [],
  urls: [],
  hardWords: words(
    "porn porno xxx sexcam camgirl camgirls hentai milf escorts bukkake viagra cialis phishing warez keygen roulette blackjack jackpot sportsbook",
  ),
  softWords: words(
    "sex adult erotic nude nudes naked cam dating hookup casino poker slots betting bet bonus lottery pills pharmacy loan payday crypto giveaway win free cheap replica",
  ),
  subwords: words("pornhub freeporn sexvideo onlinecasino casinobonus cheapviagra buyviagra slotgacor judionline"),
};

function words(list: string) {
  return list.split(" ");
}

export interface UrlFilter {
  domains: ReadonlySet<string>;
  urls: ReadonlySet<string>;
  hardWords: ReadonlySet<string>;
  softWords: ReadonlySet<string>;
  subwords: Blocklist;
}

const NOT_WORD = /[^\p{L}\p{N}]+/gu;
/** The same of ASCII in lower case, several times as fast. */
const NOT_ASCII_WORD = /[^a-z0-9]+/g;
const isAscii = (text: string) => /^[\0-\x7f]*$/.test(text);
const notWord = (lower: string) => (isAscii(lower) ? NOT_ASCII_WORD : NOT_WORD);
const normalize = (text: string) => {
  const lower = text.toLowerCase();
  return lower.replace(notWord(lower), "");
};
/** Lines of a list: trimmed, without empty ones and those that begin with #. */
const entries = (list: Iterable<string>) =>
  [...list].map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));

/** The lists, made ready once. Entries that begin with # are comments. */
export function makeUrlFilter(lists: Partial<UrlLists>): UrlFilter {
  const normalized = (list: Iterable<string> = []) => new Set(entries(list).map(normalize).filter(Boolean));
  return {
    domains: new Set(entries(lists.domains ?? []).map(asciiHost)),
    urls: new Set(entries(lists.urls ?? []).map((url) => url.toLowerCase())),
    hardWords: normalized(lists.hardWords),
    softWords: normalized(lists.softWords),
    subwords: indexWords(normalized(lists.subwords), "anywhere"),
  };
}

/** Two different soft words drop a page. */
const MAX_SOFT_WORDS = 1;

/** In datatrove's order: the first that fails is its reason. A page without a URL fails `url.no_url` and nothing else. */
export function urlMeasures(url: string | null | undefined, filter: UrlFilter): Measure[] {
  const hits = (rule: string, value: number, limit = 0): Measure => ({
    rule: `url.${rule}`,
    value,
    limit,
    keep: "atMost",
  });
  const trimmed = url?.trim();
  if (!trimmed) return [hits("no_url", 1)];
  const host = hostOf(trimmed);
  const decoded = decode(trimmed).toLowerCase();
  const parts = decoded.split(notWord(decoded));
  // The address has its host's words, unless they are written in another script.
  const found = host.includes("xn--") ? [...domainToUnicode(host).split(NOT_WORD), ...parts] : parts;
  const common = (list: ReadonlySet<string>) => {
    let hits = 0;
    for (let i = 0; i < found.length; i++) if (list.has(found[i]) && found.indexOf(found[i]) === i) hits++;
    return hits;
  };
  return [
    hits("no_url", 0),
    hits("domain", Number(filter.domains.has(registeredDomain(host)))),
    hits("subdomain", Number(filter.domains.has(host))),
    hits("exact", Number(filter.urls.has(trimmed.toLowerCase()))),
    hits("hardWords", common(filter.hardWords)),
    hits("softWords", common(filter.softWords), MAX_SOFT_WORDS),
    hits("subwords", findBlocked(parts.join(""), filter.subwords).length),
  ];
}

/** decodeURIComponent where it is valid, else the text as it is. */
function decode(url: string): string {
  if (!url.includes("%")) return url;
  try {
    return decodeURIComponent(url);
  } catch {
    return url;
  }
}

/** The host of anything that looks like a URL, in ASCII and lower case; "" where there is none. */
export function hostOf(url: string): string {
  const scheme = url.indexOf("//");
  const rest =
    scheme >= 0 && /^[a-z][a-z0-9+.-]{0,30}:$|^$/i.test(url.slice(0, Math.min(scheme, 40)))
      ? url.slice(scheme + 2)
      : url;
  const end = rest.search(/[/?#\\\s]/);
  const authority = end < 0 ? rest : rest.slice(0, end);
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  if (host.startsWith("[")) return host.slice(0, host.indexOf("]") + 1).toLowerCase(); // IPv6
  return asciiHost(host.replace(/:\d{0,5}$/, ""));
}

/** Ends in a letter: what ends in a digit may be an address in numbers, which has several forms. */
const PLAIN_HOST = /^(?:[a-z0-9-]{1,63}\.)*[a-z][a-z0-9-]*[a-z]$/;

function asciiHost(host: string): string {
  const bare = host.replace(/[.\u3002\uff0e\uff61]$/, "").toLowerCase();
  if (PLAIN_HOST.test(bare) && !bare.includes("xn--")) return bare; // is its own ASCII form
  return (bare.length < 256 && domainToASCII(bare)) || bare;
}

/** Labels that are public below a country's: co.uk, com.au, go.jp. */
const SECOND_LEVEL = new Set(
  words("co com net org edu gov ac or ne go gob gen mil ltd plc me nom sch nhs info web biz k12 asso firm in"),
);
/** Countries that register directly below them all the same, where such a second level is somebody's own. */
const FLAT = new Set(words("de nl fr it be ch at cz dk se no fi eu io ru us ca ai gg"));

/** The domain that somebody registered; "" for addresses in numbers and for hosts of one label. */
export function registeredDomain(host: string): string {
  if (/^[\d.]+$/.test(host) || host.startsWith("[")) return "";
  const labels = host.split(".");
  if (labels.length < 2) return "";
  const [second, top] = labels.slice(-2);
  const public2 = top.length === 2 && SECOND_LEVEL.has(second) && !FLAT.has(top);
  if (!public2) return labels.slice(-2).join(".");
  return labels.length > 2 ? labels.slice(-3).join(".") : "";
}
