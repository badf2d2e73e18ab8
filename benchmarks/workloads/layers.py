"""What lies between matrix products: normalization, softmax, losses, pooling, dropout, optimizer steps."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from benchmarks.workload import Cost, Step, enter


def _layer(
    name: str,
    shape: tuple[int, ...],
    build: Callable[[Any], Callable[[Any], Any]],
    result: float = 1.0,
    dtype: str = "float32",
) -> None:
    """Enter build(torch)(x), and its gradient; the result has `result` times as many elements as x."""

    def made(torch: Any, batch: int) -> tuple[Any, Any]:
        torch.manual_seed(0)
        layer, x = build(torch), torch.randn(batch, *shape[1:])
        return (layer, x) if dtype == "float32" else (layer.to(torch.bfloat16), x.to(torch.bfloat16))

    def forward(torch: Any, batch: int) -> Step:
        layer, x = made(torch, batch)

        def step() -> Any:
            with torch.no_grad():
                return layer(x)

        return step

    def backward(torch: Any, batch: int) -> Step:
        layer, x = made(torch, batch)
        x.requires_grad_()
        y = layer(x)
        gradient = torch.randn(*y.shape).to(y.dtype)
        return lambda: torch.autograd.grad(y, x, gradient, retain_graph=True)[0]

    size = (4.0 if dtype == "float32" else 2.0) * prod(shape)
    title = f"{name.rpartition('/')[2]}, {' x '.join(map(str, shape))}"
    family, _, last = name.partition("/")
    enter(
        f"layers/{family}/forward/{last}", title, forward, cost=Cost(0, size, size * result), batch=shape[0]
    )
    read = size * (1 + result)
    enter(
        f"layers/{family}/backward/{last}",
        f"{title}, gradient",
        backward,
        cost=Cost(0, read, size),
        batch=shape[0],
    )


_IMAGES, _TOKENS = (8, 64, 56, 56), (1024, 384)

_layer("normalization/batch", _IMAGES, lambda torch: torch.nn.BatchNorm2d(64))
_layer("normalization/batch-eval", _IMAGES, lambda torch: torch.nn.BatchNorm2d(64).eval())
_layer("normalization/batch-small", (8, 512, 7, 7), lambda torch: torch.nn.BatchNorm2d(512))
_layer("normalization/batch-rows", (256, 512), lambda torch: torch.nn.BatchNorm1d(512))
_layer("normalization/layer", _TOKENS, lambda torch: torch.nn.LayerNorm(384))
_layer("normalization/layer-wide", (64, 4096), lambda torch: torch.nn.LayerNorm(4096))
_layer("normalization/rms", _TOKENS, lambda torch: torch.nn.RMSNorm(384))
_layer("normalization/group", _IMAGES, lambda torch: torch.nn.GroupNorm(8, 64))
_layer("normalization/instance", _IMAGES, lambda torch: torch.nn.InstanceNorm2d(64))
_layer("softmax/rows-1024", (1024, 1024), lambda torch: torch.nn.Softmax(1))
_layer("softmax/rows-256", (6144, 256), lambda torch: torch.nn.Softmax(1))
_layer("softmax/rows-10", (1 << 16, 10), lambda torch: torch.nn.Softmax(1))
_layer("softmax/columns", (1024, 1024), lambda torch: torch.nn.Softmax(0))
_layer("softmax/log-rows", (1024, 1024), lambda torch: torch.nn.LogSoftmax(1))
_layer("softmax/log-narrow", (1024, 65), lambda torch: torch.nn.LogSoftmax(1))
for _name, _build in (
    ("rows", lambda torch: torch.nn.Softmax(1)),
    ("log-rows", lambda torch: torch.nn.LogSoftmax(1)),
):
    _layer(f"softmax/{_name}-bfloat16", (1024, 1024), _build, dtype="bfloat16")
_layer("softmax/log-rows-10", (1 << 15, 10), lambda torch: torch.nn.LogSoftmax(1))
_layer("pooling/max-2", (64, 64, 24, 24), lambda torch: torch.nn.MaxPool2d(2), 0.25)
_layer("pooling/max-3-stride-2", (8, 64, 112, 112), lambda torch: torch.nn.MaxPool2d(3, 2, 1), 0.25)
_layer("pooling/average-2", (64, 64, 24, 24), lambda torch: torch.nn.AvgPool2d(2), 0.25)
_layer("pooling/global", (8, 512, 7, 7), lambda torch: torch.nn.AdaptiveAvgPool2d(1), 0.0)
_layer("pooling/average-3-stride-2", _IMAGES, lambda torch: torch.nn.AvgPool2d(3, 2, 1), 0.25)
_layer("pooling/adaptive-7", (8, 256, 14, 14), lambda torch: torch.nn.AdaptiveAvgPool2d(7), 0.25)
_layer("pooling/max-3-stride-3", (8, 64, 54, 54), lambda torch: torch.nn.MaxPool2d(3), 1 / 9)
_layer("pooling/max-one", (8, 512, 7, 7), lambda torch: torch.nn.AdaptiveMaxPool2d(1), 0.0)
_layer("pooling/max-3d", (4, 32, 16, 16, 16), lambda torch: torch.nn.MaxPool3d(2), 0.125)
_layer("activations/relu", _IMAGES, lambda torch: torch.nn.ReLU())
_layer("activations/gelu", (1024, 1536), lambda torch: torch.nn.GELU())
_layer("activations/gelu-tanh", (1024, 1536), lambda torch: torch.nn.GELU(approximate="tanh"))
_layer("activations/silu", (1024, 1536), lambda torch: torch.nn.SiLU())
_layer("activations/tanh", (1024, 1536), lambda torch: torch.nn.Tanh())
_layer("activations/sigmoid", (1024, 1536), lambda torch: torch.nn.Sigmoid())
_layer("dropout/large", (64, 9216), lambda torch: torch.nn.Dropout(0.25))
_layer("dropout/small", (64, 128), lambda torch: torch.nn.Dropout(0.5))
for _mode in ("reflect", "replicate", "circular"):
    _layer(
        f"resampling/pad-{_mode}",
        _IMAGES,
        lambda torch, mode=_mode: lambda x: torch.nn.functional.pad(x, (1, 1, 1, 1), mode=mode),
        (58 / 56) ** 2,
    )
for _mode in ("nearest", "bilinear"):
    _layer(
        f"resampling/{_mode}-channels-last",
        (8, 28, 28, 32),
        lambda torch, mode=_mode: (
            lambda x: torch.nn.functional.interpolate(x.permute(0, 3, 1, 2), scale_factor=2, mode=mode)
        ),
        4.0,
    )
_layer("resampling/adaptive-5", _IMAGES, lambda torch: torch.nn.AdaptiveAvgPool2d(5), 25 / 56**2)
_layer("resampling/adaptive-line", (16, 64, 1000), lambda torch: torch.nn.AdaptiveAvgPool1d(10), 0.01)


def _pair(name: str, shape: tuple[int, ...], call: Callable[[Any, Any, Any], Any]) -> None:
    """Enter call(torch, x, y), and its gradients."""

    def prepare(torch: Any, batch: int, backward: bool) -> Step:
        torch.manual_seed(0)
        x, y = (torch.randn(batch, *shape[1:], requires_grad=backward) for _ in range(2))
        result = call(torch, x, y)
        gradient = torch.randn(result.shape)
        if not backward:
            return lambda: call(torch, x, y)
        return lambda: torch.autograd.grad(result, (x, y), gradient, retain_graph=True)[0]

    family, _, last = name.partition("/")
    size = 4.0 * prod(shape)
    for direction, backward in (("forward", False), ("backward", True)):
        enter(
            f"layers/{family}/{direction}/{last}",
            f"{last}, {' x '.join(map(str, shape))}" + (", gradients" if backward else ""),
            lambda torch, batch, backward=backward: prepare(torch, batch, backward),
            cost=Cost(0, 2 * size, 2 * size if backward else 0.0),
            batch=shape[0],
        )


for _name in ("mse_loss", "smooth_l1_loss", "huber_loss"):
    _pair(
        f"losses/{_name}",
        (256, 1000),
        lambda torch, x, y, name=_name: getattr(torch.nn.functional, name)(x, y),
    )
_pair("distances/cdist", (200, 64), lambda torch, x, y: torch.cdist(x, y))


def _bag(words: int, width: int, bags: int, uses: int) -> None:
    def prepare(torch: Any, bags: int, backward: bool) -> Step:
        torch.manual_seed(0)
        table = torch.randn(words, width, requires_grad=backward)
        indices = torch.randint(0, words, (bags, uses))
        result = torch.nn.functional.embedding_bag(indices, table, mode="sum")
        gradient = torch.randn(bags, width)
        if not backward:
            return lambda: torch.nn.functional.embedding_bag(indices, table, mode="sum")
        return lambda: torch.autograd.grad(result, table, gradient, retain_graph=True)[0]

    read = 4.0 * bags * uses * width
    for direction, backward in (("forward", False), ("backward", True)):
        enter(
            f"layers/embedding-bag/{direction}/{words}x{width}",
            f"sums of {bags} bags of {uses} of {words} x {width}" + (", gradient" if backward else ""),
            lambda torch, bags, backward=backward: prepare(torch, bags, backward),
            cost=Cost(0, read, 4.0 * words * width if backward else read / uses),
            bags=bags,
        )


_bag(10_000, 64, 256, 20)
_bag(10_000, 300, 256, 20)


def _grid_sample(name: str, batch: int, channels: int, size: int) -> None:
    def prepare(torch: Any, batch: int, backward: bool) -> Step:
        torch.manual_seed(0)
        functional = torch.nn.functional
        turned = torch.tensor([[[1.0, 0.1, 0.05], [-0.1, 0.9, 0.0]]]).expand(batch, 2, 3)
        grid = functional.affine_grid(turned, (batch, channels, size, size), align_corners=False)
        inputs = [torch.randn(batch, channels, size, size), grid.clone()]
        for tensor in inputs:
            tensor.requires_grad_(backward)
        result = functional.grid_sample(*inputs, align_corners=False)
        gradient = torch.randn(result.shape)
        if not backward:
            return lambda: functional.grid_sample(*inputs, align_corners=False)
        return lambda: torch.autograd.grad(result, inputs, gradient, retain_graph=True)[0]

    points = 4.0 * batch * size * size
    for direction, backward in (("forward", False), ("backward", True)):
        enter(
            f"layers/grid-sample/{direction}/{name}",
            f"bilinear samples, {batch} x {channels} x {size} x {size}" + (", gradients" if backward else ""),
            lambda torch, batch, backward=backward: prepare(torch, batch, backward),
            cost=Cost(0, points * (channels + 2), points * channels),
            batch=batch,
        )


_grid_sample("channels-16", 4, 16, 64)
_grid_sample("colours", 2, 3, 224)
_grid_sample("digits", 64, 1, 28)


def _cross_entropy(rows: int, classes: int) -> None:
    def prepare(torch: Any, rows: int, classes: int, backward: bool) -> Step:
        torch.manual_seed(0)
        x, y = torch.randn(rows, classes), torch.randint(0, classes, (rows,))
        loss = torch.nn.functional.cross_entropy

        def step() -> Any:
            if not backward:
                return loss(x, y)
            logits = x.detach().requires_grad_()
            return torch.autograd.grad(loss(logits, y), logits)[0]

        return step

    size = 4.0 * rows * classes
    for title, backward in (("forward", False), ("backward", True)):
        enter(
            f"layers/cross-entropy/{title}/{rows}x{classes}",
            f"cross entropy, {rows} x {classes}" + (", forward and gradient" if backward else ""),
            lambda torch, rows, classes, backward=backward: prepare(torch, rows, classes, backward),
            cost=Cost(0, size * (2 if backward else 1), size if backward else 0.0),
            rows=rows,
            classes=classes,
        )


for _rows, _classes in ((64, 10), (1024, 65), (700, 1000), (700, 10_000), (256, 50_257)):
    _cross_entropy(_rows, _classes)


def _optimizer(name: str, arrays: int, **settings: Any) -> None:
    """Enter a step over the parameters of a perceptron; it moves so many arrays of their size."""

    def prepare(torch: Any, width: int) -> Step:
        torch.manual_seed(0)
        nn = torch.nn
        model = nn.Sequential(*[nn.Linear(width, width) for _ in range(8)])
        optimizer = getattr(torch.optim, name)(model.parameters(), lr=1e-3, **settings)
        model(torch.randn(4, width)).sum().backward()

        def step() -> Any:
            optimizer.step()
            return model[0].weight

        return step

    title = f"{name}{' with momentum' if 'momentum' in settings else ''}, 8 layers of 512"
    suffix = "-momentum" if "momentum" in settings else ""
    written = 8.0 * 4 * 512 * 513 * ((arrays - 1) / 2)
    read = 8.0 * 4 * 512 * 513 * ((arrays + 1) / 2)
    enter(f"layers/optimizers/{name.lower()}{suffix}", title, prepare, cost=Cost(0, read, written), width=512)


_optimizer("SGD", 3)
_optimizer("SGD", 5, momentum=0.9)
_optimizer("Adam", 7)
_optimizer("AdamW", 7)
_optimizer("RMSprop", 5)
_optimizer("Adagrad", 5)
_optimizer("Adadelta", 7)
