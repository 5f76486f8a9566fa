/**
 * Sequences of unequal lengths against the same batch padded to the longest: 32 rows, lengths uniform in 10 … 100. The time should
 * shrink as the number of true steps does.
 *
 *     npm run bench:lengths [-- --threads 1] [--hidden 64,128,256] [--cells gru,lstm]
 *
 * Padded once in a model without lengths, and once with all lengths 100. `over` is the time of the unequal lengths, as a part of the
 * former, over the part that is true steps: 1 where time is in proportion. `RECURRA_NATIVE=0` measures WebAssembly alone.
 */
import { parseArgs } from "node:util";
import { dense, mse, recurrent, sequenceType, sequential } from "recurra";
import { cellNamed } from "recurra/cells";
import { Model } from "recurra/train";

const { values } = parseArgs({
  options: {
    threads: { type: "string", default: "1" },
    hidden: { type: "string", default: "64,128,256" },
    cells: { type: "string", default: "gru,lstm" },
    rounds: { type: "string", default: "9" },
  },
});
const [batch, time] = [32, 100];
const lengths = Float32Array.from(
  { length: batch },
  (_, b) => 10 + Math.round((((b * 13) % batch) * 90) / (batch - 1)),
);
const trueSteps = lengths.reduce((sum, length) => sum + length, 0) / (batch * time);
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const timed = (run) => {
  const start = performance.now();
  run();
  return performance.now() - start;
};

console.log(`true steps: ${trueSteps.toFixed(3)} of the padded`);
console.log("cell  hidden  work     no lengths all full  unequal ms  part   over");
for (const name of values.cells.split(",")) {
  for (const hidden of values.hidden.split(",").map(Number)) {
    const layers = sequential(recurrent({ cell: cellNamed(name), hiddenSize: hidden }), dense({ outputSize: hidden }));
    const network = (variableLengths) => ({
      inputs: { x: sequenceType(hidden), y: sequenceType(hidden) },
      variableLengths,
      forward: ({ x }, scope) => ({ y: layers.apply(x, scope) }),
      loss: ({ y }, inputs, scope) => mse(y, inputs.y, scope),
    });
    const [plain, model] = [[], ["time"]].map((axes) => new Model(network(axes), { threads: Number(values.threads) }));
    const x = Float32Array.from({ length: batch * time * hidden }, (_, i) => Math.sin(i * 0.7));
    const y = Float32Array.from({ length: batch * time * hidden }, (_, i) => Math.cos(i * 0.3));
    const padded = { sizes: { batch, time }, inputs: { x, y, lengths: new Float32Array(batch).fill(time) } };
    const unequal = { sizes: { batch, time }, inputs: { x, y, lengths } };
    const works = {
      predict: (of, given) => of.predict(given),
      train: (of, given) => of.trainStep(given, 1e-4),
    };
    for (const [work, run] of Object.entries(works)) {
      const all = [() => run(plain, padded), () => run(model, padded), () => run(model, unequal)];
      const warm = performance.now();
      while (performance.now() - warm < 600) for (const one of all) one();
      const rounds = Array.from({ length: Number(values.rounds) * 5 }, () => all.map(timed));
      const [without, full, some] = all.map((_, i) => median(rounds.map((round) => round[i])));
      const part = median(rounds.map((round) => round[2] / round[0]));
      const columns = [
        without.toFixed(2),
        full.toFixed(2),
        some.toFixed(2),
        part.toFixed(3),
        (part / trueSteps).toFixed(2),
      ];
      const widths = [10, 9, 10, 6, 6];
      const numbers = columns.map((text, i) => text.padStart(widths[i])).join(" ");
      console.log(`${name.padEnd(5)} ${String(hidden).padStart(6)}  ${work.padEnd(8)} ${numbers}`);
    }
  }
}
