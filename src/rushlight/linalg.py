"""Linear algebra: rushlight.linalg."""

from rushlight.ops import linalg, norms, products, registry  # noqa: F401
from rushlight.ops.linear_algebra import LinAlgError  # noqa: F401

globals().update(registry.namespace("linalg"))
__all__ = ["LinAlgError", *sorted(registry.namespace("linalg"))]
