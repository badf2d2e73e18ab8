"""Elements moved without arithmetic against NumPy: shapes, layouts, types, for any number of threads."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import rushlight
from tests.kernels.test_index_fuzz import DTYPES, LAYOUTS, SEEDS, SHAPES, make, values_of


@given(SHAPES, LAYOUTS, st.sampled_from(DTYPES), SEEDS, st.data())
@settings(max_examples=50, deadline=None)
def test_flip(shape, layout, dtype, seed, data):
    x = make(np.random.default_rng(seed), shape, dtype, layout)
    dims = data.draw(st.lists(st.integers(0, len(shape) - 1), unique=True))
    np.testing.assert_array_equal(values_of(x.flip(dims)), np.flip(values_of(x), dims))


@given(st.integers(1, 70), st.integers(1, 300), st.sampled_from(DTYPES), SEEDS)
@settings(max_examples=50, deadline=None)
def test_short_lines_in_reverse(width, lines, dtype, seed):
    x = make(np.random.default_rng(seed), (lines, width), dtype, "plain")
    np.testing.assert_array_equal(values_of(x.flip(1)), values_of(x)[:, ::-1])


@given(SHAPES, st.lists(LAYOUTS, min_size=1, max_size=4), st.sampled_from(DTYPES), SEEDS, st.data())
@settings(max_examples=60, deadline=None)
def test_cat_and_stack(shape, layouts, dtype, seed, data):
    random = np.random.default_rng(seed)
    dim = data.draw(st.integers(0, len(shape) - 1))
    parts = []
    for layout in layouts:
        length = data.draw(st.integers(0, 9)) if shape[dim] < 100 else shape[dim]
        parts.append(make(random, (*shape[:dim], length, *shape[dim + 1 :]), dtype, layout))
    expected = np.concatenate([values_of(part) for part in parts], dim)
    np.testing.assert_array_equal(values_of(rushlight.cat(parts, dim)), expected)
    alike = [make(random, shape, dtype, layout) for layout in layouts]
    place = data.draw(st.integers(0, len(shape)))
    expected = np.stack([values_of(part) for part in alike], place)
    np.testing.assert_array_equal(values_of(rushlight.stack(alike, place)), expected)


def test_types_and_empty_parts_are_joined():
    x, y = rushlight.ones(3, 2), rushlight.zeros(3, 1, dtype=rushlight.int64)
    nothing = rushlight.empty(0)
    assert rushlight.cat([x, nothing, y], 1).tolist() == [[1.0, 1.0, 0.0]] * 3
    assert rushlight.cat([nothing, x, x], 1).shape == (3, 4)


def test_bits_do_not_depend_on_threads():
    random = np.random.default_rng(0)
    x = rushlight.tensor(random.standard_normal((700, 500)).astype(np.float32))
    threads, found = rushlight.get_num_threads(), []
    try:
        for number in (1, 2, 3, 8):
            rushlight.set_num_threads(number)
            some = [x.flip(1), rushlight.cat([x, x[:, :7].contiguous(), x], 1), rushlight.stack([x, x], 2)]
            found.append([result.numpy().tobytes() for result in some])
    finally:
        rushlight.set_num_threads(threads)
    assert all(bits == found[0] for bits in found)
