/** The built-in cells by name. */
import { lookup } from "../base/errors.ts";
import type { Cell } from "../trace/cell.ts";
import { antisymmetric } from "./antisymmetric.ts";
import { cfc } from "./cfc.ts";
import { clockwork } from "./clockwork.ts";
import { lstmCoupled } from "./coupled.ts";
import { echoState } from "./echo-state.ts";
import { fastgrnn } from "./fastgrnn.ts";
import { gru, gruResetBefore } from "./gru.ts";
import { gruD } from "./gru-d.ts";
import { indrnn } from "./indrnn.ts";
import { irnn } from "./irnn.ts";
import { janet } from "./janet.ts";
import { gruLayerNorm, lstmLayerNorm } from "./layer-norm.ts";
import { lightGru } from "./light-gru.ts";
import { lru } from "./lru.ts";
import { lstm } from "./lstm.ts";
import { lstmWithoutCell } from "./lstm-without-cell.ts";
import { mgu } from "./mgu.ts";
import { minGru, minLstm } from "./minimal.ts";
import { lstmMogrifier } from "./mogrifier.ts";
import { lstmMultiplicative } from "./multiplicative.ts";
import { lstmNested } from "./nested.ts";
import { gruBinaryGate, gruOneGate } from "./one-gate.ts";
import { jordan, outputFeedback } from "./output-feedback.ts";
import { lstmPeephole } from "./peephole.ts";
import { lstmProjected } from "./projection.ts";
import { qrnn } from "./qrnn.ts";
import { lstmRecurrentDropout } from "./recurrent-dropout.ts";
import { rnn, rnnLeakyRelu, rnnRelu, rnnSigmoid } from "./rnn.ts";
import { skipGru, skipLstm } from "./skip.ts";
import { slstm } from "./slstm.ts";
import { sru } from "./sru.ts";
import { ugrnn } from "./ugrnn.ts";
import { lstmWeightDrop } from "./weight-drop.ts";
import { lstmZoneout } from "./zoneout.ts";

export const cells: Readonly<Record<string, Cell>> = byName(
  [rnn, rnnRelu, rnnLeakyRelu, rnnSigmoid, irnn, indrnn, antisymmetric, clockwork, outputFeedback, jordan],
  [echoState, gru, gruResetBefore, gruOneGate, gruBinaryGate, gruLayerNorm, gruD, lightGru, mgu, ugrnn],
  [fastgrnn, minGru, lstm, lstmWithoutCell, lstmPeephole, lstmProjected, lstmCoupled, lstmLayerNorm],
  [
    lstmZoneout,
    lstmWeightDrop,
    lstmRecurrentDropout,
    lstmMultiplicative,
    lstmMogrifier,
    lstmNested,
    janet,
    slstm,
    minLstm,
  ],
  [sru, qrnn, lru, cfc, skipGru, skipLstm],
);

/** @throws OptionError for an unknown name, with the nearest known one. */
export function cellNamed(name: string): Cell {
  return lookup("cell", name, cells);
}

function byName(...groups: readonly (readonly Cell[])[]): Readonly<Record<string, Cell>> {
  return Object.fromEntries(groups.flat().map((cell) => [cell.name, cell]));
}
