"""Golden values of losses for test/golden-losses.test.ts. Run: /usr/bin/python3 scripts/golden-pytorch-losses.py

Everything is computed in float64 and written with 9 significant digits.
"""
import json
import math
import os
import platform

import torch
from torch.nn import functional

SEED = 20241121
PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "test", "golden", "pytorch-more-losses.json")


def numbers(tensor):
    return [float(f"{value:.9g}") for value in tensor.detach().reshape(-1).tolist()]


def draw(*shape):
    return torch.tensor(numbers(torch.randn(*shape).double() * 1.5)).double().reshape(*shape).requires_grad_()


def softplus(x):
    return functional.softplus(x)


def case(features, targets, target, function):
    """features and targets per row; `function` of the prediction [rows, features]."""
    prediction = draw(ROWS, features)
    value = function(prediction)
    value.backward()
    return {"features": features, "targets": targets, "prediction": numbers(prediction),
            "target": numbers(target.double()), "value": float(value), "gradient": numbers(prediction.grad)}


def gaussian(p):
    p = p.reshape(ROWS, 2, 2)
    return -torch.distributions.Normal(p[..., 0], softplus(p[..., 1]) + 1e-6).log_prob(REAL).mean()


def student(p):
    p = p.reshape(ROWS, 2, 3)
    freedom = 2 + softplus(p[..., 2])
    return -torch.distributions.StudentT(freedom, p[..., 0], softplus(p[..., 1]) + 1e-6).log_prob(REAL).mean()


def negative_binomial(p):
    p = p.reshape(ROWS, 2, 2)
    mean, dispersion = softplus(p[..., 0]) + 1e-6, softplus(p[..., 1]) + 1e-3
    scaled = mean * dispersion
    return -torch.distributions.NegativeBinomial(1 / dispersion, probs=scaled / (1 + scaled)).log_prob(COUNTS).mean()


def mixture(p):
    p = p.reshape(ROWS, 2, 9)
    weights = torch.distributions.Categorical(logits=p[..., :3])
    parts = torch.distributions.Normal(p[..., 3:6], softplus(p[..., 6:]) + 1e-6)
    return -torch.distributions.MixtureSameFamily(weights, parts).log_prob(REAL).mean()


def ctc():
    time, classes, most = 7, 4, 4
    lengths = [7, 6, 3, 4, 3, 5, 1]
    labels = [[1, 2, 3, 1], [2, 2], [1, 1, 1], [], [3, 1, 2], [2], [1, 2]]
    logits = draw(len(labels), time, classes)
    padded = torch.tensor([row + [0] * (most - len(row)) for row in labels])
    each = functional.ctc_loss(
        functional.log_softmax(logits, 2).transpose(0, 1), padded, torch.tensor(lengths),
        torch.tensor([len(row) for row in labels]), reduction="none", zero_infinity=False)
    impossible = int(torch.isinf(each).sum())
    value = functional.ctc_loss(
        functional.log_softmax(logits, 2).transpose(0, 1), padded, torch.tensor(lengths),
        torch.tensor([len(row) for row in labels]), reduction="none", zero_infinity=True)
    # PyTorch refuses nothing here: rows whose target cannot be said are infinite, and 0 with zero_infinity.
    loss = value.sum() / (len(labels) - impossible)
    loss.backward()
    return {"batch": len(labels), "time": time, "classes": classes, "most": most, "lengths": lengths,
            "labels": padded.reshape(-1).tolist(), "labelLengths": [len(row) for row in labels],
            "logits": numbers(logits), "value": float(loss), "impossible": impossible, "gradient": numbers(logits.grad)}


torch.manual_seed(SEED)
ROWS = 5
REAL = draw(ROWS, 2).detach()
COUNTS = torch.randint(12, (ROWS, 2)).double()
COUNTS[0, 0] = 0
CLASSES = torch.randint(4, (ROWS, 1))
WEIGHTS = torch.tensor([0.5, 2, 1, 0.25]).double()
VECTORS = draw(ROWS, 4).detach()
OTHERS = draw(ROWS, 4).detach()
LABELS = torch.tensor([1, -1, -1, 1, -1]).double()

cross_entropy = functional.cross_entropy
cases = {
    "smoothed": case(4, 1, CLASSES, lambda p: cross_entropy(p, CLASSES[:, 0], label_smoothing=0.1)),
    "classWeights": case(4, 1, CLASSES, lambda p: cross_entropy(p, CLASSES[:, 0], weight=WEIGHTS)),
    "both": case(4, 1, CLASSES, lambda p: cross_entropy(p, CLASSES[:, 0], weight=WEIGHTS, label_smoothing=0.2)),
    "gaussian": case(4, 2, REAL, gaussian),
    "studentT": case(6, 2, REAL, student),
    "poisson": case(2, 2, COUNTS, lambda p: -torch.distributions.Poisson(torch.exp(p)).log_prob(COUNTS).mean()),
    "negativeBinomial": case(4, 2, COUNTS, negative_binomial),
    "mixtureDensity": case(18, 2, REAL, mixture),
    "cosineDistance": case(4, 4, VECTORS, lambda p: (1 - functional.cosine_similarity(p, VECTORS)).mean()),
    "cosinePairs": case(4, 4, VECTORS, lambda p: functional.cosine_embedding_loss(p, VECTORS, LABELS, margin=0.1)),
    "triplet": case(4, 4, VECTORS, lambda p: functional.triplet_margin_loss(p, VECTORS, OTHERS, margin=0.7)),
}
gamma = [1e-3, 0.1, 0.5, 1, 1.5, 2, 3.7, 10, 123.4, 1e4]
with open(PATH, "w") as file:
    header = {"torch": torch.__version__, "python": platform.python_version(), "seed": SEED}
    content = {"rows": ROWS, "classWeights": numbers(WEIGHTS), "others": numbers(OTHERS), "labels": numbers(LABELS),
               "cases": cases, "ctc": ctc(), "logGamma": {"x": gamma, "value": [math.lgamma(x) for x in gamma],
               "digamma": numbers(torch.digamma(torch.tensor(gamma).double()))}}
    json.dump({"madeBy": header, **content}, file, separators=(",", ":"))
    file.write("\n")
