/** Central differences in float64: what a gradient must agree with. */
import { createRandom } from "../../packages/recurra/src/base/random.ts";
import type { AxisSizes } from "../../packages/recurra/src/base/shapes.ts";
import type { Program } from "../../packages/recurra/src/ir/nodes.ts";
import { expectClose, tolerances } from "./close.ts";
import { differentiable, leaves, reference, type Values, withGradients } from "./programs.ts";

const step = 1e-5;

/**
 * Checks the gradient of every leaf by itself: coordinate by coordinate when it has at most `coordinates` of them, else along
 * `directions` seeded random directions.
 */
export function checkGradients(
  program: Program,
  feeds: Values,
  sizes: AxisSizes,
  { coordinates = 12, directions = 2, label = "gradient check" } = {},
): void {
  const names = differentiable(program);
  const analytic = reference(withGradients(program, names), feeds, sizes);
  const lossOnly = { ...program, outputs: { loss: program.outputs.loss! } };
  const random = createRandom(5);
  for (const name of names) {
    const gradient = analytic[`gradient ${name}`]!;
    const count = leaves(program, sizes).get(name)!;
    const base = Float64Array.from(feeds[name]!);
    const lossAt = (direction: Float64Array, distance: number) => {
      const moved = base.map((value, i) => value + distance * direction[i]!);
      return reference(lossOnly, { ...feeds, [name]: moved }, sizes).loss![0]!;
    };
    const along =
      count <= coordinates
        ? Array.from({ length: count }, (_, i) => Float64Array.from({ length: count }, (_, k) => (k === i ? 1 : 0)))
        : Array.from({ length: directions }, () => Float64Array.from({ length: count }, () => random.normal()));
    const given = along.map((direction) =>
      direction.reduce((sum, value, i) => sum + (value === 0 ? 0 : value * gradient[i]!), 0),
    );
    const expected = along.map((direction) => (lossAt(direction, step) - lossAt(direction, -step)) / (2 * step));
    expectClose(given, expected, tolerances.differences, `gradient of ${name}`, label);
  }
}
