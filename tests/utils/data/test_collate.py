"""Collating gives PyTorch's batches and errors."""

import collections

import numpy
import pytest
import torch
import torch.utils.data

import rushlight
import rushlight.utils.data

Point = collections.namedtuple("Point", "x y")


class Keyed(collections.UserDict):
    pass


BATCHES = {
    "tensors": lambda m: [m.ones(2), m.zeros(2)],
    "integers": lambda m: [1, 2],
    "floats": lambda m: [1.0, 2],
    "bools": lambda m: [True, False],
    "strings": lambda m: ["a", "b"],
    "tuples": lambda m: [(1, 2.0, "a", b"c"), (2, 3.0, "b", b"d")],
    "lists": lambda m: [[m.ones(1), 1], [m.zeros(1), 2]],
    "dictionaries": lambda m: [{"a": 1, "b": [1]}, {"a": 2, "b": [2]}],
    "ordered": lambda m: [collections.OrderedDict(a=1), collections.OrderedDict(a=2)],
    "default dictionary": lambda m: [collections.defaultdict(int, a=1), collections.defaultdict(int, a=2)],
    "user dictionary": lambda m: [Keyed(a=1), Keyed(a=2)],
    "named tuples": lambda m: [Point(1, 2.0), Point(3, 4.0)],
    "ranges": lambda m: [range(2), range(2)],
    "arrays": lambda m: [numpy.ones(2), numpy.zeros(2)],
    "float32 arrays": lambda m: [numpy.ones((2, 1), dtype="float32")] * 3,
    "numpy numbers": lambda m: [numpy.float32(1), numpy.float32(2)],
    "numpy integers": lambda m: [numpy.int32(1), numpy.int32(2)],
    "numpy doubles": lambda m: [numpy.float64(1), numpy.float64(2)],
    "zero-dimensional arrays": lambda m: [numpy.array(1), numpy.array(2)],
    "text arrays": lambda m: [numpy.array(["a"])],
    "objects": lambda m: [object()],
    "none": lambda m: [None],
    "unequal lists": lambda m: [[1, 2], [1]],
    "other keys": lambda m: [{"a": 1}, {"b": 1}],
    "unequal tensors": lambda m: [m.ones(2), m.ones(3)],
    "nothing": lambda m: [],
}


def outcome(function):
    try:
        return repr(function())
    except Exception as error:  # noqa: BLE001
        return type(error), str(error)


@pytest.mark.parametrize("name", BATCHES)
def test_collate_as_pytorch(name):
    results = [
        outcome(lambda m=m: m.utils.data.default_collate(BATCHES[name](m))) for m in (torch, rushlight)
    ]
    assert results[0] == results[1]


CONVERTED = {
    "array": lambda m: numpy.ones(2),
    "number": lambda m: numpy.float32(2),
    "nested": lambda m: [numpy.ones(2), (1, "a"), {"a": numpy.arange(2)}, 1.0, None, b"x"],
    "named tuple": lambda m: Point(numpy.ones(1), 2),
    "text": lambda m: numpy.array(["a"]),
    "tensor": lambda m: m.ones(2),
}


@pytest.mark.parametrize("name", CONVERTED)
def test_convert_as_pytorch(name):
    results = [repr(m.utils.data.default_convert(CONVERTED[name](m))) for m in (torch, rushlight)]
    assert results[0] == results[1]
