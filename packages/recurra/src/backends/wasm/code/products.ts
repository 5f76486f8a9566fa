/**
 * Products of whole matrices from tiles, in blocks that stay in the caches:
 *
 *     blocks along k: of a panel of B (16 KiB, first-level cache)
 *       blocks of rows of A (256 KiB, second-level cache)
 *         panels of B, each read once for a block of rows
 *           tiles of rows
 */
import { type Code, type FunctionIndex, i32, type Local, type ModuleAssembler } from "./assembler.ts";
import {
  type Arithmetic,
  type Layout,
  panelBytes,
  panelWidth,
  type TileShape,
  tileParameters,
  writeTiles,
} from "./tile.ts";

/** Depth of a block along k; a rest of up to a quarter more is not cut off. */
export const blockDepth = 512;
export const longestDepth = 640;
/** The same of a sum of outer products, whose panels all stay in the second-level cache together with a block of A. */
export const sumDepth = 384;
export const longestSumDepth = 480;
/** Rows of a block, a multiple of the tallest tile; a rest of up to half a block more is not cut off. */
const blockRows = 126;
export const longestRows = 186;

const tallest = 6;
const heights = [6, 5, 4, 3, 2, 1] as const;
/** For rows that are too few: several panels at a time, so that enough sums are under way to hide the latency of an addition. */
const flat: readonly TileShape[] = [
  { rows: 3, panels: 2 },
  { rows: 2, panels: 2 },
  { rows: 1, panels: 4 },
  { rows: 1, panels: 2 },
];

export function addProducts(module: ModuleAssembler, arithmetic: Arithmetic, pack: FunctionIndex): void {
  const tiles = (shape: TileShape, layout: Layout) =>
    module.function(undefined, parameters(tileParameters), (code) => writeTiles(code, shape, layout, arithmetic));
  const wide = flat.map((shape) => ({ ...shape, tiles: tiles(shape, "rows") }));
  const column = (layout: Layout) => {
    const tall = new Map(heights.map((rows) => [rows as number, tiles({ rows, panels: 1 }, layout)]));
    return module.function(undefined, parameters(9), (code) => writeColumn(code, tall));
  };
  const [inRows, inTiles] = [column("rows"), column("tiles")];
  module.function("gemm", parameters(9), (code) => writeGemm(code, inRows, wide));
  const packTiles = module.function(undefined, parameters(5), writePackTiles);
  module.function("outer", parameters(10), (code) => writeOuter(code, { pack, packTiles, column: inTiles }));
}

/**
 * One panel of C: (a, aRow, panel, c, cRow, columns, k, accumulate, rows), strides in bytes. With A in tiles `aRow` is the distance of
 * tiles for each row of them.
 */
function writeColumn(code: Code, tall: ReadonlyMap<number, FunctionIndex>): void {
  const { a, aRow, panel, c, cRow, columns, k, accumulate, rows } = given(
    code,
    "a",
    "aRow",
    "panel",
    "c",
    "cRow",
    "columns",
    "k",
    "accumulate",
    "rows",
  );
  eachHeight(code, rows, (height, count) => {
    code.get(a).get(aRow).get(aRow).i32(height).do("i32.mul");
    code.get(panel).i32(0).get(c).get(cRow).get(columns).get(k).get(accumulate).get(count).call(tall.get(height)!);
    for (const [pointer, step] of [
      [a, aRow],
      [c, cRow],
    ] as const)
      code.get(pointer).get(step).get(count).i32(height).do("i32.mul", "i32.mul", "i32.add").set(pointer);
  });
}

/**
 * Cuts rows into tiles and runs `body` for each height that occurs, with the number of such tiles, from the first row to the last.
 * A tile of 5 makes up for one row that is missing for a multiple of 6, a tile of 4 for two: anything lower would wait for its
 * own sums. Only 1, 2, 3 and 7 rows need lower tiles.
 */
function eachHeight(code: Code, rows: Local, body: (height: number, count: Local) => void): void {
  const count = heights.map(() => code.local(i32));
  const [sixes, fives, fours, ...few] = count as [Local, Local, Local, ...Local[]];
  const missing = code.local(i32);
  const roundedUp = () =>
    code
      .get(rows)
      .i32(tallest - 1)
      .do("i32.add");
  roundedUp().i32(tallest).do("i32.div_u").tee(sixes).i32(tallest).do("i32.mul").get(rows).do("i32.sub").tee(missing);
  code.i32(1).do("i32.shr_u").set(fours).get(missing).i32(1).do("i32.and").set(fives);
  code.get(sixes).get(fours).get(fives).do("i32.add", "i32.sub").tee(sixes).i32(0).do("i32.lt_s");
  code.if(
    () => {
      code.i32(0).tee(sixes).set(fives).get(rows).i32(2).do("i32.shr_u").set(fours);
      few.forEach((local, i) => {
        code
          .get(rows)
          .i32(3)
          .do("i32.and")
          .i32(heights[heights.length - few.length + i]!)
          .do("i32.eq")
          .set(local);
      });
    },
    () => {
      for (const local of few) code.i32(0).set(local);
    },
  );
  heights.forEach((height, i) => {
    code.get(count[i]!).if(() => body(height, count[i]!));
  });
}

/** (a, aRow, packed, c, cRow, m, n, k, accumulate): see kernels.ts. */
function writeGemm(
  code: Code,
  column: FunctionIndex,
  wide: readonly (TileShape & { readonly tiles: FunctionIndex })[],
): void {
  const { a, aRow, packed, c, cRow, m, n, k, accumulate } = given(
    code,
    "a",
    "aRow",
    "packed",
    "c",
    "cRow",
    "m",
    "n",
    "k",
    "accumulate",
  );
  toBytes(code, aRow, cRow);
  const panelStride = code.local(i32);
  code.get(k).i32(panelBytes).do("i32.mul").set(panelStride);
  const { aBlock, cBlock, panel, cPanel, columns, rest } = locals(
    code,
    "aBlock",
    "cBlock",
    "panel",
    "cPanel",
    "columns",
    "rest",
  );
  const nextPanels = (count: number) => {
    code.get(panel).get(panelStride).i32(count).do("i32.mul", "i32.add").set(panel);
    code.advance(cPanel, count * panelBytes).advance(columns, -count * panelWidth);
  };
  blocks(code, k, blockDepth, longestDepth, (depth) => {
    code.get(a).set(aBlock).get(c).set(cBlock).get(m).set(rest);
    code.get(rest).i32(0).do("i32.gt_s");
    code.if(() =>
      blocks(code, rest, blockRows, longestRows, (rows) => {
        code.get(packed).set(panel).get(cBlock).set(cPanel).get(n).set(columns);
        for (const { rows: few, panels, tiles } of wide) {
          code.get(rows).i32(few).do("i32.eq");
          code.if(() =>
            whileAtLeast(code, columns, panels * panelWidth, () => {
              code.get(aBlock).get(aRow).i32(0).get(panel).get(panelStride).get(cPanel).get(cRow);
              code.get(columns).get(depth).get(accumulate).i32(1).call(tiles);
              nextPanels(panels);
            }),
          );
        }
        whileAtLeast(code, columns, 1, () => {
          code.get(aBlock).get(aRow).get(panel).get(cPanel).get(cRow);
          code.get(columns).get(depth).get(accumulate).get(rows).call(column);
          nextPanels(1);
        });
        for (const [pointer, stride] of [
          [aBlock, aRow],
          [cBlock, cRow],
        ] as const)
          code.get(pointer).get(stride).get(rows).do("i32.mul", "i32.add").set(pointer);
      }),
    );
    code.get(a).get(depth).i32(2).do("i32.shl", "i32.add").set(a);
    code.get(packed).get(depth).i32(panelBytes).do("i32.mul", "i32.add").set(packed);
    code.i32(1).set(accumulate);
  });
}

/** (source, row, target, depth, rows), strides in bytes: the layout "tiles" of a block whose rows of A are columns in memory. */
function writePackTiles(code: Code): void {
  const [source, row, target, depth, rows] = [0, 1, 2, 3, 4].map((i) => code.parameter(i)) as [
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const { from, left } = locals(code, "from", "left");
  eachHeight(code, rows, (height, count) => {
    code.times(count, () => {
      code.get(source).set(from).get(depth).set(left);
      code.times(left, () => {
        // Above 4 two overlapping vectors, so that nothing is read or written behind the row.
        if (height >= 4)
          for (const at of new Set([0, height - 4]))
            code
              .get(target)
              .get(from)
              .vectorLoad("full", at * 4)
              .vectorStore("full", at * 4);
        else
          for (let at = 0; at < height; at++)
            code
              .get(target)
              .get(from)
              .f32Load(at * 4)
              .f32Store(at * 4);
        code.advance(target, height * 4);
        code.get(from).get(row).do("i32.add").set(from);
      });
      code.advance(source, height * 4);
    });
  });
}

interface OuterParts {
  readonly pack: FunctionIndex;
  readonly packTiles: FunctionIndex;
  readonly column: FunctionIndex;
}

/**
 * (a, aRow, b, bRow, c, cRow, m, n, rows, scratch): see kernels.ts. The panels of a block of B are packed by the first block of rows of C
 * and kept for the others; behind them in the scratch lie the tiles of A of one such block.
 */
function writeOuter(code: Code, { pack, packTiles, column }: OuterParts): void {
  const { a, aRow, b, bRow, c, cRow, m, n, rows, scratch } = given(
    code,
    "a",
    "aRow",
    "b",
    "bRow",
    "c",
    "cRow",
    "m",
    "n",
    "rows",
    "scratch",
  );
  const { accumulate, packed, panel, tiles, aBlock, cBlock, bPanel, cPanel } = locals(
    code,
    "accumulate",
    "packed",
    "panel",
    "tiles",
    "aBlock",
    "cBlock",
    "bPanel",
    "cPanel",
  );
  const { columns, rest, aRowBytes, panelSize } = locals(code, "columns", "rest", "aRowBytes", "panelSize");
  code.get(aRow).i32(2).do("i32.shl").set(aRowBytes);
  toBytes(code, cRow);
  // With no rows at all the sum is 0: one block of depth 0 writes it.
  code.i32(0).set(accumulate);
  blocks(code, rows, sumDepth, longestSumDepth, (depth) => {
    code.get(depth).i32(panelBytes).do("i32.mul").set(panelSize);
    code
      .get(n)
      .i32(panelWidth - 1)
      .do("i32.add")
      .i32(Math.log2(panelWidth))
      .do("i32.shr_u");
    code.get(panelSize).do("i32.mul").get(scratch).do("i32.add").set(tiles);
    code.get(a).set(aBlock).get(c).set(cBlock).get(m).set(rest).i32(0).set(packed);
    blocks(code, rest, blockRows, longestRows, (height) => {
      code.get(aBlock).get(aRowBytes).get(tiles).get(depth).get(height).call(packTiles);
      code.get(scratch).set(panel).get(b).set(bPanel).get(cBlock).set(cPanel).get(n).set(columns);
      whileAtLeast(code, columns, 1, () => {
        code
          .get(packed)
          .do("i32.eqz")
          .if(() => {
            code.get(bPanel).get(bRow).i32(1).get(panel).get(depth);
            least(code, columns, panelWidth).call(pack);
          });
        code.get(tiles).get(depth).i32(2).do("i32.shl").get(panel).get(cPanel).get(cRow);
        code.get(columns).get(depth).get(accumulate).get(height).call(column);
        code.get(panel).get(panelSize).do("i32.add").set(panel);
        code.advance(bPanel, panelBytes).advance(cPanel, panelBytes).advance(columns, -panelWidth);
      });
      code.i32(1).set(packed);
      code.get(aBlock).get(height).i32(2).do("i32.shl", "i32.add").set(aBlock);
      code.get(cBlock).get(cRow).get(height).do("i32.mul", "i32.add").set(cBlock);
    });
    for (const [pointer, stride] of [
      [a, aRow],
      [b, bRow],
    ] as const)
      code.get(pointer).get(stride).get(depth).i32(2).do("i32.shl", "i32.mul", "i32.add").set(pointer);
    code.i32(1).set(accumulate);
  });
}

/**
 * Runs `body` for blocks of `length`, at least once, with the size of the block; a last block of up to `longest` is not cut.
 * `total` counts down to 0.
 */
function blocks(code: Code, total: Local, length: number, longest: number, body: (size: Local) => void): void {
  const size = code.local(i32);
  code.loop(() => {
    code.get(total).set(size);
    code.get(total).i32(longest).do("i32.gt_s");
    code.if(() => code.i32(length).set(size));
    body(size);
    code.get(total).get(size).do("i32.sub").tee(total).i32(0).do("i32.gt_s").continueIf();
  });
}

/** `body` makes the counter smaller. */
function whileAtLeast(code: Code, counter: Local, least: number, body: () => void): void {
  const enough = () => code.get(counter).i32(least).do("i32.ge_s");
  enough().if(() =>
    code.loop(() => {
      body();
      enough().continueIf();
    }),
  );
}

/** Leaves the smaller one on the stack. */
function least(code: Code, value: Local, limit: number): Code {
  const smaller = code.local(i32);
  code.get(value).set(smaller);
  code.get(value).i32(limit).do("i32.gt_s");
  code.if(() => code.i32(limit).set(smaller));
  return code.get(smaller);
}

export function parameters(count: number): readonly (typeof i32)[] {
  return Array.from({ length: count }, () => i32);
}

/** The parameters of a function by name, in their order. */
function given<Name extends string>(code: Code, ...names: readonly Name[]): Readonly<Record<Name, Local>> {
  return Object.fromEntries(names.map((name, i) => [name, code.parameter(i)])) as Record<Name, Local>; // The keys are these names.
}

function locals<Name extends string>(code: Code, ...names: readonly Name[]): Readonly<Record<Name, Local>> {
  return Object.fromEntries(names.map((name) => [name, code.local(i32)])) as Record<Name, Local>; // The keys are these names.
}

/** Element counts become byte counts, in place. */
export function toBytes(code: Code, ...strides: readonly Local[]): void {
  for (const stride of strides) code.get(stride).i32(2).do("i32.shl").set(stride);
}
