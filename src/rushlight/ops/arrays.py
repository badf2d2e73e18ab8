"""NumPy in the middle of an operator: tensors to arrays and back, NumPy loaded when first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rushlight

if TYPE_CHECKING:
    from rushlight import Tensor


def dtype_name(tensor: Tensor) -> str:
    """``float32`` for a tensor of that dtype."""
    return str(tensor.dtype).rsplit(".", 1)[-1]


def to_array(tensor: Tensor) -> Any:
    """The tensor's values as an array, off the graph."""
    return tensor.detach().resolve_conj().resolve_neg().numpy()


def to_tensor(array: Any, name: str) -> Tensor:
    """An array as a contiguous tensor of the dtype named."""
    import numpy as np

    array = np.asarray(array)
    return rushlight.from_numpy(np.array(array, dtype=name, order="C").reshape(array.shape))


def real_name(tensor: Tensor) -> str:
    """The name of the tensor's dtype, or of its parts where it is complex."""
    return {"complex64": "float32", "complex128": "float64"}.get(dtype_name(tensor), dtype_name(tensor))


def complex_name(tensor: Tensor) -> str:
    """The name of the complex dtype whose parts have the tensor's dtype."""
    return {"float32": "complex64", "float64": "complex128"}.get(dtype_name(tensor), dtype_name(tensor))
