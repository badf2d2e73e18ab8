"""The loader gives PyTorch's batches in PyTorch's order, and its workers fail, die and end as they should."""

import gc
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path

import numpy
import pytest
import torch
import torch.utils.data

import rushlight
import rushlight.utils.data
from rushlight.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, get_worker_info

MODULES = (torch, rushlight)
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create", "ignore:.*fork")


@pytest.fixture(autouse=True)
def no_hang():
    signal.alarm(300)
    yield
    signal.alarm(0)


class Squares(Dataset):
    """Ten samples; a function may be called with each index first."""

    def __init__(self, before=None):
        self.before = before

    def __len__(self):
        return 10

    def __getitem__(self, index):
        if self.before is not None:
            self.before(index)
        return index**2


class Striped(IterableDataset):
    """Numbers below ten, each worker its own stripe."""

    def __iter__(self):
        info = get_worker_info() or torch.utils.data.get_worker_info()
        first, step = (info.id, info.num_workers) if info else (0, 1)
        return iter(range(first, 10, step))


class StripedThere(torch.utils.data.IterableDataset):
    __iter__ = Striped.__iter__


STRIPED = {torch: StripedThere, rushlight: Striped}


def listed(loader):
    return [batch.tolist() if hasattr(batch, "tolist") else batch for batch in loader]


def pairs(m):
    return m.utils.data.TensorDataset(m.arange(20.0).reshape(10, 2), m.arange(10))


LOADERS = {
    "plain": lambda m, n: m.utils.data.DataLoader(range(10), 4, num_workers=n),
    "shuffled": lambda m, n: m.utils.data.DataLoader(range(10), 4, shuffle=True, num_workers=n),
    "whole batches": lambda m, n: m.utils.data.DataLoader(range(10), 4, True, drop_last=True, num_workers=n),
    "unbatched": lambda m, n: m.utils.data.DataLoader(range(10), None, shuffle=True, num_workers=n),
    "sampler": lambda m, n: m.utils.data.DataLoader(range(10), 2, sampler=[3, 1, 2], num_workers=n),
    "batch sampler": lambda m, n: m.utils.data.DataLoader(
        range(10), batch_sampler=[[1, 2], [3]], num_workers=n
    ),
    "generator": lambda m, n: m.utils.data.DataLoader(
        range(10), 4, shuffle=True, generator=m.Generator().manual_seed(1), num_workers=n
    ),
    "collate": lambda m, n: m.utils.data.DataLoader(range(10), 4, collate_fn=tuple, num_workers=n),
    "iterable": lambda m, n: m.utils.data.DataLoader(STRIPED[m](), 2, num_workers=n),
    "iterable, whole batches": lambda m, n: m.utils.data.DataLoader(
        STRIPED[m](), 2, drop_last=True, num_workers=n
    ),
    "iterable, unbatched": lambda m, n: m.utils.data.DataLoader(STRIPED[m](), None, num_workers=n),
}


@pytest.mark.parametrize("num_workers", [0, 1, 3])
@pytest.mark.parametrize("name", LOADERS)
def test_same_batches_and_stream(name, num_workers):
    results = []
    for module in MODULES:
        module.manual_seed(0)
        loader = LOADERS[name](module, num_workers)
        results.append([listed(loader), module.rand(1).tolist(), listed(loader), module.rand(1).tolist()])
    assert results[0] == results[1]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_tensor_dataset_batches(num_workers):
    results = []
    for module in MODULES:
        module.manual_seed(0)
        data = module.utils.data.Subset(pairs(module), [9, 1, 3, 5, 7])
        loader = module.utils.data.DataLoader(data, 2, shuffle=True, num_workers=num_workers)
        results.append(repr(list(loader)))
    assert results[0] == results[1]


def test_persistent_workers_draw_as_pytorch():
    results = []
    for module in MODULES:
        module.manual_seed(0)
        loader = module.utils.data.DataLoader(
            range(10), 3, shuffle=True, num_workers=2, persistent_workers=True
        )
        results.append([(listed(loader), module.rand(1).tolist()) for _ in range(3)])
    assert results[0] == results[1]


class Streams(torch.utils.data.Dataset):
    """What the random streams of a worker give."""

    def __init__(self, module):
        self.module = module

    def __len__(self):
        return 4

    def __getitem__(self, index):
        info = self.module.utils.data.get_worker_info()
        drawn = (self.module.rand(1).item(), random.random(), numpy.random.rand())
        return index, info.id, info.num_workers, info.seed, self.module.initial_seed(), *drawn


def test_workers_are_seeded_as_pytorchs():
    results = []
    for module in MODULES:
        module.manual_seed(0)
        results.append(list(module.utils.data.DataLoader(Streams(module), None, num_workers=2)))
    assert results[0] == results[1]
    assert get_worker_info() is None


def test_nested_batches_arrive_whole():
    storage = rushlight.arange(6.0)
    batch = {
        "a": [storage, storage[2:]],
        "b": (rushlight.zeros(0), "text", None),
        "c": rushlight.ones(2, 3).t(),
    }
    [received] = DataLoader([batch], batch_size=None, num_workers=1, collate_fn=lambda sample: sample)
    assert repr(received) == repr(batch)
    assert received["c"].stride() == (1, 3)


def test_view_does_not_take_its_storage_along():
    data = rushlight.zeros(1000, 100)
    [received] = DataLoader([data[3]], batch_size=None, num_workers=1)
    assert received.untyped_storage().nbytes() == 400


def test_large_batches_of_every_kind():
    data = [(rushlight.full((1000, 1000), float(index)), "x" * 300_000) for index in range(4)]
    order = list(range(4)) * 2
    loader = DataLoader(data, batch_size=None, sampler=order, num_workers=2)
    assert [(x[0, 0].item(), len(text)) for x, text in loader] == [(float(index), 300_000) for index in order]


def test_large_index_lists_do_not_block():
    loader = DataLoader(range(3), batch_sampler=[[1] * 200_000] * 6, num_workers=1, collate_fn=list)
    assert [len(batch) for batch in loader] == [200_000] * 6


def test_out_of_order_gives_every_batch():
    def slow_first(index):
        time.sleep(0.3 if index == 0 else 0)

    loader = DataLoader(Squares(slow_first), batch_size=None, num_workers=2, in_order=False)
    values = list(loader)
    assert sorted(values) == [index**2 for index in range(10)]
    assert values[0] != 0


# ---- options


OPTIONS = [
    {"num_workers": -1},
    {"timeout": -1},
    {"prefetch_factor": 2},
    {"num_workers": 1, "prefetch_factor": -1},
    {"persistent_workers": True},
    {"shuffle": True, "sampler": [1]},
    {"batch_sampler": [[1]], "batch_size": 2},
    {"batch_sampler": [[1]], "shuffle": True},
    {"batch_sampler": [[1]], "drop_last": True},
    {"batch_size": None, "drop_last": True},
    {"batch_size": 0},
    {"batch_size": "a"},
    {"batch_size": True},
    {"drop_last": 2},
    {"multiprocessing_context": "foo", "num_workers": 1},
    {"multiprocessing_context": 3, "num_workers": 1},
    {"multiprocessing_context": "fork"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=repr)
def test_errors_of_options_as_pytorch(options):
    results = []
    for module in MODULES:
        with pytest.raises((ValueError, TypeError)) as caught:
            module.utils.data.DataLoader(range(3), **options)
        results.append((type(caught.value), str(caught.value)))
    assert results[0] == results[1]


@pytest.mark.parametrize("options", [{"shuffle": True}, {"sampler": [1]}, {"batch_sampler": [[1]]}], ids=repr)
def test_errors_of_iterable_options_as_pytorch(options):
    results = []
    for module in MODULES:
        with pytest.raises(ValueError) as caught:
            module.utils.data.DataLoader(STRIPED[module](), **options)
        results.append(str(caught.value))
    assert results[0] == results[1]


def test_lengths_and_fixed_attributes():
    assert len(DataLoader(range(10), 4)) == 3
    assert len(DataLoader(range(10), 4, drop_last=True)) == 2
    assert len(DataLoader(range(10), None)) == 10
    with pytest.raises(TypeError, match="has no len"):
        len(DataLoader(Striped()))
    with pytest.raises(
        ValueError, match="batch_size attribute should not be set after DataLoader is initialized"
    ):
        DataLoader(range(3)).batch_size = 2


def test_length_that_was_told_too_small_warns():
    counts = []
    for module in MODULES:

        class Told(STRIPED[module]):
            def __len__(self):
                return 3

        loader = module.utils.data.DataLoader(Told(), 2)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert len(loader) == 2
            for _ in loader:
                pass
        counts.append([str(warning.message).partition("was reported")[2] for warning in caught])
    assert counts[0] == counts[1]


def test_too_many_workers_warn():
    with pytest.warns(UserWarning, match="This DataLoader will create 999 worker processes in total"):
        DataLoader(range(3), num_workers=999)


# ---- failing workers


def fail(index):
    if index == 3:
        raise KeyError("boom")


def test_exception_comes_with_its_traceback():
    with pytest.raises(KeyError) as caught:
        list(DataLoader(Squares(fail), num_workers=2))
    text = str(caught.value)
    assert text.startswith(
        "Caught KeyError in DataLoader worker process 1.\nOriginal Traceback (most recent call last)"
    )
    assert 'raise KeyError("boom")' in text


def test_iteration_goes_on_after_an_exception():
    batches = iter(DataLoader(Squares(fail), num_workers=2))
    seen = []
    while True:
        try:
            seen.append(next(batches).item())
        except KeyError:
            seen.append("failed")
        except StopIteration:
            break
    assert seen == [0, 1, 4, "failed", 16, 25, 36, 49, 64, 81]


def test_exception_of_a_local_type():
    class Local(Exception):
        pass

    def raise_local(index):
        raise Local("lost")

    with pytest.raises(
        RuntimeError, match="(?s)Caught RuntimeError in DataLoader worker process 0.*Local: lost"
    ):
        list(DataLoader(Squares(raise_local), num_workers=1))


def test_exception_of_worker_init():
    def init(worker_id):
        raise ValueError(f"no {worker_id}")

    with pytest.raises(ValueError, match="(?s)Caught ValueError in DataLoader worker process 0.*no 0"):
        list(DataLoader(Squares(), num_workers=1, worker_init_fn=init))


def test_worker_init_runs_in_each_worker():
    def init(worker_id):
        get_worker_info().dataset.before = lambda index: random.seed(worker_id)

    assert len(list(DataLoader(Squares(), num_workers=2, worker_init_fn=init))) == 10


def test_batch_that_does_not_pickle():
    with pytest.raises(Exception, match="(?s)in DataLoader worker process 0.*pickle"):
        list(DataLoader([0], batch_size=None, num_workers=1, collate_fn=lambda sample: lambda: sample))


def test_tensor_with_history_is_refused():
    data = [rushlight.ones(2, requires_grad=True) * 2]
    with pytest.raises(
        RuntimeError, match="Cowardly refusing to serialize non-leaf tensor which requires_grad"
    ):
        list(DataLoader(data, batch_size=None, num_workers=1))


@pytest.mark.parametrize("end", [lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: os._exit(3)])
def test_killed_worker_is_reported(end):
    def die(index):
        if index == 3:
            end()

    start = time.monotonic()
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited unexpectedly"):
        list(DataLoader(Squares(die), num_workers=2))
    assert time.monotonic() - start < 5


def test_timeout():
    def sleep(index):
        time.sleep(30)

    with pytest.raises(RuntimeError, match="DataLoader timed out after 1 seconds"):
        list(DataLoader(Squares(sleep), num_workers=1, timeout=1))


# ---- ending


@pytest.fixture
def children():
    """Return a function that lists the processes started since the test began."""
    gc.collect()
    before = set(multiprocessing.active_children())
    return lambda: set(multiprocessing.active_children()) - before


def test_workers_end_with_the_epoch_and_when_left_early(children):
    list(DataLoader(range(10), num_workers=2))
    assert not children()
    batches = iter(DataLoader([rushlight.zeros(1000, 1000)] * 20, num_workers=2))
    next(batches)
    assert len(children()) == 2
    start = time.monotonic()
    del batches
    assert not children()
    assert time.monotonic() - start < 2


def test_persistent_workers_stay_and_end_with_the_loader(children):
    loader = DataLoader(range(10), num_workers=2, persistent_workers=True)
    for _ in range(2):
        iterator = iter(loader)
        next(iterator)
    first = {process.pid for process in children()}
    assert [batch.item() for batch in loader] == list(range(10))
    assert {process.pid for process in children()} == first
    assert len(first) == 2
    del iterator, loader
    assert not children()


def test_persistent_workers_start_anew_after_one_died():
    flag = []

    def die(index):
        if index == 3 and flag:
            os._exit(1)

    flag.append(1)
    loader = DataLoader(Squares(die), num_workers=1, persistent_workers=True)
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        list(loader)
    flag.clear()
    assert len(list(loader)) == 10


def run(body):
    program = (
        "import os, sys, time\nimport rushlight\nfrom rushlight.utils.data import *\n" + textwrap.dedent(body)
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(rushlight.__file__).parent.parent)}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", program], stdout=pipe, stderr=pipe, env=environment, text=True
    )


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for_end(pids):
    deadline = time.monotonic() + 10
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(is_running, pids))


WITH_WORKERS = """
    class Slow(Dataset):
        def __len__(self):
            return 1000
        def __getitem__(self, index):
            time.sleep(0.01)
            return rushlight.zeros(100, 100)
    batches = iter(DataLoader(Slow(), num_workers=2, persistent_workers=True))
    next(batches)
    print(*(worker.process.pid for worker in batches._workers), flush=True)
"""


def test_interpreter_exit_leaves_no_worker():
    process = run(WITH_WORKERS)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert err == ""
    assert wait_for_end([int(pid) for pid in out.split()])


def test_killed_parent_leaves_no_worker():
    process = run(WITH_WORKERS + "    time.sleep(60)\n")
    pids = [int(pid) for pid in process.stdout.readline().split()]
    assert len(pids) == 2
    process.kill()
    process.communicate()
    assert wait_for_end(pids)


def test_keyboard_interrupt_ends_all():
    # Tests that run in the background inherit that interrupts are ignored.
    heeding = "\n    import signal\n    signal.signal(signal.SIGINT, signal.default_int_handler)"
    process = run(heeding + WITH_WORKERS + "    for batch in batches:\n        pass\n")
    pids = [int(pid) for pid in process.stdout.readline().split()]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in err
    assert wait_for_end(pids)


def test_nothing_is_left_in_shared_memory():
    before = set(os.listdir("/dev/shm"))
    test_killed_worker_is_reported(lambda: os._exit(3))
    list(DataLoader(TensorDataset(rushlight.ones(100, 100)), 10, num_workers=2))
    assert set(os.listdir("/dev/shm")) <= before


@pytest.mark.parametrize("context", ["spawn", "forkserver"])
def test_other_start_methods(context):
    loader = DataLoader(TensorDataset(rushlight.arange(4)), 2, num_workers=1, multiprocessing_context=context)
    assert [batch[0].tolist() for batch in loader] == [[0, 1], [2, 3]]


def test_loader_without_workers_does_not_load_numpy():
    process = run(
        """
        list(DataLoader(TensorDataset(rushlight.arange(4)), 2, shuffle=True))
        print("numpy" in sys.modules)
        """
    )
    assert process.communicate(timeout=30)[0].strip() == "False"
