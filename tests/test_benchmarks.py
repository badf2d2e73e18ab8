"""Every workload of the benchmarks, reduced in size, gives results of PyTorch's shapes."""

from __future__ import annotations

from typing import Any

import pytest


import rushlight
from benchmarks.roofline import Roofline
from benchmarks.workload import WORKLOADS, Cost, load, select

oracle = pytest.importorskip("torch")
load()


def shapes(value: Any) -> Any:
    """A tensor's shape, or those of a sequence's items; of anything else the type."""
    if hasattr(value, "shape"):
        return tuple(value.shape)
    return [shapes(item) for item in value] if isinstance(value, (list, tuple)) else type(value)


@pytest.mark.parametrize("suite", list(dict.fromkeys(item.suite for item in WORKLOADS.values())))
def test_workloads_run_and_agree_in_shape(suite: str) -> None:
    for item in select([suite]):
        expected, found = (shapes(item.step(backend, at_most=16)()) for backend in (oracle, rushlight))
        assert found == expected, item.name


@pytest.mark.parametrize("name", ["training/mlp-sgd", "training/lstm", "training/mnist-cnn"])
def test_losses_agree(name: str) -> None:
    steps = [WORKLOADS[name].step(backend, at_most=8) for backend in (oracle, rushlight)]
    for _ in range(3):
        expected, found = (step().item() for step in steps)
        assert found == pytest.approx(expected, rel=1e-4)


def test_names_select_groups_and_patterns() -> None:
    assert [item.name for item in select(["gemm/square/512"])] == ["gemm/square/512"]
    assert {item.suite for item in select(["convolution/resnet18"])} == {"convolution"}
    assert select(["gemm/*/512"]) and not select(["nothing"])
    assert WORKLOADS["gemm/square/512"].groups() == ["gemm", "gemm/square"]


def test_limit_is_the_larger_floor() -> None:
    rates = {"read": 10.0, "triad": 8.0, "copy": 5.0, "write": 4.0}
    memory = {name: rate / 10 for name, rate in rates.items()}
    machine = Roofline({"float32": 100.0}, {"L1": rates, "memory": memory}, {"L1": 1000})
    assert machine.seconds(Cost(operations=1000)) == 10
    assert machine.seconds(Cost(operations=1000, read=500, written=0)) == 50
    assert machine.seconds(Cost(read=500, written=500)) == 200
    assert machine.seconds(Cost(read=1000, written=1000)) == 4000
