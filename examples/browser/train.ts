/**
 * @file Training in a browser: `npm run browser` serves this page. Settings are the address's: engine, seed, steps;
 * with `report` the page posts what came out to its server (`npm run check:browser`).
 */
import * as Plot from "@observablehq/plot";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { type Engine, startEngine } from "../../src/engine/engine.ts";
import { countParameters } from "../../src/model/init.ts";
import { CONFIG, ROW_TOKENS, ROWS, run, TEXT } from "./run.ts";

/** In the order in which they are tried: a browser has no others. */
const ENGINES = ["webgpu", "wasm", "cpu"];

/** What the page tells its server. */
export interface Report {
  engine?: Engine;
  losses: number[];
  error?: string;
}

const element = (id: string) => document.getElementById(id)!;
const show = (id: string, text: string) => {
  element(id).textContent = text;
};

/** The settings in the address, which the form shows and makes. */
function settings() {
  const given = new URLSearchParams(location.search);
  const form = (element("settings") as HTMLFormElement).elements;
  for (const [name, value] of given) {
    const field = form.namedItem(name) as HTMLInputElement | null;
    if (field) field.value = value;
  }
  const value = (name: string) => (form.namedItem(name) as HTMLInputElement).value;
  const number = (name: string, min: number) => {
    const n = Number(value(name));
    if (!Number.isSafeInteger(n) || n < min) throw new Error(`${name}: expected a whole number of at least ${min}`);
    return n;
  };
  return { engine: value("engine"), seed: number("seed", 0), steps: number("steps", 1), report: given.has("report") };
}

/** Starts the engine asked for, or the first that can; says which could not, and why. */
async function start(asked: string): Promise<Engine> {
  setWasmPaths("/"); // the server has TensorFlow.js' .wasm files there
  const failures: string[] = [];
  for (const name of asked === "auto" ? ENGINES : [asked]) {
    try {
      const engine = await startEngine(name);
      const reason = engine.reason.replace("asked for with --engine", "chosen");
      return { ...engine, reason: [reason, ...failures].join("; ") };
    } catch (error) {
      failures.push((error as Error).message.replace(/^--engine (\w+): cannot start here \((.*)\);.*$/s, "no $1: $2"));
    }
  }
  throw new Error(`${failures.join("; ")}. ${asked === "auto" ? "" : "Choose another engine."}`);
}

function draw(losses: number[]) {
  const points = losses.map((loss, step) => ({ step: step + 1, loss }));
  const chart = Plot.plot({
    width: 640,
    height: 300,
    x: { label: "step", domain: [1, Math.max(2, losses.length)] },
    y: { label: "loss (nats per byte)", domain: [0, Math.max(...losses)], grid: true },
    marks: [Plot.lineY(points, { x: "step", y: "loss", stroke: "#0072b2" }), Plot.ruleY([0])],
  });
  element("chart").replaceChildren(chart);
}

const result: Report = { losses: [] };
let report = false;
try {
  show("size", `${(countParameters(CONFIG) / 1e6).toFixed(2)} million`);
  show("text", TEXT);
  const given = settings();
  report = given.report;
  show("engine", "starting …");
  result.engine = await start(given.engine);
  show("engine", `${result.engine.name} (${result.engine.reason})`);
  show("step", "the first step compiles …");
  let first = 0;
  await run(given.seed, given.steps, (step, loss) => {
    const now = performance.now();
    if (step === 0) first = now;
    result.losses.push(loss);
    show("step", `${step + 1} of ${given.steps}`);
    show("loss", loss.toFixed(4));
    const speed = (1000 * step) / (now - first);
    const tokens = Math.round(speed * ROWS * ROW_TOKENS);
    if (step > 0) show("speed", `${speed.toFixed(2)} steps per second, ${tokens} tokens per second`);
    draw(result.losses);
  });
} catch (error) {
  result.error = (error as Error).message;
  show("error", result.error);
  if (!result.engine) show("engine", "none");
  if (result.losses.length === 0) show("step", "");
}
if (report) await fetch("/report", { method: "POST", body: JSON.stringify(result) });
