/** Emits what moves rows between a table and a tensor. */

import { type Code, i32, type Local } from "../code/assembler.ts";
import type { Access, Command } from "../plan/plan.ts";
import { type EmitContext, pushSize } from "./address.ts";

/**
 * Rows of a table to rows of a tensor, or back, added. An index that is not the number of a row touches no memory: gather makes
 * the row NaN, scatterAdd leaves it out.
 */
export function emitRowMoves(
  code: Code,
  context: EmitContext,
  command: Extract<Command, { kind: "gather" | "scatterAdd" }>,
  address: (access: Access) => void,
): void {
  const [row, index, dense, table, feature] = [0, 1, 2, 3, 4].map(() => code.local(i32)) as [
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const gather = command.kind === "gather";
  const rows = gather ? command.target : command.source;
  const tableAccess = gather ? command.table : command.target;
  const tableRows = gather ? command.tableRows : command.targetRows;
  const tableRow = gather ? command.tableRow : command.targetRow;
  address(command.index.access);
  code.set(index);
  address(rows.access);
  const denseStart = code.local(i32);
  code.set(denseStart);
  const eachFeature = (body: () => void) => {
    code.get(denseStart).set(dense).i32(command.features).set(feature);
    code.times(feature, () => {
      body();
      code.advance(dense, 4);
    });
  };
  pushSize(code, context, rows.count);
  code.set(row);
  code.times(row, () => {
    // Saturating, so that NaN and huge numbers do not trap; they and fractions differ from what they are truncated to.
    code.get(index).f32Load(0).do("i32.trunc_sat_f32_s").tee(table).do("f32.convert_i32_s");
    code.get(index).f32Load(0).do("f32.eq");
    // Unsigned: a negative index is a huge one.
    code.get(table).i32(tableRows).do("i32.lt_u", "i32.and");
    code.if(
      () => {
        address(tableAccess);
        code
          .get(table)
          .i32(tableRow * 4)
          .do("i32.mul", "i32.add")
          .set(table);
        eachFeature(() => {
          if (gather) code.get(dense).get(table).f32Load(0).f32Store(0);
          else code.get(table).get(table).f32Load(0).get(dense).f32Load(0).do("f32.add").f32Store(0);
          code.advance(table, 4);
        });
      },
      gather ? () => eachFeature(() => code.get(dense).f32(Number.NaN).f32Store(0)) : undefined,
    );
    for (const [pointer, stride] of [
      [index, command.index.stride],
      [denseStart, rows.stride],
    ] as const) {
      code.get(pointer);
      pushSize(code, context, stride);
      code.i32(2).do("i32.shl", "i32.add").set(pointer);
    }
  });
}
