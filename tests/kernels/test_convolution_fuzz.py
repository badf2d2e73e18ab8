"""Convolutions and pooling against float64 NumPy, with equal bits for any number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import rushlight
from rushlight.backends import convolution as backend
from rushlight.nn import functional as F

# Of the largest element.
TOLERANCES = {"float64": 1e-13, "float32": 3e-6, "float16": 2e-3, "bfloat16": 2e-2}

Case = tuple[np.ndarray, np.ndarray, np.ndarray, dict]


def taps(case: Case) -> Iterator[tuple[tuple, tuple]]:
    """The index of each tap in the weight, and the slices of the padded input that it meets."""
    x, w, _, options = case
    spatial = w.ndim - 2
    sizes = [
        (x.shape[d + 2] + 2 * options["padding"][d] - options["dilation"][d] * (w.shape[d + 2] - 1) - 1)
        // options["stride"][d]
        + 1
        for d in range(spatial)
    ]
    for tap in product(*map(range, w.shape[2:])):
        begin = [t * d for t, d in zip(tap, options["dilation"])]
        yield (
            (..., *tap),
            (..., *(slice(b, b + s * (n - 1) + 1, s) for b, s, n in zip(begin, options["stride"], sizes))),
        )


def reference(case: Case, grad: np.ndarray | None = None) -> list[np.ndarray]:
    """The output, or the gradients of input, weight and bias."""
    x, w, bias, options = case
    groups = options["groups"]
    wide = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in options["padding"])])
    grouped = wide.reshape(len(x), groups, -1, *wide.shape[2:])
    kernels = w.reshape(groups, -1, *w.shape[1:])
    if grad is None:
        y = sum(np.einsum("goc,ngc...->ngo...", kernels[tap], grouped[place]) for tap, place in taps(case))
        return [y.reshape(len(x), len(w), *y.shape[3:]) + bias.reshape(-1, *[1] * (w.ndim - 2))]
    grads = grad.reshape(len(x), groups, -1, *grad.shape[2:])
    dx, dw = np.zeros_like(grouped), np.zeros_like(kernels)
    for tap, place in taps(case):
        dx[place] += np.einsum("goc,ngo...->ngc...", kernels[tap], grads)
        flat = [a.reshape(*a.shape[:3], -1) for a in (grads, grouped[place])]
        dw[tap] = np.einsum("ngop,ngcp->goc", *flat)
    inner = (..., *(slice(p, p + n) for p, n in zip(options["padding"], x.shape[2:])))
    return [dx.reshape(wide.shape)[inner], dw.reshape(w.shape), grad.sum((0, *range(2, grad.ndim)))]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Depthwise, grouped, dense, few and many channels; kernels, strides, padding and dilation of any kind."""
    spatial = draw(st.sampled_from([1, 2, 2, 2, 3]))
    groups, entering, leaving = draw(
        st.one_of(
            st.tuples(st.just(1), st.integers(1, 40), st.integers(1, 40)),
            st.tuples(st.sampled_from([8, 9, 17, 40]), st.just(1), st.just(1)),
            st.tuples(st.sampled_from([2, 8, 11]), st.integers(1, 3), st.integers(1, 3)),
        )
    )
    dims = range(spatial)
    kernel = draw(
        st.one_of(
            st.just([3] * spatial), st.just([5] * spatial), st.tuples(*[st.integers(1, 7) for _ in dims])
        )
    )
    stride = draw(
        st.one_of(
            st.just([1] * spatial), st.just([2] * spatial), st.tuples(*[st.integers(1, 3) for _ in dims])
        )
    )
    dilation = draw(st.one_of(st.just([1] * spatial), st.tuples(*[st.integers(1, 2) for _ in dims])))
    padding = [draw(st.integers(0, 3)) for _ in dims]
    most = {1: 90, 2: 30, 3: 8}[spatial]
    reach = [(k - 1) * d + 1 - 2 * p for k, d, p in zip(kernel, dilation, padding)]
    sizes = [draw(st.integers(max(1, r), max(r, most))) for r in reach]
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    x = random.standard_normal((draw(st.integers(1, 3)), groups * entering, *sizes))
    w = random.standard_normal((groups * leaving, entering, *kernel)) / np.sqrt(entering * np.prod(kernel))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return x, w, random.standard_normal(groups * leaving), options


def run(case: Case, dtype: str, dense: bool = True) -> tuple[list[np.ndarray], np.ndarray, Case]:
    """Output and gradients, the output's gradient, and the case as it was after rounding to the dtype."""
    *arrays, options = case
    tensors = [rushlight.from_numpy(a.copy()).to(getattr(rushlight, dtype)) for a in arrays]
    rounded = [t.double().numpy() for t in tensors]
    if not dense:
        tensors = [rushlight.stack([t, t], -1)[..., 0] for t in tensors]
    tensors = [t.detach().requires_grad_() for t in tensors]
    x, w, bias = tensors
    y = getattr(F, f"conv{w.dim() - 2}d")(x, w, bias, **options)
    grad = rushlight.from_numpy(np.random.default_rng(1).standard_normal(y.shape)).to(y.dtype)
    y.backward(grad)
    results = [y.detach(), *(t.grad for t in tensors)]
    return [r.double().numpy() for r in results], grad.double().numpy(), (*rounded, options)


@settings(max_examples=120, deadline=None)
@given(case=cases(), dtype=st.sampled_from(sorted(TOLERANCES)), dense=st.booleans())
def test_values_and_gradients(case: Case, dtype: str, dense: bool) -> None:
    check(case, dtype, dense)


def check(case: Case, dtype: str, dense: bool) -> None:
    results, grad, rounded = run(case, dtype, dense)
    expected = reference(rounded) + reference(rounded, grad)
    *arrays, options = rounded
    squares = (*(array * array for array in arrays), options)  # sums may cancel, their terms' sizes may not
    sizes = reference(squares) + reference(squares, grad * grad)
    for name, mine, right, size in zip(("output", "input", "weight", "bias"), results, expected, sizes):
        scale = max(np.sqrt(np.abs(size).max()), np.abs(right).max(), 1e-3)
        np.testing.assert_allclose(mine, right, rtol=0, atol=scale * TOLERANCES[dtype], err_msg=name)


@settings(max_examples=40, deadline=None)
@given(
    batch=st.integers(1, 6),
    groups=st.sampled_from([1, 1, 2]),
    channels=st.tuples(st.sampled_from([7, 8, 17, 40, 97]), st.sampled_from([8, 12, 33, 64, 130])),
    sizes=st.lists(st.integers(1, 35), min_size=1, max_size=2),
    dtype=st.sampled_from(sorted(TOLERANCES)),
    dense=st.booleans(),
)
def test_size_one_kernels_take_images_together(
    batch: int, groups: int, channels: tuple[int, int], sizes: list[int], dtype: str, dense: bool
) -> None:
    random = np.random.default_rng(0)
    entering, leaving = (groups * count for count in channels)
    x = random.standard_normal((batch, entering, *sizes))
    w = random.standard_normal((leaving, channels[0], *[1] * len(sizes)))
    none = [0] * len(sizes)
    options = {"stride": [1] * len(sizes), "padding": none, "dilation": [1] * len(sizes), "groups": groups}
    check((x, w, random.standard_normal(leaving), options), dtype, dense)


@pytest.mark.parametrize("dtype", sorted(TOLERANCES))
def test_no_image_gives_a_gradient_of_zeros(dtype: str) -> None:
    options = {"dtype": getattr(rushlight, dtype)}
    x, w = rushlight.empty(0, 5, 4, 4, **options), rushlight.ones(7, 5, 1, 1, **options, requires_grad=True)
    F.conv2d(x, w).sum().backward()
    assert not w.grad.any()


def check_bits(case: Case, dtype: str = "float32") -> None:
    """The same results with any number of threads."""
    before, results = rushlight.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 8):
            rushlight.set_num_threads(threads)
            results.append(run(case, dtype)[0])
    finally:
        rushlight.set_num_threads(before)
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other))


@settings(max_examples=25, deadline=None)
@given(case=cases(), dtype=st.sampled_from(["float32", "float64", "bfloat16"]))
def test_bits_do_not_depend_on_the_number_of_threads(case: Case, dtype: str) -> None:
    check_bits(case, dtype)


def many_channels(batch: int, channels: tuple[int, int], sizes: list[int], kernel: int, **options) -> Case:
    random = np.random.default_rng(0)
    entering, leaving = channels
    x = random.standard_normal((batch, entering, *sizes))
    w = random.standard_normal((leaving, entering, kernel, kernel)) / (kernel * np.sqrt(entering))
    form = {name: [value] * 2 for name, value in options.items()}
    return x, w, random.standard_normal(leaving), {"dilation": [1, 1], "groups": 1, **form}


def check_many_channels(case: Case, dtype: str = "float32") -> None:
    results, grad, rounded = run(case, dtype)
    for mine, right in zip(results, reference(rounded) + reference(rounded, grad)):
        scale = {"float32": 1e-5, "float64": 1e-13}[dtype]
        assert np.abs(mine - right).max() <= scale * np.abs(right).max()


@pytest.mark.parametrize(
    ("batch", "channels", "size", "stride"),
    [(1, 16, 56, 1), (2, 48, 30, 1), (4, 64, 14, 1), (8, 96, 7, 1), (1, 33, 41, 1), (2, 64, 56, 2)],
)
def test_winograd_keeps_the_numbers(batch: int, channels: int, size: int, stride: int) -> None:
    case = many_channels(batch, (channels, channels + 5), [size] * 2, 3, stride=stride, padding=1)
    for enabled in (True, False):
        with backend.flags(winograd=enabled):
            check_many_channels(case)


@st.composite
def filtered_cases(draw: st.DrawFn) -> Case:
    """Two-dimensional convolutions of every kind that is filtered minimally."""
    kernel, stride, dilation = draw(st.sampled_from([(3, 1, 1), (3, 2, 1), (3, 1, 2), (3, 1, 3), (4, 2, 1)]))
    channels = draw(st.tuples(st.integers(24, 70), st.integers(24, 70)))
    padding = draw(st.integers(0, 4))
    least = max(5, dilation * (kernel - 1) + 1 - 2 * padding)
    sizes = draw(st.lists(st.integers(least, 35), min_size=2, max_size=2))
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    return many_channels(draw(st.integers(1, 5)), channels, sizes, kernel, **options)


@settings(max_examples=60, deadline=None)
@given(case=filtered_cases())
def test_minimal_filtering(case: Case) -> None:
    check_many_channels(case)


@settings(max_examples=12, deadline=None)
@given(case=filtered_cases())
def test_bits_of_minimal_filtering_do_not_depend_on_the_number_of_threads(case: Case) -> None:
    check_bits(case)


@settings(max_examples=25, deadline=None)
@given(
    batch=st.integers(1, 3),
    channels=st.tuples(st.integers(16, 30), st.integers(16, 30)),
    sizes=st.tuples(st.integers(3, 7), st.integers(5, 15), st.integers(5, 15)),
    taps=st.integers(1, 3),
    stride=st.integers(1, 2),
    dilation=st.integers(1, 2),
    padding=st.integers(0, 2),
)
def test_minimal_filtering_of_volumes(
    batch: int,
    channels: tuple[int, int],
    sizes: tuple[int, int, int],
    taps: int,
    stride: int,
    dilation: int,
    padding: int,
) -> None:
    assume(sizes[0] + 2 * padding > dilation * (taps - 1))
    random = np.random.default_rng(0)
    entering, leaving = channels
    x = random.standard_normal((batch, entering, *sizes))
    w = random.standard_normal((leaving, entering, taps, 3, 3)) / np.sqrt(9 * taps * entering)
    options = {"stride": [stride, 1, 1], "padding": [padding, 1, 1], "dilation": [dilation, 1, 1]}
    check_many_channels((x, w, random.standard_normal(leaving), options | {"groups": 1}))


@settings(max_examples=25, deadline=None)
@given(
    batch=st.integers(1, 4),
    channels=st.tuples(st.integers(1, 9), st.sampled_from([256, 257, 300])),
    sizes=st.lists(st.integers(3, 17), min_size=2, max_size=2),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    turned=st.booleans(),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_many_channels_look_at_packed_patches(
    batch: int,
    channels: tuple[int, int],
    sizes: list[int],
    kernel: int,
    stride: int,
    turned: bool,
    dtype: str,
) -> None:
    with backend.flags(winograd=False):
        pair = channels[::-1] if turned else channels
        case = many_channels(batch, pair, sizes, kernel, stride=stride, padding=kernel // 2)
        check_many_channels(case, dtype)


@pytest.mark.parametrize(
    ("batch", "channels", "size", "kernel", "stride"),
    [
        (3, (40, 36), 28, 3, 2),
        (1, (30, 256), 7, 3, 1),
        (3, (256, 256), 9, 1, 2),
        (6, (32, 32), 60, 3, 1),
        (8, (500, 96), 7, 1, 1),
        (3, (64, 200), 14, 1, 1),
    ],
)
def test_bits_of_many_channels_do_not_depend_on_the_number_of_threads(
    batch: int, channels: tuple[int, int], size: int, kernel: int, stride: int
) -> None:
    case = many_channels(batch, channels, [size] * 2, kernel, stride=stride, padding=kernel // 2)
    check_bits(case)


@pytest.mark.parametrize(
    ("batch", "channels", "sizes", "kernel", "stride"),
    [
        (40, (2, 7), (9, 11), 3, 1),  # several small images at a time
        (20, (12, 20), (100,), 5, 1),
        (3, (8, 13), (6, 16, 16), 3, 1),  # lines as long as a vector
        (2, (24, 11), (5, 9, 16), 2, 1),
        (1, (3, 12), (70, 150), 7, 2),  # an image in bands
        (2, (3, 9), (131, 64), 3, 2),
        (17, (6, 40), (14, 14), 4, 2),
        (3, (40, 36), (30, 34), 4, 2),
        (2, (20, 24), (5, 12, 16), 3, 1),
    ],
)
def test_shapes_that_are_cut(
    batch: int, channels: tuple[int, int], sizes: tuple[int, ...], kernel: int, stride: int
) -> None:
    random = np.random.default_rng(0)
    entering, leaving = channels
    spatial = len(sizes)
    x = random.standard_normal((batch, entering, *sizes))
    w = random.standard_normal((leaving, entering, *[kernel] * spatial)) / np.sqrt(entering * kernel**spatial)
    options = {"stride": [stride] * spatial, "padding": [kernel // 2] * spatial, "dilation": [1] * spatial}
    case = (x, w, random.standard_normal(leaving), options | {"groups": 1})
    before = rushlight.get_num_threads()
    for dtype in ("float64", "float32"):
        try:
            for threads in (1, 3):
                rushlight.set_num_threads(threads)
                results, grad, rounded = run(case, dtype)
                if threads == 1:
                    first = results
        finally:
            rushlight.set_num_threads(before)
        assert all(np.array_equal(a, b) for a, b in zip(first, results))
        for mine, right in zip(results, reference(rounded) + reference(rounded, grad)):
            assert np.abs(mine - right).max() <= TOLERANCES[dtype] * np.abs(right).max()


def test_nan_and_infinity_stay_where_they_are() -> None:
    for channels, groups in ((4, 1), (16, 16)):
        x = rushlight.zeros(1, channels, 9, 40)
        x[0, 1, 4, 17] = float("inf")
        x[0, 2, 0, 39] = float("nan")
        w = rushlight.ones(channels, channels // groups, 3, 3)
        y = F.conv2d(x, w, padding=1, groups=groups)
        finite = rushlight.isfinite(y).all(1)[0].numpy()
        expected = np.ones((9, 40), bool)
        expected[3:6, 16:19] = False
        expected[0:2, 38:40] = False
        assert np.array_equal(finite, expected)


def maxima(x: np.ndarray, kernel: list[int], stride: list[int], padding: list[int], dilation: list[int]):
    """The largest element of each window of the last dimensions, and its index in the plane."""
    spatial = len(kernel)
    pads = [(0, 0)] * (x.ndim - spatial) + [(p, p) for p in padding]
    places = np.arange(np.prod(x.shape[-spatial:])).reshape(x.shape[-spatial:])
    wide = np.pad(x, pads, constant_values=-np.inf)
    places = np.pad(places, pads[-spatial:], constant_values=-1)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
    steps = (..., *(slice(None, None, s) for s in stride), *(slice(None, None, d) for d in dilation))
    axes = tuple(range(-spatial, 0))
    windows = np.lib.stride_tricks.sliding_window_view(wide, reach, axes)[steps]
    indices = np.lib.stride_tricks.sliding_window_view(places, reach)[steps]
    flat = windows.reshape(*windows.shape[:-spatial], -1)
    chosen = flat.argmax(-1)
    indices = np.broadcast_to(indices.reshape(*indices.shape[:-spatial], -1), flat.shape)
    return flat.max(-1), np.take_along_axis(indices, chosen[..., None], -1)[..., 0]


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(5, 45), min_size=1, max_size=2),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 5),
    dilation=st.integers(1, 2),
    padded=st.booleans(),
    last=st.booleans(),
    dtype=st.sampled_from(["float32", "float64", "bfloat16", "int64"]),
    threads=st.sampled_from([1, 2, 3, 8]),
    seed=st.integers(0, 1000),
)
def test_maxima_of_windows(
    sizes: list[int],
    kernel: int,
    stride: int,
    dilation: int,
    padded: bool,
    last: bool,
    dtype: str,
    threads: int,
    seed: int,
) -> None:
    spatial = len(sizes)
    kernel = min(kernel, (min(sizes) - 1) // dilation + 1)
    x = np.random.default_rng(seed).integers(-20, 20, (3, 21, *sizes)).astype("float64")
    form = [[n] * spatial for n in (kernel, stride, kernel // 2 if padded else 0, dilation)]
    expected, places = maxima(x, *form)
    before = rushlight.get_num_threads()
    rushlight.set_num_threads(threads)
    try:
        tensor = rushlight.from_numpy(x).to(getattr(rushlight, dtype))
        if last and spatial == 2:
            tensor = tensor.to(memory_format=rushlight.channels_last)
        tensor.requires_grad_(dtype != "int64")
        pool = getattr(F, f"max_pool{spatial}d")
        y, indices = pool(tensor, *form, return_indices=True)
        with rushlight.no_grad():
            assert np.array_equal(pool(tensor, *form).double().numpy(), expected)
        if dtype != "int64":
            y.backward(rushlight.ones_like(y))
    finally:
        rushlight.set_num_threads(before)
    assert np.array_equal(y.detach().double().numpy(), expected)
    assert np.array_equal(indices.numpy(), places)
    if dtype != "int64":
        counts = np.zeros((63, int(np.prod(sizes))))
        for plane, chosen in zip(counts, places.reshape(63, -1)):
            np.add.at(plane, chosen, 1)
        assert np.array_equal(tensor.grad.double().numpy(), counts.reshape(x.shape))


@pytest.mark.parametrize("size", [(1, 3), (4, 4), (7, 7), (5, 31)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_the_maximum_of_a_plane_is_the_first_of_equals_and_the_last_nan(size: tuple, dtype: str) -> None:
    x = np.random.default_rng(0).integers(-3, 3, (40, 6, *size)).astype("float32")
    y, indices = F.adaptive_max_pool2d(
        rushlight.from_numpy(x).to(getattr(rushlight, dtype)), 1, return_indices=True
    )
    flat = x.reshape(40, 6, -1)
    assert np.array_equal(y.float().numpy()[..., 0, 0], flat.max(-1))
    assert np.array_equal(indices.numpy()[..., 0, 0], flat.argmax(-1))
    x[:, :, 0, 1:3] = float("nan")
    y, indices = F.adaptive_max_pool2d(rushlight.from_numpy(x), 1, return_indices=True)
    assert y.isnan().all() and (indices == 2).all()
