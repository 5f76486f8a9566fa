/**
 * brain.js as a subject of the bench: the nearest it has to a training step. Its recurrent networks take one sequence at a time and
 * guess the next input at every timestep, so a batch is that many sequences one after the other; weights cannot be given in
 * recurra's form, and nothing is compared with the reference.
 */
import { inputsOf } from "../numbers.mjs";
import { peers, versionOf } from "./peers.mjs";
import { serve } from "./serve.mjs";

const { recurrent } = peers("brain.js");
const kinds = { rnn: recurrent.RNNTimeStep, gru: recurrent.GRUTimeStep, lstm: recurrent.LSTMTimeStep };

await serve({ engine: "brain.js", version: `brain.js ${versionOf("brain.js")}` }, (job) =>
  job.work === "train" ? prepare(job) : "only its training is timed",
);

function prepare({ cell, hidden, batch, time }) {
  const network = new kinds[cell]({ inputSize: hidden, hiddenLayers: [hidden], outputSize: hidden });
  network.initialize();
  const { x } = inputsOf({ hidden, batch, time });
  const sequences = Array.from({ length: batch }, (_, row) =>
    Array.from({ length: time }, (_, t) => x.slice((row * time + t) * hidden, (row * time + t + 1) * hidden)),
  );
  return {
    check: () => ({}),
    run() {
      for (const sequence of sequences) network.trainPattern(sequence);
    },
    about: () => ({ unchecked: "nearest work, not checked" }),
  };
}
