"""Linear algebra: rushlight.linalg."""

from rushlight._C import linalg_vector_norm as vector_norm  # noqa: F401
from rushlight.ops import linalg, products, registry  # noqa: F401
from rushlight.ops.linear_algebra import LinAlgError  # noqa: F401

globals().update(registry.namespace("linalg"))
__all__ = ["LinAlgError", "vector_norm", *sorted(registry.namespace("linalg"))]
