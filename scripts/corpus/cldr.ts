/**
 * Extractors of the Unicode CLDR: names of territories, languages, currencies, units, dates and emoji, keyed so that
 * facts can be derived (`territory/JP`, `currency/JPY`, `emoji/1F600`), and the facts that relate them.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Facts, TerritoryFacts } from "../../src/data/corpus.ts";
import { LANGUAGES, type Language } from "../../src/data/languages.ts";
import { align, type Extractor, readJson, type Segment } from "./catalogues.ts";
import { normalise } from "./clean.ts";
import { flatten, type Table } from "./formats.ts";

// biome-ignore lint/suspicious/noExplicitAny: CLDR's JSON has a deep tree that only this file reads.
type Json = any;

/** Segments of `main/<language>/<file>`: `read` turns each language's part of the file into a table. */
const mainFile = (root: string, file: string, read: (main: Json) => Table): Segment[] =>
  align(
    Object.fromEntries(
      LANGUAGES.map((language) => [language, read(readJson(join(root, "main", language, file)).main[language])]),
    ),
  );

/** Renames the keys of `names` with a prefix; skips alternatives (`-alt-short`) and codes that have no name. */
function named(prefix: string, names: Record<string, unknown>): Table {
  const entries = Object.entries(names).filter(([code, name]) => !code.includes("-alt-") && name !== code);
  return Object.fromEntries(entries.map(([code, name]) => [`${prefix}/${code}`, String(name)]));
}

/** `territory/JP`, `language/de`, `script/Thai` and `type/calendar/buddhist`. */
export const localeNames: Extractor = (root) => [
  ...mainFile(root, "territories.json", (main) => named("territory", main.localeDisplayNames.territories)),
  ...mainFile(root, "languages.json", (main) => named("language", main.localeDisplayNames.languages)),
  ...mainFile(root, "scripts.json", (main) => named("script", main.localeDisplayNames.scripts)),
  ...mainFile(root, "localeDisplayNames.json", (main) => named("type", flatten(main.localeDisplayNames.types))),
];

/** `currency/JPY`. */
export const currencies: Extractor = (root) =>
  mainFile(root, "currencies.json", (main) => {
    const entries: [string, { displayName?: string }][] = Object.entries(main.numbers.currencies);
    return named("currency", Object.fromEntries(entries.map(([code, { displayName }]) => [code, displayName ?? code])));
  });

/** `unit/length-kilometer` (its name) and `unit/length-kilometer/other` (its pattern, "{0} kilometers"). */
export const units: Extractor = (root) =>
  mainFile(root, "units.json", (main) => {
    const table: Table = {};
    for (const [unit, forms] of Object.entries<Record<string, string>>(main.units.long)) {
      if (forms.displayName) table[`unit/${unit}`] = forms.displayName;
      for (const count of ["one", "other"]) {
        const pattern = forms[`unitPattern-count-${count}`];
        if (pattern) table[`unit/${unit}/${count}`] = pattern;
      }
    }
    return table;
  }).map(grouped);

/** `month/7`, `day/mon`, `quarter/1`, `era/1`, `field/month/…` (relative dates), `city/Europe/Rome`, `metazone/…`. */
export const dates: Extractor = (root) => [
  ...mainFile(root, "ca-gregorian.json", ({ dates: { calendars } }) => ({
    ...named("month", calendars.gregorian.months["stand-alone"].wide),
    ...named("day", calendars.gregorian.days["stand-alone"].wide),
    ...named("quarter", calendars.gregorian.quarters["stand-alone"].wide),
    ...named("era", calendars.gregorian.eras.eraNames),
  })),
  ...mainFile(root, "dateFields.json", (main) => {
    const wide = Object.entries<object>(main.dates.fields).filter(([field]) => !/-(short|narrow)$/.test(field));
    return flatten(Object.fromEntries(wide), "field");
  }).map(grouped),
  ...mainFile(root, "timeZoneNames.json", (main) => cityNames(main.dates.timeZoneNames.zone)).map(withEnglishCity),
  ...mainFile(root, "timeZoneNames.json", (main) => {
    const zones = Object.entries<Json>(main.dates.timeZoneNames.metazone);
    return flatten(Object.fromEntries(zones.map(([zone, names]) => [zone, names.long ?? {}])), "metazone");
  }).map(grouped),
];

function cityNames(zones: object): Table {
  const cities = Object.entries(flatten(zones)).filter(([key]) => key.endsWith("/exemplarCity"));
  return Object.fromEntries(cities.map(([key, city]) => [`city/${key.replace("/exemplarCity", "")}`, city]));
}

/** English has a city's name only where it is not simply the end of the zone's identifier. */
const withEnglishCity = ({ key, text }: Segment): Segment => ({
  key,
  text: { en: key.split("/").at(-1)!.replaceAll("_", " "), ...text },
});

/** The first two parts of the key as the group: the forms of one unit, one field or one metazone stay together. */
const grouped = (segment: Segment): Segment => ({ ...segment, group: segment.key.split("/").slice(0, 2).join("/") });

const codePoints = (emoji: string) =>
  [...emoji].map((char) => char.codePointAt(0)!.toString(16).toUpperCase()).join("-");

/**
 * `emoji/1F600` (the name) and `emoji-keywords/1F600` (joined by ", "), both in the group of the emoji. Thinned:
 * variants by skin tone and flags (whose names are those of the territories) are left out.
 */
export const annotations =
  (folder: "annotations" | "annotationsDerived"): Extractor =>
  (root) => {
    const tables: Partial<Record<Language, Table>> = {};
    for (const language of LANGUAGES) {
      const file = join(root, folder, language, "annotations.json");
      if (!existsSync(file)) continue;
      const table: Table = {};
      const all: Record<string, { default?: string[]; tts?: string[] }> = readJson(file)[folder].annotations;
      for (const [emoji, { default: keywords, tts }] of Object.entries(all)) {
        if (/[\u{1f3fb}-\u{1f3ff}]|[\u{1f1e6}-\u{1f1ff}]{2}/u.test(emoji)) continue;
        if (tts) table[`emoji/${codePoints(emoji)}`] = tts[0];
        if (keywords) table[`emoji-keywords/${codePoints(emoji)}`] = keywords.join(", ");
      }
      tables[language] = table;
    }
    return align(tables).map((segment) => ({ ...segment, group: `emoji/${segment.key.split("/")[1]}` }));
  };

/**
 * What is true of each territory: its present currency and official languages (CLDR) and its capital
 * (countries-list), with the capital's name in the languages where CLDR's exemplar city really is a translation:
 * not the same as in English. Capitals whose English name is no exemplar city have no names.
 */
export function makeFacts(coreRoot: string, countriesRoot: string, cities: Segment[]): Facts["territories"] {
  const supplemental = (file: string): Json => readJson(join(coreRoot, "supplemental", `${file}.json`)).supplemental;
  const { territoryInfo } = supplemental("territoryInfo");
  const { region } = supplemental("currencyData").currencyData;
  const countries: Json = JSON.parse(readFileSync(join(countriesRoot, "countries.min.json"), "utf8"));
  const cityOf = new Map(cities.map((city) => [city.text.en, city]));
  const facts: Facts["territories"] = {};
  for (const territory of Object.keys(countries).sort()) {
    const fact: TerritoryFacts = { officialLanguages: officialLanguages(territoryInfo[territory]) };
    const currency = presentCurrency(region[territory] ?? []);
    if (currency) fact.currency = currency;
    const english = countries[territory].capital;
    if (english) fact.capital = { english, ...capitalNames(cityOf.get(normalise(english))) };
    facts[territory] = fact;
  }
  return facts;
}

/** Codes with official or de facto official status, the most spoken first; script subtags are cut (`zh_Hans`). */
function officialLanguages(info: Json): string[] {
  const spoken = Object.entries<Record<string, string>>(info?.languagePopulation ?? {});
  const official = spoken.filter(([, { _officialStatus }]) => /^(de_facto_)?official$/.test(_officialStatus ?? ""));
  const share = ([, entry]: [string, Record<string, string>]) => Number(entry._populationPercent ?? 0);
  const codes = official.sort((a, b) => share(b) - share(a)).map(([code]) => code.split("_")[0]);
  return [...new Set(codes)];
}

/** The one tender without an end; undefined when several are in use. */
function presentCurrency(history: Record<string, { _to?: string; _tender?: string }>[]): string | undefined {
  const present = history.flatMap(Object.entries).filter(([, { _to, _tender }]) => !_to && _tender !== "false");
  return present.length === 1 ? present[0][0] : undefined;
}

function capitalNames(city?: Segment): { zone?: string; names?: Partial<Record<Language, string>> } {
  if (!city) return {};
  const { en: _, ...names } = city.text;
  return { zone: city.key.replace("city/", ""), names };
}
