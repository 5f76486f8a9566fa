/** From one row to a sequence. */
import { ShapeError } from "../base/errors.ts";
import { type Axis, formatType, orderAxes } from "../base/shapes.ts";
import { broadcast } from "../trace/operations.ts";
import type { Layer } from "./layer.ts";

/**
 * The same row at every step of an axis: x [batch, features] to [batch, time, features], as long as the batch says. One-to-many networks
 * begin with it, and so does the second half of a recurrent autoencoder.
 * @throws ShapeError when x already has the axis.
 */
export function repeat(axis: Axis = "time"): Layer {
  return {
    name: "repeat",
    apply(x, scope) {
      const { axes, shape } = x.type;
      if (axes.includes(axis)) {
        throw new ShapeError({
          where: "repeat: x",
          given: formatType(x.type),
          expected: `a row without the axis ${axis}`,
          mend: 'take the output "last" of the layer below, or repeat along another axis',
        });
      }
      return scope.made("repeat", broadcast(x, { axes: orderAxes([...axes, axis]), shape }));
    },
  };
}
