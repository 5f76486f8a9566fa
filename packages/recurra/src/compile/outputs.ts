/** Reads what a program has computed, wherever its shards and what is done once for all rows have left it. */
import type { BufferId } from "../backends/wasm/plan/plan.ts";
import { InternalError } from "../base/errors.ts";
import { isPackedType } from "../base/packing.ts";
import { type AxisSizes, elementCount, product } from "../base/shapes.ts";
import type { Entry } from "./entry.ts";
import type { PlacedProgram } from "./placement.ts";
import type { ShardOrder } from "./rowOrder.ts";
import { shardSizes } from "./sized.ts";
import { extentOf, type Room, readPacked, readSorted, readTensor } from "./tensors.ts";

/** How a packed program that was called held its rows. */
export interface CalledOrder {
  readonly shards: readonly ShardOrder[];
  readonly steps: number;
  readonly packedRows: number;
}

/** How a program was called last. */
export interface Called {
  readonly shards: number;
  readonly order: CalledOrder | undefined;
}

const oneShard: Called = { shards: 1, order: undefined };

/** A copy of an output of a call of these sizes, as [batch, time, features]. */
export function readOutput(
  room: Room,
  { entry, placement }: PlacedProgram,
  called: Called | undefined,
  name: string,
  sizes: AxisSizes,
): Float32Array<ArrayBuffer> {
  const inWhole = entry.whole?.plan.outputs[name];
  if (entry.whole !== undefined && inWhole !== undefined) {
    const extent = extentOf(entry.whole.types.get(inWhole)!, sizes);
    const result = new Float32Array(extent.count);
    readTensor(room, placement.wholeBase + placement.whole[inWhole]!, result, 0, extent);
    return result;
  }
  const buffer = outputOf(entry, name);
  const type = entry.rows.types.get(buffer)!;
  const result = new Float32Array(elementCount(type, sizes));
  const { shards, order: rows } = type.axes.includes("batch") ? called! : oneShard;
  for (let shard = 0; shard < shards; shard++) {
    const { first, own } = shardSizes(sizes, shards, shard);
    const address = placement.shardBase + shard * placement.shardBytes + placement.rows[buffer]!;
    const order = rows?.shards[shard];
    if (rows !== undefined && order !== undefined && isPackedType(type, entry.rows.packing!.axis)) {
      readPacked(room, address, result, rows.steps, order, product(type.shape));
      continue;
    }
    const extent = extentOf(type, own);
    const perRow = elementCount(type, { ...sizes, batch: 1 });
    if (order !== undefined) readSorted(room, address, result, order, extent);
    else readTensor(room, address, result, first * perRow, extent);
  }
  return result;
}

/** The address of an output's first element: losses and norms. */
export function firstOf({ entry, placement }: PlacedProgram, name: string): number {
  const inWhole = entry.whole?.plan.outputs[name];
  return inWhole === undefined
    ? placement.shardBase + placement.rows[outputOf(entry, name)]!
    : placement.wholeBase + placement.whole[inWhole]!;
}

function outputOf({ rows, outputs }: Entry, name: string): BufferId {
  const buffer = rows.plan.outputs[name];
  if (buffer === undefined) throw new InternalError(`no output "${name}" among ${outputs.join(", ")}`);
  return buffer;
}
