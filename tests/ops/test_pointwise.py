"""Pointwise operators at the edges: shapes, strides, special values, types, destinations and errors, as in PyTorch."""

import numpy as np
import pytest
import torch as pytorch

import rushlight
from tests.outcomes import assert_same

INF, NAN = float("inf"), float("nan")
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e-40, 3e38, INF, -INF, NAN]

SHAPES = {
    "empty": lambda t: t.zeros(0, 3) + t.ones(3),
    "empty with scalar": lambda t: t.exp(t.zeros(2, 0)) * 2,
    "zero-dim": lambda t: t.tensor(2.0) * t.tensor(3.0),
    "zero-dim keeps the wider category": lambda t: t.tensor(2.0) * t.arange(3),
    "zero-dim does not widen": lambda t: t.tensor(2.0, dtype=t.float64) * t.ones(3),
    "transposed": lambda t: t.arange(6.0).view(2, 3).t() + t.arange(2.0),
    "transposed both": lambda t: (t.arange(6.0).view(2, 3).t() * t.arange(6.0).view(2, 3).t()).stride(),
    "stepped": lambda t: t.arange(20.0)[::3] - t.arange(7.0),
    "expanded": lambda t: t.arange(3.0)[:, None].expand(3, 4) * t.arange(4.0),
    "long rows": lambda t: (t.arange(3.0)[:, None] + t.arange(1000.0)).sum(1),
    "short rows": lambda t: (t.arange(3000.0).view(1000, 3) * t.tensor([1.0, 2.0, 3.0]))[500:503],
    "in place on a view": lambda t: t.zeros(4, 4)[1:3, ::2].add_(5),
    "in place on itself shifted": lambda t: (x := t.arange(6.0))[1:].add_(x[:-1]),
    "in place on its transpose": lambda t: (x := t.arange(9.0).view(3, 3)).add_(x.t()),
    "copy from its transpose": lambda t: (x := t.arange(9.0).view(3, 3)).copy_(x.t().clone()),
    "copy broadcasts": lambda t: t.zeros(2, 3).copy_(t.arange(3)),
    "copy transposed": lambda t: t.arange(2100.0).view(30, 70).t().contiguous()[3:5],
    "clone keeps order": lambda t: t.zeros(2, 3).t().clone().stride(),
    "contiguous": lambda t: t.zeros(2, 3).t().contiguous().stride(),
    "where broadcasts": lambda t: t.where(t.tensor([[True], [False]]), t.arange(3), t.tensor(1.5)),
    "where with numbers": lambda t: t.where(t.tensor([True, False]), 1.0, 2),
    "where as a method": lambda t: t.arange(3.0).where(t.tensor([True, False, True]), -1),
    "where indices": lambda t: t.where(t.tensor([[True, False], [False, True]])),
    "masked_fill widens": lambda t: t.zeros(3).masked_fill(t.ones(2, 3) > 0, 4),
}

TYPES = {
    "int and float": lambda t: t.ones(2, dtype=t.int32) + t.ones(2),
    "int and number": lambda t: t.ones(2, dtype=t.int8) * 2.5,
    "bool and number": lambda t: t.tensor([True, False]) * 3,
    "bool sum": lambda t: t.tensor([True, False]) + t.tensor([True, True]),
    "half and number": lambda t: t.ones(2, dtype=t.float16) * 3.5,
    "bfloat16 and half": lambda t: t.ones(2, dtype=t.bfloat16) + t.ones(2, dtype=t.float16),
    "float and complex number": lambda t: t.ones(2) * 2j,
    "uint8 wraps": lambda t: t.tensor([200, 100], dtype=t.uint8) + t.tensor([100, 100], dtype=t.uint8),
    "int8 wraps": lambda t: t.tensor([127, -128], dtype=t.int8) * 3,
    "int64 wraps": lambda t: t.tensor([2**62]) * 4,
    "true division of integers": lambda t: t.tensor([7, -7]) / 2,
    "floor division": lambda t: t.tensor([7, -7, 7, -7]) // t.tensor([2, 2, -2, -2]),
    "floor division of floats": lambda t: t.tensor([7.5, -7.5, 1.0, 0.0]) // t.tensor([2.0, 2.0, 0.0, 0.0]),
    "truncated division": lambda t: t.div(t.tensor([7, -7]), 2, rounding_mode="trunc"),
    "remainder signs": lambda t: t.tensor([7, -7, 7, -7]) % t.tensor([3, 3, -3, -3]),
    "fmod signs": lambda t: t.fmod(t.tensor([7.0, -7.0]), 3),
    "remainder of infinities": lambda t: t.tensor([1.0, -1.0, INF, 1.0]) % t.tensor([INF, INF, 2.0, 0.0]),
    "power of integers": lambda t: t.tensor([2, -3, 0]) ** t.tensor([10, 3, 0]),
    "negative power of integers": lambda t: t.tensor([1, -1, 2]) ** t.tensor([-1, -3, -1]),
    "number to a power": lambda t: 2 ** t.tensor([1.0, 0.5]),
    "power of bool": lambda t: t.tensor([True, False]) ** 2,
    "reflected": lambda t: [
        1 - t.arange(3),
        6 / t.tensor([1, 2]),
        7 % t.tensor([2, 4]),
        7 // t.tensor([2, 4]),
    ],
    "reflected bits": lambda t: [1 << t.arange(3), 6 & t.arange(3), 5 | t.arange(3), 3 ^ t.arange(3)],
    "shifts": lambda t: [t.tensor([1, -8]) << 2, t.tensor([1, -8]) >> 1, t.tensor([1]) << 64],
    "float to uint8": lambda t: t.tensor([1.9, 255.0, 3.2]).to(t.uint8),
    "float to int": lambda t: t.tensor([1.9, -1.9, 0.5]).long(),
    "nan to bool": lambda t: t.tensor([NAN, 0.0, -0.0, 2.0]).bool(),
    "int to half": lambda t: t.tensor([70000, 3]).half(),
    "complex to real": lambda t: t.tensor([1 + 2j]).float(),
    "comparison of mixed types": lambda t: t.tensor([1, 2]) == t.tensor([1.0, 2.5]),
    "comparison with a large number": lambda t: t.tensor([1, 100], dtype=t.uint8) < 50,
    "clamp promotes": lambda t: t.clamp(t.arange(4), 0.5, 2),
    "clamp by tensors": lambda t: t.clamp(t.arange(4.0), t.tensor(1), t.tensor([2.0, 2.0, 1.5, NAN])),
    "clamp by nan": lambda t: t.clamp(t.arange(3.0), NAN, 2),
    "clamp crossed bounds": lambda t: t.clamp(t.arange(4.0), 3, 1),
    "float_power": lambda t: t.float_power(t.tensor([2, 3]), -1),
    "alpha": lambda t: t.add(t.arange(3), t.arange(3), alpha=-2),
    "to the same": lambda t: (x := t.ones(2)).to(t.float32) is x,
    "to another device type": lambda t: t.ones(2).to("meta").shape,
    "half arithmetic rounds once": lambda t: t.tensor([1.0, 3.0]).half() / 3,
}

WRONG = {
    "out of another category": lambda t: t.exp(t.ones(2), out=t.zeros(2, dtype=t.int64)),
    "out shape": lambda t: t.add(t.ones(2), 1, out=t.empty(0)),
    "out wrong shape warns": lambda t: t.add(t.ones(2), 1, out=t.empty(3)),
    "out narrower float": lambda t: t.exp(t.ones(2, dtype=t.float64), out=t.zeros(2)),
    "out wraps before widening": lambda t: t.add(
        t.tensor([200], dtype=t.uint8), t.tensor([100], dtype=t.uint8), out=t.zeros(1, dtype=t.int32)
    ),
    "in-place to a wider type": lambda t: t.ones(2, dtype=t.int64).mul_(1.5),
    "in-place broadcast": lambda t: t.ones(3).add_(t.ones(2, 3)),
    "in-place on an expanded tensor": lambda t: t.ones(1).expand(3).add_(1),
    "in-place on a leaf": lambda t: t.ones(2, requires_grad=True).mul_(2),
    "in-place true division of integers": lambda t: t.ones(2, dtype=t.int64).div_(2),
    "shapes": lambda t: t.ones(2, 3) * t.ones(2),
    "division by zero": lambda t: t.tensor([1, 2]) // t.tensor([1, 0]),
    "remainder by zero": lambda t: t.tensor([1, 2]) % 0,
    "fmod by zero": lambda t: t.fmod(t.tensor([1, 2]), 0),
    "smallest by minus one": lambda t: t.tensor([-(2**63)]) % -1,
    "negative integer power": lambda t: t.tensor([2]) ** -1,
    "minus of bool": lambda t: -t.tensor([True]),
    "difference of bools": lambda t: t.tensor([True]) - t.tensor([True]),
    "difference with bool": lambda t: t.tensor([True]) - 1,
    "plus of bool": lambda t: +t.tensor([True]),
    "alpha of floats": lambda t: t.add(t.arange(2), 1, alpha=1.5),
    "bool alpha": lambda t: t.add(t.ones(2), 1, alpha=True),
    "complex alpha": lambda t: t.add(t.ones(2), 1, alpha=1j),
    "rounding mode": lambda t: t.div(t.ones(2), 1, rounding_mode="up"),
    "relu of bool": lambda t: t.relu(t.tensor([True])),
    "sign of complex": lambda t: t.sign(t.tensor([1j])),
    "order of complex": lambda t: t.tensor([1j]) < 1,
    "clamp without bounds": lambda t: t.clamp(t.ones(2)),
    "clamp of complex": lambda t: t.clamp(t.tensor([1j]), 0, 1),
    "lerp dtypes": lambda t: t.lerp(t.ones(2), t.ones(2, dtype=t.float64), 0.5),
    "where condition": lambda t: t.where(t.ones(2), 1, 2),
    "mask dtype": lambda t: t.ones(2).masked_fill(t.ones(2), 1),
    "mask value": lambda t: t.ones(2).masked_fill(t.ones(2) > 0, t.ones(2)),
    "mask value complex": lambda t: t.ones(2).masked_fill(t.ones(2) > 0, 1j),
    "bits of floats": lambda t: t.bitwise_and(t.ones(2), t.ones(2)),
    "shift by a float": lambda t: t.arange(2) << 1.5,
    "fill with a vector": lambda t: t.ones(2).fill_(t.ones(2)),
    "fill with complex": lambda t: t.ones(2).fill_(1j),
    "copy shapes": lambda t: t.ones(2).copy_(t.ones(3)),
    "copy from meta": lambda t: t.ones(2, device="meta").to("cpu"),
    "complex parts": lambda t: t.complex(t.ones(2), t.ones(2, dtype=t.float64)),
    "complex of integers": lambda t: t.complex(t.arange(2), t.arange(2)),
    "polygamma order": lambda t: t.polygamma(-1, t.ones(2)),
    "gelu approximation": lambda t: t.nn.functional.gelu(t.ones(2), approximate="fast"),
    "prelu channels": lambda t: t.prelu(t.ones(2, 3), t.ones(2)),
    "celu alpha": lambda t: t.celu(t.ones(2), 0.0),
    "softshrink lambda": lambda t: t.nn.functional.softshrink(t.ones(2), -1),
    "heaviside dtypes": lambda t: t.heaviside(t.ones(2), t.arange(2)),
    "derivative of floor_divide": lambda t: t.floor_divide(t.ones(2, requires_grad=True), 2).sum().backward(),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name):
    assert_same(SHAPES[name])


@pytest.mark.parametrize("name", TYPES)
def test_types(name):
    assert_same(TYPES[name])


@pytest.mark.parametrize("name", WRONG)
def test_wrong(name):
    assert_same(WRONG[name])


UNARY = (
    "abs acos acosh asin asinh atan atanh ceil cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1 floor frac "
    "isfinite isinf isnan isneginf isposinf lgamma log log10 log1p log2 logical_not neg rad2deg reciprocal relu round "
    "rsqrt sgn sigmoid sign signbit sin sinc sinh sqrt square tan tanh trunc"
).split()
BINARY = "add atan2 copysign div floor_divide fmax fmin fmod hypot maximum minimum mul pow remainder sub xlogy".split()


def assert_close(ours, theirs):
    theirs = theirs.numpy()
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=3e-6, atol=1e-44)
    if theirs.dtype.kind == "f":
        zero = theirs == 0
        np.testing.assert_array_equal(np.signbit(ours.numpy()[zero]), np.signbit(theirs[zero]))


@pytest.mark.parametrize("name", UNARY)
def test_special_values(name):
    assert_close(
        getattr(rushlight, name)(rushlight.tensor(SPECIAL)), getattr(pytorch, name)(pytorch.tensor(SPECIAL))
    )


@pytest.mark.parametrize("name", BINARY)
def test_pairs_of_special_values(name):
    ours, theirs = rushlight.tensor(SPECIAL), pytorch.tensor(SPECIAL)
    assert_close(
        getattr(rushlight, name)(ours[:, None], ours), getattr(pytorch, name)(theirs[:, None], theirs)
    )


@pytest.mark.parametrize("size", [1, 15, 16, 17, 511, 512, 513, 32768, 70001])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool", "complex64", "bfloat16", "float16"])
def test_sizes_and_types(size, dtype):
    generator = np.random.default_rng(size)
    values = (generator.standard_normal(size) * 9).astype(np.float32)
    ours = rushlight.tensor(values).to(getattr(rushlight, dtype))
    theirs = pytorch.tensor(values).to(getattr(pytorch, dtype))
    assert (ours + ours).to(rushlight.float32).tolist() == (theirs + theirs).to(pytorch.float32).tolist()
    assert (ours[::2] * ours[::2]).to(rushlight.float32).sum().isfinite().item()
    assert (ours == 1).tolist() == (theirs == 1).tolist()
    assert ours.flip(0).tolist() == theirs.flip(0).tolist()
