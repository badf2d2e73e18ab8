"""Elementwise operators over arrays that fill the caches (1M elements) and that exceed them (16M)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.workload import Cost, Step, enter

_SIZES = {"1m": 1 << 20, "16m": 1 << 24}
_BYTES = {
    "float32": 4,
    "float64": 8,
    "bfloat16": 2,
    "float16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
    "complex64": 8,
}
Call = Callable[[Any, Any, Any], Any]


def _operands(torch: Any, length: int, dtype: str) -> tuple[Any, Any]:
    torch.manual_seed(0)
    if dtype in ("float32", "float64", "bfloat16", "float16"):
        return tuple((torch.rand(length) + 0.01).to(getattr(torch, dtype)) for _ in range(2))
    if dtype == "complex64":
        return tuple(torch.complex(torch.rand(length), torch.rand(length)) for _ in range(2))
    return tuple(torch.randint(0, 2, (length,)).to(getattr(torch, dtype)) for _ in range(2))


def _operator(
    name: str,
    call: Call,
    reads: float = 1,
    writes: float = 1,
    dtype: str = "float32",
    result: str = "",
    sizes: tuple[str, ...] = ("1m", "16m"),
) -> None:
    """Enter call(torch, x, y), which reads and writes so many arrays, at each size."""

    def prepare(torch: Any, length: int) -> Step:
        x, y = _operands(torch, length, dtype)
        return lambda: call(torch, x, y)

    for size in sizes:
        length = _SIZES[size]
        cost = Cost(read=reads * length * _BYTES[dtype], written=writes * length * _BYTES[result or dtype])
        enter(
            f"elementwise/{size}/{dtype}-{name}",
            f"{name}, {size.upper()} of {dtype}",
            prepare,
            cost=cost,
            length=length,
        )


_operator("add", lambda torch, x, y: x + y, 2)
_operator("multiply", lambda torch, x, y: x * y, 2)
_operator("divide", lambda torch, x, y: x / y, 2)
_operator("scale", lambda torch, x, y: x * 2)
_operator("in-place", lambda torch, x, y: x.mul_(1.0))
_operator("addcmul", lambda torch, x, y: torch.addcmul(x, x, y, value=0.5), 2)
_operator("lerp", lambda torch, x, y: torch.lerp(x, y, 0.5), 2)
_operator("negative", lambda torch, x, y: -x)
_operator("absolute", lambda torch, x, y: x.abs())
_operator("square", lambda torch, x, y: x * x)
_operator("sqrt", lambda torch, x, y: x.sqrt())
_operator("rsqrt", lambda torch, x, y: x.rsqrt())
_operator("exp", lambda torch, x, y: x.exp())
_operator("log", lambda torch, x, y: x.log())
_operator("sin", lambda torch, x, y: x.sin())
_operator("erf", lambda torch, x, y: x.erf(), sizes=("1m",))
_operator("power", lambda torch, x, y: x**2.5, sizes=("1m",))
_operator("power-tensor", lambda torch, x, y: x**y, 2, sizes=("1m",))
_operator("cube", lambda torch, x, y: x**3)
_operator("sigmoid", lambda torch, x, y: x.sigmoid())
_operator("tanh", lambda torch, x, y: x.tanh())
_operator("relu", lambda torch, x, y: x.relu())
_operator("gelu", lambda torch, x, y: torch.nn.functional.gelu(x))
_operator("gelu-tanh", lambda torch, x, y: torch.nn.functional.gelu(x, approximate="tanh"), sizes=("1m",))
_operator("silu", lambda torch, x, y: torch.nn.functional.silu(x))
_operator("elu", lambda torch, x, y: torch.nn.functional.elu(x), sizes=("1m",))
_operator("softplus", lambda torch, x, y: torch.nn.functional.softplus(x), sizes=("1m",))
_operator("mish", lambda torch, x, y: torch.nn.functional.mish(x), sizes=("1m",))
_operator("hardswish", lambda torch, x, y: torch.nn.functional.hardswish(x), sizes=("1m",))
_operator("leaky-relu", lambda torch, x, y: torch.nn.functional.leaky_relu(x), sizes=("1m",))
_operator("clamp", lambda torch, x, y: x.clamp(0.2, 0.8))
_operator("floor", lambda torch, x, y: x.floor(), sizes=("1m",))
_operator("maximum", lambda torch, x, y: torch.maximum(x, y), 2)
_operator("compare", lambda torch, x, y: x > y, 2, result="bool")
_operator("where", lambda torch, x, y: torch.where(x > y, x, y), 2)
_operator("masked-fill", lambda torch, x, y: x.masked_fill(x > 0.5, 0.0))
_operator("fill", lambda torch, x, y: x.fill_(1.0), 0)
_operator("zeros", lambda torch, x, y: torch.zeros_like(x), 0)
_operator("clone", lambda torch, x, y: x.clone())
_operator("cat", lambda torch, x, y: torch.cat([x, y]), 2, 2)
_operator("to-float64", lambda torch, x, y: x.to(torch.float64), result="float64")
_operator("to-bfloat16", lambda torch, x, y: x.to(torch.bfloat16), result="bfloat16")
_operator("add-number", lambda torch, x, y: x + 0.5)
_operator("minimum", lambda torch, x, y: torch.minimum(x, y), 2, sizes=("1m",))
_operator("remainder", lambda torch, x, y: x % y, 2, sizes=("1m",))
_operator("floor-divide", lambda torch, x, y: x // y, 2, sizes=("1m",))
_operator("hypot", lambda torch, x, y: torch.hypot(x, y), 2, sizes=("1m",))
_operator("atan2", lambda torch, x, y: torch.atan2(x, y), 2, sizes=("1m",))
_operator("logaddexp", lambda torch, x, y: torch.logaddexp(x, y), 2, sizes=("1m",))
_operator("erfc", lambda torch, x, y: x.erfc(), sizes=("1m",))
_operator("erfinv", lambda torch, x, y: (x * 0.9).erfinv(), sizes=("1m",))
_operator("log1p", lambda torch, x, y: x.log1p(), sizes=("1m",))
_operator("log2", lambda torch, x, y: x.log2(), sizes=("1m",))
_operator("expm1", lambda torch, x, y: x.expm1(), sizes=("1m",))
_operator("cos", lambda torch, x, y: x.cos(), sizes=("1m",))
_operator("atan", lambda torch, x, y: x.atan(), sizes=("1m",))
_operator("elu-both-signs", lambda torch, x, y: torch.nn.functional.elu(x - 0.5), 1, sizes=("1m",))
for _name in ("i0", "ndtr", "ndtri", "log_ndtr", "entr"):
    _operator(
        _name.replace("_", "-"),
        lambda torch, x, y, name=_name: getattr(torch.special, name)(x),
        sizes=("1m",),
    )
_operator("digamma", lambda torch, x, y: x.digamma(), sizes=("1m",))
_operator("lgamma", lambda torch, x, y: x.lgamma(), sizes=("1m",))
_operator("lgamma-left", lambda torch, x, y: (x - 8).lgamma(), sizes=("1m",))
_operator("igamma", lambda torch, x, y: torch.igamma(x, y), 2, sizes=("1m",))
for _name in ("erfinv", "ndtri", "lgamma"):
    _operator(
        _name,
        lambda torch, x, y, name=_name: getattr(torch.special, name.replace("lgamma", "gammaln"))(x * 0.9),
        dtype="float64",
        sizes=("1m",),
    )
_operator("lgamma-left", lambda torch, x, y: (x - 8).lgamma(), dtype="float64", sizes=("1m",))
for _dtype in ("float32", "float16", "bfloat16"):
    _operator("nextafter", lambda torch, x, y: torch.nextafter(x, y), 2, dtype=_dtype, sizes=("1m",))
for _name, _call, _reads in (
    ("add", lambda torch, x, y: x + y, 2),
    ("multiply", lambda torch, x, y: x * y, 2),
    ("divide", lambda torch, x, y: x / y, 2),
    ("reciprocal", lambda torch, x, y: x.reciprocal(), 1),
    ("sign", lambda torch, x, y: x.sgn(), 1),
    ("square", lambda torch, x, y: x**2, 1),
    ("power-tensor", lambda torch, x, y: x**y, 2),
    ("lerp", lambda torch, x, y: torch.lerp(x, y, y), 2),
    ("addcmul", lambda torch, x, y: torch.addcmul(x, x, y), 2),
    ("sigmoid", lambda torch, x, y: x.sigmoid(), 1),
):
    _operator(_name, _call, _reads, dtype="complex64", sizes=("1m",))
_operator("angle", lambda torch, x, y: x.angle(), dtype="complex64", result="float32", sizes=("1m",))
for _dtype in ("int64", "int16", "uint8"):
    _operator("gcd", lambda torch, x, y: torch.gcd(x, y), 2, dtype=_dtype, sizes=("1m",))
    _operator("cube", lambda torch, x, y: x**3, dtype=_dtype, sizes=("1m",))
_operator("shift", lambda torch, x, y: x << y, 2, dtype="int8", sizes=("1m",))
for _dtype in ("float64", "bfloat16", "float16", "int64", "int32", "int16", "int8", "uint8"):
    _sizes = ("1m",) if _dtype in ("int16", "int8") else ("1m", "16m")
    _operator("add", lambda torch, x, y: x + y, 2, dtype=_dtype, sizes=_sizes)
    _operator("multiply", lambda torch, x, y: x * y, 2, dtype=_dtype, sizes=("1m",))
    _operator("scale", lambda torch, x, y: x * 2, dtype=_dtype, sizes=("1m",))
    _operator("compare", lambda torch, x, y: x > y, 2, dtype=_dtype, result="bool", sizes=("1m",))
    _operator(
        "to-float32", lambda torch, x, y: x.to(torch.float32), dtype=_dtype, result="float32", sizes=_sizes
    )
for _dtype in ("float64", "bfloat16", "float16"):
    _operator("exp", lambda torch, x, y: x.exp(), dtype=_dtype, sizes=("1m",))
    _operator("log2", lambda torch, x, y: x.log2(), dtype=_dtype, sizes=("1m",))
    _operator("sigmoid", lambda torch, x, y: x.sigmoid(), dtype=_dtype, sizes=("1m",))
    _operator("gelu", lambda torch, x, y: torch.nn.functional.gelu(x), dtype=_dtype, sizes=("1m",))
    _operator("erf", lambda torch, x, y: x.erf(), dtype=_dtype, sizes=("1m",))
    _operator("relu", lambda torch, x, y: x.relu(), dtype=_dtype)
    _operator("negative", lambda torch, x, y: -x, dtype=_dtype, sizes=("1m",))
_operator("maximum", lambda torch, x, y: torch.maximum(x, y), 2, dtype="uint8", sizes=("1m",))
_operator("bits-not", lambda torch, x, y: ~x, dtype="uint8", sizes=("1m",))
_operator("and", lambda torch, x, y: x & y, 2, dtype="bool")
_operator("not", lambda torch, x, y: ~x, dtype="bool", sizes=("1m",))
_operator("to-float32", lambda torch, x, y: x.float(), dtype="bool", result="float32", sizes=("1m",))
_operator("bits-and", lambda torch, x, y: x & y, 2, dtype="int64", sizes=("1m",))


def _matrix(name: str, title: str, call: Callable[[Any, Any], Any]) -> None:
    """Enter call(torch, x) of a square matrix of 1M elements that reads and writes each once."""

    def prepare(torch: Any, size: int) -> Step:
        torch.manual_seed(0)
        x = torch.rand(size, size)
        return lambda: call(torch, x)

    cost = Cost(read=4.0 * (1 << 20), written=4.0 * (1 << 20))
    enter(f"elementwise/strided/{name}", f"{title}, 1024 x 1024", prepare, cost=cost, size=1024)


_matrix("add-row", "x + x[0]", lambda torch, x: x + x[0])
_matrix("add-column", "x + x[:, :1]", lambda torch, x: x + x[:, :1])
_matrix("add-transposed", "x + x.t()", lambda torch, x: x + x.t())
_matrix("transpose", "copy of the transpose", lambda torch, x: x.t().contiguous())
_matrix("transpose-sqrt", "sqrt of the transpose", lambda torch, x: x.t().sqrt())
_matrix("add-short-rows", "rows of 8 + one", lambda torch, x: x.view(-1, 8) + x[0, :8])
_matrix(
    "scale-channels",
    "planes of 16 * a number each",
    lambda torch, x: x.view(-1, 16, 16) * x[0, :16, None],
)
_matrix("repeat", "rows of 64, 4 times", lambda torch, x: x[:256].view(-1, 64).repeat(1, 4))
_matrix("flip", "flip of the rows' elements", lambda torch, x: x.flip(1))
_matrix("roll", "roll of the rows", lambda torch, x: x.roll(3, 0))
_matrix("triangle", "tril", lambda torch, x: x.tril())


def _rows(width: int) -> None:
    def prepare(torch: Any, size: int) -> Step:
        torch.manual_seed(0)
        x, one = torch.rand(size, width), torch.rand(width)
        return lambda: x + one

    cost = Cost(read=4.0 * (1 << 20), written=4.0 * (1 << 20))
    enter(
        f"elementwise/strided/add-rows-of-{width}",
        f"rows of {width} + one, 1M float32",
        prepare,
        cost=cost,
        size=(1 << 20) // width,
    )


for _width in (64, 128, 512):
    _rows(_width)


def _permute(name: str, shape: tuple[int, ...], order: tuple[int, ...]) -> None:
    def prepare(torch: Any, batch: int) -> Step:
        torch.manual_seed(0)
        x = torch.rand(batch, *shape[1:])
        return lambda: x.permute(*order).contiguous()

    elements = 1
    for size in shape:
        elements *= size
    cost = Cost(read=4.0 * elements, written=4.0 * elements)
    title = f"copy of {' x '.join(map(str, shape))} as {order}"
    enter(f"elementwise/strided/permute-{name}", title, prepare, cost=cost, batch=shape[0])


_permute("heads", (4, 256, 6, 64), (0, 2, 1, 3))
_permute("keys", (24, 256, 64), (0, 2, 1))
_permute("nchw-nhwc", (8, 64, 56, 56), (0, 2, 3, 1))
_permute("nhwc-nchw", (8, 56, 56, 64), (0, 3, 1, 2))
_permute("reversed", (64, 64, 64), (2, 1, 0))
