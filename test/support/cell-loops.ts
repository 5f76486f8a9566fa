/**
 * One step of every cell, written once more as plain float64 loops over one row. Nothing here is shared with the library, so that a
 * mistake in tracing cannot agree with itself. Each loop is written from the paper's equations in the docstring of its cell.
 */

export type Vector = number[];
export interface Parameters {
  /** W·v of the matrix by this name. */
  readonly times: (name: string, v: Vector) => Vector;
  readonly vector: (name: string) => Vector;
}
export type Loop = (w: Parameters, x: Vector, states: Record<string, Vector>) => Record<string, Vector>;

const sum = (...vectors: Vector[]): Vector => vectors[0]!.map((_, k) => vectors.reduce((s, v) => s + v[k]!, 0));
const by = (a: Vector, b: Vector): Vector => a.map((value, k) => value * b[k]!);
const σ = (v: Vector): Vector => v.map((s) => 1 / (1 + Math.exp(-s)));
const tanh = (v: Vector): Vector => v.map(Math.tanh);
const relu = (v: Vector): Vector => v.map((s) => Math.max(s, 0));
const rest = (v: Vector): Vector => v.map((s) => 1 - s);
const scaled = (factor: number, v: Vector): Vector => v.map((s) => factor * s);

/** W_b·x + R_b·h + b_b */
const affine = (w: Parameters, block: string, x: Vector, h: Vector): Vector =>
  sum(w.times(`W.${block}`, x), w.times(`R.${block}`, h), w.vector(`b.${block}`));

function normalized(v: Vector, gain: Vector, bias?: Vector): Vector {
  const mean = v.reduce((s, value) => s + value, 0) / v.length;
  const variance = v.reduce((s, value) => s + (value - mean) ** 2, 0) / v.length;
  return v.map((value, k) => (gain[k]! * (value - mean)) / Math.sqrt(variance + 1e-5) + (bias?.[k] ?? 0));
}

const vanilla =
  (activation: (v: Vector) => Vector, state = "h"): Loop =>
  (w, x, states) => ({ [state]: activation(affine(w, state, x, states[state]!)) });

const lstmLike =
  (h: (o: Vector, c: Vector, w: Parameters) => Vector = (o, c) => by(o, tanh(c))): Loop =>
  (w, x, s) => {
    const [i, f, o] = [σ(affine(w, "i", x, s.h!)), σ(affine(w, "f", x, s.h!)), σ(affine(w, "o", x, s.h!))];
    const c = sum(by(f, s.c!), by(i, tanh(affine(w, "g", x, s.h!))));
    return { h: h(o, c, w), c };
  };

const gru: Loop = (w, x, { h }) => {
  const [z, r] = [σ(affine(w, "z", x, h!)), σ(affine(w, "r", x, h!))];
  const n = tanh(sum(w.times("W.h", x), w.vector("b.h"), by(r, sum(w.times("R.h", h!), w.vector("rb.h")))));
  return { h: sum(by(rest(z), n), by(z, h!)) };
};

const skip =
  (inner: Loop): Loop =>
  (w, x, { v, ...states }) => {
    const stepped = inner(w, x, states);
    const used = 1 - v![0]! > 0.5;
    const next: Record<string, Vector> = used ? stepped : states;
    const d = 1 / (1 + Math.exp(-w.times("w", next.h!)[0]! - w.vector("e")[0]!));
    return { ...next, u: [used ? 1 : 0], v: [used ? 1 - d : v![0]! - Math.min(d, v![0]!)] };
  };

export const loops: Readonly<Record<string, Loop>> = {
  rnn: vanilla(tanh),
  "rnn-relu": vanilla(relu),
  "rnn-leaky-relu": vanilla((v) => v.map((s) => (s > 0 ? s : 0.01 * s))),
  "rnn-sigmoid": vanilla(σ),
  irnn: vanilla(relu),
  "echo-state": vanilla(tanh),
  "output-feedback": vanilla(tanh, "y"),
  indrnn: (w, x, { h }) => ({ h: relu(sum(w.times("W.h", x), by(w.vector("u.h"), h!), w.vector("b.h"))) }),
  antisymmetric: (w, x, { h }) => {
    const R = h!.map((_, i) =>
      w.times(
        "R.h",
        h!.map((__, k) => (k === i ? 1 : 0)),
      ),
    ); // R[i] is column i.
    const turned = h!.map((_, i) => h!.reduce((s, value, j) => s + (R[j]![i]! - R[i]![j]!) * value, 0));
    const inner = sum(w.times("W.h", x), turned, scaled(-0.01, h!), w.vector("b.h"));
    return { h: sum(h!, scaled(0.01, tanh(inner))) };
  },
  clockwork: (w, x, { h, t }) => {
    const size = h!.length;
    const group = (unit: number) => [1, 2, 3, 4].findIndex((end) => unit < Math.ceil((end * size) / 4));
    const next = h!.map((value, unit) => {
      if (t![0]! % 2 ** group(unit) !== 0) return value;
      const seen = h!.map((other, k) => (group(k) >= group(unit) ? other : 0));
      return Math.tanh(w.times("W.h", x)[unit]! + w.times("R.h", seen)[unit]! + w.vector("b.h")[unit]!);
    });
    return { h: next, t: [t![0]! + 1] };
  },
  jordan: (w, x, { y }) => {
    const h = tanh(affine(w, "h", x, y!));
    return { y: tanh(sum(w.times("V", h), w.vector("c"))) };
  },
  gru,
  "gru-reset-before": (w, x, { h }) => {
    const [z, r] = [σ(affine(w, "z", x, h!)), σ(affine(w, "r", x, h!))];
    return { h: sum(by(rest(z), tanh(affine(w, "h", x, by(r, h!)))), by(z, h!)) };
  },
  "gru-one-gate": (w, x, { h }) => {
    const u = σ(affine(w, "u", x, h!));
    return { h: sum(by(u, tanh(affine(w, "c", x, h!))), by(rest(u), h!)) };
  },
  "gru-binary-gate": (w, x, { h }) => {
    const [s, c] = [affine(w, "u", x, h!), tanh(affine(w, "c", x, h!))];
    return { h: s.map((value, k) => (value > 0 ? c[k]! : h![k]!)) };
  },
  "gru-layer-norm": (w, x, { h }) => {
    const n = h!.length;
    const input = normalized([...w.times("W.z", x), ...w.times("W.r", x)], w.vector("a_x"));
    const recurrent = normalized([...w.times("R.z", h!), ...w.times("R.r", h!)], w.vector("a_h"));
    const s = sum(input, recurrent);
    const [z, r] = [σ(sum(s.slice(0, n), w.vector("b.z"))), σ(sum(s.slice(n), w.vector("b.r")))];
    const inner = by(r, normalized(w.times("R.h", h!), w.vector("a_hh")));
    const candidate = tanh(sum(normalized(w.times("W.h", x), w.vector("a_xh")), inner, w.vector("b.h")));
    return { h: sum(by(rest(z), h!), by(z, candidate)) };
  },
  "gru-d": (w, x, { h, l }) => {
    const n = x.length / 3;
    const [v, m, d] = [x.slice(0, n), x.slice(n, 2 * n), x.slice(2 * n)];
    const decay = (s: Vector) => s.map((value) => Math.exp(-Math.max(0, value)));
    const α = decay(sum(by(w.vector("w"), d), w.vector("e")));
    const filled = v.map((value, k) => (m[k] ? value : α[k]! * l![k]!));
    const ĥ = by(decay(sum(w.times("D", d), w.vector("b.d"))), h!);
    const gate = (block: string, state: Vector) => sum(affine(w, block, filled, state), w.times(`V.${block}`, m));
    const [z, r] = [σ(gate("z", ĥ)), σ(gate("r", ĥ))];
    return {
      h: sum(by(rest(z), ĥ), by(z, tanh(gate("h", by(r, ĥ))))),
      l: v.map((value, k) => (m[k] ? value : l![k]!)),
    };
  },
  "light-gru": (w, x, { h }) => {
    const gate = (block: string) =>
      sum(
        normalized(w.times(`W.${block}`, x), w.vector(`a.${block}`)),
        w.times(`R.${block}`, h!),
        w.vector(`b.${block}`),
      );
    const z = σ(gate("z"));
    return { h: sum(by(z, h!), by(rest(z), relu(gate("h")))) };
  },
  mgu: (w, x, { h }) => {
    const f = σ(affine(w, "f", x, h!));
    return { h: sum(by(rest(f), h!), by(f, tanh(affine(w, "h", x, by(f, h!))))) };
  },
  ugrnn: (w, x, { h }) => {
    const g = σ(affine(w, "g", x, h!));
    return { h: sum(by(g, h!), by(rest(g), tanh(affine(w, "c", x, h!)))) };
  },
  fastgrnn: (w, x, { h }) => {
    const p = sum(w.times("W.h", x), w.times("R.h", h!));
    const [z, n] = [σ(sum(p, w.vector("b.z"))), tanh(sum(p, w.vector("b.h")))];
    const [ζ, ν] = [σ(w.vector("zeta"))[0]!, σ(w.vector("nu"))[0]!];
    return { h: h!.map((value, k) => (ζ * (1 - z[k]!) + ν) * n[k]! + z[k]! * value) };
  },
  "min-gru": (w, x, { h }) => {
    const z = σ(sum(w.times("W.z", x), w.vector("b.z")));
    return { h: sum(by(rest(z), h!), by(z, sum(w.times("W.h", x), w.vector("b.h")))) };
  },
  "min-lstm": (w, x, { h }) => {
    const gate = (block: string) => sum(w.times(`W.${block}`, x), w.vector(`b.${block}`));
    const [f, i, n] = [σ(gate("f")), σ(gate("i")), gate("h")];
    return { h: h!.map((value, k) => (f[k]! * value + i[k]! * n[k]!) / (f[k]! + i[k]!)) };
  },
  lstm: lstmLike(),
  // At prediction nothing is dropped.
  "lstm-weight-drop": lstmLike(),
  "lstm-recurrent-dropout": lstmLike(),
  "lstm-zoneout": (w, x, s) => {
    const next = lstmLike()(w, x, s);
    const mixed = (state: string, rate: number) => sum(scaled(rate, s[state]!), scaled(1 - rate, next[state]!));
    return { h: mixed("h", 0.05), c: mixed("c", 0.5) };
  },
  "lstm-without-cell": (w, x, { h }) => {
    const [u, f, o] = [σ(affine(w, "u", x, h!)), σ(affine(w, "f", x, h!)), σ(affine(w, "o", x, h!))];
    return { h: by(o, sum(by(u, tanh(affine(w, "c", x, h!))), by(f, h!))) };
  },
  "lstm-peephole": (w, x, s) => {
    const seen = (block: string, c: Vector) => σ(sum(affine(w, block, x, s.h!), by(w.vector(`p.${block}`), c)));
    const c = sum(by(seen("f", s.c!), s.c!), by(seen("i", s.c!), tanh(affine(w, "g", x, s.h!))));
    return { h: by(seen("o", c), tanh(c)), c };
  },
  "lstm-projected": lstmLike((o, c, w) => w.times("P", by(o, tanh(c)))),
  "lstm-coupled": (w, x, s) => {
    const f = σ(affine(w, "f", x, s.h!));
    const c = sum(by(f, s.c!), by(rest(f), tanh(affine(w, "g", x, s.h!))));
    return { h: by(σ(affine(w, "o", x, s.h!)), tanh(c)), c };
  },
  "lstm-layer-norm": (w, x, s) => {
    const blocks = ["i", "f", "g", "o"];
    const input = normalized(
      blocks.flatMap((block) => w.times(`W.${block}`, x)),
      w.vector("a_x"),
    );
    const recurrent = normalized(
      blocks.flatMap((block) => w.times(`R.${block}`, s.h!)),
      w.vector("a_h"),
    );
    const all = sum(
      input,
      recurrent,
      blocks.flatMap((block) => w.vector(`b.${block}`)),
    );
    const [i, f, g, o] = blocks.map((_, k) => all.slice(k * s.h!.length, (k + 1) * s.h!.length)) as [
      Vector,
      Vector,
      Vector,
      Vector,
    ];
    const c = sum(by(σ(f), s.c!), by(σ(i), tanh(g)));
    return { h: by(σ(o), tanh(normalized(c, w.vector("a_c"), w.vector("e")))), c };
  },
  "lstm-multiplicative": (w, x, s) => {
    const m = by(w.times("W.m", x), w.times("R.m", s.h!));
    return lstmLike()(w, x, { ...s, h: m });
  },
  "lstm-mogrifier": (w, x, s) => {
    let [input, h] = [x, s.h!];
    for (let turn = 1; turn <= 5; turn++) {
      if (turn % 2 === 1) input = scaled(2, by(σ(w.times(`Q.${turn}`, h)), input));
      else h = scaled(2, by(σ(w.times(`S.${turn}`, input)), h));
    }
    return lstmLike()(w, input, { ...s, h });
  },
  "lstm-nested": (w, x, s) => {
    const outer = (block: string) => affine(w, block, x, s.h!);
    const [u, v] = [by(σ(outer("i")), tanh(outer("g"))), by(σ(outer("f")), s.c!)];
    const inner = (block: string) => sum(w.times(`V.${block}`, u), w.times(`S.${block}`, v), w.vector(`d.${block}`));
    const n = sum(by(σ(inner("f")), s.n!), by(σ(inner("i")), tanh(inner("g"))));
    const c = by(σ(inner("o")), tanh(n));
    return { h: by(σ(outer("o")), tanh(c)), c, n };
  },
  janet: (w, x, { h }) => {
    const s = affine(w, "f", x, h!);
    return { h: sum(by(σ(s), h!), by(rest(σ(s.map((value) => value - 1))), tanh(affine(w, "h", x, h!)))) };
  },
  slstm: (w, x, s) => {
    const [i, f] = [affine(w, "i", x, s.h!), affine(w, "f", x, s.h!).map((value) => -Math.log(1 + Math.exp(-value)))];
    const [z, o] = [tanh(affine(w, "z", x, s.h!)), σ(affine(w, "o", x, s.h!))];
    const m = i.map((value, k) => (s.n![k]! > 0 ? Math.max(f[k]! + s.m![k]!, value) : value));
    const write = i.map((value, k) => Math.exp(value - m[k]!));
    const keep = f.map((value, k) => Math.exp(value + s.m![k]! - m[k]!));
    const [c, n] = [sum(by(keep, s.c!), by(write, z)), sum(by(keep, s.n!), write)];
    return { h: o.map((value, k) => (value * c[k]!) / n[k]!), c, n, m };
  },
  sru: (w, x, { c }) => {
    const gate = (block: string) =>
      σ(sum(w.times(`W.${block}`, x), by(w.vector(`v.${block}`), c!), w.vector(`b.${block}`)));
    const [f, r] = [gate("f"), gate("r")];
    const next = sum(by(f, c!), by(rest(f), w.times("W.c", x)));
    const highway = scaled(Math.sqrt(3), x.length === c!.length ? x : w.times("W.x", x));
    return { c: next, h: sum(by(r, next), by(rest(r), highway)) };
  },
  qrnn: (w, x, s) => {
    const gate = (block: string, older: Vector) => sum(w.times(`W.${block}`, x), older, w.vector(`b.${block}`));
    const [z, f, o] = [tanh(gate("z", s.q!)), σ(gate("f", s.p!)), σ(gate("o", s.s!))];
    const c = sum(by(f, s.c!), by(rest(f), z));
    return { c, h: by(o, c), q: w.times("V.z", x), p: w.times("V.f", x), s: w.times("V.o", x) };
  },
  lru: (w, x, { p, q }) => {
    const [inP, inQ] = [w.times("B.p", x), w.times("B.q", x)];
    const next = p!.map((_, k): [number, number] => {
      const radius = Math.exp(-Math.exp(w.vector("nu")[k]!));
      const angle = Math.exp(w.vector("theta")[k]!);
      const [re, im, γ] = [radius * Math.cos(angle), radius * Math.sin(angle), Math.sqrt(1 - radius ** 2)];
      return [re * p![k]! - im * q![k]! + γ * inP[k]!, re * q![k]! + im * p![k]! + γ * inQ[k]!];
    });
    const [nextP, nextQ] = [next.map(([real]) => real), next.map(([, imaginary]) => imaginary)];
    const y = sum(w.times("C.p", nextP), scaled(-1, w.times("C.q", nextQ)), w.times("D", x));
    return { p: nextP, q: nextQ, y };
  },
  cfc: (w, x, { h }) => {
    const shared = sum(w.times("W_s", x), w.times("R_s", h!), w.vector("b_s"));
    const s = scaled(1.7159, tanh(scaled(0.666, shared)));
    const head = (block: string) => sum(w.times(`A.${block}`, s), w.vector(`b.${block}`));
    const t = σ(sum(head("v"), head("w")));
    return { h: sum(by(rest(t), tanh(head("g"))), by(t, tanh(head("k")))) };
  },
  "skip-gru": skip(gru),
  "skip-lstm": skip(lstmLike()),
};
