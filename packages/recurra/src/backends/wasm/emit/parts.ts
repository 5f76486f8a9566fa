/** Parts of a loop or of a matrix, which threads share: where each begins. */
import { type Code, i32, type Local } from "../code/assembler.ts";

/** The part of this number among so many. */
export interface Part {
  readonly part: Local;
  readonly parts: Local;
}

/** Leaves on the stack where a part of `count` elements, cut at multiples of `unit`, begins; for `next` where it ends. */
export function pushPartStart(code: Code, { part, parts }: Part, count: number, unit: number, next = false): void {
  const start = code.local(i32);
  code.get(part);
  if (next) code.i32(1).do("i32.add");
  code
    .i32(Math.ceil(count / unit))
    .do("i32.mul")
    .get(parts)
    .do("i32.div_u");
  code.i32(unit).do("i32.mul").tee(start).i32(count).do("i32.ge_s");
  code.if(() => code.i32(count).set(start)).get(start);
}
