/** Seeded random numbers. Every function that needs chance takes a generator; the same seed gives the same run. */

export interface Random {
  /** Uniform in [0, 1), 32 bits of resolution. */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
  /** Uniform integer in 0 … bound − 1. */
  integer(bound: number): number;
  /** An independent generator, a function of this one's seed and the label only. */
  fork(label: string | number): Random;
}

export function createRandom(seed: number): Random {
  return new Xoshiro(seed);
}

/** xoshiro128** (Blackman and Vigna 2018), its state filled by splitmix32 from the seed. */
class Xoshiro implements Random {
  readonly #seed: number;
  /** Signed, because an engine makes an object of a number of 32 bits without a sign. */
  readonly #state = new Int32Array(4);
  /** Normal numbers come in pairs. */
  #spare: number | undefined;

  constructor(seed: number) {
    this.#seed = seed;
    let filler = folded(seed);
    for (let i = 0; i < 4; i++) {
      filler = (filler + 0x9e3779b9) | 0;
      this.#state[i] = mix32(filler);
    }
  }

  uniform(): number {
    const state = this.#state;
    const s0 = state[0]!;
    const s1 = state[1]!;
    const s2 = state[2]! ^ s0;
    const s3 = state[3]! ^ s1;
    // Rotated left by 7, and below by 11: written out, for large weights are drawn before an engine has compiled this.
    const times5 = Math.imul(s1, 5);
    const result = Math.imul((times5 << 7) | (times5 >>> 25), 9) >>> 0;
    state[1] = s1 ^ s2;
    state[0] = s0 ^ s3;
    state[2] = s2 ^ (s1 << 9);
    state[3] = (s3 << 11) | (s3 >>> 21);
    return result / 2 ** 32;
  }

  normal(): number {
    if (this.#spare !== undefined) {
      const value = this.#spare;
      this.#spare = undefined;
      return value;
    }
    // Box–Muller; 1 − u keeps the logarithm away from zero.
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  integer(bound: number): number {
    return Math.floor(this.uniform() * bound);
  }

  fork(label: string | number): Random {
    return new Xoshiro(hashLabel(this.#seed, String(label)));
  }
}

/** Fisher–Yates, in place. */
export function shuffle(values: Int32Array | number[], random: Random): void {
  for (let i = values.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    const held = values[i]!;
    values[i] = values[j]!;
    values[j] = held;
  }
}

/** 0 … count − 1. */
export function inOrder(count: number): Int32Array {
  return new Int32Array(count).map((_, i) => i);
}

/** 0 … count − 1 in the order of an epoch: a function of count, seed and epoch only. */
export function shuffledOrder(count: number, seed: number, epoch: number): Int32Array {
  const order = inOrder(count);
  shuffle(order, createRandom(seed).fork(`epoch ${epoch}`));
  return order;
}

/** The finaliser of MurmurHash3 (Appleby): every input bit reaches every output bit. */
export function mix32(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

/** 32 bits of a seed. The high half of large seeds matters too: 1 and 1 + 2^32 are different seeds. */
function folded(seed: number): number {
  return seed ^ Math.imul(Math.floor(seed / 2 ** 32) >>> 0, 0x9e3779b9);
}

export function hashLabel(seed: number, label: string): number {
  let hash = mix32(folded(seed)) ^ 0x811c9dc5;
  for (let i = 0; i < label.length; i++) hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193);
  return mix32(hash) >>> 0;
}

/**
 * Uniform in [0, 1) with 24 bits, as a function of seed, stream and positions alone: the same on every backend, for any
 * order of calls and any number of threads. `seed` is a whole number below 2^24, so that float32 holds it.
 */
export function hashUniform(seed: number, stream: number, positions: readonly number[]): number {
  return (hashPositions(seed, stream, positions) >>> 8) / 2 ** 24;
}

/** `hashUniform` of these positions and a last one, for many last ones. */
export function hashUniforms(seed: number, stream: number, positions: readonly number[]): (last: number) => number {
  const hash = hashPositions(seed, stream, positions);
  return (last) => (mix32((hash + Math.imul(last + 1, hashStep)) | 0) >>> 8) / 2 ** 24;
}

function hashPositions(seed: number, stream: number, positions: readonly number[]): number {
  return positions.reduce(
    (hash, position) => mix32((hash + Math.imul(position + 1, hashStep)) | 0),
    mix32(seed ^ Math.imul(stream + 1, hashStep)),
  );
}

/** 2^32 divided by the golden ratio, odd: neighbouring positions land far apart. */
export const hashStep = 0x9e3779b1;
