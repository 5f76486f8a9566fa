/** The clockwork network: groups of units that run at different rates. */
import { OptionError } from "../base/errors.ts";
import { type Cell, type CellSizes, defineCell } from "../trace/cell.ts";
import {
  add,
  broadcast,
  concat,
  div,
  equal,
  floor,
  less,
  matmul,
  mul,
  named,
  reshape,
  select,
  sub,
  tanh,
} from "../trace/operations.ts";
import type { Tensor } from "../trace/tensor.ts";

export interface ClockworkOptions {
  /** Periods of the groups in timesteps, rising; units are divided evenly. Default 1, 2, 4, 8. */
  readonly periods?: readonly number[];
}

/**
 * Clockwork network: a group of units with period T steps only where t is a multiple of T, and sees groups as slow or slower.
 *
 *     h° = tanh(W·x + (M ⊙ R)·h + b)
 *     h′ = h° where t mod T = 0, else h
 *     t′ = t + 1
 *
 * T [hiddenSize] is the period of each unit, M is 1 from units of the same or a longer period and 0 from others. t counts the
 * row's own steps from 0. Shapes: x [batch, inputSize]; h, h′ [batch, hiddenSize]; t [batch, 1]. Equations are for one row of the batch.
 * Source: Koutník et al. 2014, arXiv:1402.3511. Deviations: none.
 * @throws OptionError unless periods are whole numbers from 1, each longer than the one before.
 */
export function clockworkCell({ periods = [1, 2, 4, 8] }: ClockworkOptions = {}): Cell {
  if (
    !periods.every((period, k) => Number.isInteger(period) && period > (periods[k - 1] ?? 0)) ||
    periods.length === 0
  ) {
    throw new OptionError({
      where: "clockwork: periods",
      given: `[${periods.join(", ")}]`,
      expected: "whole numbers from 1, each longer than the one before",
      mend: "1, 2, 4, 8 are usual",
    });
  }
  return defineCell({
    name: "clockwork",
    state: ["h", "t"],
    stateSizes: { t: () => 1 },
    blocks: ["h"],
    step: ({ x, h, t }, { W, R, b }, sizes) => {
      const period = named("T", periodOf(x, periods, sizes));
      const column = reshape(period, sizes.hiddenSize, 1);
      const mask = named("M", sub(1, less(period, column)));
      const stepped = named("h°", tanh(add(matmul(W.h, x), matmul(mul(mask, R.h), h), b.h)));
      const due = equal(named("t mod T", sub(t, mul(period, floor(div(t, period))))), 0);
      return { h: select(due, stepped, h), t: add(t, 1) };
    },
  });
}

/** The period of each unit, [hiddenSize]; the last groups are the smaller ones where they do not divide evenly. */
function periodOf(like: Tensor, periods: readonly number[], { hiddenSize }: CellSizes): Tensor {
  const parts = periods.flatMap((period, k) => {
    const end = (j: number) => Math.ceil((j * hiddenSize) / periods.length);
    const size = end(k + 1) - end(k);
    return size === 0 ? [] : [broadcast(like.trace.literal(period), { axes: [], shape: [size] })];
  });
  return concat(...parts);
}

export const clockwork: Cell = clockworkCell();
