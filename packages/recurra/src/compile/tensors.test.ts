import { describe, expect, it } from "vitest";
import { ModuleAssembler } from "../backends/wasm/code/assembler.ts";
import { createMemory, instantiate, kernels } from "../backends/wasm/code/instantiate.ts";
import type { TensorType } from "../base/shapes.ts";
import { nativeKernels, type TurnIn } from "./native.ts";
import { extentOf, type Room, readTensor, stagingBytes, writeTensor } from "./tensors.ts";

const memory = createMemory(65536, false);
const empty = new WebAssembly.Module(new ModuleAssembler().finish());
const { turn } = instantiate(empty, memory, () => kernels("plain", false));
const address = 4096;

const bound = nativeKernels()?.bind(memory);

function emptyRoom(turnIn?: TurnIn): Room {
  return { floats: new Float32Array(memory.buffer).fill(-7), staging: 32768, turn, turnIn };
}

describe("tensors", () => {
  for (const [batch, time, features] of [
    [1, 1, 1],
    [3, 2, 4],
    [6, 5, 1],
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
      const room = emptyRoom();
      const extent = extentOf(type, sizes);
      const written = ({ floats }: Room) => [...floats.subarray(address / 4, address / 4 + count)];
      writeTensor(room, address, given, 2, extent);
      const inMemory = Array.from({ length: count }, (_, i) => {
        const [t, b, f] = [Math.floor(i / features / batch), Math.floor(i / features) % batch, i % features];
        return given[2 + (b * time + t) * features + f]!;
      });
      expect(written(room)).toEqual(inMemory);
      const guards = [address - 4, address + 4 * count, room.staging - 4, room.staging + stagingBytes(type, sizes)];
      expect(guards.map((at) => room.floats[at / 4])).toEqual([-7, -7, -7, -7]);
      if (bound !== undefined) {
        const other = emptyRoom(bound.turnIn);
        writeTensor(other, address, given, 2, extent);
        expect(written(other)).toEqual(inMemory);
        expect(guards.map((at) => other.floats[at / 4])).toEqual([-7, -7, -7, -7]);
      }
      const back = new Float32Array(count + 3).fill(-1);
      readTensor(room, address, back, 3, extent);
      expect([...back]).toEqual([-1, -1, -1, ...given.slice(2)]);
    });
  }

  it("may be given as plain numbers, whole or in parts, with one axis, two or three", () => {
    const values = Array.from({ length: 24 }, (_, i) => i / 2);
    for (const axes of [["batch"], ["batch", "time"], ["batch", "steps", "time"]] as const) {
      const type: TensorType = { axes, shape: [axes.length === 3 ? 1 : 2] };
      const sizes = axes.length === 1 ? { batch: 4 } : { batch: 2, time: 2, steps: 2 };
      const extent = extentOf(type, sizes);
      const room = emptyRoom();
      writeTensor(room, address, values, 16, extent);
      const back = new Float32Array(8);
      readTensor(room, address, back, 0, extent);
      expect([...back]).toEqual(values.slice(16));
    }
  });
});
