"""Matrix products: square, transposed, batched, skinny, matrix by vector, and in other types."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.workload import Cost, Step, enter

_BYTES = {"float32": 4, "float64": 8, "bfloat16": 2, "float16": 2, "int8": 1}
_ARITHMETIC = {"float64": "float64", "bfloat16": "bfloat16", "int8": "int8"}


def _cost(batch: int, rows: int, depth: int, columns: int, dtype: str) -> Cost:
    """Of `batch` products of rows x depth by depth x columns."""
    size = _BYTES[dtype]
    read = batch * rows * depth + batch * depth * columns
    return Cost(
        operations=2.0 * batch * rows * depth * columns,
        read=size * read,
        written=size * batch * rows * columns,
        arithmetic=_ARITHMETIC.get(dtype, "float32"),
    )


def _random(torch: Any, shape: tuple[int, ...], dtype: str, transposed: bool) -> Any:
    """A random matrix (..., m, n), in memory (..., n, m) where transposed."""
    if transposed:
        return _random(torch, (*shape[:-2], shape[-1], shape[-2]), dtype, False).transpose(-1, -2)
    return torch.randn(*shape).to(getattr(torch, dtype))


def _product(
    name: str,
    rows: int,
    depth: int,
    columns: int,
    *,
    dtype: str = "float32",
    batch: int = 0,
    form: str = "nn",
) -> None:
    """Enter a product; `form` has a t for each operand that lies transposed in memory."""

    def prepare(torch: Any, rows: int, depth: int, columns: int, batch: int) -> Step:
        torch.manual_seed(0)
        lead = (batch,) if batch else ()
        a = _random(torch, (*lead, rows, depth), dtype, form[0] == "t")
        b = _random(torch, (*lead, depth, columns), dtype, form[1] == "t")
        return lambda: a @ b

    shape = f"{rows} x {depth} x {columns}" if rows != columns or rows != depth else str(rows)
    many = f"{batch} of " if batch else ""
    form_title = "" if form == "nn" else f", {form}"
    title = f"product, {many}{shape}{form_title}" + ("" if dtype == "float32" else f", {dtype}")
    sizes = {"rows": rows, "depth": depth, "columns": columns, "batch": batch}
    enter(f"gemm/{name}", title, prepare, cost=_cost(batch or 1, rows, depth, columns, dtype), **sizes)


for _size in (4, 8, 16, 24, 32, 48, 64):
    _product(f"small/{_size}", _size, _size, _size)
for _size in (96, 128, 192, 256, 384, 512, 768, 1024, 2048):
    _product(f"square/{_size}", _size, _size, _size)
for _form in ("nt", "tn", "tt"):
    for _size in (64, 256, 1024):
        _product(f"transposed/{_form}-{_size}", _size, _size, _size, form=_form)
for _batch, _size in ((4096, 4), (1024, 16), (256, 32), (64, 64), (16, 256)):
    _product(f"batched/{_batch}x{_size}", _size, _size, _size, batch=_batch)
_product("batched/24x256x64x256-nt", 256, 64, 256, batch=24, form="nt")
_product("batched/24x256x256x64", 256, 256, 64, batch=24)
_product("batched/1000x3x3x1", 3, 3, 1, batch=1000)
for _shape in ((1, 784, 512), (16, 1024, 1024), (64, 784, 512), (1024, 384, 1536), (1024, 1536, 384)):
    _product("skinny/" + "x".join(map(str, _shape)), *_shape)
_product("skinny/20x200x800-nt", 20, 200, 800, form="nt")
_product("skinny/700x200x1000-nt", 700, 200, 1000, form="nt")
_product("skinny/784x64x512-tn", 784, 64, 512, form="tn")
_product("skinny/1024x1024x8", 1024, 1024, 8)
_product("skinny/2048x16x2048", 2048, 16, 2048)
_product("skinny/1024x1x1024", 1024, 1, 1024)
for _dtype in ("float64", "bfloat16"):
    for _size in (64, 256, 1024):
        _product(f"{_dtype}/{_size}", _size, _size, _size, dtype=_dtype)
_product("bfloat16/batched-24x256x64x256-nt", 256, 64, 256, dtype="bfloat16", batch=24, form="nt")
_product("bfloat16/batched-24x256x256x64", 256, 256, 64, dtype="bfloat16", batch=24)
_product("bfloat16/batched-64x128x32x128-nt", 128, 32, 128, dtype="bfloat16", batch=64, form="nt")
_product("bfloat16/batched-256x32", 32, 32, 32, dtype="bfloat16", batch=256)
for _shape in ((1, 784, 512), (16, 1024, 1024), (64, 784, 512), (1024, 1024, 8), (2048, 16, 2048)):
    _product("bfloat16/skinny-" + "x".join(map(str, _shape)), *_shape, dtype="bfloat16")
for _size in (64, 256):  # at 1024 PyTorch takes two seconds
    _product(f"float16/{_size}", _size, _size, _size, dtype="float16")


def _vector(size: int, transposed: bool, dtype: str = "float32") -> None:
    def prepare(torch: Any, size: int) -> Step:
        torch.manual_seed(0)
        a, x = _random(torch, (size, size), dtype, transposed), torch.randn(size).to(getattr(torch, dtype))
        return lambda: a @ x

    form = "transposed" if transposed else "rows"
    title = f"matrix by vector, {size}, {form}" + ("" if dtype == "float32" else f", {dtype}")
    enter(
        f"gemm/vector/{form}-{size}" + ("" if dtype == "float32" else f"-{dtype}"),
        title,
        prepare,
        cost=_cost(1, size, size, 1, dtype),
        size=size,
    )


for _size in (64, 256, 1024, 4096, 8192):  # the last is eight times a third cache of 32 MB
    _vector(_size, False)
    _vector(_size, True)
for _size in (256, 1024, 4096):
    _vector(_size, False, "bfloat16")
    _vector(_size, True, "bfloat16")


def _bytes(size: int, form: str) -> None:
    def prepare(torch: Any, size: int) -> Step:
        torch.manual_seed(0)
        a, b = (torch.randint(-128, 128, (size, size), dtype=torch.int8) for _ in range(2))
        if form == "nt":
            b = b.t()
        return lambda: torch._int_mm(a, b)

    cost = _cost(1, size, size, size, "int8")
    enter(
        f"gemm/int8/{form}-{size}",
        f"product of bytes, {size}, {form}",
        prepare,
        cost=replace(cost, written=4.0 * size * size),
        size=size,
    )


for _size in (64, 256, 512, 1024):
    _bytes(_size, "nn")
_bytes(512, "nt")


def _outer(batch: int, rows: int, columns: int) -> None:
    def prepare(torch: Any, batch: int, rows: int, columns: int) -> Step:
        torch.manual_seed(0)
        a, b = torch.randn(batch, rows), torch.randn(batch, columns)
        return lambda: torch.einsum("bi,bj->bij", a, b)

    enter(
        f"gemm/outer/{batch}x{rows}x{columns}",
        f"outer products, {batch} of {rows} x {columns}",
        prepare,
        cost=_cost(batch, rows, 1, columns, "float32"),
        batch=batch,
        rows=rows,
        columns=columns,
    )


_outer(64, 64, 64)
_outer(1000, 10, 20)


def _linear(rows: int, entering: int, leaving: int, dtype: str = "float32") -> None:
    def prepare(torch: Any, rows: int, entering: int, leaving: int) -> Step:
        torch.manual_seed(0)
        kind = getattr(torch, dtype)
        layer, x = torch.nn.Linear(entering, leaving).to(kind), torch.randn(rows, entering).to(kind)

        def step() -> Any:
            with torch.no_grad():
                return torch.relu(layer(x))

        return step

    ending = "" if dtype == "float32" else f"-{dtype}"
    enter(
        f"gemm/linear/{rows}x{entering}x{leaving}{ending}",
        f"relu of Linear({entering}, {leaving}), {rows} rows{ending.replace('-', ', ')}",
        prepare,
        cost=_cost(1, rows, entering, leaving, dtype),
        rows=rows,
        entering=entering,
        leaving=leaving,
    )


def _weighted_sum(rows: int, entering: int, leaving: int) -> None:
    """A layer whose weight lies (entering, leaving), as GPT-2's do."""

    def prepare(torch: Any, rows: int, entering: int, leaving: int) -> Step:
        torch.manual_seed(0)
        weight = torch.nn.Parameter(torch.randn(entering, leaving))
        bias, x = torch.zeros(leaving), torch.randn(rows, entering)

        def step() -> Any:
            with torch.no_grad():
                return torch.addmm(bias, x, weight)

        return step

    enter(
        f"gemm/linear/addmm-{rows}x{entering}x{leaving}",
        f"addmm of a parameter, {rows} x {entering} x {leaving}",
        prepare,
        cost=_cost(1, rows, entering, leaving, "float32"),
        rows=rows,
        entering=entering,
        leaving=leaving,
    )


for _rows in (1, 64, 1024):
    _linear(_rows, 512, 512)
_linear(64, 512, 512, "bfloat16")
_weighted_sum(64, 512, 512)
