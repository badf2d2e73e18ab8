"""A pickle reader that makes plain data and tensors and calls nothing outside the list it is given.

The opcodes are those of Python's ``pickletools``, protocols 0 to 5, less the ones that name code in other
ways than GLOBAL (INST, OBJ, EXT) or need buffers from outside.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

_Handler = Callable[["WeightsUnpickler"], None]
_HANDLERS: dict[int, _Handler] = {}
_STOP = ord(".")


def _opcode(*codes: str) -> Callable[[_Handler], _Handler]:
    def register(handler: _Handler) -> _Handler:
        for code in codes:
            _HANDLERS[ord(code)] = handler
        return handler

    return register


class WeightsUnpickler:
    """Reads one pickle.

    Args:
        data: the pickle's bytes.
        find_global: returns the object a GLOBAL names, or raises `UnpicklingError`.
        persistent_load: returns the object of a persistent id.
        may_call: says whether REDUCE may call an object.
        may_make: says whether NEWOBJ may make an instance of a class.
        may_build: says whether BUILD may set the attributes of instances of a class.
    """

    def __init__(
        self,
        data: bytes,
        find_global: Callable[[str, str], Any],
        persistent_load: Callable[[Any], Any],
        may_call: Callable[[Any], bool],
        may_make: Callable[[type], bool],
        may_build: Callable[[type], bool],
    ) -> None:
        self.data = data
        self.position = 0
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.find_global = find_global
        self.persistent_load = persistent_load
        self.may_call = may_call
        self.may_make = may_make
        self.may_build = may_build

    def load(self) -> Any:
        """Return the object; raises `UnpicklingError` where the pickle is broken or not allowed."""
        try:
            while (code := self.take(1)[0]) != _STOP:
                handler = _HANDLERS.get(code)
                if handler is None:
                    raise UnpicklingError(f"Unsupported operand {code}")
                handler(self)
            return self.stack.pop()
        except (UnpicklingError, RuntimeError, MemoryError):
            raise
        except Exception as error:
            raise UnpicklingError(f"{type(error).__name__}: {error}") from error

    def take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self.data):
            raise UnpicklingError("pickle data was truncated")
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def take_number(self, layout: str) -> Any:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def take_line(self) -> str:
        end = self.data.find(b"\n", self.position)
        if end < 0:
            raise UnpicklingError("pickle data was truncated")
        line = self.data[self.position : end]
        self.position = end + 1
        return line.decode("utf-8")

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.outer.pop()
        return items


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "N": lambda: None,
    "\x88": lambda: True,
    "\x89": lambda: False,
    ")": tuple,
    "]": list,
    "}": dict,
    "\x8f": set,
}
for _code, _make in _CONSTANTS.items():
    _HANDLERS[ord(_code)] = lambda reader, make=_make: reader.push(make())

_NUMBERS = {"K": "<B", "M": "<H", "J": "<i", "G": ">d"}
for _code, _layout in _NUMBERS.items():
    _HANDLERS[ord(_code)] = lambda reader, layout=_layout: reader.push(reader.take_number(layout))

_TEXTS = {"X": "<I", "\x8c": "<B", "\x8d": "<Q"}
for _code, _layout in _TEXTS.items():
    _HANDLERS[ord(_code)] = lambda reader, layout=_layout: reader.push(
        reader.take(reader.take_number(layout)).decode("utf-8", "surrogatepass")
    )

_BYTES = {"B": "<I", "C": "<B", "\x8e": "<Q"}
for _code, _layout in _BYTES.items():
    _HANDLERS[ord(_code)] = lambda reader, layout=_layout: reader.push(
        reader.take(reader.take_number(layout))
    )

_LONGS = {"\x8a": "<B", "\x8b": "<I"}
for _code, _layout in _LONGS.items():
    _HANDLERS[ord(_code)] = lambda reader, layout=_layout: reader.push(
        int.from_bytes(reader.take(reader.take_number(layout)), "little", signed=True)
    )

_PUTS = {"q": "<B", "r": "<I"}
for _code, _layout in _PUTS.items():
    _HANDLERS[ord(_code)] = lambda reader, layout=_layout: reader.memo.__setitem__(
        reader.take_number(layout), reader.stack[-1]
    )

_GETS = {"h": "<B", "j": "<I"}
for _code, _layout in _GETS.items():
    _HANDLERS[ord(_code)] = lambda reader, layout=_layout: reader.push(
        reader.memo[reader.take_number(layout)]
    )


@_opcode("\x80")
def _protocol(reader: WeightsUnpickler) -> None:
    if (protocol := reader.take(1)[0]) > 5:
        raise UnpicklingError(f"unsupported pickle protocol: {protocol}")


@_opcode("\x95")
def _frame(reader: WeightsUnpickler) -> None:
    reader.take(8)


@_opcode("I", "L")
def _decimal_integer(reader: WeightsUnpickler) -> None:
    text = reader.take_line()
    reader.push({"00": False, "01": True}[text] if text in ("00", "01") else int(text.rstrip("L")))


@_opcode("F")
def _decimal_float(reader: WeightsUnpickler) -> None:
    reader.push(float(reader.take_line()))


@_opcode("V")
def _unicode_line(reader: WeightsUnpickler) -> None:
    reader.push(reader.take_line().encode("latin-1").decode("raw-unicode-escape"))


@_opcode("\x96")
def _byte_array(reader: WeightsUnpickler) -> None:
    reader.push(bytearray(reader.take(reader.take_number("<Q"))))


@_opcode("p")
def _put_line(reader: WeightsUnpickler) -> None:
    reader.memo[int(reader.take_line())] = reader.stack[-1]


@_opcode("g")
def _get_line(reader: WeightsUnpickler) -> None:
    reader.push(reader.memo[int(reader.take_line())])


@_opcode("\x94")
def _memoize(reader: WeightsUnpickler) -> None:
    reader.memo[len(reader.memo)] = reader.stack[-1]


@_opcode("(")
def _mark(reader: WeightsUnpickler) -> None:
    reader.outer.append(reader.stack)
    reader.stack = []


@_opcode("0")
def _pop(reader: WeightsUnpickler) -> None:
    if reader.stack:
        reader.stack.pop()
    else:
        reader.pop_mark()


@_opcode("1")
def _pop_to_mark(reader: WeightsUnpickler) -> None:
    reader.pop_mark()


@_opcode("2")
def _duplicate(reader: WeightsUnpickler) -> None:
    reader.push(reader.stack[-1])


@_opcode("t")
def _tuple(reader: WeightsUnpickler) -> None:
    items = tuple(reader.pop_mark())
    reader.push(items)


@_opcode("\x85")
def _tuple_of_one(reader: WeightsUnpickler) -> None:
    reader.stack[-1] = (reader.stack[-1],)


@_opcode("\x86")
def _tuple_of_two(reader: WeightsUnpickler) -> None:
    reader.stack[-2:] = [(reader.stack[-2], reader.stack[-1])]


@_opcode("\x87")
def _tuple_of_three(reader: WeightsUnpickler) -> None:
    reader.stack[-3:] = [(reader.stack[-3], reader.stack[-2], reader.stack[-1])]


@_opcode("l")
def _list(reader: WeightsUnpickler) -> None:
    items = reader.pop_mark()
    reader.push(items)


@_opcode("d")
def _dict(reader: WeightsUnpickler) -> None:
    items = reader.pop_mark()
    reader.push(dict(zip(items[::2], items[1::2], strict=True)))


@_opcode("\x91")
def _frozen_set(reader: WeightsUnpickler) -> None:
    items = reader.pop_mark()
    reader.push(frozenset(items))


def _target(reader: WeightsUnpickler, *types: type) -> Any:
    target = reader.stack[-1]
    if not isinstance(target, types):
        raise UnpicklingError(f"Can only append or set items of plain containers, not {type(target)}")
    return target


@_opcode("a")
def _append(reader: WeightsUnpickler) -> None:
    item = reader.stack.pop()
    _target(reader, list).append(item)


@_opcode("e")
def _extend(reader: WeightsUnpickler) -> None:
    items = reader.pop_mark()
    _target(reader, list).extend(items)


@_opcode("\x90")
def _add_items(reader: WeightsUnpickler) -> None:
    items = reader.pop_mark()
    _target(reader, set).update(items)


@_opcode("s")
def _set_item(reader: WeightsUnpickler) -> None:
    value, key = reader.stack.pop(), reader.stack.pop()
    _target(reader, dict)[key] = value


@_opcode("u")
def _set_items(reader: WeightsUnpickler) -> None:
    items = reader.pop_mark()
    target = _target(reader, dict)
    for key, value in zip(items[::2], items[1::2], strict=True):
        target[key] = value


@_opcode("c")
def _global(reader: WeightsUnpickler) -> None:
    module = reader.take_line()
    reader.push(reader.find_global(module, reader.take_line()))


@_opcode("\x93")
def _stack_global(reader: WeightsUnpickler) -> None:
    name, module = reader.stack.pop(), reader.stack.pop()
    if type(name) is not str or type(module) is not str:
        raise UnpicklingError("STACK_GLOBAL requires str")
    reader.push(reader.find_global(module, name))


@_opcode("R")
def _reduce(reader: WeightsUnpickler) -> None:
    args, function = reader.stack.pop(), reader.stack.pop()
    if not reader.may_call(function) or type(args) is not tuple:
        raise UnpicklingError(f"Trying to call reduce for unrecognized function {function!r:.100}")
    reader.push(function(*args))


@_opcode("\x81")
def _new_object(reader: WeightsUnpickler) -> None:
    args, cls = reader.stack.pop(), reader.stack.pop()
    if not isinstance(cls, type) or not reader.may_make(cls) or type(args) is not tuple:
        raise UnpicklingError(f"Trying to create new object for unrecognized class {cls!r:.100}")
    reader.push(cls.__new__(cls, *args))


@_opcode("b")
def _build(reader: WeightsUnpickler) -> None:
    state, target = reader.stack.pop(), reader.stack[-1]
    if not reader.may_build(type(target)):
        raise UnpicklingError(
            "Can only build Tensor, Parameter, OrderedDict or types allowlisted via "
            f"`add_safe_globals`, but got {type(target)}"
        )
    if hasattr(target, "__setstate__"):
        target.__setstate__(state)
        return
    attributes, slots = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    target.__dict__.update(attributes or {})
    for name, value in (slots or {}).items():
        setattr(target, name, value)


@_opcode("P")
def _persistent_line(reader: WeightsUnpickler) -> None:
    reader.push(reader.persistent_load(reader.take_line()))


@_opcode("Q")
def _persistent(reader: WeightsUnpickler) -> None:
    reader.push(reader.persistent_load(reader.stack.pop()))
