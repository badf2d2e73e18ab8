"""Indexing, gather and scatter, sorting and search at the edges: empty, repeated, negative, out of range, wrong types."""

import numpy as np
import pytest
import torch

import rushlight
from tests.outcomes import assert_same

X = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)


def x(t):
    return t.from_numpy(X.copy())


READS = [
    lambda t, x: x[t.tensor([1, 0, -1])],
    lambda t, x: x[:, t.tensor([[0, 2], [1, 1]])],
    lambda t, x: x[t.tensor([0, 1]), :, t.tensor([3, 0])],
    lambda t, x: x[t.tensor([0, 1]), t.tensor([[2], [1]])],
    lambda t, x: x[x > 5],
    lambda t, x: x[t.tensor([True, False])],
    lambda t, x: x[:, t.tensor([True, False, True]), t.tensor([0, 1])],
    lambda t, x: x[t.zeros(0, dtype=t.int64)],
    lambda t, x: x.transpose(0, 2)[t.tensor([3, 1]), ..., t.tensor([0, 1])],
    lambda t, x: x[t.tensor(1)],
    lambda t, x: x[t.tensor([5])],
    lambda t, x: x[:, t.tensor([-4])],
    lambda t, x: x[t.tensor([0, 1]), t.tensor([0, 1, 2])],
    lambda t, x: x[t.tensor([True])],
    lambda t, x: x[t.tensor([0.5])],
    lambda t, x: x.index_select(1, t.tensor([2, 0, 2])),
    lambda t, x: x.index_select(0, t.tensor([5])),
    lambda t, x: x.index_select(0, t.tensor([[0]])),
    lambda t, x: x.index_select(0, t.tensor([0.0])),
    lambda t, x: x.take(t.tensor([[0, -1], [23, 5]])),
    lambda t, x: x.take(t.tensor([24])),
    lambda t, x: t.zeros(0).take(t.tensor([0])),
    lambda t, x: x.gather(2, t.tensor([[[3], [0]], [[1], [2]]])),
    lambda t, x: x.gather(0, t.tensor([[[5]]])),
    lambda t, x: x.gather(0, t.tensor([0])),
    lambda t, x: x.gather(4, t.tensor([[[0]]])),
    lambda t, x: t.tensor(3.0).gather(0, t.tensor(0)),
    lambda t, x: x.masked_select(x > 20),
    lambda t, x: x.masked_select(x),
    lambda t, x: (x > 20).nonzero(),
    lambda t, x: t.nonzero(x > 20, as_tuple=True),
    lambda t, x: t.tensor(1).nonzero(),
    lambda t, x: t.take_along_dim(x, x.argsort(2, descending=True), 2),
]


@pytest.mark.parametrize("case", range(len(READS)))
def test_reading(case):
    assert_same(lambda t: READS[case](t, x(t)))


def written(key, value):
    def run(t, x):
        x[key(t)] = value(t)
        return x

    return run


WRITES = [
    written(lambda t: t.tensor([0, 0]), lambda t: 5.0),
    written(lambda t: (slice(None), t.tensor([2, 0])), lambda t: t.ones(2, 2, 4)),
    written(lambda t: (t.tensor([0, 1]), 1, t.tensor([3, 0])), lambda t: t.tensor([7.0, 8.0])),
    written(lambda t: t.tensor([True, False]), lambda t: t.tensor(1)),
    written(lambda t: t.tensor([0, 1]), lambda t: t.zeros(3, 3)),
    lambda t, x: x.index_put_((t.tensor([0, 0, 1]),), t.ones(3, 4), accumulate=True),
    lambda t, x: x.index_put_((x > 7,), t.tensor(0.0)),
    lambda t, x: x.index_put((t.tensor([0]),), t.zeros(3).long()),
    lambda t, x: x.index_add(0, t.tensor([1, 1]), x, alpha=2),
    lambda t, x: x.index_add(0, t.tensor([5]), x[:1]),
    lambda t, x: x.index_add(0, t.tensor([0]), x),
    lambda t, x: x.index_copy(1, t.tensor([2, 0]), x[:, :2]),
    lambda t, x: x.index_copy(0, t.tensor([5]), x[:1]),
    lambda t, x: x.index_fill(2, t.tensor([-1, 0]), 9),
    lambda t, x: x.index_fill(0, t.tensor([5]), 1),
    lambda t, x: x.put(t.tensor([0, 0, 3]), t.tensor([1.0, 2.0, 3.0]), accumulate=True),
    lambda t, x: x.put(t.tensor([30]), t.tensor([1.0])),
    lambda t, x: x.masked_scatter(x > 20, t.tensor([1.0, 2.0, 3.0, 4.0])),
    lambda t, x: x.masked_scatter(x > 1, t.tensor([1.0])),
    lambda t, x: x.scatter(2, t.tensor([[[3, 0]]]), t.tensor([[[1.0, 2.0]]])),
    lambda t, x: x.scatter(2, t.tensor([[[3, 0]]]), 7.0),
    lambda t, x: x.scatter(2, t.tensor([[[3, 3]]]), 2.0, reduce="multiply"),
    lambda t, x: x.scatter(0, t.tensor([[[5]]]), x),
    lambda t, x: x.scatter(0, t.tensor([[[0]]]), x.double()),
    lambda t, x: x.scatter(0, t.tensor([[[0]]]), 1.0, reduce="foo"),
    lambda t, x: x.scatter_add_(1, t.zeros(2, 3, 4, dtype=t.int64), x.clone()),
    lambda t, x: x.scatter_reduce(1, t.zeros(2, 3, 4, dtype=t.int64), x, "mean"),
    lambda t, x: x.scatter_reduce(1, t.zeros(2, 3, 4, dtype=t.int64), x, "prod", include_self=False),
    lambda t, x: x.scatter_reduce(1, t.zeros(2, 3, 4, dtype=t.int64), x, "foo"),
]


@pytest.mark.parametrize("case", range(len(WRITES)))
def test_writing(case):
    assert_same(lambda t: WRITES[case](t, x(t)))


SORTS = [
    lambda t: tuple(t.tensor([3.0, float("nan"), -0.0, 0.0, -float("inf")]).sort(stable=True)),
    lambda t: tuple(t.tensor([3.0, float("nan"), -0.0, 0.0]).sort(stable=True, descending=True)),
    lambda t: tuple(t.tensor([2**62, -(2**62), 0, 2**62]).sort(stable=True)),
    lambda t: tuple(x(t).sort(0, descending=True)),
    lambda t: tuple(t.zeros(0, 2).sort(0)),
    lambda t: tuple(t.tensor(1.0).sort()),
    lambda t: tuple(x(t).topk(2, 1)),
    lambda t: x(t).topk(9),
    lambda t: x(t).topk(1, dim=7),
    lambda t: tuple(x(t).kthvalue(2, 1)),
    lambda t: x(t).kthvalue(9),
    lambda t: t.zeros(2, 0).mode(1),
    lambda t: t.zeros(0).median(),
    lambda t: t.tensor([3, 1, 2, 4]).median(),
    lambda t: t.tensor([3.0, float("nan"), 1.0]).nanmedian(),
    lambda t: tuple(t.tensor([5, 3, 3, 5]).mode()),
    lambda t: t.zeros(2, dtype=t.complex64).sort(),
    lambda t: t.unique(t.tensor([3, 1, 3, 2]), return_inverse=True, return_counts=True),
    lambda t: t.unique(t.tensor([[1, 2], [0, 5], [1, 2]]), dim=0, return_counts=True),
    lambda t: t.unique_consecutive(t.tensor([1, 1, 2, 1]), return_inverse=True),
    lambda t: t.unique(t.zeros(0)),
    lambda t: t.searchsorted(t.tensor([1.0, 3.0, 5.0]), t.tensor([[0.0, 3.0], [6.0, 5.0]]), right=True),
    lambda t: t.searchsorted(t.tensor([1.0, 2.0]), t.tensor([1.0]), right=True, side="left"),
    lambda t: t.bincount(t.tensor([0, 2, 2]), t.tensor([0.5, 1.0, 2.0]), minlength=5),
    lambda t: t.bincount(t.tensor([-1])),
    lambda t: t.bincount(t.tensor([1.0])),
]


@pytest.mark.parametrize("case", range(len(SORTS)))
def test_order(case):
    assert_same(SORTS[case])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "uint8", "bool", "bfloat16"])
@pytest.mark.parametrize("size", [1, 17, 300, 5000])
def test_sorting_is_stable_for_any_type_and_size(dtype, size):
    values = np.random.default_rng(size).integers(-9, 9, (3, size)).astype(np.float32)
    for descending in (False, True):
        mine = rushlight.from_numpy(values).to(getattr(rushlight, dtype)).sort(1, descending)
        theirs = (
            torch.from_numpy(values).to(getattr(torch, dtype)).sort(dim=1, descending=descending, stable=True)
        )
        assert mine.indices.tolist() == theirs.indices.tolist()
        assert mine.values.tolist() == theirs.values.tolist()
