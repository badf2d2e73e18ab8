"""Overhead: what a call costs that computes next to nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.workload import Step, enter


def _operand(torch: Any, *shape: int, gradient: bool = False) -> Any:
    return torch.ones(*shape, requires_grad=gradient)


def _call(name: str, title: str, prepare: Callable[[Any], Step]) -> None:
    enter(f"overhead/{name}", title, prepare)


def _case(name: str, title: str) -> Callable[[Callable[[Any], Step]], None]:
    """Enter the function that follows."""
    return lambda prepare: _call(name, title, prepare)


def _pair(name: str, title: str, call: Callable[[Any, Any, Any], Any], *shape: int) -> None:
    """Enter call(torch, a, b) of two small tensors."""

    def prepare(torch: Any) -> Step:
        a, b = _operand(torch, *shape), _operand(torch, *shape)
        return lambda: call(torch, a, b)

    _call(name, title, prepare)


_pair("operators/add", "a + b, one element", lambda torch, a, b: a + b, 1)
_pair("operators/multiply", "a * b, 4 elements", lambda torch, a, b: a * b, 4)
_pair("operators/scalar", "a * 2, one element", lambda torch, a, b: a * 2, 1)
_pair("operators/in-place", "a += b, one element", lambda torch, a, b: a.add_(b), 1)
_pair("operators/broadcast", "a + b[0], 4 x 4", lambda torch, a, b: a + b[0], 4, 4)
_pair("operators/exp", "exp, 4 elements", lambda torch, a, b: a.exp(), 4)
_pair("operators/relu", "relu, 4 elements", lambda torch, a, b: torch.relu(a), 4)
_pair("operators/compare", "a > b, 4 elements", lambda torch, a, b: a > b, 4)
_pair("operators/where", "where, 4 elements", lambda torch, a, b: torch.where(a > b, a, b), 4)
_pair("operators/sum", "sum, 4 elements", lambda torch, a, b: a.sum(), 4)
_pair("operators/sum-dim", "sum over a dimension, 4 x 4", lambda torch, a, b: a.sum(1), 4, 4)
_pair("operators/mean", "mean, 4 x 4", lambda torch, a, b: a.mean(), 4, 4)
_pair("operators/max-dim", "max over a dimension, 4 x 4", lambda torch, a, b: a.max(1), 4, 4)
_pair("operators/softmax", "softmax, 4 x 4", lambda torch, a, b: torch.softmax(a, 1), 4, 4)
_pair("operators/matmul", "a @ b, 4 x 4", lambda torch, a, b: a @ b, 4, 4)
_pair("operators/matvec", "a @ b[0], 4 x 4", lambda torch, a, b: a @ b[0], 4, 4)
_pair("operators/cat", "cat of two, 4 x 4", lambda torch, a, b: torch.cat([a, b]), 4, 4)
_pair("operators/stack", "stack of two, 4 x 4", lambda torch, a, b: torch.stack([a, b]), 4, 4)
_pair("operators/clone", "clone, 4 x 4", lambda torch, a, b: a.clone(), 4, 4)
_pair("operators/dtype", "to(float64), 4 elements", lambda torch, a, b: a.to(torch.float64), 4)

_pair("views/view", "view, 4 x 4", lambda torch, a, b: a.view(16), 4, 4)
_pair("views/reshape", "reshape, 4 x 4", lambda torch, a, b: a.reshape(2, 8), 4, 4)
_pair("views/transpose", "transpose, 4 x 4", lambda torch, a, b: a.transpose(0, 1), 4, 4)
_pair("views/permute", "permute, 2 x 2 x 2", lambda torch, a, b: a.permute(2, 0, 1), 2, 2, 2)
_pair("views/unsqueeze", "unsqueeze, 4 elements", lambda torch, a, b: a.unsqueeze(0), 4)
_pair("views/expand", "expand, 1 x 4", lambda torch, a, b: a.expand(4, 4), 1, 4)
_pair("views/detach", "detach", lambda torch, a, b: a.detach(), 4)
_pair("views/chunk", "chunk in two, 4 x 4", lambda torch, a, b: a.chunk(2), 4, 4)

_pair("indexing/integer", "a[0], 4 x 4", lambda torch, a, b: a[0], 4, 4)
_pair("indexing/slice", "a[:, 1:3], 4 x 4", lambda torch, a, b: a[:, 1:3], 4, 4)
_pair("indexing/none", "a[:, None], 4 x 4", lambda torch, a, b: a[:, None], 4, 4)
_pair("indexing/mask", "a[a > 0], 4 elements", lambda torch, a, b: a[a > 0], 4)
_pair("indexing/item", "item()", lambda torch, a, b: a.item(), 1)
_pair("indexing/size", "a.shape[0]", lambda torch, a, b: a.shape[0], 4, 4)


@_case("indexing/tensor", "a[index], 4 of 4 x 4")
def _(torch: Any) -> Step:
    a, index = _operand(torch, 4, 4), torch.tensor([3, 1, 2, 0])
    return lambda: a[index]


@_case("indexing/assign", "a[0] = 1, 4 x 4")
def _(torch: Any) -> Step:
    a = _operand(torch, 4, 4)

    def step() -> Any:
        a[0] = 1.0
        return a

    return step


_pair("creation/zeros", "zeros(4)", lambda torch, a, b: torch.zeros(4), 1)
_pair("creation/empty", "empty(4)", lambda torch, a, b: torch.empty(4), 1)
_pair("creation/ones-like", "ones_like, 4 elements", lambda torch, a, b: torch.ones_like(a), 4)
_pair("creation/tensor", "tensor([1., 2., 3.])", lambda torch, a, b: torch.tensor([1.0, 2.0, 3.0]), 1)
_pair("creation/arange", "arange(4)", lambda torch, a, b: torch.arange(4), 1)
_pair("creation/randn", "randn(4)", lambda torch, a, b: torch.randn(4), 1)


@_case("modules/linear", "Linear(16, 16) under no_grad")
def _(torch: Any) -> Step:
    layer, x = torch.nn.Linear(16, 16), _operand(torch, 1, 16)

    def step() -> Any:
        with torch.no_grad():
            return layer(x)

    return step


@_case("modules/linear-graph", "Linear(16, 16), recorded")
def _(torch: Any) -> Step:
    layer, x = torch.nn.Linear(16, 16), _operand(torch, 1, 16)
    return lambda: layer(x)


@_case("modules/call", "Module.__call__ of the identity")
def _(torch: Any) -> Step:
    module, x = torch.nn.Identity(), _operand(torch, 1)
    return lambda: module(x)


@_case("modules/parameter", "module.weight")
def _(torch: Any) -> Step:
    module = torch.nn.Linear(4, 4)
    return lambda: module.weight


@_case("modules/sequential", "Linear, ReLU, Linear of width 16")
def _(torch: Any) -> Step:
    nn = torch.nn
    module, x = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16)), _operand(torch, 1, 16)
    return lambda: module(x)


@_case("modules/layer-norm", "LayerNorm(16)")
def _(torch: Any) -> Step:
    module, x = torch.nn.LayerNorm(16), _operand(torch, 1, 16)
    return lambda: module(x)


@_case("autograd/multiply", "backward of a * b, one element")
def _(torch: Any) -> Step:
    a, b = _operand(torch, 1, gradient=True), _operand(torch, 1, gradient=True)

    def step() -> Any:
        (a * b).backward()
        return a.grad

    return step


@_case("autograd/chain", "forward and backward of 20 multiplications")
def _(torch: Any) -> Step:
    a = _operand(torch, 1, gradient=True)

    def step() -> Any:
        y = a
        for _ in range(20):
            y = y * a
        y.backward()
        return a.grad

    return step


@_case("autograd/linear", "forward and backward of Linear(16, 16)")
def _(torch: Any) -> Step:
    layer, x = torch.nn.Linear(16, 16), _operand(torch, 1, 16)

    def step() -> Any:
        layer(x).sum().backward()
        return layer.weight.grad

    return step


@_case("autograd/no-grad", "entering and leaving no_grad")
def _(torch: Any) -> Step:
    def step() -> None:
        with torch.no_grad():
            pass

    return step


def _optimizer(name: str) -> None:
    def prepare(torch: Any) -> Step:
        layer = torch.nn.Linear(4, 4)
        optimizer = getattr(torch.optim, name)(layer.parameters(), lr=1e-3)
        layer(_operand(torch, 1, 4)).sum().backward()

        def step() -> Any:
            optimizer.step()
            return layer.weight

        return step

    _call(f"optimizers/{name.lower()}", f"{name} of Linear(4, 4)", prepare)


for _name in ("SGD", "Adam", "AdamW", "RMSprop", "Adadelta"):
    _optimizer(_name)


@_case("optimizers/zero-grad", "zero_grad of Linear(4, 4)")
def _(torch: Any) -> Step:
    layer = torch.nn.Linear(4, 4)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1e-3)
    return optimizer.zero_grad
