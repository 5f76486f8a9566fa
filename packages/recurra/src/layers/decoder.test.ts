import { describe, expect, it } from "vitest";
import { expectClose, tolerances } from "../../../../test/support/close.ts";
import { checkGradients } from "../../../../test/support/differences.ts";
import { backends, feedsFor, programOf, reference, scopeIn } from "../../../../test/support/programs.ts";
import { gru } from "../cells/gru.ts";
import { lstm } from "../cells/lstm.ts";
import { defineCell } from "../trace/cell.ts";
import { add, argmax, mul } from "../trace/operations.ts";
import { sequenceType, type Trace, vectorType } from "../trace/tensor.ts";
import { attention } from "./attention.ts";
import { type Decoder, decoder } from "./decoder.ts";
import type { Encoded } from "./decoding.ts";
import { crossEntropy } from "./losses/usual.ts";
import { recurrent } from "./recurrent.ts";
import { sampleLogits } from "./sampling.ts";
import { valueDecoder } from "./value-decoder.ts";

const common = { hiddenSize: 4, vocabularySize: 5, embeddingSize: 3, start: 2 };
const forms = [
  { what: "plain, from one row", options: { ...common, cell: gru }, row: true },
  { what: "two layers, from the encoder's states", options: { ...common, cell: lstm, depth: 2 }, row: false },
  { what: "with attention", options: { ...common, cell: gru, attention: attention() }, row: false },
  {
    what: "with multi-head attention and a tied table",
    options: { ...common, cell: lstm, attention: attention({ kind: "multiHead", heads: 2 }), tied: true },
    row: true,
  },
] as const;
const sizes = { batch: 2, time: 3, steps: 4 };
const given = { seed: [7], lengths: [3, 2], targets: [0, 3, 1, 4, 2, 2, 0, 1] };
const targetType = { axes: ["batch", "steps"], shape: [1] };

type Form = (typeof forms)[number];

function traced(
  form: Form,
  trace: Trace,
  training = false,
): { model: Decoder; encoded: Encoded; scope: ReturnType<typeof scopeIn> } {
  const scope = scopeIn(trace, { time: trace.input("lengths", vectorType(1)) }, training);
  const { cell, hiddenSize } = form.options;
  const depth = "depth" in form.options ? form.options.depth : 1;
  const encoder = recurrent({ cell, hiddenSize, depth }).run(trace.input("x", sequenceType(2)), scope.in("encoder"));
  return {
    model: decoder(form.options),
    encoded: { initial: form.row ? encoder.last : encoder.final, memory: encoder.sequence },
    scope: scope.in("decoder"),
  };
}

describe.each(forms)("a decoder $what", (form) => {
  const taught = programOf((trace) => {
    const { model, encoded, scope } = traced(form, trace);
    const targets = trace.input("targets", targetType);
    const decoded = model.teach(targets, encoded, scope);
    return { loss: crossEntropy(decoded.logits, targets, scope), tokens: argmax(decoded.logits), ...decoded };
  });
  const feeds = feedsFor(taught, sizes, 5, given);

  it("has the gradient that central differences give", () => {
    const program = programOf((trace) => {
      const { model, encoded, scope } = traced(form, trace);
      const targets = trace.input("seed targets", targetType);
      return { loss: crossEntropy(model.teach(targets, encoded, scope).logits, targets, scope) };
    });
    checkGradients(program, { ...feeds, "seed targets": given.targets }, sizes, { coordinates: 3, directions: 2 });
  });

  it("generates what teaching finds likeliest when it is taught what was generated", () => {
    const program = programOf((trace) => {
      const { model, encoded, scope } = traced(form, trace);
      return { ...model.generate(encoded, scope) };
    });
    const generated = reference(program, feeds, sizes);
    const again = reference(taught, { ...feeds, targets: generated.tokens! }, sizes);
    expect([...again.tokens!]).toEqual([...generated.tokens!]);
    expectClose(again.logits!, generated.logits!, tolerances.float64, "teaching against generating");
    for (const backend of backends)
      expect([...backend.run(program, feeds, sizes).tokens!]).toEqual([...generated.tokens!]);
  });

  it("draws of its logits what sampleLogits draws of them, whatever the options, fed or fixed", () => {
    for (const fixed of [{}, { temperature: 0.5, topK: 3 }, { temperature: 2, topP: 0.7 }]) {
      const drawing = (fed: boolean) =>
        programOf((trace) => {
          const { model, encoded, scope } = traced(form, trace);
          scope.nextStream();
          const names = fed ? Object.keys(fixed) : [];
          const inputs = names.map((name) => [name, trace.input(name, { axes: [], shape: [1] })]);
          return { ...model.generate(encoded, scope, { ...fixed, ...Object.fromEntries(inputs) }) };
        });
      const options = Object.fromEntries(Object.entries(fixed).map(([name, value]) => [name, [value]]));
      const drawn = reference(drawing(false), feeds, sizes);
      const taughtAgain = reference(taught, { ...feeds, targets: drawn.tokens! }, sizes).logits!;
      const expected = Array.from({ length: 8 }, (_, row) =>
        sampleLogits(
          taughtAgain.subarray(row * 5, (row + 1) * 5),
          { seed: 7, stream: 1, positions: [Math.floor(row / 4), row % 4] },
          fixed,
        ),
      );
      expect([...drawn.tokens!]).toEqual(expected);
      expect([...reference(drawing(true), { ...feeds, ...options }, sizes).tokens!]).toEqual(expected);
      for (const backend of backends)
        expect([...backend.run(drawing(true), { ...feeds, ...options }, sizes).tokens!]).toEqual(expected);
    }
  });

  it("advances as it is taught, with the encoder's memory among its states", () => {
    const program = programOf((trace) => {
      const { model, encoded, scope } = traced(form, trace);
      return { ...model.advance(trace.input("targets", targetType), encoded, scope) };
    });
    // What is advanced over is the start and then the targets.
    const previous = [2, 0, 3, 1, 2, 2, 2, 0];
    const { logits } = reference(taught, feeds, sizes);
    expectClose(
      reference(program, { ...feeds, targets: previous }, sizes).logits!,
      logits!,
      tolerances.float64,
      "logits",
    );
  });

  it("sampled always, goes as it generates; sampled never, as it is taught", () => {
    const sampled = (sampling: number) =>
      programOf((trace) => {
        const { model, encoded, scope } = traced(form, trace, true);
        const { logits } = model.teach(trace.input("targets", targetType), encoded, scope, sampling);
        const { logits: free } = model.generate(encoded, scope);
        return { logits, free };
      });
    const always = reference(sampled(1), feeds, sizes);
    expectClose(always.logits!, always.free!, tolerances.float64, "sampling against generating");
    const never = reference(sampled(1e-12), feeds, sizes);
    expectClose(
      never.logits!,
      reference(taught, feeds, sizes).logits!,
      tolerances.float64,
      "sampling against teaching",
    );
  });
});

describe("a decoder with dropout", () => {
  const taught = (dropout: number, training: boolean) =>
    programOf((trace) => {
      const { encoded, scope } = traced(forms[2], trace, training);
      const model = decoder({ ...forms[2].options, dropout });
      const targets = trace.input("seed targets", targetType);
      const { logits } = model.teach(targets, encoded, scope);
      return { loss: crossEntropy(logits, targets, scope), logits };
    });
  const feeds = feedsFor(taught(0, false), sizes, 5, { ...given, "seed targets": given.targets });
  const logits = (program: ReturnType<typeof taught>) => [...reference(program, feeds, sizes).logits!];

  it("drops in training only, with the gradient that central differences give", () => {
    expect(logits(taught(0.5, false))).toEqual(logits(taught(0, false)));
    expect(logits(taught(0.5, true))).not.toEqual(logits(taught(0, true)));
    checkGradients(taught(0.5, true), feeds, sizes, { coordinates: 3, directions: 2 });
  });

  it("drops what enters every layer and the output, other features in other steps", () => {
    // A cell that gives what it is given, so that zeros show what was dropped.
    const passing = defineCell({
      ...{ name: "passing", state: ["h"], blocks: [] },
      step: ({ x, h }) => ({ h: add(x, mul(0, h)) }),
    });
    const [size, steps, batch] = [40, 6, 2];
    const program = programOf((trace) => {
      const scope = scopeIn(trace, {}, true);
      const model = valueDecoder({ cell: passing, hiddenSize: size, depth: 2, size, dropout: 0.2 });
      const initial = Object.fromEntries([0, 1].map((i) => [`${i}.forward.h`, trace.input("h", vectorType(size))]));
      return {
        ...model.teach(trace.input("targets", { axes: ["batch", "steps"], shape: [size] }), { initial }, scope),
      };
    });
    const identity = Array.from({ length: size * size }, (_, i) => Number(i % (size + 1) === 0));
    const ones = {
      targets: new Array(batch * steps * size).fill(1),
      "output.W": identity,
      "output.b": new Array(size).fill(0),
    };
    const { values } = reference(program, { ...ones, h: new Array(batch * size).fill(0), seed: [3] }, { batch, steps });
    const rows = Array.from({ length: batch * steps }, (_, row) => [...values!.slice(row * size, (row + 1) * size)]);
    const written = rows.filter((_, row) => row % steps > 0); // Before the first step stand zeros.
    const kept = written.flat().filter((value) => value !== 0);
    // Three masks of 0.8 leave 0.512 of 400 numbers, scaled up three times; the deviation of the share is 0.025.
    expect(kept.length / written.flat().length).toBeGreaterThan(0.41);
    expect(kept.length / written.flat().length).toBeLessThan(0.61);
    for (const value of kept) expect(value).toBeCloseTo(0.8 ** -3, 10);
    expect(new Set(written.map((row) => row.map((value) => Number(value !== 0)).join(""))).size).toBe(written.length);
  });
});

describe("decoder", () => {
  it("begins its cells' weights as it is told", () => {
    programOf((trace) => {
      const { encoded, scope } = traced(forms[0], trace);
      const made = decoder({ ...common, cell: gru, initialize: { R: "zeros" } }).generate(encoded, scope);
      const begins = scope.parameters.filter(({ name }) => /^decoder\.0\.forward\.R/.test(name));
      expect(begins.map(({ initializer }) => initializer)).toEqual(new Array(3).fill({ kind: "constant", value: 0 }));
      return { ...made };
    });
  });

  it("refuses first states that do not fit", () => {
    expect(() =>
      programOf((trace) => {
        const { encoded, scope } = traced(forms[1], trace);
        return { ...decoder({ ...common, cell: lstm, depth: 3 }).generate(encoded, scope) };
      }),
    ).toThrow(
      'decoder: first state "2.forward.h" is missing among 0.forward.h, 0.forward.c, 1.forward.h, 1.forward.c, expected [batch, 4].',
    );
  });
});
