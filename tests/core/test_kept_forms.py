"""Packed weights, kept from call to call as long as nothing can have written to the weights."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any

import pytest

import rushlight as torch

functional = torch.nn.functional


def convolved(weight: torch.Tensor) -> torch.Tensor:
    return functional.conv2d(torch.arange(1024 * 529.0).reshape(1, 1024, 23, 23).sin(), weight)


def multiplied(weight: torch.Tensor) -> torch.Tensor:
    return functional.linear(torch.arange(300 * 512.0).reshape(300, 512).cos(), weight)


def added(weight: torch.Tensor) -> torch.Tensor:
    input = torch.arange(300 * 512.0).reshape(300, 512).cos()
    with torch.no_grad():
        return torch.addmm(torch.ones(640), input, weight.detach().requires_grad_())


CASES = {
    "convolution": (convolved, (320, 1024, 1, 1)),
    "linear": (multiplied, (640, 512)),
    "addmm": (added, (512, 640)),
}


def allocated() -> int:
    return torch.memory_stats()["allocated_bytes.current"]


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request: pytest.FixtureRequest) -> Any:
    apply, sizes = request.param
    torch.manual_seed(0)
    return apply, torch.randn(sizes)


def reads_until_kept(apply: Callable[[torch.Tensor], torch.Tensor], weight: torch.Tensor) -> int:
    """How many results are made until one of them leaves memory behind."""
    for reads in range(1, 6):
        before = allocated()
        apply(weight)
        if allocated() - before >= weight.nbytes // 2:
            return reads
    return 0


def test_forms_are_kept_from_the_second_read_on_and_change_no_bit(case: Any) -> None:
    apply, weight = case
    first = apply(weight)
    before = allocated()
    second = apply(weight)
    result = 2 * second.nbytes  # at most, in blocks of the allocator
    kept = allocated() - before
    assert kept >= weight.nbytes // 2 + result
    third = apply(weight)
    assert allocated() <= before + kept + result
    assert torch.equal(first, second) and torch.equal(first, third)


def test_forms_go_with_their_weight() -> None:
    weight = torch.randn(640, 512)
    before = allocated()
    for _ in range(3):
        multiplied(weight)
    assert allocated() > before
    del weight
    assert allocated() < before


def by_storage_item(weight: torch.Tensor) -> None:
    weight.untyped_storage()[3] = 66


def by_address(weight: torch.Tensor) -> None:
    ctypes.cast(weight.data_ptr(), ctypes.POINTER(ctypes.c_float))[5] = 2.5


def by_address_of_part(weight: torch.Tensor) -> None:
    ctypes.cast(weight.data.data_ptr(), ctypes.POINTER(ctypes.c_float))[5] = 2.5


def by_numpy(weight: torch.Tensor) -> None:
    weight.numpy()[0] = 1.5


def by_buffer(weight: torch.Tensor) -> None:
    memoryview(weight.flatten())[7] = 1.5


def by_dlpack(weight: torch.Tensor) -> None:
    torch.from_dlpack(weight).mul_(2)


def by_optimizer(weight: torch.Tensor) -> None:
    parameter = torch.nn.Parameter(weight)
    parameter.grad = torch.ones_like(parameter)
    torch.optim.SGD([parameter], lr=0.1).step()


def in_inference_mode(weight: torch.Tensor) -> None:
    with torch.inference_mode():
        weight.add_(1)


def by_other_storage(weight: torch.Tensor) -> None:
    weight.set_((weight * 2).untyped_storage(), 0, weight.size())


WRITES: dict[str, Callable[[torch.Tensor], Any]] = {
    "operator": lambda w: w.mul_(2),
    "item": lambda w: w.__setitem__(0, 1.0),
    "view": lambda w: w[1].zero_(),
    "transposed view": lambda w: w.transpose(0, 1).fill_(0.5),
    "detached": lambda w: w.detach().neg_(),
    "data": lambda w: w.data.neg_(),
    "new data": lambda w: setattr(w, "data", w * 2),
    "copy": lambda w: w.copy_(w * 2),
    "random": lambda w: w.normal_(),
    "initializer": lambda w: torch.nn.init.ones_(w),
    "out": lambda w: torch.mul(w, 2, out=w),
    "index": lambda w: w.index_fill_(0, torch.tensor([0]), 3.0),
    "mask": lambda w: w.masked_fill_(w > 0, 3.0),
    "storage fill": lambda w: w.untyped_storage().fill_(0),
    "storage copy": lambda w: w.untyped_storage().copy_((w * 2).untyped_storage()),
    "storage item": by_storage_item,
    "other storage": by_other_storage,
    "address": by_address,
    "address of data": by_address_of_part,
    "numpy": by_numpy,
    "buffer": by_buffer,
    "dlpack": by_dlpack,
    "optimizer": by_optimizer,
    "inference mode": in_inference_mode,
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_write_of_any_kind_is_seen(case: Any, write: Callable[[torch.Tensor], Any]) -> None:
    apply, weight = case
    for _ in range(3):
        before = apply(weight)
    write(weight)
    expected = apply(weight.clone())
    assert not torch.equal(before, expected)
    for _ in range(3):
        assert torch.equal(apply(weight), expected)


@pytest.mark.parametrize(
    "lend", [torch.Tensor.numpy, memoryview, lambda w: w.data], ids=["numpy", "buffer", "data"]
)
def test_nothing_is_kept_of_memory_that_others_see(case: Any, lend: Callable[[torch.Tensor], Any]) -> None:
    apply, weight = case
    lent = lend(weight)
    assert reads_until_kept(apply, weight) == 0
    del lent
    assert reads_until_kept(apply, weight) == 2


def test_nothing_is_kept_once_the_address_is_known(case: Any) -> None:
    apply, weight = case
    weight.data_ptr()
    assert reads_until_kept(apply, weight) == 0


def test_a_write_makes_the_next_read_the_first(case: Any) -> None:
    apply, weight = case
    assert reads_until_kept(apply, weight) == 2
    weight.add_(1)
    assert reads_until_kept(apply, weight) == 2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_forms_of_half_types_tell_depths_apart(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    rows, whole = torch.randn(300, 512).to(dtype), torch.randn(640, 512).to(dtype)
    for depth in (512, 511, 510, 509):
        weight = whole[:, :depth]
        expected = functional.linear(rows[:, :depth], weight.clone())
        for _ in range(3):
            assert torch.equal(functional.linear(rows[:, :depth], weight), expected)
    assert reads_until_kept(lambda w: functional.linear(rows, w), whole.clone()) == 2


def test_modules_that_were_moved_and_loaded_keep_forms() -> None:
    layer = torch.nn.Conv2d(1024, 320, 1).eval().to("cpu").float()
    layer.load_state_dict(layer.state_dict())
    image = torch.ones(1, 1024, 23, 23)
    with torch.no_grad():
        layer(image)
        before = allocated()
        result = layer(image)
    assert allocated() - before - result.nbytes >= layer.weight.nbytes // 2


def test_training_keeps_nothing() -> None:
    layer = torch.nn.Conv2d(1024, 320, 1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    image = torch.ones(1, 1024, 23, 23)
    used = []
    for _ in range(4):
        optimizer.zero_grad()
        layer(image).sum().backward()
        optimizer.step()
        used.append(allocated())
    assert used[1] == used[3]


def test_forms_of_all_weights_are_bounded() -> None:
    bound = 256 << 20
    weights = [torch.zeros(4096, 4096) for _ in range(6)]  # of 64 MB
    rows = torch.ones(300, 4096)
    for weight in weights:
        assert reads_until_kept(lambda w: functional.linear(rows, w), weight) in (0, 2)
    kept = allocated() - sum(weight.nbytes for weight in weights)
    assert kept <= bound + (64 << 20)


def test_threads_share_the_forms_of_a_weight(case: Any) -> None:
    apply, weight = case
    expected = apply(weight)
    results: list[torch.Tensor] = []
    threads = [
        threading.Thread(target=lambda: results.extend(apply(weight) for _ in range(4))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 16 and all(torch.equal(result, expected) for result in results)
