"""The workloads, each defined once against a module `torch` that is PyTorch or Rushlight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Step = Callable[[], Any]


@dataclass(frozen=True)
class Workload:
    """What is timed: `prepare(torch)` gives the step; `operations` are floating-point ones in a step."""

    title: str
    prepare: Callable[[Any], Step]
    operations: float = 0.0


WORKLOADS: dict[str, Workload] = {}


def workload(name: str, title: str, operations: float = 0.0) -> Callable[[Callable[[Any], Step]], Any]:
    """Enter a function of `torch` into the table."""

    def enter(prepare: Callable[[Any], Step]) -> Callable[[Any], Step]:
        WORKLOADS[name] = Workload(title, prepare, operations)
        return prepare

    return enter


# Overhead: what a call costs that computes next to nothing


@workload("add", "a + b, one element")
def _(torch: Any) -> Step:
    a, b = torch.ones(1), torch.ones(1)
    return lambda: a + b


@workload("backward", "backward of a * b, one element")
def _(torch: Any) -> Step:
    a, b = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)

    def step() -> None:
        (a * b).backward()

    return step


@workload("linear", "Linear(16, 16) under no_grad")
def _(torch: Any) -> Step:
    torch.manual_seed(0)
    layer, x = torch.nn.Linear(16, 16), torch.randn(1, 16)

    def step() -> None:
        with torch.no_grad():
            layer(x)

    return step


# Arithmetic


def _matrix_product(size: int) -> None:
    @workload(f"matmul{size}", f"matrix product, {size}", operations=2.0 * size**3)
    def _(torch: Any) -> Step:
        torch.manual_seed(0)
        a, b = torch.randn(size, size), torch.randn(size, size)
        return lambda: a @ b


for _size in (512, 1024, 2048):
    _matrix_product(_size)


@workload("exp", "exp, 16M floats")
def _(torch: Any) -> Step:
    x = torch.zeros(1 << 24)
    return lambda: torch.exp(x)


def _elementwise(name: str, title: str, call: Callable[[Any, Any, Any], Any]) -> None:
    @workload(name, title)
    def _(torch: Any) -> Step:
        torch.manual_seed(0)
        x, y = torch.rand(1 << 20), torch.rand(1 << 20)
        return lambda: call(torch, x, y)


_elementwise("add1m", "x + y, 1M floats", lambda torch, x, y: x + y)
_elementwise("mul1m", "x * 2, 1M floats", lambda torch, x, y: x * 2)
_elementwise("sigmoid1m", "sigmoid, 1M floats", lambda torch, x, y: torch.sigmoid(x))
_elementwise("tanh1m", "tanh, 1M floats", lambda torch, x, y: torch.tanh(x))
_elementwise("log1m", "log, 1M floats", lambda torch, x, y: torch.log(x))
_elementwise("where1m", "where(x > y, x, y), 1M floats", lambda torch, x, y: torch.where(x > y, x, y))
_elementwise("sum1m", "sum, 1M floats", lambda torch, x, y: x.sum())
_elementwise("copy1m", "clone, 1M floats", lambda torch, x, y: x.clone())
_elementwise("cumsum1m", "cumsum, 1M floats", lambda torch, x, y: x.cumsum(0))
_elementwise("sort1m", "sort, 1M floats", lambda torch, x, y: x.sort())


def _matrix(name: str, title: str, call: Callable[[Any, Any], Any]) -> None:
    @workload(name, title)
    def _(torch: Any) -> Step:
        torch.manual_seed(0)
        x = torch.rand(1024, 1024)
        return lambda: call(torch, x)


_matrix("rowsum", "sum over rows, 1024 x 1024", lambda torch, x: x.sum(1))
_matrix("columnsum", "sum over columns, 1024 x 1024", lambda torch, x: x.sum(0))
_matrix("softmax", "softmax over rows, 1024 x 1024", lambda torch, x: torch.softmax(x, 1))
_matrix("transpose", "copy of the transpose, 1024 x 1024", lambda torch, x: x.t().contiguous())
_matrix("argmax", "argmax over rows, 1024 x 1024", lambda torch, x: x.argmax(1))


@workload("randn", "randn, 1M floats")
def _(torch: Any) -> Step:
    torch.manual_seed(0)
    return lambda: torch.randn(1 << 20)


@workload("conv", "convolution 3 x 3, 64 to 64 channels at 56 x 56, batch 8", 2.0 * 8 * 64 * 64 * 9 * 56 * 56)
def _(torch: Any) -> Step:
    torch.manual_seed(0)
    x, weight = torch.randn(8, 64, 56, 56), torch.randn(64, 64, 3, 3)
    return lambda: torch.nn.functional.conv2d(x, weight, padding=1)


# Training


def _perceptron(name: str, optimizer: str, rate: float) -> None:
    @workload(name, f"the notes' MLP, batch 64, one step of {optimizer}")
    def _(torch: Any) -> Step:
        torch.manual_seed(0)
        nn = torch.nn
        model = nn.Sequential(
            nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
        )
        loss_function = nn.CrossEntropyLoss()
        update = getattr(torch.optim, optimizer)(model.parameters(), lr=rate)
        x, y = torch.rand(64, 784), torch.randint(0, 10, (64,))

        def step() -> None:
            loss = loss_function(model(x), y)
            loss.backward()
            update.step()
            update.zero_grad()

        return step


_perceptron("sgd", "SGD", 1e-3)
_perceptron("adam", "Adam", 1e-3)


@workload("regression", "the notes' linear regression, 1,000 steps")
def _(torch: Any) -> Step:
    x = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    y = torch.tensor([[3.0], [5.0], [7.0], [9.0]])
    rate = 0.01

    def step() -> None:
        w, b = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
        for _ in range(1000):
            loss = ((x * w + b - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                w -= rate * w.grad
                b -= rate * b.grad
                w.grad.zero_()
                b.grad.zero_()

    return step
