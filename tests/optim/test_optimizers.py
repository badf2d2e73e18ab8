"""Every optimizer against PyTorch's, over PyTorch's own settings: trajectories, state, checkpoints, errors."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch as pytorch
from torch.testing import assert_close
from torch.testing._internal.common_optimizers import optim_db

import rushlight
from tests.outcomes import assert_same
from tests.translation import to_pytorch, to_rushlight

OPTIMIZERS = [info for info in optim_db if hasattr(rushlight.optim, info.optim_cls.__name__)]


def problem(m: Any, complex_too: bool) -> tuple[list[Any], Callable[[], Any]]:
    """Parameters of several layouts, and a loss that pulls them to targets."""
    m.manual_seed(0)
    parameters = [m.randn(3, 4), m.randn(5), m.randn(300, 70), m.randn(2, dtype=m.float64)]
    if complex_too:
        parameters += [m.randn(2, dtype=m.complex64), m.randn(4, 6).t()]
    parameters = [one.requires_grad_() for one in parameters]
    targets = [m.randn_like(one).detach() for one in parameters]

    def loss() -> Any:
        total = 0
        for one, target in zip(parameters, targets, strict=True):
            distance = (one - target).abs()
            total = total + (distance**2).sum() + 0.1 * (distance**4).sum()
        return total

    return parameters, loss


def trajectory(m: Any, name: str, settings: dict[str, Any]) -> tuple[list[Any], Any]:
    """Eight steps, one of them without one of the gradients, with a checkpoint taken and loaded on the way."""
    parameters, loss = problem(m, complex_too=name != "LBFGS")
    optimizer = getattr(m.optim, name)(parameters, **settings)

    def closure() -> Any:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    for step in range(8):
        if name == "LBFGS":
            optimizer.step(closure)
        else:
            closure()
            if step == 2:
                parameters[1].grad = None
            optimizer.step()
        if step == 4:
            state = copy.deepcopy(optimizer.state_dict())
            optimizer = getattr(m.optim, name)(parameters, **settings)
            optimizer.load_state_dict(state)
    return parameters, optimizer


def attempted(m: Any, name: str, settings: dict[str, Any]) -> Any:
    try:
        return trajectory(m, name, settings)
    except Exception as error:
        return error


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("info", OPTIMIZERS, ids=lambda info: info.optim_cls.__name__)
def test_optimizer(info: Any) -> None:
    name = info.optim_cls.__name__
    for sample in info.optim_inputs_func(device="cpu"):
        theirs = attempted(pytorch, name, sample.kwargs)
        ours = attempted(rushlight, name, to_rushlight(sample.kwargs))
        if isinstance(theirs, Exception) or isinstance(ours, Exception):
            assert (type(ours), str(ours)) == (type(theirs), str(theirs)), sample.kwargs
            continue
        (parameters, optimizer), (their_parameters, their_optimizer) = ours, theirs
        assert_close(
            to_pytorch(parameters),
            [one.detach() for one in their_parameters],
            rtol=1e-3,
            atol=1e-4,
            msg=str(sample.kwargs),
        )
        assert repr(optimizer) == repr(their_optimizer)
        assert_same_state(
            to_pytorch(optimizer.state_dict()["state"]), their_optimizer.state_dict()["state"], name
        )


def assert_same_state(ours: dict, theirs: dict, name: str) -> None:
    assert list(ours) == list(theirs)
    for number, state in theirs.items():
        assert set(ours[number]) == set(state)
        if name != "LBFGS":  # whose state keeps numbers where PyTorch's keeps tensors of one
            assert list(ours[number]) == list(state)
            assert_close(ours[number], state, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"])
def test_checkpoints_interchange(name: str) -> None:
    settings = {"lr": 0.01, "momentum": 0.9} if name in ("SGD", "RMSprop") else {"lr": 0.01}
    parameters, optimizer = trajectory(pytorch, name, settings)
    ours = [to_rushlight(one.detach()).requires_grad_() for one in parameters]
    own = getattr(rushlight.optim, name)(ours, **settings)
    own.load_state_dict(to_rushlight(optimizer.state_dict()))
    for mine, their in zip(ours, parameters, strict=True):
        mine.grad, their.grad = rushlight.ones_like(mine), pytorch.ones_like(their)
    own.step()
    optimizer.step()
    assert_close(to_pytorch(ours), [one.detach() for one in parameters], rtol=1e-4, atol=1e-6)


def one(m: Any) -> Any:
    return m.nn.Parameter(m.ones(2))


def two(m: Any) -> list[Any]:
    return [m.nn.Parameter(m.ones(2)), m.nn.Parameter(m.ones(3))]


ERRORS = {
    "nothing": lambda m: m.optim.SGD([]),
    "tensor": lambda m: m.optim.SGD(one(m)),
    "number": lambda m: m.optim.SGD([3]),
    "not a leaf": lambda m: m.optim.SGD([one(m) * 2]),
    "twice": lambda m: (lambda p: repr(m.optim.SGD([p, p])))(one(m)),
    "two groups": lambda m: (lambda p: m.optim.SGD([{"params": p}, {"params": [p]}]))(one(m)),
    "set": lambda m: m.optim.SGD([{"params": {one(m)}}]),
    "half named": lambda m: m.optim.SGD([("a", one(m)), one(m)]),
    "named": lambda m: m.optim.SGD([("a", one(m)), ("b", one(m))]).state_dict()["param_groups"],
    "no params": lambda m: m.optim.SGD([{"p": 3}]),
    "negative rate": lambda m: m.optim.SGD([one(m)], lr=-1),
    "rate of two": lambda m: m.optim.SGD([one(m)], lr=m.ones(2)),
    "negative momentum": lambda m: m.optim.SGD([one(m)], momentum=-1),
    "negative decay": lambda m: m.optim.SGD([one(m)], weight_decay=-1),
    "nesterov": lambda m: m.optim.SGD([one(m)], nesterov=True),
    "fused and foreach": lambda m: m.optim.Adam([one(m)], fused=True, foreach=True),
    "fused and differentiable": lambda m: m.optim.Adam([one(m)], fused=True, differentiable=True),
    "betas": lambda m: m.optim.Adam([one(m)], betas=(1, 0.9)),
    "eps": lambda m: m.optim.Adam([one(m)], eps=-1),
    "capturable": lambda m: _step(m.optim.Adam, m, capturable=True),
    "rho": lambda m: m.optim.Adadelta([one(m)], rho=2),
    "etas": lambda m: m.optim.Rprop([one(m)], etas=(2, 1)),
    "groups of LBFGS": lambda m: m.optim.LBFGS([{"params": [one(m)]}, {"params": [one(m)]}]),
    "group of number": lambda m: m.optim.SGD([one(m)]).add_param_group(3),
    "other groups": lambda m: m.optim.SGD([one(m)]).load_state_dict({"state": {}, "param_groups": []}),
    "other sizes": lambda m: m.optim.SGD([one(m)]).load_state_dict(
        {"state": {}, "param_groups": [{"params": [0, 1]}]}
    ),
    "no step": lambda m: m.optim.Optimizer([one(m)], {}).step(),
    "repr": lambda m: repr(m.optim.AdamW([{"params": one(m)}, {"params": one(m), "lr": 0.5}])),
}


def _step(kind: Any, m: Any, **settings: Any) -> None:
    parameter = one(m)
    parameter.grad = m.ones(2)
    kind([parameter], **settings).step()


@pytest.mark.parametrize("case", ERRORS.values(), ids=ERRORS.keys())
def test_construction(case: Callable[[Any], Any]) -> None:
    assert_same(case)


def test_hooks() -> None:
    def case(m: Any) -> Any:
        parameter, notes = one(m), []
        optimizer = m.optim.SGD([parameter], lr=0.5)
        optimizer.register_step_pre_hook(lambda *seen: notes.append(("before", seen[1:])))
        optimizer.register_step_post_hook(lambda *seen: notes.append(("after", seen[1:])))
        optimizer.register_state_dict_post_hook(lambda own, state: {**state, "more": 1})
        handle = optimizer.register_load_state_dict_post_hook(lambda own: notes.append("loaded"))
        optimizer.step()
        optimizer.load_state_dict(optimizer.state_dict())
        handle.remove()
        return notes, sorted(optimizer.state_dict())

    assert_same(case)


def test_differentiable_step_passes_gradients() -> None:
    def case(m: Any) -> Any:
        rate = m.tensor(0.1, requires_grad=True)
        start = m.ones(3, requires_grad=True)
        parameter = start.clone()
        parameter.grad = m.tensor([1.0, 2.0, 3.0])
        m.optim.SGD([parameter], lr=0.1, differentiable=True).step()
        (parameter * rate).sum().backward()
        return start.grad.tolist()

    assert_same(case)


def test_zero_grad() -> None:
    parameter = rushlight.ones(2, requires_grad=True)
    parameter.grad = rushlight.ones(2)
    optimizer = rushlight.optim.SGD([parameter])
    optimizer.zero_grad(set_to_none=False)
    assert parameter.grad.tolist() == [0.0, 0.0]
    optimizer.zero_grad()
    assert parameter.grad is None


def test_step_counts_as_a_change_of_the_parameter() -> None:
    weight = rushlight.ones(2, requires_grad=True)
    loss = (weight * weight).sum()
    weight.grad = rushlight.ones(2)
    rushlight.optim.SGD([weight], lr=0.1).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
