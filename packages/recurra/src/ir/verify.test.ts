import { describe, expect, it } from "vitest";
import type { TensorType } from "../base/shapes.ts";
import type { Graph, Node, NodeId, Program, ScanNode } from "./nodes.ts";
import { verify } from "./verify.ts";

const id = (position: number) => position as NodeId; // Tests write ids as numbers.
const row: TensorType = { axes: ["batch"], shape: [2] };
const sequence: TensorType = { axes: ["batch", "time"], shape: [2] };
const scalar: TensorType = { axes: [], shape: [1] };

function program(nodes: readonly (readonly [Node, TensorType])[], rest: Partial<Program> = {}): Program {
  return { graph: graph(nodes), outputs: {}, updates: {}, ...rest };
}
function graph(nodes: readonly (readonly [Node, TensorType])[]): Graph {
  return { nodes: nodes.map(([node]) => node), types: nodes.map(([, type]) => type) };
}

const x = [{ kind: "input", name: "x", type: sequence }, sequence] as const;
const h = [{ kind: "input", name: "h", type: row }, row] as const;
const state = [{ kind: "state", index: 0, type: row }, row] as const;
const element = [{ kind: "element", index: 0, type: row }, row] as const;

/** A running sum of x from h, with one thing changed. */
function scanning(change: Partial<ScanNode>): Program {
  const scan: ScanNode = {
    kind: "scan",
    axis: "time",
    direction: "forward",
    lengths: undefined,
    initial: [id(1)],
    sequences: [id(0)],
    captured: [],
    body: {
      graph: graph([state, element, [{ kind: "add", a: id(0), b: id(1) }, row]]),
      next: [id(2)],
      outputs: [id(2)],
    },
    ...change,
  };
  return program([x, h, [scan, scalar], [{ kind: "pick", scan: id(2), port: "final", index: 0 }, row]]);
}
const body = (nodes: readonly (readonly [Node, TensorType])[], next: readonly number[]) => ({
  body: { graph: graph(nodes), next: next.map(id), outputs: [] },
});

describe("verify", () => {
  it("accepts a legal program", () => {
    expect(() => verify(scanning({}))).not.toThrow();
  });

  it.each<readonly [string, Program]>([
    ["%1 (neg) reads %1 before it is defined", program([x, [{ kind: "neg", x: id(1) }, sequence]])],
    ["%1 (neg) reads %5 before it is defined", program([x, [{ kind: "neg", x: id(5) }, sequence]])],
    ["%1 (neg) says [batch, 2], its operands give [batch, time, 2]", program([x, [{ kind: "neg", x: id(0) }, row]])],
    [
      "%3 (neg) reads %2: only picks read scans",
      program([
        ...scanning({})
          .graph.nodes.slice(0, 3)
          .map((node, i) => [node, scanning({}).graph.types[i]!] as const),
        [{ kind: "neg", x: id(2) }, scalar],
      ]),
    ],
    [
      "%1 (pick) reads %0: only picks read scans",
      program([x, [{ kind: "pick", scan: id(0), port: "final", index: 0 }, row]]),
    ],
    ["%0 (state) stands outside a scan", program([state])],
    ["%0 (step time) stands outside a scan along that axis", program([[{ kind: "step", axis: "time" }, scalar]])],
    ['"y" names %3, which does not exist', program([x], { outputs: { y: id(3) } })],
    ['update of "x", which is no parameter', program([x], { updates: { x: id(0) } })],
    [
      'update of "w" [3] with [batch, 2]',
      program(
        [
          [
            { kind: "param", name: "w", shape: [3] },
            { axes: [], shape: [3] },
          ],
          h,
        ],
        { updates: { w: id(1) } },
      ),
    ],
    [
      "%1 (element 1) has no operand in its scan",
      scanning(body([state, [{ kind: "element", index: 1, type: row }, row]], [0])),
    ],
    ["%1 (input) stands inside a scan: it must be captured", scanning(body([state, h], [0]))],
    ["scan %2: 1 states, 0 next states", scanning(body([state], []))],
    [
      "scan %2: next state 0 is [1], expected [batch, 2]",
      scanning(body([[{ kind: "literal", value: 1 }, scalar]], [0])),
    ],
    [
      "scan %2: state 0 is [1], expected [batch, 2]",
      scanning(body([element, [{ kind: "state", index: 0, type: scalar }, scalar]], [0])),
    ],
    ["scan %2: sequence %1 has no axis time", scanning({ sequences: [id(0), id(1)] })],
    ["scan %2: captured %0 has the axis time", scanning({ captured: [id(0)] })],
  ])("refuses: %s", (problem, illegal) => {
    expect(() => verify(illegal)).toThrow(
      `the program is not legal: ${problem}\nThis is a fault of recurra: please report it.\n`,
    );
  });
});
