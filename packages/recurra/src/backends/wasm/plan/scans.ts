/** The command of a scan: where its states and what it stacks lie, and the commands of its body. */
import { InternalError } from "../../../base/errors.ts";
import { packedAxis } from "../../../base/packing.ts";
import { type Axis, formatType, product, type TensorType } from "../../../base/shapes.ts";
import type { Graph, NodeId, ScanNode } from "../../../ir/nodes.ts";
import { dense, elements, inSegments, slot, slots } from "./layout.ts";
import { copyLoop } from "./loops.ts";
import { aliveOnly, rowsOfStep } from "./packed.ts";
import { type Access, type Command, size, times } from "./plan.ts";
import type { FindLeaf, Site } from "./site.ts";

/** Where the last values of the states lie, and what is stacked. */
export interface Results {
  readonly final: readonly Access[];
  readonly stacked: readonly Access[];
}

/** The body of a scan while its commands are found. */
export interface Inner {
  accessOf(id: NodeId): Access;
  /** Asks that a value be written to a place, as soon as it is computed or at the end of the region. */
  send(id: NodeId, to: Access): void;
  /** Asks that a value be copied to a place after everything else of the region has run. */
  sendLast(id: NodeId, to: Access): void;
  /** Whether `next` may be written over the storage of `leaf`: everything that reads the leaf runs before, or element by element with it. */
  canOverwrite(leaf: NodeId, next: NodeId): boolean;
  /** Says that a place of a sum is filled with zeros before the region runs. */
  begin(place: Access): void;
  lower(): readonly Command[];
}

export type MakeInner = (scan: ScanNode, scanId: number, roots: readonly NodeId[], leaf: FindLeaf) => Inner;

export function pushScan(site: Site, scan: ScanNode, inner: MakeInner): Results {
  if (scan.lengths !== undefined) return pushPackedScan(site, scan, inner);
  const scanId = site.plan.scans++;
  const { graph, next, outputs } = scan.body;
  const forward = scan.direction === "forward";
  const body = inner(scan, scanId, [...next, ...outputs], (node, type) => {
    if (node.kind === "state") return stateAccess[node.index]!;
    if (node.kind === "element") {
      const access = site.accessOf(scan.sequences[node.index]!);
      return scan.cuts !== undefined && type.axes.includes(scan.cuts) ? inSegments(access, scan.cuts) : access;
    }
    if (node.kind === "captured") return site.accessOf(scan.captured[node.index]!);
    throw new InternalError(`a ${node.kind} ${formatType(type)} stands inside a scan`);
  });
  const stacked: (Access | undefined)[] = outputs.map(() => undefined);
  const stateAccess: Access[] = [];
  const final = next.map((nextId, k): Access => {
    const type = graph.types[nextId]!;
    const leaf = graph.nodes.findIndex((node) => node.kind === "state" && node.index === k) as NodeId;
    const isPrevious = (output: NodeId) => graph.nodes[output]!.kind === "state" && output === leaf;
    const initial = site.loopSource(scan.initial[k]!);
    if (outputs.some((output) => output === nextId || isPrevious(output))) {
      // The stacked states are the states: step t reads slot t and writes slot t + 1 (backward: the other way round).
      const history = site.temporary(`states ${k}`, times(elements(type), size(1, scan.axis)), elements(type));
      stateAccess[k] = slots(history, type, scan.axis, forward ? 0 : 1);
      const after = slots(history, type, scan.axis, forward ? 1 : 0);
      outputs.forEach((output, j) => {
        if (output === nextId && stacked[j] === undefined) stacked[j] = after;
        else if (isPrevious(output) && stacked[j] === undefined) stacked[j] = stateAccess[k];
      });
      body.send(nextId, after);
      site.commands.push(copyLoop(initial, slot(history, type, scan.axis, forward ? "first" : "last"), type));
      return slot(history, type, scan.axis, forward ? "last" : "first");
    }
    const state = dense(site.temporary(`state ${k}`, elements(type)), type);
    stateAccess[k] = state;
    if (leaf < 0 || body.canOverwrite(leaf, nextId)) body.send(nextId, state);
    else body.sendLast(nextId, state);
    site.commands.push(copyLoop(initial, state, type));
    return state;
  });
  const results = outputs.map((output, j): Access => {
    const known = stacked[j];
    if (known !== undefined) return known;
    const type = graph.types[output]!;
    const parts = scan.cuts !== undefined && type.axes.includes(scan.cuts);
    const whole = site.temporary(`stacked ${j}`, parts ? elements(type) : times(elements(type), size(1, scan.axis)));
    const access = parts ? inSegments(dense(whole, type), scan.cuts) : slots(whole, type, scan.axis, 0);
    if (!parts && sumsAllRows(graph, output)) begin(site, body, access, type, scan.axis);
    body.send(output, access);
    return access;
  });
  const commands = body.lower();
  const { axis, cuts, direction } = scan;
  site.commands.push({
    kind: "scan",
    id: scanId,
    axis,
    cuts,
    direction,
    rows: "all",
    ahead: undefined,
    body: commands,
  });
  return { final, stacked: results };
}

/**
 * States lie apart from what is stacked: a row that has ended, or has not begun, keeps its state because nobody writes it, and
 * the state before a step is no run of the packed states after all steps.
 */
function pushPackedScan(site: Site, scan: ScanNode, inner: MakeInner): Results {
  const scanId = site.plan.scans++;
  const { axis, direction } = scan;
  const { graph, next, outputs } = scan.body;
  const isState = (output: NodeId) => graph.nodes[output]!.kind === "state";
  const states: Access[] = [];
  const body = inner(scan, scanId, [...next, ...outputs.filter((output) => !isState(output))], (node, type) => {
    if (node.kind === "state") return states[node.index]!;
    if (node.kind === "element") return rowsOfStep(site.accessOf(scan.sequences[node.index]!), axis);
    if (node.kind === "captured") return site.accessOf(scan.captured[node.index]!);
    throw new InternalError(`a ${node.kind} ${formatType(type)} stands inside a scan`);
  });
  next.forEach((nextId, k) => {
    const type = graph.types[nextId]!;
    const leaf = graph.nodes.findIndex((node) => node.kind === "state" && node.index === k) as NodeId;
    const state = dense(site.temporary(`state ${k}`, elements(type)), type);
    states[k] = state;
    if (leaf < 0 || body.canOverwrite(leaf, nextId)) body.send(nextId, state);
    else body.sendLast(nextId, state);
    site.commands.push(copyLoop(site.loopSource(scan.initial[k]!), state, type));
  });
  const before: Command[] = [];
  const stacked = outputs.map((output, j): Access => {
    const type = graph.types[output]!;
    if (!type.axes.includes("batch")) {
      const whole = site.temporary(`stacked ${j}`, times(elements(type), size(1, axis)));
      const access = slots(whole, type, axis, 0);
      // No row may be alive in some of the steps.
      if (sumsAllRows(graph, output)) begin(site, body, access, type, axis);
      else fillSlots(site, access, type, axis);
      body.send(output, access);
      return access;
    }
    const packed = { axes: [packedAxis(axis)], shape: type.shape };
    const access = dense(site.temporary(`stacked ${j}`, elements(packed)), packed);
    const ofStep = rowsOfStep(access, axis);
    if (isState(output)) before.push(copyLoop({ kind: "memory", access: body.accessOf(output) }, ofStep, type));
    else body.send(output, ofStep);
    return access;
  });
  const commands = aliveOnly([...before, ...body.lower()], axis);
  site.commands.push({
    kind: "scan",
    id: scanId,
    axis,
    cuts: undefined,
    direction,
    rows: "alive",
    ahead: undefined,
    body: commands,
  });
  return { final: states, stacked };
}

/** Sums over rows that each step stacks begin at 0: all of them at once, not one by one in their step. */
function sumsAllRows({ nodes, types }: Graph, output: NodeId): boolean {
  const node = nodes[output]!;
  return node.kind === "reduce" && node.op === "sum" && types[output]!.axes.length === 0;
}

function begin(site: Site, body: Inner, access: Access, type: TensorType, axis: Axis): void {
  fillSlots(site, access, type, axis);
  body.begin(access);
}

function fillSlots(site: Site, { buffer }: Access, type: TensorType, axis: Axis): void {
  const all = { axes: [axis], shape: [product(type.shape)] };
  site.commands.push(copyLoop({ kind: "number", value: 0 }, dense(buffer, all), all));
}
