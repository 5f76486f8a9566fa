/** The small examples: each runs and shows what its heading says. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { numberIn, runExample } from "./support/examples.ts";

const folder = new URL("../examples/notes/", import.meta.url);

describe("examples/notes", () => {
  it("cat-mat-rat.mjs: the terms over the timesteps add up to the engine's gradient, and both labellings are learned", async () => {
    const lines = await runExample("notes/cat-mat-rat.mjs");
    expect(lines.filter((line) => /^∂L\/∂W_[ih], step [123]:/.test(line))).toHaveLength(12);
    const differences = lines.filter((line) => line.startsWith("largest difference"));
    expect(differences).toHaveLength(2);
    for (const line of differences) expect(numberIn(line, /difference (\S+)$/)).toBeLessThan(1e-6);
    const [first, second, third] = lines
      .find((line) => line.includes("ŷ ="))!
      .match(/\d\.\d\d/g)!
      .map(Number);
    expect(Math.min(first!, second!)).toBeGreaterThan(0.9);
    expect(third).toBeLessThan(0.1);
    expect(lines.at(-1)).toBe("after 200 steps the likeliest classes are 1, 2, 0");
  });

  it("bits.mjs learns the first of three bits", async () => {
    expect((await runExample("notes/bits.mjs")).slice(-4)).toEqual([
      "1 0 1 → 1",
      "0 0 1 → 0",
      "0 0 0 → 0",
      "1 1 1 → 1",
    ]);
  });

  it("reviews.mjs understands not", async () => {
    const chances = (await runExample("notes/reviews.mjs")).map((line) => numberIn(line, /(\d+) % good/));
    expect(chances.map((chance) => chance > 50)).toEqual([true, false, false, true]);
  });

  it("pronouns.mjs goes by the word two steps back", async () => {
    expect(await runExample("notes/pronouns.mjs")).toEqual(["he won … → his", "she won … → her", "they won … → their"]);
  });

  it("themselves.mjs: the gate opens for one word and then stays closed", async () => {
    const lines = await runExample("notes/themselves.mjs");
    expect(numberIn(lines[0], /^(\d+) of 1000/)).toBeGreaterThan(990);
    expect(lines[1]).toMatch(/^they wanted more for → themselves/);
    expect(lines[2]).toMatch(/^he wanted more for → himself/);
    const gate = lines[2]!.match(/\d\.\d\d/g)!.map(Number);
    expect(gate[0]).toBeGreaterThan(0.9);
    for (const later of gate.slice(1)) expect(later).toBeLessThan(0.2);
  });

  it("meal.mjs needs both directions", async () => {
    const [forwards, both] = await runExample("notes/meal.mjs");
    expect(numberIn(forwards, /loss ([\d.]+)/)).toBeCloseTo(Math.LN2, 2);
    expect(both).toMatch(/6 of 6 articles right$/);
  });

  it("france.mjs: the plain network fails where GRU and LSTM succeed", async () => {
    const [, rnn, gru, lstm] = (await runExample("notes/france.mjs")).map((line) => numberIn(line, /([\d.]+) % right/));
    expect(rnn).toBeLessThan(60);
    expect(Math.min(gru!, lstm!)).toBeGreaterThan(99);
  });

  it("next-letter.mjs writes on", async () => {
    const lines = await runExample("notes/next-letter.mjs");
    expect(lines).toContain("predictio → prediction");
    expect(lines).toContain("predica → predicate");
  });

  it("names.mjs: bolder as the temperature rises, and eight beginnings find what one misses", async () => {
    const lines = await runExample("notes/names.mjs");
    const text = readFileSync(new URL("names.mjs", folder), "utf8");
    const known = new Set(/`([^`]+)`/.exec(text)![1]!.split(/\s+/));
    const knownIn = (start: string) =>
      lines
        .find((line) => line.startsWith(start))!
        .slice(start.length)
        .split(" ")
        .filter((name) => known.has(name)).length;
    expect(knownIn("temperature 0.3: ")).toBeGreaterThan(5);
    expect(knownIn("temperature 2: ")).toBeLessThan(5);
    expect(knownIn("temperature 2, nucleus 0.5: ")).toBeGreaterThan(5);
    const gains = ["a", "ma", "ro"].map((beginning) => {
      const [one, eight] = lines.filter((line) => line.startsWith(`${beginning}…`));
      return numberIn(eight, /: \w+ ([\d.]+) %/) - numberIn(one, /: \w+ ([\d.]+) %/);
    });
    expect(Math.min(...gains)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...gains)).toBeGreaterThan(2);
  });

  it("wave.mjs: alone it drifts away unless it was taught on what it wrote", async () => {
    const errors = (await runExample("notes/wave.mjs")).map((line) => numberIn(line, /error ([\d.]+)/));
    expect(errors).toHaveLength(3);
    expect(errors[1]).toBeLessThan(errors[0]!);
    expect(errors[2]).toBeLessThan(errors[0]! / 5);
  });

  it("hundred-steps.mjs: tanh vanishes, ReLU explodes, gates and identity are healthy", async () => {
    const lines = await runExample("notes/hundred-steps.mjs");
    expect(lines.slice(0, 6).map((line) => line.split(": ").at(-1))).toEqual([
      "vanishing",
      "exploding",
      "healthy",
      "vanishing",
      "healthy",
      "healthy",
    ]);
  });

  it("are all run here", () => {
    const files = readdirSync(folder).filter((file) => file.endsWith(".mjs") && file !== "words.mjs");
    expect(files).toHaveLength(11);
  });
});
