/** The numbers of the bench in the places of a recurra model. */
import { blocksOf, embedding, headWeights, layerWeights, targets, vocabulary } from "./numbers.mjs";

/** The bench's weights, cut into recurra's parameters: one for each block. */
export function weightsOf({ work, cell, hidden }, model) {
  const layers = new Map();
  return new Map(
    model.parameters.map(({ name, shape }) => {
      const count = shape.reduce((all, size) => all * size, 1);
      const part = /(\d+)\.forward\.(W|R|b|rb)\.(\w+)$/.exec(name);
      if (part !== null) {
        const [, layer, kind, block] = part;
        if (!layers.has(layer)) layers.set(layer, layerWeights(cell, hidden, Number(layer)));
        const start = kind === "rb" ? 0 : blocksOf[cell].indexOf(block) * count;
        return [name, layers.get(layer)[kind].slice(start, start + count)];
      }
      if (name.endsWith("table")) return [name, embedding(hidden)];
      return [name, headWeights(hidden, work === "language" ? vocabulary : targets)[name.endsWith("W") ? "W" : "b"]];
    }),
  );
}
