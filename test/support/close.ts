/** Comparing numbers: one table of tolerances, and the worst offender printed. */
import { afterAll, expect } from "vitest";

/**
 * Largest relative error by what is compared. Relative means: to the largest magnitude of the tensor, because an element near
 * zero among large ones is a difference of large ones.
 */
export const tolerances = {
  /** One float64 program against another that computes the same in another order. */
  float64: 1e-12,
  /** A float64 gradient against central differences. */
  differences: 1e-6,
  /** Values of a whole float32 program against float64. */
  float32: 1e-5,
  /** Gradients of a whole float32 program against float64. */
  float32Gradient: 1e-4,
  /** Numbers of another framework, stored with 9 digits. */
  golden: 1e-5,
} as const;

export interface Comparison {
  readonly error: number;
  readonly index: number;
  readonly given: number;
  readonly expected: number;
}

/** Where two tensors differ most; `floor` is the smallest magnitude that errors are measured by. NaN equals NaN, an infinity itself. */
export function compare(given: ArrayLike<number>, expected: ArrayLike<number>, floor = 1e-3): Comparison {
  let scale = 0;
  for (let i = 0; i < expected.length; i++)
    if (Number.isFinite(expected[i])) scale = Math.max(scale, Math.abs(expected[i]!));
  let worst: Comparison = { error: 0, index: -1, given: Number.NaN, expected: Number.NaN };
  for (let index = 0; index < expected.length; index++) {
    const [g, e] = [given[index]!, expected[index]!];
    if (Object.is(g, e) || g === e) continue;
    const difference = Math.abs(g - e);
    const error = Number.isFinite(difference) ? difference / Math.max(scale, floor) : Number.POSITIVE_INFINITY;
    if (error > worst.error) worst = { error, index, given: g, expected: e };
  }
  return worst;
}

/** The largest error seen so far under each label: `npx vitest` with RECURRA_ERRORS=1 prints them at the end of a file. */
export const largestErrors = new Map<string, number>();

export function expectClose(
  given: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
  label = "all",
  floor?: number,
): void {
  expect(given.length, `${what}: number of elements`).toBe(expected.length);
  const worst = compare(given, expected, floor);
  largestErrors.set(label, Math.max(largestErrors.get(label) ?? 0, worst.error));
  if (worst.error <= tolerance) return;
  const { error, index } = worst;
  expect.fail(
    `${what}: element ${index} is ${worst.given}, expected ${worst.expected} (relative error ${error.toExponential(2)}, allowed ${tolerance})`,
  );
}

/** Every named tensor of `expected` against the one of the same name. */
export function expectAllClose(
  given: Readonly<Record<string, ArrayLike<number>>>,
  expected: Readonly<Record<string, ArrayLike<number>>>,
  tolerance: number | ((name: string) => number),
  label = "all",
  floor?: number,
): void {
  expect(Object.keys(given).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, values] of Object.entries(expected))
    expectClose(given[name]!, values, typeof tolerance === "number" ? tolerance : tolerance(name), name, label, floor);
}

if (process.env.RECURRA_ERRORS !== undefined) {
  afterAll(() => {
    for (const [label, error] of largestErrors)
      process.stdout.write(`largest error, ${label}: ${error.toExponential(2)}\n`);
  });
}
