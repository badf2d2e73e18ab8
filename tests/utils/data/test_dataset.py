"""Datasets give PyTorch's samples, splits and errors."""

import pytest
import torch
import torch.utils.data

import rushlight
import rushlight.utils.data
from rushlight.utils.data import TensorDataset

MODULES = (torch, rushlight)


def outcome(function, module):
    """What a function of a module returns, or its error's type and message."""
    try:
        return repr(function(module)).replace("rushlight", "torch")
    except Exception as error:  # noqa: BLE001
        return type(error), str(error)


class Numbers(torch.utils.data.IterableDataset):
    def __iter__(self):
        return iter(range(3))

    def __len__(self):
        return 3


class NumbersHere(rushlight.utils.data.IterableDataset):
    __iter__, __len__ = Numbers.__iter__, Numbers.__len__


NUMBERS = {torch: Numbers, rushlight: NumbersHere}


def pairs(m):
    return m.utils.data.TensorDataset(m.arange(10.0), m.arange(10))


CASES = {
    "sample": lambda m: pairs(m)[3],
    "slice": lambda m: pairs(m)[2:4],
    "length": lambda m: len(pairs(m)),
    "unequal tensors": lambda m: m.utils.data.TensorDataset(m.ones(2), m.ones(3)),
    "stacked tuple": lambda m: m.utils.data.StackDataset([1, 2], [3, 4])[1],
    "stacked dictionary": lambda m: m.utils.data.StackDataset(a=[1, 2], b="xy").__getitems__([1, 0]),
    "stacked unequal": lambda m: m.utils.data.StackDataset(a=[1], b=[1, 2]),
    "stacked both kinds": lambda m: m.utils.data.StackDataset([1], b=[1]),
    "stacked nothing": lambda m: m.utils.data.StackDataset(),
    "joined": lambda m: [(pairs(m) + pairs(m))[index] for index in (0, 9, 10, 19, -1)],
    "joined length": lambda m: len(pairs(m) + pairs(m)),
    "joined sizes": lambda m: m.utils.data.ConcatDataset([[1], [2, 3]]).cumulative_sizes,
    "joined beyond": lambda m: m.utils.data.ConcatDataset([[1], [2]])[2],
    "joined before": lambda m: m.utils.data.ConcatDataset([[1], [2]])[-3],
    "joined nothing": lambda m: m.utils.data.ConcatDataset([]),
    "joined iterables": lambda m: m.utils.data.ConcatDataset([NUMBERS[m]()]),
    "chained": lambda m: list(NUMBERS[m]() + NUMBERS[m]()),
    "chained length": lambda m: len(NUMBERS[m]() + NUMBERS[m]()),
    "chained lists": lambda m: list(m.utils.data.ChainDataset([[1]])),
    "subset": lambda m: [m.utils.data.Subset("abcd", [3, 1])[index] for index in (0, 1)],
    "subset of many": lambda m: m.utils.data.Subset("abcd", [3, 1]).__getitems__([1, 0]),
    "subset by list": lambda m: m.utils.data.Subset(pairs(m), [5, 6])[[0, 1]],
    "split": lambda m: [part.indices for part in m.utils.data.random_split(range(10), [7, 3])],
    "split by fractions": lambda m: [
        part.indices for part in m.utils.data.random_split(range(10), [0.33, 0.33, 0.34])
    ],
    "split with generator": lambda m: [
        part.indices
        for part in m.utils.data.random_split(range(9), [4, 5], generator=m.Generator().manual_seed(5))
    ],
    "split of wrong sum": lambda m: m.utils.data.random_split(range(10), [7, 4]),
    "split beyond one": lambda m: m.utils.data.random_split(range(10), [0.7, 0.7]),
    "split of negative fraction": lambda m: m.utils.data.random_split(range(10), [-0.5, 1.5]),
    "base": lambda m: m.utils.data.Dataset()[0],
}


@pytest.mark.parametrize("name", CASES)
def test_as_pytorch(name):
    results = []
    for module in MODULES:
        module.manual_seed(0)
        results.append(outcome(CASES[name], module))
    assert results[0] == results[1]


def test_empty_split_warns():
    for module in MODULES:
        with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
            module.utils.data.random_split(range(2), [0.1, 0.1, 0.8])


def test_tensor_dataset_gives_views():
    tensor = rushlight.zeros(3, 2)
    TensorDataset(tensor)[1][0].fill_(1)
    assert tensor[1].tolist() == [1, 1]
