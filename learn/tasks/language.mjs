/**
 * Language models on one long text, its states carried from chunk to chunk (truncated backpropagation through time): characters of tiny
 * shakespeare (first 90 % to train, last 10 % for validation, as usual), words of the Penn Treebank (Mikolov's version and split).
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { crossEntropy, dense, dropout, embedding, recurrent, sequenceType, vectorType } from "recurra";
import { continuous, defineNetwork, Model, meanLoss } from "recurra/train";
import { teach } from "../teach.mjs";

/** Tokens [batch, time, 1] to scores of the next one, the states of all layers among inputs and outputs. */
function networkOf(vocabSize, { cell, hiddenSize, depth, dropout: rate, tied, initialize }) {
  const table = embedding({ vocabSize, size: hiddenSize, initialize: { kind: "uniform", low: -0.1, high: 0.1 } });
  const layers = recurrent({
    ...{ cell, hiddenSize, depth, dropout: rate },
    ...(initialize === undefined ? {} : { initialize }),
  });
  const output = dense({ outputSize: vocabSize });
  const names = Array.from({ length: depth }, (_, layer) =>
    cell.states.map((state) => `${layer}.forward.${state}`),
  ).flat();
  return defineNetwork({
    inputs: { token: sequenceType(1), next: sequenceType(1) },
    state: Object.fromEntries(names.map((name) => [name, vectorType(hiddenSize)])),
    forward: ({ token, ...states }, scope) => {
      const rows = dropout(rate).apply(table.apply(token, scope.in("table")), scope);
      const { sequence, final } = layers.run(rows, scope.in("layers"), states);
      const h = dropout(rate).apply(sequence, scope);
      return { scores: tied ? table.logits(h, scope.in("table")) : output.apply(h, scope.in("output")), ...final };
    },
    loss: ({ scores }, { next }, scope) => crossEntropy(scores, next, scope),
  });
}

/** A stream: each token and the one after it. */
function streamOf(tokens, batchSize, every) {
  const sequences = {
    token: { values: tokens.subarray(0, -1), size: 1 },
    next: { values: tokens.subarray(1), size: 1 },
  };
  return continuous({ sequences, batchSize, every });
}

/** Nats per token of a text read as a whole from its beginning, in `batchSize` rows that are each read from a state of 0. */
function nats(model, tokens, batchSize, every) {
  return meanLoss(model, streamOf(tokens, batchSize, every));
}

function modelOf(task, { name, rate, epochs, batchSize, every, schedule, clip, optimizer, averageDecay, ...options }) {
  return {
    name,
    async run({ data: { train, valid, test, vocabSize }, seed, signal, tell }) {
      const model = new Model(networkOf(vocabSize, options), {
        seed,
        clipping: { norm: clip },
        ...(optimizer === undefined ? {} : { optimizer }),
        ...(averageDecay === undefined ? {} : { averageDecay }),
      });
      const trained = await teach(
        model,
        {
          data: streamOf(train, batchSize, every),
          validation: streamOf(valid, task.rows, every),
          epochs,
          batchSize,
          learningRate: rate,
          schedule,
        },
        { signal, tell },
      );
      const value = task.measured(nats(model, test, task.rows, every));
      return { value, validation: task.measured(nats(model, valid, task.rows, every)), ...trained };
    },
  };
}

/** −Σ p log p of the tokens' shares in training, said of the other text. */
function unigram({ train, test, vocabSize }) {
  const counts = new Float64Array(vocabSize).fill(1);
  for (const token of train) counts[token]++;
  return test.reduce((sum, token) => sum - Math.log(counts[token] / (train.length + vocabSize)), 0) / test.length;
}

export function shakespeare(models) {
  const task = { rows: 10, measured: (value) => value };
  return {
    name: "tiny-shakespeare",
    about: "the next character",
    folder: "tiny-shakespeare",
    measure: "nats per character",
    better: "lower",
    prepare(data) {
      const text = readFileSync(join(data, "tiny-shakespeare", "input.txt"), "utf8");
      const alphabet = [...new Set(text)].sort();
      const tokens = Float32Array.from(text, (character) => alphabet.indexOf(character));
      const cut = Math.floor(0.9 * tokens.length);
      const valid = tokens.subarray(cut);
      // The measure is the published one, of the validation text.
      return { train: tokens.subarray(0, cut), valid, test: valid, vocabSize: alphabet.length };
    },
    baseline: (data) => ({ name: "how often each is used", value: unigram(data) }),
    published: "minGRU 1.548; char transformer 1.47–1.88",
    target: 1.53,
    models: models.map((model) => modelOf(task, model)),
  };
}

export function pennTreebank(models) {
  const task = { rows: 10, measured: Math.exp };
  return {
    name: "penn-treebank",
    about: "the next word",
    folder: "penn-treebank",
    measure: "perplexity",
    better: "lower",
    prepare(data) {
      const read = (part) => {
        const lines = readFileSync(join(data, "penn-treebank", `ptb.${part}.txt`), "utf8")
          .trimEnd()
          .split("\n");
        return lines.flatMap((line) => [...line.trim().split(/\s+/), "<eos>"]);
      };
      const words = read("train");
      const numbers = new Map([...new Set(words)].map((word, number) => [word, number]));
      const numbered = (list) => Float32Array.from(list, (word) => numbers.get(word));
      return {
        train: numbered(words),
        valid: numbered(read("valid")),
        test: numbered(read("test")),
        vocabSize: numbers.size,
      };
    },
    baseline: (data) => ({ name: "how often each is used", value: Math.exp(unigram(data)) }),
    published: "test 114.5–115.9 (LSTM 2×200, Zaremba 2014)",
    target: 114,
    models: models.map((model) => modelOf(task, model)),
  };
}

/** Zaremba et al. 2014: the rate whole for some epochs, then `factor` times less after each. */
export function fallingAfter(whole, factor, epochs) {
  return (progress) => factor ** -Math.max(0, Math.floor(progress * epochs + 1e-9) + 1 - whole);
}
