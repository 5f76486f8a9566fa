/**
 * The steps of a scan as a program of 32-bit words for the native kernels, which run all of them in one call. The format is
 * described in packages/native/steps.h.
 */
import { canEncode, encodeSize, type LoopSite } from "./encodeLoop.ts";
import { type Access, type Gemm, type Loop, type Scan, size } from "./plan.ts";

const version = 2;
const bases = 2;

/** The commands of a scan that the kernels may run: every row takes every step, and there are products and loops only. */
export function stepsOfKernels(scan: Scan): readonly (Gemm | Loop)[] | undefined {
  const found = scan.body.filter((command) => command.kind === "gemm" || command.kind === "loop");
  const whole = found.length === scan.body.length && scan.rows === "all" && scan.cuts === undefined;
  return whole ? found : undefined;
}

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
  const matrix = ({ buffer, offset, start, strides }: Access, row = none) => [
    baseOf(buffer),
    addressOf(buffer) + offset * 4,
    ...encodeSize(row, axes),
    ...encodeSize(start, axes),
    ...steps.flatMap((axis) => encodeSize(strides[axis] ?? none, axes)),
  ];
  const encode = (command: Gemm | Loop): readonly number[] => {
    if (command.kind === "loop") return [0, handleOf(command)];
    const { a, packed, c, n, k } = command;
    const weights: Access = { buffer: packed, offset: 0, start: none, strides: {} };
    return [
      1,
      ...matrix(a.access, a.stride),
      ...matrix(weights),
      ...matrix(c.access, c.stride),
      ...encodeSize(c.count, axes),
      n,
      k,
    ];
  };
  const head = [version, axes.length, bases, steps.length, moving, commands.length];
  return Int32Array.from([...head, ...commands.flatMap(encode)]);
}
