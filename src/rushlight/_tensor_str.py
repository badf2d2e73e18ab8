"""How a tensor prints: number formats, line layout, truncation and the trailing facts about it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from rushlight._utils import _is_parameter

_PROFILES: dict[str, dict[str, float]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}


@dataclass
class _PrintOptions:
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_options = _PrintOptions()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors print.

    Args:
        precision: digits after the decimal point (4).
        threshold: number of elements above which a tensor prints in summary (1000).
        edgeitems: elements shown at each end of a summarised dimension (3).
        linewidth: characters after which a line is broken (80).
        profile: ``"default"``, ``"short"`` or ``"full"``; the other arguments override it.
        sci_mode: force scientific notation on or off; ``None`` chooses by the values. Every call sets it.

    Example:
        >>> import rushlight as torch
        >>> torch.set_printoptions(precision=2)
        >>> torch.tensor([1.12345])
        tensor([1.12])
        >>> torch.set_printoptions(profile="default")
    """
    chosen: dict[str, Any] = dict(_PROFILES.get(profile, {})) if profile is not None else {}
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    chosen.update((name, value) for name, value in given.items() if value is not None)
    for name, value in chosen.items():
        setattr(_options, name, value)
    _options.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """Return the present print options as a dictionary that `set_printoptions` accepts as keywords.

    Example:
        >>> import rushlight as torch
        >>> torch._tensor_str.get_printoptions()["edgeitems"]
        3
    """
    return asdict(_options)


@contextmanager
def printoptions(**kwargs: Any) -> Iterator[None]:
    """Set print options within a ``with`` block; takes the arguments of `set_printoptions`.

    Example:
        >>> import rushlight as torch
        >>> with torch._tensor_str.printoptions(precision=1):
        ...     print(torch.tensor([0.55]))
        tensor([0.6])
    """
    before = get_printoptions()
    set_printoptions(**kwargs)
    try:
        yield
    finally:
        set_printoptions(**before)


class _IntegerFormat:
    """Formats whole numbers and booleans, right-aligned to the widest."""

    def __init__(self, values: list[int]) -> None:
        self.width = max((len(str(value)) for value in values), default=1)

    def __call__(self, value: int) -> str:
        return str(value).rjust(self.width)


class _FloatFormat:
    """Formats real numbers: fixed point, scientific, or as whole numbers with a point, right-aligned.

    Only finite values other than zero decide the notation and the width.
    """

    def __init__(self, values: list[float]) -> None:
        deciding = [value for value in values if value != 0 and math.isfinite(value)]
        self.scientific = False
        self.whole = all(value == math.floor(value) for value in deciding)
        if deciding:
            smallest, largest = min(map(abs, deciding)), max(map(abs, deciding))
            self.scientific = (
                largest / smallest > 1000 or largest > 1e8 or (not self.whole and smallest < 1e-4)
            )
        if deciding and _options.sci_mode is not None:
            self.scientific = _options.sci_mode
        self.width = max((len(self._text(value)) for value in deciding), default=1)

    def _text(self, value: float) -> str:
        if self.scientific:
            return f"{value:.{_options.precision}e}"
        if self.whole:
            text = f"{value:.0f}"
            return text + "." if math.isfinite(value) else text
        return f"{value:.{_options.precision}f}"

    def __call__(self, value: float) -> str:
        return self._text(value).rjust(self.width)


class _ComplexFormat:
    """Formats complex numbers with one format for the real parts and one for the imaginary."""

    def __init__(self, values: list[complex]) -> None:
        self.real = _FloatFormat([value.real for value in values])
        self.imag = _FloatFormat([value.imag for value in values])
        self.width = self.real.width + self.imag.width + 1

    def __call__(self, value: complex) -> str:
        real, imag = self.real(value.real), self.imag(value.imag).lstrip() + "j"
        return real + (imag if imag[0] in "+-" else "+" + imag)


def _edges(tensor: Any, summarise: bool) -> Any:
    """Return the values as nested lists; a summarised dimension keeps its ends around an Ellipsis."""
    edge = _options.edgeitems
    if not summarise or tensor.dim() == 0:
        return tensor.tolist()
    length = tensor.shape[0]
    if length <= 2 * edge:
        kept, elided = list(range(length)), False
    else:
        kept, elided = [*range(edge), *range(length - edge, length)], True
    if tensor.dim() == 1:
        rows = (tensor[:edge].tolist() + tensor[length - edge :].tolist()) if elided else tensor.tolist()
    else:
        rows = [_edges(tensor[index], True) for index in kept]
    if elided:
        rows.insert(edge, ...)
    return rows


def _leaves(values: Any) -> Iterator[Any]:
    if isinstance(values, list):
        for value in values:
            yield from _leaves(value)
    elif values is not ...:
        yield values


def _layout(values: Any, dim: int, indent: int, format_one: Any) -> str:
    """Lay nested lists out in brackets, each level one column further in."""
    if dim == 0:
        return format_one(values)
    if dim == 1:
        texts = [" ..." if value is ... else format_one(value) for value in values]
        per_line = max(1, (_options.linewidth - indent) // (format_one.width + 2))
        lines = [", ".join(texts[start : start + per_line]) for start in range(0, len(texts), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    rows = ["..." if row is ... else _layout(row, dim - 1, indent + 1, format_one) for row in values]
    return "[" + ("," + "\n" * (dim - 1) + " " * (indent + 1)).join(rows) + "]"


def _contents(tensor: Any, indent: int) -> str:
    values = _edges(tensor, tensor.numel() > _options.threshold)
    leaves = list(_leaves(values))
    if tensor.is_complex():
        format_one: Any = _ComplexFormat(leaves)
    elif tensor.is_floating_point():
        format_one = _FloatFormat(leaves)
    else:
        format_one = _IntegerFormat(leaves)
    return _layout(values, tensor.dim(), indent, format_one)


def _is_default_dtype(dtype: Any) -> bool:
    import rushlight

    default = rushlight.get_default_dtype()
    complex_default = rushlight.complex128 if default == rushlight.float64 else rushlight.complex64
    return dtype in (default, complex_default, rushlight.int64, rushlight.bool)


def _facts(tensor: Any, shows_values: bool) -> list[str]:
    """What follows the values: device, size and dtype where the values do not tell them, and the gradient."""
    import rushlight

    facts = []
    if tensor.device.type != "cpu":
        facts.append(f"device='{tensor.device}'")
    is_meta, is_empty = tensor.device.type == "meta", tensor.numel() == 0
    if is_meta or (is_empty and tensor.dim() != 1):
        facts.append(f"size={tuple(tensor.shape)}")
    if is_meta or is_empty:
        tells_dtype = tensor.dtype == rushlight.get_default_dtype()
    else:
        tells_dtype = shows_values and _is_default_dtype(tensor.dtype)
    if not tells_dtype:
        facts.append(f"dtype={tensor.dtype}")
    if tensor.grad_fn is not None:
        facts.append(f"grad_fn=<{type(tensor.grad_fn).__name__.rpartition('.')[2]}>")
    elif tensor.requires_grad:
        facts.append("requires_grad=True")
    return facts


def _str(tensor: Any, *, tensor_contents: str | None = None) -> str:
    """Return the text of ``repr(tensor)``; `tensor_contents` replaces the values.

    Example:
        >>> import rushlight as torch
        >>> torch._tensor_str._str(torch.arange(3))
        'tensor([0, 1, 2])'
    """
    import rushlight

    is_parameter = _is_parameter(tensor)
    is_plain = type(tensor) is rushlight.Tensor or (is_parameter and type(tensor).__name__ == "Parameter")
    prefix = "tensor(" if is_plain else type(tensor).__name__ + "("
    indent = len(prefix)
    if tensor_contents is not None:
        text = tensor_contents
    elif tensor.device.type == "meta":
        text = "..."
    elif tensor.numel() == 0:
        text = "[]"
    else:
        text = _contents(tensor.detach(), indent)
    text = prefix + text
    line_length = len(text) - text.rfind("\n") + 1
    for fact in _facts(tensor, tensor_contents is None):
        if line_length + len(fact) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + fact
            line_length = indent + len(fact)
        else:
            text += ", " + fact
            line_length += len(fact) + 2
    text += ")"
    if not is_parameter:
        return text
    return "Parameter containing:\n" + (text if is_plain else f"Parameter({text})")
