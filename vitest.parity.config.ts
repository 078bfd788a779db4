import { defineConfig } from "vitest/config";
import { EACH_ENGINE } from "./src/engine/engine.ts";

/** The parity suite with its big cases, each engine in processes of its own. `npm run parity` reads this. */
export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: EACH_ENGINE.map((name) => ({
      test: {
        name,
        env: { PARITY_ENGINE: name },
        include: ["test/parity/*.test.ts", "test/parity/big.ts"],
        setupFiles: ["test/setup.ts"],
        testTimeout: 300_000,
        hookTimeout: 60_000,
        pool: "forks" as const,
      },
    })),
  },
});
