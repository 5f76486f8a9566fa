"""Matrix products of PyTorch on one thread, for products.mjs: one JSON request a line on standard input, one answer a line."""
import json
import sys
import time

import torch

torch.set_num_threads(1)
print(json.dumps({"version": torch.__version__}), flush=True)
operands = {}


def operands_of(kind, m, n, k):
    """A product of m rows, or a sum of k outer products; operands lie as recurra's do."""
    shapes = ((m, k), (n, k)) if kind == "gemm" else ((k, m), (k, n))
    a, b = (torch.full(shape, 0.01) for shape in shapes)
    return (a, b.t()) if kind == "gemm" else (a.t(), b)


for line in sys.stdin:
    request = json.loads(line)
    key = tuple(request[name] for name in ("kind", "m", "n", "k"))
    if key not in operands:
        operands[key] = *operands_of(*key), torch.empty(key[1], key[2])
    a, b, c = operands[key]
    torch.mm(a, b, out=c)
    times, begin = 0, time.perf_counter()
    while times == 0 or time.perf_counter() - begin < request["budgetMs"] / 1000:
        torch.mm(a, b, out=c)
        times += 1
    print(json.dumps({"ms": (time.perf_counter() - begin) * 1000 / times}), flush=True)
