/**
 * @file Proves the engine `cuda` on a machine with an NVIDIA GPU, and writes down what was run and measured:
 *
 *     npm run check:gpu                             parity, conformance, SFT and DPO, benchmark -> runs/check-gpu/
 *     npm run check:gpu -- --engine tensorflow      the same on libtensorflow's CPU build
 *
 * Each part is one of the project's own commands in a process of its own. report.md is for people, report.json has the
 * same and the whole output of each part.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { main, parse } from "../src/cli/options.ts";
import { ENGINES } from "../src/engine/engine.ts";
import { UserError } from "../src/util/assert.ts";

interface Part {
  name: string;
  command: string[];
  status: "passed" | "failed";
  seconds: number;
  /** The last lines, which are the figures. */
  figures: string[];
  output: string;
}

const root = fileURLToPath(new URL("..", import.meta.url));

const marco = (args: string[]) =>
  spawnSync(process.execPath, ["bin/marco.js", ...args], { cwd: root, encoding: "utf8" });

/** Runs one part; its output goes on to the terminal. */
async function part(name: string, args: string[], lines: number): Promise<Part> {
  console.error(`\n== ${name}`);
  const started = performance.now();
  const child = spawn(process.execPath, ["--import", "tsx", ...args], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (data) => {
      output += data;
      process.stderr.write(data);
    });
  const code = await new Promise((done) => child.on("close", done));
  return {
    name,
    command: args,
    status: code === 0 ? "passed" : "failed",
    seconds: Math.round((performance.now() - started) / 1000),
    figures: output.trimEnd().split("\n").slice(-lines),
    output,
  };
}

/** What nvidia-smi says, or why it says nothing. */
function hardware(): string {
  const query = "name,driver_version,memory.total,compute_cap";
  const { error, status, stdout } = spawnSync("nvidia-smi", [`--query-gpu=${query}`, "--format=csv,noheader"], {
    encoding: "utf8",
  });
  return error || status !== 0 ? "no GPU (nvidia-smi does not answer)" : stdout.trim().replaceAll("\n", "; ");
}

await main(async () => {
  const command = new Command("check:gpu")
    .description(
      "Proves an engine on this machine: parity, conformance, a short SFT and DPO, and the benchmark; writes a report.\n\n" +
        "The machine must have Node 20 or 22 and node_modules; for cuda an NVIDIA GPU with its driver, CUDA 12.2 and\n" +
        "cuDNN 8.9 on LD_LIBRARY_PATH, and @tensorflow/tfjs-node-gpu with libtensorflow (npm run libtensorflow -- --gpu,\n" +
        "which downloads 475 MB from the Python package index, needs g++ and python3, and can be done on another machine\n" +
        "of the same kind: copy node_modules and .libtensorflow, 1.6 GB). Nothing else of the network is used.",
    )
    .option("--engine <name>", `which of ${ENGINES.join(", ")}`, "cuda")
    .option("--out <folder>", "where the report is written", "runs/check-gpu");
  const { engine, out } = parse<{ engine: string; out: string }>(command, process.argv);
  if (!(ENGINES as readonly string[]).includes(engine))
    throw new UserError(`--engine ${engine}: no such engine; expected ${ENGINES.join(", ")}`);
  const answer = marco(["env", engine]).stdout;
  const works = new RegExp(`^engine ${engine}: (.*)$`, "m").exec(answer)?.[1];
  if (works !== "works") throw new UserError(`--engine ${engine}: cannot start here (${works ?? answer.trim()})`);

  const folder = join(root, out);
  mkdirSync(folder, { recursive: true });
  const parts = [
    await part("parity", ["scripts/parity.ts", "--engine", engine], 1),
    await part("conformance", ["conformance/run.ts", "--engine", engine], 1),
    await part(
      "smoke replication: base, two stages, SFT, DPO, evaluation",
      ["examples/two-stage.ts", "--preset", "smoke", "--engine", engine, "--out", join(folder, "smoke"), "--seed", "1"],
      23,
    ),
    await part("benchmark", ["bench/step.ts", "--configs", "A,B", "--engines", `${engine},onnx`], 20),
  ];
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const report = {
    date: new Date().toISOString(),
    engine,
    gpu: hardware(),
    cpu: `${cpus()[0]?.model ?? "unknown"}, ${availableParallelism()} threads`,
    node: process.versions.node,
    dependencies,
    notRun: engine === "cuda" ? [] : [`the engine cuda: this is a run of ${engine}`],
    parts,
  };
  writeFileSync(join(folder, "report.json"), `${JSON.stringify(report, null, 1)}\n`);
  const sections = parts.map(
    ({ name, status, seconds, figures }) =>
      `## ${name}: ${status}, ${seconds} s\n\n\`\`\`text\n${figures.join("\n")}\n\`\`\`\n`,
  );
  const head =
    `# Engine ${engine}, ${report.date}\n\n- GPU: ${report.gpu}\n- CPU: ${report.cpu}\n- Node ${report.node}, ` +
    `@tensorflow/tfjs-core ${dependencies["@tensorflow/tfjs-core"]}\n${report.notRun.map((what) => `- NOT RUN: ${what}\n`).join("")}`;
  writeFileSync(join(folder, "report.md"), [head, ...sections].join("\n"));
  const failed = parts.filter(({ status }) => status === "failed").map(({ name }) => name);
  console.log(
    `report: ${join(out, "report.md")}; ${failed.length === 0 ? "all passed" : `FAILED: ${failed.join(", ")}`}`,
  );
  if (failed.length > 0) process.exitCode = 1;
});
