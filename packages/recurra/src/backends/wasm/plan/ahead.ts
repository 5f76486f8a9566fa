/**
 * Products of a whole sequence that one scan reads, made a few steps at a time: what is written is read again before it leaves the
 * second-level cache.
 *
 *     C[time] = A[time]·B                scan
 *     scan                                  every few steps: C[few] = A[these steps]·B
 *        … C[t] …                           … C[t − first of these steps] …
 *
 * How many steps a product spans changes no bit of it: every element is a chain of its own.
 */
import { type Axis, type AxisSizes, sizeOf } from "../../../base/shapes.ts";
import { touchedBy } from "./constants.ts";
import { noSize } from "./layout.ts";
import {
  type Access,
  type Ahead,
  type Buffer,
  type BufferId,
  type Command,
  equalSize,
  type Gemm,
  type Plan,
  type Scan,
  type Size,
  size,
  times,
} from "./plan.ts";

/** Floats of products that stay in the second-level cache while the steps read them: 256 KiB. With twice as many two threads lost a third. */
const cachedProducts = 2 ** 16;
/** Two weights of more numbers each, 512 KiB, leave no room for products in the second-level cache: they come from further away. */
const cachedWeights = 2 ** 17;
/** Rows, at least, that share the reading of weights: near ones, and those from further away. */
const fewestRows = { near: 64, far: 240 };

/** Counts the steps that a scan along `axis` computes products for at once, and in its body the steps since the first of them. */
export function aheadAxis(axis: Axis): Axis {
  return `${axis}.ahead`;
}

export function isAheadAxis(axis: Axis): boolean {
  return axis.endsWith(".ahead");
}

/** The axes of `aheadAxis` of a plan's scans, over the whole sequence. */
export function withStepsAhead(commands: readonly Command[], sizes: AxisSizes): AxisSizes {
  const axes = aheadAxes(commands).map((axis) => [aheadAxis(axis), sizeOf(axis, sizes)]);
  return { ...sizes, ...Object.fromEntries(axes) };
}

/** The axes along which scans compute products ahead. */
export function aheadAxes(commands: readonly Command[]): readonly Axis[] {
  return commands.flatMap((command) =>
    command.kind === "scan" ? [...(command.ahead === undefined ? [] : [command.axis]), ...aheadAxes(command.body)] : [],
  );
}

export function productsAhead(plan: Plan): Plan {
  const buffers = [...plan.buffers];
  const users = new Map<BufferId, number>();
  const countUsers = (commands: readonly Command[]) => {
    for (const command of commands) {
      if (command.kind === "scan") countUsers(command.body);
      else for (const buffer of touched(command)) users.set(buffer, (users.get(buffer) ?? 0) + 1);
    }
  };
  countUsers(plan.commands);
  return { ...plan, commands: inCommands(plan.commands, buffers, users), buffers };
}

function inCommands(
  commands: readonly Command[],
  buffers: Buffer[],
  users: ReadonlyMap<BufferId, number>,
): readonly Command[] {
  const moved = new Set<Command>();
  const result = commands.map((command, position): Command => {
    if (command.kind !== "scan") return command;
    const found = commands
      .slice(0, position)
      .filter((product): product is Gemm => product.kind === "gemm")
      .filter((product) => isReadStepByStep(product, command, buffers, users))
      .filter((product) => keepsOperands(product, commands.slice(commands.indexOf(product) + 1, position + 1)));
    for (const product of found) moved.add(product);
    const inside = { ...command, body: inCommands(command.body, buffers, users) };
    return found.length === 0 ? inside : withAhead(inside, found, buffers);
  });
  return result.filter((command) => !moved.has(command));
}

/** Whether the steps of the scan read the product of their own step, and nobody else reads any of it. */
function isReadStepByStep(
  product: Gemm,
  scan: Scan,
  buffers: readonly Buffer[],
  users: ReadonlyMap<BufferId, number>,
): boolean {
  const { c } = product;
  const { buffer } = c.access;
  const perStep = without(c.count, scan.axis);
  if (scan.rows !== "all" || scan.cuts !== undefined || perStep === undefined) return false;
  if (buffers[buffer]!.role !== "temporary" || c.access.offset !== 0 || !equalSize(c.access.start, noSize))
    return false;
  const readers = scan.body.filter((command) => touched(command).has(buffer));
  return (
    readers.length + 1 === users.get(buffer) &&
    readers.every(
      (reader) =>
        reader.kind === "loop" &&
        !touchedBy(reader).writes.includes(buffer) &&
        accessesOf(reader, buffer).every(({ start, strides }) => {
          const stride = strides[scan.axis];
          return stride !== undefined && equalSize(start, noSize) && equalSize(stride, times(c.stride, perStep));
        }),
    )
  );
}

/** Whether what a product reads is the same after these commands. */
function keepsOperands({ a, packed }: Gemm, commands: readonly Command[]): boolean {
  const written = new Set(commands.flatMap((command) => touchedBy(command).writes));
  return !written.has(a.access.buffer) && !written.has(packed);
}

function withAhead(scan: Scan, products: readonly Gemm[], buffers: Buffer[]): Scan {
  const { axis } = scan;
  const moved = new Set(products.map(({ c }) => c.access.buffer));
  const ofStep = products.map(({ c }) => times(c.stride, without(c.count, axis)!));
  const rows = products.some(({ n, k }) => n * k > cachedWeights) ? fewestRows.far : fewestRows.near;
  const budget = Math.max(cachedProducts, rows * products.reduce((sum, { n }) => sum + n, 0));
  products.forEach(({ c }, i) => {
    const { buffer } = c.access;
    buffers[buffer] = { ...buffers[buffer]!, enough: [size(budget), ofStep[i]!] };
  });
  const ahead: Ahead = {
    budget,
    ofStep,
    products: products.map((product) => {
      const { a, c } = product;
      const count = times(without(c.count, axis)!, size(1, aheadAxis(axis)));
      const access = {
        ...a.access,
        strides: { ...a.access.strides, [axis]: times(a.stride, without(c.count, axis)!) },
      };
      return {
        ...product,
        a: { ...a, access, count },
        c: { ...c, access: renamed(c.access, axis, undefined), count },
      };
    }),
  };
  const ofBlock = (access: Access) => (moved.has(access.buffer) ? renamed(access, axis, aheadAxis(axis)) : access);
  const body = scan.body.map((command): Command => {
    if (command.kind !== "loop") return command;
    return {
      ...command,
      ops: command.ops.map((op) => (op.kind === "load" ? { ...op, access: ofBlock(op.access) } : op)),
    };
  });
  return { ...scan, ahead, body };
}

/** The access with the stride of an axis given to another one, or to none. */
function renamed(access: Access, from: Axis, to: Axis | undefined): Access {
  const { [from]: stride, ...strides } = access.strides;
  return { ...access, strides: to === undefined || stride === undefined ? strides : { ...strides, [to]: stride } };
}

function accessesOf(loop: Extract<Command, { kind: "loop" }>, buffer: BufferId): readonly Access[] {
  return loop.ops.flatMap((op) => (op.kind === "load" && op.access.buffer === buffer ? [op.access] : []));
}

function touched(command: Command): ReadonlySet<BufferId> {
  const { reads, writes } = touchedBy(command);
  return new Set([...reads, ...writes]);
}

/** The size without one of its axes; undefined where it does not have that axis once. */
function without({ coefficient, axes }: Size, axis: Axis): Size | undefined {
  const rest = axes.filter((other) => other !== axis);
  return rest.length === axes.length - 1 ? size(coefficient, ...rest) : undefined;
}
