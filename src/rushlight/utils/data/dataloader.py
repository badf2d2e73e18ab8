"""`DataLoader`: batches of a dataset, fetched here or in worker processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rushlight.utils.data._collate import default_collate, default_convert
from rushlight.utils.data._fetch import Fetcher
from rushlight.utils.data.dataset import IterableDataset
from rushlight.utils.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, _random_seed

__all__ = ["DataLoader"]

# Seconds that a worker is given to end by itself before it is ended.
_PATIENCE = 5.0


class _InfiniteSampler(Sampler[None]):
    """Stands for the sampler of an iterable dataset, which chooses its samples itself."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


class DataLoader:
    """Iterates over a dataset in batches, with PyTorch's order for the same seed.

    Args:
        dataset: a `Dataset` or anything with ``__getitem__`` and ``__len__``, or an `IterableDataset`.
        batch_size: samples in a batch; None gives samples one by one, unbatched.
        shuffle: whether to visit the samples in random order.
        sampler: gives the indices, instead of `shuffle`.
        batch_sampler: gives lists of indices, instead of `batch_size`, `shuffle`, `sampler` and `drop_last`.
        num_workers: processes that fetch; 0 fetches in this one.
        collate_fn: joins a list of samples into a batch.
        pin_memory: accepted for the sake of programs that set it; memory on the CPU needs no pinning.
        drop_last: whether to leave out a shorter last batch.
        timeout: seconds to wait for a worker's batch; 0 waits for as long as the worker lives.
        worker_init_fn: called in each worker with its number, after seeding.
        multiprocessing_context: a start method's name or a context of `multiprocessing`.
        generator: the source of randomness for shuffling and for the workers' seeds.
        prefetch_factor: batches that each worker fetches ahead (2).
        persistent_workers: whether workers live on between epochs.
        in_order: whether batches of several workers come in the sampler's order.

    Raises:
        ValueError: options out of range or that exclude each other.
        RuntimeError: while iterating, a worker died or did not answer within `timeout`.

    Example:
        >>> import rushlight as torch
        >>> from rushlight.utils.data import DataLoader, TensorDataset
        >>> for x, y in DataLoader(TensorDataset(torch.arange(3), torch.arange(3) * 2), batch_size=2):
        ...     print(x, y)
        tensor([0, 1]) tensor([0, 2])
        tensor([2]) tensor([4])
    """

    _initialized = False
    _fixed = frozenset(
        {"batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"}
    )

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[list[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Any = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers > 0 and prefetch_factor is None else prefetch_factor
        self.pin_memory = pin_memory
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        self._is_iterable = isinstance(dataset, IterableDataset)
        if self._is_iterable:
            _check_iterable(shuffle, sampler, batch_sampler)
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError(
                "batch_size=None option disables auto-batching and is mutually exclusive with drop_last"
            )
        if sampler is None:
            sampler = self._choose_sampler(bool(shuffle))
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)
        self._iterator: _WorkersIterator | None = None
        self._reported_length: int | None = None
        self._initialized = True
        self._warn_of_too_many_workers()

    def _choose_sampler(self, shuffle: bool) -> Sampler[Any]:
        if self._is_iterable:
            return _InfiniteSampler()
        if shuffle:
            return RandomSampler(self.dataset, generator=self.generator)
        return SequentialSampler(self.dataset)

    @property
    def multiprocessing_context(self) -> Any:
        return self._multiprocessing_context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context: Any) -> None:
        if context is not None:
            if self.num_workers == 0:
                raise ValueError(
                    "multiprocessing_context can only be used with multi-process loading (num_workers > 0), but "
                    f"got num_workers={self.num_workers}"
                )
            context = _context(context)
        self._multiprocessing_context = context

    def __setattr__(self, name: str, value: Any) -> None:
        if self._initialized and name in self._fixed:
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)

    @property
    def _index_sampler(self) -> Iterable[Any]:
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def _warn_of_too_many_workers(self) -> None:
        if hasattr(os, "sched_getaffinity"):
            available = len(os.sched_getaffinity(0))
        else:
            available = os.cpu_count() or self.num_workers
        if self.num_workers > available:
            warnings.warn(
                f"This DataLoader will create {self.num_workers} worker processes in total. Our suggested max "
                f"number of worker in current system is {available}, which is smaller than what this DataLoader "
                "is going to create. Please be aware that excessive worker creation might get DataLoader running "
                "slow or even freeze, lower the worker number to avoid potential slowness/freeze if necessary.",
                stacklevel=3,
            )

    def __iter__(self) -> Iterator[Any]:
        if self.num_workers == 0:
            return _LocalIterator(self)
        if not self.persistent_workers:
            return _WorkersIterator(self)
        if self._iterator is None or not self._iterator.is_alive:
            self._iterator = _WorkersIterator(self)
        else:
            self._iterator.restart(self)
        return self._iterator

    def __len__(self) -> int:
        if not self._is_iterable:
            return len(self._index_sampler)  # type: ignore[arg-type]
        self._reported_length = length = len(self.dataset)
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else -(-length // self.batch_size)


def _check_workers(
    num_workers: int, timeout: float, prefetch_factor: int | None, persistent_workers: bool
) -> None:
    if num_workers < 0:
        raise ValueError(
            "num_workers option should be non-negative; use num_workers=0 to disable multiprocessing."
        )
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 to enable "
            "multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent_workers and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")


def _check_iterable(shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
    if shuffle not in (None, False):
        name, value = "shuffle", shuffle
    elif sampler is not None:
        name, value = "sampler", sampler
    elif batch_sampler is not None:
        name, value = "batch_sampler", batch_sampler
    else:
        return
    raise ValueError(
        f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
    )


def _context(context: Any) -> Any:
    if isinstance(context, str):
        methods = multiprocessing.get_all_start_methods()
        if context not in methods:
            raise ValueError(
                "multiprocessing_context option should specify a valid start method in "
                f"{methods!r}, but got multiprocessing_context={context!r}"
            )
        return multiprocessing.get_context(context)
    if not isinstance(context, multiprocessing.context.BaseContext):
        raise TypeError(
            "multiprocessing_context option should be a valid context object or a string specifying the start "
            f"method, but got multiprocessing_context={context}"
        )
    return context


class _LengthCheck:
    """Warns of every batch beyond the length that an iterable dataset had told when the epoch began."""

    def __init__(self, loader: DataLoader) -> None:
        self.dataset = loader.dataset
        self.length = loader._reported_length
        self.has_workers = loader.num_workers > 0
        self.given = 0

    def count(self) -> None:
        self.given += 1
        if self.length is None or self.given <= self.length:
            return
        message = (
            f"Length of IterableDataset {self.dataset} was reported to be {self.length}(when accessing "
            f"len(dataloader)), but {self.given} samples have been fetched. "
        )
        if self.has_workers:
            message += (
                "For multiprocessing data-loading, this could be caused by not properly configuring the "
                "IterableDataset replica at each worker. Please see "
                "https://pytorch.org/docs/stable/data.html#torch.utils.data.IterableDataset for examples."
            )
        warnings.warn(message, stacklevel=3)


class _LocalIterator:
    """Fetches in this process."""

    def __init__(self, loader: DataLoader) -> None:
        self._sampler = loader._index_sampler
        self._indices = iter(self._sampler)
        # PyTorch draws the workers' seed even where there are none; the stream must advance as it does there.
        _random_seed(loader.generator)
        is_batched = loader.batch_sampler is not None
        self._fetcher = Fetcher(loader.dataset, is_batched, loader.collate_fn, loader.drop_last)
        self._check = _LengthCheck(loader)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        batch = self._fetcher.fetch(next(self._indices))
        self._check.count()
        return batch

    def __len__(self) -> int:
        return len(self._sampler)  # type: ignore[arg-type]


class _Worker:
    """A worker process with the connections to it and the tasks it has not answered."""

    def __init__(self, context: Any, settings: Any, number: int, others: list[_Worker]) -> None:
        from rushlight.utils.data import _worker

        task_reader, self.tasks = context.Pipe(duplex=False)
        self.results, result_writer = context.Pipe(duplex=True)
        inherited: list[Any] = []
        if context.get_start_method() == "fork":
            inherited = [self.tasks, self.results]
            inherited += [end for other in others for end in (other.tasks, other.results)]
        args = (settings, number, task_reader, result_writer, inherited)
        self.process = context.Process(target=_worker.run, args=args, daemon=True)
        try:
            self.process.start()
        finally:
            task_reader.close()
            result_writer.close()
        self.waiting = 0
        self.is_finished = False


def _stop(workers: list[_Worker], owner: int) -> None:
    """End all workers: ask, wait, and end by force what does not answer."""
    if os.getpid() != owner:
        return
    for worker in workers:
        with contextlib.suppress(OSError):
            worker.tasks.send(None)
        worker.tasks.close()
        worker.results.close()
    deadline = time.monotonic() + _PATIENCE
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
        if worker.process.is_alive():
            worker.process.terminate()
            worker.process.join(_PATIENCE)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


class _WorkersIterator:
    """Hands index lists to worker processes in turn and gives out what they fetch."""

    def __init__(self, loader: DataLoader) -> None:
        from rushlight.utils.data import _worker

        self._sampler = loader._index_sampler
        self._indices = iter(self._sampler)
        settings = _worker.Settings(
            loader.dataset,
            loader.batch_sampler is not None,
            loader.collate_fn,
            loader.drop_last,
            loader.worker_init_fn,
            _random_seed(loader.generator),
            loader.num_workers,
        )
        self._timeout = loader.timeout
        self._in_order = loader.in_order
        self._ahead = max(1, loader.prefetch_factor)
        self._is_persistent = loader.persistent_workers
        context = loader.multiprocessing_context or multiprocessing.get_context()
        self._workers: list[_Worker] = []
        self._finalizer = weakref.finalize(self, _stop, self._workers, os.getpid())
        for number in range(loader.num_workers):
            self._workers.append(_Worker(context, settings, number, self._workers))
        self._begin(loader)

    def restart(self, loader: DataLoader) -> None:
        """Begin a new epoch with the same workers; what is left of the last one is thrown away."""
        while any(worker.waiting for worker in self._workers):
            self._receive()
        self._indices = iter(self._sampler)
        for worker in self._workers:
            worker.is_finished = False
            worker.tasks.send("resume")
        self._begin(loader)

    def _begin(self, loader: DataLoader) -> None:
        self._check = _LengthCheck(loader)
        self._sent = 0
        self._given = 0
        self._turn = 0
        self._answers: dict[int, Any] = {}
        self._skipped: set[int] = set()
        for _ in range(self._ahead * len(self._workers)):
            self._send_next()

    def _next_worker(self) -> _Worker | None:
        """Return the worker whose turn it is, or None where all have ended or have enough to do."""
        for _ in range(len(self._workers)):
            worker = self._workers[self._turn]
            self._turn = (self._turn + 1) % len(self._workers)
            if not worker.is_finished and (self._in_order or worker.waiting < self._ahead):
                return worker
        return None

    def _send_next(self) -> None:
        worker = self._next_worker()
        if worker is None:
            return
        try:
            indices = next(self._indices)
        except StopIteration:
            return
        with contextlib.suppress(OSError):  # A dead worker is noticed where its answer is awaited.
            worker.tasks.send((self._sent, indices))
        worker.waiting += 1
        self._sent += 1

    def _receive(self) -> None:
        """Wait for one message at least, and take in all that have come."""
        from multiprocessing.connection import wait

        from rushlight.utils.data import _transport, _worker

        busy = {worker.results: worker for worker in self._workers if worker.waiting}
        ready = wait(list(busy), self._timeout or None)
        if not ready:
            raise RuntimeError(f"DataLoader timed out after {self._timeout} seconds")
        for results in ready:
            worker = busy[results]
            try:
                number, answer = _transport.receive(results)
            except (EOFError, OSError) as error:
                worker.process.join(_PATIENCE)
                raise RuntimeError(
                    f"DataLoader worker (pid(s) {worker.process.pid}) exited unexpectedly"
                ) from error
            worker.waiting -= 1
            if isinstance(answer, _worker.EndOfWorker):
                worker.is_finished = True
                self._skipped.add(number)
                self._send_next()
            else:
                self._answers[number] = answer

    def _next_number(self) -> int | None:
        """Return the number of the answer to give out now, None while it has not come."""
        if not self._in_order:
            return next(iter(self._answers), None)
        while self._given in self._skipped:
            self._skipped.remove(self._given)
            self._given += 1
        return self._given if self._given in self._answers else None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        from rushlight.utils.data import _worker

        try:
            while (number := self._next_number()) is None:
                if not any(worker.waiting for worker in self._workers):
                    if not self._is_persistent:
                        self.stop()
                    raise StopIteration
                self._receive()
        except (Exception, KeyboardInterrupt) as error:
            if not isinstance(error, StopIteration):
                self.stop()
            raise
        answer = self._answers.pop(number)
        self._given += 1
        self._send_next()
        if isinstance(answer, _worker.ExceptionWrapper):
            answer.reraise()
        self._check.count()
        return answer

    @property
    def is_alive(self) -> bool:
        return self._finalizer.alive

    def stop(self) -> None:
        """End the workers; the iterator gives nothing more."""
        self._finalizer()
        for worker in self._workers:
            worker.waiting = 0

    def __len__(self) -> int:
        return len(self._sampler)  # type: ignore[arg-type]
