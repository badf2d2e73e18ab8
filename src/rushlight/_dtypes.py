"""The limits of number types: `finfo` and `iinfo`."""

from __future__ import annotations

from typing import Any

from rushlight import _C

# Mantissa bits and exponent range of each floating-point type: value = ±1.m × 2^e with e in [low, high].
_FLOATING = {
    "float16": (16, 10, -14, 15),
    "bfloat16": (16, 7, -126, 127),
    "float32": (32, 23, -126, 127),
    "float64": (64, 52, -1022, 1023),
}
_DECIMAL_DIGITS = {"float16": 3, "bfloat16": 2, "float32": 6, "float64": 15}
_REAL_PART = {"complex64": "float32", "complex128": "float64"}
_INTEGERS = {
    "uint8": (8, False),
    "int8": (8, True),
    "int16": (16, True),
    "int32": (32, True),
    "int64": (64, True),
}


def _short_name(dtype: Any) -> str:
    if not isinstance(dtype, _C.dtype):
        raise TypeError(
            f"finfo(): argument 'type' (position 1) must be torch.dtype, not {type(dtype).__name__}"
        )
    return str(dtype).rsplit(".", 1)[-1]


class finfo:
    """The limits of a floating-point dtype; of the real part for a complex one.

    >>> import rushlight
    >>> finfo(rushlight.float32).eps
    1.1920928955078125e-07

    Raises:
        TypeError: the dtype is not a floating-point one.
    """

    def __init__(self, type: Any = None) -> None:
        name = _short_name(_C.get_default_dtype() if type is None else type)
        name = _REAL_PART.get(name, name)
        if name not in _FLOATING:
            raise TypeError(
                "torch.finfo() requires a floating point input type. Use torch.iinfo to handle 'torch.finfo'"
            )
        self.bits, mantissa, low, high = _FLOATING[name]
        self.dtype = name
        self.eps = 2.0**-mantissa
        self.max = (2.0 - self.eps) * 2.0**high
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0**low
        self.resolution = 10.0 ** -_DECIMAL_DIGITS[name]

    def __repr__(self) -> str:
        def show(value: float) -> str:
            return f"{value:.6g}"

        return (
            f"finfo(resolution={show(self.resolution)}, min={show(self.min)}, max={show(self.max)}, "
            f"eps={show(self.eps)}, smallest_normal={show(self.smallest_normal)}, tiny={show(self.tiny)}, "
            f"dtype={self.dtype})"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, finfo) and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash((finfo, self.dtype))


class iinfo:
    """The limits of an integer dtype.

    >>> import rushlight
    >>> iinfo(rushlight.uint8).max
    255

    Raises:
        TypeError: the dtype is not an integer one.
    """

    def __init__(self, type: Any) -> None:
        name = _short_name(type)
        if name not in _INTEGERS:
            kind = "bool" if name == "bool" else "a floating point"
            raise TypeError(
                "torch.bool is not supported by torch.iinfo"
                if kind == "bool"
                else "torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'"
            )
        self.bits, signed = _INTEGERS[name]
        self.dtype = name
        self.min = -(2 ** (self.bits - 1)) if signed else 0
        self.max = 2 ** (self.bits - 1) - 1 if signed else 2**self.bits - 1

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:.6g}, max={self.max:.6g}, dtype={self.dtype})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, iinfo) and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash((iinfo, self.dtype))
