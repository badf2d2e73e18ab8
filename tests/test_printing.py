"""The text of a tensor, string for string as PyTorch prints it."""

import math
import random

import pytest
import torch

import rushlight

DTYPES = [
    "float32",
    "float64",
    "float16",
    "bfloat16",
    "int64",
    "int32",
    "int16",
    "uint8",
    "int8",
    "bool",
    "complex64",
    "complex128",
]


class Named(torch.Tensor):
    pass


class NamedHere(rushlight.Tensor):
    pass


NamedHere.__name__ = "Named"


@pytest.fixture(autouse=True)
def default_options():
    yield
    torch.set_printoptions(profile="default")
    rushlight.set_printoptions(profile="default")


def to_rushlight(tensor: torch.Tensor) -> rushlight.Tensor:
    dtype = getattr(rushlight, str(tensor.dtype).removeprefix("torch."))
    return rushlight.tensor(tensor.tolist(), dtype=dtype).reshape(tuple(tensor.shape))


def random_values(generator: random.Random) -> torch.Tensor:
    dims = generator.choice([0, 1, 1, 2, 2, 3, 4])
    sizes = [1, 2, 3, 5, 7, 8, 13] if dims > 2 else [0, 1, 2, 3, 7, 30]
    shape = [generator.choice(sizes) for _ in range(dims)]
    if dims == 1 and generator.random() < 0.3:
        shape = [generator.choice([999, 1000, 1001, 3000])]
    values = torch.randn(shape, dtype=torch.float64)
    kind = generator.choice(["normal", "whole", "small", "big", "mixed", "zeros"])
    if kind == "whole":
        values = (values * generator.choice([1, 10, 1e4, 1e9])).round()
    elif kind == "small":
        values = values * 10.0 ** generator.choice([-3, -5, -10])
    elif kind == "big":
        values = values * 10.0 ** generator.choice([3, 5, 8, 10])
    elif kind == "mixed":
        values = values * 10.0 ** torch.randint(-4, 4, shape)
    elif kind == "zeros":
        values = values * 0
    return values


def random_tensor(generator: random.Random) -> torch.Tensor:
    values = random_values(generator)
    dtype = getattr(torch, generator.choice(DTYPES))
    if dtype.is_floating_point and generator.random() < 0.3:
        chance = torch.rand(values.shape)
        values[chance < 0.2] = math.nan
        values[chance > 0.8] = math.inf
        values[(chance > 0.4) & (chance < 0.6)] = -math.inf
    if dtype.is_complex:
        values = torch.complex(values, torch.randn_like(values) * 10 ** generator.choice([-6, 0, 0, 4]))
    elif not dtype.is_floating_point and dtype != torch.bool:
        info = torch.iinfo(dtype)
        values = values.clamp(max(info.min, -1e15), min(info.max, 1e15))
    return values.to(dtype)


def random_options(generator: random.Random) -> dict:
    if generator.random() < 0.5:
        return {}
    return {
        "precision": generator.choice([None, 0, 1, 2, 8]),
        "threshold": generator.choice([None, 5, 50, math.inf]),
        "edgeitems": generator.choice([None, 1, 2, 5]),
        "linewidth": generator.choice([None, 20, 40, 120]),
        "profile": generator.choice([None, "short", "full"]),
        "sci_mode": generator.choice([None, None, True, False]),
    }


@pytest.mark.parametrize("seed", range(500))
def test_random_tensor_prints_as_pytorch(seed):
    generator = random.Random(seed)
    torch.manual_seed(seed)
    theirs = random_tensor(generator)
    ours = to_rushlight(theirs)
    if theirs.is_floating_point() and generator.random() < 0.3:
        theirs.requires_grad_()
        ours.requires_grad_()
    if theirs.dim() > 1 and generator.random() < 0.2:
        theirs, ours = theirs.detach().transpose(0, 1), ours.detach().transpose(0, 1)
    options = random_options(generator)
    torch.set_printoptions(**options)
    rushlight.set_printoptions(**options)
    assert repr(ours) == repr(theirs)


CASES = {
    "empty": lambda t: t.empty(0),
    "empty with size": lambda t: t.empty(2, 0, 3),
    "empty int64": lambda t: t.empty(0, dtype=t.int64),
    "empty bool with size": lambda t: t.empty(0, 2, dtype=t.bool),
    "meta": lambda t: t.empty(2, 3, device="meta"),
    "meta int64": lambda t: t.empty(2, device="meta", dtype=t.int64),
    "meta parameter": lambda t: t.nn.Parameter(t.empty(2, device="meta")),
    "parameter": lambda t: t.nn.Parameter(t.ones(2, 2)),
    "frozen parameter": lambda t: t.nn.Parameter(t.ones(2), requires_grad=False),
    "multiplication": lambda t: t.ones(3, requires_grad=True) * 2,
    "long line before grad_fn": lambda t: t.linspace(-1, 1, 8, requires_grad=True) + 1000.5,
    "view": lambda t: t.ones(2, 3, requires_grad=True).view(6),
    "sum": lambda t: t.ones(2, 3, requires_grad=True).sum(),
    "bool": lambda t: t.tensor([True, False]),
    "infinities": lambda t: t.tensor([0.0, math.inf, -math.inf, math.nan]),
    "range": lambda t: t.arange(1001.0),
    "expanded": lambda t: t.zeros(1).expand(3, 2000),
    "channels": lambda t: t.arange(24).reshape(2, 3, 4).permute(2, 0, 1),
    "str": lambda t: str(t.tensor(3.5)),
    "format of one element": lambda t: f"{t.tensor(3.14159):.2f}",
    "format without a specification": lambda t: f"{t.tensor([3.14159])}",
}


@pytest.mark.parametrize("name", CASES)
def test_case_prints_as_pytorch(name):
    assert str(CASES[name](rushlight)) == str(CASES[name](torch))


def test_subclass_prints_under_its_own_name():
    assert repr(rushlight.ones(2).as_subclass(NamedHere)) == repr(torch.ones(2).as_subclass(Named))


def test_dtype_shows_where_not_the_default():
    for default in ("float64", "float32"):
        texts = []
        for module in (torch, rushlight):
            module.set_default_dtype(getattr(module, default))
            try:
                names = ("float32", "float64", "complex64", "complex128")
                texts.append([repr(module.ones(2, dtype=getattr(module, name))) for name in names])
            finally:
                module.set_default_dtype(module.float32)
        assert texts[0] == texts[1]


def test_printoptions_context_restores():
    before = rushlight._tensor_str.get_printoptions()
    with rushlight._tensor_str.printoptions(precision=1, sci_mode=True):
        assert repr(rushlight.tensor([1.25])) == "tensor([1.2e+00])"
    assert rushlight._tensor_str.get_printoptions() == before


def test_only_what_is_shown_is_read():
    """A tensor of more elements than memory could hold prints."""
    assert repr(rushlight.zeros(1).expand(2**40)) == "tensor([0., 0., 0.,  ..., 0., 0., 0.])"
