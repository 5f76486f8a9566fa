/** How much slower than the built-in LSTM is a cell that its user wrote down as equations? */
import { add, defineCell, div, matmul, meanFeatures, mul, sigmoid, sqrt, square, sub, tanh } from "recurra";
import { median } from "../statistics.mjs";
import { atMost, nativeIsOff, timeInTurns, trainingRun } from "./side-by-side.mjs";

const blocks = ["i", "f", "g", "o"];
const state = ["h", "c"];

const ownLstm = defineCell({
  name: "own-lstm",
  state,
  blocks,
  step: ({ x, h, c }, { W, R, b }) => {
    const gate = (block) => add(matmul(W[block], x), matmul(R[block], h), b[block]);
    const cell = add(mul(sigmoid(gate("f")), c), mul(sigmoid(gate("i")), tanh(gate("g"))));
    return { h: mul(sigmoid(gate("o")), tanh(cell)), c: cell };
  },
});

const vector = (value) => ({ shape: ({ hiddenSize }) => [hiddenSize], initializer: { kind: "constant", value } });

/** Gers and Schmidhuber 2000: the gates see the cell, each through a vector of weights. */
const peepholeLstm = defineCell({
  name: "peephole-lstm",
  state,
  blocks,
  parameters: { pi: vector(0.1), pf: vector(0.1), po: vector(0.1) },
  step: ({ x, h, c }, { W, R, b, pi, pf, po }) => {
    const gate = (block) => add(matmul(W[block], x), matmul(R[block], h), b[block]);
    const i = sigmoid(add(gate("i"), mul(pi, c)));
    const f = sigmoid(add(gate("f"), mul(pf, c)));
    const cell = add(mul(f, c), mul(i, tanh(gate("g"))));
    return { h: mul(sigmoid(add(gate("o"), mul(po, cell))), tanh(cell)), c: cell };
  },
});

/** Ba et al. 2016: the sum of each gate is normalised over the features, and so is the cell on its way out. */
const layerNormLstm = defineCell({
  name: "layer-norm-lstm",
  state,
  blocks,
  parameters: Object.fromEntries([...blocks, "cell"].map((block) => [`gain_${block}`, vector(1)])),
  step: ({ x, h, c }, weights) => {
    const { W, R, b } = weights;
    const normalised = (value, block) => {
      const centred = sub(value, meanFeatures(value));
      return mul(weights[`gain_${block}`], div(centred, sqrt(add(meanFeatures(square(centred)), 1e-5))));
    };
    const gate = (block) => add(normalised(add(matmul(W[block], x), matmul(R[block], h)), block), b[block]);
    const cell = add(mul(sigmoid(gate("f")), c), mul(sigmoid(gate("i")), tanh(gate("g"))));
    return { h: mul(sigmoid(gate("o")), tanh(normalised(cell, "cell"))), c: cell };
  },
});

const cells = [
  { title: "LSTM written by the user", cell: ownLstm, target: 1.05 },
  { title: "peephole LSTM", cell: peepholeLstm, target: 1.2 },
  { title: "layer-normalised LSTM", cell: layerNormLstm, target: 1.4 },
];

/** Where the pages of a model lie changes its time by some hundredths: several models of each cell are made. */
const models = 5;

export function measure() {
  return (nativeIsOff ? [128] : [64, 128, 256]).flatMap((hidden) => {
    const point = { hidden, batch: 32, time: 64 };
    const inTurns = Array.from({ length: models }, () => {
      const runs = { "built in": trainingRun({ ...point, cell: "lstm" }).run };
      for (const { title, cell } of cells) runs[title] = trainingRun({ ...point, cell }).run;
      return timeInTurns(runs, { rounds: 3 });
    });
    return cells.map(({ title, target }) => {
      const ratios = inTurns.map((medians) => medians[title] / medians["built in"]).sort((a, b) => a - b);
      return atMost(
        `${title} / built-in LSTM, training, hidden ${hidden}, batch 32`,
        median(ratios),
        target,
        "×",
        `${models} models of each: ${ratios[0].toFixed(2)} to ${ratios.at(-1).toFixed(2)}; ${median(inTurns.map((medians) => medians["built in"])).toFixed(2)} ms built in`,
      );
    });
  });
}
