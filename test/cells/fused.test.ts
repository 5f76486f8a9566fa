/**
 * Every cell is on the fused path: inside the loops only what the equations need there. A product in the forward loop has one in
 * the backward loop; input products and weight gradients stand outside.
 */
import { describe, expect, it } from "vitest";
import { cells } from "../../packages/recurra/src/cells/registry.ts";
import { makeEntry } from "../../packages/recurra/src/compile/entry.ts";
import { type Node, operands } from "../../packages/recurra/src/ir/nodes.ts";
import { dense } from "../../packages/recurra/src/layers/dense.ts";
import { mse } from "../../packages/recurra/src/layers/losses/usual.ts";
import { recurrent } from "../../packages/recurra/src/layers/recurrent.ts";
import { splitBatch } from "../../packages/recurra/src/optimize/split.ts";
import { sequenceType } from "../../packages/recurra/src/trace/tensor.ts";
import { defineNetwork } from "../../packages/recurra/src/train/network.ts";
import { adam } from "../../packages/recurra/src/train/optimizers/adam.ts";
import { buildPrograms } from "../../packages/recurra/src/train/programs.ts";

interface Loops {
  /** Matrix products of one step, forward and backward. */
  readonly products: readonly number[];
  /** At most so many commands of a step, forward and backward. */
  readonly commands: readonly number[];
}

/** What the equations need. The reservoir is not differentiated; gru-d's input is given, so that no gradient reaches l. */
const expected: Readonly<Record<string, Loops>> = {
  rnn: { products: [1, 1], commands: [2, 2] },
  "rnn-relu": { products: [1, 1], commands: [2, 2] },
  "rnn-leaky-relu": { products: [1, 1], commands: [2, 2] },
  "rnn-sigmoid": { products: [1, 1], commands: [2, 2] },
  irnn: { products: [1, 1], commands: [2, 2] },
  indrnn: { products: [0, 0], commands: [1, 1] },
  antisymmetric: { products: [1, 1], commands: [2, 3] },
  clockwork: { products: [1, 1], commands: [3, 3] },
  "output-feedback": { products: [1, 1], commands: [2, 2] },
  jordan: { products: [2, 2], commands: [4, 4] },
  "echo-state": { products: [1], commands: [2] },
  gru: { products: [1, 1], commands: [2, 3] },
  "gru-reset-before": { products: [2, 2], commands: [4, 5] },
  "gru-one-gate": { products: [1, 1], commands: [2, 3] },
  "gru-binary-gate": { products: [1, 1], commands: [2, 3] },
  "gru-layer-norm": { products: [1, 1], commands: [13, 12] },
  "gru-d": { products: [3, 2], commands: [7, 5] },
  "light-gru": { products: [1, 1], commands: [4, 3] },
  mgu: { products: [2, 2], commands: [4, 5] },
  ugrnn: { products: [1, 1], commands: [2, 3] },
  fastgrnn: { products: [1, 1], commands: [2, 3] },
  "min-gru": { products: [0, 0], commands: [1, 1] },
  lstm: { products: [1, 1], commands: [2, 2] },
  "lstm-without-cell": { products: [1, 1], commands: [2, 3] },
  "lstm-peephole": { products: [1, 1], commands: [2, 2] },
  "lstm-projected": { products: [2, 2], commands: [3, 5] },
  "lstm-coupled": { products: [1, 1], commands: [2, 2] },
  "lstm-layer-norm": { products: [1, 1], commands: [13, 11] },
  "lstm-zoneout": { products: [1, 1], commands: [2, 3] },
  "lstm-weight-drop": { products: [1, 1], commands: [2, 2] },
  "lstm-recurrent-dropout": { products: [1, 1], commands: [3, 3] },
  "lstm-multiplicative": { products: [2, 2], commands: [4, 4] },
  "lstm-mogrifier": { products: [6, 6], commands: [12, 13] },
  "lstm-nested": { products: [3, 3], commands: [5, 5] },
  janet: { products: [1, 1], commands: [2, 3] },
  slstm: { products: [1, 1], commands: [2, 3] },
  "min-lstm": { products: [0, 0], commands: [1, 1] },
  sru: { products: [0, 0], commands: [1, 1] },
  qrnn: { products: [0, 0], commands: [4, 7] },
  lru: { products: [0, 0], commands: [1, 2] },
  cfc: { products: [2, 2], commands: [4, 5] },
  "skip-gru": { products: [2, 2], commands: [5, 7] },
  "skip-lstm": { products: [2, 2], commands: [5, 7] },
};

function loopsOf(name: string) {
  const layer = recurrent({ cell: cells[name]!, hiddenSize: 16 });
  const network = defineNetwork({
    inputs: { x: sequenceType(12), y: sequenceType(1) },
    forward: ({ x }, scope) => ({
      y: dense({ outputSize: 1 }).apply(layer.apply(x, scope.in("rnn")), scope.in("out")),
    }),
    loss: ({ y }, inputs, scope) => mse(y, inputs.y, scope),
  });
  const { train } = buildPrograms(network, { optimizer: adam() });
  const bodies = train.graph.nodes.flatMap((node) => (node.kind === "scan" ? [node.body.graph.nodes] : []));
  const commands = makeEntry(train).rows.plan.commands;
  return {
    train,
    nodes: (kind: Node["kind"]) => bodies.map((nodes) => nodes.filter((node) => node.kind === kind).length),
    steps: commands.flatMap((command) => (command.kind === "scan" ? [command.body] : [])),
  };
}

describe.each(Object.keys(cells))("the training step of %s", (name) => {
  const { train, nodes, steps } = loopsOf(name);

  it("multiplies in its loops what depends on a state and nothing else", () => {
    expect(nodes("matmul")).toEqual(expected[name]!.products);
    expect(nodes("outer").every((count) => count === 0)).toBe(true);
    expect(steps.flat().some(({ kind }) => kind === "pack" || kind === "outer" || kind === "scan")).toBe(false);
  });

  it("takes few commands for a step", () => {
    steps.forEach((step, i) => {
      expect(step.length).toBeLessThanOrEqual(expected[name]!.commands[i]!);
    });
    expect(steps).toHaveLength(expected[name]!.commands.length);
  });

  it("keeps in its loops the sums over rows that no product reads, and still splits into shards", () => {
    const { graph } = train;
    const readers = (id: number) => graph.nodes.filter((node) => operands(node).some((operand) => operand === id));
    const forSumsAlone = graph.nodes.filter(
      (node, id) =>
        node.kind === "pick" &&
        node.port === "stacked" &&
        graph.types[id]!.axes.includes("batch") &&
        readers(id).length > 0 &&
        readers(id).every((reader) => reader.kind === "reduce" && reader.axes.includes("batch")),
    );
    expect(forSumsAlone).toEqual([]);
    expect(splitBatch(train)?.whole).toBeDefined();
  });
});
