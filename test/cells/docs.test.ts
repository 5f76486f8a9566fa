import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { cells } from "../../packages/recurra/src/cells/registry.ts";

it("docs/cells.md is what `npm run docs:cells` writes, with a source for every cell", async () => {
  const script = new URL("../../scripts/cells-page.mjs", import.meta.url).href;
  const { cellsPage } = (await import(script)) as { cellsPage: () => string }; // What the script exports.
  const page = cellsPage();
  expect(readFileSync(new URL("../../docs/cells.md", import.meta.url), "utf8")).toBe(page);
  const names = [...Object.keys(cells), "conv-lstm", "conv-gru"];
  expect(page.match(/^## .*/gm)).toEqual(names.map((name) => `## ${name}`));
  expect(page.match(/^Source: .{20}/gm)).toHaveLength(names.length);
});
