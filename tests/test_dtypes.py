"""dtypes, devices, layouts, Size, Generator and the limits of numbers, held against PyTorch's."""

import copy
import pickle

import pytest
import torch as pytorch

import rushlight

from .outcomes import assert_same

NAMES = [
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "complex64",
    "complex128",
    "half",
    "float",
    "double",
    "short",
    "int",
    "long",
    "cfloat",
    "cdouble",
]
FLOATING = ["float16", "bfloat16", "float32", "float64", "complex64", "complex128"]
INTEGERS = ["uint8", "int8", "int16", "int32", "int64"]


@pytest.mark.parametrize("name", NAMES)
def test_attributes(name):
    def attributes(torch):
        dtype = getattr(torch, name)
        return [str(dtype), dtype.is_floating_point, dtype.is_complex, dtype.is_signed, dtype.itemsize]

    assert_same(attributes)
    assert_same(lambda torch: getattr(torch, name).to_real())
    assert_same(lambda torch: getattr(torch, name) == "x")
    assert_same(lambda torch: {getattr(torch, name): 1}[getattr(torch, name)])


@pytest.mark.parametrize("name", ["float32", "float64", "bfloat16", "complex64", "int32"])
def test_to_complex(name):
    assert_same(lambda torch: getattr(torch, name).to_complex() if name != "bfloat16" else None)


@pytest.mark.parametrize("name", NAMES)
def test_dtypes_are_singletons(name):
    dtype = getattr(rushlight, name)
    assert pickle.loads(pickle.dumps(dtype)) is dtype
    assert copy.deepcopy(dtype) is dtype
    assert getattr(rushlight, str(dtype).removeprefix("torch.")) is dtype


def test_dtype_cannot_be_made():
    assert_same(lambda torch: torch.dtype())
    assert_same(lambda torch: torch.layout())


@pytest.mark.parametrize("b", NAMES[:12])
@pytest.mark.parametrize("a", NAMES[:12])
def test_promotion(a, b):
    assert_same(lambda torch: torch.promote_types(getattr(torch, a), getattr(torch, b)))
    assert_same(lambda torch: torch.can_cast(getattr(torch, a), getattr(torch, b)))


@pytest.mark.parametrize("name", FLOATING)
def test_finfo(name):
    assert_same(lambda torch: repr(torch.finfo(getattr(torch, name))))
    for attribute in ["bits", "dtype", "eps", "max", "min", "resolution", "smallest_normal", "tiny"]:
        assert_same(lambda torch: getattr(torch.finfo(getattr(torch, name)), attribute))


@pytest.mark.parametrize("name", INTEGERS)
def test_iinfo(name):
    assert_same(lambda torch: repr(torch.iinfo(getattr(torch, name))))
    for attribute in ["bits", "dtype", "max", "min"]:
        assert_same(lambda torch: getattr(torch.iinfo(getattr(torch, name)), attribute))


LIMIT_CASES = {
    "finfo default": lambda t: repr(t.finfo()),
    "finfo of int": lambda t: t.finfo(t.int8),
    "finfo of bool": lambda t: t.finfo(t.bool),
    "finfo of number": lambda t: t.finfo(3),
    "finfo of string": lambda t: t.finfo("float32"),
    "iinfo of float": lambda t: t.iinfo(t.float32),
    "iinfo of bool": lambda t: t.iinfo(t.bool),
    "iinfo of complex": lambda t: t.iinfo(t.complex64),
    "finfo equal": lambda t: t.finfo(t.float32) == t.finfo(t.float),
}


@pytest.mark.parametrize("name", LIMIT_CASES)
def test_limits(name):
    assert_same(LIMIT_CASES[name])


DEVICE_CASES = {
    "name": lambda t: t.device("cpu"),
    "name with index": lambda t: t.device("cpu:0"),
    "index": lambda t: t.device("cpu", 0),
    "keywords": lambda t: t.device(type="cpu", index=1),
    "index twice": lambda t: t.device("cpu:0", 0),
    "device": lambda t: t.device(t.device("meta")),
    "device keyword": lambda t: t.device(device="cpu"),
    "accelerator number": lambda t: t.device(0),
    "negative index": lambda t: t.device("cpu", -2),
    "str": lambda t: [str(t.device("cpu")), str(t.device("cpu:1"))],
    "attributes": lambda t: [t.device("cpu:3").type, t.device("cpu:3").index, t.device("cpu").index],
    "equal": lambda t: [t.device("cpu") == t.device("cpu"), t.device("cpu") == t.device("cpu:0")],
    "unequal": lambda t: [t.device("cpu") != t.device("meta"), t.device("cpu") == "cpu"],
    "hash": lambda t: len({t.device("cpu"), t.device("cpu"), t.device("meta"), t.device("cpu:0")}),
    "order": lambda t: t.device("cpu") < t.device("meta"),
    "pickle": lambda t: pickle.loads(pickle.dumps(t.device("cpu:1"))),
    "deepcopy": lambda t: copy.deepcopy(t.device("meta")),
    "of tensor": lambda t: t.ones(1, device="meta").device,
}


@pytest.mark.parametrize("name", DEVICE_CASES)
def test_device(name):
    assert_same(DEVICE_CASES[name])


def test_unknown_devices():
    with pytest.raises(RuntimeError, match="at start of device string: nowhere"):
        rushlight.device("nowhere")
    with pytest.raises(TypeError, match="invalid combination of arguments"):
        rushlight.device(None)


def made_under(device):
    def made(t):
        with device(t):
            inside = [
                t.ones(2),
                t.tensor([1]),
                t.rand(2),
                t.arange(3),
                t.as_tensor([1]),
                t.ones_like(t.ones(1, device="cpu")),
            ]
            with t.device("cpu"):
                nested = t.zeros(1)
            layer = t.nn.Linear(2, 3).weight
        return [x.device for x in (*inside, nested, layer, t.ones(1))]

    return made


def test_device_as_context():
    assert_same(made_under(lambda t: t.device("meta")))
    assert_same(made_under(lambda t: t.device("cpu")))


def test_default_device():
    def default(t):
        try:
            t.set_default_device("meta")
            return [t.get_default_device(), t.ones(2).device, t.tensor(1).device]
        finally:
            t.set_default_device(None)

    assert_same(default)
    assert_same(lambda t: [t.get_default_device(), t.ones(1).device])


@pytest.mark.parametrize(
    "name", ["strided", "contiguous_format", "preserve_format", "channels_last", "channels_last_3d"]
)
def test_layouts_and_formats(name):
    assert_same(lambda torch: getattr(torch, name))
    value = getattr(rushlight, name)
    assert pickle.loads(pickle.dumps(value)) is value


SIZE_CASES = {
    "repr": lambda t: repr(t.Size([2, 3])),
    "empty": lambda t: [repr(t.Size()), t.Size().numel()],
    "numel": lambda t: t.Size([2, 3, 4]).numel(),
    "numel zero": lambda t: t.Size([2, 0]).numel(),
    "item": lambda t: [t.Size([2, 3])[0], t.Size([2, 3])[-1]],
    "slice": lambda t: t.Size([2, 3, 4])[1:],
    "step": lambda t: t.Size([2, 3, 4])[::-1],
    "add": lambda t: t.Size([2]) + t.Size([3]),
    "add tuple": lambda t: t.Size([2]) + (3,),
    "tuple add": lambda t: (2,) + t.Size([3]),
    "add list": lambda t: t.Size([2]) + [3],
    "multiply": lambda t: [t.Size([2, 3]) * 2, 2 * t.Size([2])],
    "compare": lambda t: [t.Size([2, 3]) == (2, 3), t.Size([2]) < t.Size([3]), t.Size([2]) == [2]],
    "hash": lambda t: hash(t.Size([2, 3])) == hash((2, 3)),
    "tuple methods": lambda t: [t.Size([2, 3, 2]).count(2), t.Size([2, 3]).index(3), 3 in t.Size([3])],
    "unpack": lambda t: [*t.Size([2, 3])],
    "tensors": lambda t: t.Size([t.tensor(3), 2]),
    "bools": lambda t: t.Size([True, 2]),
    "strings": lambda t: t.Size(["a"]),
    "floats": lambda t: t.Size([1, 1.5]),
    "number": lambda t: t.Size(3),
    "pickle": lambda t: pickle.loads(pickle.dumps(t.Size([2, 3]))),
    "deepcopy": lambda t: copy.deepcopy([t.Size([2, 3])]),
    "of tensor": lambda t: [t.ones(2, 3).shape, t.ones(2, 3).size(), t.ones(()).shape],
    "as argument": lambda t: t.zeros(t.Size([2, 3])).shape,
    "isinstance": lambda t: isinstance(t.Size([1]), tuple),
}


@pytest.mark.parametrize("name", SIZE_CASES)
def test_size(name):
    assert_same(SIZE_CASES[name])


GENERATOR_CASES = {
    "default seed": lambda t: t.Generator().initial_seed(),
    "seed": lambda t: t.Generator().manual_seed(7).initial_seed(),
    "negative seed": lambda t: t.Generator().manual_seed(-1).initial_seed(),
    "wide seed": lambda t: t.Generator().manual_seed(2**63).initial_seed(),
    "too wide seed": lambda t: t.Generator().manual_seed(2**64),
    "string seed": lambda t: t.Generator().manual_seed("a"),
    "float seed": lambda t: t.Generator().manual_seed(1.5),
    "device": lambda t: t.Generator(device="cpu").device,
    "state": lambda t: t.Generator().manual_seed(3).get_state(),
    "state of wrong type": lambda t: t.Generator().set_state(t.zeros(3)),
    "state of wrong size": lambda t: t.Generator().set_state(t.zeros(3, dtype=t.uint8)),
    "state of no tensor": lambda t: t.Generator().set_state(3),
    "draw": lambda t: t.rand(3, generator=t.Generator().manual_seed(5)),
    "pickle": lambda t: pickle.loads(pickle.dumps(t.Generator().manual_seed(5))).get_state(),
}


@pytest.mark.parametrize("name", GENERATOR_CASES)
def test_generator(name):
    assert_same(GENERATOR_CASES[name])


def test_generator_state_crosses_libraries():
    ours, theirs = rushlight.Generator().manual_seed(11), pytorch.Generator().manual_seed(11)
    rushlight.randn(5, generator=ours)
    pytorch.randn(5, generator=theirs)
    assert ours.get_state().tolist() == theirs.get_state().tolist()
    state = ours.get_state()
    first = rushlight.rand(4, generator=ours).tolist()
    clone = rushlight.Generator()
    assert clone.set_state(state) is clone
    assert rushlight.rand(4, generator=clone).tolist() == first
    assert (
        rushlight.rand(4, generator=clone.clone_state()).tolist()
        == rushlight.rand(4, generator=ours).tolist()
    )
