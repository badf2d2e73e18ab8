"""Matrix products at the edges: empty, strided, broadcast, wrong shapes, thread counts, instruction sets."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import rushlight


def pair(*shape, dtype=np.float32, seed=0):
    """The same small integers, whose products are exact, for both libraries."""
    values = np.random.default_rng(seed).integers(-4, 5, shape).astype(dtype)
    return rushlight.from_numpy(values.copy()), torch.from_numpy(values)


def assert_same(mine, theirs):
    assert tuple(mine.shape) == tuple(theirs.shape)
    assert np.array_equal(mine.numpy(), theirs.numpy())


SIZES = [
    (1, 1, 1),
    (1, 7, 33),
    (33, 1, 7),
    (5, 3, 0),
    (0, 4, 2),
    (13, 40, 17),
    (65, 50, 900),
    (300, 3, 40),
    (3, 200, 64),
]


@pytest.mark.parametrize("m,n,k", SIZES)
@pytest.mark.parametrize(
    "dtype", [np.float32, np.float64, np.int64, np.int32, np.uint8, np.complex64, np.complex128]
)
def test_products_are_exact_on_small_integers(m, n, k, dtype):
    a, a_torch = pair(m, k, dtype=dtype)
    b, b_torch = pair(k, n, dtype=dtype, seed=1)
    assert_same(a @ b, a_torch @ b_torch)
    assert_same(a.t().contiguous().t() @ b, a_torch @ b_torch)
    assert_same(a @ b.t().contiguous().t(), a_torch @ b_torch)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_sixteen_bit_products_round_once(dtype):
    a, b = rushlight.randn(20, 1000), rushlight.randn(1000, 30)
    a, b = a.to(getattr(rushlight, dtype)), b.to(getattr(rushlight, dtype))
    exact = (a.float().double() @ b.float().double()).numpy()
    rounded = torch.from_numpy(exact).to(getattr(torch, dtype)).float().numpy()
    error = np.abs((a @ b).float().numpy() - rounded)
    assert (error <= np.abs(rounded) * 2.0**-7).all()


def test_strides_of_any_kind():
    a, a_torch = pair(20, 30)
    b, b_torch = pair(15, 44, seed=1)
    assert_same(a[::2, ::2] @ b[:, ::2], a_torch[::2, ::2] @ b_torch[:, ::2])
    assert_same(
        a[:1].expand(5, 30) @ b[:1, :1].expand(30, 7),
        a_torch[:1].expand(5, 30) @ b_torch[:1, :1].expand(30, 7),
    )


@pytest.mark.parametrize(
    "a,b",
    [
        ((4, 1, 2, 3), (5, 3, 6)),
        ((3,), (5, 3, 2)),
        ((5, 2, 3), (3,)),
        ((0, 2, 3), (3, 4)),
        ((2, 2, 0), (0, 3)),
    ],
)
def test_matmul_broadcasts(a, b):
    first, first_torch = pair(*a)
    second, second_torch = pair(*b, seed=1)
    assert_same(first @ second, first_torch @ second_torch)


def test_nothing_is_skipped_for_zeros():
    zeros, wrong = rushlight.zeros(3, 4), rushlight.full((4, 5), float("nan"))
    assert rushlight.isnan(zeros @ wrong).all()


def test_addend_is_not_read_for_beta_zero():
    result = rushlight.addmm(
        rushlight.full((2,), float("nan")), rushlight.ones(2, 3), rushlight.ones(3, 2), beta=0
    )
    assert result.tolist() == [[3, 3], [3, 3]]


def test_bits_do_not_depend_on_the_number_of_threads():
    rushlight.manual_seed(0)
    before = rushlight.get_num_threads()
    shapes = [
        ((300, 200), (200, 310)),
        ((40, 60, 50), (40, 50, 70)),
        ((1, 3000), (3000, 500)),
        ((2000, 900), (900, 3)),
    ]
    try:
        for a, b in shapes:
            a, b = rushlight.randn(*a), rushlight.randn(*b)
            results = []
            for threads in (1, 2, 3, 5):
                rushlight.set_num_threads(threads)
                results.append((a @ b).numpy())
            assert all(np.array_equal(results[0], other) for other in results)
    finally:
        rushlight.set_num_threads(before)


PROGRAM = """
import numpy as np, rushlight as r
v = lambda *s: r.from_numpy(np.random.default_rng(0).integers(-3, 4, s).astype(np.float32))
a, b = v(37, 70), v(70, 45)
x, w = v(2, 3, 9, 9), v(5, 3, 3, 3)
total = (a @ b).double().sum() + r.conv2d(x, w, padding=1).double().square().sum()
total += r.nn.functional.avg_pool2d(x, 3, 2, 1).double().mul(9).square().sum() + r.max_pool2d(x, 2).double().sum()
print(float(total))
"""


def test_instruction_sets_agree():
    results = set()
    for isa in ("baseline", "avx2", "avx512"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "RUSHLIGHT_ISA": isa},
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )
        if done.returncode and "RUSHLIGHT_ISA" in done.stderr:
            continue  # this machine has no such instructions
        assert done.returncode == 0, done.stderr
        results.add(done.stdout)
    assert len(results) == 1


ERRORS = [
    lambda t: t.mm(t.ones(2, 3), t.ones(2, 3)),
    lambda t: t.mm(t.ones(3), t.ones(2, 3)),
    lambda t: t.mm(t.ones(2, 3), t.ones(3, 2).double()),
    lambda t: t.mm(t.ones(2, 2, dtype=t.bool), t.ones(2, 2, dtype=t.bool)),
    lambda t: t.bmm(t.ones(2, 3), t.ones(2, 3, 4)),
    lambda t: t.bmm(t.ones(2, 3, 4), t.ones(2, 3, 4)),
    lambda t: t.mv(t.ones(2, 3), t.ones(2)),
    lambda t: t.dot(t.ones(2), t.ones(3)),
    lambda t: t.dot(t.ones(2, 2), t.ones(3)),
    lambda t: t.matmul(t.tensor(1.0), t.ones(3)),
    lambda t: t.matmul(t.ones(2, 2, 3), t.ones(2, 2, 3)),
    lambda t: t.matmul(t.ones(2, 2, 3), t.ones(3, 3, 2)),
    lambda t: t.addmm(t.ones(3, 3), t.ones(2, 3), t.ones(3, 2)),
    lambda t: t.addmm(t.ones(2).double(), t.ones(2, 3), t.ones(3, 2)),
    lambda t: t.outer(t.ones(2), t.ones(2, 2)),
    lambda t: t.nn.functional.linear(t.ones(2, 3), t.ones(4, 2)),
    lambda t: t.nn.functional.linear(t.ones(2, 3), t.ones(4, 3), t.ones(3)),
    lambda t: t.einsum("ij,jk", t.ones(2, 3), t.ones(4, 5)),
    lambda t: t.einsum("ij,jk->q", t.ones(2, 3), t.ones(3, 5)),
    lambda t: t.einsum("i1", t.ones(2, 3)),
    lambda t: t.einsum("ij->i"),
    lambda t: t.tensordot(t.ones(2, 3), t.ones(4, 5), 1),
]


@pytest.mark.parametrize("call", ERRORS)
def test_errors_are_those_of_pytorch(call):
    with pytest.raises(Exception) as theirs:
        call(torch)
    with pytest.raises(theirs.type) as mine:
        call(rushlight)
    assert str(mine.value).splitlines()[0] == str(theirs.value).splitlines()[0]


def test_impossible_sizes_raise():
    huge = rushlight.ones(1, 1).expand(2**31, 1)
    with pytest.raises(RuntimeError):
        huge @ huge.t()


def test_node_names():
    x = rushlight.ones(2, 3, requires_grad=True)
    layer = rushlight.nn.Linear(3, 4)
    assert layer(x).grad_fn.name() == "AddmmBackward0"
    assert rushlight.nn.functional.linear(x, layer.weight).grad_fn.name() == "MmBackward0"
    assert (x @ rushlight.ones(3)).grad_fn.name() == "MvBackward0"


def bytes_for(torch, *names):
    """Operands of _int_mm, by what is wrong with them."""
    x = torch.arange(-6, 6, dtype=torch.int8).reshape(3, 4)
    operands = {
        "x": x,
        "turned": x.t(),
        "unsigned": x.t().to(torch.uint8),
        "float": x.float(),
        "int": x.t().int(),
        "row": x[0],
        "batch": x[None],
        "number": x[0, 0],
        "empty": x[:, :0],
        "empty turned": x[:, :0].t(),
    }
    return [operands[name] for name in names]


@pytest.mark.parametrize(
    "names", [("x", "turned"), ("turned", "x"), ("unsigned", "x"), ("empty", "empty turned")]
)
def test_products_of_bytes(names):
    theirs = torch._int_mm(*bytes_for(torch, *names))
    mine = rushlight._int_mm(*bytes_for(rushlight, *names))
    assert mine.dtype == rushlight.int32
    assert_same(mine, theirs)


@pytest.mark.parametrize(
    "names",
    [
        ("x", "x"),
        ("x", "int"),
        ("x", "unsigned"),
        ("float", "turned"),
        ("float", "x"),
        ("row", "turned"),
        ("x", "row"),
        ("batch", "turned"),
        ("x", "batch"),
        ("x", "number"),
    ],
)
def test_what_products_of_bytes_refuse(names):
    with pytest.raises((RuntimeError, IndexError)) as theirs:
        torch._int_mm(*bytes_for(torch, *names))
    with pytest.raises(theirs.type) as mine:
        rushlight._int_mm(*bytes_for(rushlight, *names))
    assert str(mine.value) == str(theirs.value)


@pytest.mark.parametrize("use_gelu", [False, True])
def test_an_activation_after_a_sum(use_gelu):
    operands = [pair(6, 5), pair(6, 4, seed=1), pair(4, 5, seed=2)]
    mine = rushlight._addmm_activation(*(x for x, _ in operands), alpha=0.5, use_gelu=use_gelu)
    theirs = torch._addmm_activation(*(y for _, y in operands), alpha=0.5, use_gelu=use_gelu)
    assert np.allclose(mine.numpy(), theirs.numpy(), rtol=1e-6, atol=1e-6)
