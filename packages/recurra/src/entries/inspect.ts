/** `recurra/inspect`: gradients, gates and states over time; the program of a network, before and after each pass. */

export { type Interpretation, interpret } from "../backends/reference/interpret.ts";
export { type InspectOptions, inspectGradients, type UpdateRatio, updateRatios } from "../inspect/flow.ts";
export { gradientFlowSvg, reachInWords } from "../inspect/svg.ts";
export type {
  Finding,
  GateFlow,
  GradientFlow,
  LayerFlow,
  ParameterFlow,
  StateFlow,
} from "../inspect/types.ts";
export type { Program } from "../ir/nodes.ts";
export { printProgram } from "../ir/printer.ts";
export { verify } from "../ir/verify.ts";
export { buildPrograms, type NetworkPrograms, type Watch } from "../train/programs.ts";
