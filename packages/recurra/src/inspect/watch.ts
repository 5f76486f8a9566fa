/** Watching a run: every now and then a few rows of a batch are looked at, and what does not pass by itself is told. */
import type { Numbers } from "../compile/executable.ts";
import type { Batch, Model } from "../train/model.ts";
import type { GradientWarning, GradientWatch } from "../train/warnings.ts";
import { fromTheEnd, vanished } from "./diagnosis.ts";
import { Inspector } from "./flow.ts";
import type { GradientFlow, LayerFlow } from "./types.ts";

export interface WatchOptions {
  /** Steps before the first look; each later look comes after four times as many steps as the one before. Default 8. */
  readonly firstLook?: number;
  /** Rows of the batch that are looked at, at most. Default 8. */
  readonly rows?: number;
  /** Bytes that a look may take; sequences that would need more are not looked at. Default 1 GiB. */
  readonly memoryLimit?: number;
}

/** A gated cell may open its gates in time: what gets better by this from look to look is left to itself. */
const mending = 10;

/**
 * For the option `watch` of `train`, one for each run: warns when the gradient through a recurrence explodes, or vanishes so that the
 * first steps of the sequence get none from the loss, at two looks in a row and without getting ten times better between them. There
 * are five looks in 2,048 steps, and two more for every sixteen times as many.
 */
export function watchGradients({ firstLook = 8, rows = 8, memoryLimit = 2 ** 30 }: WatchOptions = {}): GradientWatch {
  let inspector: Inspector | undefined;
  let next = firstLook;
  let before: readonly Trouble[] = [];
  return (model, batch, step) => {
    if (step < next) return undefined;
    next *= 4;
    inspector ??= new Inspector(model, "states");
    const few = firstRows(model, batch, rows);
    if (inspector.memoryBytes(few.sizes) > memoryLimit) return undefined;
    const now = troubles(inspector.look(few, { directions: 1 }));
    const lasting = now.find(({ kind, where, size }) =>
      before.some((one) => one.kind === kind && one.where === where && !(size * mending < one.size)),
    );
    before = now;
    if (lasting === undefined) return undefined;
    const { size: _, ...warning } = lasting;
    return warning;
  };
}

interface Trouble extends GradientWarning {
  /** How bad it is: how many times the gradient has grown, or has become smaller. */
  readonly size: number;
}

function troubles(flow: GradientFlow): readonly Trouble[] {
  return flow.findings.flatMap(({ kind, layer: where, seen, mend }) => {
    if (kind !== "exploding" && kind !== "vanishing") return [];
    const layer = flow.layers.find(({ name }) => name === where)!; // Findings are about layers.
    if (kind === "vanishing" && !startGetsNothing(layer)) return [];
    const reach = layer.states.map((state) => fromTheEnd(state.reach, layer));
    const size =
      kind === "exploding"
        ? Math.max(...reach.flatMap((values) => [...values]))
        : 1 / Math.max(...reach.map((values) => values.at(-1)!));
    return [{ kind, where, seen, mend, size }];
  });
}

/**
 * Whether ∂L/∂h at the far end of a recurrence has vanished beside the largest one, on every path: attention or a loss at every step
 * reach the first steps whatever the recurrence does.
 */
function startGetsNothing(layer: LayerFlow): boolean {
  return layer.states.every(({ lossGradient }) => {
    const gradient = fromTheEnd(lossGradient, layer);
    return gradient.at(-1)! < vanished * Math.max(...gradient);
  });
}

/** The batch cut down to its first rows. What has no rows stays as it is. */
function firstRows({ network }: Model, { sizes, inputs, state = {} }: Batch, most: number): Batch {
  const batch = sizes["batch"];
  if (batch === undefined || batch <= most) return { sizes, inputs, state };
  const cut = <Values extends Numbers>(name: string, values: Values): Values => {
    const type = network.inputs[name] ?? network.state?.[name];
    // Lengths are no inputs of the network's own; they have rows. What is cut keeps its type.
    const hasRows = type?.axes.includes("batch") ?? true;
    return hasRows ? (values.slice(0, (values.length / batch) * most) as unknown as Values) : values;
  };
  const all = <Values extends Numbers>(record: Readonly<Record<string, Values>>) =>
    Object.fromEntries(Object.entries(record).map(([name, values]) => [name, cut(name, values)]));
  return { sizes: { ...sizes, batch: most }, inputs: all(inputs), state: all(state) };
}
