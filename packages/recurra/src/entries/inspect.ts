/** `recurra/inspect`: the program of a network, before and after each pass. */

export { type Interpretation, interpret } from "../backends/reference/interpret.ts";
export type { Program } from "../ir/nodes.ts";
export { printProgram } from "../ir/printer.ts";
export { verify } from "../ir/verify.ts";
export { buildPrograms, type NetworkPrograms, type Watch } from "../train/programs.ts";
