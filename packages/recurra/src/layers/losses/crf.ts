/** A linear-chain conditional random field: tags that depend on their neighbours. */

import { ShapeError } from "../../base/errors.ts";
import { type Axis, formatType } from "../../base/shapes.ts";
import {
  add,
  broadcast,
  div,
  equal,
  exp,
  gather,
  less,
  log,
  logSumExp,
  matmul,
  maxFeatures,
  maximum,
  mul,
  neg,
  oneHot,
  reshape,
  select,
  stopGradient,
  sub,
  sumAll,
  sumFeatures,
} from "../../trace/operations.ts";
import { scan, stepPosition } from "../../trace/scan.ts";
import type { Scope } from "../../trace/scope.ts";
import type { Tensor } from "../../trace/tensor.ts";
import { validIndex } from "./loss.ts";

export interface Crf {
  /** −log p(tags | emissions), nats per sequence, the mean over sequences that are not empty: [1]. Tags [batch, time, 1]. */
  loss(emissions: Tensor, tags: Tensor, scope: Scope): Tensor;
  /** The most probable tags (Viterbi 1967): [batch, time, 1], 0 behind the lengths of the scope. */
  decode(emissions: Tensor, scope: Scope): Tensor;
}

/**
 * The conditional random field of Lafferty et al. 2001 over `count` tags. With emissions e_t [count], from the network, and the
 * parameters transitions A [count, count] (to, from), start a and end z [count]:
 *
 *     score(y) = a[y_1] + Σ_t e_t[y_t] + Σ_t A[y_t, y_{t−1}] + z[y_T];   log p(y) = score(y) − log Σ_y′ e^score(y′)
 *
 * The sum is the forward algorithm, in logarithms: α_t = e_t + log(e^A · e^α_{t−1}). Transitions stay within ±80, where e^A is a
 * float32 number. Call `loss` and `decode` with the same scope: they share the parameters. A tag outside 0 … count − 1 makes the
 * loss NaN.
 */
export function crf(count: number, { axis = "time" }: { readonly axis?: Axis } = {}): Crf {
  const parametersIn = (scope: Scope) => ({
    transitions: scope.param("transitions", [count, count], "zeros"),
    start: scope.param("start", [count], "zeros"),
    end: scope.param("end", [count], "zeros"),
  });
  const rows = (emissions: Tensor, shape: readonly number[]) => ({
    axes: emissions.type.axes.filter((other) => other !== axis),
    shape,
  });
  const zeros = (emissions: Tensor, size: number) => broadcast(emissions.trace.literal(0), rows(emissions, [size]));
  return {
    loss(emissions, tags, scope) {
      check(emissions, count, axis);
      const { transitions, start, end } = parametersIn(scope);
      const [likely, table] = [exp(transitions), reshape(transitions, count * count, 1)];
      const { final } = scan({
        axis,
        lengths: scope.lengths(axis),
        initial: { alpha: zeros(emissions, count), score: zeros(emissions, 1), previous: zeros(emissions, 1) },
        sequences: { emission: emissions, tag: tags },
        step: ({ alpha, score, previous }, { emission, tag }) => {
          const first = equal(stepPosition(tag, axis), 0);
          const top = stopGradient(maxFeatures(alpha));
          const from = select(first, start, add(top, log(matmul(likely, exp(sub(alpha, top))))));
          const hot = oneHot(tag, count);
          const entered = select(first, sumFeatures(mul(start, hot)), gather(table, add(mul(count, tag), previous)));
          const chosen = validIndex(tag, count, sumFeatures(mul(emission, hot)));
          return {
            next: { alpha: add(from, emission), score: add(score, entered, chosen), previous: tag },
            outputs: {},
          };
        },
      });
      const score = add(final.score, sumFeatures(mul(end, oneHot(final.previous, count))));
      const surprise = sub(logSumExp(add(final.alpha, end)), score);
      const lengths = scope.lengths(axis);
      if (lengths === undefined)
        return div(sumAll(surprise), sumAll(broadcast(surprise.trace.literal(1), surprise.type)));
      const counts = less(0, lengths);
      return div(sumAll(select(counts, surprise, 0)), maximum(sumAll(counts), 1));
    },
    decode(emissions, scope) {
      check(emissions, count, axis);
      const { transitions, start, end } = parametersIn(scope);
      const lengths = scope.lengths(axis);
      const forward = scan({
        axis,
        lengths,
        initial: { best: zeros(emissions, count) },
        sequences: { emission: emissions },
        step: ({ best }, { emission }) => {
          // [to, from]: the best way to each tag comes from the tag of the largest sum.
          const ways = add(reshape(best, 1, count), transitions);
          const arrived = reshape(maxFeatures(ways), count);
          const first = equal(stepPosition(best, axis), 0);
          return {
            next: { best: add(select(first, start, arrived), emission) },
            outputs: { from: reshape(firstLargest(ways), count) },
          };
        },
      });
      const backward = scan({
        axis,
        direction: "backward",
        lengths,
        initial: { tag: firstLargest(add(forward.final.best, end)) },
        sequences: { from: forward.outputs.from },
        step: ({ tag }, { from }) => ({
          next: { tag: sumFeatures(mul(from, oneHot(tag, count))) },
          outputs: { tag },
        }),
      });
      return backward.outputs.tag;
    },
  };
}

/** The position of the largest feature, the first of equals: [.., size] gives [.., 1]. */
function firstLargest(x: Tensor): Tensor {
  const position = x.trace.add({ kind: "iota", along: { size: x.size } });
  return neg(maxFeatures(select(equal(x, maxFeatures(x)), neg(position), -x.size)));
}

function check(emissions: Tensor, count: number, axis: Axis): void {
  if (emissions.size === count && emissions.type.axes.includes(axis)) return;
  throw new ShapeError({
    where: "crf: emissions",
    given: formatType(emissions.type),
    expected: `[batch, ${axis}, ${count}]`,
    mend: "give the last layer one output for each tag",
  });
}
