/** What went wrong in a step whose loss or gradient is not finite: the parameter, the timestep, the likely cause. */
import { TrainingError } from "../base/errors.ts";
import { elementCount, product, sizeOf, type TensorType } from "../base/shapes.ts";
import { Executable, type Numbers } from "../compile/executable.ts";
import type { Batch, Model, StepResult } from "./model.ts";
import { diagnosticProgram, stateFeeds } from "./programs.ts";

/** Examines the step again with the model's weights, which a failed step leaves as they were. */
export function diagnose(
  model: Model,
  batch: Batch,
  step: number,
  { loss, gradientNorm }: StepResult,
  learningRate: number,
): TrainingError {
  const where = `training step ${step}: the ${Number.isFinite(loss) ? "gradient" : "loss"}`;
  const given = Number.isFinite(loss) ? `not finite (norm ${gradientNorm})` : String(loss);
  const badInput = firstBadInput(model, batch);
  if (badInput !== undefined) {
    return new TrainingError({
      where,
      given: `${given}; ${badInput}`,
      expected: "finite numbers",
      mend: "replace missing values before training, or mask them in the loss",
    });
  }
  const { program, indices } = diagnosticProgram(model.network);
  const executable = new Executable({ diagnose: program });
  const weights = model.weights();
  for (const name of executable.params.keys()) executable.writeParam(name, weights.get(name)!);
  const states = stateFeeds(model.network, batch.sizes, batch.state);
  executable.call("diagnose", batch.sizes, { ...batch.inputs, ...states, seed: [model.maskSeed()] });
  const read = (name: string) => executable.output("diagnose", name, batch.sizes);
  for (const { output, count, input } of indices) {
    const type = program.graph.types[program.outputs[output]!]!;
    const values = read(output);
    const position = values.findIndex((value) => !(Number.isInteger(value) && value >= 0 && value < count));
    if (position < 0) continue;
    const row = type.axes.includes("batch") ? ` in row ${rowOf(position, type, batch)} of the batch` : "";
    return new TrainingError({
      where,
      given: `${given}; ${input === undefined ? "a computed index" : `input "${input}"`} holds ${values[position]}${row}`,
      expected: `a whole number from 0 to ${count - 1} there`,
      mend: "it chooses a class or a row of a table: number them from 0, and give the network as many as there are",
    });
  }
  const found: string[] = [];
  let earliest: number | undefined;
  for (const [name, id] of Object.entries(program.outputs)) {
    if (!name.startsWith("states.")) continue;
    const type = program.graph.types[id]!;
    const timeSlot = type.axes.findIndex((axis) => axis !== "batch");
    const steps = sizeOf(type.axes[timeSlot]!, batch.sizes);
    const position = read(name).findIndex((value) => !Number.isFinite(value));
    // Read as [batch, time, features]: the first bad row need not be the earliest step, so every one is looked at.
    if (position >= 0)
      earliest = Math.min(earliest ?? Number.POSITIVE_INFINITY, earliestStep(read(name), steps, product(type.shape)));
  }
  if (earliest !== undefined) found.push(`the state is not finite from timestep ${earliest + 1} on`);
  const parameter = Object.keys(program.outputs).find(
    (name) => name.startsWith("gradient.") && read(name).some((value) => !Number.isFinite(value)),
  );
  if (parameter !== undefined) found.push(`the gradient of "${parameter.slice("gradient.".length)}" is not finite`);
  return new TrainingError({
    where,
    given: [given, ...found].join("; "),
    expected: "finite numbers",
    mend: `lower the learning rate (now ${learningRate}), clip the gradient by norm, or use a gated cell`,
  });
}

function earliestStep(values: Float32Array, steps: number, features: number): number {
  let earliest = steps;
  values.forEach((value, i) => {
    if (!Number.isFinite(value)) earliest = Math.min(earliest, Math.floor(i / features) % steps);
  });
  return earliest;
}

function firstBadInput(model: Model, batch: Batch): string | undefined {
  if ((model.network.variableLengths ?? []).length > 0) return undefined; // Padding may hold anything.
  for (const [name, values] of Object.entries<Numbers>(batch.inputs)) {
    const type = model.network.inputs[name];
    const position = values.findIndex((value) => !Number.isFinite(value));
    if (type === undefined || position < 0) continue;
    return `input "${name}" holds ${values[position]} in row ${rowOf(position, type, batch)} of the batch`;
  }
  return undefined;
}

/** The row of the batch, counted from 1, that an element lies in. */
function rowOf(position: number, type: TensorType, { sizes }: Batch): number {
  return Math.floor(position / elementCount(type, { ...sizes, batch: 1 })) + 1;
}
