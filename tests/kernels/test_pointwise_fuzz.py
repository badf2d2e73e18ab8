"""Activations, powers and copies against float64 NumPy, with equal bits for any number of threads."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch as pytorch
from hypothesis import given, settings
from hypothesis import strategies as st

import rushlight
from rushlight import Tensor
from rushlight.nn import functional as F

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.0, 3.0, -3.0, 1e-45, -1e-40, 1e38, -1e38, 1e-30]
SPECIAL += [math.inf, -math.inf, math.nan, 2.5, -0.3333, 16777216.0, 16777217.0, -16777215.0]

erf = np.vectorize(math.erf)
erfc = np.vectorize(math.erfc)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def normal(x: np.ndarray) -> np.ndarray:
    return erfc(-x / math.sqrt(2)) / 2


def gelu_tanh_inner(x: np.ndarray) -> np.ndarray:
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


Function = tuple[Callable[[Tensor], Tensor], Callable[[np.ndarray], np.ndarray]]
SMOOTH: dict[str, Function] = {
    "gelu": (F.gelu, lambda x: x * normal(x)),
    "gelu tanh": (
        lambda x: F.gelu(x, approximate="tanh"),
        lambda x: x * sigmoid(2 * gelu_tanh_inner(x)),
    ),
    "silu": (F.silu, lambda x: x * sigmoid(x)),
    "mish": (F.mish, lambda x: x * np.tanh(softplus(x))),
    "softplus": (F.softplus, softplus),
    "elu": (F.elu, lambda x: np.where(x > 0, x, np.expm1(x))),
    "logsigmoid": (F.logsigmoid, lambda x: -softplus(-x)),
    "sigmoid": (rushlight.sigmoid, sigmoid),
    "tanh": (rushlight.tanh, np.tanh),
    "exp2": (rushlight.exp2, np.exp2),
}


def units_in_the_last_place(result: np.ndarray, exact: np.ndarray) -> np.ndarray:
    return np.abs(result - exact) / np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)


@pytest.mark.parametrize("name", SMOOTH)
def test_floats_are_accurate(name: str) -> None:
    function, exact = SMOOTH[name]
    x = np.concatenate([np.linspace(-4, 12, 20_001), np.geomspace(1e-8, 1, 1000)]).astype(np.float32)
    result = function(rushlight.from_numpy(x)).double().numpy()
    # The sharp falls to the left are as good as their argument.
    worst = np.where(x < -2, 20, np.where(x < -1, 8, 4))
    assert np.all(units_in_the_last_place(result, exact(x.astype(np.float64))) <= worst)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_slopes_are_differences(name: str, dtype: str) -> None:
    function, exact = SMOOTH[name]
    x = np.linspace(-30, 30, 1501).astype(dtype)
    leaf = rushlight.from_numpy(x.copy()).requires_grad_()
    function(leaf).backward(rushlight.ones_like(leaf))
    wide, step = x.astype(np.float64), 1e-5
    slope = (exact(wide + step) - exact(wide - step)) / (2 * step)
    near_kink = np.abs(wide) < 1e-3
    np.testing.assert_allclose(leaf.grad.numpy()[~near_kink], slope[~near_kink], rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("name", sorted(set(SMOOTH) - {"exp2"}))
def test_ends_of_the_range(name: str) -> None:
    function, _ = SMOOTH[name]
    result = function(rushlight.tensor([math.nan, math.inf, 1e30, -1e30])).tolist()
    assert math.isnan(result[0])
    assert not math.isnan(result[1])
    assert not math.isnan(result[2])
    assert not math.isnan(result[3])


@settings(max_examples=100, deadline=None)
@given(
    base=st.lists(st.one_of(st.sampled_from(SPECIAL), st.floats(width=32)), min_size=1, max_size=40),
    exponent=st.one_of(st.sampled_from(SPECIAL), st.floats(-40, 40, width=32)),
)
def test_powers(base: list[float], exponent: float) -> None:
    x = np.array(base, dtype=np.float32)
    with np.errstate(all="ignore"):
        exact = np.power(x.astype(np.float64), np.full(len(x), np.float32(exponent), dtype=np.float64))
        expected = exact.astype(np.float32)
    results = [rushlight.from_numpy(x) ** rushlight.full((len(base),), exponent)]
    if abs(exponent) != 0.5:  # one number is taken as a square root, which -inf does not have
        results.append(rushlight.from_numpy(x) ** rushlight.tensor(exponent))
    for result in results:
        np.testing.assert_allclose(result.numpy(), expected, rtol=3e-7, atol=1e-44)


@settings(max_examples=200, deadline=None)
@given(
    shape=st.lists(st.sampled_from([1, 2, 3, 8, 15, 16, 17, 63, 64, 70, 129]), min_size=1, max_size=4),
    order=st.permutations([0, 1, 2, 3]),
    dtype=st.sampled_from(["bool", "int8", "int16", "float32", "float64", "complex128"]),
    step=st.sampled_from([1, 1, 2, 3]),
    flipped=st.booleans(),
    threads=st.sampled_from([1, 3]),
)
def test_copies(
    shape: list[int], order: list[int], dtype: str, step: int, flipped: bool, threads: int
) -> None:
    while np.prod(shape) > 300_000:
        shape[np.argmax(shape)] //= 2
    axes = [d for d in order if d < len(shape)]
    values = (np.arange(np.prod(shape)) % 101).reshape(shape).astype(dtype)
    x, expected = rushlight.from_numpy(values.copy()), values
    if flipped:
        x, expected = x.flip(-1), expected[..., ::-1]
    x, expected = x.permute(axes)[..., ::step], expected.transpose(axes)[..., ::step]
    before = rushlight.get_num_threads()
    rushlight.set_num_threads(threads)
    try:
        assert np.array_equal(x.contiguous().numpy(), expected)
        target = rushlight.zeros(expected.shape[::-1], dtype=x.dtype)
        target.permute(*range(x.dim())[::-1]).copy_(x)
        assert np.array_equal(target.numpy(), expected.T)
    finally:
        rushlight.set_num_threads(before)


@pytest.mark.parametrize("dtype", ["uint8", "bfloat16", "float32", "float64", "complex128"])
@pytest.mark.parametrize("count", [1, 3, 100, 100_001])
def test_one_element_spread(dtype: str, count: int) -> None:
    one = rushlight.tensor(7).to(getattr(rushlight, dtype))
    assert bool((one.expand(count).clone() == 7).all())
    assert bool((rushlight.full((count,), 7, dtype=one.dtype) == 7).all())
    rows = rushlight.arange(5).to(one.dtype)[:, None].expand(5, count).contiguous()
    assert bool((rows[3] == 3).all())


@settings(max_examples=60, deadline=None)
@given(
    rows=st.sampled_from([8, 30, 64, 100]),
    columns=st.sampled_from([8, 33, 64, 130]),
    dtype=st.sampled_from(["uint8", "float16", "float32", "float64", "complex128"]),
    outer=st.sampled_from([1, 3]),
    threads=st.sampled_from([1, 3]),
)
def test_turned_operands(rows: int, columns: int, dtype: str, outer: int, threads: int) -> None:
    values = (np.arange(outer * rows * columns) % 101).astype(dtype)
    x, y = values.reshape(outer, rows, columns), values[::-1].copy().reshape(outer, columns, rows)
    a, b = rushlight.from_numpy(x), rushlight.from_numpy(y)
    before = rushlight.get_num_threads()
    rushlight.set_num_threads(threads)
    try:
        assert np.array_equal((a + b.transpose(1, 2)).numpy(), x + y.transpose(0, 2, 1))
        assert np.array_equal((b.transpose(1, 2) * a[:, :1]).numpy(), y.transpose(0, 2, 1) * x[:, :1])
        assert np.array_equal((a[0, 0, 0] + b.transpose(1, 2)).numpy(), x[0, 0, 0] + y.transpose(0, 2, 1))
    finally:
        rushlight.set_num_threads(before)


@pytest.mark.parametrize("name", ["pow", "erfinv", "erfc", "log2", "atan", "sin", "lgamma", "tan"])
def test_doubles_are_accurate(name: str) -> None:
    x = pytorch.cat([pytorch.linspace(1e-6, 0.999999, 4001), pytorch.logspace(-12, 2, 1000)]).double()
    x = x[x < 1] if name == "erfinv" else x
    ours, theirs = rushlight.from_numpy(x.numpy().copy()), x
    if name == "pow":
        result, exact = ours**37.3, theirs**37.3
        result, exact = rushlight.cat([result, ours**-2.7]), pytorch.cat([exact, theirs**-2.7])
    else:
        result, exact = getattr(rushlight, name)(ours), getattr(pytorch, name)(theirs)
    np.testing.assert_allclose(result.numpy(), exact.numpy(), rtol=3e-15, atol=1e-15)


def test_gradient_of_a_sum_is_spread() -> None:
    x = rushlight.ones(70_000, 3).requires_grad_()
    (x.sum() * 2).backward()
    assert x.grad.is_contiguous()
    assert bool((x.grad == 2).all())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types_convert_in_runs(dtype: str) -> None:
    random = np.random.default_rng(0)
    x = rushlight.from_numpy(random.standard_normal(70_003).astype(np.float32))
    half = x.to(getattr(rushlight, dtype))
    one_by_one = rushlight.stack([v.to(half.dtype) for v in x[:40]])
    assert rushlight.equal(half[:40], one_by_one)
    assert rushlight.equal(half.float()[5:], half[5:].float())


INTEGRAL = ["bool", "uint8", "int8", "int16", "int32", "int64"]
ARITHMETIC: dict[str, tuple[Callable[..., Tensor], Callable[..., np.ndarray]]] = {
    "add": (rushlight.add, np.add),
    "mul": (rushlight.mul, np.multiply),
    "maximum": (rushlight.maximum, np.maximum),
    "minimum": (rushlight.minimum, np.minimum),
    "and": (rushlight.bitwise_and, np.bitwise_and),
    "xor": (rushlight.bitwise_xor, np.bitwise_xor),
    "less": (rushlight.lt, np.less),
    "equal": (rushlight.eq, np.equal),
    "both": (rushlight.logical_and, np.logical_and),
    "invert": (lambda x, y: rushlight.bitwise_not(x), lambda x, y: np.invert(x)),
    "not": (lambda x, y: rushlight.logical_not(x), lambda x, y: np.logical_not(x)),
    "where": (lambda x, y: rushlight.where(x > y, x, y), lambda x, y: np.where(x > y, x, y)),
}
NUMERIC: dict[str, tuple[Callable[..., Tensor], Callable[..., np.ndarray]]] = {
    "sub": (rushlight.sub, np.subtract),
    "neg": (lambda x, y: -x, lambda x, y: np.negative(x)),
    "square": (lambda x, y: rushlight.square(x), lambda x, y: x * x),
    "sign": (lambda x, y: rushlight.sign(x), lambda x, y: np.sign(x)),
    "abs": (lambda x, y: rushlight.abs(x), lambda x, y: np.abs(x)),
    "floor divide": (rushlight.floor_divide, np.floor_divide),
    "remainder": (rushlight.remainder, np.remainder),
    "fmod": (rushlight.fmod, np.fmod),
}
LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "contiguous": lambda x: x,
    "stepped": lambda x: x[:, ::2],
    "row": lambda x: x[:1],
    "column": lambda x: x[:, :1],
    "one": lambda x: x[1, 1],
    "rows apart": lambda x: x[:, 1:-1],
}


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(sorted(ARITHMETIC) + sorted(NUMERIC)),
    dtype=st.sampled_from(INTEGRAL),
    rows=st.integers(2, 5),
    columns=st.sampled_from([3, 17, 64, 66, 131, 700]),
    layouts=st.tuples(st.sampled_from(sorted(LAYOUTS)), st.sampled_from(sorted(LAYOUTS))),
    seed=st.integers(0, 1000),
)
def test_integers(
    name: str, dtype: str, rows: int, columns: int, layouts: tuple[str, str], seed: int
) -> None:
    if dtype == "bool" and name not in ARITHMETIC:
        dtype = "uint8"
    ours, exact = {**ARITHMETIC, **NUMERIC}[name]
    random = np.random.default_rng(seed)
    values = [random.integers(-300, 300, (rows, columns)).astype(dtype) for _ in range(2)]
    if name in ("floor divide", "remainder", "fmod"):
        values[1][values[1] == 0] = 1
    x, y = (LAYOUTS[layout](value) for layout, value in zip(layouts, values, strict=True))
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        y = y[:, :1] if y.ndim else y
    tensors = [rushlight.from_numpy(value) for value in values]
    a, b = (LAYOUTS[layout](tensor) for layout, tensor in zip(layouts, tensors, strict=True))
    b = b if b.dim() == 0 or b.shape == y.shape else b[:, :1]
    with np.errstate(all="ignore"):
        expected = exact(x, y)
    result = ours(a, b)
    assert result.dtype == (rushlight.bool if expected.dtype == bool else tensors[0].dtype)
    assert np.array_equal(result.numpy(), expected)


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from(
        ["add", "mul", "div", "sub", "maximum", "fmin", "neg", "abs", "exp", "gelu", "scaled"]
    ),
    dtype=st.sampled_from(["float16", "bfloat16"]),
    columns=st.sampled_from([1, 15, 16, 33, 64, 129, 1000]),
    layouts=st.tuples(st.sampled_from(sorted(LAYOUTS)), st.sampled_from(sorted(LAYOUTS))),
    special=st.booleans(),
)
def test_half_types_round_once(
    name: str, dtype: str, columns: int, layouts: tuple[str, str], special: bool
) -> None:
    function: Callable[..., Tensor] = {
        "neg": lambda x, y: -x,
        "abs": lambda x, y: x.abs(),
        "exp": lambda x, y: x.exp(),
        "gelu": lambda x, y: F.gelu(x),
        "scaled": lambda x, y: x * 3.3,
    }.get(name) or getattr(rushlight, name)
    random = np.random.default_rng(columns)
    values = random.standard_normal((2, 3, columns + 2)).astype(np.float32) * 5
    if special:
        values.flat[: len(SPECIAL)] = SPECIAL[: values.size]
    kind = getattr(rushlight, dtype)
    halves = [rushlight.from_numpy(value).to(kind) for value in values]
    a, b = (LAYOUTS[layout](half) for layout, half in zip(layouts, halves, strict=True))
    if a.dim() and b.dim() and a.shape[1] != b.shape[1] and 1 not in (a.shape[1], b.shape[1]):
        b = b[:, :1]
    result, wide = function(a, b), function(a.float(), b.float()).to(kind)
    assert result.dtype == kind
    tolerance = 0.008 if name == "gelu" else 0  # of which bfloat16 has an approximation of its own
    np.testing.assert_allclose(
        result.float().numpy(), wide.float().numpy(), rtol=tolerance, atol=tolerance * 1e-6
    )


def test_results_as_large_as_the_caches() -> None:
    x = np.arange((1 << 23) + 77, dtype=np.float32)
    tensor = rushlight.from_numpy(x)
    before = rushlight.get_num_threads()
    try:
        for threads in (1, 3):
            rushlight.set_num_threads(threads)
            assert np.array_equal((tensor + tensor).numpy(), x + x)
            assert np.array_equal(tensor.clone().numpy(), x)
            assert np.array_equal(tensor.double().numpy(), x)
            assert bool((rushlight.full_like(tensor, 3) == 3).all())
    finally:
        rushlight.set_num_threads(before)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64"])
def test_divisions_at_the_ends_of_integers(dtype: str) -> None:
    info = np.iinfo(dtype)
    ends = np.array([info.min, info.min + 1, -1, 0, 1, 2, 3, 7, info.max // 3, info.max - 1, info.max])
    ends = np.unique(np.clip(ends, info.min, info.max)).astype(dtype)
    a, b = (x.ravel() for x in np.meshgrid(np.repeat(ends, 5), ends[ends != 0]))
    x, y = rushlight.from_numpy(a), rushlight.from_numpy(b)
    theirs = [pytorch.from_numpy(a.copy()), pytorch.from_numpy(b.copy())]
    with np.errstate(all="ignore"):
        quotient, rest = np.fmod(a, b), np.remainder(a, b)
    # The one quotient that no integer holds, of the smallest by -1, wraps.
    assert np.array_equal(rushlight.fmod(x, y).numpy(), np.where(b == -1, 0, quotient))
    assert np.array_equal(rushlight.remainder(x, y).numpy(), np.where(b == -1, 0, rest))
    kept = b != -1 if info.min < 0 else b != 0
    theirs = [t[pytorch.from_numpy(kept)] for t in theirs]
    for mode in ("trunc", "floor"):
        result = rushlight.div(x, y, rounding_mode=mode).numpy()
        assert np.array_equal(result[kept], pytorch.div(*theirs, rounding_mode=mode).numpy())
        assert np.array_equal(result[~kept], (-a)[~kept])


@settings(max_examples=200, deadline=None)
@given(
    shape=st.lists(st.sampled_from([1, 2, 3, 5, 8, 16, 17, 40, 64, 70, 500]), min_size=2, max_size=4),
    spread=st.tuples(*[st.tuples(*[st.booleans()] * 4)] * 3),
    orders=st.tuples(*[st.permutations([0, 1, 2, 3])] * 3),
    dtype=st.sampled_from(["bool", "uint8", "int16", "float16", "bfloat16", "float32", "float64"]),
    function=st.sampled_from(["add", "addcmul", "where", "lt"]),
)
def test_short_rows(
    shape: list[int],
    spread: tuple[tuple[bool, ...], ...],
    orders: tuple[list[int], ...],
    dtype: str,
    function: str,
) -> None:
    while np.prod(shape) > 200_000:
        shape[np.argmax(shape)] //= 2
    kind = getattr(pytorch, dtype)
    function = "where" if dtype == "bool" else function
    operands = []
    for k in range(3):
        sizes = [1 if one else size for one, size in zip(spread[k], shape)]
        axes = [d for d in orders[k] if d < len(shape)]
        places = np.argsort(axes)
        values = (np.arange(np.prod(sizes)) * 7 % (11 + k)).reshape([sizes[d] for d in axes])
        operands.append(pytorch.from_numpy(values).to(kind).permute(*places.tolist()))
    ours = []
    for operand in operands:
        strides, whole = operand.stride(), operand.contiguous()
        values = rushlight.from_numpy((whole.float() if dtype == "bfloat16" else whole).numpy())
        copy = rushlight.empty_strided(tuple(operand.shape), strides, dtype=getattr(rushlight, dtype))
        ours.append(copy.copy_(values))
    count = {"add": 2, "lt": 2, "addcmul": 3, "where": 3}[function]
    if function == "where":
        ours[0], operands[0] = ours[0] != 0, operands[0] != 0
    expected = getattr(pytorch, function)(*operands[:count]).double().numpy()
    before = rushlight.get_num_threads()
    try:
        for threads in (1, 2, 3, 8):
            rushlight.set_num_threads(threads)
            result = getattr(rushlight, function)(*ours[:count])
            assert np.array_equal(result.double().numpy(), expected)
    finally:
        rushlight.set_num_threads(before)


SPECIAL_FUNCTIONS: dict[str, tuple[Callable[[Any, Any], Any], float, float, float]] = {
    # called with the library and x; the range of x; the relative tolerance of doubles
    "i0": (lambda torch, x: torch.special.i0(x), -40, 40, 2e-15),
    "i0e": (lambda torch, x: torch.special.i0e(x), -200, 200, 2e-15),
    "i1": (lambda torch, x: torch.special.i1(x), -40, 40, 2e-15),
    "i1e": (lambda torch, x: torch.special.i1e(x), -200, 200, 2e-15),
    "k0": (lambda torch, x: torch.special.modified_bessel_k0(x), 1e-3, 60, 4e-15),
    "k1": (lambda torch, x: torch.special.modified_bessel_k1(x), 1e-3, 60, 4e-15),
    "k0e": (lambda torch, x: torch.special.scaled_modified_bessel_k0(x), 1e-3, 300, 4e-15),
    "k1e": (lambda torch, x: torch.special.scaled_modified_bessel_k1(x), 1e-3, 300, 4e-15),
    # of which PyTorch has seven digits; the next test knows more
    "j0": (lambda torch, x: torch.special.bessel_j0(x), -60, 60, 5e-6),
    "j1": (lambda torch, x: torch.special.bessel_j1(x), -60, 60, 5e-6),
    "y0": (lambda torch, x: torch.special.bessel_y0(x), 1e-3, 60, 5e-6),
    "y1": (lambda torch, x: torch.special.bessel_y1(x), 1e-3, 60, 5e-6),
    "digamma": (lambda torch, x: torch.digamma(x), 2, 60, 4e-15),
    "digamma left": (lambda torch, x: torch.digamma(x), -20, 1.3, 1e-9),
    "trigamma": (lambda torch, x: torch.polygamma(1, x), 0.5, 60, 2e-9),
    "trigamma left": (lambda torch, x: torch.polygamma(1, x), -20, 0.5, 2e-9),
    "lgamma left": (lambda torch, x: torch.lgamma(x), -20, -0.1, 1e-11),
    "lgamma near": (lambda torch, x: torch.lgamma(x), 1e-3, 12, 4e-15),
    "lgamma far": (lambda torch, x: torch.lgamma(x), 9, 200, 2e-15),
    "erfcx": (lambda torch, x: torch.special.erfcx(x), -5, 60, 2e-14),
    "ndtr": (lambda torch, x: torch.special.ndtr(x), -5, 9, 1e-14),
    "log ndtr": (lambda torch, x: torch.special.log_ndtr(x), -60, 5, 1e-14),
    "ndtri": (lambda torch, x: torch.special.ndtri(x), 1e-9, 0.49, 1e-14),
    "ndtri far": (lambda torch, x: torch.special.ndtri(10 ** -x.double()).to(x.dtype), 2, 36, 1e-14),
    "entr": (lambda torch, x: torch.special.entr(x), 0, 30, 2e-15),
    "erfinv": (lambda torch, x: torch.erfinv(x), -1, 1, 4e-15),
    "spherical j0": (lambda torch, x: torch.special.spherical_bessel_j0(x), -3, 3, 2e-15),
}


@pytest.mark.parametrize("name", SPECIAL_FUNCTIONS)
def test_special_functions(name: str) -> None:
    function, low, high, tolerance = SPECIAL_FUNCTIONS[name]
    x = np.random.default_rng(0).uniform(low, high, 20_003)
    exact = function(pytorch, pytorch.from_numpy(x)).numpy()
    np.testing.assert_allclose(
        function(rushlight, rushlight.from_numpy(x)).numpy(), exact, rtol=tolerance, atol=tolerance / 10
    )
    single = x.astype(np.float32)
    near = function(pytorch, pytorch.from_numpy(single.astype(np.float64))).numpy()
    found = function(rushlight, rushlight.from_numpy(single)).numpy()
    np.testing.assert_allclose(found, near, rtol=max(3e-7, tolerance), atol=max(1e-12, tolerance / 5))


def test_bessel_functions_have_their_wronskian() -> None:
    x = rushlight.linspace(0.01, 100, 20_003, dtype=rushlight.float64)
    special = rushlight.special
    first = special.bessel_j1(x) * special.bessel_y0(x)
    result = first - special.bessel_j0(x) * special.bessel_y1(x)
    np.testing.assert_allclose(result.numpy(), 2 / (np.pi * x.numpy()), rtol=1e-13)


@pytest.mark.parametrize("name", SPECIAL_FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_special_functions_at_their_ends(name: str, dtype: str) -> None:
    function = SPECIAL_FUNCTIONS[name][0]
    x = np.array([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 10.0, 27.5, 1e-30, 1e30, math.inf, -math.inf, math.nan])
    if name.startswith("trigamma"):  # of which PyTorch rounds the poles on the left
        x = x[~((x < 0) & (x == np.floor(x)))]
    if name[0] in "ijy":  # of which PyTorch makes no number at infinity
        x = x[~np.isinf(x)]
    x = x.astype(dtype)
    expected = function(pytorch, pytorch.from_numpy(x.copy())).numpy()
    result = function(rushlight, rushlight.from_numpy(x)).numpy()
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-12 if dtype == "float64" else 1e-6)


@settings(max_examples=20, deadline=None)
@given(
    name=st.sampled_from(["add", "div", "fmod", "atan2", "maximum"]),
    dtype=st.sampled_from(["uint8", "int64", "bfloat16", "float32", "float64"]),
    one=st.booleans(),
)
def test_equal_bits_of_pairs(name: str, dtype: str, one: bool) -> None:
    kind = getattr(rushlight, dtype)
    x = (rushlight.arange(700_001) % 97 + 1).to(kind)
    y = (rushlight.arange(700_001) % 31 + 1).to(kind)
    before = rushlight.get_num_threads()
    results = set()
    try:
        for threads in (1, 2, 3, 8):
            rushlight.set_num_threads(threads)
            results.add(getattr(rushlight, name)(x, y[3] if one else y).float().numpy().tobytes())
    finally:
        rushlight.set_num_threads(before)
    assert len(results) == 1


@pytest.mark.parametrize("name", ["gelu", "mish", "softplus"])
def test_equal_bits_for_any_number_of_threads(name: str) -> None:
    function, _ = SMOOTH[name]
    x = rushlight.from_numpy(np.linspace(-9, 9, 300_006, dtype=np.float32))
    before = rushlight.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3, 8):
            rushlight.set_num_threads(threads)
            results.append(function(x).numpy().tobytes() + x.view(-1, 7).t().clone().numpy().tobytes())
    finally:
        rushlight.set_num_threads(before)
    assert len(set(results)) == 1


def as_pair(values: np.ndarray, dtype: str) -> tuple[Tensor, pytorch.Tensor]:
    theirs = pytorch.from_numpy(values).to(getattr(pytorch, dtype))
    return rushlight.from_numpy(values).to(getattr(rushlight, dtype)), theirs


COMPLEX: dict[str, Callable[[Any, Any, Any], Any]] = {
    "add": lambda torch, x, y: x + y,
    "multiply": lambda torch, x, y: x * y,
    "divide": lambda torch, x, y: x / y,
    "reciprocal": lambda torch, x, y: x.reciprocal(),
    "sgn": lambda torch, x, y: x.sgn(),
    "abs": lambda torch, x, y: x.abs(),
    "angle": lambda torch, x, y: x.angle(),
    "sqrt": lambda torch, x, y: x.sqrt(),
    "square": lambda torch, x, y: x**2,
    "power": lambda torch, x, y: x**y,
    "sigmoid": lambda torch, x, y: x.sigmoid(),
    "lerp": lambda torch, x, y: torch.lerp(x, y, y),
    "addcmul": lambda torch, x, y: torch.addcmul(x, x, y, value=0.5 - 2j),
    "addcdiv": lambda torch, x, y: torch.addcdiv(x, x, y, value=0.5 - 2j),
}


@pytest.mark.parametrize("name", COMPLEX)
@settings(max_examples=25, deadline=None)
@given(
    shape=st.lists(st.integers(0, 40), min_size=0, max_size=3),
    dtype=st.sampled_from(["complex64", "complex128"]),
    seed=st.integers(0, 1000),
    step=st.sampled_from([1, 2]),
)
def test_complex_numbers(name: str, shape: list[int], dtype: str, seed: int, step: int) -> None:
    random = np.random.default_rng(seed)
    x, y = (np.asarray(random.normal(size=shape) + 1j * random.normal(size=shape)) for _ in range(2))
    (ours_x, theirs_x), (ours_y, theirs_y) = as_pair(x, dtype), as_pair(y, dtype)
    if shape:
        ours_x, theirs_x = ours_x[..., ::step], theirs_x[..., ::step]
        ours_y, theirs_y = ours_y[..., ::step], theirs_y[..., ::step]
    expected = COMPLEX[name](pytorch, theirs_x, theirs_y).numpy()
    bound = 1e-5 if dtype == "complex64" else 1e-12
    before = rushlight.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3, 8):
            rushlight.set_num_threads(threads)
            results.append(COMPLEX[name](rushlight, ours_x, ours_y).numpy())
    finally:
        rushlight.set_num_threads(before)
    assert results[0].dtype == expected.dtype
    assert np.allclose(results[0], expected, rtol=bound, atol=bound * np.max(np.abs(expected), initial=0))
    assert all(result.tobytes() == results[0].tobytes() for result in results)


@pytest.mark.parametrize("name", ["divide", "reciprocal", "abs", "angle", "multiply"])
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_numbers_at_their_ends(name: str, dtype: str) -> None:
    parts = np.array([0.0, -0.0, 1.0, -2.0, 1e-30, 1e30, math.inf, -math.inf, math.nan])
    x = np.empty(81, dtype="complex128")
    x.real, x.imag = np.repeat(parts, 9), np.tile(parts, 9)
    y = x[np.arange(81) * 7 % 81]
    (ours_x, theirs_x), (ours_y, theirs_y) = as_pair(x, dtype), as_pair(y, dtype)
    result = COMPLEX[name](rushlight, ours_x, ours_y).numpy()
    expected = COMPLEX[name](pytorch, theirs_x, theirs_y).numpy()
    finite = np.isfinite(theirs_x.numpy()) & np.isfinite(theirs_y.numpy()) & np.isfinite(expected)
    assert np.allclose(result[finite], expected[finite], rtol=1e-5)
    if name in ("abs", "angle"):
        assert np.array_equal(np.isnan(result), np.isnan(expected))


@settings(max_examples=150, deadline=None)
@given(
    dtype=st.sampled_from(["float16", "bfloat16", "float32", "float64"]),
    values=st.lists(
        st.tuples(*[st.one_of(st.sampled_from(SPECIAL), st.floats(width=16))] * 2), min_size=1, max_size=70
    ),
    turned=st.booleans(),
)
def test_next_numbers(dtype: str, values: list[tuple[float, float]], turned: bool) -> None:
    pairs = np.array(values, dtype=np.float64)
    (ours_x, theirs_x), (ours_y, theirs_y) = (
        as_pair(pairs[:, 0].copy(), dtype),
        as_pair(pairs[:, 1].copy(), dtype),
    )
    expected = pytorch.nextafter(theirs_x, theirs_y)
    if turned:  # neither contiguous nor in the output's order
        ours_x, ours_y = (rushlight.stack([t, t], 1)[:, 0] for t in (ours_x, ours_y))
        result = rushlight.stack([ours_x, ours_x], 1)
        rushlight.nextafter(ours_x, ours_y, out=result[:, 1])
        result = result[:, 1]
    else:
        result = rushlight.nextafter(ours_x, ours_y)
    result, expected = result.double().numpy(), expected.double().numpy()
    assert np.array_equal(result, expected, equal_nan=True)
    number = ~np.isnan(result)
    assert np.array_equal(np.signbit(result[number]), np.signbit(expected[number]))


@settings(max_examples=150, deadline=None)
@given(
    dtype=st.sampled_from(["uint8", "int8", "int16", "int32", "int64"]),
    values=st.lists(st.tuples(*[st.integers(-(2**63), 2**63 - 1)] * 2), min_size=1, max_size=80),
    narrow=st.booleans(),
    exponent=st.integers(0, 70),
)
def test_divisors_and_powers_of_integers(
    dtype: str, values: list[tuple[int, int]], narrow: bool, exponent: int
) -> None:
    pairs = np.array(values, dtype=np.int64)
    pairs = (pairs % 64 if narrow else pairs).astype(dtype)
    # The lowest integer, which has no positive counterpart, may end PyTorch's process.
    kept = pairs != np.iinfo(dtype).min if dtype != "uint8" else pairs >= 0
    pairs = np.where(kept, pairs, 1).astype(dtype)
    (x, theirs_x), (y, theirs_y) = as_pair(pairs[:, 0].copy(), dtype), as_pair(pairs[:, 1].copy(), dtype)
    for name in ("gcd", "lcm"):
        result = getattr(rushlight, name)(x, y).numpy()
        assert np.array_equal(result, getattr(pytorch, name)(theirs_x, theirs_y).numpy())
    assert np.array_equal((x ** (y & 63)).numpy(), (theirs_x ** (theirs_y & 63)).numpy())
    assert np.array_equal((x**exponent).numpy(), (theirs_x**exponent).numpy())


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
def test_divisors_of_the_lowest_integer(dtype: str) -> None:
    lowest = np.iinfo(dtype).min
    others = np.array([0, 1, -1, 6, -12, lowest, lowest + 1, 64], dtype=dtype)
    for values in (rushlight.from_numpy(others), rushlight.from_numpy(others[::-1].copy())):
        result = rushlight.gcd(rushlight.full_like(values, lowest), values).numpy()
        exact = np.array([math.gcd(int(lowest), int(other)) for other in values.numpy()])
        assert np.array_equal(result, exact.astype(np.uint64).astype(dtype))
