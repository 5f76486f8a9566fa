/** TensorFlow.js as a subject of the bench: its own recurrent layers, on the backend that the caller has chosen. */
import { blocksOf, headWeights, inputsOf, layerWeights, targets } from "../numbers.mjs";
import { serve } from "./serve.mjs";

/** Keras's order of the stacked blocks. */
const kerasBlocks = { rnn: ["h"], lstm: ["i", "f", "g", "o"] };

/** `tf` with its backend set. */
export async function serveTfjs(tf, name) {
  await serve({ engine: name, version: `TensorFlow.js ${tf.version["tfjs-core"]}` }, (job) => {
    if (job.cell === "gru") return "TensorFlow.js has no GRU with the reset gate behind the product";
    return prepare(tf, job);
  });
}

function prepare(tf, { work, cell, hidden, batch, time }) {
  const layer = cell === "rnn" ? tf.layers.simpleRNN : tf.layers.lstm;
  const model = tf.sequential({
    layers: [
      layer({
        units: hidden,
        inputShape: [time, hidden],
        ...(cell === "lstm" ? { recurrentActivation: "sigmoid" } : {}),
      }),
      tf.layers.dense({ units: targets }),
    ],
  });
  const { W, R, b } = layerWeights(cell, hidden);
  const head = headWeights(hidden, targets);
  const columns = (values, rows) => tf.transpose(tf.tensor2d(values, [rows, hidden]));
  const wide = blocksOf[cell].length * hidden;
  if (kerasBlocks[cell].join() !== blocksOf[cell].join()) throw new Error("blocks are to be reordered");
  model.setWeights([columns(W, wide), columns(R, wide), tf.tensor1d(b), columns(head.W, targets), tf.tensor1d(head.b)]);
  // No clipping: its optimizers have none.
  model.compile({ optimizer: tf.train.adam(1e-3), loss: "meanSquaredError" });
  const inputs = inputsOf({ hidden, batch, time });
  const x = tf.tensor3d(inputs.x, [batch, time, hidden]);
  const y = tf.tensor2d(inputs.y, [batch, targets]);
  const predict = () => {
    const output = model.predict(x);
    const values = output.dataSync();
    output.dispose();
    return values;
  };
  return {
    async check() {
      if (work === "forward") return { output: [...predict()] };
      return { loss: await model.trainOnBatch(x, y) };
    },
    run: work === "forward" ? () => void predict() : () => model.trainOnBatch(x, y),
    dispose: () => {
      model.dispose();
      x.dispose();
      y.dispose();
    },
  };
}
