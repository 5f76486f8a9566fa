import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string) => fileURLToPath(new URL(`./packages/recurra/src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    // Tests run on the TypeScript source, so they never see a stale build.
    alias: [
      { find: /^recurra\/(cells|train|tasks|data|formats|inspect)$/, replacement: `${source("entries")}/$1.ts` },
      { find: /^recurra$/, replacement: source("index.ts") },
    ],
  },
  test: {
    include: ["packages/*/src/**/*.test.ts", "packages/native/test/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 60_000,
    pool: "forks",
    setupFiles: ["test/no-unexpected-output.ts"],
  },
});
