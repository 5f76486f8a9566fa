/** The grammar of legal programs. Tests run it after every pass, so that a broken pass fails where it broke. */
import { InternalError } from "../base/errors.ts";
import { formatType, sameType, type TensorType } from "../base/shapes.ts";
import type { Graph, Node, NodeId, Program, ScanNode } from "./nodes.ts";
import { operands } from "./nodes.ts";
import { printProgram } from "./printer.ts";
import { elementType, inferType } from "./shapes.ts";

export function verify(program: Program): void {
  const fail = (problem: string): never => {
    throw new InternalError(`the program is not legal: ${problem}`, printProgram(program));
  };
  verifyGraph(program.graph, undefined, fail);
  for (const [name, id] of [...Object.entries(program.outputs), ...Object.entries(program.updates)]) {
    if (program.graph.nodes[id] === undefined) fail(`"${name}" names %${id}, which does not exist`);
  }
  for (const [name, id] of Object.entries(program.updates)) {
    const param = program.graph.nodes.find((node) => node.kind === "param" && node.name === name);
    if (param === undefined || param.kind !== "param") fail(`update of "${name}", which is no parameter`);
    else {
      const [own, given] = [{ axes: param.axes ?? [], shape: param.shape }, program.graph.types[id]!];
      if (!sameType(own, given)) fail(`update of "${name}" ${formatType(own)} with ${formatType(given)}`);
    }
  }
}

type Fail = (problem: string) => never;

function verifyGraph(graph: Graph, scan: ScanNode | undefined, fail: Fail): void {
  graph.nodes.forEach((node, id) => {
    for (const operand of operands(node)) {
      if (!(operand >= 0 && operand < id)) fail(`%${id} (${node.kind}) reads %${operand} before it is defined`);
      const isScan = graph.nodes[operand]!.kind === "scan";
      if (isScan !== (node.kind === "pick")) fail(`%${id} (${node.kind}) reads %${operand}: only picks read scans`);
    }
    const source = { typeOf: (other: NodeId) => graph.types[other]!, nodeOf: (other: NodeId) => graph.nodes[other]! };
    const type = inferType(node, source);
    if (!sameType(type, graph.types[id]!))
      fail(`%${id} (${node.kind}) says ${formatType(graph.types[id]!)}, its operands give ${formatType(type)}`);
    verifyLeaf(node, id, scan, fail);
    if (node.kind === "scan") verifyScan(node, id, graph, fail);
  });
}

function verifyLeaf(node: Node, id: number, scan: ScanNode | undefined, fail: Fail): void {
  if (node.kind === "state" || node.kind === "element" || node.kind === "captured") {
    const list = { state: scan?.initial, element: scan?.sequences, captured: scan?.captured }[node.kind];
    if (list === undefined) fail(`%${id} (${node.kind}) stands outside a scan`);
    else if (node.index >= list.length) fail(`%${id} (${node.kind} ${node.index}) has no operand in its scan`);
  } else if (node.kind === "step" && scan?.axis !== node.axis) {
    fail(`%${id} (step ${node.axis}) stands outside a scan along that axis`);
  } else if (scan !== undefined && (node.kind === "input" || node.kind === "param")) {
    fail(`%${id} (${node.kind}) stands inside a scan: it must be captured`);
  }
}

function verifyScan(scan: ScanNode, id: number, graph: Graph, fail: Fail): void {
  verifyGraph(scan.body.graph, scan, fail);
  const expect = (what: string, given: TensorType | undefined, expected: TensorType) => {
    if (given === undefined || !sameType(given, expected)) {
      fail(
        `scan %${id}: ${what} is ${given === undefined ? "missing" : formatType(given)}, expected ${formatType(expected)}`,
      );
    }
  };
  if (scan.body.next.length !== scan.initial.length)
    fail(`scan %${id}: ${scan.initial.length} states, ${scan.body.next.length} next states`);
  scan.initial.forEach((initial, k) => {
    expect(`next state ${k}`, scan.body.graph.types[scan.body.next[k]!], graph.types[initial]!);
  });
  for (const node of scan.body.graph.nodes) {
    if (node.kind === "state") expect(`state ${node.index}`, node.type, graph.types[scan.initial[node.index]!]!);
    if (node.kind === "captured") expect(`captured ${node.index}`, node.type, graph.types[scan.captured[node.index]!]!);
    if (node.kind === "element")
      expect(`element ${node.index}`, node.type, elementType(graph.types[scan.sequences[node.index]!]!, scan));
  }
  for (const sequence of scan.sequences) {
    if (!graph.types[sequence]!.axes.some((axis) => axis === scan.axis || axis === scan.cuts))
      fail(`scan %${id}: sequence %${sequence} has no axis ${scan.axis}`);
  }
  for (const captured of scan.captured) {
    if (graph.types[captured]!.axes.some((axis) => axis === scan.axis || axis === scan.cuts))
      fail(`scan %${id}: captured %${captured} has the axis ${scan.axis}`);
  }
}
