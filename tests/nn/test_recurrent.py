"""Recurrent layers against their cells, their directions and layouts against each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rushlight
from rushlight import Tensor, nn

LAYERS = [
    ("LSTM", {}),
    ("GRU", {}),
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu"}),
    ("LSTM", {"bias": False}),
]


def make(kind: str, **settings: Any) -> nn.Module:
    rushlight.manual_seed(0)
    return getattr(nn, kind)(5, 6, dtype=rushlight.float64, **settings)


def states_of(result: Any) -> list[Tensor]:
    return list(result) if isinstance(result, tuple) else [result]


def assert_close(one: Tensor, two: Tensor) -> None:
    np.testing.assert_allclose(one.detach().numpy(), two.detach().numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("kind", "settings"), LAYERS)
def test_a_layer_is_its_cell_step_by_step(kind: str, settings: dict[str, Any]) -> None:
    layer, cell = make(kind, **settings), make(kind + "Cell", **settings)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    steps = rushlight.randn(4, 3, 5, dtype=rushlight.float64)
    output, last = layer(steps)
    state = None
    for step, expected in zip(steps, output, strict=True):
        state = cell(step, state)
        assert_close(states_of(state)[0], expected)
    for one, two in zip(states_of(state), states_of(last), strict=True):
        assert_close(one, two[0])
    output.sum().backward()
    sums = {name: parameter.grad for name, parameter in layer.named_parameters()}
    state, total = None, 0
    for step in steps:
        state = cell(step, state)
        total = total + states_of(state)[0].sum()
    total.backward()
    for name, parameter in cell.named_parameters():
        assert_close(parameter.grad, sums[name + "_l0"])


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_the_second_direction_reads_the_sequence_backwards(kind: str) -> None:
    both, single = make(kind, bidirectional=True), make(kind)
    weights = both.state_dict()
    single.load_state_dict({name: weights[name + "_reverse"] for name in single.state_dict()})
    steps = rushlight.randn(4, 3, 5, dtype=rushlight.float64)
    output, last = both(steps)
    flipped, flipped_last = single(steps.flip(0))
    assert_close(output[..., 6:], flipped.flip(0))
    for one, two in zip(states_of(last), states_of(flipped_last), strict=True):
        assert_close(one[1], two[0])


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_layouts_agree(kind: str) -> None:
    layer, batch_first = make(kind, num_layers=2), make(kind, num_layers=2, batch_first=True)
    batch_first.load_state_dict(layer.state_dict())
    steps = rushlight.randn(4, 3, 5, dtype=rushlight.float64)
    output, last = layer(steps)
    assert_close(batch_first(steps.transpose(0, 1))[0].transpose(0, 1), output)
    alone, alone_last = layer(steps[:, 1])
    assert_close(alone, output[:, 1])
    for one, two in zip(states_of(alone_last), states_of(last), strict=True):
        assert_close(one, two[:, 1])


def test_a_projected_state_is_what_the_next_step_reads() -> None:
    layer = make("LSTM", proj_size=2)
    steps = rushlight.randn(4, 3, 5, dtype=rushlight.float64)
    output, (hidden, cell) = layer(steps)
    assert output.shape == (4, 3, 2) and hidden.shape == (1, 3, 2) and cell.shape == (1, 3, 6)
    h, c = steps.new_zeros(3, 2), steps.new_zeros(3, 6)
    for step, expected in zip(steps, output, strict=True):
        gates = step @ layer.weight_ih_l0.T + layer.bias_ih_l0 + h @ layer.weight_hh_l0.T + layer.bias_hh_l0
        i, f, g, o = gates.chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = (o.sigmoid() * c.tanh()) @ layer.weight_hr_l0.T
        assert_close(h, expected)
    output.sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


def test_an_empty_sequence_is_refused() -> None:
    with pytest.raises(RuntimeError, match="Expected sequence length to be larger than 0 in RNN"):
        nn.LSTM(5, 6)(rushlight.zeros(0, 3, 5))
