"""Coefficients of the vector approximations in packages/recurra/src/backends/wasm/code/math.ts.

Each polynomial minimises the weighted error on Chebyshev nodes (iterated towards minimax by reweighting).
Run: python3 scripts/fit-approximations.py   (needs numpy)
"""
import numpy as np


def fit(target, low, high, degree, weight=lambda x: np.ones_like(x), rounds=60):
    k = np.arange(4000)
    x = (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (k + 0.5) / len(k))
    scale = max(abs(low), abs(high))
    powers = np.vander(x / scale, degree + 1, increasing=True)
    y = target(x)
    w = weight(x).copy()
    for _ in range(rounds):  # Lawson's iteration
        c, *_ = np.linalg.lstsq(powers * np.sqrt(w)[:, None], y * np.sqrt(w), rcond=None)
        error = np.abs(powers @ c - y) * weight(x)
        w = w * (error / error.max() + 1e-3)
        w /= w.sum()
    return c / scale ** np.arange(degree + 1), error.max()


def show(name, result):
    coefficients, error = result
    print(f"{name}: max weighted error {error:.2e}")
    for c in coefficients:
        print(f"  {np.float32(c)!r},")


half_ln2 = np.log(2) / 2 * 1.001
r2 = lambda x: np.where(np.abs(x) < 1e-4, 0.5 + x / 6 + x * x / 24, (np.expm1(x) - x) / np.where(x == 0, 1, x * x))
show("expm1: (e^r - 1 - r) / r^2, |r| <= ln2/2", fit(r2, -half_ln2, half_ln2, 5))
low, high = np.sqrt(0.5) - 1, np.sqrt(2) - 1
l3 = lambda f: np.where(np.abs(f) < 1e-3, 1 / 3 - f / 4 + f * f / 5 - f**3 / 6, (np.log1p(f) - f + f * f / 2) / np.where(f == 0, 1, f**3))
show("log1p: (log(1+f) - f + f^2/2) / f^3", fit(l3, low, high, 8, lambda f: f * f + 1e-3))
quarter = np.pi / 4 * 1.001
s3 = lambda z: np.where(z < 1e-4, -1 / 6 + z / 120, (np.sin(np.sqrt(z)) / np.sqrt(np.where(z == 0, 1, z)) - 1) / np.where(z == 0, 1, z))
show("sin: (sin(r)/r - 1) / r^2 in z = r^2", fit(s3, 1e-9, quarter**2, 3))
c4 = lambda z: np.where(z < 1e-2, 1 / 24 - z / 720 + z * z / 40320, (np.cos(np.sqrt(z)) - 1 + z / 2) / np.where(z == 0, 1, z * z))
show("cos: (cos(r) - 1 + z/2) / z^2 in z = r^2", fit(c4, 1e-9, quarter**2, 3))
