"""Sequences of random lengths and ends, against float64 NumPy and PyTorch's bits."""

import numpy as np
import pytest
import torch as reference
from hypothesis import given, settings
from hypothesis import strategies as st

import rushlight as torch

FLOATS = ["float32", "float64", "float16", "bfloat16"]
INTEGERS = ["int64", "int32", "int16", "int8", "uint8"]
LENGTHS = st.one_of(st.integers(0, 70), st.sampled_from([16383, 16384, 16400, 32799]))
ENDS = st.floats(-100, 100, allow_nan=False, width=16)


def bits(tensor) -> bytes:
    return bytes(tensor.contiguous().view(type_of(tensor)).numpy().tobytes())


def type_of(tensor):
    module = torch if isinstance(tensor, torch.Tensor) else reference
    return {1: module.uint8, 2: module.int16, 4: module.int32, 8: module.int64}[tensor.element_size()]


@settings(max_examples=60, deadline=None)
@given(count=LENGTHS, start=ENDS, end=ENDS, dtype=st.sampled_from(FLOATS))
def test_linspace_of_floats(count, start, end, dtype):
    actual = torch.linspace(start, end, count, dtype=getattr(torch, dtype))
    assert actual.shape == (count,)
    scale = max(abs(start), abs(end), 1e-3)
    info = torch.finfo(actual.dtype)
    smallest_step = info.tiny * info.eps  # to which the step, a number of the type, is rounded
    expected = np.linspace(start, end, count)
    allowed = 4 * info.eps * scale + count * smallest_step / 2
    assert np.all(np.abs(actual.double().numpy() - expected) <= allowed)
    if count > 0:
        assert bits(actual) == bits(reference.linspace(start, end, count, dtype=getattr(reference, dtype)))


@settings(max_examples=60, deadline=None)
@given(count=LENGTHS, start=st.integers(0, 127), end=st.integers(0, 127), dtype=st.sampled_from(INTEGERS))
def test_linspace_of_integers(count, start, end, dtype):
    actual = torch.linspace(start, end, count, dtype=getattr(torch, dtype))
    assert np.all(np.abs(actual.double().numpy() - np.linspace(start, end, count)) < 1 + 1e-9)
    if count > 0:
        assert bits(actual) == bits(reference.linspace(start, end, count, dtype=getattr(reference, dtype)))


@settings(max_examples=60, deadline=None)
@given(count=LENGTHS, start=st.integers(-50, 50), step=st.integers(-9, 9).filter(bool))
@pytest.mark.parametrize("dtype", ["int64", "int32", "int16", "int8"])
def test_arange_of_integers_wraps_around(dtype, count, start, step):
    actual = torch.arange(start, start + count * step, step, dtype=getattr(torch, dtype))
    expected = np.arange(start, start + count * step, step, dtype=np.int64).astype(dtype)
    assert np.array_equal(actual.numpy(), expected)


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 32000), start=ENDS, step=st.sampled_from([0.1, 0.5, -0.37, 3.0]))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arange_of_floats(dtype, count, start, step):
    end = start + (count - 0.5) * step
    actual = torch.arange(start, end, step, dtype=getattr(torch, dtype))
    assert bits(actual) == bits(reference.arange(start, end, step, dtype=getattr(reference, dtype)))


def test_bits_do_not_depend_on_threads():
    def results() -> list[bytes]:
        return [
            bits(sequence)
            for dtype in FLOATS
            for sequence in (
                torch.arange(0, 5000, 0.1, dtype=getattr(torch, dtype)),
                torch.linspace(-1, 3, 50001, dtype=getattr(torch, dtype)),
                torch.logspace(-1, 1, 5001, dtype=getattr(torch, dtype)),
            )
        ]

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        expected = results()
        for threads in (2, 3, 8):
            torch.set_num_threads(threads)
            assert results() == expected
    finally:
        torch.set_num_threads(before)
