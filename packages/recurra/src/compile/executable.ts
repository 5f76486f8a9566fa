/** Programs compiled into one WebAssembly module over one memory: parameters stay, inputs go in, outputs come out. */

import { emitModule } from "../backends/wasm/emit.ts";
import { bestArithmetic, createMemory, instantiate } from "../backends/wasm/instantiate.ts";
import type { Arithmetic } from "../backends/wasm/kernels.ts";
import { lower } from "../backends/wasm/lower.ts";
import { evaluate, planMemory } from "../backends/wasm/memory.ts";
import type { BufferId, Plan } from "../backends/wasm/plan.ts";
import { InternalError, ShapeError } from "../base/errors.ts";
import {
  type Axis,
  type AxisSizes,
  elementCount,
  formatType,
  orderAxes,
  product,
  sizeOf,
  type TensorType,
} from "../base/shapes.ts";
import { type NodeId, operands, type Program } from "../ir/nodes.ts";
import { beforePlan, runPasses } from "./pipeline.ts";

export interface CompileOptions {
  /** Sizes to plan for; larger ones later compile again. Axes that are missing start at 1. */
  readonly capacity?: AxisSizes;
  /** Only plain multiply-adds: the same bits on every machine. Default false: relaxed multiply-adds where the engine has them. */
  readonly strict?: boolean;
}

/** Numbers in the order of the printed type: [batch, time, features]. */
export type Numbers = Float32Array | Float64Array | readonly number[];

interface Entry {
  readonly plan: Plan;
  readonly types: ReadonlyMap<BufferId, TensorType>;
  readonly axes: readonly Axis[];
}

export class Executable {
  readonly arithmetic: Arithmetic;
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #axes: readonly Axis[];
  readonly #paramAddress: ReadonlyMap<string, { readonly address: number; readonly shape: readonly number[] }>;
  readonly #paramEnd: number;
  readonly #memory: WebAssembly.Memory;
  #capacity: Record<Axis, number>;
  #addresses = new Map<string, readonly number[]>();
  #functions: ReadonlyMap<string, (...sizes: readonly number[]) => void> = new Map();
  #moduleBytes = 0;

  constructor(programs: Readonly<Record<string, Program>>, { capacity = {}, strict = false }: CompileOptions = {}) {
    this.arithmetic = strict ? "plain" : bestArithmetic();
    this.#entries = new Map(
      Object.entries(programs).map(([name, program]) => [name, entryOf(runPasses(program, beforePlan))]),
    );
    this.#axes = orderAxes([...this.#entries.values()].flatMap((entry) => entry.axes));
    this.#capacity = Object.fromEntries(this.#axes.map((axis) => [axis, capacity[axis] ?? 1]));
    const { params, end } = placeParams([...this.#entries.values()]);
    this.#paramAddress = params;
    this.#paramEnd = end;
    this.#memory = createMemory(end);
    this.#compile();
  }

  /** Names and shapes of the parameters, in the order of their addresses. */
  get params(): ReadonlyMap<string, { readonly shape: readonly number[] }> {
    return this.#paramAddress;
  }

  /** Bytes of memory and of the compiled module. */
  get footprint(): { readonly memoryBytes: number; readonly moduleBytes: number } {
    return { memoryBytes: this.#memory.buffer.byteLength, moduleBytes: this.#moduleBytes };
  }

  /** A live view of a parameter. It is valid until the next call with larger sizes. */
  param(name: string): Float32Array<ArrayBuffer> {
    const found = this.#paramAddress.get(name);
    if (found === undefined) throw new InternalError(`no parameter "${name}"`);
    return this.#floats(found.address, product(found.shape));
  }

  /**
   * Runs a program: writes the inputs, calls it once. Read the results with `output` before the next call.
   * @throws ShapeError when an input is missing or does not have its size.
   */
  call(name: string, sizes: AxisSizes, inputs: Readonly<Record<string, Numbers>>): void {
    const entry = this.#entry(name);
    this.#ensure(sizes);
    const addresses = this.#addresses.get(name)!;
    for (const [input, buffer] of Object.entries(entry.plan.inputs)) {
      const type = entry.types.get(buffer)!;
      const given = inputs[input];
      const expected = elementCount(type, sizes);
      if (given === undefined || given.length !== expected) throw wrongInput(input, given, type, sizes);
      writeTensor(this.#floats(addresses[buffer]!, expected), given, type, sizes);
    }
    this.#functions.get(name)!(...this.#axes.map((axis) => sizes[axis] ?? 1));
  }

  /** Makes room for these sizes now, so that views of parameters stay valid during calls of such sizes. */
  reserve(sizes: AxisSizes): void {
    this.#ensure(sizes);
  }

  /** Names of a program's outputs. */
  outputs(program: string): readonly string[] {
    return Object.keys(this.#entry(program).plan.outputs);
  }

  /** A copy of an output of the program called last, as [batch, time, features]. */
  output(program: string, name: string, sizes: AxisSizes): Float32Array<ArrayBuffer> {
    const entry = this.#entry(program);
    const buffer = entry.plan.outputs[name];
    if (buffer === undefined) throw new InternalError(`program "${program}" has no output "${name}"`);
    const type = entry.types.get(buffer)!;
    return readTensor(this.#floats(this.#addresses.get(program)![buffer]!, elementCount(type, sizes)), type, sizes);
  }

  /** The first element of an output: losses and norms. */
  scalar(program: string, name: string): number {
    return this.output(program, name, {})[0]!;
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw new InternalError(`no program "${name}"`);
    return entry;
  }

  #ensure(sizes: AxisSizes): void {
    const grown = this.#axes.filter((axis) => (sizes[axis] ?? 1) > this.#capacity[axis]!);
    if (grown.length === 0) return;
    this.#capacity = { ...this.#capacity, ...Object.fromEntries(grown.map((axis) => [axis, sizeOf(axis, sizes)])) };
    this.#compile();
  }

  #compile(): void {
    let end = this.#paramEnd;
    const emitted = [...this.#entries].map(([name, { plan }]) => {
      const placed = new Map(
        Object.entries(plan.params).map(([param, buffer]) => [buffer, this.#paramAddress.get(param)!.address]),
      );
      // Programs run one at a time: each may use everything behind the parameters.
      const memory = planMemory(plan, this.#capacity, this.#paramEnd, placed);
      end = Math.max(end, memory.end);
      this.#addresses.set(name, memory.addresses);
      return { name, plan, addresses: memory.addresses };
    });
    const missing = end - this.#memory.buffer.byteLength;
    if (missing > 0) growMemory(this.#memory, missing);
    const bytes = emitModule(emitted, this.#axes);
    this.#moduleBytes = bytes.length;
    this.#functions = instantiate(bytes, this.#memory, this.arithmetic);
  }

  #floats(address: number, length: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.#memory.buffer as ArrayBuffer, address, length); // The memory is not shared.
  }
}

function entryOf(program: Program): Entry {
  const plan = lower(program);
  const types = new Map<BufferId, TensorType>();
  const axes = new Set<Axis>();
  program.graph.nodes.forEach((node, id) => {
    if (node.kind === "input") {
      const buffer = plan.inputs[node.name];
      if (buffer !== undefined) types.set(buffer, node.type);
    }
    if (node.kind === "scan") axes.add(node.axis);
    for (const axis of program.graph.types[id]!.axes) axes.add(axis);
    for (const operand of operands(node)) for (const axis of program.graph.types[operand]!.axes) axes.add(axis);
  });
  for (const [name, id] of Object.entries<NodeId>(program.outputs))
    types.set(plan.outputs[name]!, program.graph.types[id]!);
  return { plan, types, axes: orderAxes(axes) };
}

/** Parameters of all programs, by name, one behind the other. */
function placeParams(entries: readonly Entry[]): {
  params: Map<string, { address: number; shape: readonly number[] }>;
  end: number;
} {
  const params = new Map<string, { address: number; shape: readonly number[] }>();
  // Address 0 stays empty, so that a forgotten address shows.
  let end = 64;
  for (const { plan } of entries) {
    for (const [name, buffer] of Object.entries(plan.params)) {
      if (params.has(name)) continue;
      const count = evaluate(plan.buffers[buffer]!.sizes[0]!, {});
      params.set(name, { address: end, shape: [count] });
      end += Math.ceil((count * 4) / 64) * 64;
    }
  }
  return { params, end };
}

function growMemory(memory: WebAssembly.Memory, bytes: number): void {
  try {
    memory.grow(Math.ceil(bytes / 65536));
  } catch (cause) {
    throw new ShapeError({
      where: "the model's memory",
      given: `${((memory.buffer.byteLength + bytes) / 2 ** 30).toFixed(2)} GiB`,
      expected: "what the engine can give, 4 GiB at most",
      mend: "use a smaller batch, shorter sequences or a smaller model",
      cause,
    });
  }
}

function wrongInput(name: string, given: Numbers | undefined, type: TensorType, sizes: AxisSizes): ShapeError {
  const concrete = [...type.axes.map((axis) => `${axis} ${sizeOf(axis, sizes)}`), ...type.shape].join(", ");
  return new ShapeError({
    where: `input "${name}"`,
    given: given === undefined ? "missing" : `${given.length} numbers`,
    expected: `${elementCount(type, sizes)} numbers, [${concrete}]`,
    mend: `feed ${formatType(type)}, batch outermost and features next to each other`,
  });
}

/** Memory has the last axis outermost, callers have batch outermost. */
function writeTensor(target: Float32Array, source: Numbers, type: TensorType, sizes: AxisSizes): void {
  if (type.axes.length < 2) {
    target.set(source);
    return;
  }
  eachRow(type, sizes, (inCallers, inMemory, features) => {
    for (let i = 0; i < features; i++) target[inMemory + i] = source[inCallers + i]!;
  });
}

function readTensor(memory: Float32Array, type: TensorType, sizes: AxisSizes): Float32Array<ArrayBuffer> {
  if (type.axes.length < 2) return Float32Array.from(memory);
  const result = new Float32Array(memory.length);
  eachRow(type, sizes, (inCallers, inMemory, features) => {
    for (let i = 0; i < features; i++) result[inCallers + i] = memory[inMemory + i]!;
  });
  return result;
}

function eachRow(
  type: TensorType,
  sizes: AxisSizes,
  visit: (inCallers: number, inMemory: number, features: number) => void,
): void {
  const features = product(type.shape);
  const counts = type.axes.map((axis) => sizeOf(axis, sizes));
  const memoryStrides: number[] = [];
  let stride = features;
  counts.forEach((count, i) => {
    memoryStrides[i] = stride;
    stride *= count;
  });
  const walk = (axis: number, inCallers: number, inMemory: number): number => {
    if (axis === counts.length) {
      visit(inCallers, inMemory, features);
      return inCallers + features;
    }
    let next = inCallers;
    for (let i = 0; i < counts[axis]!; i++) next = walk(axis + 1, next, inMemory + i * memoryStrides[axis]!);
    return next;
  };
  walk(0, 0, 0);
}
