/** The bench keeps its promises: the file it writes, the numbers it checks against, the models it hands to ONNX Runtime. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const bench = (file: string) => fileURLToPath(new URL(`../bench/${file}`, import.meta.url));

interface Results {
  readonly machine: { readonly processor: string };
  readonly peak: { readonly simd128: number };
  readonly rows: readonly Record<string, unknown>[];
}

describe("a run of the bench", () => {
  it("writes latest.json with machine, peaks and a checked row for each engine", () => {
    const folder = mkdtempSync(join(tmpdir(), "recurra-bench-"));
    try {
      const chosen = ["--only", "train", "--cells", "gru", "--points", "32x1x64", "--threads", "1", "--rounds", "1"];
      const engines = ["--engines", "recurra-wasm"];
      execFileSync(process.execPath, [bench("main.mjs"), ...chosen, ...engines, "--out", folder, "--json"]);
      const results = JSON.parse(readFileSync(join(folder, "latest.json"), "utf8")) as Results;
      expect(results.machine.processor).toEqual(expect.any(String));
      expect(results.peak.simd128).toBeGreaterThan(1);
      expect(results.rows).toHaveLength(1);
      expect(results.rows[0]).toMatchObject({
        ...{ work: "train", cell: "gru", hidden: 32, batch: 1, time: 64, threads: 1, engine: "recurra-wasm" },
        ...{
          medianMs: expect.any(Number),
          gflops: expect.any(Number),
          kernels: expect.stringMatching(/^(plain|relaxed)$/),
        },
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("results of several runs", () => {
  it("keep what a later run did not measure", async () => {
    const { writeResults } = (await import(bench("results.mjs"))) as {
      writeResults(document: object, to: { folder: string; add?: boolean }): { joined: Record<string, unknown> };
    };
    const folder = mkdtempSync(join(tmpdir(), "recurra-bench-"));
    try {
      const row = (engine: string, cell: string, medianMs: number) => {
        const [hidden, batch, time, threads] = [128, 1, 1, 1];
        return { work: "stream", cell, hidden, batch, time, threads, engine, medianMs, rounds: [medianMs] };
      };
      const ours = [row("recurra-native", "gru", 1), row("recurra-native", "lstm", 2)];
      const peers = [row("onnxruntime", "gru", 8), row("onnxruntime", "lstm", 10)];
      const measured = (what: string, value: number) => ({ what, value, claim: "growth" });
      const stale = { what: "streaming step, native / ONNX Runtime, worst cell", value: 0 };
      const first = { rows: [...ours, ...peers], claims: [measured("size", 3), stale], ladder: [{ rung: "plain" }] };
      writeResults({ date: "1", ...first }, { folder });
      const rows = [row("recurra-native", "lstm", 5)];
      const second = { date: "2", rows, claims: [measured("growth", 0)], ladder: [] };
      expect(writeResults(second, { folder, add: true }).joined).toEqual({
        date: "2",
        rows: [ours[0], ...rows, ...peers],
        claims: [
          // Of rows of both runs.
          expect.objectContaining({ what: stale.what, value: 2, met: false }),
          measured("size", 3),
          measured("growth", 0),
        ],
        ladder: first.ladder,
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("the commands of the bench", () => {
  it.each([
    ["bench:profile", "profile.mjs", "--work", "learn", '--work is "learn", expected train, forward, language'],
    ["bench:profile", "profile.mjs", "--cell", "lstmm", '--cell is "lstmm", expected rnn, gru, lstm'],
    ["bench:profile", "profile.mjs", "--batch", "2.5", "--batch is 2.5, expected 1, 2, 3, …"],
    ["bench:profile", "profile.mjs", "--nope", "3", "Unknown option '--nope'"],
    ["bench", "main.mjs", "--cells", "gru,lstmm", '--cells names "lstmm", expected some of rnn, gru, lstm'],
    ["bench", "main.mjs", "--rounds", "0", "--rounds is 0, expected 1, 2, 3, …"],
    ["bench:browser", "browser/run.mjs", "--nope", "3", "Unknown option '--nope'"],
    ["cells", "cells.mjs", "--hidden", "wide", "--hidden is wide, expected 1, 2, 3, …"],
  ])("%s (%s) refuses %s %s in one sentence", (command, file, option, value, sentence) => {
    const { status, stderr } = spawnSync(process.execPath, [bench(file), option, value], { encoding: "utf8" });
    expect({ status, stderr }).toEqual({ status: 2, stderr: `${command}: ${sentence}\n` });
  });
});

describe("PyTorch as a peer", () => {
  it("is started with as many threads for its products as the rows that it is asked for", async () => {
    interface Engine {
      readonly name: string;
      readonly env?: Readonly<Record<string, string>>;
      readonly asked: (job: object) => boolean;
    }
    const { engines } = (await import(bench("engines/list.mjs"))) as { engines(options: object): readonly Engine[] };
    const peers = engines({ full: true, python: "/usr/bin/python3" }).filter(({ name }) => name === "pytorch");
    for (const threads of [1, 2]) {
      const asked = peers.filter((peer) => peer.asked({ work: "train", cell: "gru", hidden: 64, threads }));
      expect(asked.map(({ env }) => [env?.["OPENBLAS_NUM_THREADS"], env?.["OMP_NUM_THREADS"]])).toEqual([
        [String(threads), String(threads)],
      ]);
    }
  });
});

describe("the check before an engine is timed", () => {
  it("lets small rounding pass and names what is wrong", async () => {
    const { difference } = (await import(bench("interleave.mjs"))) as {
      difference(given: object, expected: object): string | undefined;
    };
    expect(difference({ loss: 1.0001, output: [1, 2, 1, 2] }, { loss: 1, output: [1, 2] })).toBeUndefined();
    expect(difference({ output: [1, 2, 1, 2.1] }, { output: [1, 2] })).toBe(
      "wrong: output[3] is 2.1, the reference says 2",
    );
    expect(difference({ loss: Number.NaN }, { loss: 1 })).toBe("wrong: loss[0] is NaN, the reference says 1");
  });
});

describe("the ONNX writer", () => {
  it("writes the bytes that protobuf prescribes", async () => {
    const { writeModel } = (await import(bench("onnx.mjs"))) as { writeModel(model: object): Uint8Array };
    const value = (name: string) => ({ name, dims: [300] });
    const bytes = writeModel({
      inputs: [value("x")],
      outputs: [value("y")],
      initializers: [],
      nodes: [{ op: "Relu", inputs: ["x"], outputs: ["y"] }],
    });
    // Field 1, ir_version 7; field 2, the producer; then the graph, in which the node names x, y and Relu.
    expect([...bytes.subarray(0, 4)]).toEqual([0x08, 7, 0x12, 13]);
    const hex = Buffer.from(bytes).toString("hex");
    expect(hex).toContain(`0a0c0a01781201792204${Buffer.from("Relu").toString("hex")}`);
    // 300 as a variable-length number, within dim_value.
    expect(hex).toContain("0a0308ac02");
    // The default operators, version 14.
    expect(hex.endsWith("42040a00100e")).toBe(true);
  });
});
