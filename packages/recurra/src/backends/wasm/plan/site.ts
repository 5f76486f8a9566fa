/** What the commands of a node need of the region that they belong to: the program, or the body of a scan. */
import type { TensorType } from "../../../base/shapes.ts";
import type { Graph, NodeId, NodeOf } from "../../../ir/nodes.ts";
import type { LoopSource } from "./loops.ts";
import type { Access, Buffer, BufferId, Command, Size } from "./plan.ts";

/** The buffers of a plan, and how many scans it has, as they are found. */
export class PlanBuilder {
  readonly buffers: Buffer[] = [];
  scans = 0;

  buffer(name: string, sizes: readonly Size[], role: Buffer["role"], home: number | undefined): BufferId {
    return (this.buffers.push({ name, sizes, role, home }) - 1) as BufferId; // The position in the list is the id.
  }
}

export type Leaf = NodeOf<"input" | "param" | "state" | "element" | "captured">;

/** How a region finds what comes from outside it. */
export type FindLeaf = (node: Leaf, type: TensorType) => Access;

export interface Site {
  readonly graph: Graph;
  readonly plan: PlanBuilder;
  readonly commands: Command[];
  accessOf(id: NodeId): Access;
  /** How a loop reads a value: from memory, or as a number made on the spot. */
  loopSource(id: NodeId): LoopSource;
  /** The packed form of a weight, made once where the weight is known, which may be outside the scan. */
  packed(id: NodeId, transposed: boolean): BufferId;
  temporary(name: string, ...sizes: readonly Size[]): BufferId;
  /** A value that does not lie in memory as a command wants it, once more. */
  denseCopy(access: Access, type: TensorType): Access;
}
