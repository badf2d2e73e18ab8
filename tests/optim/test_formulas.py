"""Formulas of optimizers: the same numbers by programs and by tensors, in every dtype and layout."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch as pytorch
from torch.testing import assert_close

import rushlight
from tests.translation import to_pytorch

SETTINGS: dict[str, list[dict[str, Any]]] = {
    "ASGD": [{}, {"lambd": 0.1, "t0": 1}],
    "SGD": [{}, {"momentum": 0.9, "dampening": 0.1}, {"momentum": 0.9, "nesterov": True}],
    "Adadelta": [{}],
    "Adagrad": [{}, {"lr_decay": 0.1, "initial_accumulator_value": 0.5}],
    "Adam": [{}, {"amsgrad": True}, {"betas": (0.4, 0.9)}],
    "AdamW": [{}, {"amsgrad": True}],
    "Adamax": [{}],
    "NAdam": [{}, {"decoupled_weight_decay": True}],
    "RAdam": [{}, {"decoupled_weight_decay": True}],
    "RMSprop": [{}, {"centered": True}, {"momentum": 0.9}],
    "Rprop": [{}],
}
CASES = [(name, settings) for name, several in SETTINGS.items() for settings in several]


def assert_same_numbers(found: Any, wanted: Any, **tolerance: float) -> None:
    assert_close(to_pytorch(found.detach()), to_pytorch(wanted.detach()), **tolerance)


def parameters(dtype: Any) -> list[Any]:
    """Of several layouts, with gradients."""
    rushlight.manual_seed(0)
    made = [
        rushlight.randn(3, 4),
        rushlight.randn(4, 6).t(),
        rushlight.randn(()),
        rushlight.randn(40, 3)[:, 1:],
    ]
    made = [one.to(dtype) for one in made]
    for one in made:
        one.grad = rushlight.randn(one.shape).to(dtype)
    return made


def steps(name: str, settings: dict[str, Any], dtype: Any, count: int, **more: Any) -> tuple[list[Any], Any]:
    moved = parameters(dtype)
    optimizer = getattr(rushlight.optim, name)(moved, **settings, **more)
    for _ in range(count):
        optimizer.step()
        for one in moved:
            one.grad = one.grad * -0.75
    return moved, optimizer.state_dict()["state"]


@pytest.mark.parametrize(("name", "settings"), CASES)
@pytest.mark.parametrize("common", [{}, {"maximize": True, "weight_decay": 0.1}], ids=["", "decay"])
def test_programs_give_what_tensors_give(name: str, settings: dict[str, Any], common: dict[str, Any]) -> None:
    if name == "Rprop":
        common = {key: value for key, value in common.items() if key != "weight_decay"}
    # float16 alone is no type to compare in: programs do not round between operators.
    for dtype in (rushlight.float64, rushlight.float32, rushlight.complex64):
        found, state = steps(name, {**settings, **common}, dtype, 7)
        wanted, their_state = steps(name, {**settings, **common}, dtype, 7, differentiable=True)
        for one, other in zip(found, wanted, strict=True):
            assert_same_numbers(one, other, rtol=1e-5, atol=1e-6)
        for number, entries in their_state.items():
            assert list(state[number]) == list(entries)
            for key, value in entries.items():
                assert_same_numbers(state[number][key], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "settings"), CASES)
@pytest.mark.parametrize("dtype", [rushlight.float16, rushlight.bfloat16], ids=str)
def test_half_types_round_once(name: str, settings: dict[str, Any], dtype: Any) -> None:
    settings = {"lr": 0.05, "eps": 1e-3, **settings}
    if name in ("SGD", "ASGD", "Rprop"):
        del settings["eps"]
    found, _ = steps(name, settings, dtype, 1)
    exact = [one.float() for one in parameters(dtype)]
    for one, half in zip(exact, parameters(dtype), strict=True):
        one.grad = half.grad.float()
    getattr(rushlight.optim, name)(exact, **settings).step()
    for one, other in zip(found, exact, strict=True):
        assert one.dtype == dtype
        unit = 2.0**-10 if dtype is rushlight.float16 else 2.0**-7
        assert_same_numbers(one.float(), other, rtol=unit, atol=1e-6)


def test_counts_that_differ_step_apart() -> None:
    moved = parameters(rushlight.float32)
    optimizer = rushlight.optim.NAdam(moved)
    optimizer.step()
    kept, moved[1].grad = moved[1].grad, None
    optimizer.step()
    moved[1].grad = kept
    optimizer.step()
    state = optimizer.state
    assert [state[one]["step"].item() for one in moved] == [3, 2, 3, 3]
    products = [state[one]["mu_product"].item() for one in moved]
    assert products[0] == products[2] == products[3] != products[1]


def test_rates_that_are_tensors_pass_gradients() -> None:
    for name in ("SGD", "Adam", "AdamW"):
        rate = rushlight.tensor(0.1, requires_grad=True)
        weight = rushlight.ones(3, requires_grad=True).clone()
        optimizer = getattr(rushlight.optim, name)([weight], lr=rate, differentiable=True)
        for _ in range(2):
            weight.grad = rushlight.tensor([1.0, 2.0, 3.0])
            optimizer.step()
        weight.sum().backward()
        assert rate.grad is not None and rate.grad.item() < -1


def test_parameters_beside_one_another_in_memory() -> None:
    flat = rushlight.ones(200000)
    halves = [flat[:100000].requires_grad_(), flat[100000:].requires_grad_()]
    for half in halves:
        half.grad = rushlight.ones(100000)
    rushlight.optim.SGD(halves, lr=0.5).step()
    assert (flat == 0.5).all()


def test_a_kept_program_follows_the_settings() -> None:
    """Groups of different settings, settings that change, and a state that appears: SGD keeps its programs."""
    results = []
    for torch in (pytorch, rushlight):
        torch.manual_seed(0)
        first, second = (torch.nn.Parameter(torch.randn(5)) for _ in range(2))
        groups = [{"params": [first], "lr": 0.1}, {"params": [second], "lr": 0.2, "weight_decay": 0.1}]
        optimizer = torch.optim.SGD(groups, momentum=0.9)
        for step in range(6):
            first.grad, second.grad = first.detach() * 2, second.detach() + 1
            optimizer.step()
            optimizer.param_groups[0]["lr"] *= 0.5
            if step == 3:
                optimizer.param_groups[1]["nesterov"] = True
                optimizer = copy.deepcopy(optimizer)
                first, second = (group["params"][0] for group in optimizer.param_groups)
        results.append([first.tolist(), second.tolist()])
    for theirs, mine in zip(*results, strict=True):
        assert mine == pytest.approx(theirs)
