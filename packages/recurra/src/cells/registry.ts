/** The built-in cells by name. */
import { lookup } from "../base/errors.ts";
import type { Cell } from "../trace/cell.ts";
import { gru, gruResetBefore } from "./gru.ts";
import { lstm } from "./lstm.ts";
import { rnn, rnnLeakyRelu, rnnRelu, rnnSigmoid } from "./rnn.ts";

export const cells: Readonly<Record<string, Cell>> = Object.fromEntries(
  [rnn, rnnRelu, rnnLeakyRelu, rnnSigmoid, gru, gruResetBefore, lstm].map((cell) => [cell.name, cell]),
);

/** @throws OptionError for an unknown name, with the nearest known one. */
export function cellNamed(name: string): Cell {
  return lookup("cell", name, cells);
}
