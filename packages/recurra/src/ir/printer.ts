/** Prints programs, one node a line with its type: `%7 = matmul %3, %1 : [batch, 4]`. */
import { formatType } from "../base/shapes.ts";
import type { Graph, Node, NodeId, Program, ScanNode } from "./nodes.ts";
import { operands } from "./nodes.ts";

export function printProgram(program: Program): string {
  const lines = printGraph(program.graph, "");
  for (const [name, id] of Object.entries(program.outputs)) lines.push(`output ${name} = %${id}`);
  for (const [name, id] of Object.entries(program.updates)) lines.push(`update ${name} = %${id}`);
  return `${lines.join("\n")}\n`;
}

export function printGraph(graph: Graph, indent: string): string[] {
  return graph.nodes.flatMap((node, id) => {
    if (node.kind === "scan") return printScan(node, id, indent);
    return [`${indent}%${id} = ${describe(node)} : ${formatType(graph.types[id]!)}`];
  });
}

function printScan(scan: ScanNode, id: number, indent: string): string[] {
  const list = (ids: readonly NodeId[]) => ids.map((operand) => `%${operand}`).join(", ");
  const parts = [
    `initial (${list(scan.initial)})`,
    `sequences (${list(scan.sequences)})`,
    `captured (${list(scan.captured)})`,
  ];
  if (scan.lengths !== undefined) parts.push(`lengths %${scan.lengths}`);
  return [
    `${indent}%${id} = scan ${scan.axis} ${scan.direction}${scan.cuts === undefined ? "" : ` cuts ${scan.cuts}`} ${parts.join(" ")} {`,
    ...printGraph(scan.body.graph, `${indent}  `),
    `${indent}  next (${list(scan.body.next)}) outputs (${list(scan.body.outputs)})`,
    `${indent}}`,
  ];
}

function describe(node: Node): string {
  const details = detailsOf(node);
  const read = operands(node)
    .map((id) => `%${id}`)
    .join(", ");
  return [node.kind, details, read].filter((part) => part !== "").join(" ");
}

function detailsOf(node: Node): string {
  switch (node.kind) {
    case "input":
    case "param":
      return node.name;
    case "literal":
      return String(node.value);
    case "iota":
      return typeof node.along === "string" ? node.along : "feature";
    case "step":
      return node.axis;
    case "random":
      return `stream ${node.stream}`;
    case "slice":
      return `dim ${node.dim} ${node.start}…${node.start + (node.size - 1) * (node.stride ?? 1) + 1}${every(node.stride)}`;
    case "pad":
      return `dim ${node.dim} +${node.before} +${node.after}${every(node.stride)}`;
    case "shift":
      return `${node.axis} by ${node.by}`;
    case "concat":
      return `dim ${node.dim}`;
    case "reduce":
      return `${node.op} (${[...node.axes, ...node.dims.map((dim) => `dim ${dim}`)].join(", ")})`;
    case "matmul":
      return node.transposed ? "transposed" : "";
    case "outer":
      return `over (${node.axes.join(", ")})`;
    case "pick":
      return `${node.port} ${node.index}`;
    case "state":
    case "element":
    case "captured":
      return String(node.index);
    default:
      return "";
  }
}

function every(stride = 1): string {
  return stride === 1 ? "" : ` every ${stride}`;
}
