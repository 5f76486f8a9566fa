"""A long-lived PyTorch peer: reads one JSON request a line, answers with one JSON line. Used by bench/train.mjs.

Request: {"cell", "hidden", "batch", "time", "threads", "repeats"} → {"milliseconds": [...]} of whole training steps: forward,
mean squared error on the last output, backward, clipping of the gradient's norm, Adam.
"""
import json
import sys
import time

import torch

cells = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
built = {}

print(json.dumps({"torch": torch.__version__}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    torch.set_num_threads(request["threads"])
    key = (request["cell"], request["hidden"], request["batch"], request["time"])
    if key not in built:
        hidden, batch, steps = key[1:]
        torch.manual_seed(1)
        layer = cells[key[0]](hidden, hidden, batch_first=True)
        head = torch.nn.Linear(hidden, 24)
        weights = [*layer.parameters(), *head.parameters()]
        built[key] = (layer, head, weights, torch.optim.Adam(weights, lr=1e-3), torch.randn(batch, steps, hidden), torch.randn(batch, 24))
    layer, head, weights, optimizer, x, y = built[key]
    milliseconds = []
    for _ in range(request["repeats"]):
        start = time.perf_counter()
        loss = torch.nn.functional.mse_loss(head(layer(x)[0][:, -1]), y)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        milliseconds.append((time.perf_counter() - start) * 1000)
    print(json.dumps({"milliseconds": milliseconds}), flush=True)
