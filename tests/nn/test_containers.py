"""Containers against PyTorch's: printing, list and dictionary behaviour, errors and their wording."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest

from tests.outcomes import assert_same


def sequence(m: Any) -> Any:
    return m.nn.Sequential(m.nn.ReLU(), m.nn.Tanh(), m.nn.Sigmoid())


def items(m: Any) -> Any:
    return m.nn.ModuleList([m.nn.ReLU(), m.nn.ReLU(), m.nn.Linear(2, 2), m.nn.Linear(2, 3)])


def table(m: Any) -> Any:
    return m.nn.ModuleDict({"b": m.nn.ReLU(), "a": m.nn.Tanh()})


def changed(container: Any, change: Callable[[Any], Any]) -> str:
    change(container)
    return repr(container)


CASES = {
    "sequence": lambda m: repr(sequence(m)),
    "sequence by names": lambda m: repr(m.nn.Sequential(OrderedDict(x=m.nn.ReLU(), y=m.nn.Tanh()))),
    "sequence of number": lambda m: m.nn.Sequential(3),
    "sequence index": lambda m: repr(sequence(m)[-1]),
    "sequence slice": lambda m: repr(sequence(m)[1:]),
    "sequence index out of range": lambda m: sequence(m)[5],
    "sequence index of text": lambda m: sequence(m)["a"],
    "sequence set": lambda m: changed(sequence(m), lambda s: s.__setitem__(0, m.nn.ELU())),
    "sequence delete": lambda m: changed(sequence(m), lambda s: s.__delitem__(0)),
    "sequence delete slice": lambda m: changed(sequence(m), lambda s: s.__delitem__(slice(0, 2))),
    "sequence append": lambda m: changed(sequence(m), lambda s: s.append(m.nn.ELU())),
    "sequence append number": lambda m: sequence(m).append(3),
    "sequence extend": lambda m: changed(sequence(m), lambda s: s.extend([m.nn.ELU()])),
    "sequence insert": lambda m: changed(sequence(m), lambda s: s.insert(1, m.nn.ELU())),
    "sequence insert far": lambda m: sequence(m).insert(9, m.nn.ELU()),
    "sequence pop": lambda m: changed(sequence(m), lambda s: s.pop(1)),
    "sequence plus": lambda m: repr(sequence(m) + sequence(m)),
    "sequence plus number": lambda m: sequence(m) + 3,
    "sequence times": lambda m: repr(2 * sequence(m)),
    "sequence times zero": lambda m: sequence(m) * 0,
    "sequence times text": lambda m: sequence(m) * "a",
    "list": lambda m: repr(items(m)),
    "list empty": lambda m: repr(m.nn.ModuleList()),
    "list index": lambda m: repr(items(m)[-1]),
    "list index out of range": lambda m: items(m)[9],
    "list slice": lambda m: repr(items(m)[1:3]),
    "list extend number": lambda m: items(m).extend(3),
    "list append number": lambda m: items(m).append(3),
    "list insert": lambda m: changed(items(m), lambda s: s.insert(1, m.nn.ELU())),
    "list delete": lambda m: changed(items(m), lambda s: s.__delitem__(1)),
    "list pop": lambda m: changed(items(m), lambda s: s.pop(0)),
    "list plus": lambda m: repr(items(m) + items(m)),
    "list call": lambda m: items(m)(1),
    "table": lambda m: repr(table(m)),
    "table keys": lambda m: list(table(m)),
    "table missing": lambda m: table(m)["z"],
    "table update": lambda m: changed(table(m), lambda t: t.update([("c", m.nn.ELU()), ("a", m.nn.ELU())])),
    "table update number": lambda m: table(m).update(3),
    "table update flat": lambda m: table(m).update([3]),
    "table update long": lambda m: table(m).update([(1, 2, 3)]),
    "table pop": lambda m: changed(table(m), lambda t: t.pop("b")),
    "table clear": lambda m: changed(table(m), lambda t: t.clear()),
    "parameters": lambda m: repr(m.nn.ParameterList([m.zeros(2), m.nn.Parameter(m.zeros(2, 3)), 3])),
    "parameters state": lambda m: list(m.nn.ParameterList([m.zeros(2), m.zeros(3)]).state_dict()),
    "parameters of number": lambda m: m.nn.ParameterList(3),
    "parameters index": lambda m: m.nn.ParameterList([m.zeros(2)])[3],
    "parameter table": lambda m: repr(m.nn.ParameterDict({"b": m.zeros(2), "a": 3})),
    "parameter table keys": lambda m: list(m.nn.ParameterDict({"b": m.zeros(2), "a": m.zeros(1)}).keys()),
    "parameter table of number": lambda m: m.nn.ParameterDict(3),
    "parameter table or": lambda m: list(
        (m.nn.ParameterDict({"b": m.zeros(2)}) | m.nn.ParameterDict({"a": m.zeros(1)})).keys()
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_container(case: Callable[[Any], Any]) -> None:
    assert_same(case)
