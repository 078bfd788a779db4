/** @file `marco data export`: a web recipe as a datatrove pipeline, for more than one machine. */
import type { Command } from "commander";
import { readRecipe } from "../data/curate/recipe.ts";
import { writeExport } from "../data/export/write.ts";

export function addExportCommand(data: Command) {
  data
    .command("export")
    .description("write a recipe of marco data web as a datatrove pipeline in Python (local, Slurm, Ray)")
    .argument("<recipe>", "YAML or JSON")
    .requiredOption("--out <folder>", "pipeline.py, settings.json, requirements.txt, README.md")
    .action((recipe: string, { out }: { out: string }) => {
      for (const note of writeExport(readRecipe(recipe), out)) console.error(`note: ${note}`);
      console.log(`${out}/pipeline.py`);
    });
}
