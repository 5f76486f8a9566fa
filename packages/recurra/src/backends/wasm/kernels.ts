/**
 * Matrix-product kernels, one WebAssembly module shared by all models of a process. Two sets: plain (multiply, then add) and
 * relaxed (fused multiply-add where the engine has it).
 *
 * B is packed into panels of `panelWidth` columns, so that the inner loop reads it in one stream:
 *
 *     panel p, row k:  B[k, 8p] … B[k, 8p + 7]        (zeros behind the last column)
 *
 * The inner kernel keeps a tile of 1 … `tileRows` rows × 8 columns of C in registers over the whole of k.
 */
import { type Code, type FunctionIndex, i32, type Local, ModuleAssembler, v128 } from "./assembler.ts";
import { writeTurn } from "./turn.ts";

export const panelWidth = 8;
const tileRows = 6;
/** Rows of the contraction that `outer` packs at a time: a panel of them stays in the first-level cache. */
export const outerBlock = 256;

export type Arithmetic = "plain" | "relaxed";

/** Columns that every set of kernels may round a packed matrix up to: the native ones have panels of 16. */
const packedColumns = 16;

/** Floats that the packed form of a [rows k, columns n] matrix takes, whichever kernels pack it. */
export function packedSize(k: number, n: number): number {
  return Math.ceil(n / packedColumns) * packedColumns * k;
}

/**
 * Exports, all sizes and strides in elements, addresses in bytes:
 * - `pack(source, rowStride, columnStride, target, k, n)`
 * - `gemm(a, aRow, aColumn, packed, c, cRow, m, n, k, accumulate)`: C (+)= A·B
 * - `outer(a, aRow, b, bRow, c, cRow, m, n, rows, scratch)`: C = Σ over rows of aᵀ b; scratch holds packedSize(outerBlock, n)
 * - `addTo(target, source, count)`: target += source; count is a multiple of 4
 * - `turn`: between the callers' order of axes and the memory's (turn.ts)
 */
export function kernelModule(arithmetic: Arithmetic, shared = false): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler(shared);
  const pack = module.function("pack", parameters(6), writePack);
  const tiles = Array.from({ length: tileRows }, (_, i) =>
    module.function(undefined, parameters(9), (code) => writeTile(code, i + 1, arithmetic)),
  );
  const gemm = module.function("gemm", parameters(10), (code) => writeGemm(code, tiles));
  module.function("outer", parameters(10), (code) => writeOuter(code, pack, gemm));
  module.function("addTo", parameters(3), writeAddTo);
  module.function("turn", parameters(5), writeTurn);
  return module.finish();
}

function parameters(count: number): readonly (typeof i32)[] {
  return Array.from({ length: count }, () => i32);
}

function writeAddTo(code: Code): void {
  const [target, source, count] = [code.parameter(0), code.parameter(1), code.parameter(2)];
  code.get(count).i32(2).do("i32.shr_u").set(count);
  code.times(count, () => {
    code
      .get(target)
      .get(target)
      .vectorLoad("full", 0)
      .get(source)
      .vectorLoad("full", 0)
      .do("f32x4.add")
      .vectorStore("full", 0);
    code.advance(target, 16).advance(source, 16);
  });
}

function writePack(code: Code): void {
  const [source, rowStride, columnStride, target, k, n] = six(code);
  const [column, row, lane, lanes, from, rowFrom] = [0, 1, 2, 3, 4, 5].map(() => code.local(i32)) as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  toBytes(code, rowStride, columnStride);
  code.i32(0).set(column);
  const panels = code.local(i32);
  code
    .get(n)
    .i32(panelWidth - 1)
    .do("i32.add")
    .i32(3)
    .do("i32.shr_u")
    .set(panels);
  code.times(panels, () => {
    code.get(n).get(column).do("i32.sub").set(lanes);
    code.get(source).get(column).get(columnStride).do("i32.mul", "i32.add").set(rowFrom);
    code.get(k).set(row);
    code
      .get(lanes)
      .i32(panelWidth)
      .do("i32.lt_s")
      .if(
        () => {
          code.times(row, () => {
            for (let half = 0; half < panelWidth; half += 4)
              code
                .get(target)
                .f32x4(0)
                .vectorStore("full", half * 4);
            code.get(rowFrom).set(from);
            const to = code.local(i32);
            code.get(target).set(to).get(lanes).set(lane);
            code.times(lane, () => {
              code.get(to).get(from).f32Load(0).f32Store(0);
              code.advance(to, 4).get(from).get(columnStride).do("i32.add").set(from);
            });
            code
              .advance(target, panelWidth * 4)
              .get(rowFrom)
              .get(rowStride)
              .do("i32.add")
              .set(rowFrom);
          });
        },
        () => {
          code
            .get(columnStride)
            .i32(4)
            .do("i32.eq")
            .if(
              () => {
                code.times(row, () => {
                  for (let half = 0; half < panelWidth; half += 4)
                    code
                      .get(target)
                      .get(rowFrom)
                      .vectorLoad("full", half * 4)
                      .vectorStore("full", half * 4);
                  code
                    .advance(target, panelWidth * 4)
                    .get(rowFrom)
                    .get(rowStride)
                    .do("i32.add")
                    .set(rowFrom);
                });
              },
              () => {
                code.times(row, () => {
                  code.get(rowFrom).set(from);
                  for (let i = 0; i < panelWidth; i++) {
                    code
                      .get(target)
                      .get(from)
                      .f32Load(0)
                      .f32Store(i * 4);
                    code.get(from).get(columnStride).do("i32.add").set(from);
                  }
                  code
                    .advance(target, panelWidth * 4)
                    .get(rowFrom)
                    .get(rowStride)
                    .do("i32.add")
                    .set(rowFrom);
                });
              },
            );
        },
      );
    code.advance(column, panelWidth);
  });
}

/**
 * One tile: (a, aRow, aColumn, panel, c, cRow, columns, k, accumulate), strides in bytes. Two vectors of B and one broadcast
 * element of A at a time feed 2·rows multiply-adds.
 */
function writeTile(code: Code, rows: number, arithmetic: Arithmetic): void {
  const [a, aRow, aColumn, panel, c, cRow] = six(code);
  const [columns, k, accumulate] = [code.parameter(6), code.parameter(7), code.parameter(8)];
  const sums = Array.from({ length: rows }, () => [code.local(v128), code.local(v128)] as const);
  const [b0, b1, splat] = [code.local(v128), code.local(v128), code.local(v128)];
  const pointers = Array.from({ length: rows }, () => code.local(i32));
  pointers.forEach((pointer, i) => {
    if (i === 0) code.get(a).set(pointer);
    else
      code
        .get(pointers[i - 1]!)
        .get(aRow)
        .do("i32.add")
        .set(pointer);
  });
  const multiplyAdd = (sum: Local, b: Local) => {
    if (arithmetic === "relaxed") code.get(splat).get(b).get(sum).do("f32x4.relaxed_madd").set(sum);
    else code.get(splat).get(b).do("f32x4.mul").get(sum).do("f32x4.add").set(sum);
  };
  const multiplyStep = (at: number, step: () => void) => {
    code
      .get(panel)
      .vectorLoad("full", at)
      .set(b0)
      .get(panel)
      .vectorLoad("full", at + 16)
      .set(b1);
    sums.forEach(([sum0, sum1], i) => {
      code.get(pointers[i]!).vectorLoad("splat", 0).set(splat);
      multiplyAdd(sum0, b0);
      multiplyAdd(sum1, b1);
    });
    step();
  };
  const nextColumn = () => {
    for (const pointer of pointers) code.get(pointer).get(aColumn).do("i32.add").set(pointer);
  };
  const [pairs, odd] = [code.local(i32), code.local(i32)];
  code.get(k).i32(1).do("i32.shr_u").set(pairs);
  code.times(pairs, () => {
    multiplyStep(0, nextColumn);
    multiplyStep(32, nextColumn);
    code.advance(panel, 64);
  });
  code.get(k).i32(1).do("i32.and").set(odd);
  code.times(odd, () => multiplyStep(0, () => {}));

  const target = code.local(i32);
  const eachRow = (write: (sum0: Local, sum1: Local) => void) => {
    code.get(c).set(target);
    for (const [sum0, sum1] of sums) {
      write(sum0, sum1);
      code.get(target).get(cRow).do("i32.add").set(target);
    }
  };
  code
    .get(columns)
    .i32(panelWidth)
    .do("i32.lt_s")
    .if(
      () => {
        const [lane, to] = [code.local(i32), code.local(i32)];
        eachRow((sum0, sum1) => {
          code.get(columns).set(lane).get(target).set(to);
          code.times(lane, () => {
            code.get(accumulate).if(
              () => {
                code.get(to).get(sum0).get(to).vectorLoad("one", 0).do("f32x4.add").vectorStore("one", 0);
              },
              () => {
                code.get(to).get(sum0).vectorStore("one", 0);
              },
            );
            rotateLanes(code, sum0, sum1);
            code.advance(to, 4);
          });
        });
      },
      () => {
        code.get(accumulate).if(
          () =>
            eachRow((sum0, sum1) => {
              code.get(target).get(target).vectorLoad("full", 0).get(sum0).do("f32x4.add").vectorStore("full", 0);
              code.get(target).get(target).vectorLoad("full", 16).get(sum1).do("f32x4.add").vectorStore("full", 16);
            }),
          () =>
            eachRow((sum0, sum1) => {
              code.get(target).get(sum0).vectorStore("full", 0).get(target).get(sum1).vectorStore("full", 16);
            }),
        );
      },
    );
}

/** Moves every lane of the pair (low, high) one place down; lane 0 of `low` falls out. */
function rotateLanes(code: Code, low: Local, high: Local): void {
  code.get(low).get(high).shuffleDown().set(low);
  code.get(high).get(high).shuffleDown().set(high);
}

function writeGemm(code: Code, tiles: readonly FunctionIndex[]): void {
  const [a, aRow, aColumn, packed, c, cRow] = six(code);
  const [m, n, k, accumulate] = [code.parameter(6), code.parameter(7), code.parameter(8), code.parameter(9)];
  toBytes(code, aRow, aColumn, cRow);
  const [panelBytes, panels, panel, column, columns, tileA, tileC] = [0, 1, 2, 3, 4, 5, 6].map(() =>
    code.local(i32),
  ) as [Local, Local, Local, Local, Local, Local, Local];
  code
    .get(k)
    .i32(panelWidth * 4)
    .do("i32.mul")
    .set(panelBytes);
  const rest = code.local(i32);
  const eachPanel = (tile: FunctionIndex) => {
    code
      .get(n)
      .i32(panelWidth - 1)
      .do("i32.add")
      .i32(3)
      .do("i32.shr_u")
      .set(panels);
    code.get(packed).set(panel).get(n).set(column).get(tileC).set(columns);
    code.times(panels, () => {
      code
        .get(tileA)
        .get(aRow)
        .get(aColumn)
        .get(panel)
        .get(columns)
        .get(cRow)
        .get(column)
        .get(k)
        .get(accumulate)
        .call(tile);
      code.get(panel).get(panelBytes).do("i32.add").set(panel);
      code.advance(column, -panelWidth).advance(columns, panelWidth * 4);
    });
  };
  const nextRows = (rows: number) => {
    code.get(tileA).get(aRow).i32(rows).do("i32.mul", "i32.add").set(tileA);
    code.get(tileC).get(cRow).i32(rows).do("i32.mul", "i32.add").set(tileC);
  };
  code.get(a).set(tileA).get(c).set(tileC);
  code.get(m).set(rest);
  code
    .get(rest)
    .i32(tileRows)
    .do("i32.ge_s")
    .if(() => {
      code.loop(() => {
        eachPanel(tiles[tileRows - 1]!);
        nextRows(tileRows);
        code.get(rest).i32(tileRows).do("i32.sub").tee(rest).i32(tileRows).do("i32.ge_s").continueIf();
      });
    });
  for (let rows = tileRows - 1; rows >= 1; rows--) {
    code
      .get(rest)
      .i32(rows)
      .do("i32.eq")
      .if(() => eachPanel(tiles[rows - 1]!));
  }
}

function writeOuter(code: Code, pack: FunctionIndex, gemm: FunctionIndex): void {
  const [a, aRow, b, bRow, c, cRow] = six(code);
  const [m, n, rows, scratch] = [code.parameter(6), code.parameter(7), code.parameter(8), code.parameter(9)];
  const [block, accumulate] = [code.local(i32), code.local(i32)];
  // With no rows at all the sum is 0: one call with k = 0 writes it.
  code.i32(0).set(accumulate);
  code.loop(() => {
    code.i32(outerBlock).set(block);
    code
      .get(rows)
      .i32(outerBlock)
      .do("i32.lt_s")
      .if(() => code.get(rows).set(block));
    code.get(b).get(bRow).i32(1).get(scratch).get(block).get(n).call(pack);
    code.get(a).i32(1).get(aRow).get(scratch).get(c).get(cRow).get(m).get(n).get(block).get(accumulate).call(gemm);
    code.i32(1).set(accumulate);
    for (const [pointer, stride] of [
      [a, aRow],
      [b, bRow],
    ] as const) {
      code
        .get(pointer)
        .get(stride)
        .i32(outerBlock * 4)
        .do("i32.mul", "i32.add")
        .set(pointer);
    }
    code.get(rows).get(block).do("i32.sub").tee(rows).i32(0).do("i32.gt_s").continueIf();
  });
}

function six(code: Code): [Local, Local, Local, Local, Local, Local] {
  return [0, 1, 2, 3, 4, 5].map((i) => code.parameter(i)) as [Local, Local, Local, Local, Local, Local];
}

/** Element counts become byte counts, in place. */
function toBytes(code: Code, ...strides: readonly Local[]): void {
  for (const stride of strides) code.get(stride).i32(2).do("i32.shl").set(stride);
}
