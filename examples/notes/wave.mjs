/**
 * A decoder of numbers: each step is given the number that the step before wrote. Taught with true numbers only it drifts away once it
 * is alone; taught on its own ones too, it stays with the wave.
 * Run: node examples/notes/wave.mjs
 */
import { createRandom, mse, recurrent, sequenceType, valueDecoder } from "recurra";
import { gru } from "recurra/cells";
import { defineNetwork, Model } from "recurra/train";

const [time, steps, batch] = [24, 48, 32];
const encoder = recurrent({ cell: gru, hiddenSize: 24 });
const writer = valueDecoder({ cell: gru, hiddenSize: 24, size: 1 });

/** x: a wave, [batch, time, 1]; y: how it goes on, [batch, steps, 1]. */
function networkOf(sampling) {
  const encode = (x, scope) => ({ initial: encoder.run(x, scope.in("encoder")).final });
  return defineNetwork({
    inputs: { x: sequenceType(1), y: sequenceType(1, "steps") },
    forward: ({ x }, scope) => ({ ...writer.generate(encode(x, scope), scope.in("writer")) }),
    loss: (_, { x, y }, scope) => mse(writer.teach(y, encode(x, scope), scope.in("writer"), sampling).values, y, scope),
  });
}

/** Waves of other lengths and phases each time. */
function waves(random) {
  const x = new Float32Array(batch * time);
  const y = new Float32Array(batch * steps);
  for (let row = 0; row < batch; row++) {
    const [pace, phase] = [0.2 + 0.3 * random.uniform(), 2 * Math.PI * random.uniform()];
    for (let t = 0; t < time; t++) x[row * time + t] = Math.sin(phase + pace * t);
    for (let t = 0; t < steps; t++) y[row * steps + t] = Math.sin(phase + pace * (time + t));
  }
  return { sizes: { batch, time, steps }, inputs: { x, y } };
}

for (const [name, sampling] of [
  ["true numbers", 0],
  ["its own for half of them", 0.5],
  ["its own numbers", 1],
]) {
  const model = new Model(networkOf(sampling), { seed: 1 });
  const random = createRandom(1);
  for (let step = 0; step < 400; step++) model.trainStep(waves(random), 0.01);
  const unseen = waves(createRandom(2));
  const { values } = model.predict(unseen);
  const error = values.reduce((sum, value, i) => sum + (value - unseen.inputs.y[i]) ** 2, 0) / values.length;
  console.log(`taught with ${name}: mean squared error ${error.toFixed(3)} over ${steps} steps alone`);
}
