"""Fetching the samples of one batch from a dataset."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from rushlight.utils.data._collate import default_collate
from rushlight.utils.data.dataset import IterableDataset, Subset, TensorDataset, _get_many


def _gathered(dataset: Any, indices: list[int]) -> list[Any] | None:
    """Return the batch that collating a `TensorDataset`'s samples gives, by one look-up a tensor.

    None where the dataset, or the one that a `Subset` cuts, is of another kind.
    """
    while type(dataset) is Subset:
        indices = [dataset.indices[index] for index in indices]
        dataset = dataset.dataset
    if type(dataset) is not TensorDataset or any(type(index) is not int for index in indices):
        return None
    return [tensor[indices] for tensor in dataset.tensors]


class Fetcher:
    """Turns what the sampler gave into a batch, or into a sample where batching is off.

    For an `IterableDataset` only the number of indices counts; it raises `StopIteration` at the end.
    """

    def __init__(
        self, dataset: Any, is_batched: bool, collate_fn: Callable[[Any], Any], drop_last: bool
    ) -> None:
        self.dataset = dataset
        self.is_batched = is_batched
        self.collate_fn = collate_fn
        self.drop_last = drop_last
        self.samples = iter(dataset) if isinstance(dataset, IterableDataset) else None

    def fetch(self, indices: Any) -> Any:
        if self.samples is not None:
            return self._fetch_next(indices)
        if not self.is_batched:
            return self.collate_fn(self.dataset[indices])
        if self.collate_fn is default_collate:
            batch = _gathered(self.dataset, indices)
            if batch is not None:
                return batch
        return self.collate_fn(_get_many(self.dataset, indices))

    def _fetch_next(self, indices: Any) -> Any:
        if not self.is_batched:
            return self.collate_fn(next(self.samples))  # type: ignore[arg-type]
        batch = list(itertools.islice(self.samples, len(indices)))  # type: ignore[arg-type]
        if not batch or (self.drop_last and len(batch) < len(indices)):
            raise StopIteration
        return self.collate_fn(batch)
