"""Golden values from PyTorch for test/golden-pytorch.test.ts. Run: /usr/bin/python3 scripts/golden-pytorch.py

Everything is computed in float64 and written with 9 significant digits, so that the files hold the function and not one
machine's rounding. Weights keep PyTorch's names and layout; the test converts them.
"""
import json
import os
import platform

import torch

SEED = 20240607
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "test", "golden")


def numbers(tensor):
    return [float(f"{value:.9g}") for value in tensor.detach().reshape(-1).tolist()]


def write(name, content):
    header = {"torch": torch.__version__, "python": platform.python_version(), "seed": SEED}
    with open(os.path.join(FOLDER, name), "w") as file:
        json.dump({"madeBy": header, **content}, file, separators=(",", ":"))
        file.write("\n")


def recurrent(kind, layers, bidirectional):
    inputs, hidden, batch, time = 3, 5, 4, 6
    lengths = [6, 2, 4, 1]
    options = dict(num_layers=layers, bidirectional=bidirectional, batch_first=True)
    if kind in ("tanh", "relu"):
        net = torch.nn.RNN(inputs, hidden, nonlinearity=kind, **options)
    else:
        net = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[kind](inputs, hidden, **options)
    net = net.double()
    for parameter in net.parameters():
        parameter.data.normal_(0, 0.5)
    directions = 2 if bidirectional else 1
    x = torch.randn(batch, time, inputs).double().requires_grad_()
    states = [torch.randn(layers * directions, batch, hidden).double() * 0.5 for _ in range(2 if kind == "lstm" else 1)]
    for state in states:
        state.requires_grad_()
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    output, final = net(packed, tuple(states) if kind == "lstm" else states[0])
    output, _ = torch.nn.utils.rnn.pad_packed_sequence(output, batch_first=True, total_length=time)
    finals = list(final) if kind == "lstm" else [final]
    # loss = Σ v ⊙ output + Σ ½ final², over every state
    v = torch.randn(output.shape).double()
    loss = (v * output).sum() + sum(0.5 * (state * state).sum() for state in finals)
    loss.backward()
    names = ["h", "c"]
    return {
        "cell": kind, "layers": layers, "bidirectional": bidirectional,
        "inputSize": inputs, "hiddenSize": hidden, "batch": batch, "time": time, "lengths": lengths,
        "x": numbers(x), "v": numbers(v),
        "initial": {name: numbers(state) for name, state in zip(names, states)},
        "weights": {name: numbers(weight) for name, weight in net.named_parameters()},
        "loss": float(loss), "output": numbers(output),
        "final": {name: numbers(state) for name, state in zip(names, finals)},
        "gradients": {
            "x": numbers(x.grad),
            "initial": {name: numbers(state.grad) for name, state in zip(names, states)},
            "weights": {name: numbers(weight.grad) for name, weight in net.named_parameters()},
        },
    }


def optimizers():
    """Linear regression on fixed data: the weights after each step."""
    x = torch.randn(6, 3).double()
    y = torch.randn(6, 2).double()
    start = torch.randn(2, 3).double()
    rows = {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
        "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        "nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
        "adam": lambda p: torch.optim.Adam(p, lr=0.05),
        "adamOwnBetas": lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.7, 0.9), eps=1e-3),
        "adamW": lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.1),
        "amsGrad": lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.9, 0.5), amsgrad=True),
        "rmsProp": lambda p: torch.optim.RMSprop(p, lr=0.05),
        "rmsPropCentered": lambda p: torch.optim.RMSprop(p, lr=0.05, alpha=0.9, momentum=0.5, centered=True),
        "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1),
        "adadelta": lambda p: torch.optim.Adadelta(p, lr=1.0),
        "averagedSgd": lambda p: torch.optim.ASGD(p, lr=0.1, lambd=0.05, t0=2),
    }
    averages = []
    trajectories = {}
    for name, make in rows.items():
        w = start.clone().requires_grad_()
        optimizer = make([w])
        steps = []
        for _ in range(6):
            optimizer.zero_grad()
            loss = ((x @ w.T - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            steps.append(numbers(w))
            if name == "averagedSgd":
                averages.append(numbers(optimizer.state[w]["ax"]))
        trajectories[name] = steps
    return {"x": numbers(x), "y": numbers(y), "start": numbers(start), "trajectories": trajectories,
            "averages": averages, "plateau": plateau()}


def plateau():
    """The factor of the rate after each epoch's validation loss."""
    validation = [5, 4, 4, 4.1, 4, 3.9, 3.95, 3.92, 3.99, 3.8999, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2.1, 2.2, 2.3]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=2, threshold=0.01, cooldown=1, min_lr=0.1)
    factors = []
    for loss in validation:
        schedule.step(loss)
        factors.append(optimizer.param_groups[0]["lr"])
    return {"losses": validation, "factors": factors}


def losses():
    rows, classes = 5, 4
    logits = (torch.randn(rows, classes).double() * 3).requires_grad_()
    index = torch.randint(classes, (rows,))
    real = torch.randn(rows, classes).double() * 2
    bits = torch.randint(2, (rows, classes)).double()
    functions = {
        "mse": lambda: torch.nn.functional.mse_loss(logits, real),
        "mae": lambda: torch.nn.functional.l1_loss(logits, real),
        "huber": lambda: torch.nn.functional.huber_loss(logits, real, delta=1.0),
        "huberWide": lambda: torch.nn.functional.huber_loss(logits, real, delta=2.5),
        "crossEntropy": lambda: torch.nn.functional.cross_entropy(logits, index),
        "binaryCrossEntropy": lambda: torch.nn.functional.binary_cross_entropy_with_logits(logits, bits),
    }
    cases = {}
    for name, function in functions.items():
        logits.grad = None
        value = function()
        value.backward()
        cases[name] = {"value": float(value), "gradient": numbers(logits.grad)}
    return {"rows": rows, "classes": classes, "prediction": numbers(logits), "real": numbers(real),
            "bits": numbers(bits), "index": index.tolist(), "cases": cases}


torch.manual_seed(SEED)
for cell in ("tanh", "relu", "gru", "lstm"):
    write(f"pytorch-{cell}.json", {"cases": [recurrent(cell, layers, both) for layers in (1, 2) for both in (False, True)]})
write("pytorch-optimizers.json", optimizers())
write("pytorch-losses.json", losses())
