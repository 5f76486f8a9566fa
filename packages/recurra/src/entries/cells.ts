/** `recurra/cells`: the built-in cells, and defineCell for your own. */
export { gru, gruResetBefore } from "../cells/gru.ts";
export { lstm, lstmCell } from "../cells/lstm.ts";
export { cellNamed, cells } from "../cells/registry.ts";
export { rnn, rnnCell, rnnLeakyRelu, rnnRelu, rnnSigmoid } from "../cells/rnn.ts";
export { type Cell, type CellDefinition, defineCell } from "../trace/cell.ts";
