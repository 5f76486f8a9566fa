/**
 * The program of one LSTM training step after each pass, one node a line with its type.
 * Run: node examples/print-ir.mjs
 */
import { dense, mse, recurrent, sequenceType, sequential, vectorType } from "recurra";
import { lstm } from "recurra/cells";
import { buildPrograms, printProgram, verify } from "recurra/inspect";
import { defineNetwork, sgd } from "recurra/train";

const layers = sequential(recurrent({ cell: lstm, hiddenSize: 4, output: "last" }), dense({ outputSize: 1 }));

const network = defineNetwork({
  inputs: { x: sequenceType(3), y: vectorType(1) },
  forward: ({ x }, scope) => ({ forecast: layers.apply(x, scope) }),
  loss: ({ forecast }, { y }, scope) => mse(forecast, y, scope),
});

buildPrograms(network, { optimizer: sgd() }, (program, pass, after) => {
  if (program !== "train") return;
  verify(after);
  console.log(`== after: ${pass}\n${printProgram(after)}`);
});
