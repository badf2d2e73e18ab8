"""Convolutions: the distinct layers of five networks, forward and both gradients apart, and other forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.workload import Cost, Step, enter


@dataclass(frozen=True)
class Layer:
    """A two-dimensional convolution without bias of a square image."""

    entering: int
    leaving: int
    kernel: int
    stride: int
    image: int
    groups: int = 1

    @property
    def padding(self) -> int:
        """Half of the kernel: as the networks have it."""
        return self.kernel // 2

    @property
    def result(self) -> int:
        """The height and width that leave."""
        return (self.image + 2 * self.padding - self.kernel) // self.stride + 1

    def __str__(self) -> str:
        groups = "" if self.groups == 1 else f"g{self.groups}"
        return f"{self.entering}-{self.leaving}k{self.kernel}s{self.stride}i{self.image}{groups}"

    def cost(self, batch: int, direction: str) -> Cost:
        """The three directions have as many operations; each reads two of the three arrays and writes one."""
        arrays = {
            "input-gradient": batch * self.entering * self.image**2,
            "weight-gradient": self.leaving * self.entering // self.groups * self.kernel**2,
            "forward": batch * self.leaving * self.result**2,
        }
        written = arrays[direction]
        operations = 2.0 * arrays["forward"] * self.entering // self.groups * self.kernel**2
        return Cost(operations, 4.0 * (sum(arrays.values()) - written), 4.0 * written)


def _resnet18() -> list[Layer]:
    widths, images = (64, 128, 256, 512), (56, 28, 14, 7)
    layers = [Layer(3, 64, 7, 2, 224)]
    for stage, (width, image) in enumerate(zip(widths, images)):
        if stage:
            layers += [Layer(width // 2, width, 3, 2, 2 * image), Layer(width // 2, width, 1, 2, 2 * image)]
        layers.append(Layer(width, width, 3, 1, image))
    return layers


def _resnet50() -> list[Layer]:
    layers, entering = [Layer(3, 64, 7, 2, 224)], 64
    for stage, (width, image) in enumerate(zip((64, 128, 256, 512), (56, 28, 14, 7))):
        stride, before = (2, 2 * image) if stage else (1, image)
        layers += [
            Layer(entering, width, 1, 1, before),
            Layer(width, width, 3, stride, before),
            Layer(width, 4 * width, 1, 1, image),
            Layer(entering, 4 * width, 1, stride, before),
            Layer(4 * width, width, 1, 1, image),
            Layer(width, width, 3, 1, image),
        ]
        entering = 4 * width
    return layers


def _vgg16() -> list[Layer]:
    plan = ((3, 64, 224), (64, 64, 224), (64, 128, 112), (128, 128, 112), (128, 256, 56), (256, 256, 56))
    plan += ((256, 512, 28), (512, 512, 28), (512, 512, 14))
    return [Layer(entering, leaving, 3, 1, image) for entering, leaving, image in plan]


def _inverted(stem: int, stages: tuple[tuple[int, int, int, int, int], ...], last: int) -> list[Layer]:
    """Inverted bottlenecks: stages of (expansion, width, blocks, stride, kernel) after a first layer."""
    layers, entering, image = [Layer(3, stem, 3, 2, 224)], stem, 112
    for expansion, width, blocks, stride, kernel in stages:
        for block in range(blocks):
            step, wide = (stride if block == 0 else 1), entering * expansion
            if expansion > 1:
                layers.append(Layer(entering, wide, 1, 1, image))
            layers.append(Layer(wide, wide, kernel, step, image, wide))
            image //= step
            layers.append(Layer(wide, width, 1, 1, image))
            entering = width
    return [*layers, Layer(entering, last, 1, 1, image)]


def _mobilenet() -> list[Layer]:
    """MobileNetV2, arXiv:1801.04381, table 2."""
    stages = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 32, 3, 2, 3), (6, 64, 4, 2, 3), (6, 96, 3, 1, 3))
    return _inverted(32, (*stages, (6, 160, 3, 2, 3), (6, 320, 1, 1, 3)), 1280)


def _efficientnet() -> list[Layer]:
    """EfficientNet-B0, arXiv:1905.11946, table 1, without its gates of one pixel."""
    stages = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5))
    return _inverted(32, (*stages, (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)), 1280)


NETWORKS: dict[str, tuple[Callable[[], list[Layer]], int]] = {  # with the batch that is timed
    "resnet18": (_resnet18, 8),
    "resnet50": (_resnet50, 8),
    "vgg16": (_vgg16, 1),
    "mobilenetv2": (_mobilenet, 8),
    "efficientnetb0": (_efficientnet, 8),
}
DIRECTIONS = ("forward", "input-gradient", "weight-gradient")


def _direction_step(torch: Any, call: Callable[[Any, Any], Any], x: Any, weight: Any, direction: str) -> Step:
    """One direction of y = call(x, weight) alone: the graph is recorded once and kept."""
    if direction == "forward":
        return lambda: call(x, weight)
    wanted = x if direction == "input-gradient" else weight
    wanted.requires_grad_()
    y = call(x, weight)
    gradient = torch.randn(*y.shape)
    return lambda: torch.autograd.grad(y, wanted, gradient, retain_graph=True)[0]


def _layer(path: str, layer: Layer, batch: int, direction: str, last: bool = False) -> None:
    def prepare(torch: Any, batch: int, entering: int, leaving: int, image: int, groups: int) -> Step:
        torch.manual_seed(0)
        x = torch.randn(batch, entering, image, image)
        weight = torch.randn(leaving, entering // groups, layer.kernel, layer.kernel)
        if last:
            x = x.to(memory_format=torch.channels_last)

        def call(x: Any, weight: Any) -> Any:
            return torch.nn.functional.conv2d(x, weight, None, layer.stride, layer.padding, 1, groups)

        return _direction_step(torch, call, x, weight, direction)

    enter(
        f"convolution/{path}/{direction}/{layer}",
        f"{path} {direction}, {batch} x {layer}",
        prepare,
        cost=layer.cost(batch, direction),
        batch=batch,
        entering=layer.entering,
        leaving=layer.leaving,
        image=layer.image,
        groups=layer.groups,
    )


for _network, (_layers, _batch) in NETWORKS.items():
    for _direction in DIRECTIONS:
        for _item in dict.fromkeys(_layers()):
            if _direction != "input-gradient" or _item.entering > 3:  # the image itself needs none
                _layer(_network, _item, _batch, _direction)
for _direction in DIRECTIONS:
    _layer("single", Layer(64, 64, 3, 1, 56), 1, _direction)
    _layer("single", Layer(512, 512, 3, 1, 7), 1, _direction)
    _layer("mnist", Layer(32, 64, 3, 1, 26), 64, _direction)
    _layer("grouped", Layer(256, 256, 3, 1, 28, 32), 8, _direction)
    _layer("channels-last", Layer(64, 64, 3, 1, 56), 8, _direction, last=True)


def _other(name: str, title: str, direction: str, shape: Any, weight: Any, call: Callable[..., Any]) -> None:
    """Enter call(functional, x, weight) for shapes whose first sizes may be reduced."""

    def prepare(torch: Any, batch: int) -> Step:
        torch.manual_seed(0)
        x, w = torch.randn(batch, *shape[1:]), torch.randn(*weight)
        functional = torch.nn.functional
        return _direction_step(torch, lambda x, w: call(functional, x, w), x, w, direction)

    enter(f"convolution/other/{direction}/{name}", f"{title}, {direction}", prepare, batch=shape[0])


for _direction in DIRECTIONS:
    _other(
        "transposed", "transposed 4 x 4, stride 2, 128 to 64 at 16", _direction, (16, 128, 16, 16), (128, 64, 4, 4),
        lambda functional, x, w: functional.conv_transpose2d(x, w, stride=2, padding=1),
    )  # fmt: skip
    _other(
        "dilated", "dilated 3 x 3, 64 to 64 at 32", _direction, (8, 64, 32, 32), (64, 64, 3, 3),
        lambda functional, x, w: functional.conv2d(x, w, padding=2, dilation=2),
    )  # fmt: skip
    _other(
        "one-dimensional", "5, 64 to 128, length 256", _direction, (16, 64, 256), (128, 64, 5),
        lambda functional, x, w: functional.conv1d(x, w, padding=2),
    )  # fmt: skip
    _other(
        "three-dimensional", "3 x 3 x 3, 16 to 32 at 16", _direction, (4, 16, 16, 16, 16), (32, 16, 3, 3, 3),
        lambda functional, x, w: functional.conv3d(x, w, padding=1),
    )  # fmt: skip
