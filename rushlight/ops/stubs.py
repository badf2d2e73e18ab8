"""Type stubs of the native operators, written out of the registry: ``python -m rushlight.ops.stubs``."""

from __future__ import annotations

import keyword
import pathlib
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from rushlight import _C

_TYPES = {
    "Tensor": "Tensor",
    "Tensor|Scalar": "Tensor | Number",
    "Scalar": "Number",
    "int": "_int",
    "float": "_float",
    "bool": "_bool",
    "ScalarType": "_dtype",
    "Layout": "_layout",
    "Device": "_device | str",
    "MemoryFormat": "_memory_format",
    "Generator": "Generator",
    "str": "str",
}

_HEAD = '''"""The native half of Rushlight. Written by ``python -m rushlight.ops.stubs``; do not edit."""

from collections.abc import Callable, Sequence
from typing import Any, overload

# Tensor has methods and attributes of these names: inside it the types go by others.
_bool = bool
_int = int
_float = float
Number = _bool | _int | _float | complex

class dtype:
    is_floating_point: bool
    is_complex: bool
    is_signed: bool
    itemsize: int
    def to_real(self) -> dtype: ...
    def to_complex(self) -> dtype: ...

class device:
    type: str
    index: int | None
    def __init__(self, type: str | device, index: int = ...) -> None: ...

class layout: ...
class memory_format: ...

_dtype = dtype
_device = device
_layout = layout
_memory_format = memory_format

class Size(tuple[int, ...]):
    def numel(self) -> int: ...

class Generator:
    device: device
    def __init__(self, device: device | str = "cpu") -> None: ...
    def manual_seed(self, seed: int) -> Generator: ...
    def initial_seed(self) -> int: ...
    def seed(self) -> int: ...
    def get_state(self) -> Tensor: ...
    def set_state(self, state: Tensor) -> None: ...

class Node:
    next_functions: tuple[tuple[Node | None, int], ...]
    def name(self) -> str: ...
    def register_hook(self, fn: Callable[..., Any]) -> Any: ...
    def register_prehook(self, fn: Callable[..., Any]) -> Any: ...

class UntypedStorage:
    def __init__(self, nbytes: int = 0) -> None: ...
    def nbytes(self) -> int: ...
    def data_ptr(self) -> int: ...
    def resize_(self, nbytes: int) -> UntypedStorage: ...

def __getattr__(name: str) -> Any: ...
def tensor(
    data: Any, *, dtype: dtype | None = None, device: device | str | None = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor: ...
def as_tensor(data: Any, dtype: dtype | None = None, device: device | str | None = None) -> Tensor: ...
def from_numpy(array: Any) -> Tensor: ...
def from_dlpack(ext_tensor: Any) -> Tensor: ...
def is_grad_enabled() -> bool: ...
def get_num_threads() -> int: ...
def set_num_threads(num_threads: int) -> None: ...
'''

_TENSOR_HEAD = """
class Tensor:
    shape: Size
    dtype: _dtype
    device: _device
    layout: _layout
    requires_grad: _bool
    grad: Tensor | None
    data: Tensor
    ndim: _int
    itemsize: _int
    nbytes: _int
    @property
    def grad_fn(self) -> Node | None: ...
    @property
    def is_leaf(self) -> _bool: ...
    @property
    def T(self) -> Tensor: ...
    @property
    def mT(self) -> Tensor: ...
    @property
    def H(self) -> Tensor: ...
    @property
    def mH(self) -> Tensor: ...
    def __getattr__(self, name: str) -> Any: ...
    def __getitem__(self, index: Any) -> Tensor: ...
    def __setitem__(self, index: Any, value: Any) -> None: ...
    def __len__(self) -> _int: ...
    def __bool__(self) -> _bool: ...
    def __int__(self) -> _int: ...
    def __float__(self) -> _float: ...
    def __add__(self, other: Tensor | Number) -> Tensor: ...
    def __radd__(self, other: Tensor | Number) -> Tensor: ...
    def __sub__(self, other: Tensor | Number) -> Tensor: ...
    def __rsub__(self, other: Tensor | Number) -> Tensor: ...
    def __mul__(self, other: Tensor | Number) -> Tensor: ...
    def __rmul__(self, other: Tensor | Number) -> Tensor: ...
    def __truediv__(self, other: Tensor | Number) -> Tensor: ...
    def __rtruediv__(self, other: Tensor | Number) -> Tensor: ...
    def __pow__(self, other: Tensor | Number) -> Tensor: ...
    def __matmul__(self, other: Tensor) -> Tensor: ...
    def __neg__(self) -> Tensor: ...
    def size(self, dim: _int | None = None) -> Any: ...
    def stride(self, dim: _int | None = None) -> Any: ...
    def dim(self) -> _int: ...
    def numel(self) -> _int: ...
    def item(self) -> Any: ...
    def tolist(self) -> Any: ...
    def numpy(self, *, force: _bool = False) -> Any: ...
    def data_ptr(self) -> _int: ...
    def is_contiguous(self, memory_format: _memory_format = ...) -> _bool: ...
    def requires_grad_(self, requires_grad: _bool = True) -> Tensor: ...
    def retain_grad(self) -> None: ...
    def backward(
        self, gradient: Tensor | None = None, retain_graph: _bool | None = None,
        create_graph: _bool = False, inputs: Any = None,
    ) -> None: ...
    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Any: ...
"""

_WRITTEN_BY_HAND = frozenset(re.findall(r"def (\w+)", _HEAD + _TENSOR_HEAD))


def _type(text: str) -> str:
    """A schema's type as Python's: ``int[2]?`` is ``Sequence[int] | int | None``."""
    optional = text.endswith("?")
    text = text.removesuffix("?")
    is_list = re.fullmatch(r"(.*)\[(\d*)\]", text)
    if is_list:
        item = _type(is_list[1])
        text = f"Sequence[{item}]" + (f" | {item}" if is_list[2] or item == "_int" else "")
    else:
        text = _TYPES[re.sub(r"\(.*\)", "", text)]
    return f"{text} | None" if optional else text


def _split(text: str) -> Iterator[str]:
    """The parts between commas outside brackets."""
    depth, start = 0, 0
    for place, character in enumerate(text + ","):
        depth += (character in "[(") - (character in "])")
        if character == "," and depth == 0:
            part = text[start:place].strip()
            if part:
                yield part
            start = place + 1


def _parameter(text: str) -> str:
    if text == "*":
        return text
    declaration, _, default = text.partition("=")
    kind, _, name = declaration.rpartition(" ")
    name = f"{name}_" if keyword.iskeyword(name) else name
    default = default.replace("inf", "float('inf')") if default in ("inf", "-inf") else default
    return f"{name}: {_type(kind)}" + (f" = {default}" if default else "")


def _result(text: str) -> str:
    parts = list(_split(text.strip().removeprefix("(").removesuffix(")") if text.startswith("(") else text))
    kinds = [_type(re.sub(r"\s+\w+$", "", part)) for part in parts]
    if not kinds:
        return "None"
    if len(kinds) > 1:
        return f"tuple[{', '.join(kinds)}]"
    return "tuple[Tensor, ...]" if kinds[0] == "Sequence[Tensor]" else kinds[0]


def _signatures(entry: dict[str, Any], method: bool) -> tuple[str, str]:
    """The parameters and the result of one operator."""
    head, _, result = entry["schema"].rpartition("->")
    parameters = [_parameter(part) for part in _split(head[head.index("(") + 1 : head.rindex(")")])]
    if method:
        parameters[0] = "self"
    elif parameters and parameters[0].startswith("self:"):
        parameters[0] = parameters[0].replace("self:", "input:", 1)
    if "out" in entry["variants"] and not method:
        parameters += ["out: Any = None"] if "*" in parameters else ["*", "out: Any = None"]
    return ", ".join(parameters), _result(result.strip())


def _definitions(names: dict[str, list[tuple[str, str]]], indent: str) -> Iterator[str]:
    for name, signatures in sorted(names.items()):
        if name in _WRITTEN_BY_HAND or not name.isidentifier() or keyword.iskeyword(name):
            continue
        distinct = list(dict.fromkeys(signatures))
        for parameters, result in distinct:
            if len(distinct) > 1:
                yield f"{indent}@overload\n"
            yield f"{indent}def {name}({parameters}) -> {result}: ...\n"


def native_stubs() -> str:
    """The text of ``_C.pyi``."""
    functions, methods = defaultdict(list), defaultdict(list)
    for entry in _C._operators():
        if "function" in entry["variants"] or "method" not in entry["variants"]:
            functions[entry["name"]].append(_signatures(entry, method=False))
        if "method" not in entry["variants"]:
            continue
        methods[entry["name"]].append(_signatures(entry, method=True))
        if "in_place" in entry["variants"]:
            methods[f"{entry['name']}_"].append(_signatures(entry, method=True))
    tensor = _TENSOR_HEAD + "".join(_definitions(methods, "    "))
    return _HEAD + tensor + "\n" + "".join(_definitions(functions, ""))


if __name__ == "__main__":
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1] / "_C.pyi"
    path.write_text(native_stubs())
