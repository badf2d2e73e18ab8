"""The comparison itself: it catches a wrong value, a wrong gradient, a crash and a hang, each on its own entry."""

import os
import signal
import time

import pytest
import rushlight

from .process import report
from .worklist import entries


def compare(name: str, limit: float = 60.0):
    return report(entries()[name], cap=2, limit=limit)


def test_a_right_operator_passes():
    result = compare("sin")
    assert result.passes, result.message


def test_a_wrong_value_is_caught(monkeypatch):
    right = rushlight.sin
    monkeypatch.setattr(rushlight, "sin", lambda *args, **kwargs: right(*args, **kwargs) * (1 + 1e-4))
    result = compare("sin")
    assert not result.passes
    assert "not close" in result.message


def test_a_wrong_gradient_is_caught(monkeypatch):
    right = rushlight.sin

    def without_gradient(input, **kwargs):
        return right(input.detach(), **kwargs) + 0 * input

    monkeypatch.setattr(rushlight, "sin", without_gradient)
    result = compare("sin")
    float64 = next(outcome for outcome in result.outcomes if outcome.dtype == "float64")
    assert float64.grad is False
    assert any("gradient of input 0" in message for message in float64.messages)


def test_a_crash_is_one_entrys_failure(monkeypatch):
    monkeypatch.setattr(rushlight, "sin", lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL))
    assert "SIGKILL" in compare("sin").message


def test_a_hang_is_ended(monkeypatch):
    monkeypatch.setattr(rushlight, "sin", lambda *args, **kwargs: time.sleep(60))
    assert "time limit" in compare("sin", limit=1.0).message


@pytest.mark.parametrize("name", ["jiterator_unary", "torch._scaled_mm"])
def test_what_is_absent_does_not_pass(name):
    from .worklist import counterpart

    assert counterpart(entries()[name]) is None
