"""Rushlight: PyTorch's API and numbers in a hundredth of the size, and faster.

    import rushlight as torch

Native operators come out of the registry in ``rushlight._C``, composite ones out of ``rushlight.ops``; submodules
load at first use, so that importing the package stays quick.
"""

from __future__ import annotations

import importlib
import math as _math
from typing import Any

from rushlight import _C
from rushlight._C import (  # noqa: F401
    Generator,
    Size,
    Tensor,
    UntypedStorage,
    default_generator,
    device,
    dtype,
    empty_cache,
    from_dlpack,
    from_numpy,
    frombuffer,
    asarray,
    as_tensor,
    can_cast,
    get_default_device,
    get_default_dtype,
    get_num_threads,
    is_grad_enabled,
    is_inference_mode_enabled,
    layout,
    memory_format,
    memory_stats,
    promote_types,
    reset_peak_memory_stats,
    result_type,
    return_types,
    set_default_device,
    set_default_dtype,
    set_num_threads,
    tensor,
)
from rushlight._dtypes import finfo, iinfo  # noqa: F401
from rushlight.version import __version__  # noqa: F401

globals().update(_C._dtypes)
globals().update({name: getattr(_C, name) for name in _C._function_names})

strided = _C.strided
contiguous_format = _C.contiguous_format
preserve_format = _C.preserve_format
channels_last = _C.channels_last
channels_last_3d = _C.channels_last_3d

e, pi, inf, nan = _math.e, _math.pi, _math.inf, _math.nan
newaxis = None

from rushlight.autograd.grad_mode import (  # noqa: E402, F401
    enable_grad,
    inference_mode,
    no_grad,
    set_grad_enabled,
)
from rushlight import ops as _ops  # noqa: E402

from rushlight import _tensor as _tensor  # noqa: E402
from rushlight._random import (  # noqa: E402, F401
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)

# Where names that load at first use come from.
_SUBMODULES = frozenset(
    {
        "autograd",
        "backends",
        "examples",
        "fft",
        "linalg",
        "masked",
        "nn",
        "ops",
        "optim",
        "random",
        "serialization",
        "signal",
        "special",
        "utils",
    }
)
_LAZY = {
    **{
        name: "rushlight.nn.functional"
        for name in "bilinear channel_shuffle cosine_similarity pairwise_distance pdist pixel_shuffle "
        "pixel_unshuffle".split()
    },
    "save": "rushlight.serialization",
    "load": "rushlight.serialization",
    "set_printoptions": "rushlight._tensor_str",
    "get_printoptions": "rushlight._tensor_str",
    **{
        f"{name}Tensor": "rushlight._tensor_types"
        for name in "Byte Char Short Int Long Half BFloat16 Float Double Bool".split()
    },
}


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"rushlight.{name}")
    if name in _LAZY:
        value = getattr(importlib.import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
    if name in _ops.names():
        globals()[name] = value = _ops.find(name)
        return value
    raise AttributeError(f"module 'rushlight' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBMODULES, *_LAZY, *_ops.names()})


def is_tensor(obj: Any) -> bool:
    """Whether an object is a Tensor.

    >>> is_tensor(tensor([1.0]))
    True
    """
    return isinstance(obj, Tensor)


def is_storage(obj: Any) -> bool:
    """Whether an object is a storage.

    >>> is_storage(tensor([1.0]).untyped_storage())
    True
    """
    return isinstance(obj, UntypedStorage)


def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype of a tensor is a floating-point type."""
    return input.is_floating_point()


def is_complex(input: Tensor) -> bool:
    """Whether the dtype of a tensor is complex."""
    return input.is_complex()


def is_nonzero(input: Tensor) -> bool:
    """Whether the one element of a tensor is not zero. Raises RuntimeError for any other number of elements."""
    return bool(input)


def numel(input: Tensor) -> int:
    """The number of elements of a tensor."""
    return input.numel()


def typename(obj: Any) -> str:
    """The full name of an object's type, as PyTorch writes it: ``torch.FloatTensor``."""
    if isinstance(obj, Tensor):
        return obj.type()
    return f"{type(obj).__module__}.{type(obj).__qualname__}"
