"""Recurrent layers against float64 NumPy, their gradients against differences, for any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rushlight
from rushlight import Tensor

Arrays = dict[str, np.ndarray]

GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
MODES = sorted(GATES)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def reference(mode: str, arrays: Arrays, reverse: bool) -> list[np.ndarray]:
    """The hidden states of all steps and, for LSTM, the last cell state."""
    hidden, cell = arrays["hidden"], arrays.get("cell")
    steps = arrays["projected"][::-1] if reverse else arrays["projected"]
    outputs = []
    for projected in steps:
        product = hidden @ arrays["weight"].T + arrays.get("bias", 0.0)
        if mode == "LSTM":
            i, f, g, o = np.split(projected + product, 4, -1)
            cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
            hidden = sigmoid(o) * np.tanh(cell)
        elif mode == "GRU":
            (pr, pz, pn), (hr, hz, hn) = np.split(projected, 3, -1), np.split(product, 3, -1)
            update = sigmoid(pz + hz)
            hidden = (1 - update) * np.tanh(pn + sigmoid(pr + hr) * hn) + update * hidden
        else:
            total = projected + product
            hidden = np.tanh(total) if mode == "RNN_TANH" else np.maximum(total, 0)
        outputs.append(hidden)
    output = np.stack(outputs[::-1] if reverse else outputs)
    return [output] if cell is None else [output, cell]


def run(mode: str, tensors: dict[str, Tensor], reverse: bool) -> list[Tensor]:
    operator = getattr(rushlight._C, f"_{mode.lower()}_sequence")
    result = operator(*tensors.values(), reverse=reverse)
    return list(result) if mode == "LSTM" else [result]


def draw_arrays(mode: str, steps: int, batch: int, hidden: int, seed: int, bias: bool = True) -> Arrays:
    random = np.random.default_rng(seed)
    gates = GATES[mode] * hidden
    shapes = {"projected": (steps, batch, gates), "hidden": (batch, hidden)}
    if mode == "LSTM":
        shapes["cell"] = (batch, hidden)
    shapes["weight"] = (gates, hidden)
    if mode == "GRU" and bias:
        shapes["bias"] = (gates,)
    scale = {"weight": hidden**-0.5}
    return {name: random.standard_normal(shape) * scale.get(name, 1.0) for name, shape in shapes.items()}


def to_tensors(arrays: Arrays, dtype: Any) -> dict[str, Tensor]:
    return {name: rushlight.tensor(array, dtype=dtype) for name, array in arrays.items()}


@settings(max_examples=60, deadline=None)
@given(
    mode=st.sampled_from(MODES),
    steps=st.integers(1, 6),
    batch=st.integers(0, 30),
    hidden=st.integers(1, 70),
    reverse=st.booleans(),
    bias=st.booleans(),
    dtype=st.sampled_from(["float32", "float64", "bfloat16"]),
    threads=st.sampled_from([1, 2, 3, 8]),
    seed=st.integers(0, 1000),
)
def test_values(
    mode: str,
    steps: int,
    batch: int,
    hidden: int,
    reverse: bool,
    bias: bool,
    dtype: str,
    threads: int,
    seed: int,
) -> None:
    arrays = draw_arrays(mode, steps, batch, hidden, seed, bias)
    tensors = to_tensors(arrays, getattr(rushlight, dtype))
    arrays = {name: tensor.double().numpy() for name, tensor in tensors.items()}
    before = rushlight.get_num_threads()
    rushlight.set_num_threads(threads)
    try:
        results = run(mode, tensors, reverse)
    finally:
        rushlight.set_num_threads(before)
    bound = {"float32": 2e-5, "float64": 1e-12, "bfloat16": 2e-2}[dtype]
    for result, expected in zip(results, reference(mode, arrays, reverse), strict=True):
        np.testing.assert_allclose(result.double().numpy(), expected, rtol=bound, atol=bound)


@settings(max_examples=15, deadline=None)
@given(
    mode=st.sampled_from(["LSTM", "GRU", "RNN_TANH"]),
    steps=st.integers(1, 4),
    batch=st.integers(1, 14),
    hidden=st.integers(1, 20),
    reverse=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_gradients(mode: str, steps: int, batch: int, hidden: int, reverse: bool, seed: int) -> None:
    """The derivative along a random direction against the reference's central difference."""
    arrays = draw_arrays(mode, steps, batch, hidden, seed)
    random = np.random.default_rng(seed + 1)
    weights = [random.standard_normal(one.shape) for one in reference(mode, arrays, reverse)]
    direction = {name: random.standard_normal(array.shape) for name, array in arrays.items()}

    def loss(shift: float) -> float:
        moved = {name: array + shift * direction[name] for name, array in arrays.items()}
        results = reference(mode, moved, reverse)
        return sum(float((one * weight).sum()) for one, weight in zip(results, weights, strict=True))

    tensors = {name: t.requires_grad_() for name, t in to_tensors(arrays, rushlight.float64).items()}
    total = sum(
        (one * rushlight.tensor(weight)).sum()
        for one, weight in zip(run(mode, tensors, reverse), weights, strict=True)
    )
    total.backward()
    slope = sum(float((tensors[name].grad.numpy() * direction[name]).sum()) for name in arrays)
    difference = (loss(1e-5) - loss(-1e-5)) / 2e-5
    assert slope == pytest.approx(difference, rel=1e-5, abs=1e-5)


@settings(max_examples=15, deadline=None)
@given(
    mode=st.sampled_from(["LSTM", "GRU", "RNN_TANH"]),
    steps=st.integers(1, 5),
    batch=st.integers(1, 30),
    hidden=st.integers(8, 70),
    seed=st.integers(0, 1000),
)
def test_gradients_of_bfloat16(mode: str, steps: int, batch: int, hidden: int, seed: int) -> None:
    """As large as those of float64, and nearly of the same direction, where a few numbers do not decide it."""
    arrays = draw_arrays(mode, steps, batch, hidden, seed)
    found = []
    for dtype in (rushlight.bfloat16, rushlight.float64):
        tensors = to_tensors(arrays, rushlight.bfloat16)
        tensors = {name: tensor.to(dtype).requires_grad_() for name, tensor in tensors.items()}
        (run(mode, tensors, False)[0] * 0.5).square().sum().backward()
        found.append({name: tensor.grad.double().numpy() for name, tensor in tensors.items()})
    for name, exact in found[1].items():
        assert np.linalg.norm(found[0][name] - exact) <= 0.04 * np.linalg.norm(exact) + 1e-6


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("batch", [20, 41])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_same_bits_for_any_number_of_threads(mode: str, batch: int, dtype: str) -> None:
    arrays = draw_arrays(mode, 5, batch, 50, seed=0)
    before = rushlight.get_num_threads()
    found = []
    for threads in (1, 2, 3, 8):
        rushlight.set_num_threads(threads)
        tensors = {
            name: t.requires_grad_() for name, t in to_tensors(arrays, getattr(rushlight, dtype)).items()
        }
        results = run(mode, tensors, False)
        sum(one.sum() for one in results).backward()
        both = [one.detach() for one in results] + [t.grad for t in tensors.values()]
        found.append([one.float().numpy() for one in both])
    rushlight.set_num_threads(before)
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("reverse", [False, True])
def test_what_is_left_for_a_gradient_changes_no_bits(mode: str, reverse: bool) -> None:
    tensors = to_tensors(draw_arrays(mode, 5, 13, 19, 0), rushlight.float32)
    without = run(mode, tensors, reverse)
    tensors["weight"].requires_grad_()
    for bare, recorded in zip(without, run(mode, tensors, reverse), strict=True):
        assert recorded.requires_grad and not bare.requires_grad
        assert rushlight.equal(bare, recorded)


def test_second_derivative_is_that_of_the_same_function() -> None:
    arrays = draw_arrays("LSTM", 3, 2, 4, seed=0)
    tensors = {name: t.requires_grad_() for name, t in to_tensors(arrays, rushlight.float64).items()}

    def slopes(create_graph: bool) -> tuple[Tensor, ...]:
        output, cell = run("LSTM", tensors, True)
        loss = (output * output).sum() + cell.sum()
        return rushlight.autograd.grad(loss, list(tensors.values()), create_graph=create_graph)

    for fused, composed in zip(slopes(False), slopes(True), strict=True):
        np.testing.assert_allclose(fused.numpy(), composed.detach().numpy(), rtol=1e-12, atol=1e-14)


def test_an_input_made_of_another_is_differentiated_once() -> None:
    """The first state and the inputs share an origin: neither's gradient may count the other's."""
    start = rushlight.ones(2, 3, dtype=rushlight.float64, requires_grad=True)
    weight = rushlight.eye(3, dtype=rushlight.float64)

    def gradient(create_graph: bool) -> Tensor:
        output = rushlight._C._rnn_tanh_sequence((start * 0.5).expand(4, 2, 3), start, weight)
        return rushlight.autograd.grad(output.sum(), start, create_graph=create_graph)[0]

    np.testing.assert_allclose(gradient(False).numpy(), gradient(True).detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_not_a_number_stays_in_its_sequence(mode: str) -> None:
    arrays = draw_arrays(mode, 3, 14, 5, seed=0)
    arrays["projected"][1, 4] = np.nan
    output = run(mode, to_tensors(arrays, rushlight.float32), False)[0].numpy()
    assert np.isnan(output[1:, 4]).all()
    assert np.isfinite(np.delete(output, 4, 1)).all()


def test_shapes_that_do_not_fit_are_refused() -> None:
    zeros = rushlight.zeros
    with pytest.raises(RuntimeError, match="Expected hidden size"):
        rushlight._C._gru_sequence(zeros(5, 2, 9), zeros(3, 3), zeros(9, 3))
    with pytest.raises(RuntimeError, match="sequence length to be larger than 0"):
        rushlight._C._gru_sequence(zeros(0, 2, 9), zeros(2, 3), zeros(9, 3))
