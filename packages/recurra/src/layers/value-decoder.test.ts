import { describe, expect, it } from "vitest";
import { expectClose, tolerances } from "../../../../test/support/close.ts";
import { checkGradients } from "../../../../test/support/differences.ts";
import { backends, feedsFor, programOf, reference, scopeIn } from "../../../../test/support/programs.ts";
import { gru } from "../cells/gru.ts";
import { lstm } from "../cells/lstm.ts";
import { slice } from "../trace/operations.ts";
import type { Scope } from "../trace/scope.ts";
import { sequenceType, type Tensor, type Trace, vectorType } from "../trace/tensor.ts";
import { Model } from "../train/model.ts";
import { defineNetwork } from "../train/network.ts";
import { attention } from "./attention.ts";
import { mse } from "./losses/usual.ts";
import { recurrent } from "./recurrent.ts";
import { type EncodedValues, type ValueDecoderOptions, valueDecoder } from "./value-decoder.ts";

const forms: readonly {
  readonly what: string;
  readonly more: Partial<ValueDecoderOptions>;
  readonly beside: boolean;
}[] = [
  { what: "plain", more: {}, beside: false },
  {
    what: "two deep with attention, a row before and what is known of each step",
    more: { cell: lstm, depth: 2, attention: attention({ kind: "additive" }) },
    beside: true,
  },
  {
    what: "that feeds back a part of what it gives",
    more: { outputSize: 3, feedBack: (output: Tensor) => slice(output, 1, 2) },
    beside: true,
  },
];

const sizes = { batch: 2, time: 3, steps: 4 };
const [size, hiddenSize] = [2, 4];

describe.each(forms)("a decoder of numbers, $what", ({ more, beside }) => {
  const options = { cell: gru, hiddenSize, size, ...more };
  const outputSize = options.outputSize ?? size;
  const read = options.feedBack ?? ((output: Tensor) => output);
  const parts = (trace: Trace, training: boolean) => {
    const scope = scopeIn(trace, { time: trace.input("lengths", vectorType(1)) }, training);
    const { cell, depth = 1 } = options;
    const encoder = recurrent({ cell, hiddenSize, depth }).run(trace.input("x", sequenceType(2)), scope.in("encoder"));
    const encoded: EncodedValues = {
      initial: encoder.final,
      memory: encoder.sequence,
      ...(beside
        ? { before: trace.input("before", vectorType(size)), known: trace.input("known", sequenceType(3, "steps")) }
        : {}),
    };
    return { scope: scope.in("decoder"), encoded, model: valueDecoder(options) };
  };
  const written = (
    write: (given: ReturnType<typeof parts>, targets: Tensor) => { readonly values: Tensor },
    training = false,
  ) =>
    programOf((trace) => {
      const given = parts(trace, training);
      const targets = trace.input("targets", sequenceType(size, "steps"));
      const { values } = write(given, targets);
      return { values, fed: read(values), loss: mse(read(values), targets, given.scope) };
    });
  const taught = written(({ model, encoded, scope }, targets) => model.teach(targets, encoded, scope));
  const free = written(({ model, encoded, scope }) => model.generate(encoded, scope));
  const sampled = (sampling: number) =>
    written(({ model, encoded, scope }, targets) => model.teach(targets, encoded, scope, sampling), true);
  const feeds = feedsFor(free, sizes, 5, { seed: [7], lengths: [3, 2] });

  it("has the gradients that central differences give: taught, sampled and fed back, through what is fed back too", () => {
    for (const program of [taught, sampled(0.5), free])
      checkGradients(program, feeds, sizes, { coordinates: 3, directions: 2 });
  });

  it("taught what it wrote writes it again, on every backend", () => {
    const { values, fed } = reference(free, feeds, sizes);
    expect(values).toHaveLength(sizes.batch * sizes.steps * outputSize);
    const again = reference(taught, { ...feeds, targets: fed! }, sizes);
    expectClose(again.values!, values!, tolerances.float64, "values");
    const other = reference(taught, { ...feeds, targets: fed!.map((value) => value + 1) }, sizes);
    expect(other.values!.at(-1)).not.toBe(values!.at(-1));
    for (const backend of backends)
      expectClose(backend.run(free, feeds, sizes).values!, values!, tolerances.float32, "values");
  });

  it("sampled always goes as it generates; sampled never, as it is taught; at half, some rows of each", () => {
    const values = (program: typeof free) => reference(program, feeds, sizes).values!;
    expectClose(values(sampled(1)), values(free), tolerances.float64, "always");
    expectClose(values(sampled(1e-12)), values(taught), tolerances.float64, "never");
    const half = values(sampled(0.5));
    expect([...half]).not.toEqual([...values(taught)]);
    expect([...half]).not.toEqual([...values(free)]);
  });

  it("advances as it is taught", () => {
    const { values } = reference(taught, feeds, sizes);
    const targets = Array.from({ length: sizes.batch }, (_, row) => [
      ...(feeds["before"] === undefined ? [0, 0] : Array.from(feeds["before"]).slice(row * size, (row + 1) * size)),
      ...Array.from(feeds["targets"]!).slice(row * 4 * size, (row * 4 + 3) * size),
    ]).flat();
    const advancing = written(({ model, encoded, scope }, previous) => model.advance(previous, encoded, scope));
    expectClose(reference(advancing, { ...feeds, targets }, sizes).values!, values!, tolerances.float64, "advanced");
  });
});

describe("valueDecoder", () => {
  it("asks what is fed back when a step gives more, and for as many numbers as a step is given", () => {
    const options = { cell: gru, hiddenSize: 2, size: 1, outputSize: 2 };
    expect(() => valueDecoder(options)).toThrow(
      "value decoder: outputSize is 2 without feedBack, expected 1, the size of what is fed back.\nSay with feedBack what the next step is given: (output) => slice(output, 0, 1), say.",
    );
    expect(() =>
      programOf((trace) => {
        const scope = scopeIn(trace);
        const initial = trace.input("row", vectorType(2));
        return { ...valueDecoder({ ...options, feedBack: (output) => output }).generate({ initial }, scope) };
      }),
    ).toThrow(
      "value decoder: what is fed back is [batch, 2], expected [.., 1].\nLet feedBack give as many numbers as a step is given.",
    );
  });

  it("learns to go on with a wave, by half on what it wrote itself", () => {
    const [time, steps, batch] = [16, 16, 32];
    const encoder = recurrent({ cell: gru, hiddenSize: 16 });
    const writer = valueDecoder({ cell: gru, hiddenSize: 16, size: 1 });
    const encode = (x: Tensor, scope: Scope) => ({ initial: encoder.run(x, scope.in("encoder")).final });
    const network = defineNetwork({
      inputs: { x: sequenceType(1), y: sequenceType(1, "steps") },
      forward: ({ x }, scope) => ({ ...writer.generate(encode(x, scope), scope.in("writer")) }),
      loss: (_, { x, y }, scope) => mse(writer.teach(y, encode(x, scope), scope.in("writer"), 0.5).values, y, scope),
    });
    const waves = (first: number) => {
      const wave = (from: number, count: number) =>
        Float32Array.from({ length: batch * count }, (_, i) => {
          const row = first + Math.floor(i / count);
          return Math.sin(row + (0.3 + 0.02 * (row % 11)) * (from + (i % count)));
        });
      return { sizes: { batch, time, steps }, inputs: { x: wave(0, time), y: wave(time, steps) } };
    };
    const model = new Model(network, { seed: 1, threads: 1 });
    for (let step = 0; step < 300; step++) model.trainStep(waves(step * batch), 0.01);
    const unseen = waves(1e6);
    const { values } = model.predict(unseen);
    const error = values!.reduce((sum, value, i) => sum + (value - unseen.inputs.y[i]!) ** 2, 0) / values!.length;
    expect(error).toBeLessThan(0.05); // Zeros have 0.5.
  });
});
