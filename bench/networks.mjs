/** The networks of the bench, in recurra. */
import { crossEntropy, dense, gather, mse, recurrent, sequenceType, sequential, vectorType } from "recurra";
import { cellNamed } from "recurra/cells";
import { targets, vocabulary } from "./numbers.mjs";

/** A recurrent layer and a dense one on its last output: x [batch, time, hidden] to y [batch, 24]. `cell` is a name or a cell. */
export function lastOutputNetwork({ cell, hidden, depth = 1, variableLengths = false, initialize = {} }) {
  const layers = sequential(
    recurrent({
      cell: typeof cell === "string" ? cellNamed(cell) : cell,
      hiddenSize: hidden,
      depth,
      output: "last",
      initialize,
    }),
    dense({ outputSize: targets }),
  );
  return {
    inputs: { x: sequenceType(hidden), y: vectorType(targets) },
    variableLengths: variableLengths ? ["time"] : [],
    forward: ({ x }, scope) => ({ y: layers.apply(x, scope) }),
    loss: ({ y }, inputs, scope) => mse(y, inputs.y, scope),
  };
}

/** Embedding, two LSTM layers, a dense layer: tokens [batch, time, 1] to logits [batch, time, vocabulary]. */
export function languageNetwork({ hidden }) {
  const words = {
    name: "embedding",
    apply: (tokens, scope) =>
      gather(scope.param("table", [vocabulary, hidden], { kind: "constant", value: 0 }), tokens),
  };
  const layers = sequential(
    words,
    recurrent({ cell: cellNamed("lstm"), hiddenSize: hidden, depth: 2 }),
    dense({ outputSize: vocabulary }),
  );
  return {
    inputs: { tokens: sequenceType(1), next: sequenceType(1) },
    forward: ({ tokens }, scope) => ({ logits: layers.apply(tokens, scope) }),
    loss: ({ logits }, { next }, scope) => crossEntropy(logits, next, scope),
  };
}
