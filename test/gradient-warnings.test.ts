/** The command tells of gradients that vanish, and of nothing where all is well. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { main, realLibrary } from "../packages/cli/src/main.ts";
import { fakeIo } from "../packages/cli/test-support/fakes.ts";
import { folderWith } from "../packages/cli/test-support/files.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { scripts: { quickstart: string } };
const sunspots = `${root}examples/data/sunspots.csv`;

async function told(...argv: string[]): Promise<string> {
  const io = fakeIo();
  const code = await main([...argv, "--overwrite", "--out", folderWith({})], io, { ...realLibrary, notices: () => [] });
  expect(code).toBe(0);
  return io.err();
}

describe("recurra train", () => {
  it("warns of nothing in the first steps of the quickstart", async () => {
    const asked = manifest.scripts.quickstart.replace(/ --out \S+| --overwrite|^recurra /g, "").split(" ");
    const options = asked.map((word) => (word.endsWith("sunspots.csv") ? sunspots : word));
    expect(await told(...options, "--epochs", "2", "--window", "standard")).toBe("");
  });

  it("warns once of a plain network that looks back on 120 steps", async () => {
    const options = [
      "--target",
      "Sunspots",
      "--horizon",
      "1",
      "--past",
      "120",
      "--segment",
      "1",
      "--window",
      "standard",
    ];
    const small = ["--cell", "rnn", "--hidden", "8", "--windows-per-epoch", "320", "--epochs", "7"];
    expect(await told("train", sunspots, ...options, ...small)).toMatch(
      /^warning: training step 32: \S+: the gradient reaching step 1 is \S+ of that at step 120: vanishing; .* Try lstm or gru, .*\n$/,
    );
  });
});
