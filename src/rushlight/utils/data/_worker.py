"""What runs in a loader's worker process."""

from __future__ import annotations

import os
import pickle
import queue
import random
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, fields
from multiprocessing import connection, parent_process
from typing import Any

from rushlight.utils.data import _transport
from rushlight.utils.data._fetch import Fetcher


@dataclass(repr=False)
class WorkerInfo:
    """A worker's number, the number of workers, its seed and its copy of the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any

    def __repr__(self) -> str:
        values = ", ".join(f"{field.name}={getattr(self, field.name)}" for field in fields(self))
        return f"WorkerInfo({values})"


_worker_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Return what this worker process is, or None in the main process.

    Example:
        >>> from rushlight.utils.data import get_worker_info
        >>> get_worker_info() is None
        True
    """
    return _worker_info


@dataclass
class Settings:
    """What a worker needs to know, the same for all workers but for the number."""

    dataset: Any
    is_batched: bool
    collate_fn: Callable[[Any], Any]
    drop_last: bool
    worker_init_fn: Callable[[int], None] | None
    base_seed: int
    num_workers: int


@dataclass
class EndOfWorker:
    """Sent in place of a batch: the worker's iterable dataset has ended."""


class _KeyErrorMessage(str):
    """A message that a `KeyError` shows as it is, not quoted."""

    def __repr__(self) -> str:
        return str(self)


class ExceptionWrapper:
    """An exception on its way to another process, with its traceback as text."""

    def __init__(self, error: BaseException, where: str) -> None:
        self.type: type[BaseException] = type(error)
        self.where = where
        self.text = "".join(traceback.format_exception(error))
        try:
            pickle.loads(pickle.dumps(self.type))
        except Exception:  # noqa: BLE001
            self.type = RuntimeError

    def reraise(self) -> None:
        """Raise the exception again, with its origin and its traceback in the message."""
        message = f"Caught {self.type.__name__} {self.where}.\nOriginal {self.text}"
        if self.type is KeyError:
            message = _KeyErrorMessage(message)
        try:
            error = self.type(message)
        except Exception:  # noqa: BLE001
            raise RuntimeError(message) from None
        raise error


def _seed(base_seed: int, worker_id: int) -> None:
    """Seed every random stream of this process as PyTorch does."""
    import rushlight

    seed = base_seed + worker_id
    random.seed(seed)
    rushlight.manual_seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        entropy = [worker_id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]
        numpy.random.seed(numpy.random.SeedSequence(entropy).generate_state(4))


def _listen(tasks: Any, inbox: queue.SimpleQueue[Any]) -> None:
    """Move tasks to the inbox, so that the parent never waits to send one; die with the parent."""
    parent = parent_process()
    try:
        while True:
            ready = connection.wait([tasks, parent.sentinel])
            if tasks not in ready:
                os._exit(1)
            task = tasks.recv()
            inbox.put(task)
            if task is None:
                return
    except (EOFError, OSError):
        inbox.put(None)


def _work(settings: Settings, where: str, inbox: queue.SimpleQueue[Any], results: Any) -> None:
    """Answer tasks in order; a task is a number and what to fetch, or "resume" for a new epoch."""
    failure: ExceptionWrapper | None = None
    fetcher: Fetcher | None = None
    worker_id = _worker_info.id  # type: ignore[union-attr]
    try:
        if settings.worker_init_fn is not None:
            settings.worker_init_fn(worker_id)
    except Exception as error:  # noqa: BLE001
        failure = ExceptionWrapper(error, where)
    while (task := inbox.get()) is not None:
        if task == "resume":
            fetcher = None
            continue
        number, indices = task
        try:
            if failure is not None:
                answer, failure = failure, None
            else:
                if fetcher is None:
                    fetcher = Fetcher(
                        settings.dataset, settings.is_batched, settings.collate_fn, settings.drop_last
                    )
                answer = fetcher.fetch(indices)
        except StopIteration as error:
            is_end = fetcher is not None and fetcher.samples is not None
            answer = EndOfWorker() if is_end else ExceptionWrapper(error, where)
        except Exception as error:  # noqa: BLE001
            answer = ExceptionWrapper(error, where)
        try:
            _transport.send(results, (number, answer))
        except (BrokenPipeError, ConnectionResetError):
            return
        except Exception as error:  # noqa: BLE001
            _transport.send(results, (number, ExceptionWrapper(error, where)))


def run(settings: Settings, worker_id: int, tasks: Any, results: Any, inherited: list[Any]) -> None:
    """Be a worker until told to stop.

    Args:
        inherited: the parent's ends of connections that forking copied here; while they stay open here, nobody
            can tell that the parent has closed them.
    """
    global _worker_info
    import rushlight

    for one in inherited:
        one.close()
    rushlight.set_num_threads(1)
    _seed(settings.base_seed, worker_id)
    seed = settings.base_seed + worker_id
    _worker_info = WorkerInfo(worker_id, settings.num_workers, seed, settings.dataset)
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(tasks, inbox), daemon=True).start()
    try:
        _work(settings, f"in DataLoader worker process {worker_id}", inbox, results)
    except KeyboardInterrupt:
        pass  # The main process has been interrupted too, and says so.
