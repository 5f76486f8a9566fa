/**
 * Vector approximations of the elementary functions, four lanes at a time. Only correctly rounded operations are used (no
 * relaxed ones), so the bits are the same on every engine. Coefficients: scripts/fit-approximations.py.
 */
import type { UnaryKind } from "../../../ir/nodes.ts";
import type { Code, Local } from "./assembler.ts";
import { v128 } from "./assembler.ts";

/** Writes code that leaves f(x) on the stack. */
type Emit = (code: Code, x: Local) => void;

/** (eʳ − 1 − r) / r² for |r| ≤ ln 2 / 2, lowest power first. */
const expm1Coefficients = [0.5, 0.16666667, 0.041666463, 0.008333286, 0.0013933732, 0.00019907703];
/** (log(1 + f) − f + f²/2) / f³ for √½ ≤ 1 + f < √2. */
const logCoefficients = [
  0.3333331, -0.24999987, 0.2000215, -0.166692, 0.14219944, -0.12385769, 0.11865836, -0.11779763, 0.069185115,
];
/** In z = r², |r| ≤ π/4: (sin r / r − 1) / z and (cos r − 1 + z/2) / z². */
const sinCoefficients = [-0.16666667, 0.008333332, -0.00019840083, 2.7249378e-6];
const cosCoefficients = [0.041666668, -0.0013888888, 2.4800596e-5, -2.7300464e-7];

// ln 2 in two parts: the first has 10 trailing zero bits, so that n · high is exact for the n that occur.
const ln2High = 0.693359375;
const ln2Low = -2.1219444005469057e-4;

/** Added to a number below 2²², it leaves no bits for fractions: the sum is rounded to a whole number, half to even. */
const roundingShift = 1.5 * 2 ** 23;
const roundingShiftBits = 0x4b400000;

/** Table of every unary kind. `neg`, `abs`, `sqrt` and `floor` are single instructions and exact. */
export const unaryEmitters: Readonly<Record<UnaryKind, Emit>> = {
  neg: (code, x) => void code.get(x).do("f32x4.neg"),
  abs: (code, x) => void code.get(x).do("f32x4.abs"),
  sqrt: (code, x) => void code.get(x).do("f32x4.sqrt"),
  floor: (code, x) => void code.get(x).do("f32x4.floor"),
  // x > 0 and x < 0 as masks, each turned into 1 or −1; NaN gives 0.
  sign: (code, x) => {
    code.get(x).f32x4(0).do("f32x4.gt").f32x4(1).do("v128.and");
    code.get(x).f32x4(0).do("f32x4.lt").f32x4(-1).do("v128.and", "v128.or");
  },
  exp,
  log,
  tanh,
  sigmoid,
  sin: (code, x) => sinCos(code, x, 0),
  cos: (code, x) => sinCos(code, x, 1),
};

/** Within 1 unit in the last place. Overflows to infinity and underflows through the subnormals like the true function. */
function exp(code: Code, x: Local): void {
  const clamped = code.local(v128);
  code.get(x).f32x4(-105).do("f32x4.pmax").f32x4(89).do("f32x4.pmin").set(clamped);
  const { q, shifted } = expm1Parts(code, clamped);
  // 2ⁿ in two factors, because n itself reaches 128 and −151, beyond a single exponent.
  const [n, half] = [code.local(v128), code.local(v128)];
  const bits = roundingShiftBits;
  code.get(shifted).i32x4(bits, bits, bits, bits).do("i32x4.sub").tee(n).i32(1).do("i32x4.shr_s").set(half);
  powerOfTwo(code, () => code.get(half));
  code.get(q).f32x4(1).do("f32x4.add", "f32x4.mul");
  powerOfTwo(code, () => code.get(n).get(half).do("i32x4.sub"));
  code.do("f32x4.mul");
}

/** 1 / (1 + e⁻ˣ), within 3 units in the last place above −87; below, the result stays at about 6·10⁻³⁹. */
function sigmoid(code: Code, x: Local): void {
  const clamped = code.local(v128);
  code.get(x).do("f32x4.neg").f32x4(-87).do("f32x4.pmax").f32x4(88).do("f32x4.pmin").set(clamped);
  const { q, shifted } = expm1Parts(code, clamped);
  code.f32x4(1);
  powerOfTwo(code, () => code.get(shifted));
  code.get(q).f32x4(1).do("f32x4.add", "f32x4.mul").f32x4(1).do("f32x4.add", "f32x4.div");
}

/** t / (t + 2) with t = e²ˣ − 1, within 3 units in the last place everywhere, near 0 too: t keeps its relative precision. */
function tanh(code: Code, x: Local): void {
  const doubled = code.local(v128);
  const t = code.local(v128);
  // tanh rounds to ±1 beyond 9.02.
  code.get(x).get(x).do("f32x4.add").f32x4(-18.5).do("f32x4.pmax").f32x4(18.5).do("f32x4.pmin").set(doubled);
  const { q, shifted } = expm1Parts(code, doubled);
  const power = code.local(v128);
  powerOfTwo(code, () => code.get(shifted));
  code.tee(power).get(q).do("f32x4.mul").get(power).f32x4(1).do("f32x4.sub", "f32x4.add").tee(t);
  code.get(t).f32x4(2).do("f32x4.add", "f32x4.div");
}

/**
 * x = n ln 2 + r with |r| ≤ ln 2 / 2; q = eʳ − 1. The bits of `shifted` end in those of n. Where x is clamped, `pmin` and `pmax`
 * keep NaN in their first operand like `min` and `max`, which take several instructions on x64; so does truncation.
 */
function expm1Parts(code: Code, x: Local): { q: Local; shifted: Local } {
  const [rounded, r, shifted, q] = [code.local(v128), code.local(v128), code.local(v128), code.local(v128)];
  code.get(x).f32x4(Math.LOG2E).do("f32x4.mul").f32x4(roundingShift).do("f32x4.add").tee(shifted);
  code.f32x4(roundingShift).do("f32x4.sub").set(rounded);
  code.get(x).get(rounded).f32x4(ln2High).do("f32x4.mul", "f32x4.sub");
  code.get(rounded).f32x4(ln2Low).do("f32x4.mul", "f32x4.sub").set(r);
  polynomial(code, r, expm1Coefficients);
  code.get(r).do("f32x4.mul").get(r).do("f32x4.mul").get(r).do("f32x4.add").set(q);
  return { q, shifted };
}

/** 2ⁿ for −126 ≤ n ≤ 127, built from its exponent bits: the lowest nine of n count, the rest falls out of the shift. */
function powerOfTwo(code: Code, n: () => void): void {
  n();
  code.i32x4(127, 127, 127, 127).do("i32x4.add").i32(23).do("i32x4.shl");
}

/** Natural logarithm, within 1 unit in the last place; log 0 = −∞, log of a negative number is NaN. */
function log(code: Code, x: Local): void {
  const [small, scaled, n, f, z] = [
    code.local(v128),
    code.local(v128),
    code.local(v128),
    code.local(v128),
    code.local(v128),
  ];
  // Subnormals are scaled into the normal range first.
  code.get(x).f32x4(1.17549435e-38).do("f32x4.lt").set(small);
  code
    .get(x)
    .f32x4(2 ** 25)
    .do("f32x4.mul")
    .get(x)
    .get(small)
    .do("v128.bitselect")
    .set(scaled);
  // Exponent such that the mantissa lies in √½ … √2: bits of √½ are 0x3f3504f3.
  code
    .get(scaled)
    .i32x4(0x3f3504f3, 0x3f3504f3, 0x3f3504f3, 0x3f3504f3)
    .do("i32x4.sub")
    .i32(23)
    .do("i32x4.shr_s")
    .set(n);
  code.get(scaled).get(n).i32(23).do("i32x4.shl", "i32x4.sub").f32x4(1).do("f32x4.sub").set(f);
  code.get(n).do("f32x4.convert_i32x4_s").get(small).f32x4(25).do("v128.and", "f32x4.sub").set(n);
  code.get(f).get(f).do("f32x4.mul").set(z);
  polynomial(code, f, logCoefficients);
  code.get(f).do("f32x4.mul").get(z).do("f32x4.mul");
  code.get(n).f32x4(ln2Low).do("f32x4.mul", "f32x4.add").get(z).f32x4(0.5).do("f32x4.mul", "f32x4.sub");
  code.get(f).do("f32x4.add").get(n).f32x4(ln2High).do("f32x4.mul", "f32x4.add").set(f);
  // 0 → −∞, negative → NaN, ∞ and NaN stay.
  code.f32x4(Number.NEGATIVE_INFINITY).get(f).get(x).f32x4(0).do("f32x4.eq", "v128.bitselect").set(f);
  code.f32x4(Number.NaN).get(f).get(x).f32x4(0).do("f32x4.lt", "v128.bitselect").set(f);
  code
    .get(x)
    .get(f)
    .get(x)
    .f32x4(Number.POSITIVE_INFINITY)
    .do("f32x4.eq")
    .get(x)
    .get(x)
    .do("f32x4.eq", "v128.not", "v128.or", "v128.bitselect");
}

/** sin (shift 0) and cos (shift 1): absolute error below 10⁻⁷ for |x| ≤ 8192; further out it grows with |x|. */
function sinCos(code: Code, x: Local, shift: 0 | 1): void {
  const [rounded, quadrant, r, z, s, c] = [
    code.local(v128),
    code.local(v128),
    code.local(v128),
    code.local(v128),
    code.local(v128),
    code.local(v128),
  ];
  code
    .get(x)
    .f32x4(2 / Math.PI)
    .do("f32x4.mul", "f32x4.nearest")
    .tee(rounded)
    .do("i32x4.trunc_sat_f32x4_s");
  code.i32x4(shift, shift, shift, shift).do("i32x4.add").set(quadrant);
  // π/2 in three parts, each exact times a small whole number.
  code.get(x).get(rounded).f32x4(1.5703125).do("f32x4.mul", "f32x4.sub");
  code.get(rounded).f32x4(4.837512969970703e-4).do("f32x4.mul", "f32x4.sub");
  code.get(rounded).f32x4(7.549789948768648e-8).do("f32x4.mul", "f32x4.sub").tee(r).get(r).do("f32x4.mul").set(z);
  polynomial(code, z, sinCoefficients);
  code.get(z).do("f32x4.mul").get(r).do("f32x4.mul").get(r).do("f32x4.add").set(s);
  polynomial(code, z, cosCoefficients);
  code
    .get(z)
    .do("f32x4.mul")
    .get(z)
    .do("f32x4.mul")
    .get(z)
    .f32x4(0.5)
    .do("f32x4.mul", "f32x4.sub")
    .f32x4(1)
    .do("f32x4.add")
    .set(c);
  // Odd quadrants swap sine and cosine; the second half of the circle turns the sign.
  const odd = code.local(v128);
  code.get(quadrant).i32x4(1, 1, 1, 1).do("v128.and").i32x4(1, 1, 1, 1).do("i32x4.eq").set(odd);
  code.get(c).get(s).get(odd).do("v128.bitselect");
  code.get(quadrant).i32x4(2, 2, 2, 2).do("v128.and").i32(30).do("i32x4.shl", "v128.xor");
}

function polynomial(code: Code, x: Local, coefficients: readonly number[]): void {
  const highestFirst = [...coefficients].reverse();
  code.f32x4(highestFirst[0]!);
  for (const coefficient of highestFirst.slice(1)) code.get(x).do("f32x4.mul").f32x4(coefficient).do("f32x4.add");
}
