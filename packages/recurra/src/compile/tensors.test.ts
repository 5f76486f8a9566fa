import { describe, expect, it } from "vitest";
import { ModuleAssembler } from "../backends/wasm/assembler.ts";
import { createMemory, instantiate, kernels } from "../backends/wasm/instantiate.ts";
import type { TensorType } from "../base/shapes.ts";
import { nativeKernels, type TurnIn } from "./native.ts";
import { type Place, readTensor, stagingBytes, writeTensor } from "./tensors.ts";

const memory = createMemory(65536, false);
const empty = new WebAssembly.Module(new ModuleAssembler().finish());
const { turn } = instantiate(empty, memory, kernels("plain", false));
const address = 4096;

const bound = nativeKernels()?.bind(memory);

function placeIn(turnIn?: TurnIn): Place {
  new Float32Array(memory.buffer).fill(-7);
  const floats = (at: number, length: number) => new Float32Array(memory.buffer, at, length);
  return { floats, address, staging: 32768, turn, turnIn };
}

describe("tensors", () => {
  for (const [batch, time, features] of [
    [1, 1, 1],
    [3, 2, 4],
    [5, 7, 9],
    [4, 1, 16],
    [2, 3, 3],
    [0, 3, 2],
    [2, 5, 37],
  ] as const) {
    it(`lie time outermost and come back: batch ${batch}, time ${time}, ${features} features`, () => {
      const type: TensorType = { axes: ["batch", "time"], shape: [features] };
      const sizes = { batch, time };
      const count = batch * time * features;
      const given = Float32Array.from({ length: count + 2 }, (_, i) => i);
      const place = placeIn();
      writeTensor(place, given, 2, type, sizes);
      const inMemory = Array.from({ length: count }, (_, i) => {
        const [t, b, f] = [Math.floor(i / features / batch), Math.floor(i / features) % batch, i % features];
        return given[2 + (b * time + t) * features + f]!;
      });
      expect([...place.floats(address, count)]).toEqual(inMemory);
      const guards = [address - 4, address + 4 * count, place.staging - 4, place.staging + stagingBytes(type, sizes)];
      expect(guards.map((at) => place.floats(at, 1)[0])).toEqual([-7, -7, -7, -7]);
      if (bound !== undefined) {
        const other = placeIn(bound.turnIn);
        writeTensor(other, given, 2, type, sizes);
        expect([...other.floats(address, count)]).toEqual(inMemory);
        expect(guards.map((at) => other.floats(at, 1)[0])).toEqual([-7, -7, -7, -7]);
      }
      const back = new Float32Array(count + 3).fill(-1);
      readTensor(place, back, 3, type, sizes);
      expect([...back]).toEqual([-1, -1, -1, ...given.slice(2)]);
    });
  }

  it("may be given as plain numbers, whole or in parts, with one axis, two or three", () => {
    const values = Array.from({ length: 24 }, (_, i) => i / 2);
    for (const axes of [["batch"], ["batch", "time"], ["batch", "steps", "time"]] as const) {
      const type: TensorType = { axes, shape: [axes.length === 3 ? 1 : 2] };
      const sizes = axes.length === 1 ? { batch: 4 } : { batch: 2, time: 2, steps: 2 };
      const place = placeIn();
      writeTensor(place, values, 16, type, sizes);
      const back = new Float32Array(8);
      readTensor(place, back, 0, type, sizes);
      expect([...back]).toEqual(values.slice(16));
    }
  });
});
