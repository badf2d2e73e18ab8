"""The workloads, a module for each suite; importing this package enters all of them into the table."""

from benchmarks.workloads import (  # noqa: F401
    attention,
    convolution,
    elementwise,
    gemm,
    indexing,
    inference,
    layers,
    overhead,
    random,
    recurrent,
    reductions,
    training,
)
