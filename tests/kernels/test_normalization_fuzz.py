"""Normalizations and their gradients against float64 NumPy, with equal bits for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rushlight
from rushlight import Tensor
from rushlight.nn import functional as F

KINDS = ["batch", "layer", "group", "instance", "rms"]


def statistics_axes(kind: str, rank: int) -> tuple[int, ...]:
    if kind == "batch":
        return (0, *range(2, rank))
    return (rank - 1,) if kind in ("layer", "rms") else tuple(range(2, rank))


def apply(kind: str, x: Tensor, weight: Tensor, bias: Tensor, groups: int) -> Tensor:
    if kind == "batch":
        return F.batch_norm(x, None, None, weight, bias, training=True)
    if kind == "layer":
        return F.layer_norm(x, x.shape[-1:], weight, bias)
    if kind == "rms":
        return F.rms_norm(x, x.shape[-1:], weight, 1e-5)
    if kind == "group":
        return F.group_norm(x, groups, weight, bias)
    return F.instance_norm(x, weight=weight, bias=bias)


def reference(
    kind: str, x: np.ndarray, g: np.ndarray, weight: np.ndarray, bias: np.ndarray, groups: int
) -> list[np.ndarray]:
    """The output and the gradients of input, weight and bias, by the textbook's formulas."""
    shape = x.shape
    over_last = kind in ("layer", "rms")
    spread = weight if over_last else weight.reshape(-1, *[1] * (x.ndim - 2))
    shift = 0 if kind == "rms" else bias if over_last else bias.reshape(spread.shape)
    rows, h = x, g * spread
    axes = statistics_axes(kind, x.ndim)
    if kind == "group":
        rows, h, axes = x.reshape(shape[0], groups, -1), h.reshape(shape[0], groups, -1), (2,)
    center = rows if kind == "rms" else rows - rows.mean(axes, keepdims=True)
    rstd = 1 / np.sqrt((center * center).mean(axes, keepdims=True) + 1e-5)
    z = center * rstd
    inner = h - z * (h * z).mean(axes, keepdims=True)
    if kind != "rms":
        inner = inner - h.mean(axes, keepdims=True)
    z, gradient = z.reshape(shape), (rstd * inner).reshape(shape)
    summed = tuple(range(x.ndim - 1)) if over_last else (0, *range(2, x.ndim))
    return [z * spread + shift, gradient, (g * z).sum(summed), g.sum(summed)]


def run(
    kind: str, x: Tensor, g: Tensor, weight: Tensor, bias: Tensor, groups: int, channels_last: bool = False
) -> list[Tensor]:
    memory = rushlight.channels_last if channels_last else rushlight.contiguous_format
    leaves = [v.clone().contiguous(memory_format=memory) if v.dim() == 4 else v for v in (x, weight, bias)]
    leaves = [v.detach().requires_grad_() for v in leaves]
    out = apply(kind, *leaves, groups)
    out.backward(g)
    return [out.detach(), *(leaf.grad for leaf in leaves)]


def draw(random: np.random.Generator, kind: str, shape: tuple[int, ...], dtype: str) -> list[Tensor]:
    width = shape[-1] if kind in ("layer", "rms") else shape[1]
    sizes = [shape, shape, (width,), (width,)]
    values = [random.standard_normal(size) for size in sizes]
    values[0] += 3
    return [rushlight.tensor(value, dtype=getattr(rushlight, dtype)) for value in values]


def wide(tensor: Tensor) -> np.ndarray:
    return tensor.double().numpy()


TOLERANCE = {"float64": 1e-9, "float32": 2e-4, "float16": 4e-3, "bfloat16": 3e-2}


@settings(max_examples=120, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    batch=st.integers(1, 70),
    groups=st.integers(1, 4),
    channels=st.integers(1, 20),
    inner=st.sampled_from([(), (1,), (3,), (17,), (64,), (5, 7), (100,)]),
    dtype=st.sampled_from(sorted(TOLERANCE)),
    channels_last=st.booleans(),
    threads=st.sampled_from([1, 2, 3, 8]),
    seed=st.integers(0, 1000),
)
def test_values_and_gradients(
    kind: str,
    batch: int,
    groups: int,
    channels: int,
    inner: tuple[int, ...],
    dtype: str,
    channels_last: bool,
    threads: int,
    seed: int,
) -> None:
    shape = (batch, groups * channels, *inner)
    per_statistic = np.prod([shape[a] for a in statistics_axes(kind, len(shape))], dtype=int)
    if kind == "group":
        per_statistic = channels * int(np.prod(inner, dtype=int))
    if per_statistic < 4 or (kind == "instance" and not inner):
        shape, inner = (batch + 4, groups * channels, 8), (8,)
    values = draw(np.random.default_rng(seed), kind, shape, dtype)
    expected = reference(kind, *(wide(v) for v in values), groups)
    tolerance = TOLERANCE[dtype]
    before = rushlight.get_num_threads()
    rushlight.set_num_threads(threads)
    try:
        found = run(kind, *values, groups, channels_last)
    finally:
        rushlight.set_num_threads(before)
    if channels_last and len(shape) == 4 and kind in ("batch", "group"):
        assert found[0].is_contiguous(memory_format=rushlight.channels_last)
    for mine, theirs in zip(found, expected, strict=True):
        if mine is None:  # rms_norm has no bias
            continue
        scale = tolerance * max(1.0, float(np.abs(theirs).max()))
        np.testing.assert_allclose(wide(mine), theirs, rtol=tolerance, atol=scale)


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(*(st.integers(1, 9) for _ in range(4))),
    dtype=st.sampled_from(sorted(TOLERANCE)),
    channels_last=st.booleans(),
    affine=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_batch_norm_with_given_statistics(
    shape: tuple[int, ...], dtype: str, channels_last: bool, affine: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    x, g, weight, bias = draw(random, "batch", shape, dtype)
    if channels_last:
        x = x.contiguous(memory_format=rushlight.channels_last)
    x.requires_grad_()
    mean, variance = rushlight.tensor(random.random((2, shape[1])) + 1).float()
    out = F.batch_norm(x, mean, variance, *((weight, bias) if affine else ()))
    (gradient,) = rushlight.autograd.grad(out, x, g)
    column = (-1, 1, 1)
    scale = 1 / np.sqrt(wide(variance).reshape(column) + 1e-5)
    shift = wide(bias).reshape(column) if affine else 0
    if affine:
        scale = scale * wide(weight).reshape(column)
    tolerance = {"rtol": TOLERANCE[dtype], "atol": 5 * TOLERANCE[dtype]}
    expected = (wide(x.detach()) - wide(mean).reshape(column)) * scale + shift
    np.testing.assert_allclose(wide(out.detach()), expected, **tolerance)
    np.testing.assert_allclose(wide(gradient), wide(g) * scale, **tolerance)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(0, 4, 5), (3, 4, 0), (0, 4, 0)])
def test_empty(kind: str, shape: tuple[int, ...]) -> None:
    if kind == "instance" or (kind == "batch" and shape[2] == 0):
        return  # refused, as PyTorch does
    values = draw(np.random.default_rng(0), kind, shape, "float32")
    out, gradient, *_ = run(kind, *values, 2)
    assert tuple(out.shape) == tuple(gradient.shape) == shape


@pytest.mark.parametrize("shape", [(4000, 3), (300, 7, 50), (2, 5, 40_000)])
def test_batch_statistics_far_from_zero(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    x = (random.standard_normal(shape) + 1000).astype(np.float32)
    mean, variance = rushlight.zeros(shape[1]), rushlight.zeros(shape[1])
    F.batch_norm(rushlight.from_numpy(x), mean, variance, training=True, momentum=1.0)
    axes = (0, *range(2, x.ndim))
    np.testing.assert_allclose(mean.numpy(), x.mean(axes, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(variance.numpy(), x.var(axes, dtype=np.float64, ddof=1), rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", [(3000, 24, 1), (40, 24, 300), (1, 24, 9000), (9, 24, 70, 40)])
def test_equal_bits_for_any_number_of_threads(kind: str, dtype: str, shape: tuple[int, ...]) -> None:
    if kind in ("layer", "instance", "rms") and shape[-1] == 1:
        shape = (3000, 1, 24)
    values = draw(np.random.default_rng(0), kind, shape, dtype)
    before = rushlight.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3, 8):
            rushlight.set_num_threads(threads)
            groups = 4 if shape[1] % 4 == 0 else 1
            found = [t for t in run(kind, *values, groups, channels_last=True) if t is not None]
            results.append(b"".join(wide(t).tobytes() for t in found))
    finally:
        rushlight.set_num_threads(before)
    assert len(set(results)) == 1


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_groups_of_channels_that_lie_last(groups: int, affine: bool) -> None:
    x = rushlight.randn(3, 4, 5, 7) + 2
    weight, bias = (rushlight.randn(4), rushlight.randn(4)) if affine else (None, None)
    gradient = rushlight.randn(3, 4, 5, 7)
    results = []
    for form in (rushlight.contiguous_format, rushlight.channels_last):
        leaf = x.clone().contiguous(memory_format=form).requires_grad_()
        out = F.group_norm(leaf, groups, weight, bias)
        out.backward(gradient)
        results.append((out, leaf.grad))
    for plain, last in zip(*results, strict=True):
        np.testing.assert_allclose(wide(last.detach()), wide(plain.detach()), rtol=1e-5, atol=1e-5)
