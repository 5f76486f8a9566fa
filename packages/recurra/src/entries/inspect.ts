/** `recurra/inspect`: gradients, gates and states over time; the program of a network, before and after each pass; the machine. */

export { type Interpretation, interpret } from "../backends/reference/interpret.ts";
export { describeMachine, type Machine, measureMachine, type Rate } from "../compile/machine.ts";
export type { KernelSet, NativeAbsence } from "../compile/native.ts";
export { type Notice, notices } from "../compile/notices.ts";
export { type InspectOptions, inspectGradients, type UpdateRatio, updateRatios } from "../inspect/flow.ts";
export {
  type LayerSummary,
  type NetworkSummary,
  type OwnParameters,
  summarize,
  summaryTable,
} from "../inspect/summary.ts";
export { gradientFlowSvg, reachInWords } from "../inspect/svg.ts";
export type {
  Finding,
  GateFlow,
  GradientFlow,
  LayerFlow,
  ParameterFlow,
  StateFlow,
} from "../inspect/types.ts";
export { unfoldingSvg } from "../inspect/unfolding.ts";
export { type WatchOptions, watchGradients } from "../inspect/watch.ts";
export type { Program } from "../ir/nodes.ts";
export { printProgram } from "../ir/printer.ts";
export { verify } from "../ir/verify.ts";
export { buildPrograms, type NetworkPrograms, type Watch } from "../train/programs.ts";
