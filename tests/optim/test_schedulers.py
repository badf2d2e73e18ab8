"""Learning rate schedules against PyTorch's: rates, momenta, states, warnings and errors."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch as pytorch

import rushlight
from tests.outcomes import assert_same

SCHEDULES = {
    "StepLR": lambda o, s: s.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda o, s: s.MultiStepLR(o, [2, 2, 5], 0.5),
    "ExponentialLR": lambda o, s: s.ExponentialLR(o, 0.9),
    "CosineAnnealingLR": lambda o, s: s.CosineAnnealingLR(o, 4, 0.01),
    "LinearLR": lambda o, s: s.LinearLR(o, 0.3, 0.9, 4),
    "ConstantLR": lambda o, s: s.ConstantLR(o, 0.5, 3),
    "LambdaLR": lambda o, s: s.LambdaLR(o, lambda e: 0.9**e),
    "LambdaLR each": lambda o, s: s.LambdaLR(o, [lambda e: 0.9**e, lambda e: 0.5]),
    "MultiplicativeLR": lambda o, s: s.MultiplicativeLR(o, lambda e: 0.9),
    "PolynomialLR": lambda o, s: s.PolynomialLR(o, 5, 2.0),
    "CosineAnnealingWarmRestarts": lambda o, s: s.CosineAnnealingWarmRestarts(o, 2, 2, 0.01),
    "CyclicLR": lambda o, s: s.CyclicLR(o, 0.01, 0.1, 3, 4),
    "CyclicLR triangular2": lambda o, s: s.CyclicLR(
        o, [0.01, 0.02], 0.1, 3, mode="triangular2", cycle_momentum=False
    ),
    "CyclicLR exp_range": lambda o, s: s.CyclicLR(o, 0.01, 0.1, 3, mode="exp_range", gamma=0.9),
    "CyclicLR of one's own": lambda o, s: s.CyclicLR(
        o, 0.01, 0.1, 3, scale_fn=lambda x: 1 / x, scale_mode="cycle"
    ),
    "OneCycleLR": lambda o, s: s.OneCycleLR(o, 0.3, total_steps=13),
    "OneCycleLR three": lambda o, s: s.OneCycleLR(
        o, [0.3, 0.2], epochs=13, steps_per_epoch=1, three_phase=True, anneal_strategy="linear"
    ),
    "SequentialLR": lambda o, s: s.SequentialLR(
        o, [s.ConstantLR(o, 0.1, 3), s.ExponentialLR(o, 0.9), s.StepLR(o, 2, 0.5)], [3, 7]
    ),
    "ChainedScheduler": lambda o, s: s.ChainedScheduler([s.ConstantLR(o, 0.1, 3), s.ExponentialLR(o, 0.9)]),
    "ReduceLROnPlateau": lambda o, s: s.ReduceLROnPlateau(o, patience=1, cooldown=1),
    "ReduceLROnPlateau max": lambda o, s: s.ReduceLROnPlateau(o, "max", 0.5, 0, 0.1, "abs", 0, [0.01, 0.02]),
}
HAS_CLOSED_FORM = ("StepLR", "MultiStepLR", "ExponentialLR", "CosineAnnealingLR", "LinearLR", "PolynomialLR")


def optimizer_of(m: Any, kind: str) -> Any:
    first, second = m.ones(2, requires_grad=True), m.ones(3, requires_grad=True)
    groups = [{"params": [first]}, {"params": [second], "lr": 0.05}]
    return m.optim.SGD(groups, lr=0.1, momentum=0.9) if kind == "SGD" else m.optim.Adam(groups, lr=0.1)


def history(m: Any, name: str, kind: str, steps_optimizer: bool) -> list[Any]:
    """Everything that can be seen over twelve epochs, with a checkpoint taken and loaded on the way."""
    optimizer, seen = optimizer_of(m, kind), []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scheduler = SCHEDULES[name](optimizer, m.optim.lr_scheduler)
        seen.append(copy.deepcopy(scheduler.state_dict()))
        for epoch in range(12):
            if steps_optimizer:
                optimizer.step()
            scheduler.step(*([1 / (1 + epoch % 4)] if "Plateau" in name else []))
            seen.append([(g["lr"], g.get("momentum", g.get("betas"))) for g in optimizer.param_groups])
            seen.append(scheduler.get_last_lr())
            if epoch == 5:
                scheduler.load_state_dict(copy.deepcopy(scheduler.state_dict()))
        seen.append(copy.deepcopy(scheduler.state_dict()))
        if name in HAS_CLOSED_FORM:
            scheduler.step(2)
            seen.append(scheduler.get_last_lr())
    return [*seen, [(one.category.__name__, str(one.message)) for one in caught]]


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule(name: str, kind: str) -> None:
    assert history(rushlight, name, kind, True) == history(pytorch, name, kind, True)


def test_warning_of_order() -> None:
    ours, theirs = (history(m, "StepLR", "SGD", False)[-1] for m in (rushlight, pytorch))
    assert ours == theirs


def sgd(m: Any, **settings: Any) -> Any:
    return m.optim.SGD([m.ones(1, requires_grad=True)], **settings)


def schedulers(m: Any) -> Any:
    return m.optim.lr_scheduler


ERRORS = {
    "not an optimizer": lambda m: schedulers(m).StepLR(3, 1),
    "resumed": lambda m: schedulers(m).StepLR(sgd(m), 1, last_epoch=1),
    "functions": lambda m: schedulers(m).LambdaLR(sgd(m), [lambda e: 1, lambda e: 2]),
    "no schedulers": lambda m: schedulers(m).SequentialLR(sgd(m), [], []),
    "nothing chained": lambda m: schedulers(m).ChainedScheduler([]),
    "milestones": lambda m: (lambda o: schedulers(m).SequentialLR(o, [schedulers(m).StepLR(o, 1)], [1]))(
        sgd(m)
    ),
    "constant": lambda m: schedulers(m).ConstantLR(sgd(m), 2),
    "linear start": lambda m: schedulers(m).LinearLR(sgd(m), 2),
    "linear end": lambda m: schedulers(m).LinearLR(sgd(m), 0.5, -1),
    "restarts": lambda m: schedulers(m).CosineAnnealingWarmRestarts(sgd(m), 0),
    "restart factor": lambda m: schedulers(m).CosineAnnealingWarmRestarts(sgd(m), 1, 0),
    "restart before 0": lambda m: schedulers(m).CosineAnnealingWarmRestarts(sgd(m), 1).step(-1),
    "plateau factor": lambda m: schedulers(m).ReduceLROnPlateau(sgd(m), factor=2),
    "plateau mode": lambda m: schedulers(m).ReduceLROnPlateau(sgd(m), mode="foo"),
    "plateau threshold": lambda m: schedulers(m).ReduceLROnPlateau(sgd(m), threshold_mode="foo"),
    "plateau least": lambda m: schedulers(m).ReduceLROnPlateau(sgd(m), min_lr=[1, 2]),
    "one cycle": lambda m: schedulers(m).OneCycleLR(sgd(m), 0.1),
    "one cycle steps": lambda m: schedulers(m).OneCycleLR(sgd(m), 0.1, total_steps=0),
    "one cycle part": lambda m: schedulers(m).OneCycleLR(sgd(m), 0.1, total_steps=10, pct_start=2),
    "one cycle strategy": lambda m: schedulers(m).OneCycleLR(
        sgd(m), 0.1, total_steps=10, anneal_strategy="foo"
    ),
    "one cycle rates": lambda m: schedulers(m).OneCycleLR(sgd(m), [0.1, 0.2], total_steps=10),
    "one cycle too long": lambda m: [
        schedule.step()
        for schedule in [schedulers(m).OneCycleLR(sgd(m), 0.1, total_steps=2)]
        for _ in range(3)
    ],
    "cyclic momentum": lambda m: schedulers(m).CyclicLR(
        m.optim.Adagrad([m.ones(1, requires_grad=True)]), 0.1, 0.2
    ),
    "cyclic mode": lambda m: schedulers(m).CyclicLR(sgd(m), 0.1, 0.2, mode="foo"),
}


@pytest.mark.parametrize("case", ERRORS.values(), ids=ERRORS.keys())
def test_error(case: Callable[[Any], Any]) -> None:
    assert_same(case)
