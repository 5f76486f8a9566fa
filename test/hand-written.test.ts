/** Cells against float64 loops written by hand, forward and backward: stacked layers, unequal lengths, given states. */
import { describe, it } from "vitest";
import { gru, gruResetBefore } from "../packages/recurra/src/cells/gru.ts";
import { lstm } from "../packages/recurra/src/cells/lstm.ts";
import { rnn } from "../packages/recurra/src/cells/rnn.ts";
import { recurrent } from "../packages/recurra/src/layers/recurrent.ts";
import { add, mul, sumAll } from "../packages/recurra/src/trace/operations.ts";
import { sequenceType, vectorType } from "../packages/recurra/src/trace/tensor.ts";
import { expectClose, tolerances } from "./support/close.ts";
import {
  type CellStep,
  gruResetAfterStep,
  gruResetBeforeStep,
  lstmStep,
  type Matrix,
  rnnStep,
  type Step,
  type Vector,
  type Weights,
} from "./support/hand-written.ts";
import {
  backends,
  feedsFor,
  optimized,
  programOf,
  reference,
  scopeIn,
  type Values,
  withGradients,
} from "./support/programs.ts";

const cells = [
  { name: "rnn", cell: rnn, step: rnnStep, gates: ["h"], states: ["h"] },
  { name: "gru", cell: gru, step: gruResetAfterStep, gates: ["z", "r", "h"], states: ["h"] },
  { name: "gru-reset-before", cell: gruResetBefore, step: gruResetBeforeStep, gates: ["z", "r", "h"], states: ["h"] },
  { name: "lstm", cell: lstm, step: lstmStep, gates: ["i", "f", "g", "o"], states: ["h", "c"] },
] as const;
const [inputSize, hiddenSize, depth, batch, time] = [3, 4, 2, 4, 5];
const lengths = [5, 0, 3, 1];

interface Found {
  readonly values: Record<string, Vector>;
}

/** loss = Σ v ⊙ sequence + Σ u ⊙ final states, by loops over rows, layers and steps. */
function byHand(step: CellStep, gates: readonly string[], states: readonly string[], feeds: Values): Found {
  const values: Record<string, Vector> = {};
  const block = (name: string, from: number, size: number): Vector => Array.from(feeds[name]!).slice(from, from + size);
  const matrix = (name: string, columns: number): Matrix =>
    feeds[name] === undefined ? [] : Array.from({ length: hiddenSize }, (_, i) => block(name, i * columns, columns));
  const layers = Array.from({ length: depth }, (_, l): Weights => {
    const by = <T>(read: (gate: string) => T) => Object.fromEntries(gates.map((gate) => [gate, read(gate)]));
    const path = `${l}.forward`;
    return {
      W: by((gate) => matrix(`${path}.W.${gate}`, l === 0 ? inputSize : hiddenSize)),
      R: by((gate) => matrix(`${path}.R.${gate}`, hiddenSize)),
      b: by((gate) => block(`${path}.b.${gate}`, 0, hiddenSize)),
      rb: by((gate) => Array.from(feeds[`${path}.rb.${gate}`] ?? [])),
    };
  });
  const gradients = layers.map(
    (weights) =>
      JSON.parse(JSON.stringify(weights, (_key, value: unknown) => (typeof value === "number" ? 0 : value))) as Weights, // The same shapes, all 0.
  );
  const store = (name: string, row: number, given: Vector) => {
    values[name] ??= [];
    values[name].splice(row * given.length, given.length, ...given);
  };
  let loss = 0;
  for (let row = 0; row < batch; row++) {
    const zero = () => Array.from({ length: hiddenSize }, () => 0);
    let rows = Array.from({ length: time }, (_, t) => block("x", (row * time + t) * inputSize, inputSize));
    const tapes: Step[][] = [];
    layers.forEach((weights, l) => {
      let [h, c] = ["h", "c"].map((state) =>
        states.includes(state) ? block(`initial.${l}.${state}`, row * hiddenSize, hiddenSize) : zero(),
      ) as [Vector, Vector];
      const tape: Step[] = [];
      for (let t = 0; t < lengths[row]!; t++) {
        const made = step(weights, rows[t]!, h, c);
        tape.push(made);
        h = made.h;
        c = made.c;
      }
      tapes.push(tape);
      rows = Array.from({ length: time }, (_, t) => tape[t]?.h ?? zero());
      for (const state of states) store(`final.${l}.${state}`, row, state === "h" ? h : c);
    });
    store("sequence", row, rows.flat());
    rows.forEach((output, t) => {
      output.forEach((value, k) => {
        loss += value * feeds["mask v"]![(row * time + t) * hiddenSize + k]!;
      });
    });
    let arriving = rows.map((_, t) => block("mask v", (row * time + t) * hiddenSize, hiddenSize));
    for (let l = depth - 1; l >= 0; l--) {
      const end = (state: string) =>
        states.includes(state) ? block(`mask u.${l}.${state}`, row * hiddenSize, hiddenSize) : zero();
      for (const state of states)
        end(state).forEach((weight, k) => {
          loss += weight * values[`final.${l}.${state}`]![row * hiddenSize + k]!;
        });
      let [gradH, gradC] = [end("h"), end("c")];
      const gradX = arriving.map(() => Array.from({ length: l === 0 ? inputSize : hiddenSize }, () => 0));
      for (let t = lengths[row]! - 1; t >= 0; t--) {
        const flows = tapes[l]![t]!.backward(
          gradH.map((g, k) => g + arriving[t]![k]!),
          gradC,
          gradients[l]!,
        );
        gradX[t] = flows.x;
        gradH = flows.h;
        gradC = flows.c;
      }
      store(`gradient initial.${l}.h`, row, gradH);
      if (states.includes("c")) store(`gradient initial.${l}.c`, row, gradC);
      arriving = gradX;
    }
    store("gradient x", row, arriving.flat());
  }
  gradients.forEach((weights, l) => {
    for (const [kind, byGate] of Object.entries(weights) as [string, Record<string, Vector | Matrix>][]) {
      for (const [gate, gradient] of Object.entries(byGate)) {
        if (gradient.length > 0) values[`gradient ${l}.forward.${kind}.${gate}`] = gradient.flat();
      }
    }
  });
  return { values: { ...values, loss: [loss] } };
}

describe.each(cells)("$name, stacked, with lengths and given states", ({ cell, step, gates, states }) => {
  const program = programOf((trace) => {
    const x = trace.input("x", sequenceType(inputSize));
    const scope = scopeIn(trace, { time: trace.input("lengths", vectorType(1)) });
    const initial = Object.fromEntries(
      Array.from({ length: depth }, (_, l) =>
        states.map(
          (state) => [`${l}.forward.${state}`, trace.input(`initial.${l}.${state}`, vectorType(hiddenSize))] as const,
        ),
      ).flat(),
    );
    const result = recurrent({ cell, hiddenSize, depth }).run(x, scope, initial);
    const final = Object.fromEntries(
      Array.from({ length: depth }, (_, l) =>
        states.map((state) => [`final.${l}.${state}`, result.final[`${l}.forward.${state}`]!] as const),
      ).flat(),
    );
    const ends = Object.entries(final).map(([name, state]) =>
      sumAll(mul(state, trace.input(name.replace("final", "mask u"), vectorType(hiddenSize)))),
    );
    const loss = add(sumAll(mul(result.sequence, trace.input("mask v", sequenceType(hiddenSize)))), ...ends);
    return { loss, sequence: result.sequence, ...final };
  });
  const sizes = { batch, time };
  const feeds = feedsFor(program, sizes, 12, { lengths, seed: [0] }, 0.7);
  const { values } = byHand(step, gates, states, feeds);

  it.each([
    {
      name: "the float64 interpreter",
      tolerance: tolerances.float64,
      gradient: tolerances.float64,
      form: withGradients(program),
      run: reference,
    },
    {
      name: "the float64 interpreter after every pass",
      tolerance: tolerances.float64,
      gradient: tolerances.float64,
      form: optimized(program),
      run: reference,
    },
    ...backends.map((backend) => ({
      ...backend,
      tolerance: tolerances.float32,
      gradient: tolerances.float32Gradient,
      form: optimized(program),
    })),
  ])("has the hand-written outputs, states and gradients on $name", ({ form, run, tolerance, gradient }) => {
    const given = run(form, feeds, sizes);
    for (const [name, expected] of Object.entries(values))
      expectClose(
        given[name]!,
        expected,
        name.startsWith("gradient") ? gradient : tolerance,
        name,
        `hand-written, ${tolerance}`,
      );
  });
});
