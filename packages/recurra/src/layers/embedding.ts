/** Embeddings: a row of a table for each token or category, and the same table as the output layer. */
import type { Initializer, InitializerName } from "../init/initializers.ts";
import { add, gather, matmul, mul } from "../trace/operations.ts";
import type { Scope } from "../trace/scope.ts";
import type { Tensor } from "../trace/tensor.ts";
import { checkSizes } from "./checks.ts";
import { checkRate, dropoutMask } from "./dropout.ts";
import type { Layer } from "./layer.ts";

export interface EmbeddingOptions {
  readonly vocabSize: number;
  readonly size: number;
  /** The probability with which a whole row of the table is 0 for a step of training, wherever it occurs (Gal and Ghahramani 2016). */
  readonly dropout?: number;
  /** Default: uniform within ±0.1. */
  readonly initialize?: Initializer | InitializerName;
}

export interface Embedding extends Layer {
  /**
   * Logits over the vocabulary by the same table: E·h + b, h [.., size] to [.., vocabSize] (Press and Wolf 2017,
   * arXiv:1608.05859). In the same scope as `apply`; the table is then one parameter with both gradients.
   */
  logits(h: Tensor, scope: Scope): Tensor;
}

/**
 * Tokens [.., 1], whole numbers from 0 to vocabSize − 1, to rows [.., size]. Another number gives a row of NaN.
 * @throws OptionError unless both sizes are positive whole numbers and 0 ≤ dropout < 1.
 */
export function embedding({
  vocabSize,
  size,
  dropout = 0,
  initialize = { kind: "uniform", low: -0.1, high: 0.1 },
}: EmbeddingOptions): Embedding {
  checkSizes("embedding", { vocabSize, size });
  checkRate("embedding", dropout);
  const tableIn = (scope: Scope) => scope.param("table", [vocabSize, size], initialize);
  return {
    name: "embedding",
    apply(tokens, scope) {
      const rows = scope.made("embedding", gather(tableIn(scope), tokens));
      if (dropout === 0 || !scope.training) return rows;
      return mul(rows, gather(dropoutMask(scope, dropout, { axes: [], shape: [vocabSize, 1] }), tokens));
    },
    logits: (h, scope) => add(matmul(tableIn(scope), h), scope.param("b", [vocabSize], "zeros")),
  };
}
