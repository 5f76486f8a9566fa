/**
 * Backpropagation through time, term by term. Three sentences of the words cat, mat and rat, one-hot, go through
 *
 *     o_t = tanh(W_i·x_t + W_h·o_{t−1}),   ŷ = σ(W_o·o_3)
 *
 * and ∂L/∂W is the sum over the steps j of (∂L/∂ŷ)(∂ŷ/∂o_j)(∂o_j/∂W). Every term is computed here by hand, and the sum is what the
 * engine computes. Then the same with three classes.
 * Run: node examples/notes/cat-mat-rat.mjs
 */
import { add, binaryCrossEntropy, crossEntropy, matmul, recurrent, sequenceType, tanh, vectorType } from "recurra";
import { defineCell } from "recurra/cells";
import { inspectGradients } from "recurra/inspect";
import { defineNetwork, Model, sgd } from "recurra/train";
import { likeliest, oneHot, rowsOf } from "./words.mjs";

const vocabulary = ["cat", "mat", "rat"];
const sentences = ["cat mat rat", "rat rat mat", "mat mat cat"];
const hidden = 2;

/** The cell of the notes has no bias. */
const plain = defineCell({
  name: "plain",
  state: ["o"],
  blocks: ["o"],
  step: ({ x, o }, { W, R }) => ({ o: tanh(add(matmul(W.o, x), matmul(R.o, o))) }),
});
const layer = recurrent({ cell: plain, hiddenSize: hidden, output: "last" });

/** `outputs` scores from the last state: one logit, or one for each class. */
function networkOf(outputs, lossOf) {
  return defineNetwork({
    inputs: { x: sequenceType(3), y: vectorType(1) },
    forward: ({ x }, scope) => ({
      score: matmul(scope.param("W_o", [outputs, hidden], "xavierUniform"), layer.apply(x, scope.in("rnn"))),
    }),
    loss: ({ score }, { y }, scope) => lossOf(score, y, scope),
  });
}

function show(labels, outputs, lossOf, slopeAt) {
  const model = new Model(networkOf(outputs, lossOf), { seed: 4, optimizer: sgd() });
  const { x, time } = oneHot(sentences, vocabulary);
  const batch = { sizes: { batch: 3, time }, inputs: { x, y: labels } };
  const { loss, parameters } = inspectGradients(model, batch);
  const weights = new Map([...model.weights()].map(([name, values]) => [name, [...values]]));
  const W = { i: rowsOf(weights.get("rnn.0.forward.W.o"), 3), h: rowsOf(weights.get("rnn.0.forward.R.o"), 2) };
  const Wo = rowsOf(weights.get("W_o"), hidden);

  // Forward: every state of every sentence; o[0] is the state before the first word.
  const times = (matrix, vector) => matrix.map((row) => row.reduce((sum, w, k) => sum + w * vector[k], 0));
  const inputs = rowsOf(x, 3 * time).map((row) => rowsOf(row, 3));
  const states = inputs.map((words) => {
    const o = [[0, 0]];
    for (const word of words) {
      const carried = times(W.h, o.at(-1));
      o.push(times(W.i, word).map((a, k) => Math.tanh(a + carried[k])));
    }
    return o;
  });
  const scores = states.map((o) => times(Wo, o[time]));

  // Backward: ∂L/∂o_j for j = 3, 2, 1, and from each the term of that step.
  const terms = { i: [], h: [] };
  for (let j = time; j >= 1; j--) {
    const term = { i: [0, 1].map(() => [0, 0, 0]), h: [0, 1].map(() => [0, 0]) };
    for (const [row, o] of states.entries()) {
      let arriving = times(
        transpose(Wo),
        slopeAt(scores[row], labels[row]).map((slope) => slope / 3),
      );
      for (let k = time; k > j; k--)
        arriving = times(
          transpose(W.h),
          arriving.map((g, n) => g * (1 - o[k][n] ** 2)),
        );
      const before = arriving.map((g, n) => g * (1 - o[j][n] ** 2));
      for (let n = 0; n < hidden; n++) {
        for (let k = 0; k < 3; k++) term.i[n][k] += before[n] * inputs[row][j - 1][k];
        for (let k = 0; k < hidden; k++) term.h[n][k] += before[n] * o[j - 1][k];
      }
    }
    terms.i.unshift(term.i);
    terms.h.unshift(term.h);
  }

  console.log(`loss ${loss.toFixed(6)}`);
  let largest = 0;
  for (const [name, engineName] of [
    ["i", "rnn.0.forward.W.o"],
    ["h", "rnn.0.forward.R.o"],
  ]) {
    const sum = terms[name].reduce((a, b) => a.map((row, n) => row.map((value, k) => value + b[n][k])));
    const engine = parameters.find((parameter) => parameter.name === engineName).gradient;
    for (const [j, term] of terms[name].entries()) console.log(`∂L/∂W_${name}, step ${j + 1}:  ${matrixText(term)}`);
    console.log(`  their sum:       ${matrixText(sum)}`);
    console.log(`  of the engine:   ${matrixText(rowsOf(engine, sum[0].length))}`);
    largest = Math.max(largest, ...sum.flat().map((value, k) => Math.abs(value - engine[k])));
  }
  console.log(`largest difference ${largest.toExponential(1)}`);
  return { model, batch };
}

console.log("— labels 1, 1, 0, binary cross-entropy —");
const sigmoid = (score) => 1 / (1 + Math.exp(-score));
const binary = show([1, 1, 0], 1, binaryCrossEntropy, ([score], y) => [sigmoid(score) - y]);
for (let step = 0; step < 200; step++) binary.model.trainStep(binary.batch, 1);
const chances = [...binary.model.predict(binary.batch).score].map((score) => sigmoid(score).toFixed(2));
console.log(`after 200 steps ŷ = ${chances.join(", ")}`);

console.log("— labels 1, 2, 0, three classes —");
const softmax = (row) => row.map((score) => Math.exp(score) / row.reduce((sum, other) => sum + Math.exp(other), 0));
const three = show([1, 2, 0], 3, crossEntropy, (row, y) => softmax(row).map((p, k) => p - (k === y ? 1 : 0)));
for (let step = 0; step < 200; step++) three.model.trainStep(three.batch, 1);
const classes = rowsOf(three.model.predict(three.batch).score, 3).map(likeliest);
console.log(`after 200 steps the likeliest classes are ${classes.join(", ")}`);

function transpose(matrix) {
  return matrix[0].map((_, k) => matrix.map((row) => row[k]));
}

function matrixText(matrix) {
  return matrix.map((row) => `[${row.map((value) => value.toFixed(6).padStart(9)).join(" ")}]`).join(" ");
}
