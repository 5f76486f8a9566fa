/**
 * One training step (forward, backward, clipping, Adam) against PyTorch on the same sizes, interleaved in one run.
 *
 *     npm run bench [-- --full] [--python /usr/bin/python3] [--json]
 *
 * A row says its ratio: above 1, recurra is the faster one. PyTorch is left out, with a word, where it is not installed.
 */
import { spawn } from "node:child_process";
import { cpus } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { dense, mse, recurrent, sequenceType, sequential, vectorType } from "recurra";
import { cellNamed } from "recurra/cells";
import { Model } from "recurra/train";

const { values } = parseArgs({
  options: {
    full: { type: "boolean", default: false },
    python: { type: "string", default: "/usr/bin/python3" },
    json: { type: "boolean", default: false },
  },
});
const sizes = values.full
  ? [
      [32, 1, 64],
      [64, 32, 64],
      [128, 1, 64],
      [128, 32, 64],
      [200, 20, 35],
      [256, 32, 64],
      [512, 64, 64],
    ]
  : [
      [32, 1, 64],
      [64, 32, 64],
      [128, 32, 64],
      [200, 20, 35],
    ];
const names = ["rnn", "gru", "lstm"];
const gates = { rnn: 1, gru: 3, lstm: 4 };
const rounds = values.full ? 9 : 5;

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

/** Undefined where PyTorch is not installed. */
async function startPytorch() {
  const child = spawn(values.python, [fileURLToPath(new URL("./peer-pytorch.py", import.meta.url))], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const gone = new Promise((resolve) => {
    child.once("error", () => resolve(undefined));
    child.once("exit", () => resolve(undefined));
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const hello = await Promise.race([gone, lines.next().then(({ value }) => value)]);
  if (hello === undefined) return undefined;
  return {
    version: JSON.parse(hello).torch,
    async ask(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return JSON.parse((await lines.next()).value).milliseconds;
    },
    stop: () => child.kill(),
  };
}

function makeModel(name, hidden, batch, time, threads) {
  const layers = sequential(
    recurrent({ cell: cellNamed(name), hiddenSize: hidden, output: "last" }),
    dense({ outputSize: 24 }),
  );
  const network = {
    inputs: { x: sequenceType(hidden), y: vectorType(24) },
    forward: ({ x }, scope) => ({ y: layers.apply(x, scope) }),
    loss: ({ y }, inputs, scope) => mse(y, inputs.y, scope),
  };
  const inputs = {
    x: Float32Array.from({ length: batch * time * hidden }, (_, i) => Math.sin(i * 0.37)),
    y: Float32Array.from({ length: batch * 24 }, (_, i) => Math.cos(i)),
  };
  return { model: new Model(network, { clipping: { norm: 1 }, threads }), batch: { sizes: { batch, time }, inputs } };
}

/** Until the engine has optimised the code and the workers have joined. */
async function warmUp({ model, batch }) {
  for (let step = 0; step < 15; step++) {
    model.trainStep(batch, 1e-3);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function timeSteps({ model, batch }, repeats) {
  return Array.from({ length: repeats }, () => {
    const start = performance.now();
    model.trainStep(batch, 1e-3);
    return performance.now() - start;
  });
}

const pytorch = await startPytorch();
const say = (line) => process.stdout.write(`${line}\n`);
if (!values.json) {
  say(
    `Node ${process.version}, ${cpus()[0].model}, ${cpus().length} processors; ${pytorch === undefined ? "PyTorch is not installed: left out" : `PyTorch ${pytorch.version}`}`,
  );
  say("cell  hidden batch time threads   recurra ms   GFLOP/s   PyTorch ms   PyTorch / recurra");
}
const ratios = { 1: [], 2: [] };
for (const [hidden, batch, time] of sizes) {
  for (const name of names) {
    for (const threads of [1, 2]) {
      const subject = makeModel(name, hidden, batch, time, threads);
      await warmUp(subject);
      const request = { cell: name, hidden, batch, time, threads };
      await pytorch?.ask({ ...request, repeats: 3 });
      const [own, peer] = [[], []];
      for (let round = 0; round < rounds; round++) {
        own.push(...timeSteps(subject, 3));
        if (pytorch !== undefined) peer.push(...(await pytorch.ask({ ...request, repeats: 3 })));
      }
      // Products of the layer, forward and backward; no gradient of the input is taken.
      const operations = 2 * batch * time * gates[name] * hidden * hidden * (2 + 1 + 2);
      const row = {
        work: "train",
        cell: name,
        hidden,
        batch,
        time,
        threads,
        engine: subject.model.footprint.kernels.startsWith("native") ? "recurra-native" : "recurra-wasm",
        kernels: subject.model.footprint.kernels,
        medianMs: median(own),
        gflops: operations / median(own) / 1e6,
        pytorchMs: peer.length > 0 ? median(peer) : undefined,
        ratio: peer.length > 0 ? median(peer) / median(own) : undefined,
      };
      if (row.ratio !== undefined) ratios[threads].push(row.ratio);
      if (values.json) say(JSON.stringify(row));
      else {
        const cell = (value, width) => String(value).padStart(width);
        say(
          `${name.padEnd(5)} ${cell(hidden, 6)} ${cell(batch, 5)} ${cell(time, 4)} ${cell(threads, 7)} ${cell(row.medianMs.toFixed(2), 12)} ${cell(row.gflops.toFixed(1), 9)} ${cell(row.pytorchMs?.toFixed(2) ?? "–", 12)} ${cell(row.ratio?.toFixed(2) ?? "–", 19)}`,
        );
      }
    }
  }
}
if (!values.json && pytorch !== undefined) {
  for (const threads of [1, 2]) {
    const mean = Math.exp(ratios[threads].reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios[threads].length);
    say(
      `geometric mean with ${threads} ${threads === 1 ? "thread" : "threads"}: ${mean.toFixed(2)} times as fast as PyTorch`,
    );
  }
}
pytorch?.stop();
process.exit(0);
