import { dense, mse, recurrent, sequenceType, sequential, vectorType } from "recurra";
import { cellNamed } from "recurra/cells";
import { Model } from "recurra/train";
const [name, hidden, batch, time, threads] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const layers = sequential(recurrent({ cell: cellNamed(name), hiddenSize: hidden, output: "last" }), dense({ outputSize: 24 }));
const network = { inputs: { x: sequenceType(hidden), y: vectorType(24) }, forward: ({ x }, scope) => ({ y: layers.apply(x, scope) }), loss: ({ y }, inputs, scope) => mse(y, inputs.y, scope) };
const model = new Model(network, { threads });
const b = { sizes: { batch, time }, inputs: { x: Float32Array.from({ length: batch * time * hidden }, (_, i) => Math.sin(i * 0.37)), y: Float32Array.from({ length: batch * 24 }, (_, i) => Math.cos(i)) } };
const t = []; for (let i = 0; i < 60; i++) { await new Promise((r) => setTimeout(r, 5)); const s = performance.now(); model.trainStep(b, 1e-4); t.push(performance.now() - s); }
t.sort((a, b) => a - b); console.log(name, hidden, batch, "threads", threads, "min", t[0].toFixed(1), "median", t[30].toFixed(1), model.footprint.kernels);
