/** The kernel between the callers' order of two axes and the memory's: the outer one becomes the inner one. */
import { type Code, i32, type Local } from "./assembler.ts";

/** `turn(source, target, outer, inner, features)`: source [outer, inner, features] becomes target [inner, outer, features]. */
export function writeTurn(code: Code): void {
  const [source, target, outer, inner, features] = [0, 1, 2, 3, 4].map((i) => code.parameter(i)) as Five;
  const [rowBytes, stride, to, row, rest] = [0, 1, 2, 3, 4].map(() => code.local(i32)) as Five;
  code.get(features).i32(2).do("i32.shl").set(rowBytes);
  code.get(rowBytes).get(outer).do("i32.mul").set(stride);
  code.times(outer, () => {
    code.get(target).set(to).get(inner).set(row);
    code.times(row, () => {
      code.get(features).i32(4).do("i32.shr_u").set(rest);
      code.times(rest, () => {
        for (let at = 0; at < 64; at += 16) code.get(to).get(source).vectorLoad("full", at).vectorStore("full", at);
        code.advance(source, 64).advance(to, 64);
      });
      code.get(features).i32(2).do("i32.shr_u").i32(3).do("i32.and").set(rest);
      code.times(rest, () => {
        code.get(to).get(source).vectorLoad("full", 0).vectorStore("full", 0);
        code.advance(source, 16).advance(to, 16);
      });
      code.get(features).i32(3).do("i32.and").set(rest);
      code.times(rest, () => {
        code.get(to).get(source).f32Load(0).f32Store(0);
        code.advance(source, 4).advance(to, 4);
      });
      code.get(to).get(stride).do("i32.add").get(rowBytes).do("i32.sub").set(to);
    });
    code.get(target).get(rowBytes).do("i32.add").set(target);
  });
}

type Five = [Local, Local, Local, Local, Local];
