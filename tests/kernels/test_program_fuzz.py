"""Random block programs against NumPy in float64: dtypes, strides, numbers of threads; and what programs refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rushlight
from rushlight._C import BlockProgram

# Functions that keep positive numbers positive and lose no digits, so that results can be held against float64.
FLOATING = {
    "add": lambda value, a, b: a + b,
    "mul": lambda value, a, b: a * b,
    "div": lambda value, a, b: a / b,
    "add_scaled": lambda value, a, b: a + value * b,
    "addcmul": lambda value, a, b, c: a + value * b * c,
    "addcdiv": lambda value, a, b, c: a + value * b / c,
    "lerp": lambda value, a, b, weight: a + weight * (b - a),
    "maximum": lambda value, a, b: numpy.maximum(a, b),
    "minimum": lambda value, a, b: numpy.minimum(a, b),
    "clamp": lambda value, a, low, high: numpy.minimum(numpy.maximum(a, low), high),
    "sqrt": lambda value, a: numpy.sqrt(a),
    "square": lambda value, a: a * a,
    "reciprocal": lambda value, a: 1 / a,
}
INTEGRAL = {
    "add": lambda value, a, b: a + b,
    "sub": lambda value, a, b: a - b,
    "mul": lambda value, a, b: a * b,
    "maximum": lambda value, a, b: numpy.maximum(a, b),
    "neg": lambda value, a: -a,
    "add_scaled": lambda value, a, b: a + int(value) * b,
}
TOLERANCE = {"float64": 1e-13, "float32": 4e-6, "float16": 2e-3, "bfloat16": 1.6e-2}
SHAPES = [(), (0,), (5,), (3, 7), (2, 1, 130), (40, 66), (1025,), (33000,), (3, 23001)]


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = rushlight.get_num_threads()
    yield
    rushlight.set_num_threads(before)


@st.composite
def programs(draw: Any, functions: dict[str, Any]) -> tuple[int, list[Any], list[tuple[int, int]]]:
    """Inputs, lines and outputs."""
    n_inputs = draw(st.integers(1, 4))
    lines: list[Any] = []
    for _ in range(draw(st.integers(1, 5))):
        count = n_inputs + len(lines)
        kind = draw(st.sampled_from(["constant", "where", *functions, *functions]))
        value = draw(st.sampled_from([1.0, 2.0, 3.0]))
        if kind == "constant":
            lines.append(("constant", value))
        elif kind == "where":  # on inputs, whose order rounding cannot change
            compared = draw(st.tuples(*[st.integers(0, n_inputs - 1)] * 2))
            lines.append((draw(st.sampled_from(["lt", "ge", "eq"])), 0, *compared))
        else:
            arity = functions[kind].__code__.co_argcount - 1
            numeric = [k for k in range(count) if k < n_inputs or lines[k - n_inputs][0] not in COMPARISONS]
            lines.append((kind, value, *[draw(st.sampled_from(numeric)) for _ in range(arity)]))
        if lines[-1][0] in COMPARISONS:
            numeric = [k for k in range(count) if k < n_inputs or lines[k - n_inputs][0] not in COMPARISONS]
            chosen = [draw(st.sampled_from(numeric)) for _ in range(2)]
            lines.append(("where", 0, count, *chosen))
    numeric = [
        k for k in range(n_inputs + len(lines)) if k < n_inputs or lines[k - n_inputs][0] not in COMPARISONS
    ]
    tensors = draw(st.lists(st.integers(0, n_inputs), min_size=1, max_size=3, unique=True))
    return n_inputs, lines, [(tensor, draw(st.sampled_from([numeric[-1], *numeric]))) for tensor in tensors]


COMPARISONS = {
    "lt": lambda value, a, b: a < b,
    "ge": lambda value, a, b: a >= b,
    "eq": lambda value, a, b: a == b,
}


def evaluate(
    functions: dict[str, Any], program: tuple[int, list[Any], list[Any]], row: list[Any]
) -> list[Any]:
    """What each tensor of a row becomes, by NumPy."""
    n_inputs, lines, outputs = program
    functions = {**functions, **COMPARISONS, "where": lambda value, mask, a, b: numpy.where(mask, a, b)}
    values = list(row[:n_inputs])
    for name, value, *numbers in lines:
        if name == "constant":
            values.append(numpy.full(row[0].shape, value, dtype=row[0].dtype))
        else:
            values.append(functions[name](value, *[values[k] for k in numbers]))
    result = list(row)
    for tensor, number in outputs:
        result[tensor] = values[number]
    return result


def laid_out(values: numpy.ndarray, dtype: Any, layout: str) -> Any:
    """A tensor of the values with memory in one of several orders."""
    tensor = rushlight.tensor(values.tolist(), dtype=dtype).reshape(values.shape)
    if layout == "transposed" and values.ndim > 1:
        return tensor.transpose(0, -1).contiguous().transpose(0, -1)
    if layout == "spaced" and values.ndim > 0:
        wide = rushlight.zeros((*values.shape[:-1], 2 * values.shape[-1] + 1), dtype=dtype)
        return wide[..., 1::2].copy_(tensor)
    return tensor


def numbers(dtype: Any, shape: tuple[int, ...], random: numpy.random.Generator) -> numpy.ndarray:
    if dtype.is_floating_point:
        return random.integers(64, 256, shape) / 128.0  # every floating dtype holds them
    return random.integers(-3, 4, shape)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_programs_agree_with_numpy(data: Any) -> None:
    floating = data.draw(st.booleans())
    functions = FLOATING if floating else INTEGRAL
    program = data.draw(programs(functions))
    if floating:
        program = _with_safe_weights(program)
    compiled = BlockProgram(*program)
    length = max(program[0], *[tensor + 1 for tensor, _ in program[2]])
    names = (
        ["float64", "float32", "float16", "bfloat16"] if floating else ["int64", "int32", "int16", "uint8"]
    )
    random = numpy.random.default_rng(data.draw(st.integers(0, 9)))
    rows, expected = [], []
    for _ in range(data.draw(st.integers(1, 3))):
        shape = data.draw(st.sampled_from(SHAPES))
        dtype = getattr(rushlight, data.draw(st.sampled_from(names)))
        values = [numbers(dtype, shape, random) for _ in range(length)]
        if dtype is rushlight.uint8:
            values = [value % 4 for value in values]
        layouts = [data.draw(st.sampled_from(["plain", "plain", "transposed", "spaced"])) for _ in values]
        rows.append([(value, dtype, layout) for value, layout in zip(values, layouts, strict=True)])
        expected.append(evaluate(functions, program, [_in_computing_type(value, dtype) for value in values]))
    bits = set()
    for threads in (1, 2, 3, 8):
        rushlight.set_num_threads(threads)
        given_rows = [tuple(laid_out(*made) for made in row) for row in rows]
        compiled.run(given_rows)
        bits.add(b"".join(one.double().numpy().tobytes() for row in given_rows for one in row))
    assert len(bits) == 1
    for row, wanted in zip(given_rows, expected, strict=True):
        for one, value in zip(row, wanted, strict=True):
            _assert_close(one, value)


def _with_safe_weights(program: Any) -> Any:
    """`lerp` reads its weight from a register between 0 and 1, made of the one drawn."""
    n_inputs, lines, outputs = program
    moved = list(range(n_inputs))
    result: list[Any] = []
    for name, value, *read in lines:
        read = [moved[k] for k in read]
        if name == "lerp":
            result += [("constant", 1.0), ("add", 0, read[2], n_inputs + len(result))]
            result.append(("div", 0, read[2], n_inputs + len(result) - 1))
            read[2] = n_inputs + len(result) - 1
        result.append((name, value, *read))
        moved.append(n_inputs + len(result) - 1)
    return n_inputs, result, [(tensor, moved[number]) for tensor, number in outputs]


def _in_computing_type(value: numpy.ndarray, dtype: Any) -> numpy.ndarray:
    return value.astype(
        numpy.float64 if dtype.is_floating_point else str(dtype).removeprefix("torch.")  # which wraps
    )


def _assert_close(ours: Any, wanted: numpy.ndarray) -> None:
    name = str(ours.dtype).removeprefix("torch.")
    if not ours.dtype.is_floating_point:
        numpy.testing.assert_array_equal(ours.numpy(), wanted.astype(name))
        return
    found = ours.double().numpy()
    largest = {"float16": 65504.0, "float32": 3e38, "bfloat16": 3e38, "float64": 1e300}[name]
    within = (abs(wanted) < largest) & (abs(wanted) > 1e-4)
    numpy.testing.assert_allclose(found[within], wanted[within], rtol=TOLERANCE[name])


def test_special_numbers_pass_through_joined_functions() -> None:
    values = [0.0, -0.0, float("inf"), -float("inf"), float("nan"), 1e-30, 3e38]
    x = rushlight.tensor(values)
    lines = [("constant", 2.0), ("mul", 0, 0, 2), ("constant", 3.0), ("div", 0, 0, 4), ("neg", 0, 0)]
    outputs = [rushlight.empty(7) for _ in range(3)]
    BlockProgram(2, lines, [(2, 3), (3, 5), (4, 6)]).run([(x, x, *outputs)])
    for found, wanted in zip(outputs, (x * 2, x / 3, -x), strict=True):
        numpy.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=2e-7, equal_nan=True)
        assert (found.signbit() == wanted.signbit())[~x.isnan()].all()


def test_exchange_reads_before_it_writes() -> None:
    a, b = rushlight.arange(5000.0), -rushlight.arange(5000.0)
    BlockProgram(2, [], [(0, 1), (1, 0)]).run([(a, b)])
    assert a[-1] == -4999 and b[-1] == 4999
    # The first result is read from later by way of the tensor that it is written to.
    a, b = rushlight.arange(5000.0), rushlight.ones(5000)
    lines = [("add", 0, 0, 1), ("mul", 0, 0, 2)]
    BlockProgram(2, lines, [(0, 2), (1, 3)]).run([(a, b)])
    assert a[3] == 4 and b[3] == 12


def test_rows_that_share_memory_run_in_order() -> None:
    x = rushlight.zeros(100000)
    program = BlockProgram(1, [("constant", 1.0), ("add", 0, 0, 1), ("add", 0, 2, 2)], [(0, 3)])
    program.run([(x,), (x[:50000],)])
    assert x[0] == 6 and x[-1] == 2


def test_reading_beside_what_is_written() -> None:
    x = rushlight.arange(6.0)
    BlockProgram(2, [("add", 0, 0, 1)], [(0, 2)]).run([(x[1:], x[:-1])])
    assert x.tolist() == [0.0, 1.0, 3.0, 5.0, 7.0, 9.0]


def test_versions_count_what_is_written() -> None:
    x, y = rushlight.ones(2), rushlight.ones(2)
    BlockProgram(2, [("add", 0, 0, 1)], [(0, 2)]).run([(x, y)])
    assert (x._version, y._version) == (1, 0)


HALVE = ("add_scaled", -0.5, 0, 1)


@pytest.mark.parametrize(
    ("program", "row", "error", "message"),
    [
        ((2, [("nothing", 0, 0)], [(0, 2)]), (), ValueError, "no pointwise function 'nothing'"),
        ((2, [("add", 0, 0)], [(0, 2)]), (), ValueError, "'add' takes 2 registers, not 1"),
        ((2, [("add", 0, 0, 2)], [(0, 2)]), (), ValueError, "register 2 is read before it is defined"),
        ((2, [HALVE], [(0, 3)]), (), ValueError, "register 3 is read before it is defined"),
        ((2, [HALVE], [(0, 2), (0, 2)]), (), ValueError, "tensor 0 is written twice"),
        ((2, [HALVE], [(16, 2)]), (), ValueError, "no tensor 16"),
        ((2, [HALVE] * 63, [(0, 2)]), (), ValueError, "room for 64 registers"),
        ((0, [], []), (), ValueError, "room for 1 to 16 tensors"),
        ((2, [HALVE], [(0, 2)]), (rushlight.ones(2),), ValueError, "rows of 2 tensors, but got 1"),
        ((2, [HALVE], [(0, 2)]), (rushlight.ones(2), 1.0), TypeError, "expected a Tensor, but got float"),
        (
            (2, [HALVE], [(0, 2)]),
            (rushlight.ones(2), rushlight.ones(3)),
            RuntimeError,
            r"shape \[2\], but got",
        ),
        (
            (2, [HALVE], [(0, 2)]),
            (rushlight.ones(2, dtype=rushlight.int32), rushlight.ones(2)),
            RuntimeError,
            "result type Float can't be cast to the desired output type Int",
        ),
        (
            (2, [HALVE], [(0, 2)]),
            (rushlight.ones(1).expand(2), rushlight.ones(2)),
            RuntimeError,
            "more than one element of the written-to tensor",
        ),
        (
            (2, [HALVE], [(0, 2), (1, 2)]),
            (lambda x: (x[1:], x[:-1]))(rushlight.ones(3)),
            RuntimeError,
            "refer to a single memory location",
        ),
        (
            (2, [HALVE], [(0, 2)]),
            (rushlight.ones(2), rushlight.ones(2, device="meta")),
            RuntimeError,
            "on the same device",
        ),
        ((2, [("lt", 0, 0, 1)], [(0, 2)]), (rushlight.ones(2),) * 2, RuntimeError, "result type Bool"),
        ((1, [("where", 0, 0, 0, 0)], [(0, 1)]), (rushlight.ones(2),), TypeError, "expected Bool"),
        (
            (1, [("sqrt", 0, 0)], [(0, 1)]),
            (rushlight.ones(2, dtype=rushlight.int64),),
            NotImplementedError,
            "\"sqrt\" not implemented for 'Long'",
        ),
    ],
)
def test_refusals(program: Any, row: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        BlockProgram(*program).run([row])
