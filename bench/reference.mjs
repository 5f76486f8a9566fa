/**
 * What every engine is checked against before it is timed: forward and backward of the work in float64, as plain loops that
 * share no code with recurra. Equations are those of recurra's docstrings, which are PyTorch's too.
 */
import {
  blocksOf,
  distinctRows,
  embedding,
  headWeights,
  inputsOf,
  layerWeights,
  targets,
  textOf,
  vocabulary,
} from "./numbers.mjs";

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** Named numbers that an engine's own are compared with. */
export function referenceOf(job) {
  if (job.work === "language") return languageLoss(job);
  if (job.work === "stream") return streamed(job);
  const { cell, hidden, time } = job;
  const distinct = distinctRows(job);
  const { x, y } = inputsOf({ ...job, batch: distinct });
  const weights = layerWeights(cell, hidden);
  const run = recurrentForward(cell, weights, x, distinct, time, hidden);
  const head = headWeights(hidden, targets);
  const last = run.h[time];
  const output = new Float64Array(distinct * targets);
  for (let row = 0; row < distinct; row++) {
    for (let out = 0; out < targets; out++) {
      output[row * targets + out] = head.b[out] + dot(head.W, out * hidden, last, row * hidden, hidden);
    }
  }
  if (job.work === "forward") return { output };
  return trainingStep(job, weights, head, run, output, x, y);
}

/** The last state after five steps from zero. */
function streamed({ cell, hidden }) {
  const steps = 5;
  const { x } = inputsOf({ hidden, batch: 1, time: steps });
  return { output: recurrentForward(cell, layerWeights(cell, hidden), x, 1, steps, hidden).h[steps] };
}

/** Forward only: the mean over all tokens of −log softmax. */
function languageLoss(job) {
  const { hidden, time } = job;
  const distinct = distinctRows(job);
  const { tokens, next } = textOf({ ...job, batch: distinct });
  const table = embedding(hidden);
  let x = new Float64Array(distinct * time * hidden);
  tokens.forEach((token, i) => {
    x.set(table.subarray(token * hidden, (token + 1) * hidden), i * hidden);
  });
  for (const layer of [0, 1]) {
    const { h } = recurrentForward("lstm", layerWeights("lstm", hidden, layer), x, distinct, time, hidden);
    const outputs = new Float64Array(x.length);
    for (let row = 0; row < distinct; row++) {
      for (let t = 0; t < time; t++) {
        outputs.set(h[t + 1].subarray(row * hidden, (row + 1) * hidden), (row * time + t) * hidden);
      }
    }
    x = outputs;
  }
  const head = headWeights(hidden, vocabulary);
  let loss = 0;
  next.forEach((token, i) => {
    const logits = Float64Array.from(head.b, (bias, word) => bias + dot(head.W, word * hidden, x, i * hidden, hidden));
    loss += Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)) - logits[token];
  });
  return { loss: loss / next.length };
}

/** x [rows, time, hidden]; h[t] and c[t] [rows, hidden] before step t; saved[t] what backward needs, by block. */
function recurrentForward(cell, { W, R, b, rb }, x, rows, time, hidden) {
  const blocks = blocksOf[cell].length;
  const h = [new Float64Array(rows * hidden)];
  const c = [new Float64Array(rows * hidden)];
  const saved = [];
  for (let t = 0; t < time; t++) {
    const [input, recurrent] = [new Float64Array(rows * blocks * hidden), new Float64Array(rows * blocks * hidden)];
    for (let row = 0; row < rows; row++) {
      for (let out = 0; out < blocks * hidden; out++) {
        const at = row * blocks * hidden + out;
        input[at] = b[out] + dot(W, out * hidden, x, (row * time + t) * hidden, hidden);
        recurrent[at] = dot(R, out * hidden, h[t], row * hidden, hidden);
      }
    }
    const gates = new Float64Array(rows * blocks * hidden);
    const [nextH, nextC] = [new Float64Array(rows * hidden), new Float64Array(rows * hidden)];
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < hidden; k++) {
        const gate = (block) => row * blocks * hidden + block * hidden + k;
        const sum = (block) => input[gate(block)] + recurrent[gate(block)];
        const at = row * hidden + k;
        if (cell === "rnn") nextH[at] = Math.tanh(sum(0));
        else if (cell === "gru") {
          const [z, r] = [sigmoid(sum(0)), sigmoid(sum(1))];
          // Kept for backward: what the reset gate lets through or not.
          recurrent[gate(2)] += rb[k];
          const candidate = Math.tanh(input[gate(2)] + r * recurrent[gate(2)]);
          [z, r, candidate].forEach((value, block) => {
            gates[gate(block)] = value;
          });
          nextH[at] = (1 - z) * candidate + z * h[t][at];
        } else {
          const [i, f, g, o] = [sigmoid(sum(0)), sigmoid(sum(1)), Math.tanh(sum(2)), sigmoid(sum(3))];
          [i, f, g, o].forEach((value, block) => {
            gates[gate(block)] = value;
          });
          nextC[at] = f * c[t][at] + i * g;
          nextH[at] = o * Math.tanh(nextC[at]);
        }
      }
    }
    h.push(nextH);
    c.push(nextC);
    saved.push({ gates, recurrent });
  }
  return { h, c, saved };
}

/** Loss, and the norm of the gradient of all weights. */
function trainingStep(job, weights, head, { h, c, saved }, output, x, y) {
  const { cell, hidden, time } = job;
  const rows = distinctRows(job);
  const blocks = blocksOf[cell].length;
  const wide = blocks * hidden;
  const gradient = {
    W: new Float64Array(wide * hidden),
    R: new Float64Array(wide * hidden),
    b: new Float64Array(wide),
  };
  const gradRb = new Float64Array(hidden);
  const [gradHeadW, gradHeadB] = [new Float64Array(targets * hidden), new Float64Array(targets)];
  let [dh, dc] = [new Float64Array(rows * hidden), new Float64Array(rows * hidden)];
  let loss = 0;
  for (let row = 0; row < rows; row++) {
    for (let out = 0; out < targets; out++) {
      const error = output[row * targets + out] - y[row * targets + out];
      loss += error ** 2 / output.length;
      const upstream = (2 * error) / output.length;
      gradHeadB[out] += upstream;
      addScaled(gradHeadW, out * hidden, h[time], row * hidden, hidden, upstream);
      addScaled(dh, row * hidden, head.W, out * hidden, hidden, upstream);
    }
  }
  for (let t = time - 1; t >= 0; t--) {
    const { gates, recurrent } = saved[t];
    const [before, dcBefore] = [new Float64Array(rows * hidden), new Float64Array(rows * hidden)];
    // Of the input product and of the recurrent one: they differ where a gate stands between them.
    const [dInput, dRecurrent] = [new Float64Array(rows * wide), new Float64Array(rows * wide)];
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < hidden; k++) {
        const at = row * hidden + k;
        const gate = (block) => row * wide + block * hidden + k;
        const arrive = (block, value) => {
          dInput[gate(block)] = value;
          dRecurrent[gate(block)] = value;
        };
        if (cell === "rnn") arrive(0, dh[at] * (1 - h[t + 1][at] ** 2));
        else if (cell === "gru") {
          const [z, r, n] = [0, 1, 2].map((block) => gates[gate(block)]);
          before[at] += dh[at] * z;
          arrive(0, dh[at] * (h[t][at] - n) * z * (1 - z));
          const dn = dh[at] * (1 - z) * (1 - n * n);
          dInput[gate(2)] = dn;
          dRecurrent[gate(2)] = dn * r;
          gradRb[k] += dn * r;
          arrive(1, dn * recurrent[gate(2)] * r * (1 - r));
        } else {
          const [i, f, g, o] = [0, 1, 2, 3].map((block) => gates[gate(block)]);
          const squashed = Math.tanh(c[t + 1][at]);
          const dCell = dc[at] + dh[at] * o * (1 - squashed * squashed);
          arrive(0, dCell * g * i * (1 - i));
          arrive(1, dCell * c[t][at] * f * (1 - f));
          arrive(2, dCell * i * (1 - g * g));
          arrive(3, dh[at] * squashed * o * (1 - o));
          dcBefore[at] = dCell * f;
        }
      }
      for (let out = 0; out < wide; out++) {
        const [ofInput, ofRecurrent] = [dInput[row * wide + out], dRecurrent[row * wide + out]];
        gradient.b[out] += ofInput;
        addScaled(gradient.W, out * hidden, x, (row * time + t) * hidden, hidden, ofInput);
        addScaled(gradient.R, out * hidden, h[t], row * hidden, hidden, ofRecurrent);
        addScaled(before, row * hidden, weights.R, out * hidden, hidden, ofRecurrent);
      }
    }
    [dh, dc] = [before, dcBefore];
  }
  const parts = [...Object.values(gradient), gradRb, gradHeadW, gradHeadB];
  const squares = parts.map((part) => part.reduce((sum, value) => sum + value * value, 0));
  return { loss, gradientNorm: Math.sqrt(squares.reduce((sum, square) => sum + square)) };
}

function dot(a, aStart, b, bStart, count) {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += a[aStart + i] * b[bStart + i];
  return sum;
}

function addScaled(into, intoStart, from, fromStart, count, scale) {
  for (let i = 0; i < count; i++) into[intoStart + i] += from[fromStart + i] * scale;
}
