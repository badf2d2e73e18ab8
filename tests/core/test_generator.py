"""Generators: seeds and states as PyTorch's."""

from __future__ import annotations

import pytest
import torch

import rushlight

SEEDS = [0, 1, 5, -1, 2**32, 2**40 + 7, 2**63, 2**64 - 1, -(2**63)]


@pytest.mark.parametrize("seed", SEEDS)
def test_seeds(seed):
    ours, theirs = rushlight.Generator(), torch.Generator()
    assert ours.manual_seed(seed) is ours
    theirs.manual_seed(seed)
    assert ours.initial_seed() == theirs.initial_seed()
    assert ours.get_state().tolist() == theirs.get_state().tolist()


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1])
def test_seeds_that_do_not_fit(seed):
    with pytest.raises(ValueError, match="Overflow when unpacking long long"):
        rushlight.Generator().manual_seed(seed)


def test_the_first_seed():
    assert rushlight.Generator().initial_seed() == torch.Generator().initial_seed()
    assert rushlight.Generator().get_state().tolist() == torch.Generator().get_state().tolist()


def test_a_seed_from_entropy():
    generator = rushlight.Generator()
    seed = generator.seed()
    assert generator.initial_seed() == seed
    drawn = rushlight.rand(3, generator=generator).tolist()
    assert rushlight.rand(3, generator=rushlight.Generator().manual_seed(seed)).tolist() == drawn
    assert generator.seed() != seed


def test_states_keep_the_second_normal_draw():
    generator = rushlight.Generator()
    rushlight.randn(1, generator=generator)
    state = generator.get_state()
    first = rushlight.randn(3, generator=generator).tolist()
    generator.set_state(state)
    assert rushlight.randn(3, generator=generator).tolist() == first
