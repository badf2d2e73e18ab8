"""Padding from within against NumPy, with equal bits for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rushlight
from rushlight.nn import functional as F

MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@settings(max_examples=100, deadline=None)
@given(
    mode=st.sampled_from(sorted(MODES)),
    sizes=st.lists(st.integers(2, 20), min_size=1, max_size=3),
    amounts=st.lists(st.integers(-1, 3), min_size=6, max_size=6),
    dtype=st.sampled_from(["float32", "float64", "float16", "int64", "complex64"]),
    strided=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_values_and_gradients(
    mode: str, sizes: list[int], amounts: list[int], dtype: str, strided: bool, seed: int
) -> None:
    spatial = len(sizes)
    sides = [
        tuple(min(amount, size - 1) for amount in amounts[2 * d : 2 * d + 2]) for d, size in enumerate(sizes)
    ]
    sides = [
        (max(a, 0), max(b, 0)) if a + b + size < 1 else (a, b)
        for (a, b), size in zip(sides, sizes, strict=True)
    ]
    random = np.random.default_rng(seed)
    values = random.integers(-9, 9, (2, 3, *sizes)).astype(dtype)
    places = np.arange(values.size).reshape(values.shape)
    for d, (before, after) in enumerate(sides):
        axis, size = d + 2, sizes[d]
        index = np.pad(np.arange(size), (max(before, 0), max(after, 0)), MODES[mode])
        if mode == "circular":  # what is taken away is not wrapped around to
            first, end = max(-before, 0), size - max(-after, 0)
            index = np.pad(np.arange(first, end), (max(before, 0), max(after, 0)), "wrap")
        else:
            index = index[max(-before, 0) : len(index) - max(-after, 0)]
        places = places.take(index, axis)
    source = rushlight.tensor(values)
    if strided:
        source = source.transpose(0, -1).contiguous().transpose(0, -1)
    differentiable = source.is_floating_point() or source.is_complex()
    source.requires_grad_(differentiable)
    pad = [amount for pair in reversed(sides) for amount in pair]
    found = F.pad(source, pad, mode=mode)
    np.testing.assert_array_equal(found.detach().numpy(), values.reshape(-1)[places])
    if differentiable:
        weights = random.integers(0, 3, places.shape).astype(dtype)
        found.backward(rushlight.tensor(weights))
        expected = np.zeros(values.size, dtype)
        np.add.at(expected, places.reshape(-1), weights.reshape(-1))
        np.testing.assert_array_equal(source.grad.numpy(), expected.reshape(values.shape))
    assert spatial == len(pad) // 2


@pytest.mark.parametrize("mode", sorted(MODES))
def test_same_bits_for_any_number_of_threads(mode: str) -> None:
    rushlight.manual_seed(0)
    source = rushlight.randn(2, 16, 40, 50)
    before, found = rushlight.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 8):
            rushlight.set_num_threads(threads)
            leaf = source.clone().requires_grad_()
            result = F.pad(leaf, (3, 2, 1, 4), mode=mode)
            (result * result).sum().backward()
            found.append((result.detach().numpy(), leaf.grad.numpy()))
    finally:
        rushlight.set_num_threads(before)
    for result, gradient in found[1:]:
        np.testing.assert_array_equal(result, found[0][0])
        np.testing.assert_array_equal(gradient, found[0][1])


@pytest.mark.parametrize(
    ("mode", "sizes", "pad"),
    [
        ("reflect", (1, 2, 3), (3, 0)),
        ("circular", (1, 2, 3), (4, 0)),
        ("replicate", (1, 2, 0), (1, 1)),
        ("circular", (1, 2, 3), (-3, 1)),
        ("replicate", (1, 2, 3), (-2, -2)),
    ],
)
def test_what_cannot_be_padded_is_refused(mode: str, sizes: tuple[int, ...], pad: tuple[int, int]) -> None:
    with pytest.raises(RuntimeError):
        F.pad(rushlight.zeros(sizes), pad, mode=mode)
