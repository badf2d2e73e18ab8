"""The random stream: number for number that of PyTorch's CPU generator."""

# ruff: noqa: B023 (the lambdas are called within the round of the loop that makes them)

from __future__ import annotations

import math

import pytest
import torch

import rushlight

FLOATING = ["float32", "float64", "float16", "bfloat16"]
REAL = [*FLOATING, "int64", "int32", "int16", "int8", "uint8", "bool"]
SIZES = [1, 2, 15, 16, 17, 31, 40, 1000, 100003]


def both(make, seed=0):
    """What ``make(framework)`` gives from one seed on both sides, and the generators' states after it."""
    torch.manual_seed(seed)
    rushlight.manual_seed(seed)
    expected, actual = make(torch), make(rushlight)
    assert rushlight.get_rng_state().tolist() == torch.get_rng_state().tolist()
    return actual, expected


def assert_same(make, seed=0, units=0):
    """Equality, or, with ``units``, to so many units in the last place of max(1, |x|)."""
    actual, expected = both(make, seed)
    assert str(actual.dtype).split(".")[-1] == str(expected.dtype).split(".")[-1]
    assert tuple(actual.shape) == tuple(expected.shape)
    if units == 0:
        assert actual.tolist() == expected.tolist()
        return
    epsilon = torch.finfo(expected.dtype).eps
    difference = torch.tensor(actual.tolist(), dtype=torch.float64) - expected.double()
    scale = expected.double().abs().clamp(min=1.0)
    finite = torch.isfinite(expected)
    assert ((difference.abs() / scale)[finite] <= units * epsilon).all()


@pytest.mark.parametrize("dtype", FLOATING)
@pytest.mark.parametrize("size", SIZES)
def test_floating_distributions(dtype, size):
    for seed in range(3):
        assert_same(lambda t: t.rand(size, dtype=getattr(t, dtype)), seed)
        assert_same(lambda t: t.empty(size, dtype=getattr(t, dtype)).uniform_(-1.3, 2.7), seed)
        assert_same(lambda t: t.randn(size, dtype=getattr(t, dtype)), seed, units=4)
        assert_same(lambda t: t.empty(size, dtype=getattr(t, dtype)).normal_(1.0, 2.0), seed, units=8)
        assert_same(lambda t: t.empty(size, dtype=getattr(t, dtype)).exponential_(2.0), seed, units=2)
        assert_same(lambda t: t.empty(size, dtype=getattr(t, dtype)).cauchy_(2.0, 3.0), seed, units=32)
        assert_same(lambda t: t.empty(size, dtype=getattr(t, dtype)).log_normal_(0.2, 0.3), seed, units=4)


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("size", SIZES)
def test_whole_numbers(dtype, size):
    for seed in range(3):
        assert_same(lambda t: t.empty(size, dtype=getattr(t, dtype)).random_(), seed)
        assert_same(lambda t: t.empty(size, dtype=getattr(t, dtype)).bernoulli_(0.3), seed)
        if dtype == "bool":
            continue
        assert_same(lambda t: t.randint(7, 107, (size,), dtype=getattr(t, dtype)), seed)
        assert_same(lambda t: t.empty(size, dtype=getattr(t, dtype)).geometric_(0.3), seed)
        count = min(size, 100)
        assert_same(lambda t: t.randperm(count, dtype=getattr(t, dtype)), seed)


def test_wide_ranges():
    for low, high in [(0, 2**27), (0, 2**28), (0, 2**31), (-(2**40), 2**40), (-(2**62), 2**62)]:
        assert_same(lambda t: t.randint(low, high, (1000,)))
    assert_same(lambda t: t.empty(1000, dtype=t.int64).random_(-(2**63), None))
    assert_same(lambda t: t.empty(1000, dtype=t.int32).random_(5, None))


@pytest.mark.parametrize("dtype", FLOATING)
@pytest.mark.parametrize("p_dtype", FLOATING)
def test_bernoulli_with_tensors(dtype, p_dtype):
    def make(t):
        p = t.arange(100).to(getattr(t, p_dtype)) / 100
        return t.empty(100, dtype=getattr(t, dtype)).bernoulli_(p)

    assert_same(make)
    assert_same(lambda t: t.empty(4, 3, dtype=getattr(t, dtype)).bernoulli_(t.tensor(0.5)))
    assert_same(lambda t: t.bernoulli(t.full((50,), 0.3, dtype=getattr(t, p_dtype))))
    assert_same(lambda t: t.bernoulli(t.full((50,), 0.3, dtype=getattr(t, p_dtype)), 0.7))


@pytest.mark.parametrize("size", [3, 5, 50])
def test_elements_are_drawn_in_the_order_of_memory(size):
    for seed in range(3):
        for fill in (lambda x: x.normal_(), lambda x: x.uniform_(), lambda x: x.bernoulli_(0.4)):
            assert_same(lambda t: fill(t.empty(size, 4).t()), seed, units=4)
            assert_same(lambda t: fill(t.empty(size, 4)[:, 1]), seed, units=4)
            assert_same(lambda t: fill(t.empty(2, size, 4, 3)[:, ::2].permute(3, 0, 2, 1)), seed, units=4)


def test_complex():
    for size in (3, 7, 8, 20, 1000):
        for dtype in ("complex64", "complex128"):
            assert_same(lambda t: t.view_as_real(t.randn(size, dtype=getattr(t, dtype))), units=4)
            assert_same(lambda t: t.view_as_real(t.rand(size, dtype=getattr(t, dtype))))
            assert_same(
                lambda t: t.view_as_real(t.empty(size, dtype=getattr(t, dtype)).normal_(1, 2)), units=4
            )


def test_normal_with_tensors():
    assert_same(lambda t: t.normal(t.arange(3.0), 2.0), units=4)
    assert_same(lambda t: t.normal(1.0, t.arange(20.0)), units=4)
    assert_same(lambda t: t.normal(t.zeros(2, 1), t.ones(3)), units=4)
    assert_same(lambda t: t.normal(1.0, 2.0, (20,)), units=4)


@pytest.mark.parametrize("dtype", FLOATING)
def test_multinomial(dtype):
    for seed in range(6):
        for count, replacement in [(1, False), (1, True), (4, False), (1000, True)]:
            if count == 4 and "16" in dtype:
                continue  # equal keys are frequent in half precision, and their order is not defined

            def make(t):
                weights = (t.arange(1, 31).reshape(3, 10) % 7).to(getattr(t, dtype))
                return t.multinomial(weights, count, replacement=replacement)

            assert_same(make, seed)


def test_poisson():
    for seed in range(3):
        for dtype in ("float32", "float64"):
            assert_same(lambda t: t.poisson(t.linspace(0, 50, 1000, dtype=getattr(t, dtype))), seed)


def test_like():
    assert_same(lambda t: t.rand_like(t.empty(3, 40).t()))
    assert_same(lambda t: t.randn_like(t.empty(3, 40), dtype=t.float64), units=4)
    assert_same(lambda t: t.randint_like(t.empty(3, 4), 10))
    assert_same(lambda t: t.randint_like(t.empty(3, 4, dtype=t.int64), 5, 10))


def test_dropout():
    for seed in range(3):
        assert_same(lambda t: t.dropout(t.ones(3, 40), 0.3, True), seed)
        assert_same(lambda t: t.dropout(t.ones(40, 3).t(), 0.3, True), seed)
        assert_same(lambda t: t.feature_dropout(t.ones(3, 40, 2), 0.3, True), seed)
        assert_same(lambda t: t.alpha_dropout(t.ones(3, 40), 0.3, True), seed, units=2)
        assert_same(lambda t: t.feature_alpha_dropout(t.ones(3, 40, 2), 0.3, True), seed, units=2)
        assert_same(lambda t: t.native_dropout(t.ones(3, 40), 0.3, True)[0], seed)
        assert_same(lambda t: t.rrelu(t.linspace(-1, 1, 100), 0.1, 0.3, True), seed)


def test_interleaved_calls_keep_in_step():
    def make(t):
        parts = [
            t.randn(3),
            t.rand(5),
            t.randn(1),
            t.empty(2).log_normal_(),
            t.randint(10, (3,)),
            t.randn(17),
            t.randn(1, dtype=t.float64),
            t.randperm(4),
            t.dropout(t.ones(3), 0.5, True),
            t.randn(2),
        ]
        return t.cat([part.to(t.float64).reshape(-1) for part in parts])

    for seed in (0, 1, 2**40 + 7):
        assert_same(make, seed, units=1 << 32)


def test_own_generators():
    def make(t):
        generator = t.Generator()
        generator.manual_seed(3)
        first = t.rand(5, generator=generator)
        state = generator.get_state()
        second = t.rand(5, generator=generator)
        generator.set_state(state)
        third = t.rand(5, generator=generator)
        assert second.tolist() == third.tolist()
        return t.cat([first, second])

    assert_same(make)


def test_states_are_exchangeable():
    torch.manual_seed(5)
    torch.randn(3)
    rushlight.set_rng_state(rushlight.tensor(torch.get_rng_state().tolist(), dtype=rushlight.uint8))
    assert rushlight.randn(5).tolist() == pytest.approx(torch.randn(5).tolist(), rel=1e-6)
    rushlight.randn(2)
    torch.set_rng_state(torch.tensor(rushlight.get_rng_state().tolist(), dtype=torch.uint8))
    assert rushlight.rand(5).tolist() == torch.rand(5).tolist()


def test_thread_count_does_not_matter():
    threads = rushlight.get_num_threads()
    results = []
    try:
        for count in (1, 2, 3):
            rushlight.set_num_threads(count)
            rushlight.manual_seed(0)
            results.append(rushlight.randn(100_000).tolist())
    finally:
        rushlight.set_num_threads(threads)
    assert results[0] == results[1] == results[2]


def test_draws_are_off_the_gradient():
    for make in (lambda x: x.normal_(), lambda x: x.uniform_(), lambda x: x.bernoulli_(0.5)):
        leaf = rushlight.ones(3, requires_grad=True)
        make(leaf * 2).sum().backward()
        assert leaf.grad.tolist() == [0.0, 0.0, 0.0]


ERRORS = [
    lambda t: t.empty(3).uniform_(3, 1),
    lambda t: t.empty(3).exponential_(-1),
    lambda t: t.empty(3).geometric_(2),
    lambda t: t.empty(3).cauchy_(0, -1),
    lambda t: t.empty(3).log_normal_(0, -1),
    lambda t: t.empty(3).normal_(0, -1),
    lambda t: t.empty(3).bernoulli_(2),
    lambda t: t.bernoulli(t.tensor([2.0])),
    lambda t: t.empty(3).random_(3, 3),
    lambda t: t.empty(3, dtype=t.int8).random_(0, 1000),
    lambda t: t.randperm(-1),
    lambda t: t.randperm(300, dtype=t.uint8),
    lambda t: t.randperm(5000, dtype=t.float16),
    lambda t: t.randperm(5, dtype=t.complex64),
    lambda t: t.empty(3, dtype=t.int64).normal_(),
    lambda t: t.empty(3, dtype=t.int64).uniform_(),
    lambda t: t.empty(3, dtype=t.int64).exponential_(),
    lambda t: t.empty(3, dtype=t.complex64).bernoulli_(),
    lambda t: t.empty(1).expand(3).normal_(),
    lambda t: t.rand(3, dtype=t.int64),
    lambda t: t.multinomial(t.ones(5), 6),
    lambda t: t.multinomial(-t.ones(5), 2),
    lambda t: t.multinomial(t.zeros(5), 2),
    lambda t: t.multinomial(t.ones(5), 0),
    lambda t: t.multinomial(t.ones(2, 2, 2), 2),
    lambda t: t.multinomial(t.ones(5, dtype=t.int64), 2),
    lambda t: t.poisson(-t.ones(2)),
    lambda t: t.dropout(t.ones(3), 2.0, True),
    lambda t: t.feature_dropout(t.ones(3), 0.5, True),
    lambda t: t.normal(0.0, t.tensor([-1.0])),
    lambda t: t.ones(3, requires_grad=True).normal_(),
    lambda t: t.Generator().set_state(t.zeros(10, dtype=t.uint8)),
    lambda t: t.Generator().set_state(t.zeros(5056, dtype=t.uint8)),
]


@pytest.mark.parametrize("make", ERRORS)
def test_errors_read_as_pytorch(make):
    with pytest.raises(Exception) as expected:
        make(torch)
    with pytest.raises(type(expected.value)) as actual:
        make(rushlight)
    assert str(actual.value) == str(expected.value)


def test_moments():
    rushlight.manual_seed(0)
    sample = rushlight.randn(1_000_000)
    assert abs(sample.mean().item()) < 5e-3
    assert math.isclose((sample * sample).mean().item(), 1.0, rel_tol=5e-3)
