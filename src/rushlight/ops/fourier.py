"""Discrete Fourier transforms through NumPy's FFT: the fft namespace, stft and istft.

Three linear maps carry all of them: complex to complex, real to half a Hermitian spectrum, and back. Each is
its own adjoint's adjoint, so that gradients of every order are transforms again (Cooley and Tukey, 1965).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import rushlight
from rushlight.ops.arrays import complex_name, dtype_name, real_name, to_array, to_tensor
from rushlight.ops.registry import operator, type_name

if TYPE_CHECKING:
    from rushlight import Tensor

_functions: dict[str, Any] = {}


def _function(name: str) -> Any:
    """The differentiable map of that name; its class is made at first use, once autograd is there."""
    if not _functions:
        _define()
    return _functions[name].apply


def _define() -> None:
    import numpy as np

    class ComplexTransform(rushlight.autograd.Function):
        """exp(-+ 2 pi i jk / n) summed over j, times a scale."""

        @staticmethod
        def forward(ctx: Any, input: Tensor, dims: tuple[int, ...], scale: float, forward: bool) -> Tensor:
            ctx.dims, ctx.scale, ctx.direction = dims, scale, forward
            transform = np.fft.fftn if forward else np.fft.ifftn
            array = transform(to_array(input), axes=dims, norm="backward" if forward else "forward")
            return to_tensor(array * scale if scale != 1 else array, dtype_name(input))

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Any:
            return ComplexTransform.apply(grad, ctx.dims, ctx.scale, not ctx.direction), None, None, None

    class RealTransform(rushlight.autograd.Function):
        """The first half of a real tensor's spectrum along one dimension, times a scale."""

        @staticmethod
        def forward(ctx: Any, input: Tensor, dim: int, scale: float) -> Tensor:
            ctx.dim, ctx.scale, ctx.size = dim, scale, input.shape[dim]
            array = np.fft.rfft(to_array(input), axis=dim)
            return to_tensor(array * scale if scale != 1 else array, complex_name(input))

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Any:
            full = _resize(grad, ctx.dim, ctx.size)
            return ComplexTransform.apply(full, (ctx.dim,), ctx.scale, False).real, None, None

    class HermitianTransform(rushlight.autograd.Function):
        """The real tensor whose half spectrum along one dimension is given, times a scale."""

        @staticmethod
        def forward(ctx: Any, input: Tensor, dim: int, size: int, scale: float) -> Tensor:
            ctx.dim, ctx.scale, ctx.size = dim, scale, size
            array = np.fft.irfft(to_array(input), n=size, axis=dim, norm="forward")
            return to_tensor(array * scale if scale != 1 else array, real_name(input))

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Any:
            spectrum = RealTransform.apply(grad, ctx.dim, ctx.scale)
            weights = rushlight.full((spectrum.shape[ctx.dim],), 2.0, dtype=grad.dtype)
            weights[0] = 1.0
            if ctx.size % 2 == 0:
                weights[-1] = 1.0
            shape = [1] * grad.dim()
            shape[ctx.dim] = -1
            return spectrum * weights.reshape(shape), None, None, None

    _functions.update(complex=ComplexTransform, real=RealTransform, hermitian=HermitianTransform)


def _scale(norm: str | None, count: int, forward: bool) -> float:
    mode = "backward" if norm is None else norm
    if mode not in ("forward", "backward", "ortho"):
        raise RuntimeError(f'Invalid normalization mode: "{mode}"')
    if mode == "ortho":
        return 1 / math.sqrt(count)
    return 1 / count if (mode == "forward") == forward else 1.0


def _check_kind(input: Tensor) -> None:
    if input.dtype in (rushlight.bfloat16, rushlight.float16):
        raise RuntimeError(f"Unsupported dtype {type_name(input.dtype)}")


def _inexact(input: Tensor) -> Tensor:
    _check_kind(input)
    if input.is_complex() or input.is_floating_point():
        return input
    return input.to(rushlight.get_default_dtype())


def _complex(input: Tensor) -> Tensor:
    input = _inexact(input)
    if input.is_complex():
        return input
    return input.to(getattr(rushlight, complex_name(input)))


def _real(name: str, input: Tensor) -> Tensor:
    if input.is_complex():
        raise RuntimeError(f"{name} expects a real input tensor, but got {type_name(input.dtype)}")
    return _inexact(input)


def _resize(input: Tensor, dim: int, size: int) -> Tensor:
    """The first `size` along a dimension, zeros where it ends before."""
    missing = size - input.shape[dim]
    if missing < 0:
        return input.narrow(dim, 0, size)
    if missing == 0:
        return input
    shape = list(input.shape)
    shape[dim] = missing
    return rushlight.cat([input, input.new_zeros(shape)], dim)


def _wrap_dim(input: Tensor, dim: int) -> int:
    rank = input.dim()
    if not -max(rank, 1) <= dim < max(rank, 1):
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-max(rank, 1)}, {max(rank, 1) - 1}], "
            f"but got {dim})"
        )
    if rank == 0:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return dim % rank


def _points(count: int) -> int:
    if count < 1:
        raise RuntimeError(f"Invalid number of data points ({count}) specified")
    return count


def _one(input: Tensor, n: int | None, dim: int, norm: str | None, forward: bool) -> Tensor:
    input = _complex(input)
    dim = _wrap_dim(input, dim)
    size = _points(input.shape[dim] if n is None else n)
    scale = _scale(norm, size, forward)
    return _function("complex")(_resize(input, dim, size), (dim,), scale, forward)


@operator("fft.fft(Tensor self, SymInt? n=None, int dim=-1, str? norm=None) -> Tensor", out=True)
def fft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The discrete Fourier transform along a dimension, cut or padded to `n` points.

    Raises:
        RuntimeError: for no points, or another normalization than forward, backward and ortho.

    >>> rushlight.fft.fft(rushlight.ones(2))
    tensor([2.+0.j, 0.+0.j])
    """
    return _one(input, n, dim, norm, forward=True)


@operator("fft.ifft(Tensor self, SymInt? n=None, int dim=-1, str? norm=None) -> Tensor", out=True)
def ifft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of fft.

    >>> rushlight.fft.ifft(rushlight.ones(2))
    tensor([1.+0.j, 0.+0.j])
    """
    return _one(input, n, dim, norm, forward=False)


def _half(name: str, input: Tensor, n: int | None, dim: int, norm: str | None, forward: bool) -> Tensor:
    input = _real(name, input)
    dim = _wrap_dim(input, dim)
    size = _points(input.shape[dim] if n is None else n)
    return _function("real")(_resize(input, dim, size), dim, _scale(norm, size, forward))


def _whole(input: Tensor, n: int | None, dim: int, norm: str | None, forward: bool) -> Tensor:
    input = _complex(input)
    dim = _wrap_dim(input, dim)
    size = _points(2 * (input.shape[dim] - 1) if n is None else n)
    half = _resize(input, dim, size // 2 + 1)
    return _function("hermitian")(half, dim, size, _scale(norm, size, forward))


@operator("fft.rfft(Tensor self, SymInt? n=None, int dim=-1, str? norm=None) -> Tensor", out=True)
def rfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The first half of a real input's transform: n // 2 + 1 values.

    Raises:
        RuntimeError: for a complex input.

    >>> rushlight.fft.rfft(rushlight.ones(2))
    tensor([2.+0.j, 0.+0.j])
    """
    return _half("rfft", input, n, dim, norm, forward=True)


@operator("fft.irfft(Tensor self, SymInt? n=None, int dim=-1, str? norm=None) -> Tensor", out=True)
def irfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of rfft: `n` real values, by default 2 * (size - 1).

    >>> rushlight.fft.irfft(rushlight.fft.rfft(rushlight.ones(4)))
    tensor([1., 1., 1., 1.])
    """
    return _whole(input, n, dim, norm, forward=False)


@operator("fft.hfft(Tensor self, SymInt? n=None, int dim=-1, str? norm=None) -> Tensor", out=True)
def hfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The transform, real, of a Hermitian signal of which the first half is given.

    >>> rushlight.fft.hfft(rushlight.ones(2))
    tensor([2., 0.])
    """
    return _whole(_complex(input).conj(), n, dim, norm, forward=True)


@operator("fft.ihfft(Tensor self, SymInt? n=None, int dim=-1, str? norm=None) -> Tensor", out=True)
def ihfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of hfft.

    >>> rushlight.fft.ihfft(rushlight.ones(2)).real
    tensor([1., 0.])
    """
    return _half("ihfft", input, n, dim, norm, forward=False).conj()


def _canonical(
    input: Tensor, s: Sequence[int] | None, dim: Sequence[int] | None
) -> tuple[list[int], list[int]]:
    """The dimensions transformed and their sizes."""
    rank = input.dim()
    s = [s] if isinstance(s, int) else s
    dim = [dim] if isinstance(dim, int) else dim
    if dim is not None:
        dims = [_wrap_dim(input, axis) for axis in dim]
        if len(set(dims)) != len(dims):
            raise RuntimeError("FFT dims must be unique")
        if s is not None and len(s) != len(dims):
            raise RuntimeError("When given, dim and shape arguments must have the same length")
    elif s is not None:
        if len(s) > rank:
            raise RuntimeError(f"Got shape with {len(s)} values but input tensor only has {rank} dimensions.")
        dims = list(range(rank - len(s), rank))
    else:
        dims = list(range(rank))
    sizes = [input.shape[axis] for axis in dims]
    if s is not None:
        sizes = [size if wanted == -1 else wanted for size, wanted in zip(sizes, s)]
    for size in sizes:
        _points(size)
    return dims, sizes


def _many(
    input: Tensor, s: Sequence[int] | None, dim: Sequence[int] | None, norm: str | None, forward: bool
) -> Tensor:
    input = _complex(input)
    dims, sizes = _canonical(input, s, dim)
    return _over(input, dims, sizes, norm, forward)


def _over(input: Tensor, dims: list[int], sizes: list[int], norm: str | None, forward: bool) -> Tensor:
    scale = _scale(norm, math.prod(sizes), forward)
    if not dims:
        return input
    for axis, size in zip(dims, sizes):
        input = _resize(input, axis, size)
    return _function("complex")(input, tuple(dims), scale, forward)


def _half_many(
    name: str,
    input: Tensor,
    s: Sequence[int] | None,
    dim: Sequence[int] | None,
    norm: str | None,
    forward: bool,
) -> Tensor:
    input = _real(name, input)
    dims, sizes = _canonical(input, s, dim)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    half = _half(name, input, sizes[-1], dims[-1], norm, forward)
    half = half if forward else half.conj()
    return _over(half, dims[:-1], sizes[:-1], norm, forward)


def _whole_many(
    name: str,
    input: Tensor,
    s: Sequence[int] | None,
    dim: Sequence[int] | None,
    norm: str | None,
    forward: bool,
) -> Tensor:
    input = _complex(input)
    given = [s] if isinstance(s, int) else s
    dims, sizes = _canonical(input, given, dim)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    if given is None or given[-1] == -1:
        sizes[-1] = 2 * (input.shape[dims[-1]] - 1)
    across = _over(input, dims[:-1], sizes[:-1], norm, forward)
    return _whole(across.conj() if forward else across, sizes[-1], dims[-1], norm, forward)


_TWO = (-2, -1)


@operator("fft.fft2(Tensor self, SymInt[1]? s=None, int[1] dim=[-2,-1], str? norm=None) -> Tensor", out=True)
def fft2(input: Tensor, s: Any = None, dim: Sequence[int] = _TWO, norm: str | None = None) -> Tensor:
    """The transform along two dimensions.

    >>> rushlight.fft.fft2(rushlight.ones(1, 2)).real
    tensor([[2., 0.]])
    """
    return _many(input, s, dim, norm, forward=True)


@operator("fft.ifft2(Tensor self, SymInt[1]? s=None, int[1] dim=[-2,-1], str? norm=None) -> Tensor", out=True)
def ifft2(input: Tensor, s: Any = None, dim: Sequence[int] = _TWO, norm: str | None = None) -> Tensor:
    """The inverse of fft2.

    >>> rushlight.fft.ifft2(rushlight.ones(1, 2)).real
    tensor([[1., 0.]])
    """
    return _many(input, s, dim, norm, forward=False)


@operator("fft.rfft2(Tensor self, SymInt[1]? s=None, int[1] dim=[-2,-1], str? norm=None) -> Tensor", out=True)
def rfft2(input: Tensor, s: Any = None, dim: Sequence[int] = _TWO, norm: str | None = None) -> Tensor:
    """The transform of a real input along two dimensions, halved along the last.

    >>> rushlight.fft.rfft2(rushlight.ones(1, 2)).real
    tensor([[2., 0.]])
    """
    return _half_many("rfftn", input, s, dim, norm, forward=True)


@operator(
    "fft.irfft2(Tensor self, SymInt[1]? s=None, int[1] dim=[-2,-1], str? norm=None) -> Tensor", out=True
)
def irfft2(input: Tensor, s: Any = None, dim: Sequence[int] = _TWO, norm: str | None = None) -> Tensor:
    """The inverse of rfft2.

    >>> rushlight.fft.irfft2(rushlight.ones(1, 2))
    tensor([[1., 0.]])
    """
    return _whole_many("irfftn", input, s, dim, norm, forward=False)


@operator("fft.hfft2(Tensor self, SymInt[1]? s=None, int[1] dim=[-2,-1], str? norm=None) -> Tensor", out=True)
def hfft2(input: Tensor, s: Any = None, dim: Sequence[int] = _TWO, norm: str | None = None) -> Tensor:
    """The transform, real, of a signal Hermitian along the last of two dimensions.

    >>> rushlight.fft.hfft2(rushlight.ones(1, 2))
    tensor([[2., 0.]])
    """
    return _whole_many("hfftn", input, s, dim, norm, forward=True)


@operator(
    "fft.ihfft2(Tensor self, SymInt[1]? s=None, int[1] dim=[-2,-1], str? norm=None) -> Tensor", out=True
)
def ihfft2(input: Tensor, s: Any = None, dim: Sequence[int] = _TWO, norm: str | None = None) -> Tensor:
    """The inverse of hfft2.

    >>> rushlight.fft.ihfft2(rushlight.ones(1, 2)).real
    tensor([[1., 0.]])
    """
    return _half_many("ihfftn", input, s, dim, norm, forward=False)


@operator("fft.fftn(Tensor self, SymInt[1]? s=None, int[1]? dim=None, str? norm=None) -> Tensor", out=True)
def fftn(input: Tensor, s: Any = None, dim: Sequence[int] | None = None, norm: str | None = None) -> Tensor:
    """The transform along several dimensions, all by default.

    >>> rushlight.fft.fftn(rushlight.ones(1, 2)).real
    tensor([[2., 0.]])
    """
    return _many(input, s, dim, norm, forward=True)


@operator("fft.ifftn(Tensor self, SymInt[1]? s=None, int[1]? dim=None, str? norm=None) -> Tensor", out=True)
def ifftn(input: Tensor, s: Any = None, dim: Sequence[int] | None = None, norm: str | None = None) -> Tensor:
    """The inverse of fftn.

    >>> rushlight.fft.ifftn(rushlight.ones(1, 2)).real
    tensor([[1., 0.]])
    """
    return _many(input, s, dim, norm, forward=False)


@operator("fft.rfftn(Tensor self, SymInt[1]? s=None, int[1]? dim=None, str? norm=None) -> Tensor", out=True)
def rfftn(input: Tensor, s: Any = None, dim: Sequence[int] | None = None, norm: str | None = None) -> Tensor:
    """The transform of a real input along several dimensions, halved along the last.

    >>> rushlight.fft.rfftn(rushlight.ones(1, 2)).real
    tensor([[2., 0.]])
    """
    return _half_many("rfftn", input, s, dim, norm, forward=True)


@operator("fft.irfftn(Tensor self, SymInt[1]? s=None, int[1]? dim=None, str? norm=None) -> Tensor", out=True)
def irfftn(input: Tensor, s: Any = None, dim: Sequence[int] | None = None, norm: str | None = None) -> Tensor:
    """The inverse of rfftn.

    >>> rushlight.fft.irfftn(rushlight.ones(1, 2))
    tensor([[1., 0.]])
    """
    return _whole_many("irfftn", input, s, dim, norm, forward=False)


@operator("fft.hfftn(Tensor self, SymInt[1]? s=None, int[1]? dim=None, str? norm=None) -> Tensor", out=True)
def hfftn(input: Tensor, s: Any = None, dim: Sequence[int] | None = None, norm: str | None = None) -> Tensor:
    """The transform, real, of a signal Hermitian along the last of several dimensions.

    >>> rushlight.fft.hfftn(rushlight.ones(1, 2))
    tensor([[2., 0.]])
    """
    return _whole_many("hfftn", input, s, dim, norm, forward=True)


@operator("fft.ihfftn(Tensor self, SymInt[1]? s=None, int[1]? dim=None, str? norm=None) -> Tensor", out=True)
def ihfftn(input: Tensor, s: Any = None, dim: Sequence[int] | None = None, norm: str | None = None) -> Tensor:
    """The inverse of hfftn.

    >>> rushlight.fft.ihfftn(rushlight.ones(1, 2)).real
    tensor([[1., 0.]])
    """
    return _half_many("ihfftn", input, s, dim, norm, forward=False)


def _shift(input: Tensor, dim: int | Sequence[int] | None, offset: int) -> Tensor:
    dims = list(range(input.dim())) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    if not dims:
        return input.clone()
    return input.roll([(input.shape[axis] + offset) // 2 for axis in dims], dims)


@operator("fft.fftshift(Tensor self, int[1]? dim=None) -> Tensor")
def fftshift(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Roll the zero frequency into the middle.

    >>> rushlight.fft.fftshift(rushlight.arange(4)).tolist()
    [2, 3, 0, 1]
    """
    return _shift(input, dim, 0)


@operator("fft.ifftshift(Tensor self, int[1]? dim=None) -> Tensor")
def ifftshift(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """The inverse of fftshift.

    >>> rushlight.fft.ifftshift(rushlight.arange(3)).tolist()
    [1, 2, 0]
    """
    return _shift(input, dim, 1)


@operator("fft.fftfreq(int n, float d=1.0, *, ScalarType? dtype=None) -> Tensor", out=True)
def fftfreq(n: int, d: float = 1.0, *, dtype: Any = None, device: Any = None) -> Tensor:
    """The frequencies of fft's values for samples `d` apart.

    >>> rushlight.fft.fftfreq(4)
    tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    result = rushlight.arange(n, dtype=dtype or rushlight.get_default_dtype(), device=device)
    result[(n + 1) // 2 :] -= n
    return result * (1 / (n * d))


@operator("fft.rfftfreq(int n, float d=1.0, *, ScalarType? dtype=None) -> Tensor", out=True)
def rfftfreq(n: int, d: float = 1.0, *, dtype: Any = None, device: Any = None) -> Tensor:
    """The frequencies of rfft's values for samples `d` apart.

    >>> rushlight.fft.rfftfreq(4)
    tensor([0.0000, 0.2500, 0.5000])
    """
    count = rushlight.arange(n // 2 + 1, dtype=dtype or rushlight.get_default_dtype(), device=device)
    return count * (1 / (n * d))


def _centred_window(window: Tensor | None, length: int, n_fft: int, like: Tensor) -> Tensor:
    if window is None:
        dtype = like.real.dtype if like.is_complex() else like.dtype
        window = rushlight.ones(length, dtype=dtype, device=like.device)
    left = (n_fft - length) // 2
    if length == n_fft:
        return window
    zeros = window.new_zeros((n_fft,))
    zeros[left : left + length] = window
    return zeros


@operator(
    "stft(Tensor self, int n_fft, int? hop_length=None, int? win_length=None, Tensor? window=None, "
    "bool center=True, str pad_mode='reflect', bool normalized=False, bool? onesided=None, "
    "bool? return_complex=None) -> Tensor",
    method=True,
)
def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """The short-time Fourier transform of (..., T): (..., frequencies, frames), or its real pairs.

    Raises:
        RuntimeError: for an input of other than one or two dimensions, or lengths that do not fit.

    >>> rushlight.stft(rushlight.ones(8), 4, return_complex=True).shape
    torch.Size([3, 9])
    """
    hop = n_fft // 4 if hop_length is None else hop_length
    length = n_fft if win_length is None else win_length
    if return_complex is None:
        if not input.is_complex() and not (window is not None and window.is_complex()):
            raise RuntimeError(
                "stft requires the return_complex parameter be given for real inputs, and will "
                "further require that return_complex=True in a future PyTorch release."
            )
        return_complex = True
    if input.dim() not in (1, 2):
        raise RuntimeError(f"stft({input}): expected a 1D or 2D tensor")
    signal = input.unsqueeze(0) if input.dim() == 1 else input
    if center:
        pad = n_fft // 2
        signal = rushlight.nn.functional.pad(signal.unsqueeze(1), (pad, pad), mode=pad_mode).squeeze(1)
    if not 0 < n_fft <= signal.shape[-1]:
        raise RuntimeError(f"stft: expected 0 < n_fft < {signal.shape[-1]}, but got n_fft={n_fft}")
    if hop <= 0:
        raise RuntimeError(f"stft: expected hop_length > 0, but got hop_length={hop}")
    frames = signal.unfold(-1, n_fft, hop)
    if window is not None or length != n_fft:
        frames = frames * _centred_window(window, length, n_fft, input)
    if onesided is None:
        onesided = not frames.is_complex()
    norm = "ortho" if normalized else None
    spectrum = rfft(frames, norm=norm) if onesided else fft(frames, norm=norm)
    result = spectrum.transpose(-1, -2)
    if input.dim() == 1:
        result = result.squeeze(0)
    return result if return_complex else rushlight.view_as_real(result)


@operator(
    "istft(Tensor self, int n_fft, int? hop_length=None, int? win_length=None, Tensor? window=None, "
    "bool center=True, bool normalized=False, bool? onesided=None, int? length=None, "
    "bool return_complex=False) -> Tensor",
    method=True,
)
def istft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """The signal of least squared error for a short-time transform (Griffin and Lim, 1984).

    Raises:
        RuntimeError: for an input that is not complex, or windows that leave samples uncovered.

    >>> rushlight.istft(rushlight.stft(rushlight.ones(8), 4, return_complex=True), 4)
    tensor([1., 1., 1., 1., 1., 1., 1., 1.])
    """
    if not input.is_complex():
        raise RuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with "
            "return_complex=True."
        )
    hop = n_fft // 4 if hop_length is None else hop_length
    width = n_fft if win_length is None else win_length
    spectrum = (input.unsqueeze(0) if input.dim() == 2 else input).transpose(1, 2)
    count = spectrum.shape[1]
    total = n_fft + hop * (count - 1)
    if onesided is None:
        onesided = spectrum.shape[-1] != n_fft
    weights = _centred_window(window, width, n_fft, input)
    norm = "ortho" if normalized else None
    if return_complex:
        frames = ifft(spectrum, norm=norm)
    else:
        half = spectrum if onesided else spectrum[..., : n_fft // 2 + 1]
        frames = irfft(half, n_fft, norm=norm)
    frames = frames * weights
    places = (rushlight.arange(count).unsqueeze(1) * hop + rushlight.arange(n_fft)).reshape(-1)
    signal = frames.new_zeros((frames.shape[0], total)).index_add(
        1, places, frames.reshape(frames.shape[0], -1)
    )
    squares = (weights * weights).repeat(count)
    envelope = squares.new_zeros((total,)).index_add(0, places, squares)
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else (total - n_fft // 2 if center else total)
    signal, envelope = signal[:, start:end], envelope[start:end]
    if bool(envelope.detach().abs().min() < 1e-11):
        raise RuntimeError("window overlap add min: 1")
    signal = signal / envelope
    if length is not None and signal.shape[1] < length:
        signal = _resize(signal, 1, length)
    return signal.squeeze(0) if input.dim() == 2 else signal
