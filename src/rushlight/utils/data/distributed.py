"""The sampler that gives each process of a group its own share of a dataset."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sized

from rushlight.utils.data.sampler import Sampler

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler[int]):
    """Visits every ``num_replicas``-th index from ``rank`` on, so that the processes share an epoch.

    Args:
        dataset: what is sampled; all processes see the same length.
        num_replicas: the number of processes.
        rank: this process's number.
        shuffle: whether to shuffle, by ``seed + epoch``: call `set_epoch` before each epoch.
        seed: the same in all processes.
        drop_last: whether to drop the tail that does not divide evenly, instead of repeating indices.

    Raises:
        ValueError: `num_replicas` or `rank` is missing, or the rank is out of range.

    Example:
        >>> from rushlight.utils.data import DistributedSampler
        >>> list(DistributedSampler(range(5), num_replicas=2, rank=1, shuffle=False))
        [1, 3, 0]
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            raise ValueError(
                "Default process group has not been initialized, please make sure to call init_process_group."
            )
        if rank >= num_replicas or rank < 0:
            raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last
        count = len(dataset)
        self.num_samples = count // num_replicas if drop_last else -(-count // num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[int]:
        import rushlight

        count = len(self.dataset)
        if self.shuffle:
            generator = rushlight.Generator()
            generator.manual_seed(self.seed + self.epoch)
            order = rushlight.randperm(count, generator=generator).tolist()
        else:
            order = list(range(count))
        whole = itertools.islice(itertools.cycle(order), self.total_size)
        return itertools.islice(whole, self.rank, None, self.num_replicas)

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that, with the seed, decides the next order."""
        self.epoch = epoch
