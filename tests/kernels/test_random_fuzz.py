"""Random numbers against float64 NumPy on the same words, for any number of threads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rushlight
from rushlight import Tensor

FLOATING = ["float32", "float64", "float16", "bfloat16"]
EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52, "float16": 2.0**-10, "bfloat16": 2.0**-7}

# Around the groups, pieces and batches that the kernels work in.
COUNTS = st.one_of(st.integers(0, 70), st.sampled_from([4095, 4096, 4097, 65_535, 65_536, 65_537, 140_000]))
SEEDS = st.integers(0, 2**32 - 1)


class Words:
    """The stream of 32-bit words of one seed, as NumPy's own Mersenne Twister draws them."""

    def __init__(self, seed: int):
        self.source = np.random.RandomState(seed)

    def take(self, count: int) -> np.ndarray:
        return self.source.randint(0, 2**32, count, dtype=np.uint64)

    def uniform(self, count: int, dtype: str) -> np.ndarray:
        if dtype != "float64":
            return (self.take(count) & 0xFFFFFF) * 2.0**-24
        pairs = self.take(2 * count).reshape(count, 2)
        return ((pairs[:, 0] << np.uint64(32) | pairs[:, 1]) & np.uint64(2**53 - 1)) * 2.0**-53


def filled(seed: int, count: int, dtype: str, fill: Callable[[Tensor], Tensor]) -> np.ndarray:
    rushlight.manual_seed(seed)
    return fill(rushlight.empty(count, dtype=getattr(rushlight, dtype))).double().numpy()


def box_muller(uniform: np.ndarray) -> np.ndarray:
    first, second = uniform.reshape(-1, 2, 8).transpose(1, 0, 2)
    radius, angle = np.sqrt(-2 * np.log(1 - first)), 2 * np.pi * second
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)


def normal(words: Words, count: int, dtype: str) -> np.ndarray:
    """Groups of sixteen; an incomplete last group is drawn anew with those before it."""
    whole = count - count % 16
    result = np.empty(count)
    result[:whole] = box_muller(words.uniform(whole, dtype))
    if whole < count:
        if dtype in ("float32", "float64"):
            words.uniform(count - whole, dtype)
        result[-16:] = box_muller(words.uniform(16, dtype))
    return result


@given(COUNTS.filter(lambda count: count >= 16), SEEDS, st.sampled_from(FLOATING))
@settings(max_examples=25, deadline=None)
def test_normal(count, seed, dtype):
    actual = filled(seed, count, dtype, lambda x: x.normal_(0.5, 2.0))
    expected = 0.5 + 2 * normal(Words(seed), count, dtype)
    assert np.all(np.abs(actual - expected) <= 40 * EPSILON[dtype] * np.maximum(1, np.abs(expected)))


@given(COUNTS, SEEDS, st.sampled_from(FLOATING))
@settings(max_examples=25, deadline=None)
def test_uniform(count, seed, dtype):
    actual = filled(seed, count, dtype, lambda x: x.uniform_(-1.5, 2.5))
    expected = Words(seed).uniform(count, dtype) * 4 - 1.5
    rounded = rushlight.from_numpy(expected).to(getattr(rushlight, dtype)).double().numpy()
    np.testing.assert_array_equal(actual, np.where(rounded == 2.5, -1.5, rounded))


@given(COUNTS, SEEDS, st.sampled_from(FLOATING))
@settings(max_examples=15, deadline=None)
def test_exponential(count, seed, dtype):
    actual = filled(seed, count, dtype, lambda x: x.exponential_(2.0))
    expected = -0.5 * np.log1p(-Words(seed).uniform(count, "float64"))
    np.testing.assert_allclose(actual, expected, rtol=4 * EPSILON[dtype], atol=1e-7)


@given(COUNTS, SEEDS, st.sampled_from([*FLOATING, "int64", "uint8", "bool"]), st.floats(0, 1))
@settings(max_examples=15, deadline=None)
def test_bernoulli(count, seed, dtype, p):
    actual = filled(seed, count, dtype, lambda x: x.bernoulli_(p))
    np.testing.assert_array_equal(actual, Words(seed).uniform(count, "float64") < p)


@given(COUNTS, SEEDS, st.integers(-(2**20), 2**20), st.integers(1, 2**28 - 1) | st.integers(1, 9))
@settings(max_examples=25, deadline=None)
def test_randint(count, seed, low, size):
    rushlight.manual_seed(seed)
    actual = rushlight.randint(low, low + size, (count,)).numpy()
    np.testing.assert_array_equal(actual, (Words(seed).take(count) % np.uint64(size)).astype(np.int64) + low)


@given(COUNTS, SEEDS, st.sampled_from(["int64", "int32", "float32", "float64"]))
@settings(max_examples=10, deadline=None)
def test_randperm(count, seed, dtype):
    rushlight.manual_seed(seed)
    actual = rushlight.randperm(count, dtype=getattr(rushlight, dtype)).tolist()
    expected, words = list(range(count)), Words(seed).take(max(count - 1, 0)).tolist()
    for i, word in enumerate(words):
        j = i + word % (count - i)
        expected[i], expected[j] = expected[j], expected[i]
    assert actual == expected


@pytest.mark.parametrize("count", [100_000, 300_001])
def test_bits_do_not_depend_on_threads(count):
    def draws() -> list[bytes]:
        rushlight.manual_seed(3)
        drawn = [
            rushlight.randn(count),
            rushlight.randn(count, dtype=rushlight.float64),
            rushlight.rand(count),
            rushlight.randint(0, 1000, (count,)),
            rushlight.randperm(count),
            rushlight.empty(count).exponential_(),
            rushlight.dropout(rushlight.ones(count), 0.3, True),
        ]
        return [x.numpy().tobytes() for x in drawn]

    threads, results = rushlight.get_num_threads(), []
    try:
        for number in (1, 2, 3, 8):
            rushlight.set_num_threads(number)
            results.append(draws())
    finally:
        rushlight.set_num_threads(threads)
    assert all(result == results[0] for result in results)
