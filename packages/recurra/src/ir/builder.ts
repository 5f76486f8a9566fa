/** Builds graphs: every node is typed as it is added, an equal node is reused, and trivial arithmetic folds away. */
import { broadcastTypes, formatType, orderAxes, sameType, type TensorType } from "../base/shapes.ts";
import {
  binaryKinds,
  type Graph,
  mapOperands,
  type Node,
  type NodeId,
  type NodeOf,
  operands,
  unaryKinds,
} from "./nodes.ts";
import { inferType } from "./shapes.ts";

export class GraphBuilder {
  readonly nodes: Node[] = [];
  readonly types: TensorType[] = [];
  readonly #known = new Map<number | string, NodeId>();

  /** `type` of a node that stays as it is, where it is known already. */
  add(node: Node, type?: TensorType): NodeId {
    const folded = this.#fold(node);
    if (typeof folded === "number") return folded;
    const key = keyOf(folded);
    const known = key === undefined ? undefined : this.#known.get(key);
    if (known !== undefined) return known;
    return this.#push(folded, key, folded === node && type !== undefined ? type : inferType(folded, this));
  }

  #push(node: Node, key: number | string | undefined, type: TensorType): NodeId {
    const id = this.nodes.length as NodeId; // The position in the list is the id.
    this.nodes.push(node);
    this.types.push(type);
    if (key !== undefined) this.#known.set(key, id);
    return id;
  }

  nodeOf(id: NodeId): Node {
    return this.nodes[id]!;
  }

  typeOf(id: NodeId): TensorType {
    return this.types[id]!;
  }

  /** Gives a scan more outputs: ids of its picks stay valid because outputs are only appended. */
  replaceScan(id: NodeId, node: Node): void {
    this.nodes[id] = node;
  }

  literal(value: number): NodeId {
    return this.add({ kind: "literal", value });
  }

  zeros(type: TensorType): NodeId {
    return this.add({ kind: "broadcast", x: this.literal(0), type });
  }

  finish(): Graph {
    return { nodes: [...this.nodes], types: [...this.types] };
  }

  /** x + 0, x · 1 and their kind, when the result keeps its type. Nothing that could hide a NaN: x · 0 stays. */
  #fold(node: Node): Node | NodeId {
    switch (node.kind) {
      case "add":
        if (this.#number(node.a) === 0) return this.#keep(node, node.b, node.a);
        if (this.#number(node.b) === 0) return this.#keep(node, node.a, node.b);
        return node;
      case "sub":
        return this.#number(node.b) === 0 ? this.#keep(node, node.a, node.b) : node;
      case "mul":
        if (this.#number(node.a) === 1) return this.#keep(node, node.b, node.a);
        if (this.#number(node.b) === 1) return this.#keep(node, node.a, node.b);
        return node;
      case "div":
        return this.#number(node.b) === 1 ? this.#keep(node, node.a, node.b) : node;
      case "neg": {
        const x = this.nodeOf(node.x);
        return x.kind === "neg" ? x.x : node;
      }
      case "broadcast":
        return sameType(this.typeOf(node.x), node.type) ? node.x : node;
      case "reshape":
        return sameType(this.typeOf(node.x), { axes: this.typeOf(node.x).axes, shape: node.shape }) ? node.x : node;
      case "reduce":
        return this.#foldReduce(node);
      case "slice":
        return node.start === 0 && node.size === this.typeOf(node.x).shape[node.dim] ? node.x : node;
      case "concat":
        return node.parts.length === 1 ? node.parts[0]! : node;
      default:
        return node;
    }
  }

  /** The number that a value consists of, if it is one. */
  #number(id: NodeId): number | undefined {
    const operand = this.nodeOf(id);
    if (operand.kind === "literal") return operand.value;
    return operand.kind === "broadcast" ? this.#number(operand.x) : undefined;
  }

  #keep(node: Node, id: NodeId, other: NodeId): Node | NodeId {
    const type = broadcastTypes(this.typeOf(id), this.typeOf(other));
    return type !== undefined && sameType(type, this.typeOf(id)) ? id : node;
  }

  #foldReduce(node: NodeOf<"reduce">): Node | NodeId {
    if (node.axes.length === 0 && node.dims.every((dim) => this.typeOf(node.x).shape[dim] === 1)) return node.x;
    const x = this.nodeOf(node.x);
    // A sum of a sum is one sum; a sum over time of weight gradients is one product over all steps.
    if (x.kind === "reduce" && x.op === node.op) {
      return {
        ...x,
        axes: orderAxes([...x.axes, ...node.axes]),
        dims: [...new Set([...x.dims, ...node.dims])].sort((a, b) => a - b),
      };
    }
    if (x.kind === "outer" && node.op === "sum" && node.dims.length === 0)
      return { ...x, axes: orderAxes([...x.axes, ...node.axes]) };
    return node;
  }
}

export type MapId = (id: NodeId) => NodeId;

/**
 * Rebuilds what `roots` need of `graph` into `builder`, letting `rewrite` replace nodes. Nodes keep their order, except that
 * a rewrite may ask for a later node early. Of those for which `isReplaced` says so, `rewrite` needs no operand.
 * Returns the map from old ids to new.
 */
export function rebuild(
  graph: Graph,
  builder: GraphBuilder,
  roots: Iterable<NodeId>,
  rewrite: (node: Node, id: NodeId, map: MapId) => NodeId | undefined,
  isReplaced?: (id: NodeId) => boolean,
): MapId {
  const moved = new Array<NodeId | undefined>(graph.nodes.length);
  let sameTypes = true;
  const mapTyped: MapId = (id) => {
    const made = map(id);
    sameTypes &&= builder.types[made] === graph.types[id];
    return made;
  };
  /** The node with its operands mapped; where none of them has another type, it has its own still. */
  const keep = (node: Node, id: NodeId): NodeId => {
    const outside = sameTypes;
    sameTypes = node.kind !== "pick";
    const mapped = mapOperands(node, mapTyped);
    const type = sameTypes ? graph.types[id] : undefined;
    sameTypes = outside;
    return builder.add(mapped, type);
  };
  const map: MapId = (id) => {
    const known = moved[id];
    if (known !== undefined) return known;
    const node = graph.nodes[id]!;
    const made = rewrite(node, id, map) ?? keep(node, id);
    moved[id] = made;
    return made;
  };
  const needed = marks(graph, roots, isReplaced);
  for (let id = 0; id < needed.length; id++) if (needed[id] === 1) map(id as NodeId); // The position in the list is the id.
  return map;
}

/** The nodes that `roots` need, themselves included, in order. */
export function reachable(graph: Pick<Graph, "nodes">, roots: Iterable<NodeId>): Set<NodeId> {
  const seen = new Set<NodeId>();
  const marked = marks(graph, roots);
  for (let id = 0; id < marked.length; id++) if (marked[id] === 1) seen.add(id as NodeId); // The position in the list is the id.
  return seen;
}

/** 1 for each of these nodes. Operands stand before what reads them, so one walk from the end finds all. */
function marks(
  { nodes }: Pick<Graph, "nodes">,
  roots: Iterable<NodeId>,
  isReplaced?: (id: NodeId) => boolean,
): Uint8Array {
  const marked = new Uint8Array(nodes.length);
  for (const root of roots) marked[root] = 1;
  for (let id = nodes.length - 1; id >= 0; id--) {
    if (marked[id] === 0 || isReplaced?.(id as NodeId) === true) continue; // The position in the list is the id.
    const read = operands(nodes[id]!);
    for (let i = 0; i < read.length; i++) marked[read[i]!] = 1;
  }
  return marked;
}

/** Ids of one graph are smaller. */
const mostNodes = 2 ** 20;

/** Kinds that one or two ids say all of, by numbers from 1 on: 0 is left for what has no second id. */
const numbered: ReadonlyMap<string, number> = new Map([...unaryKinds, ...binaryKinds].map((kind, i) => [kind, i + 1]));

/** What equal nodes have in common; undefined for a scan, which is taken for another each time. */
function keyOf(node: Node): number | string | undefined {
  const kind = numbered.get(node.kind);
  if (kind !== undefined) {
    // Kinds with a number are unary or binary.
    const { x, a = x, b } = node as { readonly x?: NodeId; readonly a?: NodeId; readonly b?: NodeId };
    return (kind * mostNodes + a!) * mostNodes + (b ?? 0);
  }
  switch (node.kind) {
    case "scan":
      return undefined;
    case "literal":
      // JSON has no −0, NaN or infinities: a literal is told apart by its bits.
      return `literal ${Object.is(node.value, -0) ? "-0" : String(node.value)}`;
    case "select":
      return `select ${node.condition} ${node.a} ${node.b}`;
    case "pick":
      return `${node.port} ${node.scan} ${node.index}`;
    case "slice":
      return `slice ${node.x} ${node.dim} ${node.start} ${node.size} ${node.stride}`;
    case "matmul":
      return `matmul ${node.x} ${node.weight} ${node.transposed}`;
    case "reshape":
      return `reshape ${node.x} ${node.shape}`;
    case "reduce":
      return `reduce ${node.op} ${node.x} ${node.dims} ${node.axes}`;
    case "broadcast":
      return `broadcast ${node.x} ${node.type.shape} ${node.type.axes}`;
    case "state":
    case "element":
    case "captured":
      return `${node.kind} ${node.index} ${node.type.shape} ${node.type.axes}`;
    case "param":
      return node.axes === undefined ? `param ${node.shape} ${node.name}` : describe(node);
    default:
      return describe(node);
  }
}

function describe(node: Node): string {
  let key: string = node.kind;
  for (const name in node) {
    const value: unknown = node[name as keyof Node];
    if (typeof value !== "object") key += `;${name} ${String(value)}`;
    else key += `;${name} ${isType(value) ? formatType(value) : JSON.stringify(value)}`;
  }
  return key;
}

function isType(value: unknown): value is TensorType {
  return typeof value === "object" && value !== null && "axes" in value && "shape" in value && !("kind" in value);
}
