/**
 * @file `npm run browser`: builds the page of examples/browser and serves it on this machine.
 */
import { Command } from "commander";
import { main, parse, wholeNumber } from "../../src/cli/options.ts";
import { servePage } from "./page.ts";

main(async () => {
  const command = new Command("browser")
    .description("Serves a page that trains a small Qwen2 in the browser, on its WebGPU where it has one.")
    .option("--port <number>", "where to serve it on localhost", wholeNumber("--port", 0), 8080);
  const { port } = parse<{ port: number }>(command, process.argv);
  const { url } = await servePage(port);
  console.log(`${url}  (Ctrl-C ends it)`);
});
