"""
Matrix products of PyTorch, or with a path those of that BLAS library, on one thread, for products.mjs: one JSON request a line on standard
input, one answer a line. Operands lie as recurra's do: a product of m rows with weights [n, k], or a sum of k outer products to [m, n].
"""
import ctypes
import json
import os
import sys
import time

row_major, plain, transposed = 101, 111, 112


def of_torch():
    import torch

    torch.set_num_threads(1)

    def product(kind, m, n, k):
        shapes = ((m, k), (n, k)) if kind == "gemm" else ((k, m), (k, n))
        a, b = (torch.full(shape, 0.01) for shape in shapes)
        a, b = (a, b.t()) if kind == "gemm" else (a.t(), b)
        c = torch.empty(m, n)
        return lambda: torch.mm(a, b, out=c)

    return product, torch.__version__


def of_library(path):
    sgemm = ctypes.CDLL(path).cblas_sgemm
    sgemm.argtypes = [ctypes.c_int] * 6 + [ctypes.c_float, *[ctypes.c_void_p, ctypes.c_int] * 2, ctypes.c_float, ctypes.c_void_p, ctypes.c_int]
    sgemm.restype = None

    def floats(count):
        values = (ctypes.c_float * count)()
        for i in range(count):
            values[i] = 0.01
        return values

    def product(kind, m, n, k):
        a, b, c = floats(m * k), floats(n * k), floats(m * n)
        forms = (plain, transposed) if kind == "gemm" else (transposed, plain)
        rows = (k, k) if kind == "gemm" else (m, n)
        return lambda: sgemm(row_major, *forms, m, n, k, 1.0, a, rows[0], b, rows[1], 0.0, c, n)

    return product, os.path.basename(path)


make, version = of_torch() if len(sys.argv) < 2 else of_library(sys.argv[1])
print(json.dumps({"version": version}), flush=True)
products = {}

for line in sys.stdin:
    request = json.loads(line)
    key = tuple(request[name] for name in ("kind", "m", "n", "k"))
    if key not in products:
        products[key] = make(*key)
    run = products[key]
    run()
    times, begin = 0, time.perf_counter()
    while times == 0 or time.perf_counter() - begin < request["budgetMs"] / 1000:
        run()
        times += 1
    print(json.dumps({"ms": (time.perf_counter() - begin) * 1000 / times}), flush=True)
