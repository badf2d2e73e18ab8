"""Pooling: maxima, means and norms over windows, fixed or adaptive, and the inverse of maximum pooling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import rushlight
from rushlight import _C, Tensor

from ._arguments import per_dimension

Size = int | Sequence[int]

avg_pool1d = _C.avg_pool1d
avg_pool2d = _C.avg_pool2d
avg_pool3d = _C.avg_pool3d
adaptive_avg_pool1d = _C.adaptive_avg_pool1d


def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """The maxima over windows of (N, C, L), and where they lie."""
    stride = kernel_size if stride is None else stride
    return _C.max_pool1d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """The maxima over windows of (N, C, H, W), and where they lie in the flattened plane."""
    stride = kernel_size if stride is None else stride
    return _C.max_pool2d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> tuple[Tensor, Tensor]:
    """The maxima over windows of (N, C, D, H, W), and where they lie in the flattened volume."""
    stride = kernel_size if stride is None else stride
    return _C.max_pool3d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool1d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maxima over windows of (N, C, L) or (C, L); with `return_indices` also where they lie."""
    stride = kernel_size if stride is None else stride
    pool = _C.max_pool1d_with_indices if return_indices else _C.max_pool1d
    return pool(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maxima over windows of (N, C, H, W) or (C, H, W); with `return_indices` also where they lie.

    >>> import rushlight as torch
    >>> torch.nn.functional.max_pool2d(torch.arange(4.0).reshape(1, 2, 2), 2)
    tensor([[[3.]]])
    """
    stride = kernel_size if stride is None else stride
    pool = _C.max_pool2d_with_indices if return_indices else _C.max_pool2d
    return pool(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maxima over windows of (N, C, D, H, W) or (C, D, H, W); with `return_indices` also where they lie."""
    stride = kernel_size if stride is None else stride
    pool = _C.max_pool3d_with_indices if return_indices else _C.max_pool3d
    return pool(input, kernel_size, stride, padding, dilation, ceil_mode)


def _output_size(input: Tensor, output_size: Any, count: int) -> list[int]:
    """The adaptive output size, None standing for the input's size."""
    if isinstance(output_size, int):
        return [output_size] * count
    if output_size is None:
        output_size = (None,) * count
    if len(output_size) >= input.dim():
        raise ValueError(f"Input dimension should be at least {len(output_size) + 1}")
    sizes = input.shape[input.dim() - len(output_size) :]
    return [own if given is None else given for given, own in zip(output_size, sizes, strict=True)]


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Means over windows chosen so that the result is (N, C, *output_size); None keeps a size."""
    return _C.adaptive_avg_pool2d(input, _output_size(input, output_size, 2))


def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """Means over windows chosen so that the result is (N, C, *output_size); None keeps a size."""
    return _C.adaptive_avg_pool3d(input, _output_size(input, output_size, 3))


def adaptive_max_pool1d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """Maxima over windows chosen so that the result is (N, C, output_size), and where they lie."""
    return _C.adaptive_max_pool1d(input, output_size)


def adaptive_max_pool2d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """Maxima over windows chosen so that the result is (N, C, *output_size), and where they lie."""
    return _C.adaptive_max_pool2d(input, _output_size(input, output_size, 2))


def adaptive_max_pool3d_with_indices(
    input: Tensor, output_size: Any, return_indices: bool = False
) -> tuple[Tensor, Tensor]:
    """Maxima over windows chosen so that the result is (N, C, *output_size), and where they lie."""
    return _C.adaptive_max_pool3d(input, _output_size(input, output_size, 3))


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima over windows chosen so that the result is (N, C, output_size)."""
    result = adaptive_max_pool1d_with_indices(input, output_size)
    return result if return_indices else result[0]


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima over windows chosen so that the result is (N, C, *output_size); None keeps a size."""
    result = adaptive_max_pool2d_with_indices(input, output_size)
    return result if return_indices else result[0]


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima over windows chosen so that the result is (N, C, *output_size); None keeps a size."""
    result = adaptive_max_pool3d_with_indices(input, output_size)
    return result if return_indices else result[0]


def _lp_pool(
    pool: Callable, input: Tensor, norm_type: float, kernel: tuple[int, ...], stride: Any, ceil_mode: bool
) -> Tensor:
    count = 1
    for size in kernel:
        count *= size
    mean = pool(input.pow(norm_type), kernel, kernel if stride is None else stride, 0, ceil_mode)
    return (mean.sign() * mean.abs().relu() * count).pow(1.0 / norm_type)


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: int, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """(the sum of x^p over each window of (N, C, L))^(1 / p)."""
    return _lp_pool(avg_pool1d, input, norm_type, per_dimension(kernel_size, 1), stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """(the sum of x^p over each window of (N, C, H, W))^(1 / p)."""
    return _lp_pool(avg_pool2d, input, norm_type, per_dimension(kernel_size, 2), stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """(the sum of x^p over each window of (N, C, D, H, W))^(1 / p)."""
    return _lp_pool(avg_pool3d, input, norm_type, per_dimension(kernel_size, 3), stride, ceil_mode)


def _unpool(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any, padding: Any, output_size: Any, count: int
) -> Tensor:
    kernel = per_dimension(kernel_size, count)
    stride = kernel if stride is None else per_dimension(stride, count)
    size = _unpooled_size(input, kernel, stride, per_dimension(padding, count), output_size)
    if indices.dtype != rushlight.int64:
        raise RuntimeError(
            f"elements in indices should be type int64 but got: {str(indices.dtype).rpartition('.')[2]}"
        )
    if indices.size() != input.size():
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) but got indices "
            f"tensor with shape: {list(indices.shape)}"
        )
    lead = input.shape[:-count]
    positions = indices.flatten(-count)
    volume = 1
    for one in size:
        volume *= one
    if positions.numel() and not bool(((positions >= 0) & (positions < volume)).all()):
        wrong = positions[(positions < 0) | (positions >= volume)][0]
        raise RuntimeError(
            f"Found an invalid max index: {int(wrong)} (output volumes are of size {'x'.join(map(str, size))})"
        )
    flat = input.new_zeros((*lead, volume)).scatter(-1, positions, input.flatten(-count))
    return flat.reshape(*lead, *size)


def _unpooled_size(input: Tensor, kernel: Any, stride: Any, padding: Any, output_size: Any) -> list[int]:
    count = len(kernel)
    default = [(input.size(d - count) - 1) * stride[d] + kernel[d] - 2 * padding[d] for d in range(count)]
    if output_size is None:
        return default
    given = list(output_size)
    if len(given) == count + 2:
        given = given[2:]
    if len(given) != count:
        raise ValueError(
            f"output_size should be a sequence containing {count} or {count + 2} elements, but it has a length of "
            f"'{len(given)}'"
        )
    for d in range(count):
        low, high = default[d] - stride[d], default[d] + stride[d]
        if not low < given[d] < high:
            raise ValueError(
                f'invalid output_size "{tuple(given)}" (dim {d} must be between {low} and {high})'
            )
    return given


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Any = None,
) -> Tensor:
    """Puts the maxima of (N, C, L) back where `max_pool1d(..., return_indices=True)` found them, among zeros."""
    return _unpool(input, indices, kernel_size, stride, padding, output_size, 1)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Any = None,
) -> Tensor:
    """Puts the maxima of (N, C, H, W) back where `max_pool2d(..., return_indices=True)` found them, among zeros."""
    return _unpool(input, indices, kernel_size, stride, padding, output_size, 2)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Any = None,
) -> Tensor:
    """Puts the maxima of (N, C, D, H, W) back where `max_pool3d(..., return_indices=True)` found them."""
    return _unpool(input, indices, kernel_size, stride, padding, output_size, 3)


def _fractional_max_pool(
    name: str,
    input: Tensor,
    kernel_size: Any,
    output_size: Any,
    output_ratio: Any,
    samples: Tensor | None,
    count: int,
) -> tuple[Tensor, Tensor]:
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    kernel = per_dimension(kernel_size, count)
    if output_size is None:
        ratios = output_ratio if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * count
        output_size = [int(input.size(d - count) * ratios[d]) for d in range(count)]
    size = per_dimension(output_size, count)
    batch = input if input.dim() == count + 2 else input.unsqueeze(0)
    for d, axis in enumerate(("time", "height", "width")[-count:]):
        if size[d] + kernel[d] - 1 > batch.size(d - count):
            raise RuntimeError(
                f"{name}(): pool {axis} {kernel[d]} too large relative to input {axis} {batch.size(d - count)}"
            )
    lead = batch.shape[:2]
    if samples is None:
        samples = rushlight.rand(*lead, count, dtype=input.dtype, device=input.device)
    elif samples.dtype != input.dtype:
        raise RuntimeError("Expect _random_samples to have the same dtype as input")

    windows = batch.flatten(2)
    position = rushlight.zeros((*lead, 1, 1), dtype=rushlight.int64, device=input.device)
    for d in range(count):
        # PyTorch reads a plane's numbers from the last dimension to the first, a volume's from first to last.
        sample = samples[:, :, d if count == 3 else count - 1 - d]
        starts = _fractional_starts(sample, batch.size(d - count), size[d], kernel[d])
        window = rushlight.arange(kernel[d], device=input.device)
        along = starts.unsqueeze(-1) + window
        grid = position[:, :, :, None, :, None] * batch.size(d - count) + along[:, :, None, :, None, :]
        position = grid.reshape(*lead, position.size(2) * size[d], position.size(3) * kernel[d])
    values = windows.gather(2, position.flatten(2)).reshape(position.shape)
    maxima, which = values.max(-1)
    indices = position.gather(3, which.unsqueeze(-1)).squeeze(-1)
    shape = (*lead, *size) if batch is input else (*lead[1:], *size)
    return maxima.reshape(shape), indices.reshape(shape)


def _fractional_starts(sample: Tensor, input_size: int, output_size: int, kernel: int) -> Tensor:
    """Where each window begins: steps of a fraction, offset by the random number, the last window at the end."""
    end = rushlight.full((*sample.shape, 1), input_size - kernel, dtype=rushlight.int64, device=sample.device)
    if output_size == 1:
        return end
    alpha = (input_size - kernel) / (output_size - 1)
    steps = rushlight.arange(output_size - 1, dtype=sample.dtype, device=sample.device)
    sample = sample.unsqueeze(-1)
    starts = ((steps + sample) * alpha).long() - (sample * alpha).long()
    return rushlight.cat([starts, end], -1)


def fractional_max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Size,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`fractional_max_pool2d` and where the maxima lie."""
    return _fractional_max_pool(
        "fractional_max_pool2d", input, kernel_size, output_size, output_ratio, _random_samples, 2
    )


def fractional_max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Size,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`fractional_max_pool3d` and where the maxima lie."""
    return _fractional_max_pool(
        "fractional_max_pool3d", input, kernel_size, output_size, output_ratio, _random_samples, 3
    )


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Size,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Maxima over windows of (N, C, H, W) placed at random steps (Graham, 2014)."""
    result = fractional_max_pool2d_with_indices(
        input, kernel_size, output_size, output_ratio, True, _random_samples
    )
    return result if return_indices else result[0]


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Size,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """Maxima over windows of (N, C, D, H, W) placed at random steps (Graham, 2014)."""
    result = fractional_max_pool3d_with_indices(
        input, kernel_size, output_size, output_ratio, True, _random_samples
    )
    return result if return_indices else result[0]
