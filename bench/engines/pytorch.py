"""PyTorch as a subject of the bench: one JSON request a line on standard input, one answer a line. See serve.mjs."""
import json
import sys
import time

import torch

BLOCKS = {"rnn": ["h"], "gru": ["z", "r", "h"], "lstm": ["i", "f", "g", "o"]}
PYTORCH_BLOCKS = {"rnn": ["h"], "gru": ["r", "z", "h"], "lstm": ["i", "f", "g", "o"]}
CELLS = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
TARGETS = 24
VOCABULARY = 10_000
STREAM_STEPS = 20


def hashed(count, seed):
    """The function of numbers.mjs, in 64-bit arithmetic kept to 32 bits."""
    h = (torch.arange(count, dtype=torch.int64) + seed * 0x9E3779B1) & 0xFFFFFFFF
    for _ in range(2):
        h = ((h ^ (h >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    return h ^ (h >> 16)


def spread(count, seed, scale):
    return ((hashed(count, seed).double() / 2**31 - 1) * scale).float()


def repeated(rows, batch):
    return rows.repeat(batch // rows.shape[0], *[1] * (rows.dim() - 1))


def distinct_rows(job):
    return min(job["batch"], 2 if job["hidden"] >= 200 else 4)


def fill_layer(layer, cell, hidden, number):
    """Stacked weights in the bench's order of blocks into PyTorch's. Biases of the recurrent product are 0 but for rb of gru."""
    order = [BLOCKS[cell].index(block) for block in PYTORCH_BLOCKS[cell]]
    count = len(order)
    scale = hidden**-0.5

    def stacked(seed, *rest):
        parts = spread(count * hidden * (rest[0] if rest else 1), seed, scale).reshape(count, hidden, *rest)
        return parts[order].reshape(count * hidden, *rest)

    with torch.no_grad():
        getattr(layer, f"weight_ih_l{number}").copy_(stacked(10 * number + 1, hidden))
        getattr(layer, f"weight_hh_l{number}").copy_(stacked(10 * number + 2, hidden))
        getattr(layer, f"bias_ih_l{number}").copy_(stacked(10 * number + 3))
        recurrent = getattr(layer, f"bias_hh_l{number}")
        recurrent.zero_()
        if cell == "gru":
            recurrent[2 * hidden :].copy_(spread(hidden, 10 * number + 4, scale))


def fill_head(head, hidden):
    with torch.no_grad():
        head.weight.copy_(spread(head.weight.numel(), 101, hidden**-0.5).reshape(head.weight.shape))
        head.bias.copy_(spread(head.bias.numel(), 102, hidden**-0.5))


def recurrent_norm(layer, head, cell, hidden):
    """Of the gradient of the weights that recurra has: its cells keep one bias where PyTorch adds two."""
    gradients = [p.grad for name, p in layer.named_parameters() if not name.startswith("bias_hh")]
    gradients += [p.grad for p in head.parameters()]
    if cell == "gru":
        gradients.append(layer.bias_hh_l0.grad[2 * hidden :])
    return torch.sqrt(sum((g.double() ** 2).sum() for g in gradients)).item()


class Grid:
    """A recurrent layer and a dense one on its last output. Training: mean squared error, clipping, Adam."""

    def __init__(self, job):
        self.job = job
        cell, hidden, batch, steps = (job[key] for key in ("cell", "hidden", "batch", "time"))
        self.layer = CELLS[cell](hidden, hidden, batch_first=True)
        self.head = torch.nn.Linear(hidden, TARGETS)
        fill_layer(self.layer, cell, hidden, 0)
        fill_head(self.head, hidden)
        rows = distinct_rows(job)
        self.x = repeated(spread(rows * steps * hidden, 201, 1).reshape(rows, steps, hidden), batch)
        self.y = repeated(spread(rows * TARGETS, 202, 1).reshape(rows, TARGETS), batch)
        self.weights = [*self.layer.parameters(), *self.head.parameters()]
        self.optimizer = torch.optim.Adam(self.weights, lr=1e-3)

    def forward(self):
        return self.head(self.layer(self.x)[0][:, -1])

    def backward(self):
        loss = torch.nn.functional.mse_loss(self.forward(), self.y)
        self.optimizer.zero_grad()
        loss.backward()
        return loss

    def check(self):
        if self.job["work"] == "forward":
            with torch.no_grad():
                return {"output": self.forward().flatten().tolist()}
        loss = self.backward().item()
        return {"loss": loss, "gradientNorm": recurrent_norm(self.layer, self.head, self.job["cell"], self.job["hidden"])}

    def run(self):
        if self.job["work"] == "forward":
            with torch.no_grad():
                self.forward()
            return
        self.backward()
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimizer.step()


class Language:
    """Embedding, two LSTM layers, a dense layer over the vocabulary, cross-entropy, SGD."""

    def __init__(self, job):
        hidden, batch, steps = job["hidden"], job["batch"], job["time"]
        self.table = torch.nn.Embedding(VOCABULARY, hidden)
        self.layer = torch.nn.LSTM(hidden, hidden, num_layers=2, batch_first=True)
        self.head = torch.nn.Linear(hidden, VOCABULARY)
        with torch.no_grad():
            self.table.weight.copy_(spread(VOCABULARY * hidden, 301, 0.1).reshape(VOCABULARY, hidden))
        for number in range(2):
            fill_layer(self.layer, "lstm", hidden, number)
        fill_head(self.head, hidden)
        rows = distinct_rows(job)
        self.tokens, self.next = (repeated((hashed(rows * steps, seed) % VOCABULARY).reshape(rows, steps), batch) for seed in (302, 303))
        weights = [*self.table.parameters(), *self.layer.parameters(), *self.head.parameters()]
        self.optimizer = torch.optim.SGD(weights, lr=0.1)

    def backward(self):
        logits = self.head(self.layer(self.table(self.tokens))[0])
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, VOCABULARY), self.next.reshape(-1))
        self.optimizer.zero_grad()
        loss.backward()
        return loss

    def check(self):
        return {"loss": self.backward().item()}

    def run(self):
        self.backward()
        self.optimizer.step()


class Stream:
    """One timestep at a time, batch 1, the state handed on."""

    repeats = STREAM_STEPS

    def __init__(self, job):
        hidden = job["hidden"]
        self.layer = CELLS[job["cell"]](hidden, hidden, batch_first=True)
        fill_layer(self.layer, job["cell"], hidden, 0)
        self.xs = spread(5 * hidden, 201, 1).reshape(5, 1, 1, hidden)
        self.state = None

    def step(self, t):
        with torch.no_grad():
            output, self.state = self.layer(self.xs[t], self.state)
        return output

    def check(self):
        for t in range(5):
            output = self.step(t)
        return {"output": output.flatten().tolist()}

    def run(self):
        for i in range(STREAM_STEPS):
            self.step(i % 5)


WORKS = {"train": Grid, "forward": Grid, "language": Language, "stream": Stream}


def timed(work, budget, most):
    milliseconds = []
    begin, used = time.perf_counter(), time.process_time()
    work.run()
    while not milliseconds or (len(milliseconds) < most and (time.perf_counter() - begin) * 1000 < budget):
        start = time.perf_counter()
        work.run()
        milliseconds.append((time.perf_counter() - start) * 1000 / getattr(work, "repeats", 1))
    return {"milliseconds": milliseconds, "busy": (time.process_time() - used) / (time.perf_counter() - begin)}


def say(answer):
    print(json.dumps(answer), flush=True)


say({"engine": "pytorch", "version": f"PyTorch {torch.__version__}"})
current = None
for line in sys.stdin:
    request = json.loads(line)
    try:
        if "job" in request:
            current = None
            torch.set_num_threads(request["job"]["threads"])
            current = WORKS[request["job"]["work"]](request["job"])
            checked = current.check()
            current.run()
            say({"checked": checked, "about": {}})
        else:
            say(timed(current, request["budgetMs"], request["most"]))
    except Exception as error:  # An engine that fails at one job goes on with the next.
        say({"failed": repr(error)})
