"""The type stubs that ship are those that the registry gives."""

import pathlib

import rushlight
from rushlight.ops import stubs


def test_native_stubs_are_up_to_date():
    path = pathlib.Path(rushlight.__file__).with_name("_C.pyi")
    assert path.read_text() == stubs.native_stubs(), "run python -m rushlight.ops.stubs"


def test_types_are_marked():
    assert pathlib.Path(rushlight.__file__).with_name("py.typed").exists()
