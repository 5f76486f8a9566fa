/**
 * jax-js as a subject of the bench, on its WebAssembly backend. It has no scan: the timesteps are unrolled in the traced function,
 * and one jit-compiled call is a whole training step. Its arrays are consumed by use; `.ref` keeps one for another use.
 */
import { blocksOf, headWeights, inputsOf, layerWeights, targets } from "../numbers.mjs";
import { peers, versionOf } from "./peers.mjs";
import { serve } from "./serve.mjs";

const jax = peers("@jax-js/jax");
const { numpy: np, nn } = jax;
await jax.init("wasm");
jax.defaultDevice("wasm");

await serve({ engine: "jax-js", version: `jax-js ${versionOf("@jax-js/jax")}` }, prepare);

function prepare({ work, cell, hidden, batch, time }) {
  const layer = layerWeights(cell, hidden);
  const head = headWeights(hidden, targets);
  const wide = blocksOf[cell].length * hidden;
  const array = (values, ...shape) => np.array(values.slice()).reshape(shape);
  const weights = {
    W: array(layer.W, wide, hidden),
    R: array(layer.R, wide, hidden),
    b: array(layer.b, wide),
    ...(cell === "gru" ? { rb: array(layer.rb, hidden) } : {}),
    headW: array(head.W, targets, hidden),
    headB: array(head.b, targets),
  };
  const inputs = inputsOf({ hidden, batch, time });
  const xs = Array.from({ length: time }, (_, t) => {
    const rows = new Float32Array(batch * hidden);
    for (let row = 0; row < batch; row++) {
      const from = (row * time + t) * hidden;
      rows.set(inputs.x.subarray(from, from + hidden), row * hidden);
    }
    return array(rows, batch, hidden);
  });
  const y = array(inputs.y, batch, targets);
  const forward = (w, x) => network(cell, hidden, batch, w, x);
  const fed = () => xs.map((x) => x.ref);
  const kept = (tree) => jax.tree.map((leaf) => leaf.ref, tree);
  if (work === "forward") {
    const compiled = jax.jit(forward);
    const predict = () => compiled(kept(weights), fed()).data();
    return { check: async () => ({ output: [...(await predict())] }), run: predict };
  }
  const loss = (w, x, target) => np.mean(np.square(forward(w, x).sub(target)));
  const gradient = jax.jit(jax.valueAndGrad(loss));
  const run = async () => {
    const [value, gradients] = gradient(kept(weights), fed(), y.ref);
    await jax.blockUntilReady(gradients);
    return { value, gradients };
  };
  return {
    async check() {
      const { value, gradients } = await run();
      const parts = await Promise.all(Object.values(gradients).map((part) => part.data()));
      const squares = parts.map((part) => part.reduce((sum, x) => sum + x * x, 0));
      return { loss: (await value.data())[0], gradientNorm: Math.sqrt(squares.reduce((sum, square) => sum + square)) };
    },
    async run() {
      const { value, gradients } = await run();
      value.dispose();
      for (const part of Object.values(gradients)) part.dispose();
    },
    about: () => ({ through: "gradient only, no optimizer" }),
  };
}

/** The last output through the dense layer: [batch, 24]. Every name stands for one use of its array but where it says `.ref`. */
function network(cell, hidden, batch, w, xs) {
  const product = (x, weight) => np.matmul(x, np.transpose(weight));
  const blocks = (value) => np.split(value, blocksOf[cell].length, 1);
  let h = np.zeros([batch, hidden]);
  let c = np.zeros([batch, hidden]);
  for (const x of xs) {
    const input = product(x, w.W.ref).add(w.b.ref);
    const recurrent = product(h.ref, w.R.ref);
    if (cell === "rnn") {
      h.dispose();
      h = np.tanh(input.add(recurrent));
    } else if (cell === "gru") {
      const [inputZ, inputR, inputH] = blocks(input);
      const [recurrentZ, recurrentR, recurrentH] = blocks(recurrent);
      const z = nn.sigmoid(inputZ.add(recurrentZ));
      const r = nn.sigmoid(inputR.add(recurrentR));
      const candidate = np.tanh(inputH.add(r.mul(recurrentH.add(w.rb.ref))));
      h = candidate.ref.add(z.mul(h.sub(candidate)));
    } else {
      const [i, f, g, o] = blocks(input.add(recurrent));
      c = nn
        .sigmoid(f)
        .mul(c)
        .add(nn.sigmoid(i).mul(np.tanh(g)));
      h.dispose();
      h = nn.sigmoid(o).mul(np.tanh(c.ref));
    }
  }
  c.dispose();
  for (const used of [w.W, w.R, w.b, w.rb]) used?.dispose();
  return product(h, w.headW).add(w.headB);
}
