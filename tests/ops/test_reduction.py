"""Reductions and scans at the edges: empty, zero-dim, strided, NaN, huge, wrong, thread counts, instruction sets."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import rushlight
from tests.outcomes import assert_same as assert_same_outcome

NAMES = ["sum", "mean", "prod", "amax", "amin", "any", "all", "var", "nansum", "count_nonzero"]


def pair(*shape, seed=0):
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return rushlight.from_numpy(values.copy()), torch.from_numpy(values)


def assert_close(mine, theirs, rtol=2e-5):
    assert tuple(mine.shape) == tuple(theirs.shape)
    np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=rtol, atol=1e-5)


VIEWS = [
    lambda x: x,
    lambda x: x.transpose(0, 2),
    lambda x: x[::2, 1:, ::3],
    lambda x: x.permute(1, 2, 0)[3],
    lambda x: x[:, :1].expand(-1, 5, -1),
    lambda x: x.flip(1),
]


@pytest.mark.parametrize("view", range(len(VIEWS)))
@pytest.mark.parametrize("name", NAMES)
def test_any_dims_of_any_strides(name, view):
    mine, theirs = (VIEWS[view](x) for x in pair(13, 9, 70))
    for dim in range(theirs.dim()):
        if name == "count_nonzero":
            assert_close(mine.count_nonzero(dim), theirs.count_nonzero(dim))
        else:
            assert_close(getattr(mine, name)(dim=dim), getattr(theirs, name)(dim=dim), 1e-4)
    if name in ("sum", "mean", "amax", "var"):
        assert_close(getattr(mine, name)(dim=(0, -1)), getattr(theirs, name)(dim=(0, -1)), 1e-4)


@pytest.mark.parametrize(
    "shape", [(100_003,), (3, 70_001), (70_001, 3), (600, 700), (2, 300, 300), (40_000, 300)]
)
def test_long_reductions(shape):
    mine, theirs = pair(*shape)
    wide = theirs.double()
    for dim in (None, 0, -1):
        assert_close(mine.sum(dim), wide.sum(dim), 1e-3)
        assert_close(mine.var(dim), wide.var(dim), 1e-5)
        assert_close(mine.norm(2, dim), wide.norm(2, dim), 1e-5)
        assert_close(mine.argmax(dim), theirs.argmax(dim))
    values, indices = mine.max(0)
    expected = theirs.max(0)
    assert_close(values, expected.values)
    assert_close(indices, expected.indices)


def test_sums_lose_no_small_terms():
    ones = rushlight.ones(1 << 25)
    assert ones.sum().item() == 1 << 25
    assert (ones.view(-1, 8) * 0.1).sum(0).sub(np.float32(0.1) * (1 << 22)).abs().max().item() < 4


def test_results_do_not_depend_on_the_number_of_threads():
    x = pair(300, 40, 150)[0]
    found = []
    before = rushlight.get_num_threads()
    for threads in (1, 2, 3):
        rushlight.set_num_threads(threads)
        results = [x.sum(), x.sum(0), x.sum(2), x.mean((0, 2)), x.var(1), x.norm(), x.prod(0), x.cumsum(1)]
        results += [x.softmax(1), x.logsumexp((0, 1)), x.view(300, -1).sort(1)[0], x.std()]
        found.append([result.numpy().tobytes() for result in results])
    rushlight.set_num_threads(before)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512"])
def test_every_instruction_set(isa):
    code = (
        "import rushlight as t\n"
        "x = t.arange(70001).view(1, -1).expand(3, -1) % 7 * 1.0\n"
        "results = x.sum(), x.amax(1), x.argmax(1), x.sort(1)[0][0, 10001], x.long().sum(0)[:9], x.prod(0)[:3], "
        "x.cumsum(1)[0, -1], x.t().contiguous().sum(0)\n"
        "print([result.tolist() for result in results])"
    )
    environment = {**os.environ, "RUSHLIGHT_ISA": isa}
    ours = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=False, capture_output=True, text=True
    )
    if ours.returncode != 0 and "RUSHLIGHT_ISA" in ours.stderr:
        pytest.skip(f"this processor has no {isa}")
    command = [sys.executable, "-c", code.replace("rushlight", "torch")]
    assert ours.stdout == subprocess.run(command, check=False, capture_output=True, text=True).stdout, (
        ours.stderr
    )


@pytest.mark.parametrize(
    "name", ["max", "min", "amax", "amin", "argmax", "argmin", "cummax", "cummin", "median"]
)
def test_nan_wins(name):
    values = [[1.0, float("nan"), 3.0, float("nan")], [4.0, 2.0, 2.0, 4.0]]

    def case(t):
        result = getattr(t.tensor(values), name)(dim=1)
        return tuple(result) if isinstance(result, tuple) else result

    assert_same_outcome(case)


@pytest.mark.parametrize("name", ["argmax", "argmin", "max", "min"])
def test_the_first_of_equals(name):
    def case(t):
        x = t.tensor([[2, 1, 2, 1, 2]] * 40)
        results = getattr(x, name)(dim=1), getattr(x.t().contiguous(), name)(dim=0)
        return [tuple(result) if isinstance(result, tuple) else result for result in results]

    assert_same_outcome(case)


CASES = [
    lambda t: [getattr(t.zeros(0, 3), name)(dim=0) for name in ("sum", "prod", "any", "all", "mean")],
    lambda t: [t.zeros(0).sum(), t.zeros(0).prod(), t.zeros(2, 0).mean(), t.zeros(3, 0).sum(1)],
    lambda t: [t.tensor(3.0).sum(0), t.tensor(3.0).amax(0), t.tensor(3.0).argmax(0), t.tensor(3.0).cumsum(0)],
    lambda t: tuple(t.tensor(3.0).max(-1)),
    lambda t: [
        t.tensor([True, True]).sum(),
        t.tensor([200, 100], dtype=t.uint8).sum(),
        t.tensor([1, 0], dtype=t.uint8).any(),
    ],
    lambda t: t.ones(2, 3).sum(dim=[]),
    lambda t: t.ones(2, 3).sum((0, 0)),
    lambda t: t.ones(2, 3).sum(5),
    lambda t: t.ones(2, 3).mean(dtype=t.int64),
    lambda t: t.arange(3).mean(),
    lambda t: t.arange(3).var(),
    lambda t: t.zeros(0).max(),
    lambda t: t.zeros(0).argmax(),
    lambda t: t.zeros(2, 0).max(1),
    lambda t: t.zeros(2, 0).amax(1),
    lambda t: t.zeros(2, 0).argmin(1),
    lambda t: t.zeros(0).amin(),
    lambda t: t.aminmax(t.zeros(0)),
    lambda t: t.zeros(2, dtype=t.complex64).max(),
    lambda t: t.zeros(2, dtype=t.complex64).argmax(),
    lambda t: t.nansum(t.zeros(2, dtype=t.complex64)),
    lambda t: t.zeros(2, dtype=t.complex64).cummax(0),
    lambda t: t.linalg.vector_norm(t.zeros(2, 0), float("inf"), 1),
    lambda t: t.ones(3).cumsum(2),
    lambda t: t.tensor([2.0, 0.0, 3.0]).cumprod(0),
    lambda t: t.tensor([1e30, 1e30, -1e30, -1e30]).sum(),
    lambda t: t.tensor([1000.0, 1000.0]).logsumexp(0),
    lambda t: t.full((2,), -float("inf")).logsumexp(0),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_the_same_as_pytorch(case):
    assert_same_outcome(CASES[case])


def gradients(t, function, values):
    x = t.tensor(values, dtype=t.float64, requires_grad=True)
    (first,) = t.autograd.grad(function(t, x).sum(), x, create_graph=True)
    second = t.autograd.grad((first * first).sum(), x, allow_unused=True)[0] if first.requires_grad else None
    return [grad.tolist() for grad in (first.detach(), second) if grad is not None]


ZEROS = [[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [1.0, 2.0, 3.0]]


@pytest.mark.parametrize(
    "function",
    ["prod()", "prod(1)", "prod(0, True)", "cumprod(1)", "amax(1)", "norm(3, 1)", "var(1)", "std()"],
)
def test_gradients_where_elements_are_zero(function):
    def run(t):
        return gradients(t, lambda t, x: eval(f"x.{function}", {"x": x}) * 1.5, ZEROS)

    for mine, theirs in zip(run(rushlight), run(torch)):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "float32", "int64"])
def test_truth_of_nothing_is_a_proper_bool(dtype: str) -> None:
    nothing = rushlight.zeros(3, 0, dtype=getattr(rushlight, dtype))
    for result, expected in (
        (nothing.all(), 1),
        (nothing.all(1), 1),
        (nothing.any(), 0),
        (nothing.any(1), 0),
    ):
        assert result.to(rushlight.bool).view(rushlight.uint8).eq(expected).all().item()


@pytest.mark.parametrize("order", [float("inf"), -float("inf")])
def test_gradients_of_extreme_norms_find_the_magnitudes_of_complex_numbers(order):
    parts = pair(40, 7, 2)
    gradients = []
    for t, values in zip((rushlight, torch), parts, strict=True):
        x = t.view_as_complex(values).requires_grad_()
        t.linalg.vector_norm(x, order, 1).sum().backward()
        gradients.append(t.view_as_real(x.grad).numpy())
    np.testing.assert_allclose(*gradients, rtol=1e-5, atol=1e-6)
