"""Every native operator gives on meta tensors the shapes and dtypes that it gives on real ones."""

from __future__ import annotations

import warnings

import pytest
import rushlight
import torch

from rushlight import _C

from .check import flatten
from .translate import SEED, TensorCopier, translate
from .worklist import counterpart, entries

SAMPLES = 5

# What these give depends on the values, which meta tensors do not have.
_NEED_VALUES = {
    "__getitem__",
    "allclose",
    "argwhere",
    "bernoulli",
    "bincount",
    "equal",
    "histc",
    "index_put",
    "item",
    "linspace.tensor_overload",
    "logspace.tensor_overload",
    "masked.median",
    "masked_select",
    "multinomial",
    "narrow",
    "nonzero",
    "repeat_interleave",
    "to",
    "unique",
    "unique_consecutive",
}
# Its samples look at storage outside the tensor, which copying to meta leaves behind.
_NEED_STORAGE = {"as_strided.partial_views"}


class MetaCopier(TensorCopier):
    """Copies into Rushlight without memory."""

    def __init__(self) -> None:
        super().__init__(rushlight)

    def _copy(self, tensor: torch.Tensor) -> rushlight.Tensor:
        return super()._copy(tensor).to("meta")


def native_entries() -> dict[str, object]:
    native = {operator["name"] for operator in _C._operators()}
    return {
        name: entry
        for name, entry in entries().items()
        if entry.name.rsplit(".", 1)[-1] in native
        and not {name, entry.name} & (_NEED_VALUES | _NEED_STORAGE)
        and torch.float32 in entry.supported_dtypes("cpu")
        and counterpart(entry) is not None
    }


_ENTRIES = native_entries()


def described(output: object) -> list[object]:
    """Shapes and dtypes of the tensors of an output; its other parts as they are."""
    return [
        (tuple(item.shape), str(item.dtype)) if isinstance(item, rushlight.Tensor) else item
        for item in flatten(output)
    ]


@pytest.mark.parity
@pytest.mark.parametrize("name", _ENTRIES)
def test_shapes_without_memory(name: str) -> None:
    entry = _ENTRIES[name]
    function = counterpart(entry)
    torch.manual_seed(SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        samples = list(entry.sample_inputs("cpu", torch.float32, requires_grad=False))[:SAMPLES]
        for sample in samples:
            parts = (sample.input, sample.args, sample.kwargs)
            input, args, kwargs = translate(parts, TensorCopier(rushlight))
            expected = described(function(input, *args, **kwargs))
            input, args, kwargs = translate(parts, MetaCopier())
            assert described(function(input, *args, **kwargs)) == expected
