"""Samplers: the order in which a loader visits a dataset's samples."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]

T_co = TypeVar("T_co", covariant=True)

# Indices are drawn with replacement in runs of this length, which is part of the random stream.
_DRAWS_AT_ONCE = 32


class Sampler(Generic[T_co]):
    """The base of samplers. A subclass defines ``__iter__`` over indices and usually ``__len__``.

    Example:
        >>> from rushlight.utils.data import Sampler
        >>> class Backwards(Sampler):
        ...     def __init__(self, data):
        ...         self.data = data
        ...     def __iter__(self):
        ...         return reversed(range(len(self.data)))
        >>> list(Backwards("abc"))
        [2, 1, 0]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError


def _random_seed(generator: Any = None) -> int:
    """Draw a seed from the default generator, or from `generator`."""
    import rushlight

    return int(rushlight.empty((), dtype=rushlight.int64).random_(generator=generator).item())


def _check_bool(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{name} should be a boolean value, but got {name}={value}")


class SequentialSampler(Sampler[int]):
    """Visits every index in order.

    Example:
        >>> from rushlight.utils.data import SequentialSampler
        >>> list(SequentialSampler("abc"))
        [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """Visits indices in random order, the order that PyTorch has for the same seed.

    Args:
        data_source: what is sampled.
        replacement: whether an index may come again.
        num_samples: how many indices to give; the dataset's length where not given.
        generator: the source of randomness; one seeded from the default generator where not given.

    Raises:
        TypeError: `replacement` is no bool.
        ValueError: `num_samples` is not a positive integer.

    Example:
        >>> import rushlight as torch
        >>> from rushlight.utils.data import RandomSampler
        >>> list(RandomSampler(range(4), generator=torch.Generator().manual_seed(0)))
        [0, 1, 3, 2]
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Any = None,
    ) -> None:
        _check_bool("replacement", replacement)
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(
                f"num_samples should be a positive integer value, but got num_samples={self.num_samples}"
            )

    @property
    def num_samples(self) -> int:
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        import rushlight

        count, generator = len(self.data_source), self.generator
        if generator is None:
            generator = rushlight.Generator()
            generator.manual_seed(_random_seed())
        if self.replacement:
            for start in range(0, self.num_samples, _DRAWS_AT_ONCE):
                size = (min(_DRAWS_AT_ONCE, self.num_samples - start),)
                yield from rushlight.randint(count, size, dtype=rushlight.int64, generator=generator).tolist()
            return
        for _ in range(self.num_samples // count):
            yield from rushlight.randperm(count, generator=generator).tolist()
        # PyTorch draws this order even where nothing of it is used; the stream must advance as it does there.
        yield from rushlight.randperm(count, generator=generator).tolist()[: self.num_samples % count]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """Visits given indices in random order, each once.

    Example:
        >>> from rushlight.utils.data import SubsetRandomSampler
        >>> sorted(SubsetRandomSampler([7, 5]))
        [5, 7]
    """

    def __init__(self, indices: Sequence[int], generator: Any = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        import rushlight

        for place in rushlight.randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[place]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Draws indices with given weights, which need not sum to one.

    Args:
        weights: one weight an index.
        num_samples: how many indices to draw.
        replacement: whether an index may come again.
        generator: the source of randomness.

    Raises:
        ValueError: `num_samples`, `replacement` or the weights' shape is wrong.

    Example:
        >>> from rushlight.utils.data import WeightedRandomSampler
        >>> list(WeightedRandomSampler([0.0, 1.0], 3))
        [1, 1, 1]
    """

    def __init__(
        self, weights: Sequence[float], num_samples: int, replacement: bool = True, generator: Any = None
    ) -> None:
        import rushlight

        if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
            raise ValueError(
                f"num_samples should be a positive integer value, but got num_samples={num_samples}"
            )
        if not isinstance(replacement, bool):
            raise ValueError(  # noqa: TRY004
                f"replacement should be a boolean value, but got replacement={replacement}"
            )
        self.weights = rushlight.as_tensor(weights, dtype=rushlight.float64)
        if self.weights.dim() != 1:
            raise ValueError(
                f"weights should be a 1d sequence but given weights have shape {tuple(self.weights.shape)}"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        import rushlight

        drawn = rushlight.multinomial(
            self.weights, self.num_samples, self.replacement, generator=self.generator
        )
        return iter(drawn.tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Groups the indices of another sampler into lists.

    Args:
        sampler: any iterable of indices.
        batch_size: the length of a list.
        drop_last: whether to leave out a shorter last list.

    Raises:
        ValueError: `batch_size` is not a positive integer or `drop_last` no bool.

    Example:
        >>> from rushlight.utils.data import BatchSampler
        >>> list(BatchSampler(range(5), 2, drop_last=False))
        [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(
                f"batch_size should be a positive integer value, but got batch_size={batch_size}"
            )
        if not isinstance(drop_last, bool):
            raise ValueError(  # noqa: TRY004
                f"drop_last should be a boolean value, but got drop_last={drop_last}"
            )
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)
