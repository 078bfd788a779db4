import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    alias: {
      "marco-mini/testing": new URL("./src/testing/index.ts", import.meta.url).pathname,
      "marco-mini": new URL("./src/index.ts", import.meta.url).pathname,
    },
  },
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/setup.ts"],
    testTimeout: 60_000,
    maxWorkers: 2,
    pool: "forks",
  },
});
