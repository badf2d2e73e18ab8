"""Softmax, losses, normalization and embedding at the edges, and their second gradients."""

import math

import numpy as np
import pytest
import torch

import rushlight
from tests.outcomes import assert_same

INFINITY = float("inf")

EXACT = [
    lambda t: t.tensor([[INFINITY, 0.0], [-INFINITY, -INFINITY]]).softmax(1),
    lambda t: t.zeros(0, 3).softmax(1),
    lambda t: t.zeros(3, 0).softmax(1),
    lambda t: t.tensor(2.0).softmax(0),
    lambda t: t.zeros(2, 2).softmax(3),
    lambda t: t.zeros(2, 2).long().softmax(1),
    lambda t: t._safe_softmax(t.tensor([[-INFINITY, -INFINITY]]), 1),
    lambda t: t.nn.functional.cross_entropy(t.zeros(2, 4), t.tensor([7, 1])),
    lambda t: t.nn.functional.cross_entropy(t.zeros(2, 4), t.tensor([-1, 1])),
    lambda t: t.nn.functional.cross_entropy(t.zeros(2, 4), t.tensor([1, 1, 1])),
    lambda t: t.nn.functional.cross_entropy(t.zeros(2, 4), t.tensor([1.0, 1.0])),
    lambda t: t.nn.functional.cross_entropy(t.zeros(2, 4), t.tensor([1, 1]), weight=t.ones(3)),
    lambda t: t.nn.functional.cross_entropy(t.zeros(2, 4), t.tensor([1, 1]), label_smoothing=2.0),
    lambda t: t.nn.functional.cross_entropy(t.zeros(2, 4), t.tensor([-100, -100])),
    lambda t: t.nn.functional.cross_entropy(t.zeros(2, 4), t.tensor([-100, -100]), reduction="sum"),
    lambda t: t.nn.functional.nll_loss(t.zeros(2, 4), t.tensor([7, 1])),
    lambda t: t.nn.functional.embedding(t.tensor([5]), t.zeros(3, 2)),
    lambda t: t.nn.functional.embedding(t.tensor([-1]), t.zeros(3, 2)),
    lambda t: t.nn.functional.embedding(t.tensor([1.0]), t.zeros(3, 2)),
    lambda t: t.nn.functional.layer_norm(t.zeros(2, 3), (2,)),
    lambda t: t.nn.functional.layer_norm(t.zeros(2, 3), (3,), t.ones(2)),
    lambda t: t.nn.functional.group_norm(t.zeros(2, 3, 4), 2),
    lambda t: t.nn.functional.batch_norm(t.zeros(2, 3), t.zeros(3), t.ones(2), training=True),
    lambda t: t.nn.functional.batch_norm(t.zeros(1, 3), t.zeros(3), t.ones(3), training=True),
]


@pytest.mark.parametrize("case", range(len(EXACT)))
def test_the_same_as_pytorch(case):
    assert_same(EXACT[case])


def values(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


X, W, B = values(4, 6, 5), values(6, seed=1), values(6, seed=2)
TARGET = np.array([[0, 5, 2, -100, 1]] * 4)

FUNCTIONS = {
    "softmax": lambda t, x, w, b: x.softmax(1),
    "log_softmax": lambda t, x, w, b: x.log_softmax(-1),
    "cross_entropy": lambda t, x, w, b: t.nn.functional.cross_entropy(x[:, :, 0], t.tensor([1, 0, -100, 5])),
    "cross_entropy_nd": lambda t, x, w, b: t.nn.functional.cross_entropy(
        x, t.from_numpy(TARGET), w.detach().exp()
    ),
    "smoothed": lambda t, x, w, b: t.nn.functional.cross_entropy(
        x, t.from_numpy(TARGET), w.detach().exp(), label_smoothing=0.3
    ),
    "layer_norm": lambda t, x, w, b: t.nn.functional.layer_norm(x.transpose(1, 2), (6,), w, b),
    "rms_norm": lambda t, x, w, b: t.nn.functional.rms_norm(x.transpose(1, 2), (6,), w, 1e-5),
    "group_norm": lambda t, x, w, b: t.nn.functional.group_norm(x, 3, w, b),
    "batch_norm": lambda t, x, w, b: t.nn.functional.batch_norm(x, None, None, w, b, training=True),
    "batch_norm_eval": lambda t, x, w, b: t.nn.functional.batch_norm(
        x, b.detach(), w.detach().exp(), w, b, training=False
    ),
    "embedding": lambda t, x, w, b: t.nn.functional.embedding(t.tensor([[0, 2], [2, 1]]), x[0], 1),
    "mse_loss": lambda t, x, w, b: t.nn.functional.mse_loss(x[:, 0], x[:, 1]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_first_and_second_gradients(name):
    def run(t):
        leaves = [t.from_numpy(item.copy()).requires_grad_(True) for item in (X, W, B)]
        out = FUNCTIONS[name](t, *leaves)
        weights = t.from_numpy(np.cos(np.arange(out.numel())).reshape(tuple(out.shape)))
        first = t.autograd.grad((out * weights).sum(), leaves, create_graph=True, allow_unused=True)
        total = sum((grad * grad).sum() for grad in first if grad is not None)
        second = t.autograd.grad(total, leaves, allow_unused=True) if total.requires_grad else ()
        plain = t.autograd.grad((FUNCTIONS[name](t, *leaves) * weights).sum(), leaves, allow_unused=True)
        return [None if g is None else g.detach().numpy() for g in (out, *first, *plain, *second)]

    for mine, theirs in zip(run(rushlight), run(torch)):
        if mine is None or theirs is None:
            assert all(item is None or not item.any() for item in (mine, theirs))
        else:
            np.testing.assert_allclose(mine, theirs, rtol=1e-7, atol=1e-10)


def test_running_statistics_move():
    def run(t):
        mean, var = t.zeros(6), t.ones(6)
        t.nn.functional.batch_norm(t.from_numpy(X.astype(np.float32)), mean, var, training=True, momentum=0.3)
        return mean.numpy(), var.numpy()

    for mine, theirs in zip(run(rushlight), run(torch)):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)


def test_large_logits_do_not_overflow():
    logits = rushlight.tensor([[1e4, -1e4], [0.0, 1e30]])
    loss = rushlight.nn.functional.cross_entropy(logits, rushlight.tensor([0, 1]))
    assert loss.item() == 0 and not math.isnan(logits.log_softmax(1).sum().item())
