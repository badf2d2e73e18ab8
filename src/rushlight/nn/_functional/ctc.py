"""The connectionist temporal classification loss (Graves et al., 2006)."""

from __future__ import annotations

import rushlight
from rushlight import Tensor

from ._arguments import reduction_number

# Stands for the logarithm of zero: sums and differences of it stay finite, and so do their gradients.
_IMPOSSIBLE = -1e30


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """-log of the probability that `targets`, with blanks and repetitions put in, are read off `log_probs`.

    log_probs is (T, N, C) or (T, C); targets (N, S), or all targets in a row; lengths (N) or (). The mean divides each
    loss by its target's length. `zero_infinity` zeroes losses of targets that do not fit in their input. As in PyTorch
    the gradient is that of log-probabilities which come out of `log_softmax`.
    """
    number = reduction_number(reduction)
    if not log_probs.is_floating_point():
        raise NotImplementedError(
            f"\"ctc_loss_cpu\" not implemented for '{log_probs.type().split('.')[-1][:-6]}'"
        )
    batched = log_probs.dim() == 3
    if not batched:
        log_probs = log_probs.unsqueeze(1)
        targets = targets.unsqueeze(0) if targets.dim() == 1 else targets
    device = log_probs.device
    lengths = rushlight.as_tensor(input_lengths, device=device).long().reshape(-1)
    sizes = rushlight.as_tensor(target_lengths, device=device).long().reshape(-1)
    _check_lengths(log_probs, lengths, sizes, blank)
    labels = _label_matrix(targets, sizes)

    loss = -_log_likelihood(log_probs, labels, lengths, sizes, blank)
    impossible = loss > -_IMPOSSIBLE / 2
    loss = loss.masked_fill(impossible, 0.0 if zero_infinity else float("inf"))
    loss = loss + _normalization_gradient(log_probs, lengths, impossible & zero_infinity)
    if number == 0:
        return loss if batched else loss.squeeze(0)
    return loss.sum() if number == 2 else (loss / sizes.clamp(min=1).to(loss.dtype)).mean()


def _check_lengths(log_probs: Tensor, lengths: Tensor, sizes: Tensor, blank: int) -> None:
    steps, batch, classes = log_probs.shape
    if not 0 <= blank < classes:
        raise RuntimeError("blank must be in label range")
    if len(lengths) != batch:
        raise RuntimeError("input_lengths must be of size batch_size")
    if len(sizes) != batch:
        raise RuntimeError("target_lengths must be of size batch_size")
    checked = " (while checking arguments for ctc_loss_allocate_outputs)"
    for name, values in (("input_lengths", lengths), ("target_lengths", sizes)):
        if len(values) and int(values.min()) < 0:
            raise RuntimeError(
                f"Expected {name} to have value at least 0, but got value {int(values.min())}{checked}"
            )
    if len(lengths) and int(lengths.max()) > steps:
        raise RuntimeError(
            f"Expected input_lengths to have value at most {steps}, but got value {int(lengths.max())}{checked}"
        )


def _label_matrix(targets: Tensor, sizes: Tensor) -> Tensor:
    """The targets as (N, S), S being the longest; what lies beyond a target's length is arbitrary."""
    longest = int(sizes.max()) if len(sizes) else 0
    checked = " for argument #2 'targets' (while checking arguments for ctc_loss_allocate_outputs)"
    if targets.dim() == 2:
        if targets.size(1) < longest:
            raise RuntimeError(
                f"Expected tensor to have size at least {longest} at dimension 1, but got size {targets.size(1)}{checked}"
            )
        return targets[:, :longest].long()
    total = int(sizes.sum())
    if targets.size(0) != total:
        raise RuntimeError(
            f"Expected tensor to have size {total} at dimension 0, but got size {targets.size(0)}{checked}"
        )
    if longest == 0:
        return targets.new_zeros((len(sizes), 0)).long()
    starts = sizes.cumsum(0) - sizes
    positions = starts.unsqueeze(1) + rushlight.arange(longest, device=targets.device)
    return targets[positions.clamp(max=total - 1)].long()


def _log_likelihood(log_probs: Tensor, labels: Tensor, lengths: Tensor, sizes: Tensor, blank: int) -> Tensor:
    """The forward recursion over the labels with blanks before, between and after them: a column a step."""
    steps, batch, _ = log_probs.shape
    extended = labels.new_full((batch, 2 * labels.size(1) + 1), blank)
    extended[:, 1::2] = labels
    emitted = log_probs.gather(2, extended.unsqueeze(0).expand(steps, -1, -1)).clamp(min=_IMPOSSIBLE)
    # A blank between two different labels may be passed over.
    may_skip = rushlight.zeros_like(extended, dtype=rushlight.bool)
    may_skip[:, 2:] = (extended[:, 2:] != blank) & (extended[:, 2:] != extended[:, :-2])

    width = extended.size(1)
    start = rushlight.arange(width, device=labels.device) == 0
    alpha = rushlight.where(start, 0.0, _IMPOSSIBLE).to(log_probs.dtype).expand(batch, width)
    for step in range(steps):
        advanced = alpha
        if step > 0 or width > 1:
            one_back = _shifted(alpha, 1)
            advanced = rushlight.logaddexp(alpha, one_back)
        if step > 0 and width > 2:
            two_back = _shifted(alpha, 2).masked_fill(~may_skip, _IMPOSSIBLE)
            advanced = rushlight.logaddexp(advanced, two_back)
        alive = (step < lengths).unsqueeze(1)
        alpha = rushlight.where(alive, (advanced + emitted[step]).clamp(min=_IMPOSSIBLE), alpha)

    last = alpha.gather(1, (2 * sizes).unsqueeze(1)).squeeze(1)
    before_last = alpha.gather(1, (2 * sizes - 1).clamp(min=0).unsqueeze(1)).squeeze(1)
    before_last = before_last.masked_fill(sizes == 0, _IMPOSSIBLE)
    return rushlight.logaddexp(last, before_last)


def _shifted(alpha: Tensor, count: int) -> Tensor:
    filler = alpha.new_full((alpha.size(0), count), _IMPOSSIBLE)
    return rushlight.cat([filler, alpha[:, :-count]], 1)


def _normalization_gradient(log_probs: Tensor, lengths: Tensor, dropped: Tensor) -> Tensor:
    """Zero, with the gradient exp(log_probs): the part of the gradient that passes through `log_softmax`."""
    steps = rushlight.arange(log_probs.size(0), device=log_probs.device)
    counted = (steps.unsqueeze(1) < lengths) & ~dropped
    total = log_probs.exp().sum(2).masked_fill(~counted, 0).sum(0)
    return total - total.detach()
