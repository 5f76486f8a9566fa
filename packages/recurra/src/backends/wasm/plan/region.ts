/** One graph being lowered, the program or the body of a scan: decides where its values lie, and finds the commands that compute them. */
import { InternalError } from "../../../base/errors.ts";
import { sameType, type TensorType } from "../../../base/shapes.ts";
import { reachable } from "../../../ir/builder.ts";
import type { Graph, NodeId, NodeOf } from "../../../ir/nodes.ts";
import { operands } from "../../../ir/nodes.ts";
import { packedSize } from "../code/kernels.ts";
import { isFree, isFusible, isLeaf, isView, type Schedule, schedule } from "./fuse.ts";
import { dense, elements, reshaped, sliced } from "./layout.ts";
import { copyLoop, fusedLoop, type LoopSource } from "./loops.ts";
import { pushNode } from "./nodeCommands.ts";
import { type Access, type BufferId, type Command, type Size, size } from "./plan.ts";
import { isCheaperThanLoad, Users } from "./remake.ts";
import { type Inner, type MakeInner, pushScan, type Results } from "./scans.ts";
import type { FindLeaf, Leaf, PlanBuilder, Site } from "./site.ts";

export class Region implements Site, Inner {
  readonly plan: PlanBuilder;
  readonly graph: Graph;
  readonly commands: Command[] = [];
  readonly #home: number | undefined;
  readonly #leaf: FindLeaf;
  readonly #schedule: Schedule;
  readonly #roots: readonly NodeId[];
  readonly #used: ReadonlySet<NodeId>;
  /** Places a value must be written to; the first is where it is read from. */
  readonly #destinations = new Map<NodeId, Access[]>();
  readonly #placed = new Map<NodeId, Access>();
  readonly #packed = new Map<string, BufferId>();
  readonly #picks = new Map<NodeId, Results>();
  readonly #users: Users;
  /** Parameters that the program changes. */
  readonly #overwritten: ReadonlySet<string>;
  readonly #trailing: { readonly from: NodeId; readonly to: Access }[] = [];
  /** Places of sums that are filled with zeros before the region runs. */
  readonly #begun = new Set<Access>();

  constructor(
    plan: PlanBuilder,
    graph: Graph,
    roots: readonly NodeId[],
    home: number | undefined,
    leaf: FindLeaf,
    overwritten: ReadonlySet<string> = new Set(),
  ) {
    this.plan = plan;
    this.graph = graph;
    this.#home = home;
    this.#leaf = leaf;
    this.#roots = roots;
    this.#used = reachable(graph, roots);
    this.#schedule = schedule(graph, this.#used, home === undefined);
    this.#users = new Users(graph, this.#used);
    this.#overwritten = overwritten;
  }

  send(id: NodeId, to: Access): void {
    if (this.#isComputed(id)) this.#destinations.set(id, [...(this.#destinations.get(id) ?? []), to]);
    else this.#trailing.push({ from: id, to });
  }

  canOverwrite(leaf: NodeId, next: NodeId): boolean {
    if (!this.#isComputed(next)) return false;
    const { slots: list, slotOf } = this.#schedule;
    const writing = slotOf[next]!;
    const fused = list[writing]!.kind === "fused";
    const aliases = new Set<NodeId>([leaf]);
    const readers = new Set<NodeId>();
    // What is added while the set is walked is walked too.
    for (const alias of aliases)
      for (const user of this.#users.of(alias)) (isView(this.graph.nodes[user]!) ? aliases : readers).add(user);
    const inTime = (id: NodeId): boolean => {
      // A concatenation copies its parts where it stands, at the latest.
      if (slotOf[id]! < writing) return true;
      const reads = operands(this.graph.nodes[id]!);
      return (
        slotOf[id] === writing &&
        fused &&
        reads.includes(leaf) &&
        sameType(this.graph.types[leaf]!, this.graph.types[id]!) &&
        isFusible(this.graph, id) &&
        !reads.some((operand) => operand !== leaf && aliases.has(operand))
      );
    };
    // A result that is the leaf itself, or a view of it, is copied at the end of the region.
    return [...readers].every(inTime) && !this.#roots.some((root) => aliases.has(root));
  }

  lower(): Command[] {
    this.#placeAll();
    this.#schedule.slots.forEach((item, index) => {
      if (item.kind === "fused") this.#lowerFused(item.type, item.members, index);
      else this.#lowerSingle(item.node);
    });
    this.#copyTrailing();
    return this.commands;
  }

  /** All of these copies happen at once: what one of them overwrites and another reads is set aside first. */
  #copyTrailing(): void {
    const overwritten = new Set(this.#trailing.map(({ to }) => to.buffer));
    const copies = this.#trailing.map(({ from, to }) => {
      const source = this.loopSource(from);
      const type = this.graph.types[from]!;
      if (source.kind !== "memory" || source.access.buffer === to.buffer || !overwritten.has(source.access.buffer))
        return copyLoop(source, to, type);
      return copyLoop({ kind: "memory", access: this.denseCopy(source.access, type) }, to, type);
    });
    this.commands.push(...copies);
  }

  accessOf(id: NodeId): Access {
    const placed = this.#placed.get(id);
    if (placed !== undefined) return placed;
    const access = this.#findAccess(id);
    this.#placed.set(id, access);
    return access;
  }

  loopSource(id: NodeId): LoopSource {
    return isFree(this.graph, id)
      ? { kind: "free", graph: this.graph, id }
      : { kind: "memory", access: this.accessOf(id) };
  }

  packed(id: NodeId, transposed: boolean): BufferId {
    const node = this.graph.nodes[id]!;
    if (node.kind === "captured" && this.#outerPacked !== undefined) return this.#outerPacked(node.index, transposed);
    const key = `${id} ${transposed}`;
    const known = this.#packed.get(key);
    if (known !== undefined) return known;
    const [rows, columns] = this.graph.types[id]!.shape as [number, number]; // Weights are matrices.
    const access = this.accessOf(id);
    const rowStep = access.strides["#2"]?.coefficient ?? columns;
    const columnStep = access.strides["#1"]?.coefficient ?? 1;
    const [k, n] = transposed ? [rows, columns] : [columns, rows];
    const target = this.temporary(`packed %${id}`, size(packedSize(k, n)));
    const [rowStride, columnStride] = transposed ? [rowStep, columnStep] : [columnStep, rowStep];
    this.commands.push({ kind: "pack", source: access, rowStride, columnStride, target, k, n });
    this.#packed.set(key, target);
    return target;
  }

  temporary(name: string, ...sizes: readonly Size[]): BufferId {
    return this.plan.buffer(name, sizes, "temporary", this.#home);
  }

  #outerPacked: ((captured: number, transposed: boolean) => BufferId) | undefined;

  /** Whether a command of this region produces the value, so that it can be told where to put it. */
  #isComputed(id: NodeId): boolean {
    const node = this.graph.nodes[id]!;
    return !isLeaf(node) && !isView(node) && !isFree(this.graph, id);
  }

  /** Consumers before producers, so that a part of a concatenation is written straight into the whole. */
  #placeAll(): void {
    for (let position = this.graph.nodes.length - 1; position >= 0; position--) {
      const id = position as NodeId; // The position in the list is the id.
      const node = this.graph.nodes[id]!;
      if (!this.#used.has(id) || !this.#isComputed(id) || node.kind === "scan") continue;
      const type = this.graph.types[id]!;
      const sent = this.#destinations.get(id)?.[0];
      if (sent !== undefined) this.#placed.set(id, sent);
      else if (this.#needsMemory(id))
        this.#placed.set(id, dense(this.temporary(`%${id} ${node.kind}`, elements(type)), type));
      if (node.kind !== "concat") continue;
      let start = 0;
      for (const part of node.parts) {
        const count = this.graph.types[part]!.shape[node.dim]!;
        const made = this.#behindReshapes(part);
        if (this.#isComputed(made) && this.graph.nodes[made]!.kind !== "scan" && !this.#isPlaced(made, id)) {
          const place = sliced(this.#placed.get(id)!, type, node.dim, start, count);
          const access =
            made === part ? place : reshaped(place, this.graph.types[part]!, this.graph.types[made]!.shape);
          if (access !== undefined) {
            this.#destinations.set(made, [...(this.#destinations.get(made) ?? []), access]);
            this.#inPlaceParts.add(`${id} ${start}`);
          }
        }
        start += count;
      }
    }
  }

  /** What a value is that only its shape tells apart. */
  #behindReshapes(id: NodeId): NodeId {
    const node = this.graph.nodes[id]!;
    return node.kind === "reshape" ? this.#behindReshapes(node.x) : id;
  }

  /** Parts of concatenations, by concatenation and offset, that are written in place. */
  readonly #inPlaceParts = new Set<string>();

  /** The second appearance of a part in one concatenation is copied. */
  #isPlaced(part: NodeId, whole: NodeId): boolean {
    const target = this.#placed.get(whole)!;
    return (this.#destinations.get(part) ?? []).some((access) => access.buffer === target.buffer);
  }

  #needsMemory(id: NodeId): boolean {
    if (!isFusible(this.graph, id) || this.#trailing.some(({ from }) => from === id)) return true;
    const own = this.#schedule.slotOf[id];
    const again = this.#isRemade(id);
    return this.#users.of(id).some((user) => {
      const fused = isFusible(this.graph, user) || this.graph.nodes[user]!.kind === "reduce";
      const here = fused && (this.#schedule.slotOf[user] === own || again);
      return !(here && sameType(this.#spaceOf(user), this.graph.types[id]!));
    });
  }

  /** Whether another loop computes the value again from what it is made of rather than load it. Not in a scan: its values stay in the cache. */
  #isRemade(id: NodeId): boolean {
    return this.#home === undefined && isCheaperThanLoad(this.graph, id, this.#overwritten);
  }

  #spaceOf(id: NodeId): TensorType {
    const node = this.graph.nodes[id]!;
    return node.kind === "reduce" ? this.graph.types[node.x]! : this.graph.types[id]!;
  }

  #findAccess(id: NodeId): Access {
    const node = this.graph.nodes[id]!;
    const type = this.graph.types[id]!;
    if (isLeaf(node)) return this.#leaf(node as Leaf, type); // isLeaf names exactly these kinds.
    if (node.kind === "slice")
      return sliced(this.accessOf(node.x), this.graph.types[node.x]!, node.dim, node.start, node.size, node.stride);
    if (node.kind === "reshape") {
      const from = this.graph.types[node.x]!;
      const access = this.accessOf(node.x);
      return reshaped(access, from, node.shape) ?? reshaped(this.denseCopy(access, from), from, node.shape)!;
    }
    if (node.kind === "pick") {
      const results = this.#picks.get(node.scan);
      if (results === undefined) throw new InternalError(`%${node.scan} is read before it has run`);
      return results[node.port][node.index]!;
    }
    if (isFree(this.graph, id)) {
      const access = dense(this.temporary(`%${id} ${node.kind}`, elements(type)), type);
      this.commands.push(copyLoop({ kind: "free", graph: this.graph, id }, access, type));
      return access;
    }
    throw new InternalError(`%${id} (${node.kind}) has no place`);
  }

  denseCopy(access: Access, type: TensorType): Access {
    const copy = dense(this.temporary("dense copy", elements(type)), type);
    this.commands.push(copyLoop({ kind: "memory", access }, copy, type));
    return copy;
  }

  #lowerFused(type: TensorType, members: readonly NodeId[], index: number): void {
    const { before, loop } = fusedLoop({
      graph: this.graph,
      type,
      members,
      inThisLoop: (id) =>
        this.#schedule.slotOf[id] === index && isFusible(this.graph, id) && sameType(this.graph.types[id]!, type),
      isRemade: (id) => !this.#placed.has(id) && sameType(this.graph.types[id]!, type) && this.#isRemade(id),
      source: (id) => this.loopSource(id),
      targets: (id) => {
        const placed = this.#placed.get(id);
        return placed === undefined ? [] : [placed, ...(this.#destinations.get(id)?.slice(1) ?? [])];
      },
      isBegun: (access) => this.#begun.has(access),
    });
    this.commands.push(...before, loop);
  }

  #lowerSingle(id: NodeId): void {
    const node = this.graph.nodes[id]!;
    if (node.kind === "scan") {
      this.#picks.set(id, pushScan(this, node, this.#inner));
      return;
    }
    if (node.kind === "concat") this.#lowerConcat(id, node);
    else pushNode(this, id);
    for (const extra of this.#destinations.get(id)?.slice(1) ?? []) {
      this.commands.push(copyLoop({ kind: "memory", access: this.accessOf(id) }, extra, this.graph.types[id]!));
    }
  }

  readonly #inner: MakeInner = ({ body, captured }, scanId, roots, leaf) => {
    const inner = new Region(this.plan, body.graph, roots, scanId, leaf);
    inner.#outerPacked = (index, transposed) => this.packed(captured[index]!, transposed);
    return inner;
  };

  #lowerConcat(id: NodeId, node: NodeOf<"concat">): void {
    let start = 0;
    for (const part of node.parts) {
      const partType = this.graph.types[part]!;
      const count = partType.shape[node.dim]!;
      if (!this.#inPlaceParts.has(`${id} ${start}`)) {
        const place = sliced(this.accessOf(id), this.graph.types[id]!, node.dim, start, count);
        this.commands.push(copyLoop(this.loopSource(part), place, partType));
      }
      start += count;
    }
  }

  begin(place: Access): void {
    this.#begun.add(place);
  }

  sendLast(id: NodeId, to: Access): void {
    this.#trailing.push({ from: id, to });
  }
}
