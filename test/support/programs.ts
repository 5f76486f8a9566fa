/** Programs for tests: traced from equations, fed with seeded numbers, differentiated and run on every backend. */
import { gradients } from "../../packages/recurra/src/autodiff/gradient.ts";
import { interpret } from "../../packages/recurra/src/backends/reference/interpret.ts";
import { bestArithmetic } from "../../packages/recurra/src/backends/wasm/code/instantiate.ts";
import { createRandom } from "../../packages/recurra/src/base/random.ts";
import { type AxisSizes, elementCount, scalarType } from "../../packages/recurra/src/base/shapes.ts";
import { Executable } from "../../packages/recurra/src/compile/executable.ts";
import { afterGradient, beforeGradient, runPasses } from "../../packages/recurra/src/compile/pipeline.ts";
import type { NodeId, Program } from "../../packages/recurra/src/ir/nodes.ts";
import { verify } from "../../packages/recurra/src/ir/verify.ts";
import { Scope } from "../../packages/recurra/src/trace/scope.ts";
import { type Tensor, Trace } from "../../packages/recurra/src/trace/tensor.ts";

export type Values = Readonly<Record<string, ArrayLike<number>>>;

/** Traces equations into a verified program. */
export function programOf(write: (trace: Trace) => Readonly<Record<string, Tensor>>): Program {
  const trace = new Trace();
  const outputs = Object.fromEntries(Object.entries(write(trace)).map(([name, tensor]) => [name, tensor.id]));
  const program = { graph: trace.builder.finish(), outputs, updates: {} };
  verify(program);
  return program;
}

/** A root scope in a trace, as a network gets one. */
export function scopeIn(trace: Trace, lengths: Readonly<Record<string, Tensor>> = {}, training = false): Scope {
  return new Scope({ trace, training, seed: trace.input("seed", scalarType), lengths });
}

/** Every input and parameter of a program by name, with its number of elements. */
export function leaves(program: Program, sizes: AxisSizes): ReadonlyMap<string, number> {
  return new Map(
    program.graph.nodes.flatMap((node, id) =>
      node.kind === "input" || node.kind === "param"
        ? [[node.name, elementCount(program.graph.types[id]!, sizes)] as const]
        : [],
    ),
  );
}

/** Seeded normal numbers for every leaf that is not given. Float32 numbers, so that every backend starts from the same. */
export function feedsFor(program: Program, sizes: AxisSizes, seed: number, given: Values = {}, scale = 1): Values {
  const random = createRandom(seed);
  return Object.fromEntries(
    [...leaves(program, sizes)].map(([name, count]) => [
      name,
      given[name] ?? Float32Array.from({ length: count }, () => scale * random.normal()),
    ]),
  );
}

/** The program with the gradient of its output "loss" for each named leaf (default: all but `seed`, lengths and indices). */
export function withGradients(program: Program, wrt: readonly string[] = differentiable(program)): Program {
  const trace = Trace.resume(program.graph);
  const ids = wrt.map(
    (name) =>
      program.graph.nodes.findIndex(
        (node) => (node.kind === "input" || node.kind === "param") && node.name === name,
      ) as NodeId, // The position in the list is the id.
  );
  const made = gradients(trace.builder, program.outputs.loss!, ids);
  const outputs = {
    ...program.outputs,
    ...Object.fromEntries(wrt.map((name, i) => [`gradient ${name}`, made[i]!])),
  };
  const whole = { graph: trace.builder.finish(), outputs, updates: {} };
  verify(whole);
  return whole;
}

/** Leaves that hold real numbers: not seeds, lengths, indices, classes or masks. */
export function differentiable(program: Program): string[] {
  const names = [
    ...new Set(
      program.graph.nodes.flatMap((node) => (node.kind === "input" || node.kind === "param" ? [node.name] : [])),
    ),
  ];
  return names.filter((name) => !/^(seed|lengths|index|mask|learningRate)/.test(name));
}

/**
 * Runs a program on WebAssembly. All memory is filled with NaN first, so that whatever reads what it did not write shows.
 * There is room for more than the sizes, so that nothing can count on a tight fit.
 */
export function runWasm(
  program: Program,
  feeds: Values,
  sizes: AxisSizes,
  strict: boolean,
): Record<string, Float32Array> {
  const executable = new Executable({ main: program }, { strict });
  executable.reserve(Object.fromEntries(Object.entries(sizes).map(([axis, size]) => [axis, size + 1])));
  new Float32Array(executable.memory.buffer).fill(Number.NaN);
  for (const name of executable.params.keys()) executable.writeParam(name, feeds[name]!);
  executable.call("main", sizes, feeds as Record<string, Float32Array>); // feedsFor makes typed arrays; given ones are lists.
  return Object.fromEntries([
    ...Object.keys(program.outputs).map((name) => [name, executable.output("main", name, sizes)]),
    ...Object.keys(program.updates).map((name) => [`update ${name}`, executable.readParam(name)]),
  ]);
}

export interface Backend {
  readonly name: string;
  readonly run: (program: Program, feeds: Values, sizes: AxisSizes) => Record<string, Float32Array>;
}

/** Every fast backend that this engine can run. */
export const backends: readonly Backend[] = [
  { name: "wasm, plain multiply-add", run: (program, feeds, sizes) => runWasm(program, feeds, sizes, true) },
  ...(bestArithmetic() === "relaxed"
    ? [
        {
          name: "wasm, relaxed multiply-add",
          run: (program: Program, feeds: Values, sizes: AxisSizes) => runWasm(program, feeds, sizes, false),
        },
      ]
    : []), // Skipped where the engine has no relaxed SIMD.
];

/** Outputs and updates in float64. */
export function reference(program: Program, feeds: Values, sizes: AxisSizes): Record<string, Float64Array> {
  const { outputs, updates } = interpret(program, feeds, sizes);
  return { ...outputs, ...Object.fromEntries(Object.entries(updates).map(([name, data]) => [`update ${name}`, data])) };
}

/** A loss and its gradients through every pass, as a training step goes. */
export function optimized(program: Program): Program {
  return runPasses(withGradients(runPasses(program, beforeGradient)), afterGradient);
}
