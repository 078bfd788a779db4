/**
 * @file FineWeb-2's thresholds (Penedo et al. 2025, arXiv 2506.20920) for the paper's languages besides English.
 * Facts from the project's per-language configurations (commit d0defb2, 2025-10-27). Azerbaijani is an outlier: its
 * numbers are the fallback of languages without data, and let nearly everything through; German's lines need not end
 * like sentences (0) and its words may be of any length.
 *
 * Besides the rows: short lines are not counted, duplicate characters may be 0.1, paragraphs and C4 are off.
 */
import type { Language } from "../languages.ts";
import { FINEWEB, type FineWebLimits } from "./fineWeb.ts";
import { GOPHER_QUALITY, type GopherQualityLimits } from "./gopherQuality.ts";
import { GOPHER_REPETITION, type GopherRepetitionLimits } from "./gopherRepetition.ts";

/** language|identifier's score|duplicate lines|top 2/3/4|duplicate 5 to 10|terminal lines|newlines|word length|letters */
const TABLE = `
zh|0.692|0.287|0.256/0.201/0.171|0.198/0.182/0.167/0.154/0.14/0.127|0.106|0.178|1-5|0.735
ar|0.711|0.304|0.197/0.172/0.146|0.165/0.153/0.142/0.131/0.12/0.109|0.143|0.189|2-9|0.787
de|0.821|0.263|0.169/0.153/0.137|0.141/0.134/0.126/0.117/0.108/0.098|0.0|0.152|0-15|0.774
es|0.84|0.252|0.156/0.14/0.125|0.145/0.136/0.127/0.117/0.108/0.099|0.182|0.138|3-14|0.825
fr|0.824|0.264|0.161/0.149/0.134|0.15/0.141/0.131/0.121/0.111/0.1|0.1|0.185|2-11|0.812
ko|0.842|0.374|0.282/0.228/0.185|0.201/0.184/0.168/0.154/0.14/0.127|0.062|0.196|1-6|0.791
ja|0.886|0.328|0.239/0.196/0.172|0.243/0.225/0.207/0.19/0.175/0.159|0.096|0.13|1-6|0.759
pt|0.799|0.287|0.371/0.191/0.163|0.163/0.153/0.141/0.13/0.119/0.108|0.077|0.186|3-13|0.814
tr|0.875|0.272|0.214/0.168/0.147|0.154/0.144/0.134/0.124/0.113/0.103|0.091|0.222|3-21|0.773
bn|0.872|0.203|0.177/0.158/0.147|0.118/0.108/0.099/0.09/0.082/0.073|0.125|0.171|3-24|0.8
he|0.9|0.34|0.239/0.202/0.173|0.16/0.151/0.14/0.129/0.118/0.108|0.2|0.126|2-9|0.799
id|0.685|0.241|0.194/0.166/0.145|0.166/0.155/0.144/0.133/0.122/0.111|0.111|0.157|3-12|0.805
it|0.817|0.246|0.198/0.156/0.133|0.144/0.136/0.127/0.118/0.109/0.1|0.025|0.2|3-21|0.807
ms|0.618|0.331|0.264/0.252/0.225|0.185/0.176/0.166/0.156/0.145/0.134|0.125|0.214|3-11|0.808
nl|0.689|0.296|0.213/0.182/0.158|0.156/0.146/0.136/0.126/0.115/0.104|0.102|0.154|3-17|0.828
pl|0.689|0.32|0.222/0.198/0.176|0.172/0.16/0.148/0.136/0.123/0.111|0.087|0.158|3-12|0.726
ru|0.9|0.322|0.184/0.164/0.146|0.168/0.156/0.145/0.133/0.121/0.109|0.231|0.139|3-11|0.713
th|0.9|0.349|0.221/0.197/0.162|0.185/0.168/0.152/0.137/0.124/0.111|0.0|0.153|2-10|0.9
uk|0.9|0.3|0.189/0.172/0.153|0.16/0.148/0.136/0.124/0.113/0.102|0.167|0.175|3-11|0.694
ur|0.847|0.204|0.139/0.123/0.107|0.125/0.115/0.107/0.098/0.089/0.081|0.1|0.222|2-31|0.839
vi|0.802|0.293|0.223/0.197/0.171|0.178/0.163/0.15/0.136/0.124/0.111|0.333|0.103|3-11|0.803
cs|0.88|0.311|0.206/0.183/0.165|0.168/0.157/0.145/0.133/0.121/0.109|0.06|0.182|3-11|0.781
el|0.826|0.31|0.194/0.175/0.156|0.174/0.163/0.153/0.142/0.13/0.119|0.167|0.116|3-11|0.809
hu|0.744|0.322|0.226/0.198/0.172|0.169/0.159/0.148/0.136/0.124/0.112|0.067|0.231|3-15|0.766
kk|0.844|0.304|0.172/0.147/0.127|0.159/0.148/0.136/0.126/0.115/0.104|0.176|0.186|3-12|0.694
ro|0.822|0.289|0.161/0.146/0.131|0.16/0.149/0.138/0.127/0.117/0.106|0.081|0.207|1-14|0.779
az|0.3|0.879|0.514/0.475/0.405|0.3/0.271/0.252/0.227/0.202/0.179|0.188|0.179|3-13|0.725
ne|0.896|0.155|0.114/0.103/0.091|0.098/0.09/0.083/0.076/0.069/0.062|0.125|0.278|3-37|0.824
`;

export interface LanguageLimits {
  /** The language identifier's probability must be at least this. */
  languageScore: number;
  gopherQuality: GopherQualityLimits;
  gopherRepetition: GopherRepetitionLimits;
  fineWeb: FineWebLimits;
}

/** English: Gopher's and FineWeb's own numbers; 0.65 for the identifier (RefinedWeb, datatrove). */
export const ENGLISH_LIMITS: LanguageLimits = {
  languageScore: 0.65,
  gopherQuality: GOPHER_QUALITY,
  gopherRepetition: GOPHER_REPETITION,
  fineWeb: FINEWEB,
};

const numbers = (cell: string) => cell.split("/").map(Number);

function readRow(row: string): [string, LanguageLimits] {
  const [language, score, lines, top, duplicate, terminal, newlines, length, letters] = row.split("|");
  const [minWordLength, maxWordLength] = length.split("-").map(Number);
  return [
    language,
    {
      languageScore: Number(score),
      gopherQuality: { ...GOPHER_QUALITY, minWordLength, maxWordLength, minLetterWords: Number(letters) },
      gopherRepetition: {
        duplicateLines: Number(lines),
        duplicateParagraphs: 1,
        duplicateLineCharacters: 1,
        duplicateParagraphCharacters: 1,
        topNGrams: numbers(top),
        duplicateNGrams: numbers(duplicate),
      },
      fineWeb: {
        ...FINEWEB,
        minTerminalLines: Number(terminal),
        maxShortLines: 1,
        maxDuplicateCharacters: 0.1,
        maxNewlines: Number(newlines),
      },
    },
  ];
}

const LIMITS = new Map([["en", ENGLISH_LIMITS], ...TABLE.trim().split("\n").map(readRow)] as const);

export function limitsOf(language: Language): LanguageLimits {
  const limits = LIMITS.get(language);
  if (!limits) throw new Error(`No limits for the language ${language}`);
  return limits;
}
