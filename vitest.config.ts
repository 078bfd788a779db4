import { defineConfig } from "vitest/config";

const resolve = {
  alias: {
    "marco-mini/testing": new URL("./src/testing/index.ts", import.meta.url).pathname,
    "marco-mini": new URL("./src/index.ts", import.meta.url).pathname,
  },
};
const common = { setupFiles: ["test/setup.ts"], testTimeout: 60_000, pool: "forks" as const };
/** Tests of how engines start, and of what they count from their start, have a process for each file. */
const ALONE = "test/engine/**/*.test.ts";

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      { resolve, test: { ...common, name: "engine", include: [ALONE] } },
      // the others share their modules: reading them again for every file is a quarter of the time
      { resolve, test: { ...common, name: "all", include: ["test/**/*.test.ts"], exclude: [ALONE], isolate: false } },
    ],
  },
});
