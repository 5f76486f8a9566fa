/**
 * Every built-in cell: the error of its gradient against central differences, its difference from PyTorch (stored by
 * scripts/golden-cells.py), and its training steps per second relative to LSTM.
 *
 *     npm run cells [-- --json] [--only lstm,gru] [--hidden 128] [--batch 32] [--time 64]
 *
 * `rate` above 1: more steps per second than LSTM. `work` is the multiply-adds of its matrix products relative to LSTM's; a cell whose
 * rate times work is far below 1 is slow for what it computes.
 */
import { readFileSync } from "node:fs";
import { add, dense, mse, mul, recurrent, sequenceType, sequential, square, sumAll, vectorType } from "recurra";
import { cells, formulaOf, lstmProjectedCell } from "recurra/cells";
import { buildPrograms, interpret } from "recurra/inspect";
import { Model, sgd } from "recurra/train";
import { commandLine } from "./options.mjs";

const text = (value) => ({ type: "string", default: value });
const { values, words, count } = commandLine("cells", {
  json: { type: "boolean", default: false },
  only: { type: "string" },
  ...{ hidden: text("128"), batch: text("32"), time: text("64"), rounds: text("9") },
});
const [hiddenSize, batch, time, rounds] = ["hidden", "batch", "time", "rounds"].map(count);
const names = words("only", Object.keys(cells)) ?? Object.keys(cells);
const golden = JSON.parse(readFileSync(new URL("../test/golden/pytorch-cells.json", import.meta.url), "utf8"));
/** Rounding has no derivative that differences could find: PyTorch's straight-through gradient stands for it in the tests. */
const rounded = new Set(["gru-binary-gate", "skip-gru", "skip-lstm"]);
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

/** The stored case as a network: one layer, first states given. */
function goldenCase(name) {
  const peer = golden.cells[name];
  const cell = name === "lstm-projected" ? lstmProjectedCell({ projectionSize: 3 }) : cells[name];
  const size = (numbers) => numbers.length / golden.batch;
  const initial = Object.fromEntries(cell.states.map((state) => [`initial.${state}`, peer.initial[state]]));
  const network = {
    inputs: {
      x: sequenceType(golden.inputSize),
      v: sequenceType(peer.v.length / golden.batch / golden.time),
      ...Object.fromEntries(Object.entries(initial).map(([state, numbers]) => [state, vectorType(size(numbers))])),
    },
    forward: ({ x, ...fed }, scope) => {
      const states = Object.fromEntries(cell.states.map((state) => [`0.forward.${state}`, fed[`initial.${state}`]]));
      const { sequence, final } = recurrent({ cell, hiddenSize: golden.hiddenSize }).run(x, scope, states);
      return { sequence, ...final };
    },
    loss: ({ sequence, ...final }, { v }) =>
      add(sumAll(mul(sequence, v)), ...Object.values(final).map((state) => mul(0.5, sumAll(square(state))))),
  };
  const weights = Object.fromEntries(
    Object.entries(peer.weights).map(([key, numbers]) => [`0.forward.${key}`, numbers]),
  );
  return { peer, network, inputs: { x: peer.x, v: peer.v, ...initial }, weights };
}

/** Largest relative error over weights of the float64 gradient along one direction, against central differences. */
function gradientError({ network, inputs, weights }) {
  const { train, parameters } = buildPrograms(network, { optimizer: sgd() });
  const sizes = { batch: golden.batch, time: golden.time };
  const fixed = { seed: [0], learningRate: [1], ...inputs };
  // One step of plain gradient descent at rate 1: the gradient is what the weight loses. The same seed draws the same masks.
  const { updates } = interpret(train, { ...fixed, ...weights }, sizes);
  const loss = (changed) => interpret(train, { ...fixed, ...weights, ...changed }, sizes).outputs.loss[0];
  const errors = parameters.flatMap(({ name, trainable }) => {
    if (!trainable) return [];
    const at = Float64Array.from(weights[name]);
    const direction = at.map((_, i) => Math.cos(i * 1.7));
    const along = at.reduce((sum, value, i) => sum + (value - updates[name][i]) * direction[i], 0);
    const moved = (distance) => loss({ [name]: at.map((value, i) => value + distance * direction[i]) });
    const expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
    return [Math.abs(along - expected) / Math.max(Math.abs(expected), 1e-3)];
  });
  return errors.length === 0 ? undefined : Math.max(...errors);
}

/** Largest difference of the compiled layer's outputs and states from PyTorch's, relative to the largest of each. */
function peerDifference({ peer, network, inputs, weights }) {
  const model = new Model(network, { threads: 1 });
  model.setWeights(new Map(Object.entries(weights).map(([name, numbers]) => [name, Float32Array.from(numbers)])));
  const outputs = model.predict({ sizes: { batch: golden.batch, time: golden.time }, inputs });
  const expected = { sequence: peer.output };
  for (const [state, numbers] of Object.entries(peer.final)) expected[`0.forward.${state}`] = numbers;
  return Math.max(
    ...Object.entries(expected).map(([name, numbers]) => {
      const largest = Math.max(1e-3, ...numbers.map(Math.abs));
      return Math.max(...numbers.map((value, i) => Math.abs(outputs[name][i] - value))) / largest;
    }),
  );
}

function makeModel(name) {
  const inputSize = name === "gru-d" ? Math.ceil(hiddenSize / 3) * 3 : hiddenSize;
  const layers = sequential(recurrent({ cell: cells[name], hiddenSize, output: "last" }), dense({ outputSize: 8 }));
  const network = {
    inputs: { x: sequenceType(inputSize), y: vectorType(8) },
    forward: ({ x }, scope) => ({ y: layers.apply(x, scope) }),
    loss: ({ y }, inputs, scope) => mse(y, inputs.y, scope),
  };
  const inputs = {
    x: Float32Array.from({ length: batch * time * inputSize }, (_, i) => Math.abs(Math.sin(i * 0.37))),
    y: Float32Array.from({ length: batch * 8 }, (_, i) => Math.cos(i)),
  };
  const model = new Model(network, { clipping: { norm: 1 }, threads: 1 });
  const matrices = formulaOf(cells[name], { inputSize, hiddenSize }).parameters.filter(
    ({ shape }) => shape.length === 2,
  );
  return {
    step: () => model.trainStep({ sizes: { batch, time }, inputs }, 1e-4),
    work: matrices.reduce((sum, { shape }) => sum + shape[0] * shape[1], 0),
  };
}

function timed(step, repeats) {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) step();
  return (performance.now() - start) / repeats;
}

const say = (line) => process.stdout.write(`${line}\n`);
const base = makeModel("lstm");
timed(base.step, 10);
if (!values.json) {
  say(
    `Training steps with input ${hiddenSize}, hidden ${hiddenSize}, batch ${batch}, ${time} timesteps, one thread, in turns with LSTM.`,
  );
  say(`${"cell".padEnd(20)} gradient error  PyTorch difference  step ms   rate   work`);
}
for (const name of names) {
  const stored = goldenCase(name);
  const subject = makeModel(name);
  timed(subject.step, 10);
  const pairs = Array.from({ length: rounds }, () => [timed(base.step, 2), timed(subject.step, 2)]);
  const row = {
    cell: name,
    gradientError: rounded.has(name) ? undefined : gradientError(stored),
    peerDifference: peerDifference(stored),
    stepMs: median(pairs.map(([, own]) => own)),
    rate: median(pairs.map(([lstm, own]) => lstm / own)),
    work: subject.work / base.work,
  };
  const small = (value) => (value === undefined ? "–" : value.toExponential(1));
  if (values.json) say(JSON.stringify(row));
  else
    say(
      `${name.padEnd(20)} ${small(row.gradientError).padStart(14)}  ${small(row.peerDifference).padStart(18)}  ${row.stepMs.toFixed(2).padStart(7)}  ${row.rate.toFixed(2).padStart(5)}  ${row.work.toFixed(2).padStart(5)}`,
    );
}
