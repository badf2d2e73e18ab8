"""Rushlight held against PyTorch over PyTorch's own operator samples, entry by entry."""
