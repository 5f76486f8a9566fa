/**
 * Matrix-product kernels, one WebAssembly module shared by all models of a process. Two sets: plain (multiply, then add) and
 * relaxed (fused multiply-add where the engine has it).
 *
 * B is packed into panels of `panelWidth` columns, so that the inner loop reads it in one stream:
 *
 *     panel p, row k:  B[k, 8p] … B[k, 8p + 7]        (zeros behind the last column)
 *
 * tile.ts multiplies tiles, products.ts whole matrices.
 */
import { type Code, type FunctionIndex, i32, type Local, ModuleAssembler } from "./assembler.ts";
import { addProducts, longestRows, longestSumDepth, parameters, toBytes } from "./products.ts";
import { type Arithmetic, panelWidth } from "./tile.ts";
import { writeTurn } from "./turn.ts";

/** Columns that every set of kernels may round a packed matrix up to: the native ones have panels of 16. */
const packedColumns = 16;

/** Floats that the packed form of a [rows k, columns n] matrix takes, whichever kernels pack it. */
export function packedSize(k: number, n: number): number {
  return Math.ceil(n / packedColumns) * packedColumns * k;
}

/** Rows of the contraction in a block of the native `outer`, which packs all columns of them. */
const nativeBlock = 384;

/** Floats that `outer` needs besides its operands for a result [m, n], whichever kernels compute it. */
export function outerScratchSize(m: number, n: number): number {
  const own = longestSumDepth * (Math.min(m, longestRows) + Math.ceil(n / panelWidth) * panelWidth);
  return Math.max(own, packedSize(nativeBlock, n));
}

/**
 * Exports, all sizes and strides in elements, addresses in bytes:
 * - `pack(source, rowStride, columnStride, target, k, n)`
 * - `gemm(a, aRow, packed, c, cRow, m, n, k, accumulate)`: C (+)= A·B, the numbers of a row of A next to each other
 * - `outer(a, aRow, b, bRow, c, cRow, m, n, rows, scratch)`: C = Σ over rows of aᵀ b; scratch holds outerScratchSize(m, n)
 * - `sumShards(base, stride, first, end, shards)`: elements first … end − 1, counted from base, of all shards, `stride` bytes apart,
 *   added up in shard 0: in a tree of fixed shape, shards being a power of two. Both bounds are multiples of 4.
 * - `turn`: between the callers' order of axes and the memory's (turn.ts)
 *
 * `arithmetic` undefined: without the products, where native kernels take their place.
 */
export function kernelModule(arithmetic: Arithmetic | undefined, shared = false): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler(shared);
  if (arithmetic !== undefined) {
    const pack = module.function("pack", parameters(6), writePack);
    addProducts(module, arithmetic, pack);
  }
  const addTo = module.function(undefined, parameters(3), writeAddTo);
  module.function("sumShards", parameters(5), (code) => writeSumShards(code, addTo));
  module.function("turn", parameters(5), writeTurn);
  return module.finish();
}

/** As small as a module can be that only an engine with relaxed SIMD takes. */
export function relaxedProbe(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  module.function(undefined, [], (code) => {
    code.f32x4(0).f32x4(0).f32x4(0).do("f32x4.relaxed_madd", "drop");
  });
  return module.finish();
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

/** Floats of a block: those of all shards stay in the first-level cache. */
const sumBlock = 1024;

/** Block by block: for strides 1, 2, 4, … the parts of shards i and i + stride are added, for every second i of that stride. */
function writeSumShards(code: Code, addTo: FunctionIndex): void {
  const [base, stride, first, end, shards] = [0, 1, 2, 3, 4].map((i) => code.parameter(i)) as Five;
  const [blocks, count, between, pairs, at] = [0, 1, 2, 3, 4].map(() => code.local(i32)) as Five;
  code
    .get(end)
    .get(first)
    .do("i32.sub")
    .i32(sumBlock - 1)
    .do("i32.add")
    .i32(sumBlock)
    .do("i32.div_u")
    .set(blocks);
  code.get(first).i32(2).do("i32.shl").get(base).do("i32.add").set(base);
  code.times(blocks, () => {
    code.get(end).get(first).do("i32.sub").set(count);
    code.get(count).i32(sumBlock).do("i32.ge_s");
    code.if(() => code.i32(sumBlock).set(count));
    code.get(stride).set(between).get(shards).i32(1).do("i32.shr_u").set(pairs);
    code.get(pairs).i32(0).do("i32.gt_s");
    code.if(() => {
      code.loop(() => {
        const pair = code.local(i32);
        code.get(base).set(at).get(pairs).set(pair);
        code.times(pair, () => {
          code.get(at).get(at).get(between).do("i32.add").get(count).call(addTo);
          code.get(between).i32(1).do("i32.shl").get(at).do("i32.add").set(at);
        });
        code.get(between).i32(1).do("i32.shl").set(between);
        code.get(pairs).i32(1).do("i32.shr_u").tee(pairs).continueIf();
      });
    });
    code.advance(base, 4 * sumBlock).advance(first, sumBlock);
  });
}

type Five = [Local, Local, Local, Local, Local];

function writePack(code: Code): void {
  const [source, rowStride, columnStride, target, k, n] = Array.from({ length: 6 }, (_, i) => code.parameter(i)) as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
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
