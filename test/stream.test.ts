/** Streams against whole sequences: the same network, stepped. */
import { describe, expect, it } from "vitest";
import { createRandom } from "../packages/recurra/src/base/random.ts";
import { cells } from "../packages/recurra/src/cells/registry.ts";
import { beforeGradient, beforePlan, runPasses } from "../packages/recurra/src/compile/pipeline.ts";
import { verify } from "../packages/recurra/src/ir/verify.ts";
import { convolution } from "../packages/recurra/src/layers/convolution.ts";
import { dense } from "../packages/recurra/src/layers/dense.ts";
import { recurrent } from "../packages/recurra/src/layers/recurrent.ts";
import { oneStep } from "../packages/recurra/src/optimize/oneStep.ts";
import {
  add,
  broadcast,
  gather,
  mul,
  positions,
  random,
  sumAll,
  sumAxes,
  sumFeatures,
} from "../packages/recurra/src/trace/operations.ts";
import { scan, stepPosition } from "../packages/recurra/src/trace/scan.ts";
import type { Scope } from "../packages/recurra/src/trace/scope.ts";
import { sequenceType, type Tensor, vectorType } from "../packages/recurra/src/trace/tensor.ts";
import { Model } from "../packages/recurra/src/train/model.ts";
import { forwardProgram, type Network } from "../packages/recurra/src/train/programs.ts";
import type { Stream } from "../packages/recurra/src/train/stream.ts";
import { expectClose, tolerances } from "./support/close.ts";

type Tensors = Readonly<Record<string, Tensor>>;

/** A network of which only `forward` matters; the loss has a weight, for the sake of training. */
function networkOf(
  inputs: Network["inputs"],
  forward: (inputs: Tensors, scope: Scope) => Tensors,
  more: Partial<Network> = {},
): Network {
  const loss: Network["loss"] = ({ y }, _inputs, scope) => mul(sumAll(y!), scope.param("scale", [1], "ones"));
  return { inputs, forward, loss, ...more };
}

function normals(count: number, seed: number): Float32Array<ArrayBuffer> {
  const chance = createRandom(seed);
  return Float32Array.from({ length: count }, () => chance.normal());
}

/** What the stream gives for x [streams, time, features] in steps `from` … `to` − 1, as [time][streams · outputs]. */
function walk(stream: Stream, x: Float32Array, from: number, to: number, time: number): number[][] {
  const features = stream.inputs.x!.length / stream.streams;
  const rows: number[][] = [];
  for (let t = from; t < to; t++) {
    for (let i = 0; i < stream.streams; i++)
      stream.inputs.x!.set(x.subarray((i * time + t) * features, (i * time + t + 1) * features), i * features);
    rows.push([...stream.step().y!]);
  }
  return rows;
}

interface Case {
  readonly what: string;
  readonly inputSize: number;
  readonly network: Network;
  /** The input "context" [batch, 2]. */
  readonly context?: (batch: number) => Float32Array;
  readonly x?: (count: number) => Float32Array;
}

const inputSize = 3;
const hiddenSize = 6; // A multiple of 3, for a stack of GRU-D.
const x = { x: sequenceType(inputSize) };
const wholeNumbers = (count: number, bound: number) =>
  Float32Array.from(normals(count, 9), (value) => Math.floor(Math.abs(value) * 1000) % bound);

const cases: readonly Case[] = [
  ...[cells.gru!, cells.lstm!].map((cell) => ({
    what: `${cell.name}, every step`,
    inputSize,
    network: networkOf(x, (inputs, scope) => ({ y: recurrent({ cell, hiddenSize }).apply(inputs.x!, scope) })),
  })),
  ...Object.values(cells).map((cell) => ({
    what: `${cell.name}, two deep with dropout between and a dense head`,
    inputSize,
    network: networkOf(x, (inputs, scope) => {
      const layer = recurrent({ cell, hiddenSize, depth: 2, dropout: 0.5 });
      return { y: dense({ outputSize: 2 }).apply(layer.apply(inputs.x!, scope.in("layer")), scope.in("head")) };
    }),
  })),
  {
    what: "an embedding of symbols",
    inputSize: 1,
    x: (count) => wholeNumbers(count, 7),
    network: networkOf({ x: sequenceType(1) }, (inputs, scope) => {
      const embedded = gather(scope.param("table", [7, 4], "normal"), inputs.x!);
      return { y: recurrent({ cell: cells.gru!, hiddenSize }).apply(embedded, scope) };
    }),
  },
  {
    what: "positions, outside of a scan and in its step, and a state that all rows share",
    inputSize,
    network: networkOf(x, (inputs, scope) => {
      const { outputs } = scan({
        initial: {
          sum: broadcast(scope.param("start", [1], "ones"), vectorType(1)),
          count: scope.param("count", [1], "ones"),
        },
        sequences: { x: add(inputs.x!, mul(0.1, positions(inputs.x!, "time"))) },
        step: ({ sum, count }, { x: element }) => {
          const next = add(mul(0.5, sum), mul(sumFeatures(element), stepPosition(element), count));
          return { next: { sum: next, count: mul(0.9, count) }, outputs: { next } };
        },
      });
      return { y: add(inputs.x!, outputs.next) };
    }),
  },
  {
    what: "initial states and steps that read an input without time",
    inputSize,
    network: networkOf({ ...x, context: vectorType(2) }, (inputs, scope) => {
      const start = dense({ outputSize: hiddenSize }).apply(inputs.context!, scope.in("start"));
      const fed = add(inputs.x!, dense({ outputSize: inputSize }).apply(inputs.context!, scope.in("fed")));
      return { y: recurrent({ cell: cells.gru!, hiddenSize }).run(fed, scope, { "0.forward.h": start }).sequence };
    }),
    context: (batch) => normals(batch * 2, 4),
  },
  {
    what: "causal convolutions, dilated, around a recurrent layer",
    inputSize,
    network: networkOf(x, (inputs, scope) => {
      const first = convolution({ channels: 4, kernelSize: 3 }).apply(inputs.x!, scope.in("first"));
      const middle = recurrent({ cell: cells.gru!, hiddenSize }).apply(first, scope.in("middle"));
      return { y: convolution({ channels: 2, kernelSize: 2, dilation: 3 }).apply(middle, scope.in("last")) };
    }),
  },
  {
    what: "one of unequal lengths when fed whole",
    inputSize,
    network: networkOf(
      x,
      (inputs, scope) => ({ y: recurrent({ cell: cells.lstm!, hiddenSize }).apply(inputs.x!, scope) }),
      {
        variableLengths: ["time"],
      },
    ),
  },
];

const time = 11;

function prepared(
  { inputSize: features, network, context, x: make = (count) => normals(count, 3) }: Case,
  streams: number,
) {
  const model = new Model(network, { seed: 5, threads: 1 });
  const given = make(streams * time * features);
  const contexts = context?.(streams);
  const stream = (count = streams, first = 0) => {
    const made = model.stream({ streams: count });
    if (contexts !== undefined) {
      const size = contexts.length / streams;
      made.inputs.context!.set(contexts.subarray(first * size, (first + count) * size));
      made.reset();
    }
    return made;
  };
  return { model, x: given, stream, contexts };
}

describe.each(cases)("a stream of $what", (own) => {
  it("gives what predict gives for the whole sequence", () => {
    const streams = 2;
    const { model, x: given, stream, contexts } = prepared(own, streams);
    const inputs = {
      x: given,
      ...(contexts === undefined ? {} : { context: contexts }),
      ...(own.network.variableLengths === undefined ? {} : { lengths: Array.from({ length: streams }, () => time) }),
    };
    const expected = model.predict({ sizes: { batch: streams, time }, inputs }).y!;
    const rows = walk(stream(), given, 0, time, time);
    const size = rows[0]!.length / streams;
    const inOrder = Array.from({ length: streams }, (_, i) => rows.map((row) => row.slice(i * size, (i + 1) * size)));
    expectClose(inOrder.flat(2), expected, tolerances.float32, "y");
  });

  it("goes on with the same bits from a state in bytes, and begins anew when reset", () => {
    const { x: given, stream } = prepared(own, 2);
    const first = stream();
    const whole = walk(first, given, 0, time, time);
    first.reset();
    expect(walk(first, given, 0, 4, time)).toEqual(whole.slice(0, 4));
    const second = stream();
    walk(second, given, 2, 5, time);
    second.restore(first.state());
    expect(walk(second, given, 4, time, time)).toEqual(whole.slice(4));
  });

  it("has the bits of separate streams", () => {
    const streams = 3;
    const { x: given, stream } = prepared(own, streams);
    const together = walk(stream(), given, 0, time, time);
    for (let i = 0; i < streams; i++) {
      const size = together[0]!.length / streams;
      const alone = walk(stream(1, i), given.subarray(i * (given.length / streams)), 0, time, time);
      expect(alone).toEqual(together.map((row) => row.slice(i * size, (i + 1) * size)));
    }
  });
});

describe("a stream of a network that carries its states from call to call", () => {
  const network = networkOf(
    x,
    (inputs, scope) => {
      const { sequence, final } = recurrent({ cell: cells.lstm!, hiddenSize }).run(inputs.x!, scope, {
        "0.forward.h": inputs.h!,
        "0.forward.c": inputs.c!,
      });
      return { y: sequence, h: final["0.forward.h"]!, c: final["0.forward.c"]! };
    },
    { state: { h: vectorType(hiddenSize), c: vectorType(hiddenSize) } },
  );
  const { model, x: given, stream } = prepared({ what: "carried states", inputSize, network }, 2);
  const part = (from: number, to: number) =>
    Float32Array.from(
      [0, 1].flatMap((i) => [...given.subarray((i * time + from) * inputSize, (i * time + to) * inputSize)]),
    );

  it("begins where a first call begins, and gives after each step the states that calls carry so far", () => {
    const [head, tail] = [4, time - 4];
    const first = model.predict({ sizes: { batch: 2, time: head }, inputs: { x: part(0, head) } });
    const state = { h: first.h!, c: first.c! };
    const second = model.predict({ sizes: { batch: 2, time: tail }, inputs: { x: part(head, time) }, state });
    const own = stream();
    walk(own, given, 0, head, time);
    for (const name of ["h", "c"]) expectClose(own.outputs[name]!, first[name]!, tolerances.float32, name);
    const rows = walk(own, given, head, time, time);
    for (const name of ["h", "c"]) expectClose(own.outputs[name]!, second[name]!, tolerances.float32, name);
    const inOrder = [0, 1].flatMap((i) => rows.flatMap((row) => row.slice(i * hiddenSize, (i + 1) * hiddenSize)));
    expectClose(inOrder, second.y!, tolerances.float32, "y");
  });
});

describe("one of several streams", () => {
  const own = cases.find(({ what }) => what === "gru, every step")!;

  it("is reset, saved and restored without touching the others", () => {
    const { x: given, stream } = prepared(own, 3);
    const [streams, alone] = [stream(), stream(1)];
    walk(streams, given, 0, 4, time);
    const before = [0, 1, 2].map((i) => streams.state(i));
    streams.reset(1);
    expect(streams.state(1)).toEqual(alone.state());
    expect([streams.state(0), streams.state(2)]).toEqual([before[0], before[2]]);
    alone.restore(before[2]!);
    streams.restore(alone.state(), 1);
    expect([0, 1, 2].map((i) => streams.state(i))).toEqual([before[0], before[2], before[2]]);
    expect(streams.state().length).toBe(20 + 3 * (before[0]!.length - 20));
  });

  it("has a number below theirs", () => {
    const { stream } = prepared(own, 3);
    expect(messageOf(() => stream().reset(3))).toBe(
      "OptionError: stream: number of a stream is 3, expected 0 … 2.\nCount from 0, or leave it out to mean all.",
    );
    expect(messageOf(() => stream(0))).toBe(
      "OptionError: stream: streams is 0, expected 1, 2, 3, ….\nGive the number of sequences that are advanced at once.",
    );
  });
});

describe("the state of a stream", () => {
  const networks = (cell: string, size: number) =>
    new Model(
      networkOf(x, (inputs, scope) => ({
        y: recurrent({ cell: cells[cell]!, hiddenSize: size }).apply(inputs.x!, scope),
      })),
    );

  it("is refused by other networks, other numbers of streams, and when its bytes are damaged; nothing changes then", () => {
    const stream = networks("gru", 5).stream();
    stream.inputs.x!.fill(1);
    stream.step();
    const state = stream.state();
    const changed = (at: number) => state.map((byte, i) => (i === at ? byte ^ 1 : byte));
    const refusals = [
      networks("gru", 6).stream().state(),
      networks("lstm", 5).stream().state(),
      networks("gru", 5).stream({ streams: 2 }).state(),
      changed(0),
      changed(4),
      state.subarray(0, state.length - 4),
      new Uint8Array(3),
    ].map((bytes) => messageOf(() => stream.restore(bytes)).replace(/is .*, expected .*/, "…"));
    const bad = (what: string, mend: string) => `FormatError: stream state: ${what} …\n${mend}.`;
    const sizes = "Restore a state of a network with the same layers and sizes";
    expect(refusals).toEqual([
      bad("fingerprint", sizes),
      bad("fingerprint", sizes),
      bad("number of streams", "Name the stream that the state of one belongs to, or restore all of them"),
      bad("mark", "Restore bytes that `state` gave"),
      bad("version", "Restore bytes of the same version of recurra"),
      bad("number of bytes", "The bytes were cut or joined: restore them as they were"),
      bad("mark", "Restore bytes that `state` gave"),
    ]);
    expect(stream.state()).toEqual(state);
  });

  it("may lie anywhere in a larger buffer", () => {
    const stream = networks("lstm", 4).stream();
    stream.inputs.x!.fill(-1);
    stream.step();
    const state = stream.state();
    const larger = new Uint8Array(state.length + 7);
    larger.set(state, 3);
    stream.reset();
    expect(stream.state()).not.toEqual(state);
    stream.restore(larger.subarray(3, 3 + state.length));
    expect(stream.state()).toEqual(state);
  });
});

describe("a stream", () => {
  it('gives for output "last" the state after the steps so far', () => {
    const model = new Model(
      networkOf(x, (inputs, scope) => {
        const last = recurrent({ cell: cells.lstm!, hiddenSize, depth: 2, output: "last" }).apply(
          inputs.x!,
          scope.in("layer"),
        );
        return { y: dense({ outputSize: 1 }).apply(last, scope.in("head")) };
      }),
    );
    const given = normals(6 * inputSize, 2);
    const stream = model.stream();
    for (let t = 1; t <= 6; t++) {
      const [row] = walk(stream, given, t - 1, t, 6);
      const { y } = model.predict({ sizes: { batch: 1, time: t }, inputs: { x: given.subarray(0, t * inputSize) } });
      expectClose(row!, y!, tolerances.float32, `after ${t} steps`);
    }
  });

  it("keeps an axis besides batch and time, outermost in its views", () => {
    const [streams, steps] = [2, 3];
    const model = new Model(
      networkOf({ x: { axes: ["batch", "steps", "time"], shape: [inputSize] } }, (inputs, scope) => ({
        y: recurrent({ cell: cells.gru!, hiddenSize, axis: "time" }).apply(inputs.x!, scope),
      })),
    );
    const stream = model.stream({ streams, sizes: { steps } });
    const given = normals(streams * steps * time * inputSize, 6);
    const { y } = model.predict({ sizes: { batch: streams, steps, time }, inputs: { x: given } });
    const stepped = new Float32Array(y!.length);
    const each = (t: number, visit: (inCallers: number, inView: number) => void) => {
      for (let i = 0; i < streams; i++)
        for (let s = 0; s < steps; s++) visit((i * steps + s) * time + t, s * streams + i);
    };
    for (let t = 0; t < time; t++) {
      each(t, (row, at) =>
        stream.inputs.x!.set(given.subarray(row * inputSize, (row + 1) * inputSize), at * inputSize),
      );
      const out = stream.step().y!;
      each(t, (row, at) => stepped.set(out.subarray(at * hiddenSize, (at + 1) * hiddenSize), row * hiddenSize));
    }
    expectClose(stepped, y!, tolerances.float32, "y");
    const half = model.stream({ streams, sizes: { steps } });
    half.restore(stream.state());
    expect(half.state(1)).toEqual(stream.state(1));
    expect(messageOf(() => model.stream())).toMatch(/^ShapeError: stream: the size of axis "steps" is missing/);
  });

  it("has the weights that the model had when it was made", () => {
    const own = cases.find(({ what }) => what === "lstm, every step")!;
    const { model, x: given, stream } = prepared(own, 1);
    const [before, made] = [walk(stream(), given, 0, 3, time), stream()];
    model.setWeights(new Map([...model.weights()].map(([name, values]) => [name, values.map((value) => 2 * value)])));
    expect(walk(made, given, 0, 3, time)).toEqual(before);
    expect(walk(stream(), given, 0, 3, time)).not.toEqual(before);
  });

  it("allocates nothing from step to step", () => {
    const own = cases.find(({ what }) => what.startsWith("gru, two deep"))!;
    const stream = prepared(own, 1).stream();
    const into = stream.inputs.x!;
    const run = (steps: number) => {
      for (let i = 0; i < steps; i++) {
        into[0] = i & 7;
        stream.step();
      }
    };
    run(20_000);
    // Without collections in between, whatever the steps made would still be there: one number a step is 1.6 MB.
    const before = process.memoryUsage();
    run(100_000);
    const after = process.memoryUsage();
    expect(after.heapUsed - before.heapUsed).toBeLessThan(800_000);
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(100_000);
  });
});

describe("a network that needs later timesteps is refused:", () => {
  const layer = (direction: "backward" | "both", inputs: Tensors, scope: Scope) =>
    recurrent({ cell: cells.gru!, hiddenSize, direction }).apply(inputs.x!, scope);
  it.each<[string, Network["forward"], string]>([
    ["a backward layer", (inputs, scope) => ({ y: layer("backward", inputs, scope) }), "a layer that runs backward"],
    [
      "a layer of both directions",
      (inputs, scope) => ({ y: layer("both", inputs, scope) }),
      "a layer that runs backward",
    ],
    [
      "a convolution that reads later steps",
      (inputs, scope) => ({ y: convolution({ channels: 2, kernelSize: 3, padding: "same" }).apply(inputs.x!, scope) }),
      "a look at later timesteps",
    ],
    ["a mean over time", (inputs) => ({ y: sumAxes(inputs.x!, "time") }), "a reduce over all timesteps"],
    [
      "a last state that earlier steps read",
      (inputs, scope) => ({
        y: add(
          recurrent({ cell: cells.gru!, hiddenSize: inputSize, output: "last" }).apply(inputs.x!, scope),
          inputs.x!,
        ),
      }),
      "the last state, fed back to every step",
    ],
    [
      "a layer that begins where another ended",
      (inputs, scope) => {
        const encoder = recurrent({ cell: cells.gru!, hiddenSize }).run(inputs.x!, scope.in("a"));
        return { y: recurrent({ cell: cells.gru!, hiddenSize }).run(inputs.x!, scope.in("b"), encoder.final).sequence };
      },
      "the last state, fed back to every step",
    ],
    [
      "random numbers for each timestep",
      (inputs, scope) => ({ y: add(inputs.x!, random(scope.seed, 0, sequenceType(inputSize))) }),
      "random numbers for each timestep",
    ],
  ])("%s", (_what, forward, given) => {
    const error = messageOf(() => new Model(networkOf(x, forward)).stream());
    expect(error).toContain(`UnsupportedError: stream: a part of the network is ${given}, expected steps along "time"`);
  });
});

it("a program of one step is legal and has no scan left", () => {
  for (const { what, network } of cases) {
    const program = forwardProgram(network, "time");
    const { step, begin } = oneStep(program, "time");
    for (const part of [step, begin]) {
      verify(part);
      verify(runPasses(runPasses(part, beforeGradient), beforePlan(undefined)));
    }
    expect(
      step.graph.nodes.some(({ kind }) => kind === "scan"),
      what,
    ).toBe(false);
  }
});

function messageOf(run: () => void): string {
  try {
    run();
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
  return "nothing";
}
