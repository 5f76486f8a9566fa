/** The inner kernel of all products: a tile of C stays in registers over the whole of k. */
import { type Code, i32, type Local, v128 } from "./assembler.ts";

export type Arithmetic = "plain" | "relaxed";

/** Columns of a packed panel of B. */
export const panelWidth = 8;
export const panelBytes = panelWidth * 4;

export const tileParameters = 11;

/** How A lies: as the caller has it, or tile behind tile, the rows of a tile interleaved. */
export type Layout = "rows" | "tiles";

export interface TileShape {
  readonly rows: number;
  /** Panels side by side: few rows need more columns, so that enough sums are under way to hide the latency of an addition. */
  readonly panels: number;
}

/** Steps along k at a time: their addresses are immediates, so that pointers move once for all of them. */
const unrolled = 4;

/**
 * A column of tiles, one under the other: (a, aRow, aTile, panel, panelStride, c, cRow, columns, k, accumulate, tiles), strides in
 * bytes; in the layout "tiles" `aRow` means nothing. Two vectors of B and one broadcast element of A at a time feed 2·rows·panels
 * multiply-adds.
 */
export function writeTiles(code: Code, { rows, panels }: TileShape, layout: Layout, arithmetic: Arithmetic): void {
  const [a, aRow, aTile, panel, panelStride, c, cRow, columns, k, accumulate, tiles] = Array.from(
    { length: tileParameters },
    (_, i) => code.parameter(i),
  ) as [Local, Local, Local, Local, Local, Local, Local, Local, Local, Local, Local];
  const vectors = 2 * panels;
  const sums = grid(rows, vectors, () => code.local(v128));
  const b = Array.from({ length: vectors }, () => code.local(v128));
  const splat = code.local(v128);
  const aPointers = Array.from({ length: layout === "rows" ? rows : 1 }, () => code.local(i32));
  const bPointers = Array.from({ length: panels }, () => code.local(i32));
  const [many, rest] = [code.local(i32), code.local(i32)];
  /** Bytes from one step along k to the next. */
  const aStep = layout === "rows" ? 4 : 4 * rows;

  const multiplySteps = (count: number) => {
    for (let step = 0; step < count; step++) {
      b.forEach((value, j) => {
        code
          .get(bPointers[j >> 1]!)
          .vectorLoad("full", step * panelBytes + (j & 1) * 16)
          .set(value);
      });
      sums.forEach((row, i) => {
        const [pointer, offset] = layout === "rows" ? [aPointers[i]!, 0] : [aPointers[0]!, 4 * i];
        code
          .get(pointer)
          .vectorLoad("splat", step * aStep + offset)
          .set(splat);
        row.forEach((sum, j) => {
          if (arithmetic === "relaxed") code.get(splat).get(b[j]!).get(sum).do("f32x4.relaxed_madd").set(sum);
          else code.get(splat).get(b[j]!).do("f32x4.mul").get(sum).do("f32x4.add").set(sum);
        });
      });
    }
    for (const pointer of aPointers) code.advance(pointer, count * aStep);
    for (const pointer of bPointers) code.advance(pointer, count * panelBytes);
  };

  code.times(tiles, () => {
    stride(code, a, aRow, aPointers);
    stride(code, panel, panelStride, bPointers);
    for (const row of sums) for (const sum of row) code.f32x4(0).set(sum);
    code
      .get(k)
      .i32(Math.log2(unrolled))
      .do("i32.shr_u")
      .set(many)
      .times(many, () => multiplySteps(unrolled));
    code
      .get(k)
      .i32(unrolled - 1)
      .do("i32.and")
      .set(rest)
      .times(rest, () => multiplySteps(1));
    writeSums(code, sums, { c, cRow, columns, accumulate });
    code.get(a).get(aTile).do("i32.add").set(a);
    code.get(c).get(cRow).i32(rows).do("i32.mul", "i32.add").set(c);
  });
}

interface Target {
  readonly c: Local;
  readonly cRow: Local;
  readonly columns: Local;
  readonly accumulate: Local;
}

function writeSums(code: Code, sums: readonly (readonly Local[])[], { c, cRow, columns, accumulate }: Target): void {
  const vectors = sums[0]!.length;
  const target = code.local(i32);
  const eachRow = (write: (row: readonly Local[]) => void) => {
    code.get(c).set(target);
    for (const row of sums) {
      write(row);
      code.get(target).get(cRow).do("i32.add").set(target);
    }
  };
  const whole = () =>
    code.get(accumulate).if(
      () =>
        eachRow((row) =>
          row.forEach((sum, j) => {
            code
              .get(target)
              .get(target)
              .vectorLoad("full", j * 16)
              .get(sum)
              .do("f32x4.add")
              .vectorStore("full", j * 16);
          }),
        ),
      () =>
        eachRow((row) =>
          row.forEach((sum, j) => {
            code
              .get(target)
              .get(sum)
              .vectorStore("full", j * 16);
          }),
        ),
    );
  // Only a single panel has columns that are not there.
  if (vectors > 2) {
    whole();
    return;
  }
  const [lane, to] = [code.local(i32), code.local(i32)];
  code
    .get(columns)
    .i32(panelWidth)
    .do("i32.lt_s")
    .if(
      () =>
        eachRow(([low, high]) => {
          code.get(columns).set(lane).get(target).set(to);
          code.times(lane, () => {
            code.get(accumulate).if(
              () => {
                code.get(to).get(low!).get(to).vectorLoad("one", 0).do("f32x4.add").vectorStore("one", 0);
              },
              () => {
                code.get(to).get(low!).vectorStore("one", 0);
              },
            );
            rotateLanes(code, low!, high!);
            code.advance(to, 4);
          });
        }),
      whole,
    );
}

/** Moves every lane of the pair (low, high) one place down; lane 0 of `low` falls out. */
function rotateLanes(code: Code, low: Local, high: Local): void {
  code.get(low).get(high).shuffleDown().set(low);
  code.get(high).get(high).shuffleDown().set(high);
}

/** pointers[i] = start + i · step */
function stride(code: Code, start: Local, step: Local, pointers: readonly Local[]): void {
  pointers.forEach((pointer, i) => {
    if (i === 0) code.get(start).set(pointer);
    else
      code
        .get(pointers[i - 1]!)
        .get(step)
        .do("i32.add")
        .set(pointer);
  });
}

function grid<T>(rows: number, columns: number, make: () => T): readonly (readonly T[])[] {
  return Array.from({ length: rows }, () => Array.from({ length: columns }, make));
}
