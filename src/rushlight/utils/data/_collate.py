"""Joining samples into batches of tensors, and turning arrays within a sample into tensors."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

_ERROR = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"


def _is_numpy(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic))


def _is_text_array(value: Any) -> bool:
    return value.dtype.kind in "SaUO"


def _is_namedtuple(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


def _map_mapping(template: Mapping[Any, Any], function: Callable[[Any], Any]) -> Any:
    """Return a mapping of the template's kind, where it can be made, with `function` of every key."""
    values = {key: function(key) for key in template}
    try:
        if isinstance(template, MutableMapping):
            clone = copy.copy(template)
            clone.update(values)
            return clone
        return type(template)(values)  # type: ignore[call-arg]
    except TypeError:
        return values


def _map_sequence(template: Sequence[Any], values: list[Any]) -> Any:
    """Return a sequence of the template's kind, where it can be made, that holds `values`."""
    try:
        if isinstance(template, MutableSequence):
            clone = copy.copy(template)
            for index, value in enumerate(values):
                clone[index] = value
            return clone
        return type(template)(values)  # type: ignore[call-arg]
    except TypeError:
        return values


def default_convert(data: Any) -> Any:
    """Turn the NumPy arrays and numbers within a sample into tensors; leave all else as it is.

    Example:
        >>> import numpy
        >>> from rushlight.utils.data import default_convert
        >>> default_convert({"x": numpy.ones(2, dtype="float32"), "name": "a"})
        {'x': tensor([1., 1.]), 'name': 'a'}
    """
    import rushlight

    if isinstance(data, (rushlight.Tensor, str, bytes)):
        return data
    if _is_numpy(data):
        return data if _is_text_array(data) else rushlight.as_tensor(data)
    if isinstance(data, Mapping):
        return _map_mapping(data, lambda key: default_convert(data[key]))
    if _is_namedtuple(data):
        return type(data)(*(default_convert(value) for value in data))
    if isinstance(data, tuple):
        return [default_convert(value) for value in data]
    if isinstance(data, Sequence):
        return _map_sequence(data, [default_convert(value) for value in data])
    return data


def _collate_sequences(batch: list[Any]) -> Any:
    first = batch[0]
    lengths = [len(sample) for sample in batch]
    if any(length != lengths[0] for length in lengths):
        raise RuntimeError("each element in list of batch should be of equal size")
    values = [default_collate(column) for column in zip(*batch, strict=True)]
    return values if isinstance(first, tuple) else _map_sequence(first, values)


def default_collate(batch: Any) -> Any:
    """Join a list of samples into a batch with a new first dimension.

    Tensors and arrays are stacked, numbers become tensors (floats ``float64``, ints ``int64``), strings stay a
    list, and tuples, lists, named tuples and mappings are joined member by member.

    Raises:
        TypeError: the samples are of a kind that does not join.
        RuntimeError: tensors or sequences of unequal sizes.

    Example:
        >>> from rushlight.utils.data import default_collate
        >>> default_collate([(1, "a"), (2, "b")])
        [tensor([1, 2]), ('a', 'b')]
    """
    import rushlight

    first = batch[0]
    if isinstance(first, rushlight.Tensor):
        return rushlight.stack(list(batch), 0)
    if isinstance(first, (str, bytes)):
        return batch
    if _is_numpy(first):
        if _is_text_array(first):
            raise TypeError(_ERROR.format(first.dtype))
        return rushlight.as_tensor(sys.modules["numpy"].stack(batch))
    if isinstance(first, float):
        return rushlight.tensor(batch, dtype=rushlight.float64)
    if isinstance(first, int):
        return rushlight.tensor(batch)
    if isinstance(first, Mapping):
        return _map_mapping(first, lambda key: default_collate([sample[key] for sample in batch]))
    if _is_namedtuple(first):
        return type(first)(*(default_collate(column) for column in zip(*batch, strict=True)))
    if isinstance(first, Sequence):
        return _collate_sequences(list(batch))
    raise TypeError(_ERROR.format(type(first)))
