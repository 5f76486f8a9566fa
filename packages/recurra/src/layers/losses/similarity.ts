/** Losses of embeddings: directions that agree, neighbours that are near. */
import { add, div, maximum, mul, select, sqrt, square, sub, sumFeatures } from "../../trace/operations.ts";
import type { Scope } from "../../trace/scope.ts";
import type { Tensor } from "../../trace/tensor.ts";
import { counted, type Loss, mean, same } from "./loss.ts";

/** a·b / (‖a‖ ‖b‖) of each row: [.., size] twice gives [.., 1]. A row of zeros has similarity 0. */
export function cosineSimilarity(a: Tensor, b: Tensor): Tensor {
  // Bounded before the root: its derivative is infinite at 0.
  const length = (x: Tensor) => sqrt(maximum(sumFeatures(square(x)), 1e-16));
  return div(sumFeatures(mul(a, b)), mul(length(a), length(b)));
}

/** 1 − cos(ŷ, y) of each row. */
export const cosineDistance: Loss = (prediction, target, scope, mask) => {
  same("cosineDistance", prediction, target);
  return mean(sub(1, cosineSimilarity(prediction, counted(target, scope, mask))), scope, mask);
};

/**
 * Pairs (a, b) that belong together, label 1 in [.., 1], and pairs that do not, label −1: 1 − cos, or max(0, cos − margin); as
 * PyTorch's CosineEmbeddingLoss.
 */
export function cosinePairs(margin = 0) {
  return (a: Tensor, b: Tensor, label: Tensor, scope: Scope, mask?: Tensor): Tensor => {
    const similarity = cosineSimilarity(a, b);
    const together = maximum(counted(label, scope, mask), 0);
    return mean(select(together, sub(1, similarity), maximum(sub(similarity, margin), 0)), scope, mask);
  };
}

/**
 * max(0, ‖a − p‖ − ‖a − n‖ + margin): the anchor nearer to what belongs with it than to what does not (Schroff et al. 2015, with
 * distances instead of their squares, as PyTorch's TripletMarginLoss). Each [.., size]. 1e-6 is added to each difference, so
 * that the root has a derivative where two are equal.
 */
export function triplet(margin = 1) {
  return (anchor: Tensor, positive: Tensor, negative: Tensor, scope: Scope, mask?: Tensor): Tensor => {
    same("triplet", positive, anchor);
    same("triplet", negative, anchor);
    const distance = (other: Tensor) => sqrt(sumFeatures(square(add(sub(anchor, counted(other, scope, mask)), 1e-6))));
    return mean(maximum(add(sub(distance(positive), distance(negative)), margin), 0), scope, mask);
  };
}
