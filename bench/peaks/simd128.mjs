/**
 * How many floating-point operations WebAssembly can do in a second: twelve independent chains of 128-bit multiply-adds, enough to
 * hide the latency of one in the others. Run as a program it prints what the Node that runs it can do.
 */
import { pathToFileURL } from "node:url";

const chains = 12;
const lanes = 4;

const v128 = 0x7b;
const localGet = (index) => [0x20, index];
const localSet = (index) => [0x21, index];
const splatOf = (index) => [...localGet(index), 0xfd, 0x13];
const relaxedMadd = [0xfd, 0x85, 0x02];
const mul = [0xfd, 0xe6, 0x01];
const add = [0xfd, 0xe4, 0x01];

/** run(times: i32, a: f32, b: f32) → f32: every chain is c ← c · a + b, whose product no compiler can share. */
function peakModule(relaxed) {
  const [times, a, b] = [0, 1, 2];
  const [aLanes, bLanes] = [3, 4];
  const chain = (i) => 5 + i;
  const all = Array.from({ length: chains }, (_, i) => chain(i));
  const step = (c) =>
    relaxed
      ? [...localGet(c), ...localGet(aLanes), ...localGet(bLanes), ...relaxedMadd, ...localSet(c)]
      : [...localGet(c), ...localGet(aLanes), ...mul, ...localGet(bLanes), ...add, ...localSet(c)];
  const sum = [...localGet(all[0]), ...all.slice(1).flatMap((c) => [...localGet(c), ...add])];
  const body = [
    ...[1, ...leb(2 + chains), v128],
    ...[...splatOf(a), ...localSet(aLanes), ...splatOf(b), ...localSet(bLanes)],
    ...[0x03, 0x40, ...all.flatMap(step)],
    ...[...localGet(times), 0x41, 1, 0x6b, 0x22, times, 0x0d, 0, 0x0b],
    ...[...sum, 0xfd, 0x1f, 0, 0x0b],
  ];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 3, 0x7f, 0x7d, 0x7d, 1, 0x7d]),
    ...section(3, [1, 0]),
    ...section(7, [1, 3, ...Buffer.from("run"), 0, 0]),
    ...section(10, [1, ...leb(body.length), ...body]),
  ]);
}

const section = (id, bytes) => [id, ...leb(bytes.length), ...bytes];

function leb(value) {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >> 7)];
}

/** GFLOP/s, the best of several short runs, and which instruction it is the rate of. */
export function simd128Peak() {
  const relaxed = WebAssembly.validate(peakModule(true));
  const { run } = new WebAssembly.Instance(new WebAssembly.Module(peakModule(relaxed))).exports;
  const times = 2_000_000;
  const rates = Array.from({ length: 15 }, () => {
    const start = performance.now();
    run(times, 0.5, 1);
    return (times * chains * lanes * 2) / (performance.now() - start) / 1e6;
  });
  return {
    gflops: Math.max(...rates),
    instruction: relaxed ? "relaxed multiply-add" : "multiply, then add",
    node: process.version,
  };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  console.log(JSON.stringify(simd128Peak()));
