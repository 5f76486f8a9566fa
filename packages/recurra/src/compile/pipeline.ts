/** Every pass, in order. The only place that knows them all. */

import type { Packing } from "../base/packing.ts";
import type { Program } from "../ir/nodes.ts";
import { hoist } from "../optimize/hoist.ts";
import { lowerMeaning } from "../optimize/meaning.ts";
import { withoutMasks } from "../optimize/packing.ts";
import { prune } from "../optimize/prune.ts";
import type { Pass } from "../optimize/rewrite.ts";
import { sideBySide } from "../optimize/sideBySide.ts";
import { sink } from "../optimize/sink.ts";

export interface NamedPass {
  readonly name: string;
  readonly pass: Pass;
}

/** Before the gradient is taken, so that it is taken of wide products outside the loop. */
export const beforeGradient: readonly NamedPass[] = [
  { name: "gates side by side", pass: sideBySide },
  { name: "hoist", pass: hoist },
  { name: "prune", pass: prune },
];

export const afterGradient: readonly NamedPass[] = [
  { name: "hoist", pass: hoist },
  { name: "sink", pass: sink },
  { name: "prune", pass: prune },
];

/** What the WebAssembly backend wants spelled out. */
export function beforePlan(packing: Packing | undefined): readonly NamedPass[] {
  const meaning = { name: "lower meaning", pass: lowerMeaning(packing?.axis) };
  if (packing === undefined) return [meaning];
  return [{ name: "take masks out", pass: (program) => withoutMasks(program, packing) }, meaning];
}

/** `watch` sees the program after each pass, by the pass's name. */
export function runPasses(
  program: Program,
  passes: readonly NamedPass[],
  watch?: (name: string, program: Program) => void,
): Program {
  return passes.reduce((current, { name, pass }) => {
    const next = pass(current);
    watch?.(name, next);
    return next;
  }, program);
}
