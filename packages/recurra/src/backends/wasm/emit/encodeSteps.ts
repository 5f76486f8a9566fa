/**
 * The steps of a scan as a program of 32-bit words for the native kernels, which run all of them in one call. The format is
 * described in packages/native/steps.h.
 */

import { type Access, type Gemm, type Loop, size } from "../plan/plan.ts";
import { canEncode, type LoopSite, pushSize } from "./encodeLoop.ts";

const version = 2;
const bases = 2;

/**
 * The program, or undefined where the kernels have no room for it. `moving`: how many of `site.steps`, the last ones, go on with the
 * steps of the scan; `handleOf`: the handle of a loop of it, encoded for the same site.
 */
export function encodeSteps(
  commands: readonly (Gemm | Loop)[],
  site: LoopSite,
  moving: number,
  handleOf: (loop: Loop) => number,
): Int32Array | undefined {
  const { addressOf, baseOf, axes, steps } = site;
  if (!canEncode(site)) return undefined;
  const none = size(0);
  const words = [version, axes.length, bases, steps.length, moving, commands.length];
  const pushMatrix = ({ buffer, offset, start, strides }: Access, row = none) => {
    words.push(baseOf(buffer), addressOf(buffer) + offset * 4);
    for (const given of [row, start]) pushSize(words, given, axes);
    for (const axis of steps) pushSize(words, strides[axis] ?? none, axes);
  };
  for (const command of commands) {
    if (command.kind === "loop") {
      words.push(0, handleOf(command));
      continue;
    }
    const { a, packed, c, n, k } = command;
    words.push(1);
    pushMatrix(a.access, a.stride);
    pushMatrix({ buffer: packed, offset: 0, start: none, strides: {} });
    pushMatrix(c.access, c.stride);
    pushSize(words, c.count, axes);
    words.push(n, k);
  }
  return Int32Array.from(words);
}
