"""Inference: one evaluation of a whole model, without gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import models
from benchmarks.workload import Cost, Step, enter


def _evaluation(torch: Any, model: Any, x: Any) -> Step:
    model.eval()

    def step() -> Any:
        with torch.no_grad():
            return model(x)

    return step


def _inference(
    name: str, title: str, build: Callable[[Any], Any], shape: tuple[int, ...], operations: float
) -> None:
    """Enter the evaluation of `build(torch)` for random input of a shape whose first size is the batch."""

    def prepare(torch: Any, batch: int) -> Step:
        torch.manual_seed(0)
        return _evaluation(torch, build(torch), torch.randn(batch, *shape[1:]))

    enter(f"inference/{name}", title, prepare, cost=Cost(operations), model=True, batch=shape[0])


_inference("resnet18", "ResNet-18, one image of 224", models.residual, (1, 3, 224, 224), 3.628e9)
_inference("mlp", "the notes' MLP, batch 64", models.perceptron, (64, 784), 2.0 * 64 * 669_696)
_inference("mlp-one", "the notes' MLP, one row", models.perceptron, (1, 784), 2.0 * 669_696)
_inference(
    "mnist-cnn",
    "MNIST CNN, batch 64",
    models.digits,
    (64, 1, 28, 28),
    2.0 * 64 * (9 * 32 * 26**2 + 9 * 32 * 64 * 24**2 + 9216 * 128 + 128 * 10),
)


def _transformer(torch: Any, batch: int, length: int) -> Step:
    torch.manual_seed(0)
    return _evaluation(torch, models.transformer(torch), torch.randint(0, 65, (batch, length)))


enter(
    "inference/gpt",
    "GPT, 6 layers of 384, 1 x 256 tokens",
    _transformer,
    cost=Cost(2.0 * 256 * (6 * 12 * 384**2 + 384 * 65 + 6 * 2 * 384 * 128)),
    model=True,
    batch=1,
    length=256,
)
