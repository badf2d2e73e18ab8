"""Matrix products of random shapes, strides, dtypes and thread counts against NumPy in double precision."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rushlight

# The bound on the error, in terms of the sum of absolute products: the type's rounding and the sums'.
EPSILON = {
    "float32": 2e-6,
    "float64": 1e-14,
    "bfloat16": 5e-3,
    "float16": 6e-4,
    "complex64": 4e-6,
    "int8": 0,
    "uint8": 0,
    "int16": 0,
    "int32": 0,
    "int64": 0,
}
SIZES = st.one_of(
    st.integers(0, 20), st.sampled_from([24, 31, 32, 33, 48, 63, 64, 65, 97, 130, 257, 500, 1000])
)
LAYOUTS = ["plain", "transposed", "stepped", "expanded", "shifted"]


@pytest.fixture(autouse=True)
def _threads():
    before = rushlight.get_num_threads()
    yield
    rushlight.set_num_threads(before)


def operand(random: np.random.Generator, shape: tuple[int, ...], dtype: str, layout: str) -> rushlight.Tensor:
    """A tensor of `shape` whose last two dimensions lie in memory as `layout` says."""
    *batch, rows, columns = shape
    sizes = {
        "plain": (rows, columns),
        "transposed": (columns, rows),
        "stepped": (rows * 2, columns * 3),
        "expanded": (1, columns),
        "shifted": (rows, columns + 1),
    }[layout]
    full = (*batch, *sizes)
    if dtype.startswith(("int", "uint")):
        values = random.integers(-100 if dtype != "uint8" else 0, 101, full)
    elif dtype == "complex64":
        values = random.standard_normal(full) + 1j * random.standard_normal(full)
    else:
        values = random.standard_normal(full)
    tensor = rushlight.from_numpy(values).to(getattr(rushlight, dtype))
    if layout == "transposed":
        return tensor.transpose(-1, -2)
    if layout == "stepped":
        return tensor[..., ::2, ::3]
    if layout == "expanded":
        return tensor.expand(*batch, rows, columns)
    if layout == "shifted":
        return tensor[..., 1:]
    return tensor


def exact(tensor: rushlight.Tensor) -> np.ndarray:
    if tensor.dtype.is_complex:
        return tensor.to(rushlight.complex128).numpy()
    return tensor.to(rushlight.float64 if tensor.dtype.is_floating_point else rushlight.int64).numpy()


def assert_close(result: rushlight.Tensor, expected: np.ndarray, size: np.ndarray, dtype: str) -> None:
    assert tuple(result.shape) == expected.shape
    if EPSILON[dtype] == 0:
        wrapped = expected.astype(dtype)
        assert np.array_equal(result.numpy(), wrapped)
        return
    error = np.abs(exact(result) - expected)
    rounding = 2.0**-25 if dtype == "float16" else 1e-30  # of results below the normal numbers
    assert (error <= EPSILON[dtype] * size + rounding).all()


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    m=SIZES,
    n=SIZES,
    k=SIZES,
    dtype=st.sampled_from(list(EPSILON)),
    left=st.sampled_from(LAYOUTS),
    right=st.sampled_from(LAYOUTS),
    threads=st.sampled_from([1, 2, 3]),
    seed=st.integers(0, 1000),
)
def test_products(m, n, k, dtype, left, right, threads, seed):
    rushlight.set_num_threads(threads)
    random = np.random.default_rng(seed)
    a, b = operand(random, (m, k), dtype, left), operand(random, (k, n), dtype, right)
    x, y = exact(a), exact(b)
    assert_close(a @ b, x @ y, np.abs(x) @ np.abs(y), dtype)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    m=SIZES,
    n=SIZES,
    k=SIZES,
    dtype=st.sampled_from(["float32", "float64", "bfloat16", "float16", "complex64", "int8", "int32"]),
    left=st.sampled_from(LAYOUTS),
    right=st.sampled_from(LAYOUTS),
    addend=st.sampled_from(["row", "column", "one", "full", "transposed", "stepped"]),
    factors=st.sampled_from([(1, 1), (2, 3), (0, 1), (-1, 2)]),
    into_transposed=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_sums_with_products(m, n, k, dtype, left, right, addend, factors, into_transposed, seed):
    random = np.random.default_rng(seed)
    beta, alpha = factors
    a, b = operand(random, (m, k), dtype, left), operand(random, (k, n), dtype, right)
    if addend in ("row", "column", "one"):
        shape = {"row": (1, n), "column": (m, 1), "one": (1, 1)}[addend]
        bias = operand(random, shape, dtype, "plain")
    else:
        bias = operand(random, (m, n), dtype, {"full": "plain"}.get(addend, addend))
    x, y, z = exact(a), exact(b), np.broadcast_to(exact(bias), (m, n))
    expected = beta * z + alpha * (x @ y)
    size = abs(beta) * np.abs(z) + abs(alpha) * (np.abs(x) @ np.abs(y))
    assert_close(rushlight.addmm(bias, a, b, beta=beta, alpha=alpha), expected, size, dtype)
    if into_transposed and m and n:
        out = rushlight.empty(n, m, dtype=a.dtype).t()
        rushlight.addmm(bias, a, b, beta=beta, alpha=alpha, out=out)
        assert_close(out, expected, size, dtype)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    batch=st.sampled_from([(1,), (3,), (40,), (2, 3), (0,)]),
    shared=st.sampled_from(["neither", "left", "right", "outer"]),
    m=st.integers(1, 40),
    n=st.integers(1, 40),
    k=st.integers(0, 40),
    dtype=st.sampled_from(["float32", "float64", "bfloat16", "int8", "int64"]),
    left=st.sampled_from(LAYOUTS),
    right=st.sampled_from(LAYOUTS),
    seed=st.integers(0, 1000),
)
def test_batches(batch, shared, m, n, k, dtype, left, right, seed):
    random = np.random.default_rng(seed)
    ones = (1,) * len(batch)
    a_batch = ones if shared in ("left", "outer") else batch
    b_batch = ones if shared == "right" else (5, *batch) if shared == "outer" else batch
    a = operand(random, (*a_batch, m, k), dtype, left)
    b = operand(random, (*b_batch, k, n), dtype, right)
    x, y = exact(a), exact(b)
    assert_close(a @ b, x @ y, np.abs(x) @ np.abs(y), dtype)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    items=st.sampled_from([1, 7, 300, 2000]),
    m=st.sampled_from([1, 2, 3, 4, 10]),
    n=st.sampled_from([1, 2, 3, 4, 20]),
    k=st.sampled_from([1, 3, 4, 15, 16, 17, 40, 64]),
    dtype=st.sampled_from(["float32", "float64", "bfloat16", "float16", "int16", "complex64"]),
    left=st.sampled_from(LAYOUTS),
    right=st.sampled_from(LAYOUTS),
)
def test_many_tiny_products(items, m, n, k, dtype, left, right):
    """Also the same bits for any number of threads."""
    random = np.random.default_rng(items + k)
    a, b = operand(random, (items, m, k), dtype, left), operand(random, (items, k, n), dtype, right)
    x, y = exact(a), exact(b)
    results = []
    for threads in (1, 2, 3, 8):
        rushlight.set_num_threads(threads)
        results.append(exact(a @ b))
    assert all(np.array_equal(results[0], other) for other in results)
    assert_close(a @ b, x @ y, np.abs(x) @ np.abs(y), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16", "int8", "int64"])
def test_tiny_products(dtype):
    random = np.random.default_rng(0)
    for m, n, k in itertools.product((1, 2, 3, 5), (1, 2, 3, 5), (1, 2, 3, 8, 10)):
        for left, right in itertools.product(LAYOUTS, LAYOUTS):
            a, b = operand(random, (m, k), dtype, left), operand(random, (k, n), dtype, right)
            x, y = exact(a), exact(b)
            assert_close(a @ b, x @ y, np.abs(x) @ np.abs(y), dtype)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    few=st.integers(1, 9),
    narrow=st.integers(1, 9),
    depth=st.sampled_from([1, 15, 16, 63, 64, 100, 1000, 9000]),
    columns=st.sampled_from([0, 63, 64, 200, 1000]),
    dtype=st.sampled_from(["float32", "float64", "bfloat16", "float16"]),
    left=st.sampled_from(LAYOUTS[:2]),
    right=st.sampled_from(LAYOUTS[:2]),
    turned=st.booleans(),
    threads=st.sampled_from([1, 2]),
)
def test_few_rows_or_columns(few, narrow, depth, columns, dtype, left, right, turned, threads):
    rushlight.set_num_threads(threads)
    random = np.random.default_rng(few + depth)
    columns = columns if columns and depth <= 1000 else narrow
    a, b = operand(random, (few, depth), dtype, left), operand(random, (depth, columns), dtype, right)
    if turned:
        a, b = b.t(), a.t()
    x, y = exact(a), exact(b)
    bias = operand(random, (1, y.shape[1]), dtype, "plain")
    total = exact(bias) + x @ y
    assert_close(rushlight.addmm(bias, a, b), total, np.abs(exact(bias)) + np.abs(x) @ np.abs(y), dtype)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    m=SIZES,
    n=SIZES,
    k=SIZES,
    dtype=st.sampled_from(["int8", "uint8"]),
    left=st.sampled_from(LAYOUTS),
    right=st.sampled_from(LAYOUTS),
    seed=st.integers(0, 1000),
)
def test_bytes_multiply_exactly(m, n, k, dtype, left, right, seed):
    """Also where every byte is at the end of its range."""
    random = np.random.default_rng(seed)
    a, b = operand(random, (m, k), dtype, left), operand(random, (k, n), "int8", right)
    if seed % 3 == 0:
        a, b = a.clone(), b.clone()
        a.fill_(-128 if dtype == "int8" else 255)
        b.fill_(-128 if seed % 2 else 127)
    result = rushlight._int_mm(a, b)
    assert result.dtype == rushlight.int32
    assert np.array_equal(result.numpy(), exact(a) @ exact(b))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    m=SIZES,
    n=SIZES,
    k=st.sampled_from([0, 1, 3, 16, 70, 1000]),
    dtype=st.sampled_from(["float32", "float64", "bfloat16"]),
    left=st.sampled_from(LAYOUTS[:2]),
    right=st.sampled_from(LAYOUTS[:2]),
    factors=st.sampled_from([(1, 1), (2, 3), (0, 1)]),
    use_gelu=st.booleans(),
    threads=st.sampled_from([1, 2, 3, 8]),
    seed=st.integers(0, 1000),
)
def test_activations_of_sums(m, n, k, dtype, left, right, factors, use_gelu, threads, seed):
    """The same bits as the activation of the finished sum, also of what is not a number."""
    rushlight.set_num_threads(threads)
    random = np.random.default_rng(seed)
    a, b = operand(random, (m, k), dtype, left), operand(random, (k, n), dtype, right)
    bias = operand(random, (1, n) if seed % 2 else (m, n), dtype, "plain")
    if seed % 5 == 0 and m and k:
        a[m // 2, k // 2] = float("nan")
    beta, alpha = factors
    result = rushlight._addmm_activation(bias, a, b, beta=beta, alpha=alpha, use_gelu=use_gelu)
    total = rushlight.addmm(bias, a, b, beta=beta, alpha=alpha)
    expected = rushlight.nn.functional.gelu(total) if use_gelu else total.relu()
    assert np.array_equal(exact(result), exact(expected), equal_nan=True)
    if m and n:
        out = rushlight.empty(n, m, dtype=a.dtype).t()
        rushlight._addmm_activation(bias, a, b, beta=beta, alpha=alpha, use_gelu=use_gelu, out=out)
        assert np.array_equal(exact(out), exact(expected), equal_nan=True)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    m=SIZES,
    n=SIZES,
    batch=st.sampled_from([0, 1, 3]),
    dtype=st.sampled_from([*EPSILON, "bool"]),
    left=st.sampled_from(LAYOUTS),
    right=st.sampled_from(LAYOUTS),
    threads=st.sampled_from([1, 2, 3]),
    seed=st.integers(0, 1000),
)
def test_outer_products(m, n, batch, dtype, left, right, threads, seed):
    rushlight.set_num_threads(threads)
    random = np.random.default_rng(seed)
    kind = "uint8" if dtype == "bool" else dtype
    a, b = operand(random, (batch, m), kind, left), operand(random, (batch, n), kind, right)
    if dtype == "bool":
        a, b = a > 50, b > 50
        expected = a.numpy()[:, :, None] & b.numpy()[:, None]
        assert np.array_equal(rushlight.einsum("bi,bj->bij", a, b).numpy(), expected)
        return
    x, y = exact(a)[:, :, None], exact(b)[:, None]
    assert_close(rushlight.einsum("bi,bj->bij", a, b), x * y, np.abs(x * y), dtype)
    assert_close(a[:, :, None] @ b[:, None], x * y, np.abs(x * y), dtype)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    m=st.sampled_from([1, 5, 64, 200, 3000]),
    n=st.sampled_from([1, 3, 10, 64, 300]),
    k=st.sampled_from([1, 16, 100, 900, 5000]),
    dtype=st.sampled_from(["float32", "float64", "bfloat16", "float16"]),
    left=st.sampled_from(LAYOUTS[:2]),
    right=st.sampled_from(LAYOUTS[:2]),
)
def test_bits_do_not_depend_on_the_number_of_threads(m, n, k, dtype, left, right):
    random = np.random.default_rng(0)
    if m * n * k > 10**8:
        k = 100
    a, b = operand(random, (m, k), dtype, left), operand(random, (k, n), dtype, right)
    results = []
    for threads in (1, 2, 3, 8):
        rushlight.set_num_threads(threads)
        results.append((a @ b).float().numpy() if dtype != "float64" else (a @ b).numpy())
    assert all(np.array_equal(results[0], other) for other in results)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
@pytest.mark.parametrize("shape", [(3, 5, 7), (20, 40, 64), (1, 100, 9), (64, 300, 100)])
def test_nothing_is_read_into_the_sums_but_the_operands(shape, dtype):
    """Memory around the operands is NaN; what is not a number inside them stays in its row and column."""
    m, k, n = shape
    kind = getattr(rushlight, dtype)
    nan = float("nan")
    wide_a, wide_b = (
        rushlight.full((m + 2, k + 2), nan).to(kind),
        rushlight.full((k + 2, n + 2), nan).to(kind),
    )
    a, b = wide_a[1:-1, 1:-1], wide_b[1:-1, 1:-1]
    a.fill_(1)
    b.fill_(1)
    assert ((a @ b) == k).all()
    a[0, 0] = nan
    b[0, n - 1] = float("inf")
    result = (a @ b).float()
    assert result[0].isnan().all()
    assert (result[1:, -1] == float("inf")).all()
    assert (result[1:, :-1] == k).all()


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    shape=st.one_of(
        st.tuples(st.integers(5, 40), st.integers(5, 40), st.sampled_from([2000, 5003, 9000])),  # deep
        st.tuples(st.integers(200, 700), st.integers(5, 300), st.sampled_from([60, 450, 900])),
        st.tuples(st.integers(5, 300), st.integers(200, 700), st.sampled_from([60, 450, 900])),
    ),
    dtype=st.sampled_from(["float32", "float64", "bfloat16", "float16", "complex64", "int32"]),
    left=st.sampled_from(LAYOUTS),
    right=st.sampled_from(LAYOUTS),
    into_transposed=st.booleans(),
)
def test_shared_out_products(shape, dtype, left, right, into_transposed):
    """Products whose parts threads pack for themselves: also the same bits for any number of them."""
    m, n, k = shape
    random = np.random.default_rng(k)
    a, b = operand(random, (m, k), dtype, left), operand(random, (k, n), dtype, right)
    bias = operand(random, (m, 1), dtype, "plain")
    out = (
        rushlight.empty(n, m, dtype=a.dtype).t() if into_transposed else rushlight.empty(m, n, dtype=a.dtype)
    )
    results = []
    for threads in (1, 2, 3, 8):
        rushlight.set_num_threads(threads)
        results.append(exact(rushlight.addmm(bias, a, b, beta=2, alpha=3, out=out)).copy())
    assert all(np.array_equal(results[0], other) for other in results)
    x, y, z = exact(a), exact(b), np.broadcast_to(exact(bias), (m, n))
    size = 2 * np.abs(z) + 3 * (np.abs(x) @ np.abs(y))
    assert_close(out, 2 * z + 3 * (x @ y), size, dtype)
