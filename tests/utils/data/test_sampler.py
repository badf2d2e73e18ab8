"""Samplers draw PyTorch's indices and leave the random stream where PyTorch leaves it."""

import pytest
import torch
import torch.utils.data

import rushlight
import rushlight.utils.data


def seeded(m):
    return m.Generator().manual_seed(3)


SAMPLERS = {
    "sequential": lambda m: m.utils.data.SequentialSampler(range(5)),
    "random": lambda m: m.utils.data.RandomSampler(range(10)),
    "random of 1000": lambda m: m.utils.data.RandomSampler(range(1000)),
    "random of one": lambda m: m.utils.data.RandomSampler(range(1)),
    "more than there are": lambda m: m.utils.data.RandomSampler(range(10), num_samples=25),
    "fewer than there are": lambda m: m.utils.data.RandomSampler(range(10), num_samples=4),
    "with replacement": lambda m: m.utils.data.RandomSampler(range(10), True, 70),
    "with replacement, a whole run": lambda m: m.utils.data.RandomSampler(range(10), True, 64),
    "generator": lambda m: m.utils.data.RandomSampler(range(10), generator=seeded(m)),
    "generator and replacement": lambda m: m.utils.data.RandomSampler(range(10), True, generator=seeded(m)),
    "subset": lambda m: m.utils.data.SubsetRandomSampler([4, 5, 6, 9]),
    "weighted": lambda m: m.utils.data.WeightedRandomSampler([0.1, 2, 0, 3], 20),
    "weighted without replacement": lambda m: m.utils.data.WeightedRandomSampler([0.1, 2, 1, 3], 3, False),
    "batches": lambda m: m.utils.data.BatchSampler(m.utils.data.RandomSampler(range(10)), 3, False),
    "whole batches": lambda m: m.utils.data.BatchSampler(range(10), 3, True),
    "shares": lambda m: m.utils.data.DistributedSampler(range(10), 3, 2),
    "shares in order": lambda m: m.utils.data.DistributedSampler(range(10), 3, 1, shuffle=False),
    "shares without the tail": lambda m: m.utils.data.DistributedSampler(
        range(10), 3, 2, seed=4, drop_last=True
    ),
    "shares of few": lambda m: m.utils.data.DistributedSampler(range(2), 5, 4),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_same_indices_and_stream(name):
    results = []
    for module in (torch, rushlight):
        module.manual_seed(7)
        sampler = SAMPLERS[name](module)
        results.append((list(sampler), list(sampler), len(sampler), module.rand(2).tolist()))
    assert results[0] == results[1]


def test_generator_ends_in_the_same_state():
    results = []
    for module in (torch, rushlight):
        generator = seeded(module)
        list(module.utils.data.RandomSampler(range(10), generator=generator))
        results.append(module.rand(1, generator=generator).item())
    assert results[0] == results[1]


def test_epochs_of_shares():
    results = []
    for module in (torch, rushlight):
        sampler = module.utils.data.DistributedSampler(range(10), 2, 0)
        sampler.set_epoch(3)
        results.append(list(sampler))
    assert results[0] == results[1]


ERRORS = {
    "no samples": lambda d: d.RandomSampler([]),
    "zero samples": lambda d: d.RandomSampler(range(3), num_samples=0),
    "replacement": lambda d: d.RandomSampler(range(3), replacement=3),
    "weighted zero": lambda d: d.WeightedRandomSampler([1, 2], 0),
    "weighted bool": lambda d: d.WeightedRandomSampler([1, 2], True),
    "weights of two dimensions": lambda d: d.WeightedRandomSampler([[1, 2]], 2),
    "weighted replacement": lambda d: d.WeightedRandomSampler([1, 2], 2, replacement=1),
    "batch of none": lambda d: d.BatchSampler([1], 0, True),
    "batch of bool": lambda d: d.BatchSampler([1], True, True),
    "drop_last": lambda d: d.BatchSampler([1], 1, 3),
    "rank": lambda d: d.DistributedSampler([1], 2, 2),
    "no group": lambda d: d.DistributedSampler([1]),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_as_pytorch(name):
    results = []
    for module in (torch, rushlight):
        with pytest.raises((ValueError, TypeError)) as caught:
            ERRORS[name](module.utils.data)
        results.append((type(caught.value), str(caught.value)))
    assert results[0] == results[1]
