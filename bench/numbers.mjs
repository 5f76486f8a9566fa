/**
 * The numbers that every engine works on: weights and inputs as a function of seed and position, so that no file has to travel.
 * pytorch.py holds the same function.
 */

/** Blocks of the stacked weights, in recurra's order. Their number is that of the products of a step. */
export const blocksOf = { rnn: ["h"], gru: ["z", "r", "h"], lstm: ["i", "f", "g", "o"] };

/** Sizes of the language model: its two layers are as wide as `hidden`. */
export const vocabulary = 10_000;
export const targets = 24;

/** `count` numbers within ± `scale`. A hash in whole numbers: the same bits in every language. */
export function spread(count, seed, scale) {
  return Float32Array.from({ length: count }, (_, i) => (hash(i, seed) / 2 ** 31 - 1) * scale);
}

/** `count` whole numbers below `limit`. */
export function choices(count, seed, limit) {
  return Float32Array.from({ length: count }, (_, i) => hash(i, seed) % limit);
}

function hash(i, seed) {
  let h = (i + Math.imul(seed, 0x9e3779b1)) >>> 0;
  for (let round = 0; round < 2; round++) h = Math.imul(h ^ (h >>> 16), 0x45d9f3b) >>> 0;
  return (h ^ (h >>> 16)) >>> 0;
}

/** W [blocks · hidden, hidden], R the same, b [blocks · hidden]; for gru also rb [hidden], which the candidate adds to R·h. */
export function layerWeights(cell, hidden, layer = 0) {
  const rows = blocksOf[cell].length * hidden;
  const scale = 1 / Math.sqrt(hidden);
  return {
    W: spread(rows * hidden, 10 * layer + 1, scale),
    R: spread(rows * hidden, 10 * layer + 2, scale),
    b: spread(rows, 10 * layer + 3, scale),
    rb: spread(hidden, 10 * layer + 4, scale),
  };
}

/** The dense layer behind the last: W [outputs, hidden], b [outputs]. */
export function headWeights(hidden, outputs) {
  const scale = 1 / Math.sqrt(hidden);
  return { W: spread(outputs * hidden, 101, scale), b: spread(outputs, 102, scale) };
}

export const embedding = (hidden) => spread(vocabulary * hidden, 301, 0.1);

/**
 * Rows of a batch that differ; row b holds what row b modulo this holds. The mean over the batch is then the mean over these
 * rows, which the plain loops of the reference can compute for large layers too.
 */
export function distinctRows({ hidden, batch }) {
  return Math.min(batch, hidden >= 200 ? 2 : 4);
}

/** x [batch, time, hidden] and y [batch, 24], rows repeating. */
export function inputsOf({ hidden, batch, time }) {
  const distinct = distinctRows({ hidden, batch });
  return {
    x: repeated(spread(distinct * time * hidden, 201, 1), batch / distinct),
    y: repeated(spread(distinct * targets, 202, 1), batch / distinct),
  };
}

/** Tokens and the tokens to be guessed, [batch, time, 1], rows repeating. */
export function textOf({ hidden, batch, time }) {
  const distinct = distinctRows({ hidden, batch });
  return {
    tokens: repeated(choices(distinct * time, 302, vocabulary), batch / distinct),
    next: repeated(choices(distinct * time, 303, vocabulary), batch / distinct),
  };
}

function repeated(rows, times) {
  const result = new Float32Array(rows.length * times);
  for (let i = 0; i < times; i++) result.set(rows, i * rows.length);
  return result;
}
