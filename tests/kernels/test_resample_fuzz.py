"""Averages of windows and interpolation against float64 NumPy, with equal bits for any number of threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rushlight
from rushlight import Tensor
from rushlight.nn import functional as F

# Of the largest element.
TOLERANCES = {"float64": 1e-13, "float32": 2e-6, "float16": 2e-3, "bfloat16": 2e-2}


@dataclass
class Case:
    """A separable linear map as an operator, and the matrix of each dimension."""

    call: Callable[[Tensor], Tensor]
    matrices: list[np.ndarray]
    single: list[np.ndarray] | None = None  # with places in single precision, for all types but float64

    def matrices_for(self, dtype: str) -> list[np.ndarray]:
        return self.matrices if dtype == "float64" or self.single is None else self.single


def window_matrix(size: int, kernel: int, stride: int, padding: int) -> np.ndarray:
    """Means of windows, where padding counts as zeros."""
    result = np.zeros(((size + 2 * padding - kernel) // stride + 1, size + 2 * padding))
    for i, row in enumerate(result):
        row[i * stride : i * stride + kernel] = 1 / kernel
    return result[:, padding : padding + size]


def adaptive_matrix(size: int, result: int) -> np.ndarray:
    """Means of windows that cover the input evenly."""
    matrix = np.zeros((result, size))
    for i, row in enumerate(matrix):
        begin, end = i * size // result, -(-(i + 1) * size // result)
        row[begin:end] = 1 / (end - begin)
    return matrix


def nearest_matrix(size: int, result: int) -> np.ndarray:
    """The element whose number is rounded down."""
    matrix = np.zeros((result, size))
    for i in range(result):
        matrix[i, min(int(np.float32(i) * (np.float32(size) / np.float32(result))), size - 1)] = 1
    return matrix


def linear_matrix(size: int, result: int, real: type[np.floating]) -> np.ndarray:
    """Both neighbours, with the corners aligned and places rounded to a type."""
    matrix = np.zeros((result, size))
    step = real(size - 1) / real(result - 1) if result > 1 else real(0)
    for i in range(result):
        place = real(i) * step
        low = min(int(place), size - 1)
        matrix[i, low] += 1 - (place - low)
        matrix[i, min(low + 1, size - 1)] += place - low
    return matrix


@st.composite
def cases(draw: st.DrawFn) -> tuple[Case, tuple[int, ...]]:
    """A map and the sizes of its input."""
    spatial = draw(st.sampled_from([1, 2, 2, 3]))
    most = {1: 90, 2: 40, 3: 9}[spatial]
    sizes = [draw(st.integers(1, most)) for _ in range(spatial)]
    shape = (draw(st.integers(1, 3)), draw(st.sampled_from([1, 3, 5, 16, 70])), *sizes)
    kind = draw(st.sampled_from(["window", "adaptive", "nearest", "linear"]))
    if kind == "window":
        kernel = [draw(st.integers(1, min(n, 6))) for n in sizes]
        stride = [draw(st.integers(1, 5)) for _ in sizes]
        padding = [draw(st.integers(0, k // 2)) for k in kernel]
        pool = getattr(F, f"avg_pool{spatial}d")
        matrices = [window_matrix(*form) for form in zip(sizes, kernel, stride, padding)]
        return Case(lambda x: pool(x, kernel, stride, padding), matrices), shape
    result = [draw(st.sampled_from([1, n, 2 * n, draw(st.integers(1, most))])) for n in sizes]
    if kind == "adaptive":
        pool = getattr(F, f"adaptive_avg_pool{spatial}d")
        matrices = [adaptive_matrix(n, r) for n, r in zip(sizes, result)]
        return Case(lambda x: pool(x, result), matrices), shape
    if kind == "nearest":
        matrices = [nearest_matrix(n, r) for n, r in zip(sizes, result)]
        return Case(lambda x: F.interpolate(x, result), matrices), shape
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[spatial]
    exact, single = (
        [linear_matrix(n, r, real) for n, r in zip(sizes, result)] for real in (np.float64, np.float32)
    )
    return Case(lambda x: F.interpolate(x, result, mode=mode, align_corners=True), exact, single), shape


def apply(matrices: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """Every spatial dimension by its matrix."""
    for d, matrix in enumerate(matrices):
        x = np.moveaxis(np.moveaxis(x, d + 2, -1) @ matrix.T, -1, d + 2)
    return x


def run(case: Case, x: np.ndarray, dtype: str, last: bool) -> list[np.ndarray]:
    """The input after rounding, the output and the input's gradient for the output's own values."""
    tensor = rushlight.from_numpy(x.copy()).to(getattr(rushlight, dtype))
    if last and x.ndim > 3:
        format = rushlight.channels_last if x.ndim == 4 else rushlight.channels_last_3d
        tensor = tensor.to(memory_format=format)
    tensor.requires_grad_()
    y = case.call(tensor)
    y.backward(y.detach())
    return [t.detach().double().numpy() for t in (tensor, y, tensor.grad)]


@settings(max_examples=120, deadline=None)
@given(both=cases(), dtype=st.sampled_from(sorted(TOLERANCES)), last=st.booleans(), seed=st.integers(0, 1000))
def test_values_and_gradients(both: tuple[Case, tuple[int, ...]], dtype: str, last: bool, seed: int) -> None:
    case, shape = both
    x, y, grad = run(case, np.random.default_rng(seed).standard_normal(shape), dtype, last)
    matrices = case.matrices_for(dtype)
    for mine, right in ((y, apply(matrices, x)), (grad, apply([matrix.T for matrix in matrices], y))):
        scale = max(np.abs(right).max(initial=0), 1e-2)
        np.testing.assert_allclose(mine, right, rtol=0, atol=scale * TOLERANCES[dtype])


@settings(max_examples=25, deadline=None)
@given(both=cases(), dtype=st.sampled_from(["float32", "bfloat16"]), last=st.booleans())
def test_bits_do_not_depend_on_the_number_of_threads(
    both: tuple[Case, tuple[int, ...]], dtype: str, last: bool
) -> None:
    case, shape = both
    before, results = rushlight.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 8):
            rushlight.set_num_threads(threads)
            results.append(run(case, np.random.default_rng(0).standard_normal(shape), dtype, last))
    finally:
        rushlight.set_num_threads(before)
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other))


@pytest.mark.parametrize("last", [False, True])
def test_nan_and_infinity_stay_in_their_windows(last: bool) -> None:
    x = rushlight.ones(1, 20, 12, 40)
    x[0, :, 4, 17] = float("inf")
    x[0, :, 9, 30] = float("nan")
    if last:
        x = x.to(memory_format=rushlight.channels_last)
    y = F.avg_pool2d(x, 2)
    assert y.is_contiguous(memory_format=rushlight.channels_last) == last
    odd = ~np.isfinite(y[0].numpy())
    assert odd.sum() == 2 * 20 and odd[:, 2, 8].all() and odd[:, 4, 15].all()
    wide = ~np.isfinite(F.interpolate(x, scale_factor=2)[0].numpy())
    assert wide.sum() == 8 * 20


def test_batches_and_channels_of_none_give_none() -> None:
    assert F.avg_pool2d(rushlight.zeros(0, 3, 8, 8), 2).shape == (0, 3, 4, 4)
    assert F.adaptive_avg_pool2d(rushlight.zeros(0, 3, 8, 8), 1).shape == (0, 3, 1, 1)


def test_integers_are_averaged_towards_zero() -> None:
    x = rushlight.tensor([[[-3, 0, 4, 5, 9, 9]]])
    assert F.avg_pool1d(x, 2).tolist() == [[[-1, 4, 9]]]
