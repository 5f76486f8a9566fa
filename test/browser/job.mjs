/** The same small training run everywhere: two LSTM layers with dropout, 50 steps. Returns what can be compared. */
export async function trainSmall({ core, cells, train }, strict) {
  const { dense, mse, recurrent, sequenceType, sequential, vectorType } = core;
  const layers = sequential(
    recurrent({ cell: cells.lstm, hiddenSize: 64, depth: 2, dropout: 0.1, output: "last" }),
    dense({ outputSize: 4 }),
  );
  const network = {
    inputs: { x: sequenceType(16), y: vectorType(4) },
    forward: ({ x }, scope) => ({ y: layers.apply(x, scope) }),
    loss: ({ y }, inputs, scope) => mse(y, inputs.y, scope),
  };
  const model = new train.Model(network, { clipping: { norm: 1 }, strict });
  const [batch, time] = [64, 24];
  const inputs = {
    x: Float32Array.from({ length: batch * time * 16 }, (_, i) => ((i * 7919) % 1000) / 500 - 1),
    y: Float32Array.from({ length: batch * 4 }, (_, i) => ((i * 31) % 17) / 17),
  };
  let loss = Number.NaN;
  for (let step = 0; step < 50; step++) {
    loss = model.trainStep({ sizes: { batch, time }, inputs }, 1e-3).loss;
    // Workers join between steps.
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return { loss, bits: hashOf(model.weights()), threads: model.threadsReady(), kernels: model.footprint.kernels };
}

function hashOf(weights) {
  let hash = 0;
  for (const values of weights.values()) {
    for (const byte of new Uint8Array(values.slice().buffer)) hash = (Math.imul(hash, 31) + byte) | 0;
  }
  return hash;
}
