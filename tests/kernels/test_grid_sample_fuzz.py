"""Sampling at grids and affine grids against float64 NumPy, with equal bits for any number of threads."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rushlight
from rushlight.nn import functional as F

BOUNDS = {"float32": 2e-4, "float64": 1e-10, "bfloat16": 0.05, "float16": 0.01}
PADDINGS = ["zeros", "border", "reflection"]


def keys(distance: float) -> float:
    """Keys' cubic convolution of parameter -3/4."""
    a, x = -0.75, abs(distance)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


def inside(x: float, size: int, padding: str, aligned: bool) -> float:
    """The coordinate that stands for x."""
    if padding == "zeros":
        return x
    if padding == "reflection":
        low, high = (0.0, size - 1.0) if aligned else (-0.5, size - 0.5)
        if low == high:
            return 0.0
        x = abs((x - low + (high - low)) % (2 * (high - low)) - (high - low)) + low
    return min(max(x, 0.0), size - 1.0)


def taps(x: float, size: int, mode: str, padding: str, aligned: bool) -> list[tuple[int, float]]:
    """The elements that a coordinate reads along a dimension, with their weights."""
    x = (x + 1) / 2 * (size - 1) if aligned else ((x + 1) * size - 1) / 2
    if mode != "bicubic":
        x = inside(x, size, padding, aligned)
    low = int(np.floor(x))
    if mode == "nearest":
        found = [(int(np.round(x)), 1.0)]
    elif mode == "bilinear":
        found = [(low, low + 1 - x), (low + 1, x - low)]
    else:
        found = [(round(inside(low + k, size, padding, aligned)), keys(x - low - k)) for k in (-1, 0, 1, 2)]
    return [(place, weight) for place, weight in found if 0 <= place < size]


def sampled(image: np.ndarray, grid: np.ndarray, mode: str, padding: str, aligned: bool) -> np.ndarray:
    result = np.zeros((*image.shape[:2], *grid.shape[1:-1]))
    for n, *point in np.ndindex(*grid.shape[:-1]):
        axes = [
            taps(grid[(n, *point, image.ndim - 3 - d)], size, mode, padding, aligned)
            for d, size in enumerate(image.shape[2:])
        ]
        for combination in product(*axes):
            place = tuple(one for one, _ in combination)
            weight = np.prod([w for _, w in combination])
            result[(n, slice(None), *point)] += weight * image[(n, slice(None), *place)]
    return result


@settings(max_examples=80, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=3),
    points=st.integers(0, 30),
    batch=st.integers(1, 3),
    channels=st.integers(1, 10),
    mode=st.sampled_from(["bilinear", "nearest", "bicubic"]),
    padding=st.sampled_from(PADDINGS),
    aligned=st.booleans(),
    dtype=st.sampled_from(sorted(BOUNDS)),
    threads=st.sampled_from([1, 2, 3, 8]),
    seed=st.integers(0, 1000),
)
def test_grid_sample(
    sizes: list[int],
    points: int,
    batch: int,
    channels: int,
    mode: str,
    padding: str,
    aligned: bool,
    dtype: str,
    threads: int,
    seed: int,
) -> None:
    random = np.random.default_rng(seed)
    if mode == "bicubic":
        sizes = sizes[:2]
    rank = len(sizes)
    kind = getattr(rushlight, dtype)
    image = rushlight.tensor(random.standard_normal((batch, channels, *sizes)), dtype=kind).requires_grad_()
    # Fractions far from where neighbours change, which rounding decides.
    places = random.integers(-4, 9, (batch, points, *[1] * (rank - 1), rank)) + random.uniform(
        0.1, 0.4, (batch, points, *[1] * (rank - 1), rank)
    )
    extent = np.array(sizes[::-1], float)
    grid = 2 * places / np.maximum(extent - 1, 1) - 1 if aligned else (2 * places + 1) / extent - 1
    wide = dtype in ("float32", "float64")
    grid = rushlight.tensor(grid if wide else np.round(grid * 4) / 4, dtype=kind)
    slopes = rushlight.tensor(random.standard_normal((batch, channels, *grid.shape[1:-1])), dtype=kind)
    before = rushlight.get_num_threads()
    rushlight.set_num_threads(threads)
    try:
        out = F.grid_sample(image, grid, mode, padding, aligned)
        (gradient,) = rushlight.autograd.grad(out, image, slopes)
    finally:
        rushlight.set_num_threads(before)
    image64, grid64, slopes64 = (t.detach().double().numpy() for t in (image, grid, slopes))
    bound = {"rtol": BOUNDS[dtype], "atol": 8 * BOUNDS[dtype]}
    np.testing.assert_allclose(
        out.detach().double().numpy(), sampled(image64, grid64, mode, padding, aligned), **bound
    )
    # Sampling is linear: its gradient is the transposed map.
    other = random.standard_normal(image64.shape)
    np.testing.assert_allclose(
        (gradient.double().numpy() * other).sum(),
        (slopes64 * sampled(other, grid64, mode, padding, aligned)).sum(),
        rtol=BOUNDS[dtype],
        atol=BOUNDS[dtype] * (1 + np.abs(slopes64).sum()),
    )


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("aligned", [False, True])
def test_gradients_are_differences(rank: int, padding: str, mode: str, aligned: bool) -> None:
    if rank == 3 and mode == "bicubic":
        return
    rushlight.manual_seed(0)
    image = rushlight.randn(2, 3, *[4, 5, 3][:rank], dtype=rushlight.float64, requires_grad=True)
    grid = (rushlight.rand(2, 5, *[1] * (rank - 1), rank, dtype=rushlight.float64) * 3 - 1.5).requires_grad_()
    assert rushlight.autograd.gradcheck(
        lambda x, g: F.grid_sample(x, g, mode, padding, aligned), (image, grid)
    )


def test_a_gradient_is_not_differentiated_again() -> None:
    image = rushlight.randn(1, 1, 3, 3, requires_grad=True)
    out = F.grid_sample(image, rushlight.zeros(1, 2, 2, 2), align_corners=False)
    (gradient,) = rushlight.autograd.grad(out.square().sum(), image, create_graph=True)
    with pytest.raises(NotImplementedError, match="grid_sampler_2d_backward"):
        gradient.sum().backward()


@pytest.mark.parametrize("padding", PADDINGS)
def test_coordinates_that_are_no_numbers_read_nothing_outside(padding: str) -> None:
    grid = rushlight.tensor([float("nan"), float("inf"), -float("inf"), 1e30]).reshape(1, 2, 1, 2)
    image = rushlight.ones(1, 2, 3, 3, requires_grad=True)
    for mode in ("bilinear", "nearest", "bicubic"):
        F.grid_sample(image, grid, mode, padding, False).sum().backward()


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_equal_bits_for_any_number_of_threads(mode: str) -> None:
    rushlight.manual_seed(0)
    image = rushlight.randn(3, 20, 30, 40, requires_grad=True)
    grid = (rushlight.rand(3, 50, 60, 2) * 2.4 - 1.2).requires_grad_()
    before = rushlight.get_num_threads()
    found = set()
    try:
        for threads in (1, 2, 3, 8):
            rushlight.set_num_threads(threads)
            out = F.grid_sample(image, grid, mode, align_corners=False)
            gradients = rushlight.autograd.grad(out, (image, grid), rushlight.ones_like(out))
            found.add(b"".join(t.detach().numpy().tobytes() for t in (out, *gradients)))
    finally:
        rushlight.set_num_threads(before)
    assert len(found) == 1


@settings(max_examples=40, deadline=None)
@given(
    space=st.lists(st.integers(1, 9), min_size=2, max_size=3),
    batch=st.integers(1, 3),
    aligned=st.booleans(),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 1000),
)
def test_affine_grid(space: list[int], batch: int, aligned: bool, dtype: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    rank = len(space)
    theta = random.standard_normal((batch, rank, rank + 1)).astype(dtype)
    slopes = random.standard_normal((batch, *space, rank)).astype(dtype)
    axes = [np.linspace(-1, 1, n) * (1 if aligned else (n - 1) / n) if n > 1 else np.zeros(1) for n in space]
    points = np.stack([*np.meshgrid(*axes, indexing="ij")[::-1], np.ones(space)], -1)
    leaf = rushlight.tensor(theta, requires_grad=True)
    out = F.affine_grid(leaf, [batch, 1, *space], aligned)
    out.backward(rushlight.tensor(slopes))
    bound = {"rtol": BOUNDS[dtype], "atol": BOUNDS[dtype]}
    np.testing.assert_allclose(
        out.detach().numpy(), np.einsum("...j,nij->n...i", points, theta.astype(np.float64)), **bound
    )
    expected = np.einsum("npi,pj->nij", slopes.reshape(batch, -1, rank), points.reshape(-1, rank + 1))
    np.testing.assert_allclose(leaf.grad.numpy(), expected, **bound)
