/** Long short-term memory whose input and state gate each other first. */
import { OptionError } from "../base/errors.ts";
import { type Cell, defineCell } from "../trace/cell.ts";
import { add, matmul, mul, named, sigmoid, tanh } from "../trace/operations.ts";

export interface MogrifierOptions {
  /** Times that x and h gate each other, x first. Default 5. */
  readonly rounds?: number;
}

/**
 * Mogrifier LSTM: before a step of the LSTM, x and h scale each other in turn.
 *
 *     x¹ = 2σ(Q_1·h) ⊙ x
 *     h² = 2σ(S_2·x¹) ⊙ h
 *     x³ = 2σ(Q_3·h²) ⊙ x¹     and so on for `rounds`, then
 *     h′, c′ = LSTM(x°, h°, c) of the last ones
 *
 * Shapes: x [batch, inputSize]; h, c, h′, c′ [batch, hiddenSize]. Equations are for one row of the batch.
 * Source: Melis et al. 2020, arXiv:1909.01792, whose R is S here. Deviations: Q and S of full rank; b_f starts at 1, as in `lstm`.
 * @throws OptionError unless rounds is 0, 1, 2, …
 */
export function lstmMogrifierCell({ rounds = 5 }: MogrifierOptions = {}): Cell {
  if (!(Number.isInteger(rounds) && rounds >= 0)) {
    throw new OptionError({
      where: "lstm-mogrifier: rounds",
      given: String(rounds),
      expected: "0, 1, 2, …",
      mend: "5 is the paper's",
    });
  }
  const turns = Array.from({ length: rounds }, (_, k) => k + 1);
  const gates = ["i", "f", "g", "o"] as const;
  return defineCell({
    name: "lstm-mogrifier",
    state: ["h", "c"],
    blocks: [...gates, ...turns.map(String)],
    families: {
      Q: { shape: ({ inputSize, hiddenSize }) => [inputSize, hiddenSize], initializer: "xavierUniform" },
      S: { shape: ({ inputSize, hiddenSize }) => [hiddenSize, inputSize], initializer: "xavierUniform" },
    },
    initialize: { "b.f": { kind: "constant", value: 1 } },
    step: ({ x, h, c }, { W, R, b, Q, S }) => {
      let [input, hidden] = [x, h];
      for (const turn of turns) {
        if (turn % 2 === 1) input = named(`x_${turn}`, mul(2, sigmoid(matmul(Q[turn]!, hidden)), input));
        else hidden = named(`h_${turn}`, mul(2, sigmoid(matmul(S[turn]!, input)), hidden));
      }
      const i = sigmoid(add(matmul(W["i"]!, input), matmul(R["i"]!, hidden), b["i"]!));
      const f = sigmoid(add(matmul(W["f"]!, input), matmul(R["f"]!, hidden), b["f"]!));
      const g = tanh(add(matmul(W["g"]!, input), matmul(R["g"]!, hidden), b["g"]!));
      const o = sigmoid(add(matmul(W["o"]!, input), matmul(R["o"]!, hidden), b["o"]!));
      const cell = add(mul(f, c), mul(i, g));
      return { h: mul(o, tanh(cell)), c: cell };
    },
  });
}

export const lstmMogrifier: Cell = lstmMogrifierCell();
