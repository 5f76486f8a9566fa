/** The command of a node that no loop holds: products, rows that are picked or added, what moves values to other places. */
import { InternalError } from "../../../base/errors.ts";
import { formatType, type TensorType } from "../../../base/shapes.ts";
import type { NodeId, NodeOf } from "../../../ir/nodes.ts";
import { elementType } from "../../../ir/shapes.ts";
import { outerScratchSize } from "../code/kernels.ts";
import { dense, elements, featureDims, noSize, rowsOf, sliced, slots } from "./layout.ts";
import { copyLoop } from "./loops.ts";
import { type Access, type Rows, size, times } from "./plan.ts";
import type { Site } from "./site.ts";

export function pushNode(site: Site, id: NodeId): void {
  const { graph, commands } = site;
  const node = graph.nodes[id]!;
  const type = graph.types[id]!;
  switch (node.kind) {
    case "pad":
      pad(site, id, node);
      break;
    case "shift":
      shift(site, id, node);
      break;
    case "matmul": {
      const packed = site.packed(node.weight, node.transposed);
      const k = graph.types[node.x]!.shape.at(-1)!;
      commands.push({
        kind: "gemm",
        a: rows(site, node.x),
        packed,
        c: targetRows(site, id),
        n: type.shape.at(-1)!,
        k,
      });
      break;
    }
    case "outer": {
      const [m, n] = type.shape as [number, number]; // inferType gives a matrix.
      if (type.axes.length > 0) throw new InternalError(`outer %${id} keeps the axes ${type.axes.join(", ")}`);
      const scratch = site.temporary("outer scratch", size(outerScratchSize(m, n)));
      const c = site.accessOf(id);
      commands.push({
        kind: "outer",
        a: rows(site, node.a),
        b: rows(site, node.b),
        c,
        cRow: c.strides["#2"]?.coefficient ?? n,
        m,
        n,
        scratch,
      });
      break;
    }
    case "gather": {
      const table = site.accessOf(node.table);
      const features = type.shape[0]!;
      commands.push({
        kind: "gather",
        table,
        tableRows: graph.types[node.table]!.shape[0]!,
        tableRow: table.strides["#2"]?.coefficient ?? features,
        index: rows(site, node.index),
        target: targetRows(site, id),
        features,
      });
      break;
    }
    case "scatterAdd": {
      const target = site.accessOf(id);
      const features = type.shape[1]!;
      commands.push(copyLoop({ kind: "number", value: 0 }, target, type));
      commands.push({
        kind: "scatterAdd",
        source: rows(site, node.x),
        index: rows(site, node.index),
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
}

function pad(site: Site, id: NodeId, node: NodeOf<"pad">): void {
  const { graph, commands } = site;
  const type = graph.types[id]!;
  const whole = site.accessOf(id);
  const inner = graph.types[node.x]!;
  const zeros = (start: number, count: number) => {
    const part = { axes: type.axes, shape: type.shape.map((old, i) => (i === node.dim ? count : old)) };
    if (count > 0)
      commands.push(copyLoop({ kind: "number", value: 0 }, sliced(whole, type, node.dim, start, count), part));
  };
  const count = inner.shape[node.dim]!;
  const stride = node.stride ?? 1;
  const end = node.before + (count - 1) * stride + 1;
  if (stride === 1) zeros(0, node.before);
  else commands.push(copyLoop({ kind: "number", value: 0 }, whole, type));
  commands.push(copyLoop(site.loopSource(node.x), sliced(whole, type, node.dim, node.before, count, stride), inner));
  if (stride === 1) zeros(end, node.after);
}

/** Through a copy with room for the steps that are zero: any `by` is then one copy and some slots, whatever size the axis has. */
function shift(site: Site, id: NodeId, { x, axis, by }: NodeOf<"shift">): void {
  const { graph, commands } = site;
  const type = graph.types[id]!;
  const target = site.accessOf(id);
  const step = elementType(type, { axis });
  const slot = elements(step);
  const zeros = Math.abs(by);
  const room = site.temporary("shifted", times(slot, size(1, axis)), times(slot, size(zeros)));
  const inside = slots(room, step, axis, 0);
  const moved = (steps: number): Access => ({ ...inside, start: times(slot, size(steps)) });
  // The slots without a step count as one more feature dimension.
  const border: TensorType = { axes: step.axes, shape: [zeros, ...step.shape] };
  const strides = { ...dense(room, step).strides, [featureDims(border.shape)[0]!]: slot };
  const start = by > 0 ? noSize : times(slot, size(1, axis));
  commands.push(copyLoop({ kind: "number", value: 0 }, { buffer: room, offset: 0, start, strides }, border));
  commands.push(copyLoop(site.loopSource(x), by > 0 ? moved(by) : inside, type));
  commands.push(copyLoop({ kind: "memory", access: by > 0 ? inside : moved(-by) }, target, type));
}

function rows(site: Site, id: NodeId): Rows {
  const type = site.graph.types[id]!;
  const access = site.accessOf(id);
  const found = rowsOf(access, type);
  if (found !== undefined) return { access, ...found };
  const copy = site.denseCopy(access, type);
  return { access: copy, ...rowsOf(copy, type)! };
}

function targetRows(site: Site, id: NodeId): Rows {
  const type = site.graph.types[id]!;
  const access = site.accessOf(id);
  const found = rowsOf(access, type);
  if (found !== undefined) return { access, ...found };
  throw new InternalError(`%${id} ${formatType(type)} is not laid out in rows`);
}
