/** What the flow of gradients means, in words, with what mends it. */
import type { Model } from "../train/model.ts";
import { mendOfExploding } from "../train/warnings.ts";
import type { Finding, LayerFlow, StateFlow } from "./types.ts";

/** A gradient that keeps less than this over the whole sequence has vanished; one that grows beyond the other explodes. */
export const vanished = 1e-3;
const exploded = 1e2;

const severity: readonly Finding["kind"][] = ["not finite", "exploding", "vanishing", "saturated", "healthy"];

export function diagnoseFlow(model: Model, loss: number, layers: readonly LayerFlow[]): readonly Finding[] {
  return layers
    .map((layer) => diagnoseLayer(model, loss, layer))
    .sort((a, b) => severity.indexOf(a.kind) - severity.indexOf(b.kind));
}

function diagnoseLayer(model: Model, loss: number, layer: LayerFlow): Finding {
  const state = strongest(layer);
  if (state === undefined) return finding("healthy", layer, 0, "there is no state that a gradient could flow through.");
  const reach = fromTheEnd(state.reach, layer);
  const gradient = fromTheEnd(state.lossGradient, layer);
  const { steps } = layer;
  const reachSteps = stepsAbove(reach, 0.01);
  const ends =
    layer.direction === "forward"
      ? `step 1 is FACTOR of that at step ${steps}`
      : `step ${steps} is FACTOR of that at step 1`;
  const compared = (factor: number) => `the gradient reaching ${ends.replace("FACTOR", number(factor))}`;
  const whole = reach.at(-1)!;
  const peak = Math.max(...reach);
  if (!Number.isFinite(loss) || ![...reach, ...gradient].every(Number.isFinite)) {
    const at = reach.findIndex((value) => !Number.isFinite(value));
    const where = at < 0 ? "" : ` from ${at} steps before the end`;
    return finding(
      "not finite",
      layer,
      reachSteps,
      `loss or gradient are not finite${where}.`,
      "Lower the learning rate, clip the gradient by norm, use a gated cell.",
    );
  }
  if (peak > exploded) {
    return finding(
      "exploding",
      layer,
      reachSteps,
      `${compared(peak)} (at its largest): exploding.`,
      mendOfExploding(model),
    );
  }
  if (whole < vanished) {
    return finding(
      "vanishing",
      layer,
      reachSteps,
      `${compared(whole)}: vanishing; it falls below a hundredth after ${count(reachSteps, "step")}.`,
      mends(layer),
    );
  }
  const full = mostSaturated(layer);
  if (full !== undefined) {
    const mend = "Scale the inputs, begin with smaller weights, lower the learning rate.";
    return finding("saturated", layer, reachSteps, full, mend);
  }
  return finding("healthy", layer, reachSteps, `${compared(whole)}: it reaches all ${count(steps, "step")}.`);
}

function finding(kind: Finding["kind"], layer: LayerFlow, reachSteps: number, seen: string, mend = ""): Finding {
  const sentence = `${layer.name}: ${mend === "" ? seen : `${seen} ${mend}`}`;
  return { kind, layer: layer.name, reachSteps, seen, mend, sentence };
}

/** The state through which most arrives: the cell state of an LSTM rather than its output. */
function strongest(layer: LayerFlow): StateFlow | undefined {
  const score = (state: StateFlow) => fromTheEnd(state.reach, layer).at(-1) ?? 0;
  return [...layer.states].sort((a, b) => score(b) - score(a))[0];
}

/** In the order in which a gradient travels: the last state of the recurrence first. */
export function fromTheEnd(values: Float64Array, layer: LayerFlow): Float64Array {
  return layer.direction === "forward" ? values.slice().reverse() : values;
}

/** Over how many steps, counted from the end, a gradient stays above a share of itself. */
export function stepsAbove(reach: Float64Array, share: number): number {
  const lost = reach.findIndex((value) => !(value >= share));
  return lost < 0 ? reach.length : lost;
}

function mends(layer: LayerFlow): string {
  const forget = layer.gates.find(({ name }) => name === "f");
  if (forget !== undefined) {
    const { mean } = forget;
    const average = mean.reduce((sum, value) => sum + value, 0) / mean.length;
    return `Its forget gate lets ${(100 * average).toFixed(0)} % through at each step: begin with a larger forget bias or chrono initialisation, or shorten the sequence.`;
  }
  if (layer.gates.length > 0)
    return "Begin with gate biases that keep the state (chrono initialisation), read the sequence in both directions, or use attention.";
  return "Try lstm or gru, orthogonal or identity recurrent weights, or the vanishing-gradient penalty.";
}

function mostSaturated(layer: LayerFlow): string | undefined {
  for (const state of layer.states) {
    const { saturated } = state;
    const share = saturated.reduce((sum, value) => sum + value, 0) / saturated.length;
    if (share > 0.9 && state.size.every((size) => size <= 1))
      return `${(100 * share).toFixed(0)} % of state ${state.name} lie beyond ±0.97, where tanh passes hardly any gradient.`;
  }
  return undefined;
}

function number(value: number): string {
  return value >= 0.01 && value < 1000 ? value.toPrecision(2) : value.toExponential(1).replace("e+", "e");
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
