"""Normalization by the statistics of a batch, an instance, a layer or neighbouring channels."""

from __future__ import annotations

from collections.abc import Sequence

from rushlight import _C, Tensor


def _check_batch(shape: Sequence[int]) -> None:
    count = shape[0]
    for size in shape[2:]:
        count *= size
    if count == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {shape}")


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias for each channel of (N, C, *) (Ioffe & Szegedy, 2015).

    In training the mean and biased variance are the batch's, and the running ones, where given, move towards them (the
    variance unbiased) by `momentum`; otherwise they are the running ones.
    """
    if training:
        _check_batch(input.size())
    return _C.batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Batch normalization of every instance by itself (Ulyanov et al., 2016)."""
    shape = input.size()
    if use_input_stats and shape[2:].numel() == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {shape}")
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError(
            "Expected running_mean and running_var to be defined when use_input_stats is false"
        )
    # Every channel of every instance becomes a channel of one instance.
    instances, channels, *space = shape

    def repeated(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor.repeat(instances)

    mean, var = repeated(running_mean), repeated(running_var)
    result = _C.batch_norm(
        input.contiguous().view(1, instances * channels, *space),
        repeated(weight),
        repeated(bias),
        mean,
        var,
        use_input_stats,
        momentum,
        eps,
    )
    for running, moved in ((running_mean, mean), (running_var, var)):
        if running is not None and use_input_stats:
            running.detach().copy_(moved.view(instances, channels).mean(0))
    return result.view(shape)


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias over the last dimensions, `normalized_shape` (Ba et al., 2016)."""
    return _C.layer_norm(input, normalized_shape, weight, bias, eps)


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * weight over the last dimensions (Zhang & Sennrich, 2019).

    `eps` is by default the machine epsilon of the input's dtype.
    """
    return _C.rms_norm(input, normalized_shape, weight, eps)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalization of each of `num_groups` groups of channels of (N, C, *) (Wu & He, 2018)."""
    if input.dim() < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {input.dim()}")
    _check_batch([input.size(0) * input.size(1) // num_groups, num_groups, *input.shape[2:]])
    return _C.group_norm(input, num_groups, weight, bias, eps)


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """x / (k + alpha * mean of x^2 over `size` neighbouring channels)^beta for (N, C, *) (Krizhevsky et al., 2012)."""
    if input.dim() < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality                          input (got {input.dim()} dimensions)"
        )
    if input.numel() == 0:
        return input
    padding = [0, 0] * (input.dim() - 2) + [size // 2, (size - 1) // 2]
    neighbours = _C.constant_pad_nd(input * input, padding, 0).unfold(1, size, 1)
    total = neighbours.sum(-1)
    mean = total / size if input.is_floating_point() else total.div(size, rounding_mode="trunc")
    return input / (mean * alpha + k) ** beta
