"""Bad input of op_db's `error_inputs`: the exception is of PyTorch's type and says what PyTorch's own tests look for."""

from __future__ import annotations

import re
from typing import Any

import pytest

import rushlight

from .check import Call
from .worklist import counterpart, entries

# Samples, by their place in the entry's list, that go otherwise here, and why.
_ACCEPTED = "accepted: the result is computed before it is written, or cast, so `out=` may be any such tensor"
_NUMBERS = "two numbers for two tensors are taken as numbers, or the sample is one that PyTorch itself takes"
_DIRECT = "says which argument is wrong in words of its own"
DEPARTURES: dict[str, tuple[set[int], str]] = {
    "aminmax": ({3}, _ACCEPTED),
    "gather": ({1, 6, 7}, _ACCEPTED),
    "index_select": ({0}, _ACCEPTED),
    "kthvalue": ({0}, _ACCEPTED),
    "masked_select": ({1, 2}, _ACCEPTED),
    "take": ({1, 2}, _ACCEPTED),
    "cat": ({6, 7, 8}, _ACCEPTED),
    "multinomial": ({2, 14, 15, 16, 17}, f"{_ACCEPTED}; impossible probabilities: {_DIRECT}"),
    "clamp_max": ({0}, _NUMBERS),
    "clamp_min": ({0}, _NUMBERS),
    "bitwise_left_shift": ({0}, _NUMBERS),
    "bitwise_right_shift": ({0}, _NUMBERS),
    "bitwise_and": ({0}, _NUMBERS),
    "bitwise_or": ({0}, _NUMBERS),
    "bitwise_xor": ({0}, _NUMBERS),
    "remainder": ({0}, _NUMBERS),
    "xlogy": ({0}, _NUMBERS),
    "special.xlog1py": ({0}, _NUMBERS),
    "special.zeta": ({0}, _NUMBERS),
    "arange": ({6}, "PyTorch itself raises RuntimeError here"),
    "linspace": ({1}, _DIRECT),
    "linspace.tensor_overload": ({1}, _DIRECT),
    "logspace": ({1}, _DIRECT),
    "logspace.tensor_overload": ({1}, _DIRECT),
    "narrow_copy": ({1, 6}, _DIRECT),
    "amax": ({5}, _DIRECT),
    "amin": ({5}, _DIRECT),
    "nn.functional.adaptive_max_pool2d": ({1}, _DIRECT),
    "nn.functional.adaptive_max_pool3d": ({1}, _DIRECT),
    "gradient": ({3, 10, 17}, "the harness does not copy tensors on another device"),
    "nn.functional.max_pool1d": ({7, 8, 10, 11, 12, 13, 14}, _DIRECT),
}
DEPARTURES |= {
    name: ({1}, "names a layout, sparse_coo, that does not exist here")
    for name in entries()
    if name.startswith("signal.windows.")
}

_WITH_ERRORS = [
    name
    for name, entry in entries().items()
    if entry.error_inputs_func is not None and counterpart(entry) is not None
]


@pytest.mark.parametrize("name", _WITH_ERRORS)
def test_bad_input(name: str) -> None:
    entry: Any = entries()[name]
    departing, _ = DEPARTURES.get(name, (set(), ""))
    for index, case in enumerate(entry.error_inputs("cpu")):
        if index in departing:
            continue
        with pytest.raises(Exception) as caught:
            Call(rushlight, counterpart(entry), case.sample_input).run()
        assert isinstance(caught.value, case.error_type), f"sample {index}: {caught.value!r}"
        assert re.search(case.error_regex, str(caught.value)), f"sample {index}: {caught.value}"
