"""Linear maps, embeddings and rearrangements."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import rushlight
from rushlight import _C, Tensor

from ._arguments import per_dimension

linear = _C.linear
conv1d = _C.conv1d
conv2d = _C.conv2d
conv3d = _C.conv3d
conv_transpose1d = _C.conv_transpose1d
conv_transpose2d = _C.conv_transpose2d
conv_transpose3d = _C.conv_transpose3d


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y[o] = sum over i, j of input1[i] * weight[o, i, j] * input2[j], plus bias[o].

    Inputs are (*, I) and (*, J) with the same leading dimensions, weight is (O, I, J); the result is (*, O).
    """
    if input1.dim() != input2.dim():
        raise RuntimeError(
            f"bilinear(): input dimensions do not match: got {input1.dim()} and {input2.dim()}"
        )
    for i in range(input1.dim() - 1):
        if input1.size(i) != input2.size(i):
            raise RuntimeError(
                f"bilinear(): input batch dimensions do not match at dim {i}: got {input1.size(i)} and {input2.size(i)}"
            )
    for i, input in enumerate((input1, input2)):
        if input.size(-1) != weight.size(i + 1):
            raise RuntimeError(
                f"bilinear(): input{i + 1} size does not match weight size: got {input.size(-1)} but expected "
                f"{weight.size(i + 1)}"
            )
    if bias is not None and bias.size(0) != weight.size(0):
        raise RuntimeError(
            f"bilinear(): bias size does not match weight size: got {bias.size(0)} but expected {weight.size(0)}"
        )
    n_out, n_first, n_second = weight.shape
    mapped = input1.matmul(weight.permute(1, 0, 2).reshape(n_first, n_out * n_second))
    mapped = mapped.reshape(*input1.shape[:-1], n_out, n_second)
    result = mapped.matmul(input2.unsqueeze(-1)).squeeze(-1)
    return result if bias is None else result + bias


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of `weight` that the integers of `input` name: (*) and (V, D) give (*, D).

    Row `padding_idx` gets no gradient. `max_norm` first scales, in place, the rows used down to that norm.
    """
    padding_idx = _row(padding_idx, weight)
    if max_norm is not None:
        _renormalize_rows(weight, input, max_norm, norm_type)
    return _C.embedding(weight, input, padding_idx, scale_grad_by_freq, sparse)


def _row(padding_idx: int | None, weight: Tensor) -> int:
    if padding_idx is None:
        return -1
    if padding_idx >= weight.size(0) or padding_idx < -weight.size(0):
        raise AssertionError("Padding_idx must be within num_embeddings")
    return padding_idx % weight.size(0)


def _renormalize_rows(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    with rushlight.no_grad():
        used = input.reshape(-1).unique()
        rows = weight.index_select(0, used)
        norms = _C.linalg_vector_norm(rows, norm_type, 1, True)
        scale = rushlight.where(norms > max_norm, max_norm / (norms + 1e-7), rushlight.ones_like(norms))
        weight.index_copy_(0, used, rows * scale)


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or maximum of the rows of `weight` that each bag of integers names.

    Bags are the rows of a matrix `input` (B, L), or the parts of a vector that start at `offsets` (B); the result is
    (B, D). Integers equal to `padding_idx` are left out; an empty bag gives zeros.
    """
    if weight.dtype in (rushlight.int32, rushlight.int64) and input.is_floating_point():
        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed. Usage `embedding_bag(weight, input, ...)` is "
            "deprecated, and should now be `embedding_bag(input, weight, ...)`.",
            stacklevel=2,
        )
        input, weight = weight, input
    _check_bags(input, weight, offsets, mode, per_sample_weights, include_last_offset)
    rows = weight.size(0)
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise RuntimeError(
            f"padding_idx must be within the number of embeddings, {-rows} through {rows - 1}, but got {padding_idx}"
        )
    if max_norm is not None:
        _renormalize_rows(weight, input, max_norm, norm_type)
    if scale_grad_by_freq and mode == "max":
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if sparse and weight.requires_grad and rushlight.is_grad_enabled():
        raise RuntimeError("sparse gradients need sparse tensors; use sparse=False")
    if input.dim() == 2:
        offsets = rushlight.arange(input.size(0), device=input.device) * input.size(1)
        include_last_offset = False
        input = input.reshape(-1)
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights.reshape(-1)
    return _C._embedding_bag_pooled(
        weight,
        input,
        offsets,
        scale_grad_by_freq,
        ("sum", "mean", "max").index(mode),
        per_sample_weights,
        include_last_offset,
        -1 if padding_idx is None else padding_idx % rows,
    )


def _check_bags(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None,
    mode: str,
    per_sample_weights: Tensor | None,
    include_last_offset: bool,
) -> None:
    if per_sample_weights is not None and input.size() != per_sample_weights.size():
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({tuple(per_sample_weights.shape)}) is not None, then it must have "
            f"the same shape as the input ({tuple(input.shape)})"
        )
    if weight.dim() != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.dim()}")
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length "
                f"sequences. However, found offsets of type {type(offsets)}"
            )
    elif input.dim() == 1:
        if offsets is None:
            raise ValueError("offsets has to be a 1D Tensor but got None")
        if offsets.dim() != 1:
            raise ValueError("offsets has to be a 1D Tensor")
        if len(offsets) and int(offsets[0]) != 0:
            raise RuntimeError(
                f"offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. "
                f"However, got {int(offsets[0])}"
            )
        if len(offsets) and int(offsets[-1]) > len(input):
            raise RuntimeError(
                f"offsets[-1] can not be greater than input's length {len(input)} but got offsets[-1] of "
                f"{int(offsets[-1])}"
            )
    else:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}")
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' "
            f"(got mode='{mode}'). Please open a feature request on GitHub."
        )


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Integers (*) as one-hot vectors (*, num_classes); -1 takes one more than the greatest integer.

    >>> import rushlight as torch
    >>> torch.nn.functional.one_hot(torch.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if tensor.dtype != rushlight.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if tensor.numel() == 0:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return tensor.new_empty((*tensor.shape, num_classes))
    if not tensor.is_meta:
        if int(tensor.min()) < 0:
            raise RuntimeError("Class values must be non-negative.")
        greatest = int(tensor.max())
        if num_classes == -1:
            num_classes = greatest + 1
        elif greatest >= num_classes:
            raise RuntimeError("Class values must be smaller than num_classes.")
    return tensor.new_zeros((*tensor.shape, num_classes)).scatter_(-1, tensor.unsqueeze(-1), 1)


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(*, C * r^2, H, W) to (*, C, H * r, W * r) for r = upscale_factor (Shi et al., 2016)."""
    _check_pixels("pixel_shuffle", input, "upscale_factor", upscale_factor)
    *batch, channels, height, width = input.shape
    r = upscale_factor
    if channels % r**2:
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            f"but input.size(-3)={channels} is not divisible by {r**2}"
        )
    n = len(batch)
    parts = input.reshape(*batch, channels // r**2, r, r, height, width)
    parts = parts.permute(*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return parts.reshape(*batch, channels // r**2, height * r, width * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """The inverse of `pixel_shuffle`: (*, C, H * r, W * r) to (*, C * r^2, H, W)."""
    _check_pixels("pixel_unshuffle", input, "downscale_factor", downscale_factor)
    *batch, channels, height, width = input.shape
    r = downscale_factor
    for name, size, dim in (("height", height, -2), ("width", width, -1)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but input.size({dim})={size} is "
                f"not divisible by {r}"
            )
    n = len(batch)
    parts = input.reshape(*batch, channels, height // r, r, width // r, r)
    parts = parts.permute(*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return parts.reshape(*batch, channels * r**2, height // r, width // r)


def _check_pixels(name: str, input: Tensor, factor_name: str, factor: int) -> None:
    if input.dim() < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with {input.dim()} dimension(s)"
        )
    if factor <= 0:
        raise RuntimeError(f"{name} expects a positive {factor_name}, but got {factor}")


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Interleaves `groups` groups of the channels of (N, C, *) (Zhang et al., 2017)."""
    if input.dim() < 3:
        raise RuntimeError(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(input.shape)}"
        )
    if groups <= 0:
        raise RuntimeError(
            f"Number of groups to divide channels in must be positive. Value of groups:{groups}"
        )
    channels = input.size(1)
    if channels % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {channels} channels and {groups} groups."
        )
    batch, _, *space = input.shape
    return (
        input.reshape(batch, groups, channels // groups, -1).transpose(1, 2).reshape(batch, channels, *space)
    )


def unfold(
    input: Tensor,
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
) -> Tensor:
    """The sliding blocks of images (N, C, H, W), or (C, H, W), as columns (N, C * kh * kw, L)."""
    if input.dim() not in (3, 4) or 0 in input.shape[1:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for "
            f"input, but got: {list(input.shape)}"
        )
    kernel, dilation, padding, stride = (
        per_dimension(v, 2) for v in (kernel_size, dilation, padding, stride)
    )
    batch = input if input.dim() == 4 else input.unsqueeze(0)
    size, channels = batch.shape[-2:], batch.size(1)
    blocks = _block_counts(size, kernel, dilation, padding, stride)
    if min(blocks) < 1:
        raise RuntimeError(
            f"Given input with spatial size ({size[0]}, {size[1]}), kernel_size=({kernel[0]}, {kernel[1]}), "
            f"dilation=({dilation[0]}, {dilation[1]}), padding=({padding[0]}, {padding[1]}), calculated shape of the array of sliding blocks as "
            f"({blocks[0]}, {blocks[1]}), but its components must be at least one."
        )
    padded = _C.constant_pad_nd(batch, [padding[1], padding[1], padding[0], padding[0]], 0)
    positions = _block_positions(padded.shape[-2:], kernel, dilation, stride, blocks, input.device)
    columns = padded.flatten(2).index_select(2, positions)
    columns = columns.reshape(batch.size(0), channels * kernel[0] * kernel[1], blocks[0] * blocks[1])
    return columns if input.dim() == 4 else columns.squeeze(0)


def fold(
    input: Tensor,
    output_size: int | Sequence[int],
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
) -> Tensor:
    """The adjoint of `unfold`: columns (N, C * kh * kw, L) summed into images (N, C, *output_size)."""
    if input.dim() not in (2, 3) or 0 in input.shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for "
            f"input, but got: {list(input.shape)}"
        )
    size = per_dimension(output_size, 2)
    kernel, dilation, padding, stride = (
        per_dimension(v, 2) for v in (kernel_size, dilation, padding, stride)
    )
    batch = input if input.dim() == 3 else input.unsqueeze(0)
    area = kernel[0] * kernel[1]
    if batch.size(1) % area:
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
            f"input.size(1)={batch.size(1)} and kernel_size=({kernel[0]}, {kernel[1]})."
        )
    blocks = _block_counts(size, kernel, dilation, padding, stride)
    if batch.size(2) != blocks[0] * blocks[1]:
        raise RuntimeError(
            f"Given output_size=({size[0]}, {size[1]}), kernel_size=({kernel[0]}, {kernel[1]}), "
            f"dilation=({dilation[0]}, {dilation[1]}), padding=({padding[0]}, {padding[1]}), "
            f"stride=({stride[0]}, {stride[1]}), expected size of input's dimension 2 to match the calculated number "
            f"of sliding blocks {blocks[0]} * {blocks[1]} = {blocks[0] * blocks[1]}, but got "
            f"input.size(2)={batch.size(2)}."
        )
    height, width = size[0] + 2 * padding[0], size[1] + 2 * padding[1]
    positions = _block_positions((height, width), kernel, dilation, stride, blocks, input.device)
    columns = batch.reshape(batch.size(0), batch.size(1) // area, area * batch.size(2))
    image = columns.new_zeros(*columns.shape[:2], height * width).index_add(2, positions, columns)
    image = image.unflatten(2, (height, width))
    image = image[:, :, padding[0] : height - padding[0], padding[1] : width - padding[1]]
    return image if input.dim() == 3 else image.squeeze(0)


def _block_counts(size: Any, kernel: Any, dilation: Any, padding: Any, stride: Any) -> list[int]:
    return [(size[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i in range(2)]


def _block_positions(size: Any, kernel: Any, dilation: Any, stride: Any, blocks: Any, device: Any) -> Tensor:
    """For each element of the kernel, for each block: where it lies in the flattened image."""
    rows, columns = (
        rushlight.arange(kernel[i], device=device).unsqueeze(1) * dilation[i]
        + rushlight.arange(blocks[i], device=device) * stride[i]
        for i in range(2)
    )
    grid = rows[:, None, :, None] * size[1] + columns[None, :, None, :]
    return grid.reshape(-1)
