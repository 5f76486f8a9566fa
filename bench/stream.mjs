/**
 * Microseconds per streaming step, hidden = input, one layer with its sequence as output.
 * Run: node bench/stream.mjs [--hidden 128] [--streams 1]
 */
import { parseArgs } from "node:util";
import { mse, recurrent, sequenceType } from "recurra";
import { cells } from "recurra/cells";
import { defineNetwork, Model } from "recurra/train";

const { values } = parseArgs({
  options: { hidden: { type: "string", default: "128" }, streams: { type: "string", default: "1" } },
});
const [hidden, streams] = [Number(values.hidden), Number(values.streams)];
const rounds = 21;
const steps = 2000;

const running = ["lstm", "gru", "rnn"].map((cell) => {
  const layer = recurrent({ cell: cells[cell], hiddenSize: hidden });
  const network = defineNetwork({
    inputs: { x: sequenceType(hidden), y: sequenceType(hidden) },
    forward: ({ x }, scope) => ({ h: layer.apply(x, scope) }),
    loss: ({ h }, { y }, scope) => mse(h, y, scope),
  });
  const stream = new Model(network, { threads: 1 }).stream({ streams });
  const x = stream.inputs.x;
  for (let i = 0; i < x.length; i++) x[i] = Math.sin(i);
  return { cell, stream, microseconds: [] };
});
for (let round = 0; round < rounds; round++) {
  for (const { stream, microseconds } of running) {
    const start = performance.now();
    for (let i = 0; i < steps; i++) stream.step();
    microseconds.push(((performance.now() - start) * 1000) / steps);
  }
}
for (const { cell, stream, microseconds } of running) {
  const sorted = microseconds.slice(1).sort((a, b) => a - b);
  const [low, median, high] = [0.25, 0.5, 0.75].map((at) => sorted[Math.floor(at * sorted.length)].toFixed(2));
  console.log(
    `${cell} hidden ${hidden} streams ${streams}: ${median} µs per step (quartiles ${low} … ${high}), ${stream.footprint.kernels}, Node ${process.versions.node}`,
  );
}
