/** What one call is given, and how it gets into the memory. */
import { ShapeError } from "../base/errors.ts";
import type { Packing } from "../base/packing.ts";
import { type AxisSizes, elementCount, formatType, sizeOf, type TensorType } from "../base/shapes.ts";
import type { CalledOrder } from "./outputs.ts";
import type { PlacedProgram } from "./placement.ts";
import { orderRows, type ShardOrder } from "./rowOrder.ts";
import type { ShardCall, SizedCall, Write } from "./sized.ts";
import { type Numbers, type Room, writePacked, writeSorted, writeTensor } from "./tensors.ts";

export interface Given {
  readonly sizes: AxisSizes;
  readonly inputs: Readonly<Record<string, Numbers>>;
  /** Inputs of one number that are given as such. */
  readonly scalars: Readonly<Record<string, number>>;
  /** How the rows of a packed program are held: it follows from their lengths. */
  readonly order: CalledOrder | undefined;
}

/** Writes what a shard reads. @throws ShapeError when an input is missing or does not have its size. */
export function writeRows(room: Room, { placed }: SizedCall, shard: ShardCall, given: Given): void {
  const own = given.order?.shards[shard.index];
  if (own !== undefined) writeOrder(room, placed, shard, own);
  writeInputs(room, shard.writes, given, own);
}

/** Writes inputs, with their rows sorted where there is an order. @throws ShapeError as `writeRows` does. */
export function writeInputs(room: Room, writes: readonly Write[], given: Given, order?: ShardOrder): void {
  // By index: a step is called too seldom to be optimised soon, and until then each turn of an iterator is a call.
  for (let i = 0; i < writes.length; i++) {
    const write = writes[i]!;
    const scalar = write.given === 1 ? given.scalars[write.input] : undefined;
    if (scalar !== undefined) {
      room.floats[write.address / 4] = scalar;
      continue;
    }
    const values = given.inputs[write.input];
    if (values === undefined || values.length !== write.given)
      throw wrongInput(write.input, values, write.type, given.sizes);
    if (order === undefined || write.rows === "none")
      writeTensor(room, write.address, values, write.from, write.extent);
    else if (write.rows === "sorted") writeSorted(room, write.address, values, order, write.extent);
    else writePacked(room, write.address, values, given.order!.steps, order, write.extent.features);
  }
}

/** Tells a packed program how its rows are held. */
function writeOrder(
  { floats }: Room,
  { entry, placement }: PlacedProgram,
  { address }: ShardCall,
  { firstRows, positions, packedRows }: ShardOrder,
): void {
  const { packed } = entry.rows.plan;
  if (packed === undefined) return;
  const ints = (from: number, length: number) => new Int32Array(floats.buffer, from, length);
  const steps = address + placement.rows[packed.steps]!;
  ints(steps, firstRows.length + 2).set([packedRows, firstRows.length - 1]);
  ints(steps + 8, firstRows.length).set(firstRows);
  ints(address + placement.rows[packed.positions]!, positions.length).set(positions);
}

/**
 * Sorts the rows of a packed program, for a call and for reading its outputs.
 * @throws ShapeError when the lengths are missing or too few.
 */
export function orderOf(
  packing: Packing,
  shards: number,
  sizes: AxisSizes,
  inputs: Readonly<Record<string, Numbers>>,
): CalledOrder {
  const given = inputs[packing.lengths];
  const type = { axes: ["batch"], shape: [1] };
  if (given === undefined || given.length !== elementCount(type, sizes))
    throw wrongInput(packing.lengths, given, type, sizes);
  const steps = sizeOf(packing.axis, sizes);
  const orders = orderRows(given, steps, shards);
  return { shards: orders, steps, packedRows: orders.reduce((sum, { packedRows }) => sum + packedRows, 0) };
}

function wrongInput(name: string, given: Numbers | undefined, type: TensorType, sizes: AxisSizes): ShapeError {
  const concrete = [...type.axes.map((axis) => `${axis} ${sizeOf(axis, sizes)}`), ...type.shape].join(", ");
  return new ShapeError({
    where: `input "${name}"`,
    given: given === undefined ? "missing" : `${given.length} numbers`,
    expected: `${elementCount(type, sizes)} numbers, [${concrete}]`,
    mend: `feed ${formatType(type)}, batch outermost and features next to each other`,
  });
}
