import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { passes } from "../../../src/data/rules/measure.ts";
import {
  DEFAULT_URL_LISTS,
  hostOf,
  makeUrlFilter,
  registeredDomain,
  type UrlLists,
  urlMeasures,
} from "../../../src/data/web/url.ts";

const { lists, cases }: { lists: Record<string, string[]>; cases: [url: string, reason: string][] } = JSON.parse(
  gunzipSync(readFileSync("test/fixtures/data/datatroveRules.json.gz")).toString(),
).literal.url;

const REASONS: Record<string, string> = {
  "url.domain": "domain",
  "url.subdomain": "subdomain",
  "url.exact": "url",
  "url.hardWords": "hard_blacklisted",
  "url.softWords": "soft_blacklisted",
  "url.subwords": "blacklisted_subword",
  "url.no_url": "no_url",
};
const reasonOf = (url: string | null | undefined, with_: Partial<UrlLists>) => {
  const failed = urlMeasures(url, makeUrlFilter(with_)).find((measure) => !passes(measure));
  return failed ? REASONS[failed.rule] : "kept";
};

describe("datatrove's URLFilter", () => {
  const ours: Partial<UrlLists> = {
    domains: lists.extra_domains,
    urls: lists.extra_urls,
    hardWords: lists.banned_words,
    softWords: lists.soft_banned_words,
    subwords: lists.banned_subwords,
  };
  test.each(cases)("%s is %s", (url, theirs) => expect(reasonOf(url, ours)).toBe(theirs));
});

describe("where ours sees more", () => {
  const found: [string, string, Partial<UrlLists>][] = [
    ["https://BLOCKED.com/", "domain", { domains: ["blocked.com"] }],
    ["https://bücher.example/", "domain", { domains: ["xn--bcher-kva.example"] }],
    ["https://xn--bcher-kva.example/", "domain", { domains: ["bücher.example"] }],
    ["https://x.org/CASINO/Bonus", "soft_blacklisted", { softWords: ["casino", "bonus"] }],
    ["https://x.org/a%20casino%2Fbonus", "soft_blacklisted", { softWords: ["casino", "bonus"] }],
    ["https://x.org/казино", "hard_blacklisted", { hardWords: ["казино"] }],
    ["https://x.org/%D0%BA%D0%B0%D0%B7%D0%B8%D0%BD%D0%BE", "hard_blacklisted", { hardWords: ["казино"] }],
  ];
  test.each(found)("%s is %s", (url, reason, with_) => expect(reasonOf(url, with_)).toBe(reason));
});

test("a page without a URL says no_url, and nothing else", () => {
  for (const url of [undefined, null, "", "  "]) expect(reasonOf(url, DEFAULT_URL_LISTS)).toBe("no_url");
});

test("comments and empty lines of a list are no entries", () => {
  expect(reasonOf("https://x.org/", { domains: ["# x.org", "", " x.org "] })).toBe("domain");
  expect(reasonOf("https://x.org/", { domains: ["#x.org", ""], subwords: [" ", "#", "-"] })).toBe("kept");
});

test("no URL whatever makes it throw, and its values are numbers", () => {
  const filter = makeUrlFilter({ ...DEFAULT_URL_LISTS, domains: ["x.org"] });
  const odd = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom(..."htps:/.@[]%?#\\xn--é。\ud800a1 ") }),
    fc.webUrl({ withFragments: true, withQueryParameters: true }),
  );
  fc.assert(
    fc.property(odd, (url) => {
      for (const { value } of urlMeasures(url, filter)) expect(Number.isFinite(value)).toBe(true);
    }),
  );
});

test("hosts and registered domains", () => {
  expect(hostOf("https://user:pw@WWW.Example.co.uk:8080/path?x=//y")).toBe("www.example.co.uk");
  expect(hostOf("//cdn.example.org./x")).toBe("cdn.example.org");
  expect(hostOf("http://[2001:db8::1]:80/")).toBe("[2001:db8::1]");
  const registered = [
    "www.example.co.uk",
    "a.b.com.au",
    "co.uk",
    "www.de",
    "x.com.de",
    "localhost",
    "10.0.0.1",
    "t.co",
  ];
  expect(registered.map(registeredDomain)).toEqual([
    "example.co.uk",
    "b.com.au",
    "",
    "www.de",
    "com.de",
    "",
    "",
    "t.co",
  ]);
});

test("a URL of a megabyte takes less than a second", () => {
  const filter = makeUrlFilter(DEFAULT_URL_LISTS);
  const start = performance.now();
  for (const part of ["a", "%", ".", "porn", "[", "@", "://", "xn--", "é"]) {
    urlMeasures(`https://x.org/${part.repeat(1e6 / part.length)}`, filter);
  }
  expect(performance.now() - start).toBeLessThan(9000);
});
