"""Attention in tiles against float64 NumPy, values and gradients, for any number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rushlight
from rushlight import Tensor
from rushlight.nn.functional import scaled_dot_product_attention

Arrays = list[np.ndarray]


@contextmanager
def thread_count(count: int) -> Iterator[None]:
    before = rushlight.get_num_threads()
    rushlight.set_num_threads(count)
    try:
        yield
    finally:
        rushlight.set_num_threads(before)


def reference(inputs: Arrays, mask: np.ndarray | None, causal: bool, grad: np.ndarray) -> Arrays:
    """The output and the gradients of query, key and value; rows that see nothing are zero."""
    query, key, value = inputs
    shared = query.shape[1] // key.shape[1]
    keys, values = key.repeat(shared, 1), value.repeat(shared, 1)
    scale = query.shape[-1] ** -0.5
    scores = query @ keys.swapaxes(-1, -2) * scale
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    highest = scores.max(-1, keepdims=True)
    weights = np.exp(scores - np.where(np.isfinite(highest), highest, 0))
    total = weights.sum(-1, keepdims=True)
    weights = weights / np.where(total == 0, 1, total)
    slopes = grad @ values.swapaxes(-1, -2)
    slopes = weights * (slopes - (slopes * weights).sum(-1, keepdims=True)) * scale

    def joined(array: np.ndarray) -> np.ndarray:
        return array.reshape(key.shape[0], key.shape[1], shared, *array.shape[2:]).sum(2)

    return [
        weights @ values,
        slopes @ keys,
        joined(slopes.swapaxes(-1, -2) @ query),
        joined(weights.swapaxes(-1, -2) @ grad),
    ]


def run(inputs: list[Tensor], mask: Tensor | None, causal: bool, grad: Tensor) -> list[Tensor]:
    leaves = [tensor.detach().requires_grad_() for tensor in inputs]
    output = scaled_dot_product_attention(*leaves, mask, 0.0, causal, enable_gqa=True)
    output.backward(grad)
    return [output.detach(), *(leaf.grad for leaf in leaves)]


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 2),
    heads=st.sampled_from([(1, 1), (3, 3), (4, 2), (6, 1)]),
    queries=st.integers(1, 140),
    keys=st.integers(1, 300),
    width=st.sampled_from([1, 5, 16, 33]),
    value_width=st.sampled_from([1, 12, 32, 50]),
    masking=st.sampled_from(["none", "causal", "boolean", "keys", "numbers"]),
    dtype=st.sampled_from(["float32", "float64", "bfloat16"]),
    apart=st.booleans(),
    threads=st.sampled_from([1, 2, 3, 8]),
    seed=st.integers(0, 1000),
)
def test_values_and_gradients(
    batch: int,
    heads: tuple[int, int],
    queries: int,
    keys: int,
    width: int,
    value_width: int,
    masking: str,
    dtype: str,
    apart: bool,
    threads: int,
    seed: int,
) -> None:
    random = np.random.default_rng(seed)
    kind = getattr(rushlight, dtype)

    def draw(*sizes: int) -> Tensor:
        if apart:  # rows of different heads lie side by side
            sizes = (sizes[0], sizes[2], sizes[1], sizes[3])
        tensor = rushlight.tensor(random.standard_normal(sizes), dtype=kind)
        return tensor.transpose(1, 2) if apart else tensor

    inputs = [
        draw(batch, heads[0], queries, width),
        draw(batch, heads[1], keys, width),
        draw(batch, heads[1], keys, value_width),
    ]
    grad = draw(batch, heads[0], queries, value_width)
    mask = None
    if masking == "boolean":
        mask = rushlight.tensor(random.random((heads[0], queries, keys)) < 0.5)
    elif masking == "keys":
        mask = rushlight.tensor(random.random((batch, 1, 1, keys)) < 0.5)
    elif masking == "numbers":
        mask = rushlight.tensor(random.standard_normal((queries, keys)), dtype=kind)
    with thread_count(threads):
        results = run(inputs, mask, masking == "causal", grad)
    arrays = [tensor.double().numpy() for tensor in [*inputs, grad]]
    as_numbers = None if mask is None else (mask if mask.dtype == rushlight.bool else mask.double()).numpy()
    expected = reference(arrays[:3], as_numbers, masking == "causal", arrays[3])
    bound = {"float32": 1e-4, "float64": 1e-12, "bfloat16": 0.05}[dtype]
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_allclose(
            result.double().numpy(), wanted, rtol=bound, atol=bound * (1 + abs(wanted).max())
        )


@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("causal", [False, True])
def test_same_bits_for_any_number_of_threads(heads: int, causal: bool) -> None:
    rushlight.manual_seed(0)
    inputs = [rushlight.randn(2, heads, 290, 24) for _ in range(3)]
    found = []
    for threads in (1, 2, 3, 8):
        with thread_count(threads):
            found.append([one.numpy() for one in run(inputs, None, causal, inputs[0])])
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


def composed(inputs: list[Tensor], mask: Tensor | None, p: float) -> Tensor:
    """Attention with dropout as it is defined."""
    query, key, value = inputs
    scores = query @ key.mT * query.size(-1) ** -0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return rushlight.nn.functional.dropout(scores.softmax(-1), p) @ value


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("length", [3, 150])
def test_dropout_draws_as_over_all_weights(length: int, masked: bool) -> None:
    rushlight.manual_seed(0)
    inputs = [rushlight.randn(2, 3, length, 8, requires_grad=True) for _ in range(3)]
    mask = rushlight.ones(length, length, dtype=rushlight.bool).tril() if masked else None
    gradients = []
    for tiled in (True, False):
        rushlight.manual_seed(1)
        output = scaled_dot_product_attention(*inputs, mask, 0.3) if tiled else composed(inputs, mask, 0.3)
        (output * output).sum().backward()
        gradients.append([output.detach(), *(one.grad for one in inputs)])
        for one in inputs:
            one.grad = None
    for one, two in zip(*gradients, strict=True):
        np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("p", [0.0, 0.4])
def test_second_derivative_is_that_of_the_same_function(p: float) -> None:
    rushlight.manual_seed(0)
    inputs = [rushlight.randn(1, 2, 9, 4, dtype=rushlight.float64, requires_grad=True) for _ in range(3)]

    def slopes(create_graph: bool) -> tuple[Tensor, ...]:
        rushlight.manual_seed(1)
        output = scaled_dot_product_attention(*inputs, dropout_p=p)
        return rushlight.autograd.grad((output * output).sum(), inputs, create_graph=create_graph)

    for tiled, own in zip(slopes(False), slopes(True), strict=True):
        np.testing.assert_allclose(tiled.numpy(), own.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_not_a_number_stays_in_its_query_and_behind_the_mask() -> None:
    inputs = [rushlight.ones(1, 1, 40, 8) for _ in range(3)]
    inputs[0][0, 0, 3] = float("nan")
    output = scaled_dot_product_attention(*inputs)[0, 0].numpy()
    assert np.isnan(output[3]).all()
    assert np.isfinite(np.delete(output, 3, 0)).all()
    inputs[0][0, 0, 3] = 1
    inputs[1][0, 0, 39] = float("nan")
    mask = rushlight.ones(40, 40, dtype=rushlight.bool)
    mask[:, 39] = False
    assert np.isfinite(scaled_dot_product_attention(*inputs, mask).numpy()).all()


@pytest.mark.parametrize("shape", [(0, 2, 4, 8), (2, 2, 0, 8), (1, 1, 3, 0)])
def test_empty(shape: tuple[int, ...]) -> None:
    query = rushlight.ones(*shape, requires_grad=True)
    key = rushlight.ones(*shape[:2], 5, shape[3])
    output = scaled_dot_product_attention(query, key, rushlight.ones(*shape[:2], 5, 6))
    assert output.shape == (*shape[:3], 6)
    output.sum().backward()
    assert query.grad.shape == shape
