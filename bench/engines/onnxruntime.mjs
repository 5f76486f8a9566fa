/** ONNX Runtime as a subject of the bench: forward of a sequence, and single steps. */
import { blocksOf, headWeights, inputsOf, layerWeights, targets } from "../numbers.mjs";
import { writeModel } from "../onnx.mjs";
import { peers, versionOf } from "./peers.mjs";
import { serve } from "./serve.mjs";

const { InferenceSession, Tensor } = peers("onnxruntime-node");

/** ONNX's order of the stacked blocks. */
const onnxBlocks = { rnn: ["h"], gru: ["z", "r", "h"], lstm: ["i", "o", "f", "g"] };
const operator = { rnn: "RNN", gru: "GRU", lstm: "LSTM" };
const streamSteps = 20;
const tensor = (values, dims) => new Tensor("float32", values, dims);

await serve({ engine: "onnxruntime", version: `ONNX Runtime ${versionOf("onnxruntime-node")}` }, (job) => {
  if (job.work === "forward") return prepareForward(job);
  return job.work === "stream" ? prepareStream(job) : "ONNX Runtime does not train here";
});

function session(model, threads) {
  return InferenceSession.create(writeModel(model), {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    logSeverityLevel: 3,
  });
}

async function prepareForward({ cell, hidden, batch, time, threads }) {
  const head = headWeights(hidden, targets);
  const run = await session(
    {
      inputs: [{ name: "x", dims: [time, batch, hidden] }],
      outputs: [{ name: "y", dims: [batch, targets] }],
      initializers: [
        ...layerTensors(cell, hidden),
        { name: "headW", dims: [targets, hidden], values: head.W },
        { name: "headB", dims: [targets], values: head.b },
      ],
      nodes: [
        layerNode(cell, hidden, ["", "last"], []),
        { op: "Flatten", inputs: ["last"], outputs: ["rows"], attributes: { axis: 2 } },
        { op: "Gemm", inputs: ["rows", "headW", "headB"], outputs: ["y"], attributes: { transB: 1 } },
      ],
    },
    threads,
  );
  const feeds = {
    x: tensor(timeOutermost(inputsOf({ hidden, batch, time }).x, batch, time, hidden), [time, batch, hidden]),
  };
  return {
    check: async () => ({ output: [...(await run.run(feeds)).y.data] }),
    run: () => run.run(feeds),
    dispose: () => run.release(),
  };
}

async function prepareStream({ cell, hidden }) {
  const states = cell === "lstm" ? ["h", "c"] : ["h"];
  const dims = [1, 1, hidden];
  const run = await session(
    {
      inputs: ["x", ...states].map((name) => ({ name, dims })),
      outputs: states.map((state) => ({ name: `${state}Next`, dims })),
      initializers: layerTensors(cell, hidden),
      nodes: [layerNode(cell, hidden, ["", ...states.map((state) => `${state}Next`)], states)],
    },
    1,
  );
  const inputs = inputsOf({ hidden, batch: 1, time: 5 }).x;
  const xs = Array.from({ length: 5 }, (_, t) => tensor(inputs.slice(t * hidden, (t + 1) * hidden), dims));
  let state = Object.fromEntries(states.map((name) => [name, tensor(new Float32Array(hidden), dims)]));
  const step = async (t) => {
    const next = await run.run({ x: xs[t], ...state });
    state = Object.fromEntries(states.map((name) => [name, next[`${name}Next`]]));
  };
  return {
    async check() {
      for (let t = 0; t < 5; t++) await step(t);
      return { output: [...state.h.data] };
    },
    async run() {
      for (let i = 0; i < streamSteps; i++) await step(i % 5);
    },
    repeats: streamSteps,
    dispose: () => run.release(),
  };
}

function layerNode(cell, hidden, outputs, states) {
  const attributes = cell === "gru" ? { hidden_size: hidden, linear_before_reset: 1 } : { hidden_size: hidden };
  // The fifth input, lengths, is not given.
  const inputs = ["x", "W", "R", "B", ...(states.length > 0 ? ["", ...states] : [])];
  return { op: operator[cell], inputs, outputs, attributes };
}

function layerTensors(cell, hidden) {
  const { W, R, b, rb } = layerWeights(cell, hidden);
  const rows = blocksOf[cell].length * hidden;
  const reordered = (values) => {
    const size = values.length / blocksOf[cell].length;
    const result = new Float32Array(values.length);
    onnxBlocks[cell].forEach((block, to) => {
      const from = blocksOf[cell].indexOf(block);
      result.set(values.subarray(from * size, (from + 1) * size), to * size);
    });
    return result;
  };
  const biases = new Float32Array(2 * rows);
  biases.set(reordered(b));
  if (cell === "gru") biases.set(rb, 2 * rows - hidden);
  return [
    { name: "W", dims: [1, rows, hidden], values: reordered(W) },
    { name: "R", dims: [1, rows, hidden], values: reordered(R) },
    { name: "B", dims: [1, 2 * rows], values: biases },
  ];
}

function timeOutermost(x, batch, time, features) {
  const result = new Float32Array(x.length);
  for (let row = 0; row < batch; row++) {
    for (let t = 0; t < time; t++) {
      const from = (row * time + t) * features;
      result.set(x.subarray(from, from + features), (t * batch + row) * features);
    }
  }
  return result;
}
