/** What every pass shares: rebuilding a program, bodies of scans included. */
import { type Axis, orderAxes } from "../base/shapes.ts";
import { GraphBuilder, type MapId, rebuild } from "../ir/builder.ts";
import {
  type Graph,
  mapOperands,
  type Node,
  type NodeId,
  type Program,
  type ScanBody,
  type ScanNode,
} from "../ir/nodes.ts";

export type Pass = (program: Program) => Program;

/** One graph being rebuilt: `graph` as it was, `builder` as it becomes. */
export interface Site {
  readonly graph: Graph;
  readonly builder: GraphBuilder;
  readonly map: MapId;
}

/** Returns the replacement of a node in `site.builder`, or undefined to keep it. A kept scan has its body rebuilt likewise. */
export type Rewrite = (node: Node, id: NodeId, site: Site) => NodeId | undefined;
/** Called once per graph, so that a pass can look at it as a whole before its nodes are rewritten. */
export type RewriteFor = (graph: Graph, roots: readonly NodeId[]) => Rewrite;

export function rewriteProgram(program: Program, rewriteFor: RewriteFor): Program {
  const roots = [...Object.values(program.outputs), ...Object.values(program.updates)];
  const { graph, map } = rewriteGraph(program.graph, roots, rewriteFor);
  const moved = (names: Readonly<Record<string, NodeId>>) =>
    Object.fromEntries(Object.entries(names).map(([name, id]) => [name, map(id)]));
  return { graph, outputs: moved(program.outputs), updates: moved(program.updates) };
}

export function rewriteBody(body: ScanBody, rewriteFor: RewriteFor): ScanBody {
  const { graph, map } = rewriteGraph(body.graph, [...body.next, ...body.outputs], rewriteFor);
  return { graph, next: body.next.map(map), outputs: body.outputs.map(map) };
}

/** The scan with operands mapped into the new graph and its body rewritten. */
export function rewriteScan(scan: ScanNode, site: Site, rewriteFor: RewriteFor): ScanNode {
  const mapped = mapOperands(scan, site.map) as ScanNode; // mapOperands keeps the kind.
  return { ...mapped, body: rewriteBody(scan.body, rewriteFor) };
}

/** `rewriteScan` of a pass that changes scans only: a body without any stays as it is. */
export function rewriteScansIn(scan: ScanNode, site: Site, rewriteFor: RewriteFor): ScanNode {
  if (scan.body.graph.nodes.some(({ kind }) => kind === "scan")) return rewriteScan(scan, site, rewriteFor);
  return mapOperands(scan, site.map) as ScanNode; // mapOperands keeps the kind.
}

function rewriteGraph(graph: Graph, roots: readonly NodeId[], rewriteFor: RewriteFor): { graph: Graph; map: MapId } {
  const builder = new GraphBuilder();
  const rewrite = rewriteFor(graph, roots);
  let site: Site | undefined;
  const map = rebuild(graph, builder, roots, (node, id, mapId) => {
    site ??= { graph, builder, map: mapId };
    const replaced = rewrite(node, id, site);
    if (replaced !== undefined || node.kind !== "scan") return replaced;
    return builder.add(rewriteScan(node, site, rewriteFor));
  });
  return { graph: builder.finish(), map };
}

/**
 * Adds a node of a scan's body outside the loop. What it reads may have gained the scan's axis there; kinds that name their
 * axes, or want operands of the same axes, are told so.
 */
export function addOutside(builder: GraphBuilder, node: Node, map: MapId): NodeId {
  const moved = mapOperands(node, map);
  const axesOf = (...ids: readonly NodeId[]) => orderAxes(ids.flatMap((id) => builder.typeOf(id).axes));
  const widen = (id: NodeId, axes: readonly Axis[]) =>
    builder.add({ kind: "broadcast", x: id, type: { axes, shape: builder.typeOf(id).shape } });
  switch (moved.kind) {
    case "broadcast":
      return builder.add({
        ...moved,
        type: { axes: orderAxes([...moved.type.axes, ...axesOf(moved.x)]), shape: moved.type.shape },
      });
    case "outer": {
      const axes = axesOf(moved.a, moved.b);
      return builder.add({ ...moved, a: widen(moved.a, axes), b: widen(moved.b, axes) });
    }
    case "concat": {
      const axes = axesOf(...moved.parts);
      return builder.add({ ...moved, parts: moved.parts.map((part) => widen(part, axes)) });
    }
    default:
      return builder.add(moved);
  }
}
