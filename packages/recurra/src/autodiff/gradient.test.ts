import { describe, expect, it } from "vitest";
import { interpret } from "../backends/reference/interpret.ts";
import { createRandom } from "../base/random.ts";
import { Executable } from "../compile/executable.ts";
import type { Program } from "../ir/nodes.ts";
import { printProgram } from "../ir/printer.ts";
import { verify } from "../ir/verify.ts";
import { hoist } from "../optimize/hoist.ts";
import { lowerMeaning } from "../optimize/meaning.ts";
import { prune } from "../optimize/prune.ts";
import { sideBySide } from "../optimize/sideBySide.ts";
import { sink } from "../optimize/sink.ts";
import { add, matmul, mul, sigmoid, square, sub, sumAll, tanh } from "../trace/operations.ts";
import { scan } from "../trace/scan.ts";
import { sequenceType, Trace, vectorType } from "../trace/tensor.ts";
import { gradients } from "./gradient.ts";

describe("x", () => {
  it("y", () => {
    const t = new Trace();
    const H = 3,
      I = 2;
    const x = t.input("x", sequenceType(I));
    const lengths = t.input("lengths", vectorType(1));
    const h0 = t.input("h0", vectorType(H));
    const W = ["z", "r", "n"].map((g) => t.param(`W.${g}`, [H, I]));
    const R = ["z", "r", "n"].map((g) => t.param(`R.${g}`, [H, H]));
    const b = ["z", "r", "n"].map((g) => t.param(`b.${g}`, [H]));
    const s = scan({
      initial: { h: h0 },
      sequences: { x },
      lengths,
      step: ({ h }, { x }) => {
        const z = sigmoid(add(matmul(W[0]!, x), matmul(R[0]!, h), b[0]!));
        const r = sigmoid(add(matmul(W[1]!, x), matmul(R[1]!, h), b[1]!));
        const n = tanh(add(matmul(W[2]!, x), mul(r, matmul(R[2]!, h)), b[2]!));
        const next = add(mul(sub(1, z), n), mul(z, h));
        return { next: { h: next }, outputs: { h: next } };
      },
    });
    const loss = add(sumAll(square(s.outputs.h)), sumAll(mul(s.final.h, 0.5)));
    const base: Program = { graph: t.builder.finish(), outputs: { loss: loss.id }, updates: {} };
    verify(base);
    let p = base;
    for (const pass of [sideBySide, hoist, prune]) {
      p = pass(p);
      verify(p);
    }
    const tt = new Trace();
    tt.builder.nodes.push(...p.graph.nodes);
    tt.builder.types.push(...p.graph.types);
    const names: string[] = [];
    const ids: number[] = [];
    p.graph.nodes.forEach((n, i) => {
      if (n.kind === "param" || (n.kind === "input" && n.name !== "lengths")) {
        names.push(n.name);
        ids.push(i);
      }
    });
    const g = gradients(tt.builder, p.outputs["loss"]!, ids as never);
    p = {
      graph: tt.builder.finish(),
      outputs: { loss: p.outputs["loss"]!, ...Object.fromEntries(names.map((n, i) => [n, g[i]!])) },
      updates: {},
    };
    verify(p);
    const plain = p;
    for (const pass of [prune, hoist, sink, prune, lowerMeaning]) {
      p = pass(p);
      verify(p);
    }
    const sizes = { batch: 3, time: 4 };
    const random = createRandom(1);
    const feeds: Record<string, number[]> = { lengths: [4, 2, 0] };
    const fill = (name: string, n: number) => {
      feeds[name] = Array.from({ length: n }, () => random.normal());
    };
    fill("x", 3 * 4 * I);
    fill("h0", 3 * H);
    for (const q of "zrn") {
      fill(`W.${q}`, H * I);
      fill(`R.${q}`, H * H);
      fill(`b.${q}`, H);
    }
    const a = interpret(plain, feeds, sizes).outputs;
    const bb = interpret(p, feeds, sizes).outputs;
    if (process.env["SHOW"]) console.log(printProgram(p));
    for (const n of Object.keys(a)) a[n]!.forEach((v, i) => expect(bb[n]![i]).toBeCloseTo(v, 12));
    for (const strict of [true, false]) {
      const exe = new Executable({ main: plain }, { strict });
      const exo = new Executable({ main: p }, { strict });
      for (const e of [exe, exo]) {
        e.call(
          "main",
          { batch: 1, time: 1 },
          { x: feeds["x"]!.slice(0, I), h0: feeds["h0"]!.slice(0, H), lengths: [1] },
        );
        for (const n of names) if (n.includes(".")) e.param(n).set(feeds[n]!);
        e.call("main", sizes, feeds as never);
        for (const n of Object.keys(a)) {
          const got = e.output("main", n, sizes);
          a[n]!.forEach((v, i) => expect(got[i], `${n} ${i}`).toBeCloseTo(v, 5));
        }
      }
    }
    for (const n of names) {
      for (let i = 0; i < feeds[n]!.length; i++) {
        const e = 1e-5,
          v = feeds[n]![i]!;
        feeds[n]![i] = v + e;
        const up = interpret(base, feeds, sizes).outputs["loss"]![0]!;
        feeds[n]![i] = v - e;
        const dn = interpret(base, feeds, sizes).outputs["loss"]![0]!;
        feeds[n]![i] = v;
        expect(Math.abs(a[n]![i]! - (up - dn) / 2 / e), `${n} ${i}`).toBeLessThan(1e-7);
      }
    }
  });
});
