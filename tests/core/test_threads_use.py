"""Whole training runs and the thread pool: the same bits for any number of threads, several callers, forked processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

import rushlight as torch
from rushlight.nn import functional as F
from tests.training_runs import RUNS, perceptron

STEPS = 3


@pytest.fixture(autouse=True)
def thread_count():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def trained(prepare):
    """The loss and all parameters after a few steps from seed 0, as bytes."""
    torch.manual_seed(0)
    net, optimizer, loss = prepare()
    for _ in range(STEPS):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
    tensors = [value.detach(), *(parameter.detach() for parameter in net.parameters())]
    return b"".join(tensor.numpy().tobytes() for tensor in tensors)


@pytest.mark.parametrize("prepare", RUNS)
def test_training_gives_the_same_bits_for_any_number_of_threads(prepare):
    results = set()
    for count in (1, 2, 3, 8):
        torch.set_num_threads(count)
        results.add(trained(prepare))
    assert len(results) == 1


def worked(seed):
    """A product, a convolution and their gradients, as bytes; each call makes its own numbers."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator).requires_grad_()

    a, b = draw(120, 200), draw(200, 150)
    image, filters = draw(4, 8, 24, 24), draw(16, 8, 3, 3)
    loss = (a @ b).tanh().sum() + F.conv2d(image, filters, padding=1).square().mean()
    loss.backward()
    tensors = [loss.detach(), *(tensor.grad for tensor in (a, b, image, filters))]
    return b"".join(tensor.numpy().tobytes() for tensor in tensors)


def in_threads(functions):
    """Runs the functions at the same time, each in a Python thread; none may take a minute."""
    workers = [threading.Thread(target=function, daemon=True) for function in functions]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert not worker.is_alive()


@pytest.mark.parametrize("count", [1, 2, 8])
def test_python_threads_compute_at_the_same_time(count):
    torch.set_num_threads(count)
    seeds = range(4)
    expected = {seed: worked(seed) for seed in seeds}
    found = {seed: set() for seed in seeds}
    in_threads(
        [lambda seed=seed: found[seed].update(worked(seed) for _ in range(8)) for seed in seeds],
    )
    assert found == {seed: {expected[seed]} for seed in seeds}


def test_python_threads_go_backward_into_the_same_leaf():
    torch.set_num_threads(2)
    weight = torch.ones(400, 400, requires_grad=True)
    rounds, callers = 8, 4
    start = threading.Barrier(callers)

    def work():
        start.wait()
        for _ in range(rounds):
            (weight * 2.0).sum().backward()

    for _ in range(4):
        weight.grad = None
        in_threads([work] * callers)
        assert weight.grad.eq(2.0 * rounds * callers).all()


def test_the_number_of_threads_may_change_while_others_compute():
    stop = threading.Event()
    expected = worked(1)
    found = set()

    def work():
        while not stop.is_set():
            found.add(worked(1))

    def change():
        for turn in range(200):
            torch.set_num_threads(1 + turn % 8)
            torch.ones(1 << 17).exp_()
        stop.set()

    in_threads([work, work, change])
    assert found == {expected}


def test_a_forked_process_trains():
    torch.set_num_threads(3)
    expected = trained(perceptron)
    for _ in range(3):
        child = os.fork()
        if child == 0:
            os._exit(0 if trained(perceptron) == expected else 1)
        assert os.waitpid(child, 0)[1] == 0
    assert trained(perceptron) == expected


def test_a_process_forked_from_a_python_thread_trains():
    torch.set_num_threads(2)
    expected = trained(perceptron)
    statuses = []

    def fork():
        child = os.fork()
        if child == 0:
            os._exit(0 if trained(perceptron) == expected else 1)
        statuses.append(os.waitpid(child, 0)[1])

    in_threads([fork])
    assert statuses == [0]


def test_a_process_ends_while_a_thread_computes():
    program = """
import threading, time
import rushlight as torch

torch.set_num_threads(4)

def work():
    while True:
        torch.ones(1 << 18).exp().sum()

threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
"""
    subprocess.run([sys.executable, "-c", program], timeout=60, check=True)
