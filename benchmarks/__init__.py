"""The same workloads on PyTorch and on Rushlight, in turn, in one run: ``python -m benchmarks``."""
