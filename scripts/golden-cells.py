"""Golden values of every cell from PyTorch's autograd, for test/cells/golden.test.ts. Run: /usr/bin/python3 scripts/golden-cells.py

Each cell is transcribed once more from its paper, in float64, with weights under our names and [outputs, inputs] layout; the projected
LSTM is torch.nn.LSTM(proj_size=...) itself. Numbers are written with 9 significant digits.
"""
import json
import math
import os
import platform

import torch
from torch import sigmoid, tanh, relu

SEED = 20240608
I, H, B, T = 6, 5, 3, 4
PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "test", "golden", "pytorch-cells.json")


def numbers(tensor):
    return [float(f"{value:.9g}") for value in tensor.detach().reshape(-1).tolist()]


class Weights(dict):
    """Makes a weight of the shape that is asked for first."""

    def __call__(self, name, *shape):
        if name not in self:
            self[name] = (torch.randn(*shape).double() * 0.5).float().double().requires_grad_()
        return self[name]

    def affine(self, block, x, h):
        n = self.get("size", H)
        return x @ self(f"W.{block}", n, x.shape[1]).T + h @ self(f"R.{block}", n, h.shape[1]).T + self(f"b.{block}", n)

    def dot(self, name, outputs, x):
        return x @ self(name, outputs, x.shape[1]).T


def norm(v, gain, bias=0):
    return gain * (v - v.mean(1, keepdim=True)) / torch.sqrt(v.var(1, unbiased=False, keepdim=True) + 1e-5) + bias


def passed(soft, hard):
    return soft + (hard - soft).detach()


def vanilla(f, state="h"):
    return lambda w, x, s: {state: f(w.affine(state, x, s[state]))}


def lstm(w, x, s, squash=tanh):
    i, f, o = (sigmoid(w.affine(k, x, s["h"])) for k in "ifo")
    c = f * s["c"] + i * tanh(w.affine("g", x, s["h"]))
    return {"h": o * squash(c), "c": c}


def gru(w, x, s, before=False):
    z, r = (sigmoid(w.affine(k, x, s["h"])) for k in "zr")
    if before:
        n = tanh(w.affine("h", x, r * s["h"]))
    else:
        n = tanh(w.dot("W.h", H, x) + w("b.h", H) + r * (w.dot("R.h", H, s["h"]) + w("rb.h", H)))
    return {"h": (1 - z) * n + z * s["h"]}


def antisymmetric(w, x, s):
    R = w("R.h", H, H)
    A = R - R.T - 0.01 * torch.eye(H).double()
    return {"h": s["h"] + 0.01 * tanh(s["h"] @ A.T + w.dot("W.h", H, x) + w("b.h", H))}


def clockwork(w, x, s):
    group = torch.tensor([next(k for k in range(4) if unit < math.ceil((k + 1) * H / 4)) for unit in range(H)])
    mask = (group[None, :] >= group[:, None]).double()
    stepped = tanh(w.dot("W.h", H, x) + s["h"] @ (mask * w("R.h", H, H)).T + w("b.h", H))
    due = (s["t"] % (2.0 ** group)[None, :]) == 0
    return {"h": torch.where(due, stepped, s["h"]), "t": s["t"] + 1}


def jordan(w, x, s):
    return {"y": tanh(w.dot("V", H, tanh(w.affine("h", x, s["y"]))) + w("c", H))}


def one_gate(w, x, s, hard=False):
    c, u = tanh(w.affine("c", x, s["h"])), sigmoid(w.affine("u", x, s["h"]))
    if hard:
        u = passed(u, (u > 0.5).double())
    return {"h": u * c + (1 - u) * s["h"]}


def gru_layer_norm(w, x, s):
    both = norm(torch.cat([w.dot("W.z", H, x), w.dot("W.r", H, x)], 1), w("a_x", 2 * H))
    both = both + norm(torch.cat([w.dot("R.z", H, s["h"]), w.dot("R.r", H, s["h"])], 1), w("a_h", 2 * H))
    z, r = sigmoid(both[:, :H] + w("b.z", H)), sigmoid(both[:, H:] + w("b.r", H))
    inner = r * norm(w.dot("R.h", H, s["h"]), w("a_hh", H))
    n = tanh(norm(w.dot("W.h", H, x), w("a_xh", H)) + inner + w("b.h", H))
    return {"h": (1 - z) * s["h"] + z * n}


def gru_d(w, x, s):
    n = I // 3
    v, m, d = x[:, :n], x[:, n:2 * n], x[:, 2 * n:]
    seen = m > 0.5
    filled = torch.where(seen, v, torch.exp(-relu(w("w", n) * d + w("e", n))) * s["l"])
    h = torch.exp(-relu(w.dot("D", H, d) + w("b.d", H))) * s["h"]
    z, r = (sigmoid(w.affine(k, filled, h) + w.dot(f"V.{k}", H, m)) for k in "zr")
    candidate = tanh(w.affine("h", filled, r * h) + w.dot("V.h", H, m))
    return {"h": (1 - z) * h + z * candidate, "l": torch.where(seen, v, s["l"])}


def light_gru(w, x, s):
    gate = lambda k: norm(w.dot(f"W.{k}", H, x), w(f"a.{k}", H)) + w.dot(f"R.{k}", H, s["h"]) + w(f"b.{k}", H)
    z = sigmoid(gate("z"))
    return {"h": z * s["h"] + (1 - z) * relu(gate("h"))}


def mgu(w, x, s):
    f = sigmoid(w.affine("f", x, s["h"]))
    return {"h": (1 - f) * s["h"] + f * tanh(w.affine("h", x, f * s["h"]))}


def ugrnn(w, x, s):
    c, g = tanh(w.affine("c", x, s["h"])), sigmoid(w.affine("g", x, s["h"]))
    return {"h": g * s["h"] + (1 - g) * c}


def fastgrnn(w, x, s):
    p = w.dot("W.h", H, x) + w.dot("R.h", H, s["h"])
    z, n = sigmoid(p + w("b.z", H)), tanh(p + w("b.h", H))
    return {"h": (sigmoid(w("zeta", 1)) * (1 - z) + sigmoid(w("nu", 1))) * n + z * s["h"]}


def gate_of(w, k, x):
    return w.dot(f"W.{k}", H, x) + w(f"b.{k}", H)


def min_gru(w, x, s):
    z = sigmoid(gate_of(w, "z", x))
    return {"h": (1 - z) * s["h"] + z * gate_of(w, "h", x)}


def min_lstm(w, x, s):
    f, i = sigmoid(gate_of(w, "f", x)), sigmoid(gate_of(w, "i", x))
    return {"h": f / (f + i) * s["h"] + i / (f + i) * gate_of(w, "h", x)}


def without_cell(w, x, s):
    u, f, o = (sigmoid(w.affine(k, x, s["h"])) for k in "ufo")
    return {"h": o * (u * tanh(w.affine("c", x, s["h"])) + f * s["h"])}


def peephole(w, x, s):
    i, f = (sigmoid(w.affine(k, x, s["h"]) + w(f"p.{k}", H) * s["c"]) for k in "if")
    c = f * s["c"] + i * tanh(w.affine("g", x, s["h"]))
    return {"h": sigmoid(w.affine("o", x, s["h"]) + w("p.o", H) * c) * tanh(c), "c": c}


def coupled(w, x, s):
    f = sigmoid(w.affine("f", x, s["h"]))
    c = f * s["c"] + (1 - f) * tanh(w.affine("g", x, s["h"]))
    return {"h": sigmoid(w.affine("o", x, s["h"])) * tanh(c), "c": c}


def lstm_layer_norm(w, x, s):
    stacked = lambda kind, v: torch.cat([w.dot(f"{kind}.{k}", H, v) for k in "ifgo"], 1)
    total = norm(stacked("W", x), w("a_x", 4 * H)) + norm(stacked("R", s["h"]), w("a_h", 4 * H))
    i, f, g, o = (part + w(f"b.{k}", H) for part, k in zip(total.split(H, 1), "ifgo"))
    c = sigmoid(f) * s["c"] + sigmoid(i) * tanh(g)
    return {"h": sigmoid(o) * tanh(norm(c, w("a_c", H), w("e", H))), "c": c}


def zoneout(w, x, s):
    n = lstm(w, x, s)
    return {"h": 0.05 * s["h"] + 0.95 * n["h"], "c": 0.5 * s["c"] + 0.5 * n["c"]}


def multiplicative(w, x, s):
    return lstm(w, x, {**s, "h": w.dot("W.m", H, x) * w.dot("R.m", H, s["h"])})


def mogrifier(w, x, s):
    h = s["h"]
    for k in range(1, 6):
        if k % 2:
            x = 2 * sigmoid(w.dot(f"Q.{k}", I, h)) * x
        else:
            h = 2 * sigmoid(w.dot(f"S.{k}", H, x)) * h
    return lstm(w, x, {**s, "h": h})


def nested(w, x, s):
    i, f, o = (sigmoid(w.affine(k, x, s["h"])) for k in "ifo")
    u, v = i * tanh(w.affine("g", x, s["h"])), f * s["c"]
    inner = lambda k: w.dot(f"V.{k}", H, u) + w.dot(f"S.{k}", H, v) + w(f"d.{k}", H)
    n = sigmoid(inner("f")) * s["n"] + sigmoid(inner("i")) * tanh(inner("g"))
    c = sigmoid(inner("o")) * tanh(n)
    return {"h": o * tanh(c), "c": c, "n": n}


def janet(w, x, s):
    g = w.affine("f", x, s["h"])
    return {"h": sigmoid(g) * s["h"] + (1 - sigmoid(g - 1)) * tanh(w.affine("h", x, s["h"]))}


def slstm(w, x, s):
    i, f = w.affine("i", x, s["h"]), torch.nn.functional.logsigmoid(w.affine("f", x, s["h"]))
    z, o = tanh(w.affine("z", x, s["h"])), sigmoid(w.affine("o", x, s["h"]))
    m = torch.where(s["n"] > 0, torch.maximum(f + s["m"], i), i)
    write, keep = torch.exp(i - m), torch.exp(f + s["m"] - m)
    c, n = keep * s["c"] + write * z, keep * s["n"] + write
    return {"h": o * c / n, "c": c, "n": n, "m": m}


def sru(w, x, s):
    f, r = (sigmoid(gate_of(w, k, x) + w(f"v.{k}", H) * s["c"]) for k in "fr")
    c = f * s["c"] + (1 - f) * w.dot("W.c", H, x)
    return {"c": c, "h": r * c + (1 - r) * math.sqrt(3) * w.dot("W.x", H, x)}


def qrnn(w, x, s):
    z, f, o = tanh(gate_of(w, "z", x) + s["q"]), sigmoid(gate_of(w, "f", x) + s["p"]), sigmoid(gate_of(w, "o", x) + s["s"])
    c = f * s["c"] + (1 - f) * z
    return {"c": c, "h": o * c, **{k: w.dot(f"V.{b}", H, x) for k, b in zip("qps", "zfo")}}


def lru(w, x, s):
    radius, angle = torch.exp(-torch.exp(w("nu", H))), torch.exp(w("theta", H))
    state = torch.polar(radius, angle) * torch.complex(s["p"], s["q"])
    scale = torch.sqrt(1 - radius ** 2)
    state = state + scale * torch.complex(w.dot("B.p", H, x), w.dot("B.q", H, x))
    C = torch.complex(w("C.p", H, H), w("C.q", H, H))
    return {"p": state.real, "q": state.imag, "y": (state @ C.T).real + w.dot("D", H, x)}


def cfc(w, x, s, elapsed=1):
    shared = w.dot("W_s", 128, x) + w.dot("R_s", 128, s["h"]) + w("b_s", 128)
    z = 1.7159 * tanh(0.666 * shared)
    head = lambda k: w.dot(f"A.{k}", H, z) + w(f"b.{k}", H)
    t = sigmoid(head("v") * elapsed + head("w"))
    return {"h": tanh(head("g")) * (1 - t) + t * tanh(head("k"))}


def skip(inner):
    def step(w, x, s):
        v, states = s["v"], {k: value for k, value in s.items() if k != "v"}
        ready = 1 - v
        u = passed(ready, (ready > 0.5).double())
        n = inner(w, x, states)
        new = {k: u * n[k] + (1 - u) * states[k] for k in states}
        d = sigmoid(w.dot("w", 1, new["h"]) + w("e", 1))
        return {**new, "u": u, "v": u * (1 - d) + (1 - u) * (v - torch.minimum(d, v))}
    return step


indrnn = lambda w, x, s: {"h": relu(gate_of(w, "h", x) + w("u.h", H) * s["h"])}
leaky = lambda v: torch.nn.functional.leaky_relu(v, 0.01)
CELLS = {
    "rnn": (vanilla(tanh), "h"), "rnn-relu": (vanilla(relu), "h"), "rnn-leaky-relu": (vanilla(leaky), "h"),
    "rnn-sigmoid": (vanilla(sigmoid), "h"), "irnn": (vanilla(relu), "h"), "indrnn": (indrnn, "h"),
    "antisymmetric": (antisymmetric, "h"), "clockwork": (clockwork, "ht"), "output-feedback": (vanilla(tanh, "y"), "y"),
    "jordan": (jordan, "y"), "echo-state": (vanilla(tanh), "h"), "gru": (gru, "h"),
    "gru-reset-before": (lambda w, x, s: gru(w, x, s, True), "h"), "gru-one-gate": (one_gate, "h"),
    "gru-binary-gate": (lambda w, x, s: one_gate(w, x, s, True), "h"), "gru-layer-norm": (gru_layer_norm, "h"),
    "gru-d": (gru_d, "hl"), "light-gru": (light_gru, "h"), "mgu": (mgu, "h"), "ugrnn": (ugrnn, "h"), "fastgrnn": (fastgrnn, "h"),
    "min-gru": (min_gru, "h"), "lstm": (lstm, "hc"), "lstm-without-cell": (without_cell, "h"), "lstm-peephole": (peephole, "hc"),
    "lstm-projected": (None, "hc"), "lstm-coupled": (coupled, "hc"), "lstm-layer-norm": (lstm_layer_norm, "hc"),
    "lstm-zoneout": (zoneout, "hc"), "lstm-weight-drop": (lstm, "hc"), "lstm-multiplicative": (multiplicative, "hc"),
    "lstm-mogrifier": (mogrifier, "hc"), "lstm-nested": (nested, "hcn"), "janet": (janet, "h"), "slstm": (slstm, "hcnm"),
    "min-lstm": (min_lstm, "h"), "sru": (sru, "c"), "qrnn": (qrnn, "cqps"), "lru": (lru, "pq"), "cfc": (cfc, "h"),
    "skip-gru": (skip(gru), "hv"), "skip-lstm": (skip(lstm), "hcv"), "lstm-recurrent-dropout": (lstm, "hc"),
    "cfc-timed": (lambda w, x, s: cfc(w, x[:, :-1], s, x[:, -1:]), "h"),
}
OUTPUTS = {"output-feedback": "y", "jordan": "y", "lru": "y"}
SIZES = {("clockwork", "t"): 1, ("gru-d", "l"): I // 3, ("lstm-projected", "h"): 3, ("skip-gru", "v"): 1, ("skip-lstm", "v"): 1}


def first(cell, state):
    value = torch.randn(B, SIZES.get((cell, state), H)).double() * 0.5
    if state == "t":
        value = torch.arange(B).double()[:, None]
    if state == "v":
        value = value.abs().clamp(max=0.4)
    if state == "n" and cell == "slstm":
        value = 1 + value.abs()
    return value.float().double().requires_grad_()


def case(cell):
    step, letters = CELLS[cell]
    states = {k: first(cell, k) for k in letters}
    x = torch.randn(B, T, I).double().float().double()
    if cell == "gru-d":
        x[:, :, 2:4] = (x[:, :, 2:4] > 0).double()
        x[:, :, 4:] = x[:, :, 4:].abs()
    x.requires_grad_()
    w, s = Weights(), dict(states)
    if step is None:
        net = torch.nn.LSTM(I, H, proj_size=3, batch_first=True).double()
        for parameter in net.parameters():
            parameter.data = parameter.data.float().double()
        net.bias_hh_l0.data.zero_()
        output, (h, c) = net(x, (s["h"][None], s["c"][None]))
        s = {"h": h[0], "c": c[0]}
    else:
        rows = []
        for t in range(T):
            n = step(w, x[:, t], s)
            s = {k: n[k] for k in letters}
            rows.append(n[OUTPUTS.get(cell, "h")])
        output = torch.stack(rows, 1)
    v = torch.randn(output.shape).double().float().double()
    loss = (v * output).sum() + sum(0.5 * (value * value).sum() for value in s.values())
    loss.backward()
    grads = lambda tensor: numbers(tensor.grad if tensor.grad is not None else torch.zeros_like(tensor))
    if step is None:
        split = lambda get: {
            **{f"{kind}.{k}": numbers(part) for kind, name in (("W", "weight_ih_l0"), ("R", "weight_hh_l0"), ("b", "bias_ih_l0"))
               for k, part in zip("ifgo", get(getattr(net, name)).split(H))}, "P": numbers(get(net.weight_hr_l0))}
        weights, gradients = split(lambda p: p.detach()), split(lambda p: p.grad)
    else:
        weights, gradients = {k: numbers(p) for k, p in w.items()}, {k: grads(p) for k, p in w.items()}
    return {"x": numbers(x), "v": numbers(v), "initial": {k: numbers(p) for k, p in states.items()}, "weights": weights,
            "loss": float(loss), "output": numbers(output), "final": {k: numbers(p) for k, p in s.items()},
            "gradients": {"x": grads(x), "initial": {k: grads(p) for k, p in states.items()}, "weights": gradients}}


torch.manual_seed(SEED)
header = {"torch": torch.__version__, "python": platform.python_version(), "seed": SEED}
with open(PATH, "w") as file:
    content = {"madeBy": header, "inputSize": I, "hiddenSize": H, "batch": B, "time": T, "cells": {k: case(k) for k in CELLS}}
    json.dump(content, file, separators=(",", ":"))
    file.write("\n")
