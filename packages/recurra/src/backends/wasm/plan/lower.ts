/** From a program to its plan: where every value lies and which commands compute it. Emits nothing. */
import { InternalError } from "../../../base/errors.ts";
import type { Packing } from "../../../base/packing.ts";
import type { TensorType } from "../../../base/shapes.ts";
import type { NodeId, Program } from "../../../ir/nodes.ts";
import { productsAhead } from "./ahead.ts";
import { dense, elements } from "./layout.ts";
import { byStep, packTypes } from "./packed.ts";
import { type Access, type BufferId, type Plan, size } from "./plan.ts";
import { Region } from "./region.ts";
import { type Leaf, PlanBuilder } from "./site.ts";

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
