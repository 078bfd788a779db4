/**
 * The 29 languages of Marco-LLM and their resource groups (paper section 3.1.5).
 * HR = higher-resourced (10), LR = lower-resourced (19); English and Chinese are mixture sources of their own.
 */

/** The ten higher-resourced languages, in the paper's order. */
export const HR_LANGUAGES = ["en", "zh", "ar", "de", "es", "fr", "ko", "ja", "pt", "tr"] as const;

/** The eight "other HR" languages: HR without English and Chinese (Table 2's third row). */
export const OTHER_HR_LANGUAGES = ["ar", "de", "es", "fr", "ko", "ja", "pt", "tr"] as const;

/** The nineteen lower-resourced languages. */
export const LR_LANGUAGES = [
  "az",
  "bn",
  "cs",
  "el",
  "he",
  "hu",
  "id",
  "it",
  "kk",
  "ms",
  "ne",
  "nl",
  "pl",
  "ro",
  "ru",
  "th",
  "uk",
  "ur",
  "vi",
] as const;

export const LANGUAGES = [...HR_LANGUAGES, ...LR_LANGUAGES] as const;

export type Language = (typeof LANGUAGES)[number];
export const isLanguage = (code: string): code is Language => (LANGUAGES as readonly string[]).includes(code);
export type LanguageGroup = "english" | "chinese" | "otherHR" | "LR";

/** English names of the languages, as the translation templates of Table 13 use them. */
export const LANGUAGE_NAMES: Record<Language, string> = {
  en: "English",
  zh: "Chinese",
  ar: "Arabic",
  de: "German",
  es: "Spanish",
  fr: "French",
  ko: "Korean",
  ja: "Japanese",
  pt: "Portuguese",
  tr: "Turkish",
  az: "Azerbaijani",
  bn: "Bengali",
  cs: "Czech",
  el: "Greek",
  he: "Hebrew",
  hu: "Hungarian",
  id: "Indonesian",
  it: "Italian",
  kk: "Kazakh",
  ms: "Malay",
  ne: "Nepali",
  nl: "Dutch",
  pl: "Polish",
  ro: "Romanian",
  ru: "Russian",
  th: "Thai",
  uk: "Ukrainian",
  ur: "Urdu",
  vi: "Vietnamese",
};

/** Written without spaces between words. */
export const isUnspaced = (language: Language) => ["zh", "ja", "th"].includes(language);

/** The mixture group that a language's monolingual text belongs to (Table 2). */
export function languageGroup(language: Language): LanguageGroup {
  if (language === "en") return "english";
  if (language === "zh") return "chinese";
  return (HR_LANGUAGES as readonly string[]).includes(language) ? "otherHR" : "LR";
}
