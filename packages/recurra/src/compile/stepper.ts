/** One timestep of a program as a module of its own: states and packed weights stay in its memory, a step is one call without allocation. */

import { bestArithmetic, createMemory, instantiate, kernels } from "../backends/wasm/code/instantiate.ts";
import { emitModule } from "../backends/wasm/emit/module.ts";
import { evaluate, planMemory } from "../backends/wasm/memory/arena.ts";
import { separateConstants } from "../backends/wasm/plan/constants.ts";
import { lower } from "../backends/wasm/plan/lower.ts";
import type { BufferId, Command, Plan } from "../backends/wasm/plan/plan.ts";
import { ShapeError } from "../base/errors.ts";
import { type Axis, type AxisSizes, orderAxes, sizeOf } from "../base/shapes.ts";
import type { Program } from "../ir/nodes.ts";
import type { OneStep } from "../optimize/oneStep.ts";
import { axesOf } from "./entry.ts";
import { type KernelSet, nativeImports, nativeKernels } from "./native.ts";
import { beforeGradient, beforePlan, runPasses } from "./pipeline.ts";

type View = Float32Array<ArrayBuffer>;

export interface StepperOptions {
  /** Of every axis, for good. */
  readonly sizes: AxisSizes;
  /** By name; copied. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly strict?: boolean;
}

/** All views are live and stay valid; their order is the memory's: features innermost, then the batch. */
export class Stepper {
  readonly inputs: ReadonlyMap<string, View>;
  readonly outputs: ReadonlyMap<string, View>;
  readonly states: ReadonlyMap<string, View>;
  readonly kernels: KernelSet;
  readonly memoryBytes: number;
  /** Reads inputs and states; writes outputs and states. */
  readonly step: () => void;
  /** Reads inputs; writes into `beginnings` what the states are before the first step. */
  readonly begin: () => void;
  readonly beginnings: ReadonlyMap<string, View>;

  constructor(program: OneStep, { sizes, weights, strict = false }: StepperOptions) {
    const parts = { step: optimized(program.step), begin: optimized(program.begin) };
    const axes = orderAxes([...axesOf(parts.step), ...axesOf(parts.begin)]);
    checkSizes(axes, sizes);
    const { emitted, named, end } = place(lower(parts.step), lower(parts.begin), new Set(program.states.keys()), sizes);

    const memory = createMemory(end, false);
    const native = strict ? undefined : nativeKernels();
    const arithmetic = strict ? "plain" : native === undefined ? bestArithmetic() : undefined;
    const { bytes, loops } = emitModule(emitted, axes, { nativeLoops: native?.loops });
    const imports = native === undefined ? undefined : nativeImports(native.bind(memory), loops);
    const { programs } = instantiate(new WebAssembly.Module(bytes), memory, () => kernels(arithmetic, false), imports);
    const run = (name: string) =>
      // Bound once: a spread would make an array in every step.
      programs.get(name)!.bind(undefined, ...axes.map((axis) => sizeOf(axis, sizes)), 0, 0, 0) as () => void;
    const views = (role: keyof Named) =>
      new Map(
        [...named[role]].map(([name, { address, count }]) => [name, new Float32Array(memory.buffer, address, count)]),
      );

    this.kernels = arithmetic ?? `native ${native!.instructionSet}`;
    this.memoryBytes = memory.buffer.byteLength;
    this.inputs = views("inputs");
    this.outputs = views("outputs");
    this.beginnings = views("beginnings");
    const params = views("params");
    this.states = new Map([...program.states.keys()].map((name) => [name, params.get(name)!]));
    this.step = run("step");
    this.begin = run("begin");
    for (const [name, view] of params) if (!program.states.has(name)) view.set(weights.get(name)!);
    run("prepare")();
  }
}

function checkSizes(axes: readonly Axis[], sizes: AxisSizes): void {
  for (const axis of axes) {
    const size = sizes[axis];
    if (size !== undefined && Number.isInteger(size) && size >= 1) continue;
    throw new ShapeError({
      where: `stream: the size of axis "${axis}"`,
      given: size === undefined ? "missing" : String(size),
      expected: "1, 2, 3, …",
      mend: `give it for good when the stream is made: model.stream({ sizes: { ${axis}: 12 } })`,
    });
  }
}

function optimized(program: Program): Program {
  return runPasses(runPasses(program, beforeGradient), beforePlan(undefined));
}

interface Place {
  readonly address: number;
  /** Floats. */
  readonly count: number;
}

type Named = Readonly<Record<"inputs" | "outputs" | "beginnings" | "params", ReadonlyMap<string, Place>>>;

/** Every buffer at an address for good: what has a name or is kept between calls by itself, behind it temporaries by lifetime. */
function place(step: Plan, begin: Plan, changing: ReadonlySet<string>, sizes: AxisSizes) {
  const { once, always, kept } = separateConstants(step, changing);
  const inputs = new Map<string, Place>();
  const params = new Map<string, Place>();
  // Address 0 stays empty, so that a forgotten address shows.
  let end = 64;
  const reserve = (plan: Plan, buffer: BufferId): Place => {
    const count = plan.buffers[buffer]!.sizes.reduce((sum, size) => sum + evaluate(size, sizes), 0);
    const address = end;
    end += Math.ceil((count * 4) / 64) * 64;
    return { address, count };
  };
  /** Both plans read the same inputs and parameters; each has its own outputs. */
  const fix = (plan: Plan, more: ReadonlySet<BufferId>) => {
    const fixed = new Map<BufferId, number>();
    const all = (names: Readonly<Record<string, BufferId>>, places: Map<string, Place>) => {
      for (const [name, buffer] of Object.entries(names)) {
        const found = places.get(name) ?? reserve(plan, buffer);
        places.set(name, found);
        fixed.set(buffer, found.address);
      }
      return places;
    };
    all(plan.inputs, inputs);
    all(plan.params, params);
    const outputs = all(plan.outputs, new Map());
    for (const buffer of more) if (!fixed.has(buffer)) fixed.set(buffer, reserve(plan, buffer).address);
    return { outputs, fixed };
  };
  const [ofStep, ofBegin] = [fix(step, kept), fix(begin, new Set())];
  const arena = end;
  const program = (name: string, plan: Plan, commands: readonly Command[], fixed: ReadonlyMap<BufferId, number>) => {
    const { addresses, arenaBytes } = planMemory({ ...plan, commands }, sizes, fixed);
    end = Math.max(end, arena + arenaBytes);
    const absolute = new Set(plan.buffers.map((_, id) => id as BufferId)); // The position in the list is the id.
    const final = addresses.map((address, id) => (fixed.has(id as BufferId) ? address : arena + address));
    return { name, plan: { ...plan, commands }, addresses: final, absolute };
  };
  const emitted = [
    program("prepare", step, once, ofStep.fixed),
    program("step", step, always, ofStep.fixed),
    program("begin", begin, begin.commands, ofBegin.fixed),
  ];
  return { emitted, end, named: { inputs, params, outputs: ofStep.outputs, beginnings: ofBegin.outputs } };
}
