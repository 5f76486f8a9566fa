/** `recurra/cells`: the built-in cells, and defineCell for your own. */
export { type AntisymmetricOptions, antisymmetric, antisymmetricCell } from "../cells/antisymmetric.ts";
export { type CfcOptions, cfc, cfcCell } from "../cells/cfc.ts";
export { type ClockworkOptions, clockwork, clockworkCell } from "../cells/clockwork.ts";
export { type ConvolutionalOptions, convGru, convLstm } from "../cells/convolutional.ts";
export { lstmCoupled } from "../cells/coupled.ts";
export { type EchoStateOptions, echoState, echoStateCell } from "../cells/echo-state.ts";
export { fastgrnn } from "../cells/fastgrnn.ts";
export { gru, gruResetBefore } from "../cells/gru.ts";
export { gruD } from "../cells/gru-d.ts";
export { indrnn } from "../cells/indrnn.ts";
export { irnn } from "../cells/irnn.ts";
export { type JanetOptions, janet, janetCell } from "../cells/janet.ts";
export { gruLayerNorm, lstmLayerNorm } from "../cells/layer-norm.ts";
export { lightGru } from "../cells/light-gru.ts";
export { type LruOptions, lru, lruCell } from "../cells/lru.ts";
export { lstm, lstmCell } from "../cells/lstm.ts";
export { lstmWithoutCell } from "../cells/lstm-without-cell.ts";
export { mgu } from "../cells/mgu.ts";
export { minGru, minLstm } from "../cells/minimal.ts";
export { lstmMogrifier, lstmMogrifierCell, type MogrifierOptions } from "../cells/mogrifier.ts";
export { lstmMultiplicative } from "../cells/multiplicative.ts";
export { lstmNested } from "../cells/nested.ts";
export { gruBinaryGate, gruOneGate } from "../cells/one-gate.ts";
export {
  type JordanOptions,
  jordan,
  jordanCell,
  outputFeedback,
  outputFeedbackCell,
} from "../cells/output-feedback.ts";
export { lstmPeephole } from "../cells/peephole.ts";
export { lstmProjected, lstmProjectedCell, type ProjectionOptions } from "../cells/projection.ts";
export { qrnn } from "../cells/qrnn.ts";
export { lstmRecurrentDropout, recurrentDropout } from "../cells/recurrent-dropout.ts";
export { cellNamed, cells } from "../cells/registry.ts";
export { rnn, rnnCell, rnnLeakyRelu, rnnRelu, rnnSigmoid } from "../cells/rnn.ts";
export { skipGru, skipLstm, skipping, updateBudget } from "../cells/skip.ts";
export { slstm } from "../cells/slstm.ts";
export { sru } from "../cells/sru.ts";
export { ugrnn } from "../cells/ugrnn.ts";
export { lstmWeightDrop, weightDrop } from "../cells/weight-drop.ts";
export { lstmZoneout, type ZoneoutRates, zoneout } from "../cells/zoneout.ts";
export { type Cell, type CellDefinition, type CellStep, defineCell } from "../trace/cell.ts";
export { type CellFormula, formulaOf } from "../trace/formula.ts";
