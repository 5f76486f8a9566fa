/** The recurrent weights of a reservoir: sparse, scaled to a spectral radius. */
import { OptionError } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import type { InitializerFunction } from "./initializers.ts";

export interface ReservoirOptions {
  /** Largest absolute eigenvalue. */
  readonly spectralRadius: number;
  /** Recurrent connections of each unit, on average; all of them where there are fewer units. */
  readonly connections: number;
}

/**
 * Normal numbers at random places of a square matrix, `connections` in a row on average, scaled so that its spectral radius is the one given.
 * @throws OptionError for options outside their ranges; when drawn, for a matrix so sparse that all its eigenvalues are 0.
 */
export function reservoir({ spectralRadius: radius, connections }: ReservoirOptions): InitializerFunction {
  if (!(radius >= 0 && Number.isFinite(radius) && connections > 0)) {
    throw new OptionError({
      where: "reservoir: spectralRadius, connections",
      given: `${radius}, ${connections}`,
      expected: "a radius from 0 and a number of connections above 0",
      mend: "0.9 and 10 are usual",
    });
  }
  return ([size], random) => {
    const matrix = Float64Array.from({ length: size! * size! }, () =>
      random.uniform() * size! < connections ? random.normal() : 0,
    );
    const drawn = spectralRadius(matrix, size!, random);
    if (drawn > 0) return matrix.map((value) => (value * radius) / drawn);
    throw new OptionError({
      where: "reservoir: connections",
      given: `${connections} for each of ${size} units`,
      expected: "a matrix with an eigenvalue that is not 0",
      mend: "take more connections or more units",
    });
  };
}

/** Up to this size the matrix itself is squared; beyond it, what is left of it on a Krylov space of this size. */
const directSize = 96;
const powerSteps = 200;

/**
 * Largest absolute eigenvalue of a square row-major matrix. By Gelfand's formula ρ = lim ‖Aᵏ‖^(1/k), k doubled by squaring. Of a large
 * matrix the space of its largest eigenvalues is found first: power steps damp the others, Arnoldi's method spans what is left.
 */
export function spectralRadius(matrix: Float64Array, size: number, random: Random): number {
  if (size <= directSize) return byPowers(matrix, size);
  const scale = norm(matrix) / Math.sqrt(size);
  if (scale === 0) return 0;
  let vector = Float64Array.from({ length: size }, () => random.normal());
  for (let step = 0; step < powerSteps; step++) {
    vector = times(matrix, vector);
    const length = norm(vector);
    if (length < 1e-200) return 0;
    vector = vector.map((value) => value / length);
  }
  const { projected, count } = arnoldi(matrix, vector, directSize, 1e-12 * scale);
  return byPowers(projected, count);
}

/** ρ = ‖A^(2^k)‖^(2^-k), the norm taken out at each squaring so that nothing overflows. 2^48 leaves no error that float64 could hold. */
function byPowers(matrix: Float64Array, size: number): number {
  let power = matrix;
  let logRadius = 0;
  for (let doubling = 0; doubling < 48; doubling++) {
    const length = norm(power);
    if (!(length > 0)) return 0;
    logRadius += Math.log(length) / 2 ** doubling;
    const unit = power.map((value) => value / length);
    power = squared(unit, size);
  }
  return Math.exp(logRadius);
}

/** The matrix on an orthonormal basis of the space of v, Av, A²v, …: count × count. */
function arnoldi(
  matrix: Float64Array,
  start: Float64Array,
  most: number,
  negligible: number,
): { projected: Float64Array; count: number } {
  const basis = [start];
  const columns: number[][] = [];
  while (columns.length < most) {
    const next = times(matrix, basis.at(-1)!);
    const column = basis.map(() => 0);
    // Twice: once loses orthogonality in finite precision.
    for (let pass = 0; pass < 2; pass++) {
      basis.forEach((other, k) => {
        const along = other.reduce((sum, value, i) => sum + value * next[i]!, 0);
        column[k] = column[k]! + along;
        for (let i = 0; i < next.length; i++) next[i] = next[i]! - along * other[i]!;
      });
    }
    const length = norm(next);
    columns.push([...column, length]);
    if (length <= negligible) break;
    basis.push(next.map((value) => value / length));
  }
  const count = columns.length;
  return {
    projected: Float64Array.from({ length: count * count }, (_, i) => columns[i % count]![Math.floor(i / count)] ?? 0),
    count,
  };
}

function times(matrix: Float64Array, vector: Float64Array): Float64Array<ArrayBuffer> {
  const size = vector.length;
  const result = new Float64Array(size);
  for (let row = 0; row < size; row++) {
    let sum = 0;
    for (let k = 0; k < size; k++) sum += matrix[row * size + k]! * vector[k]!;
    result[row] = sum;
  }
  return result;
}

function squared(matrix: Float64Array, size: number): Float64Array<ArrayBuffer> {
  const result = new Float64Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let k = 0; k < size; k++) {
      const factor = matrix[row * size + k]!;
      if (factor === 0) continue;
      for (let column = 0; column < size; column++)
        result[row * size + column] = result[row * size + column]! + factor * matrix[k * size + column]!;
    }
  }
  return result;
}

function norm(values: Float64Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}
