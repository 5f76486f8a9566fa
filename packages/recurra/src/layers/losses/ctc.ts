/** Connectionist temporal classification: labels without knowing where in the sequence they are. */
import { ShapeError } from "../../base/errors.ts";
import { type Axis, formatType } from "../../base/shapes.ts";
import {
  add,
  broadcast,
  concat,
  div,
  equal,
  exp,
  less,
  log,
  logSoftmax,
  logSumExp,
  maximum,
  mul,
  oneHot,
  reshape,
  select,
  slice,
  stopGradient,
  sub,
  sumAll,
  sumAxes,
  sumFeatures,
} from "../../trace/operations.ts";
import { scan } from "../../trace/scan.ts";
import type { Scope } from "../../trace/scope.ts";
import type { Tensor } from "../../trace/tensor.ts";
import { validIndex } from "./loss.ts";

export interface CtcOptions {
  /** The class that stands for no label. Default 0. */
  readonly blank?: number;
  readonly axis?: Axis;
}

export interface CtcResult {
  /** Nats per sequence, the mean over the sequences whose target can be said in their timesteps. [1] */
  readonly loss: Tensor;
  /** Sequences whose target cannot: too many labels, or too many alike in a row. They count for nothing. [1] */
  readonly impossible: Tensor;
}

/** Stands for log 0. Finite, so that differences of two are 0 and not NaN; far below any log-probability of a sequence. */
const never = -1e30;

/**
 * −log p(labels | logits), the sum over all ways to spread the labels over the timesteps with blanks between them
 * (Graves et al. 2006). With l′ the labels with blanks around each, S = 2 · labels + 1:
 *
 *     α_t(s) = log(e^α_{t−1}(s) + e^α_{t−1}(s−1) [+ e^α_{t−1}(s−2) where l′_s is a label other than l′_{s−2}]) + log y_t(l′_s)
 *     loss = −log(e^α_T(S−1) + e^α_T(S−2))
 *
 * Logits [batch, time, classes]; targets [batch, most] hold the labels of a row, `targetLengths` [batch, 1] how many: 0 … most.
 * What lies behind them does not matter, nor timesteps behind the lengths of the scope. A row without labels is all blanks. A label
 * that is no class makes the loss NaN.
 * `ctcBestPath` and `ctcBeamSearch` say the labels of trained logits.
 * Deviations: impossible targets are left out and counted (PyTorch's zero_infinity), and the mean is over sequences.
 * @throws ShapeError when logits have no such axis.
 */
export function ctc(
  logits: Tensor,
  targets: Tensor,
  targetLengths: Tensor,
  scope: Scope,
  { blank = 0, axis = "time" }: CtcOptions = {},
): CtcResult {
  if (!logits.type.axes.includes(axis)) {
    throw new ShapeError({
      where: "ctc: logits",
      given: formatType(logits.type),
      expected: `[batch, ${axis}, classes]`,
      mend: "feed the logits of every timestep",
    });
  }
  const most = targets.size;
  const size = 2 * most + 1;
  const position = (of: number) => logits.trace.add({ kind: "iota", along: { size: of } });
  const labels = select(less(position(most), targetLengths), targets, blank);
  // l′: blank, label, blank, label, …, blank.
  const blanks = mul(0, labels);
  const pairs = concat(reshape(add(blanks, blank), most, 1), reshape(labels, most, 1));
  const extended = concat(reshape(pairs, 2 * most), add(mul(0, slice(labels, 0, 1)), blank));
  // A label other than the last one may follow it without a blank.
  const twoBefore = shifted(extended, 2, blank);
  const skips = mul(sub(1, equal(extended, blank)), sub(1, equal(extended, twoBefore)));
  const hot = oneHot(reshape(extended, size, 1), logits.size);
  // Before the first timestep all weight lies on the first blank: one step later on it and on the first label.
  const start = mul(never, sub(1, equal(position(size), 0)));
  const { final } = scan({
    axis,
    lengths: scope.lengths(axis),
    initial: { alpha: broadcast(start, extended.type) },
    sequences: { y: logSoftmax(logits) },
    step: ({ alpha }, { y }) => {
      const heard = reshape(sumFeatures(mul(hot, reshape(y, 1, logits.size))), size);
      const [one, two] = [shifted(alpha, 1, never), select(skips, shifted(alpha, 2, never), never)];
      const top = stopGradient(maximum(alpha, maximum(one, two)));
      const sum = add(exp(sub(alpha, top)), exp(sub(one, top)), exp(sub(two, top)));
      return { next: { alpha: maximum(add(top, log(sum), heard), never) }, outputs: {} };
    },
  });
  const end = mul(2, targetLengths);
  const isEnd = add(equal(position(size), end), equal(position(size), sub(end, 1)));
  const total = logSumExp(select(isEnd, final.alpha, never));
  // A blank must part two labels that are alike. Counted from the lengths alone, so that rows stay apart from each other.
  const alike = mul(equal(labels, shifted(labels, 1, -1)), less(position(most), targetLengths));
  const timesteps =
    scope.lengths(axis) ?? sumAxes(broadcast(logits.trace.literal(1), { axes: [axis], shape: [1] }), axis);
  const possible = less(add(targetLengths, sumFeatures(alike)), add(timesteps, 0.5));
  const counts = sumAll(possible);
  const legal = sumFeatures(validIndex(labels, logits.size, mul(0, labels)));
  return {
    loss: div(sumAll(select(possible, sub(legal, total), 0)), maximum(counts, 1)),
    impossible: sumAll(sub(1, possible)),
  };
}

/** Features moved up by `by`, `fill` where nothing was. */
function shifted(x: Tensor, by: number, fill: number): Tensor {
  const size = x.size;
  if (by >= size) return add(mul(0, x), fill);
  return concat(add(mul(0, slice(x, 0, by)), fill), slice(x, 0, size - by));
}
