/** From a program to its plan: decides where every value lies and which commands compute it. Emits nothing. */
import { InternalError } from "../../base/errors.ts";
import { type Packing, packedAxis } from "../../base/packing.ts";
import { type Axis, formatType, product, sameType, type TensorType } from "../../base/shapes.ts";
import { reachable } from "../../ir/builder.ts";
import type { Graph, NodeId, NodeOf, Program, ScanNode } from "../../ir/nodes.ts";
import { operands } from "../../ir/nodes.ts";
import { elementType } from "../../ir/shapes.ts";
import { productsAhead } from "./ahead.ts";
import { isFree, isFusible, isLeaf, isView, type Schedule, schedule } from "./fuse.ts";
import { outerScratchSize, packedSize } from "./kernels.ts";
import { dense, elements, featureDims, inSegments, noSize, reshaped, rowsOf, sliced, slot, slots } from "./layout.ts";
import { copyLoop, fusedLoop, type LoopSource } from "./loops.ts";
import { aliveOnly, byStep, packTypes, rowsOfStep } from "./packed.ts";
import {
  type Access,
  type Buffer,
  type BufferId,
  type Command,
  type Plan,
  type Rows,
  type Size,
  size,
  times,
} from "./plan.ts";
import { isCheaperThanLoad, Users } from "./remake.ts";

/** `packing`: along this axis scans keep their lengths, and only rows that are alive are kept and computed. */
export function lower(program: Program, packing?: Packing): Plan {
  const plan = new PlanBuilder();
  const packed =
    packing === undefined
      ? undefined
      : {
          axis: packing.axis,
          steps: plan.buffer("steps", [size(1, packing.axis), size(3)], "input", undefined),
          // Vectors of positions read past the last.
          positions: plan.buffer("positions", [size(1, "batch"), size(3)], "input", undefined),
        };
  const inputs: Record<string, BufferId> = {};
  const params: Record<string, BufferId> = {};
  const outputs: Record<string, BufferId> = {};
  const graph = packing === undefined ? program.graph : packTypes(program.graph, packing.axis);
  const roots = [...Object.values(program.outputs), ...Object.values(program.updates)];
  const leaf = (node: Leaf, type: TensorType): Access => {
    if (node.kind === "input") {
      inputs[node.name] ??= plan.buffer(`input ${node.name}`, [elements(type)], "input", undefined);
      return dense(inputs[node.name]!, type);
    }
    if (node.kind === "param") {
      params[node.name] ??= plan.buffer(`param ${node.name}`, [elements(type)], "param", undefined);
      return dense(params[node.name]!, type);
    }
    throw new InternalError(`a ${node.kind} stands outside a scan`);
  };
  const region = new Region(plan, graph, roots, undefined, leaf, new Set(Object.keys(program.updates)));
  const leaves = new Map(graph.nodes.map((node, id) => [node.kind === "param" ? node.name : undefined, id as NodeId]));
  for (const [name, id] of Object.entries(program.updates)) {
    const leaf = leaves.get(name)!; // verify() has found it.
    const target = region.accessOf(leaf);
    if (region.canOverwrite(leaf, id)) region.send(id, target);
    else region.sendLast(id, target);
  }
  for (const [name, id] of Object.entries(program.outputs)) {
    const type = graph.types[id]!;
    outputs[name] = plan.buffer(`output ${name}`, [elements(type)], "output", undefined);
    region.send(id, dense(outputs[name]!, type));
  }
  const lowered = region.lower();
  const commands =
    packing === undefined
      ? lowered
      : lowered.map((command) =>
          command.kind === "loop" ? byStep(command, packing.axis, () => plan.scans++) : command,
        );
  return productsAhead({ buffers: plan.buffers, commands, inputs, params, outputs, packed });
}

class PlanBuilder {
  readonly buffers: Buffer[] = [];
  scans = 0;

  buffer(name: string, sizes: readonly Size[], role: Buffer["role"], home: number | undefined): BufferId {
    return (this.buffers.push({ name, sizes, role, home }) - 1) as BufferId; // The position in the list is the id.
  }
}

type Leaf = NodeOf<"input" | "param" | "state" | "element" | "captured">;

/** One graph being lowered: the program, or the body of a scan. */
class Region {
  readonly #plan: PlanBuilder;
  readonly #graph: Graph;
  readonly #home: number | undefined;
  readonly #leaf: (node: Leaf, type: TensorType) => Access;
  readonly #schedule: Schedule;
  readonly #roots: readonly NodeId[];
  readonly #used: ReadonlySet<NodeId>;
  /** Places a value must be written to; the first is where it is read from. */
  readonly #destinations = new Map<NodeId, Access[]>();
  readonly #placed = new Map<NodeId, Access>();
  readonly #packed = new Map<string, BufferId>();
  readonly #picks = new Map<NodeId, { final: Access[]; stacked: Access[] }>();
  readonly #commands: Command[] = [];
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
    leaf: (node: Leaf, type: TensorType) => Access,
    overwritten: ReadonlySet<string> = new Set(),
  ) {
    this.#plan = plan;
    this.#graph = graph;
    this.#home = home;
    this.#leaf = leaf;
    this.#roots = roots;
    this.#used = reachable(graph, roots);
    this.#schedule = schedule(graph, this.#used, home === undefined);
    this.#users = new Users(graph, this.#used);
    this.#overwritten = overwritten;
  }

  /** Asks that a value be written to a place, as soon as it is computed or at the end of the region. */
  send(id: NodeId, to: Access): void {
    if (this.#isComputed(id)) this.#destinations.set(id, [...(this.#destinations.get(id) ?? []), to]);
    else this.#trailing.push({ from: id, to });
  }

  /** Whether `next` may be written over the storage of `leaf`: everything that reads the leaf runs before, or element by element with it. */
  canOverwrite(leaf: NodeId, next: NodeId): boolean {
    if (!this.#isComputed(next)) return false;
    const { slots: list, slotOf } = this.#schedule;
    const writing = slotOf[next]!;
    const fused = list[writing]!.kind === "fused";
    const aliases = new Set<NodeId>([leaf]);
    const readers = new Set<NodeId>();
    // What is added while the set is walked is walked too.
    for (const alias of aliases)
      for (const user of this.#users.of(alias)) (isView(this.#graph.nodes[user]!) ? aliases : readers).add(user);
    const inTime = (id: NodeId): boolean => {
      // A concatenation copies its parts where it stands, at the latest.
      if (slotOf[id]! < writing) return true;
      const reads = operands(this.#graph.nodes[id]!);
      return (
        slotOf[id] === writing &&
        fused &&
        reads.includes(leaf) &&
        sameType(this.#graph.types[leaf]!, this.#graph.types[id]!) &&
        isFusible(this.#graph, id) &&
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
    return this.#commands;
  }

  /** All of these copies happen at once: what one of them overwrites and another reads is set aside first. */
  #copyTrailing(): void {
    const overwritten = new Set(this.#trailing.map(({ to }) => to.buffer));
    const copies = this.#trailing.map(({ from, to }) => {
      const source = this.loopSource(from);
      const type = this.#graph.types[from]!;
      if (source.kind !== "memory" || source.access.buffer === to.buffer || !overwritten.has(source.access.buffer))
        return copyLoop(source, to, type);
      return copyLoop({ kind: "memory", access: this.#denseCopy(source.access, type) }, to, type);
    });
    this.#commands.push(...copies);
  }

  accessOf(id: NodeId): Access {
    const placed = this.#placed.get(id);
    if (placed !== undefined) return placed;
    const access = this.#findAccess(id);
    this.#placed.set(id, access);
    return access;
  }

  /** How a loop reads a value: from memory, or as a number made on the spot. */
  loopSource(id: NodeId): LoopSource {
    return isFree(this.#graph, id)
      ? { kind: "free", graph: this.#graph, id }
      : { kind: "memory", access: this.accessOf(id) };
  }

  /** The packed form of a weight, made once where the weight is known, which may be outside the scan. */
  packed(id: NodeId, transposed: boolean): BufferId {
    const node = this.#graph.nodes[id]!;
    if (node.kind === "captured" && this.#outerPacked !== undefined) return this.#outerPacked(node.index, transposed);
    const key = `${id} ${transposed}`;
    const known = this.#packed.get(key);
    if (known !== undefined) return known;
    const [rows, columns] = this.#graph.types[id]!.shape as [number, number]; // Weights are matrices.
    const access = this.accessOf(id);
    const rowStep = access.strides["#2"]?.coefficient ?? columns;
    const columnStep = access.strides["#1"]?.coefficient ?? 1;
    const [k, n] = transposed ? [rows, columns] : [columns, rows];
    const target = this.temporary(`packed %${id}`, size(packedSize(k, n)));
    const [rowStride, columnStride] = transposed ? [rowStep, columnStep] : [columnStep, rowStep];
    this.#commands.push({ kind: "pack", source: access, rowStride, columnStride, target, k, n });
    this.#packed.set(key, target);
    return target;
  }

  temporary(name: string, ...sizes: readonly Size[]): BufferId {
    return this.#plan.buffer(name, sizes, "temporary", this.#home);
  }

  #outerPacked: ((captured: number, transposed: boolean) => BufferId) | undefined;

  /** Whether a command of this region produces the value, so that it can be told where to put it. */
  #isComputed(id: NodeId): boolean {
    const node = this.#graph.nodes[id]!;
    return !isLeaf(node) && !isView(node) && !isFree(this.#graph, id);
  }

  /** Consumers before producers, so that a part of a concatenation is written straight into the whole. */
  #placeAll(): void {
    for (let position = this.#graph.nodes.length - 1; position >= 0; position--) {
      const id = position as NodeId; // The position in the list is the id.
      const node = this.#graph.nodes[id]!;
      if (!this.#used.has(id) || !this.#isComputed(id) || node.kind === "scan") continue;
      const type = this.#graph.types[id]!;
      const sent = this.#destinations.get(id)?.[0];
      if (sent !== undefined) this.#placed.set(id, sent);
      else if (this.#needsMemory(id))
        this.#placed.set(id, dense(this.temporary(`%${id} ${node.kind}`, elements(type)), type));
      if (node.kind !== "concat") continue;
      let start = 0;
      for (const part of node.parts) {
        const count = this.#graph.types[part]!.shape[node.dim]!;
        const made = this.#behindReshapes(part);
        if (this.#isComputed(made) && this.#graph.nodes[made]!.kind !== "scan" && !this.#isPlaced(made, id)) {
          const place = sliced(this.#placed.get(id)!, type, node.dim, start, count);
          const access =
            made === part ? place : reshaped(place, this.#graph.types[part]!, this.#graph.types[made]!.shape);
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
    const node = this.#graph.nodes[id]!;
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
    if (!isFusible(this.#graph, id) || this.#trailing.some(({ from }) => from === id)) return true;
    const own = this.#schedule.slotOf[id];
    const again = this.#isRemade(id);
    return this.#users.of(id).some((user) => {
      const fused = isFusible(this.#graph, user) || this.#graph.nodes[user]!.kind === "reduce";
      const here = fused && (this.#schedule.slotOf[user] === own || again);
      return !(here && sameType(this.#spaceOf(user), this.#graph.types[id]!));
    });
  }

  /** Whether another loop computes the value again from what it is made of rather than load it. Not in a scan: its values stay in the cache. */
  #isRemade(id: NodeId): boolean {
    return this.#home === undefined && isCheaperThanLoad(this.#graph, id, this.#overwritten);
  }

  #spaceOf(id: NodeId): TensorType {
    const node = this.#graph.nodes[id]!;
    return node.kind === "reduce" ? this.#graph.types[node.x]! : this.#graph.types[id]!;
  }

  #findAccess(id: NodeId): Access {
    const node = this.#graph.nodes[id]!;
    const type = this.#graph.types[id]!;
    if (isLeaf(node)) return this.#leaf(node as Leaf, type); // isLeaf names exactly these kinds.
    if (node.kind === "slice")
      return sliced(this.accessOf(node.x), this.#graph.types[node.x]!, node.dim, node.start, node.size, node.stride);
    if (node.kind === "reshape") {
      const from = this.#graph.types[node.x]!;
      const access = this.accessOf(node.x);
      return reshaped(access, from, node.shape) ?? reshaped(this.#denseCopy(access, from), from, node.shape)!;
    }
    if (node.kind === "pick") {
      const results = this.#picks.get(node.scan);
      if (results === undefined) throw new InternalError(`%${node.scan} is read before it has run`);
      return results[node.port][node.index]!;
    }
    if (isFree(this.#graph, id)) {
      const access = dense(this.temporary(`%${id} ${node.kind}`, elements(type)), type);
      this.#commands.push(copyLoop({ kind: "free", graph: this.#graph, id }, access, type));
      return access;
    }
    throw new InternalError(`%${id} (${node.kind}) has no place`);
  }

  #denseCopy(access: Access, type: TensorType): Access {
    const copy = dense(this.temporary("dense copy", elements(type)), type);
    this.#commands.push(copyLoop({ kind: "memory", access }, copy, type));
    return copy;
  }

  #lowerFused(type: TensorType, members: readonly NodeId[], index: number): void {
    const { before, loop } = fusedLoop({
      graph: this.#graph,
      type,
      members,
      inThisLoop: (id) =>
        this.#schedule.slotOf[id] === index && isFusible(this.#graph, id) && sameType(this.#graph.types[id]!, type),
      isRemade: (id) => !this.#placed.has(id) && sameType(this.#graph.types[id]!, type) && this.#isRemade(id),
      source: (id) => this.loopSource(id),
      targets: (id) => {
        const placed = this.#placed.get(id);
        return placed === undefined ? [] : [placed, ...(this.#destinations.get(id)?.slice(1) ?? [])];
      },
      isBegun: (access) => this.#begun.has(access),
    });
    this.#commands.push(...before, loop);
  }

  #lowerSingle(id: NodeId): void {
    const node = this.#graph.nodes[id]!;
    const type = this.#graph.types[id]!;
    switch (node.kind) {
      case "scan":
        this.#lowerScan(id, node);
        return;
      case "concat":
        this.#lowerConcat(id, node, type);
        break;
      case "pad":
        this.#lowerPad(id, node, type);
        break;
      case "shift":
        this.#lowerShift(node, type, this.accessOf(id));
        break;
      case "matmul": {
        const packed = this.packed(node.weight, node.transposed);
        const k = this.#graph.types[node.x]!.shape.at(-1)!;
        this.#commands.push({
          kind: "gemm",
          a: this.#rows(node.x),
          packed,
          c: this.#targetRows(id),
          n: type.shape.at(-1)!,
          k,
        });
        break;
      }
      case "outer": {
        const [m, n] = type.shape as [number, number]; // inferType gives a matrix.
        if (type.axes.length > 0) throw new InternalError(`outer %${id} keeps the axes ${type.axes.join(", ")}`);
        const scratch = this.temporary("outer scratch", size(outerScratchSize(m, n)));
        const c = this.accessOf(id);
        this.#commands.push({
          kind: "outer",
          a: this.#rows(node.a),
          b: this.#rows(node.b),
          c,
          cRow: c.strides["#2"]?.coefficient ?? n,
          m,
          n,
          scratch,
        });
        break;
      }
      case "gather": {
        const table = this.accessOf(node.table);
        const features = type.shape[0]!;
        this.#commands.push({
          kind: "gather",
          table,
          tableRows: this.#graph.types[node.table]!.shape[0]!,
          tableRow: table.strides["#2"]?.coefficient ?? features,
          index: this.#rows(node.index),
          target: this.#targetRows(id),
          features,
        });
        break;
      }
      case "scatterAdd": {
        const target = this.accessOf(id);
        const features = type.shape[1]!;
        this.#commands.push(copyLoop({ kind: "number", value: 0 }, target, type));
        this.#commands.push({
          kind: "scatterAdd",
          source: this.#rows(node.x),
          index: this.#rows(node.index),
          target,
          targetRows: node.rows,
          targetRow: target.strides["#2"]?.coefficient ?? features,
          features,
        });
        break;
      }
      default:
        throw new InternalError(`%${id} (${node.kind} ${formatType(type)}) has no command`);
    }
    for (const extra of this.#destinations.get(id)?.slice(1) ?? []) {
      this.#commands.push(copyLoop({ kind: "memory", access: this.accessOf(id) }, extra, type));
    }
  }

  #lowerConcat(id: NodeId, node: NodeOf<"concat">, type: TensorType): void {
    let start = 0;
    for (const part of node.parts) {
      const partType = this.#graph.types[part]!;
      if (!this.#inPlaceParts.has(`${id} ${start}`)) {
        this.#commands.push(
          copyLoop(
            this.loopSource(part),
            sliced(this.accessOf(id), type, node.dim, start, partType.shape[node.dim]!),
            partType,
          ),
        );
      }
      start += partType.shape[node.dim]!;
    }
  }

  #lowerPad(id: NodeId, node: NodeOf<"pad">, type: TensorType): void {
    const whole = this.accessOf(id);
    const inner = this.#graph.types[node.x]!;
    const zeros = (start: number, count: number) => {
      const part = { axes: type.axes, shape: type.shape.map((old, i) => (i === node.dim ? count : old)) };
      if (count > 0)
        this.#commands.push(copyLoop({ kind: "number", value: 0 }, sliced(whole, type, node.dim, start, count), part));
    };
    const count = inner.shape[node.dim]!;
    const stride = node.stride ?? 1;
    const end = node.before + (count - 1) * stride + 1;
    if (stride === 1) zeros(0, node.before);
    else this.#commands.push(copyLoop({ kind: "number", value: 0 }, whole, type));
    this.#commands.push(
      copyLoop(this.loopSource(node.x), sliced(whole, type, node.dim, node.before, count, stride), inner),
    );
    if (stride === 1) zeros(end, node.after);
  }

  /** Through a copy with room for the steps that are zero: any `by` is then one copy and some slots, whatever size the axis has. */
  #lowerShift({ x, axis, by }: NodeOf<"shift">, type: TensorType, target: Access): void {
    const step = elementType(type, { axis });
    const slot = elements(step);
    const zeros = Math.abs(by);
    const room = this.temporary("shifted", times(slot, size(1, axis)), times(slot, size(zeros)));
    const inside = slots(room, step, axis, 0);
    const moved = (steps: number): Access => ({ ...inside, start: times(slot, size(steps)) });
    // The slots without a step count as one more feature dimension.
    const border: TensorType = { axes: step.axes, shape: [zeros, ...step.shape] };
    const strides = { ...dense(room, step).strides, [featureDims(border.shape)[0]!]: slot };
    const start = by > 0 ? noSize : times(slot, size(1, axis));
    this.#commands.push(copyLoop({ kind: "number", value: 0 }, { buffer: room, offset: 0, start, strides }, border));
    this.#commands.push(copyLoop(this.loopSource(x), by > 0 ? moved(by) : inside, type));
    this.#commands.push(copyLoop({ kind: "memory", access: by > 0 ? inside : moved(-by) }, target, type));
  }

  #rows(id: NodeId): Rows {
    const type = this.#graph.types[id]!;
    const access = this.accessOf(id);
    const rows = rowsOf(access, type);
    if (rows !== undefined) return { access, ...rows };
    const copy = this.#denseCopy(access, type);
    return { access: copy, ...rowsOf(copy, type)! };
  }

  #targetRows(id: NodeId): Rows {
    const type = this.#graph.types[id]!;
    const access = this.accessOf(id);
    const rows = rowsOf(access, type);
    if (rows !== undefined) return { access, ...rows };
    throw new InternalError(`%${id} ${formatType(type)} is not laid out in rows`);
  }

  #lowerScan(id: NodeId, scan: ScanNode): void {
    if (scan.lengths !== undefined) {
      this.#lowerPackedScan(id, scan);
      return;
    }
    const scanId = this.#plan.scans++;
    const { graph, next, outputs } = scan.body;
    const forward = scan.direction === "forward";
    const body: Region = new Region(this.#plan, graph, [...next, ...outputs], scanId, (node, type) => {
      if (node.kind === "state") return stateAccess[node.index]!;
      if (node.kind === "element") {
        const access = this.accessOf(scan.sequences[node.index]!);
        return scan.cuts !== undefined && type.axes.includes(scan.cuts) ? inSegments(access, scan.cuts) : access;
      }
      if (node.kind === "captured") return this.accessOf(scan.captured[node.index]!);
      throw new InternalError(`a ${node.kind} ${formatType(type)} stands inside a scan`);
    });
    body.#outerPacked = (captured, transposed) => this.packed(scan.captured[captured]!, transposed);

    const stacked: (Access | undefined)[] = outputs.map(() => undefined);
    const stateAccess: Access[] = [];
    const final = next.map((nextId, k): Access => {
      const type = graph.types[nextId]!;
      const leaf = graph.nodes.findIndex((node) => node.kind === "state" && node.index === k) as NodeId;
      const isPrevious = (output: NodeId) => graph.nodes[output]!.kind === "state" && output === leaf;
      const initial = this.loopSource(scan.initial[k]!);
      if (outputs.some((output) => output === nextId || isPrevious(output))) {
        // The stacked states are the states: step t reads slot t and writes slot t + 1 (backward: the other way round).
        const history = this.#plan.buffer(
          `states ${k}`,
          [times(elements(type), size(1, scan.axis)), elements(type)],
          "temporary",
          this.#home,
        );
        stateAccess[k] = slots(history, type, scan.axis, forward ? 0 : 1);
        const after = slots(history, type, scan.axis, forward ? 1 : 0);
        outputs.forEach((output, j) => {
          if (output === nextId && stacked[j] === undefined) stacked[j] = after;
          else if (isPrevious(output) && stacked[j] === undefined) stacked[j] = stateAccess[k];
        });
        body.send(nextId, after);
        this.#commands.push(copyLoop(initial, slot(history, type, scan.axis, forward ? "first" : "last"), type));
        return slot(history, type, scan.axis, forward ? "last" : "first");
      }
      const state = dense(this.temporary(`state ${k}`, elements(type)), type);
      stateAccess[k] = state;
      if (leaf < 0 || body.canOverwrite(leaf, nextId)) body.send(nextId, state);
      else body.sendLast(nextId, state);
      this.#commands.push(copyLoop(initial, state, type));
      return state;
    });
    const results = outputs.map((output, j): Access => {
      const known = stacked[j];
      if (known !== undefined) return known;
      const type = graph.types[output]!;
      const parts = scan.cuts !== undefined && type.axes.includes(scan.cuts);
      const whole = this.temporary(`stacked ${j}`, parts ? elements(type) : times(elements(type), size(1, scan.axis)));
      const access = parts ? inSegments(dense(whole, type), scan.cuts) : slots(whole, type, scan.axis, 0);
      if (!parts) this.#begin(body, output, whole, access, scan.axis);
      body.send(output, access);
      return access;
    });
    this.#picks.set(id, { final, stacked: results });
    const commands = body.lower();
    const { axis, cuts, direction } = scan;
    this.#commands.push({
      kind: "scan",
      id: scanId,
      axis,
      cuts,
      direction,
      rows: "all",
      ahead: undefined,
      body: commands,
    });
  }

  /**
   * States lie apart from what is stacked: a row that has ended, or has not begun, keeps its state because nobody writes it, and
   * the state before a step is no run of the packed states after all steps.
   */
  #lowerPackedScan(id: NodeId, scan: ScanNode): void {
    const scanId = this.#plan.scans++;
    const { axis, direction } = scan;
    const { graph, next, outputs } = scan.body;
    const isState = (output: NodeId) => graph.nodes[output]!.kind === "state";
    const states: Access[] = [];
    const body: Region = new Region(
      this.#plan,
      graph,
      [...next, ...outputs.filter((output) => !isState(output))],
      scanId,
      (node, type) => {
        if (node.kind === "state") return states[node.index]!;
        if (node.kind === "element") return rowsOfStep(this.accessOf(scan.sequences[node.index]!), axis);
        if (node.kind === "captured") return this.accessOf(scan.captured[node.index]!);
        throw new InternalError(`a ${node.kind} ${formatType(type)} stands inside a scan`);
      },
    );
    body.#outerPacked = (captured, transposed) => this.packed(scan.captured[captured]!, transposed);

    next.forEach((nextId, k) => {
      const type = graph.types[nextId]!;
      const leaf = graph.nodes.findIndex((node) => node.kind === "state" && node.index === k) as NodeId;
      const state = dense(this.temporary(`state ${k}`, elements(type)), type);
      states[k] = state;
      if (leaf < 0 || body.canOverwrite(leaf, nextId)) body.send(nextId, state);
      else body.sendLast(nextId, state);
      this.#commands.push(copyLoop(this.loopSource(scan.initial[k]!), state, type));
    });
    const before: Command[] = [];
    const stacked = outputs.map((output, j): Access => {
      const type = graph.types[output]!;
      if (!type.axes.includes("batch")) {
        const whole = this.temporary(`stacked ${j}`, times(elements(type), size(1, axis)));
        // No row may be alive in some of the steps.
        this.#fillSlots(whole, type, axis);
        const access = slots(whole, type, axis, 0);
        body.send(output, access);
        return access;
      }
      const packed = { axes: [packedAxis(axis)], shape: type.shape };
      const access = dense(this.temporary(`stacked ${j}`, elements(packed)), packed);
      const ofStep = rowsOfStep(access, axis);
      if (isState(output)) before.push(copyLoop({ kind: "memory", access: body.accessOf(output) }, ofStep, type));
      else body.send(output, ofStep);
      return access;
    });
    this.#picks.set(id, { final: states, stacked });
    const commands = aliveOnly([...before, ...body.lower()], axis);
    this.#commands.push({
      kind: "scan",
      id: scanId,
      axis,
      cuts: undefined,
      direction,
      rows: "alive",
      ahead: undefined,
      body: commands,
    });
  }

  /** Sums over rows that each step stacks begin at 0: all of them at once, not one by one in their step. */
  #begin(body: Region, output: NodeId, whole: BufferId, access: Access, axis: Axis): void {
    const type = body.#graph.types[output]!;
    const node = body.#graph.nodes[output]!;
    if (node.kind !== "reduce" || node.op !== "sum" || type.axes.length > 0) return;
    this.#fillSlots(whole, type, axis);
    body.#begun.add(access);
  }

  #fillSlots(whole: BufferId, type: TensorType, axis: Axis): void {
    const all = { axes: [axis], shape: [product(type.shape)] };
    this.#commands.push(copyLoop({ kind: "number", value: 0 }, dense(whole, all), all));
  }

  /** Asks that a value be copied to a place after everything else of the region has run. */
  sendLast(id: NodeId, to: Access): void {
    this.#trailing.push({ from: id, to });
  }
}
