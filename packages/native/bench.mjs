/** How fast are the kernels, against the peak of this core measured in the same run? Usage: node bench.mjs */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const { load, whyNot } = createRequire(import.meta.url)("./index.cjs");
const native = load();
if (native === undefined) {
  console.log(`no native kernels: ${whyNot()}`);
  process.exit(0);
}

/** Median milliseconds of one call; repeated so that one sample takes about two milliseconds. */
function medianMs(run, samples = 25) {
  run();
  let repeat = 1;
  for (;;) {
    const start = performance.now();
    for (let i = 0; i < repeat; i++) run();
    const ms = performance.now() - start;
    if (ms > 2 || repeat > 1e6) break;
    repeat = Math.max(repeat + 1, Math.ceil((repeat * 2.2) / Math.max(ms, 0.01)));
  }
  const times = Array.from({ length: samples }, () => {
    const start = performance.now();
    for (let i = 0; i < repeat; i++) run();
    return (performance.now() - start) / repeat;
  }).sort((a, b) => a - b);
  return times[samples >> 1];
}

function peak() {
  const iterations = 200_000;
  const flops = native.peak(iterations);
  return flops / medianMs(() => native.peak(iterations), 9) / 1e6;
}

const recurrent = [
  [32, 512, 128],
  [32, 1024, 256],
  [64, 2048, 512],
  [20, 800, 200],
  [1, 512, 128],
  [1, 128, 32],
  [32, 256, 64],
  [32, 4096, 1024],
];
const hoisted = [
  [2048, 512, 128],
  [2048, 1024, 256],
  [4096, 2048, 512],
  [512, 512, 512],
  [256, 256, 256],
  [700, 800, 200],
  [2048, 128, 1],
];
/** Gradients of weights: gates, inputs, rows of all timesteps. */
const outer = [
  [512, 128, 2048],
  [1024, 256, 2048],
  [2048, 512, 2048],
  [800, 200, 350],
  [10000, 200, 350],
  [256, 64, 1024],
  [128, 32, 64],
  [256, 12, 1024],
  [256, 1, 1024],
];

const memory = new WebAssembly.Memory({ initial: 2048 });
new Float32Array(memory.buffer).fill(0.01);
const sets = process.argv[2] === undefined ? [native.selected()] : process.argv.slice(2);
for (const set of sets) {
  native.select(set);
  const { pack, gemm, outer: outerProduct } = native.bind(memory);
  const top = peak();
  console.log(`${set}: peak ${top.toFixed(0)} GFLOP/s`);
  const report = (what, m, n, k, run) => {
    const ms = medianMs(run);
    const rate = (2 * m * n * k) / ms / 1e6;
    console.log(
      `  ${what.padEnd(6)} ${`${m}×${n}×${k}`.padEnd(16)} ${(ms * 1e3).toFixed(2).padStart(10)} µs ${rate.toFixed(0).padStart(5)} GFLOP/s ${((100 * rate) / top).toFixed(0).padStart(4)} %`,
    );
  };
  for (const [m, n, k] of [...recurrent, ...hoisted]) {
    const a = 64;
    const b = a + m * k * 4;
    const wide = Math.ceil(n / 16) * 16;
    const packed = Math.ceil((b + n * k * 4) / 64) * 64;
    const c = Math.ceil((packed + wide * k * 4) / 64) * 64;
    pack(b, 1, k, packed, k, n);
    report("gemm", m, n, k, () => gemm(a, k, packed, c, n, m, n, k, 0));
  }
  for (const [m, n, rows] of outer) {
    const a = 64;
    const b = a + m * rows * 4;
    const c = Math.ceil((b + n * rows * 4) / 64) * 64;
    const scratch = Math.ceil((c + n * m * 4) / 64) * 64;
    report("outer", m, n, rows, () => outerProduct(a, m, b, n, c, n, m, n, rows, scratch));
  }
}

await benchLoops();

/** Loops as WebAssembly functions, interpreted, and as machine code where that can be, all called from WebAssembly. */
async function benchLoops() {
  const folder = fileURLToPath(new URL("../recurra/src/backends/wasm/", import.meta.url));
  if (!existsSync(folder)) {
    console.log("loops: not timed, the sources of recurra are not beside this package");
    return;
  }
  const { ModuleAssembler, emitLoop, encodeLoop, fewestElements } = await fromSources(folder);
  native.select(native.instructionSets[0]);
  console.log(`loops, ${native.selected()}, nanoseconds:`);
  const ways = native.compilesLoops() ? ["wasm", "interpreted", "compiled"] : ["wasm", "interpreted"];
  for (const [hidden, batch] of [16, 32, 64, 128, 256, 512].flatMap((h) => [
    [h, 1],
    [h, 16],
  ])) {
    for (const [what, loop] of Object.entries(benchedLoops(hidden))) {
      const axes = ["batch"];
      // One line more each: buffers that begin in the same lines of the cache would push each other out.
      const addressOf = (buffer) => buffer * (batch * hidden * 16 + 64) + 64;
      const timeOf = (way) => {
        native.compileLoops(way === "compiled");
        const bound = native.bind(memory);
        const handle = bound.define(encodeLoop(loop, { addressOf, baseOf: () => 0, axes, steps: [] }));
        const module = new ModuleAssembler();
        const imported = module.importFunction("native", "runLoops", Array(6).fill(0x7f));
        const context = { module, addressOf, baseOf: () => undefined, sizeGlobal: () => size, firstRow: 0 };
        const size = module.global();
        const inWasm = module.function(undefined, [], (code) => emitLoop(code, context, loop, new Map()));
        module.function("run", [0x7f, 0x7f], (code) => {
          code.get(code.parameter(1)).setGlobal(size);
          const times = code.parameter(0);
          code.times(times, () => {
            if (way === "wasm") code.call(inWasm);
            else code.i32(handle).i32(1).getGlobal(size).i32(0).i32(0).i32(0).call(imported);
          });
        });
        const imports = { env: { memory }, native: { runLoops: bound.runLoops } };
        const { run } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), imports).exports;
        const repeat = Math.ceil(200_000 / (hidden * batch));
        return (medianMs(() => run(repeat, batch), 15) / repeat) * 1e6;
      };
      const times = ways.map((way) => `${way} ${timeOf(way).toFixed(0).padStart(6)}`);
      const way = ways.at(-1);
      const chosen = fewestElements([loop], way).some(({ fewest }) => hidden * batch >= fewest) ? way : "wasm";
      console.log(`  ${what.padEnd(8)} [${batch}, ${hidden}]`.padEnd(24), times.join(", "), `; chosen: ${chosen}`);
    }
  }
  native.compileLoops(true);
}

/**
 * Loops over [batch, hidden]: the elementwise work of an LSTM step, forward and backward, an update of Adam, a sum of two, and the
 * sums and largest of rows.
 */
function benchedLoops(hidden) {
  const constant = (coefficient) => ({ coefficient, axes: [] });
  const access = (buffer, columns = 1, part = 0) => ({
    buffer,
    offset: part * hidden,
    start: constant(0),
    strides: { batch: constant(columns * hidden), "#1": constant(1) },
  });
  const loopOf = (write, reductions = []) => {
    const ops = [];
    const add = (op) => ops.push(op) - 1;
    const stores = write({
      load: (place) => add({ kind: "load", access: place }),
      literal: (value) => add({ kind: "literal", value }),
      unary: (op, x) => add({ kind: "unary", op, x }),
      binary: (op, a, b) => add({ kind: "binary", op, a, b }),
    }).map(([value, place]) => ({ value, access: place }));
    const dims = [
      { name: "batch", size: { coefficient: 1, axes: ["batch"] } },
      { name: "#1", size: constant(hidden) },
    ];
    return { kind: "loop", dims, ops, stores, reductions };
  };
  const rowsOf = (op) =>
    loopOf(
      ({ load }) => {
        load(access(0));
        return [];
      },
      [{ value: 0, op, access: { ...access(1), strides: { batch: constant(1) } }, carried: false }],
    );
  return {
    forward: loopOf(({ load, unary, binary }) => {
      const gate = (part, f) => unary(f, binary("add", load(access(0, 4, part)), load(access(1, 4, part))));
      const [i, f, g, o] = [gate(0, "sigmoid"), gate(1, "sigmoid"), gate(2, "tanh"), gate(3, "sigmoid")];
      const c = binary("add", binary("mul", f, load(access(2))), binary("mul", i, g));
      const t = unary("tanh", c);
      const h = binary("mul", o, t);
      return [i, f, g, o, c, t, h].map((value, at) => [value, access(3 + at)]);
    }),
    backward: loopOf(({ load, literal, binary }) => {
      const [dh, dcAfter, i, f, g, o, t, c] = [0, 1, 2, 3, 4, 5, 6, 7].map((buffer) => load(access(buffer)));
      const one = literal(1);
      const slope = (y) => binary("mul", y, binary("sub", one, y));
      const flat = (y) => binary("sub", one, binary("mul", y, y));
      const dc = binary("add", dcAfter, binary("mul", binary("mul", dh, o), flat(t)));
      const gates = [
        binary("mul", binary("mul", dc, g), slope(i)),
        binary("mul", binary("mul", dc, c), slope(f)),
        binary("mul", binary("mul", dc, i), flat(g)),
        binary("mul", binary("mul", dh, t), slope(o)),
      ];
      return [...gates.map((value, part) => [value, access(8, 4, part)]), [binary("mul", dc, f), access(9)]];
    }),
    update: loopOf(({ load, literal, unary, binary }) => {
      const [weight, mean, square, gradient] = [0, 1, 2, 3].map((buffer) => load(access(buffer)));
      const mix = (old, by, next) =>
        binary("add", binary("mul", old, literal(1 - by)), binary("mul", next, literal(by)));
      const [m, v] = [mix(mean, 0.1, gradient), mix(square, 0.001, binary("mul", gradient, gradient))];
      const step = binary("div", binary("mul", m, literal(0.001)), binary("add", unary("sqrt", v), literal(1e-8)));
      return [binary("sub", weight, step), m, v].map((value, at) => [value, access(4 + at)]);
    }),
    sum: loopOf(({ load, binary }) => [[binary("add", load(access(0)), load(access(1))), access(2)]]),
    rows: rowsOf("sum"),
    largest: rowsOf("max"),
  };
}

/** What emits loops is no published part of recurra: bundled here from its sources. */
async function fromSources(folder) {
  const { rolldown } = await import("rolldown");
  const files = ["code/assembler.ts", "emit/loop.ts", "emit/encodeLoop.ts"];
  const entry = files.map((file) => `export * from ${JSON.stringify(join(folder, file))};`).join("\n");
  const plugin = {
    name: "entry",
    resolveId: (id) => (id === "entry" ? id : null),
    load: (id) => (id === "entry" ? entry : null),
  };
  const bundle = await rolldown({ input: "entry", plugins: [plugin], tsconfig: false });
  const { output } = await bundle.generate({ format: "es" });
  return import(`data:text/javascript,${encodeURIComponent(output[0].code)}`);
}
