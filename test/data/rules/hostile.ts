/** @file Texts of 256 KiB made to be slow: prints the seconds of processor time that all rules take for each, as JSON. */
import { allMeasures } from "./measureAll.ts";

const BYTES = 1 << 18;
let state = 1;
const noise = (alphabet: string) =>
  Array.from({ length: BYTES }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return alphabet[(state >>> 8) % alphabet.length];
  }).join("");
const repeat = (part: string) => part.repeat(BYTES / part.length);

const texts: Record<string, string> = {
  "one letter": repeat("a"),
  "one word": repeat("a "),
  "two words by chance": noise("a "),
  "brackets and digits": repeat("[1"),
  "line feeds": repeat("\n"),
  "lines of one letter": repeat("x\n"),
  hyphens: repeat("a-"),
  dots: repeat("a.."),
  hashes: repeat("#"),
  Han: repeat("人"),
  mojibake: repeat("Ã©"),
  emoji: repeat("😀"),
  "halves of pairs": repeat("\ud83d"),
  noise: noise("abc .,\n[]{}-#…é我ไ"),
};
allMeasures("Warm up.", "zh");
const secondsOf = (text: string) => {
  const start = process.cpuUsage();
  allMeasures(text, "zh"); // with the segmenter, the slowest part
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
};
const seconds = Object.entries(texts).map(([name, text]) => {
  const bytes = Buffer.from(text).subarray(0, BYTES).toString();
  const first = secondsOf(bytes);
  return [name, first < 0.25 ? first : Math.min(first, secondsOf(bytes))]; // the machine may be busy
});
console.log(JSON.stringify(Object.fromEntries(seconds)));
