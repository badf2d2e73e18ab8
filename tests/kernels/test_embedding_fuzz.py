"""Embedding and its gradient, bags of embeddings and dropout against NumPy, for any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rushlight
from rushlight.nn import functional as F

BOUNDS = {"float32": 1e-5, "float64": 1e-12, "bfloat16": 0.1, "float16": 0.02}


def embedding_gradient(
    rows: int, indices: np.ndarray, grad: np.ndarray, padding: int | None, by_frequency: bool
) -> np.ndarray:
    """The sum of the gradients of a row's uses, one after another."""
    table = np.zeros((rows, grad.shape[-1]))
    counts = np.bincount(indices.ravel(), minlength=rows)
    for index, row in zip(indices.ravel(), grad.reshape(indices.size, grad.shape[-1]), strict=True):
        if index != padding:
            table[index] += row / counts[index] if by_frequency else row
    return table


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 40),
    width=st.integers(0, 70),
    shape=st.lists(st.integers(0, 9), max_size=3),
    dtype=st.sampled_from(sorted(BOUNDS)),
    index_type=st.sampled_from(["int32", "int64"]),
    padding=st.booleans(),
    by_frequency=st.booleans(),
    transposed=st.booleans(),
    threads=st.sampled_from([1, 2, 3, 8]),
    seed=st.integers(0, 1000),
)
def test_embedding(
    rows: int,
    width: int,
    shape: list[int],
    dtype: str,
    index_type: str,
    padding: bool,
    by_frequency: bool,
    transposed: bool,
    threads: int,
    seed: int,
) -> None:
    random = np.random.default_rng(seed)
    kind = getattr(rushlight, dtype)
    indices = random.integers(0, rows, shape)
    table = rushlight.tensor(
        random.standard_normal((width, rows) if transposed else (rows, width)), dtype=kind
    )
    table = (table.t() if transposed else table).requires_grad_()
    grad = rushlight.tensor(random.standard_normal((*shape, width)), dtype=kind)
    padding_idx = int(random.integers(0, rows)) if padding else None
    before = rushlight.get_num_threads()
    rushlight.set_num_threads(threads)
    try:
        result = F.embedding(
            rushlight.tensor(indices, dtype=getattr(rushlight, index_type)),
            table,
            padding_idx,
            scale_grad_by_freq=by_frequency,
        )
        result.backward(grad)
    finally:
        rushlight.set_num_threads(before)
    np.testing.assert_array_equal(result.detach().double().numpy(), table.detach().double().numpy()[indices])
    expected = embedding_gradient(rows, indices, grad.double().numpy(), padding_idx, by_frequency)
    bound = BOUNDS[dtype] * (1 + np.abs(expected).max(initial=0))
    np.testing.assert_allclose(table.grad.double().numpy(), expected, rtol=BOUNDS[dtype], atol=bound)


def test_same_bits_for_any_number_of_threads() -> None:
    rushlight.manual_seed(0)
    table = rushlight.randn(50, 130, requires_grad=True)
    indices, grad = rushlight.randint(0, 50, (700,)), rushlight.randn(700, 130)
    before = rushlight.get_num_threads()
    found = []
    for threads in (1, 2, 3, 8):
        rushlight.set_num_threads(threads)
        table.grad = None
        F.embedding(indices, table).backward(grad)
        found.append(table.grad.numpy())
    rushlight.set_num_threads(before)
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


def bags_by_hand(
    mode: str, table: np.ndarray, bags: list[np.ndarray], scales: np.ndarray, grad: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is made of each bag, and the gradients of the table and of the scales; bags hold (use, row)."""
    result, slopes, scale_slopes = np.zeros_like(grad), np.zeros_like(table), np.zeros_like(scales)
    for out, bag, g in zip(result, bags, grad, strict=True):
        uses, named = bag.T
        if len(uses) == 0:
            continue
        if mode == "max":
            out[:] = table[named].max(0)
            np.add.at(slopes, (named[table[named].argmax(0)], np.arange(len(g))), g)
            continue
        share = 1 / len(uses) if mode == "mean" else 1.0
        out[:] = (table[named] * scales[uses, None]).sum(0) * share
        scale_slopes[uses] = table[named] @ g
        np.add.at(slopes, named, scales[uses, None] * g * share)
    return result, slopes, scale_slopes


@settings(max_examples=120, deadline=None)
@given(
    mode=st.sampled_from(["sum", "mean", "max"]),
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=6),
    width=st.integers(1, 150),
    dtype=st.sampled_from(sorted(BOUNDS)),
    index_type=st.sampled_from(["int32", "int64"]),
    padding=st.booleans(),
    weighted=st.booleans(),
    include_last=st.booleans(),
    threads=st.sampled_from([1, 2, 3, 8]),
    seed=st.integers(0, 1000),
)
def test_embedding_bag(
    mode: str,
    lengths: list[int],
    width: int,
    dtype: str,
    index_type: str,
    padding: bool,
    weighted: bool,
    include_last: bool,
    threads: int,
    seed: int,
) -> None:
    random = np.random.default_rng(seed)
    kind = getattr(rushlight, dtype)
    table = rushlight.tensor(random.standard_normal((12, width)), dtype=kind).requires_grad_()
    count = sum(lengths)
    indices = random.integers(0, 12, count)
    weighted = weighted and mode == "sum"
    scales = rushlight.tensor(random.standard_normal(count), dtype=kind).requires_grad_()
    grad = rushlight.tensor(random.standard_normal((len(lengths), width)), dtype=kind)
    padding_idx = 3 if padding else None
    ends = np.cumsum(lengths)
    bags = []
    for first, last in zip(ends - lengths, ends, strict=True):
        uses = np.array([i for i in range(first, last) if indices[i] != padding_idx], dtype=int)
        bags.append(np.stack([uses, indices[uses]], 1))
    factors = scales.detach().double().numpy() if weighted else np.ones(count)
    expected = bags_by_hand(mode, table.detach().double().numpy(), bags, factors, grad.double().numpy())
    offsets = np.append(ends - lengths, count) if include_last else ends - lengths
    before = rushlight.get_num_threads()
    rushlight.set_num_threads(threads)
    try:
        result = F.embedding_bag(
            rushlight.tensor(indices, dtype=getattr(rushlight, index_type)),
            table,
            rushlight.tensor(offsets),
            mode=mode,
            padding_idx=padding_idx,
            per_sample_weights=scales if weighted else None,
            include_last_offset=include_last,
        )
        result.backward(grad)
    finally:
        rushlight.set_num_threads(before)
    found = [result.detach(), table.grad, *([scales.grad] if weighted else [])]
    for mine, theirs in zip(found, expected, strict=False):
        bound = BOUNDS[dtype] * (1 + np.abs(theirs).max(initial=0))
        np.testing.assert_allclose(mine.double().numpy(), theirs, rtol=BOUNDS[dtype], atol=bound)


def test_bags_by_frequency_and_twice_differentiated() -> None:
    table = rushlight.randn(5, 3, dtype=rushlight.float64, requires_grad=True)
    scales = rushlight.randn(6, dtype=rushlight.float64, requires_grad=True)
    indices, offsets = rushlight.tensor([0, 1, 1, 4, 1, 0]), rushlight.tensor([0, 3, 3, 5])

    def bags(table: rushlight.Tensor, scales: rushlight.Tensor) -> rushlight.Tensor:
        return F.embedding_bag(
            indices,
            table,
            offsets,
            mode="sum",
            per_sample_weights=scales,
            include_last_offset=True,
            padding_idx=4,
        )

    assert rushlight.autograd.gradcheck(bags, (table, scales))
    assert rushlight.autograd.gradgradcheck(bags, (table, scales))
    for mode in ("mean", "max"):
        pooled = lambda table, mode=mode: F.embedding_bag(indices, table, offsets, mode=mode)  # noqa: E731
        assert rushlight.autograd.gradcheck(pooled, (table,))
        assert rushlight.autograd.gradgradcheck(pooled, (table,))
    out = F.embedding_bag(indices, table, offsets, mode="sum", scale_grad_by_freq=True)
    (gradient,) = rushlight.autograd.grad(out.sum(), table)
    np.testing.assert_allclose(gradient.numpy(), np.array([1, 1, 0, 0, 1])[:, None] * np.ones(3))


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_have_the_same_bits_for_any_number_of_threads(mode: str) -> None:
    rushlight.manual_seed(0)
    table = rushlight.randn(500, 100, requires_grad=True)
    indices, grad = rushlight.randint(0, 500, (300, 20)), rushlight.randn(300, 100)
    before = rushlight.get_num_threads()
    found = set()
    for threads in (1, 2, 3, 8):
        rushlight.set_num_threads(threads)
        out = F.embedding_bag(indices, table, mode=mode)
        (gradient,) = rushlight.autograd.grad(out, table, grad)
        found.add(out.detach().numpy().tobytes() + gradient.numpy().tobytes())
    rushlight.set_num_threads(before)
    assert len(found) == 1


@pytest.mark.parametrize("offsets", [[1, 2], [0, 3, 1], [0, 9]])
def test_offsets_that_are_no_bags_are_refused(offsets: list[int]) -> None:
    with pytest.raises(RuntimeError, match="offsets"):
        F.embedding_bag(
            rushlight.tensor([0, 1, 2]), rushlight.ones(5, 2), rushlight.tensor(offsets), mode="sum"
        )


@pytest.mark.parametrize("index", [-1, 5])
def test_an_index_out_of_range_is_refused(index: int) -> None:
    with pytest.raises(IndexError, match="out of range"):
        F.embedding(rushlight.tensor([0, index]), rushlight.ones(5, 2))


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_scales_what_it_keeps_in_both_directions(p: float) -> None:
    rushlight.manual_seed(0)
    before = rushlight.get_num_threads()
    found = []
    for threads in (1, 2, 3, 8):
        rushlight.set_num_threads(threads)
        rushlight.manual_seed(1)
        x = rushlight.ones(300, 200, requires_grad=True)
        result = F.dropout(x, p)
        result.backward(rushlight.full_like(x, 2.0))
        found.append(result.detach().numpy())
        np.testing.assert_array_equal(x.grad.numpy(), 2 * found[-1])
    rushlight.set_num_threads(before)
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)
    assert set(np.unique(found[0])) == {np.float32(0), np.float32(1 / (1 - p))}
    assert abs((found[0] == 0).mean() - p) < 0.01
