/** Orthonormal rows by modified Gram–Schmidt on normal numbers, four rows at a time. */
import type { Random } from "../base/random.ts";

/**
 * [count, length] numbers, row-major; count ≤ length. Each row is what is left of a vector of normal numbers without its projections on
 * the rows before it, one after the other: the numbers do not depend on how many rows are worked on at a time.
 */
export function orthonormalRows(count: number, length: number, random: Random): Float64Array {
  const rows = new Float64Array(count * length);
  let done = 0;
  while (done < count) {
    const block = rows.subarray(done * length, Math.min(count, done + 4) * length);
    fillNormal(block, random);
    const drawn = norms(block, length);
    if (done > 0 && block.length === 4 * length) removeProjectionsOfFour(block, rows, done, length);
    else
      for (let start = 0; start < block.length; start += length)
        removeProjections(block.subarray(start, start + length), rows, 0, done);
    const first = done;
    for (const [position, norm] of drawn.entries()) {
      const row = block.subarray(position * length, (position + 1) * length);
      removeProjections(row, rows, first, done);
      // Once is enough unless the vector nearly lies in the span: what is left of it then consists of rounding errors.
      if (Math.sqrt(dot(row, row)) < 0.1 * norm) removeProjections(row, rows, 0, done);
      const left = Math.sqrt(dot(row, row));
      if (left < 1e-8) continue;
      for (let i = 0; i < length; i++) rows[done * length + i] = row[i]! / left;
      done++;
    }
  }
  return rows;
}

function fillNormal(values: Float64Array, random: Random): void {
  for (let i = 0; i < values.length; i++) values[i] = random.normal();
}

function norms(rows: Float64Array, length: number): number[] {
  return Array.from({ length: rows.length / length }, (_, k) => {
    const row = rows.subarray(k * length, (k + 1) * length);
    return Math.sqrt(dot(row, row));
  });
}

function removeProjectionsOfFour(vectors: Float64Array, basis: Float64Array, count: number, length: number): void {
  const projections = new Float64Array(4);
  for (let k = -1; k < count; k++) {
    const row = Math.max(k, 0) * length;
    const next = Math.min(k + 1, count - 1) * length;
    removeAndProject(vectors, basis, row, next, length, projections);
  }
}

/**
 * Takes the projections on a row of the basis off four vectors and finds those on the next row. A sum waits for each of its additions:
 * four vectors have four sums. A function this small is machine code after a few hundred calls.
 */
function removeAndProject(
  vectors: Float64Array,
  basis: Float64Array,
  row: number,
  next: number,
  length: number,
  projections: Float64Array,
): void {
  const p0 = projections[0]!;
  const p1 = projections[1]!;
  const p2 = projections[2]!;
  const p3 = projections[3]!;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (let i = 0; i < length; i++) {
    const b = basis[row + i]!;
    const c = basis[next + i]!;
    const v0 = vectors[i]! - p0 * b;
    const v1 = vectors[length + i]! - p1 * b;
    const v2 = vectors[2 * length + i]! - p2 * b;
    const v3 = vectors[3 * length + i]! - p3 * b;
    vectors[i] = v0;
    vectors[length + i] = v1;
    vectors[2 * length + i] = v2;
    vectors[3 * length + i] = v3;
    s0 += v0 * c;
    s1 += v1 * c;
    s2 += v2 * c;
    s3 += v3 * c;
  }
  projections[0] = s0;
  projections[1] = s1;
  projections[2] = s2;
  projections[3] = s3;
}

/** Those on the rows `from` to `to` of the basis. */
function removeProjections(vector: Float64Array, basis: Float64Array, from: number, to: number): void {
  for (let k = from; k < to; k++) {
    const row = basis.subarray(k * vector.length, (k + 1) * vector.length);
    const projection = dot(vector, row);
    for (let i = 0; i < vector.length; i++) vector[i] = vector[i]! - projection * row[i]!;
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
