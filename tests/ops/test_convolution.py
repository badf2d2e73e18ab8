"""Convolution, pooling and attention at the edges: odd geometry, empty batches, errors, thread counts, meta."""

import numpy as np
import pytest
import torch

import rushlight

F, G = rushlight.nn.functional, torch.nn.functional


def pair(*shape, dtype=np.float32, seed=0):
    values = np.random.default_rng(seed).integers(-4, 5, shape).astype(dtype)
    return rushlight.from_numpy(values.copy()), torch.from_numpy(values)


GEOMETRIES = [
    {},
    {"stride": 3, "padding": 2},
    {"dilation": (1, 2), "padding": (0, 3)},
    {"padding": "same"},
    {"groups": 2, "stride": (2, 1)},
    {"groups": 4},
]


@pytest.mark.parametrize("options", GEOMETRIES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("size", [(5, 6), (9, 17), (20, 40)])
def test_convolution_is_exact_on_small_integers(options, dtype, size):
    x, x_torch = pair(3, 4, *size, dtype=dtype)
    w, w_torch = pair(8, 4 // options.get("groups", 1), 3, 3, dtype=dtype, seed=1)
    b, b_torch = pair(8, dtype=dtype, seed=2)
    assert np.array_equal(
        F.conv2d(x, w, b, **options).numpy(), G.conv2d(x_torch, w_torch, b_torch, **options).numpy()
    )
    if dtype is np.int64:
        return
    for one in (x, w, b, x_torch, w_torch, b_torch):
        one.requires_grad_()
    F.conv2d(x, w, b, **options).pow(2).sum().backward()
    G.conv2d(x_torch, w_torch, b_torch, **options).pow(2).sum().backward()
    for mine, theirs in ((x, x_torch), (w, w_torch), (b, b_torch)):
        assert np.allclose(mine.grad.numpy(), theirs.grad.numpy(), rtol=1e-6, atol=0)


def test_bits_do_not_depend_on_the_number_of_threads():
    before = rushlight.get_num_threads()
    x, w = rushlight.randn(4, 16, 30, 30), rushlight.randn(24, 16, 3, 3)
    q = rushlight.randn(2, 4, 200, 32)
    results = []
    try:
        for threads in (1, 2, 5):
            rushlight.set_num_threads(threads)
            x.grad = w.grad = q.grad = None
            for one in (x, w, q):
                one.requires_grad_()
            loss = F.conv2d(x, w, stride=2, padding=1).pow(2).sum() + F.avg_pool2d(x, 3).sum()
            loss = loss + F.scaled_dot_product_attention(q, q, q, is_causal=True).pow(2).sum()
            loss.backward()
            results.append([one.grad.numpy() for one in (x, w, q)])
    finally:
        rushlight.set_num_threads(before)
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other))


def test_empty_batches_and_meta():
    assert F.conv2d(rushlight.ones(0, 3, 8, 8), rushlight.ones(4, 3, 3, 3)).shape == (0, 4, 6, 6)
    assert F.max_pool2d(rushlight.ones(0, 3, 8, 8), 2).shape == (0, 3, 4, 4)
    meta = rushlight.empty(2, 3, 8, 8, device="meta")
    assert F.conv2d(meta, rushlight.empty(4, 3, 3, 3, device="meta")).shape == (2, 4, 6, 6)
    assert F.avg_pool2d(meta, 2).shape == (2, 3, 4, 4)
    assert F.adaptive_max_pool2d(meta, 1).shape == (2, 3, 1, 1)
    assert F.pad(meta, (1, 2)).shape == (2, 3, 8, 11)


def test_attention_in_tiles_matches_the_whole():
    rushlight.manual_seed(0)
    q, k, v = rushlight.randn(2, 300, 16), rushlight.randn(2, 530, 16), rushlight.randn(2, 530, 8)
    mask = rushlight.rand(300, 530) > 0.5
    for options in ({}, {"attn_mask": mask}, {"attn_mask": mask.float()}):
        scores = q.double() @ k.double().mT / 4
        if options:
            given = options["attn_mask"]
            scores = (
                scores.masked_fill(~mask, -float("inf")) if given.dtype == rushlight.bool else scores + given
            )
        whole = scores.softmax(-1) @ v.double()
        tiled = F.scaled_dot_product_attention(q, k, v, **options)
        assert float((tiled - whole).abs().max()) < 1e-5


def test_a_query_without_keys_gives_zeros():
    q = rushlight.randn(1, 2, 4, requires_grad=True)
    out = F.scaled_dot_product_attention(q, q, q, attn_mask=rushlight.tensor([[False, False], [True, True]]))
    assert out[0, 0].tolist() == [0] * 4
    out.sum().backward()
    assert bool(rushlight.isfinite(q.grad).all())


ERRORS = [
    lambda t: t.nn.functional.conv2d(t.ones(1, 3, 8, 8), t.ones(4, 2, 3, 3)),
    lambda t: t.nn.functional.conv2d(t.ones(3, 8), t.ones(4, 2, 3, 3)),
    lambda t: t.nn.functional.conv2d(t.ones(1, 3, 2, 2), t.ones(4, 3, 3, 3)),
    lambda t: t.nn.functional.conv2d(t.ones(1, 3, 8, 8), t.ones(4, 3, 3, 3), t.ones(3)),
    lambda t: t.nn.functional.conv2d(t.ones(1, 3, 8, 8), t.ones(4, 3, 3, 3), stride=0),
    lambda t: t.nn.functional.conv2d(t.ones(1, 3, 8, 8), t.ones(4, 3, 3, 3), padding=-1),
    lambda t: t.nn.functional.conv2d(t.ones(1, 3, 8, 8), t.ones(4, 3, 3, 3), padding="half"),
    lambda t: t.nn.functional.conv2d(t.ones(1, 3, 8, 8), t.ones(4, 3, 3, 3), padding="same", stride=2),
    lambda t: t.nn.functional.conv2d(t.ones(1, 4, 8, 8), t.ones(3, 2, 3, 3), groups=2),
    lambda t: t.nn.functional.conv2d(t.ones(1, 3, 8, 8), t.ones(4, 3, 3, 3).double()),
    lambda t: t.nn.functional.conv_transpose2d(t.ones(1, 3, 8, 8), t.ones(4, 3, 3, 3)),
    lambda t: t.nn.functional.max_pool2d(t.ones(1, 3, 8, 8), 3, padding=2),
    lambda t: t.nn.functional.max_pool2d(t.ones(1, 3, 2, 2), 3),
    lambda t: t.nn.functional.max_pool2d(t.ones(8, 8), 3),
    lambda t: t.nn.functional.max_pool1d(t.ones(3, 2), 3),
    lambda t: t.nn.functional.avg_pool2d(t.ones(1, 3, 8, 8), 2, divisor_override=0),
    lambda t: t.nn.functional.avg_pool2d(t.ones(1, 3, 1, 1), 2),
    lambda t: t.nn.functional.adaptive_avg_pool2d(t.ones(1, 2, 0, 8), 2),
    lambda t: t.nn.functional.scaled_dot_product_attention(t.ones(3), t.ones(2, 3), t.ones(2, 3)),
]


@pytest.mark.parametrize("call", ERRORS)
def test_errors_are_those_of_pytorch(call):
    with pytest.raises(Exception) as theirs:
        call(torch)
    with pytest.raises(theirs.type) as mine:
        call(rushlight)
    assert str(mine.value).splitlines()[0] == str(theirs.value).splitlines()[0]
