"""Views and shape operators: memory shared, geometry, gradients and errors as PyTorch's."""

from __future__ import annotations

import pytest
import torch

import rushlight

VIEWS = {
    "view": lambda x: x.view(6, 4),
    "view of one size": lambda x: x.view(-1),
    "select": lambda x: x.select(1, -1),
    "index": lambda x: x[1],
    "slice": lambda x: x[:, 1:3, ::2],
    "narrow": lambda x: x.narrow(2, 1, 2),
    "transpose": lambda x: x.transpose(0, 2),
    "permute": lambda x: x.permute(2, 0, 1),
    "expand": lambda x: x[:, :1].expand(2, 5, 4),
    "expand in front": lambda x: x.expand(3, 2, 3, 4),
    "as_strided": lambda x: x.as_strided((2, 3), (7, 2), 1),
    "unfold": lambda x: x.unfold(2, 2, 1),
    "diagonal": lambda x: x.diagonal(1, 1, 2),
    "movedim": lambda x: x.movedim((0, 1), (1, 2)),
    "squeeze": lambda x: x[:, :1].squeeze(),
    "squeeze dim": lambda x: x[:, :1].squeeze(1),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "mT": lambda x: x.mT,
    "flatten": lambda x: x.flatten(1),
    "unflatten": lambda x: x.unflatten(2, (2, 2)),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "split": lambda x: x.split(2, 1)[1],
    "split sizes": lambda x: x.split([1, 2], 1)[1],
    "chunk": lambda x: x.chunk(2, 2)[1],
    "unbind": lambda x: x.unbind(1)[2],
    "detach": lambda x: x.detach(),
}

COPIES = {
    "reshape of a transpose": lambda t, x: x.transpose(0, 2).reshape(6, 4),
    "cat": lambda t, x: t.cat([x, x * 2], 1),
    "stack": lambda t, x: t.stack([x, x * 2], -1),
    "flip": lambda t, x: x.flip(0, 2),
    "roll": lambda t, x: x.roll((1, -2), (0, 2)),
    "roll flat": lambda t, x: x.roll(5),
    "rot90": lambda t, x: x.rot90(3, (0, 2)),
    "repeat": lambda t, x: x.repeat(2, 1, 3),
    "repeat with more dimensions": lambda t, x: x.repeat(2, 1, 1, 2),
    "tile": lambda t, x: x.tile(2, 2),
    "repeat_interleave": lambda t, x: x.repeat_interleave(2, 1),
    "repeat_interleave by tensor": lambda t, x: x.repeat_interleave(t.tensor([1, 0, 3]), 1),
    "tril": lambda t, x: x.tril(-1),
    "triu": lambda t, x: x.triu(1),
    "diag": lambda t, x: x[0].diag(1),
    "diag of a vector": lambda t, x: x[0, 0].diag(-1),
    "diag_embed": lambda t, x: x.diag_embed(1, 0, 2),
    "diagflat": lambda t, x: x.diagflat(),
    "trace": lambda t, x: x[0].trace(),
}


def arrange(framework):
    return framework.arange(24.0).reshape(2, 3, 4).clone().requires_grad_()


def assert_same(actual, expected):
    assert tuple(actual.shape) == tuple(expected.shape)
    assert actual.stride() == expected.stride()
    assert actual.storage_offset() == expected.storage_offset()
    assert actual.tolist() == expected.tolist()
    name = actual.grad_fn.name() if actual.grad_fn is not None else None
    assert name == (expected.grad_fn.name() if expected.grad_fn is not None else None)


@pytest.mark.parametrize("name", VIEWS)
def test_views_share_memory_and_match(name):
    view = VIEWS[name]
    x, reference = arrange(rushlight), arrange(torch)
    actual, expected = view(x), view(reference)
    assert_same(actual, expected)
    assert actual.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    if expected.requires_grad:
        for tensor, leaf in ((actual, x), (expected, reference)):
            (tensor * tensor).sum().backward()
        assert x.grad.tolist() == reference.grad.tolist()


@pytest.mark.parametrize("name", COPIES)
def test_copies_match(name):
    copy = COPIES[name]
    x, reference = arrange(rushlight), arrange(torch)
    actual, expected = copy(rushlight, x), copy(torch, reference)
    assert tuple(actual.shape) == tuple(expected.shape)
    assert actual.tolist() == expected.tolist()
    assert actual.grad_fn.name() == expected.grad_fn.name()
    (actual * actual).sum().backward()
    (expected * expected).sum().backward()
    assert x.grad.tolist() == reference.grad.tolist()


@pytest.mark.parametrize(
    "name", [name for name in VIEWS if name not in ("detach", "expand", "expand in front", "unfold")]
)
def test_writing_to_a_view_reaches_the_base(name):
    view = VIEWS[name]
    results = []
    for framework in (rushlight, torch):
        leaf = arrange(framework)
        base = leaf * 1
        part = view(base)
        try:
            part.mul_(3.0)
        except RuntimeError as error:  # views that overlap, or of several from one call
            results.append(str(error))
            continue
        (base * base).sum().backward()
        results.append((base.tolist(), leaf.grad.tolist()))
    assert results[0] == results[1]


@pytest.mark.parametrize("name", [*VIEWS, *COPIES])
def test_gradients(name):
    from rushlight.autograd import gradcheck, gradgradcheck

    if name == "detach":
        return
    run = VIEWS[name] if name in VIEWS else lambda x: COPIES[name](rushlight, x)
    x = rushlight.arange(24, dtype=rushlight.float64).reshape(2, 3, 4).clone().requires_grad_()
    assert gradcheck(run, (x,))
    assert gradgradcheck(run, (x,))


def test_complex_views():
    x, reference = (t.tensor([1 + 2j, 3 - 1j], requires_grad=True) for t in (rushlight, torch))
    for part in ("real", "imag"):
        assert getattr(x, part).tolist() == getattr(reference, part).tolist()
        assert getattr(x, part).stride() == (2,)
    for tensor, framework in ((x, rushlight), (reference, torch)):
        (framework.view_as_real(tensor) * framework.tensor([1.0, 2.0])).sum().backward()
    assert x.grad.tolist() == reference.grad.tolist()
    pairs = rushlight.view_as_real(x.detach())
    assert rushlight.view_as_complex(pairs).tolist() == x.tolist()


def test_view_as_another_type():
    for source, target, sizes in [
        ("float32", "int32", (2, 3)),
        ("float32", "int16", (2, 3)),
        ("int16", "float64", (2, 8)),
        ("complex64", "float32", (2, 3)),
    ]:
        results = []
        for t in (rushlight, torch):
            x = t.arange(sizes[0] * sizes[1]).to(getattr(t, source)).reshape(sizes)
            y = x.view(getattr(t, target))
            results.append((tuple(y.shape), y.stride(), y.tolist()))
        assert results[0] == results[1]


def test_in_place_views():
    for change in (
        lambda x: x.t_(),
        lambda x: x.transpose_(0, 1),
        lambda x: x.unsqueeze_(1),
        lambda x: x[:1].squeeze_(),
        lambda x: x.as_strided_((2,), (3,)),
    ):
        x, reference = rushlight.arange(6.0).reshape(2, 3), torch.arange(6.0).reshape(2, 3)
        assert_same(change(x), change(reference))


def test_meta_tensors_have_shapes():
    for name, view in VIEWS.items():
        if name == "index":
            continue
        actual = view(rushlight.empty(2, 3, 4, device="meta"))
        expected = view(torch.empty(2, 3, 4, device="meta"))
        assert tuple(actual.shape) == tuple(expected.shape), name
    for name, copy in COPIES.items():
        if name == "repeat_interleave by tensor":
            continue
        actual = copy(rushlight, rushlight.empty(2, 3, 4, device="meta"))
        assert tuple(actual.shape) == tuple(copy(torch, torch.empty(2, 3, 4)).shape), name


ERRORS = {
    "view": lambda t, x: x.view(5, 5),
    "view of a transpose": lambda t, x: x.transpose(0, 1).view(24),
    "reshape": lambda t, x: x.reshape(5, -1),
    "select": lambda t, x: x.select(0, 2),
    "select of a number": lambda t, x: t.tensor(1.0).select(0, 0),
    "narrow": lambda t, x: x.narrow(0, 1, 5),
    "narrow from below": lambda t, x: x.narrow(0, -3, 1),
    "narrow by a negative": lambda t, x: x.narrow(0, 0, -1),
    "transpose": lambda t, x: x.transpose(0, 5),
    "permute": lambda t, x: x.permute(0, 1),
    "permute twice": lambda t, x: x.permute(0, 0, 1),
    "expand": lambda t, x: x.expand(2, 3),
    "expand a size": lambda t, x: x.expand(3, 3, 4),
    "expand leading": lambda t, x: x.expand(-1, 2, 3, 4),
    "as_strided": lambda t, x: x.as_strided((2, 2), (1,)),
    "as_strided outside": lambda t, x: x.as_strided((20, 20), (1, 1)),
    "as_strided backwards": lambda t, x: x.as_strided((2,), (-1,)),
    "diagonal": lambda t, x: x.diagonal(0, 1, 1),
    "unfold": lambda t, x: x.unfold(0, 3, 1),
    "unfold by zero": lambda t, x: x.unfold(0, 1, 0),
    "split": lambda t, x: x.split(-1),
    "split by zero": lambda t, x: x.split(0),
    "split sizes": lambda t, x: x.split([1, 2]),
    "chunk": lambda t, x: x.chunk(0),
    "unbind": lambda t, x: t.tensor(1.0).unbind(),
    "movedim": lambda t, x: x.movedim((0, 1), (0,)),
    "movedim twice": lambda t, x: x.movedim((0, 0), (0, 1)),
    "mT": lambda t, x: x[0, 0].mT,
    "H": lambda t, x: x.H,
    "t": lambda t, x: x.t(),
    "flatten": lambda t, x: x.flatten(2, 1),
    "unflatten": lambda t, x: x.unflatten(0, (3,)),
    "view_as_real": lambda t, x: t.view_as_real(x),
    "view_as_complex": lambda t, x: t.view_as_complex(x),
    "view_as_complex strides": lambda t, x: t.view_as_complex(x[..., ::2]),
    "view type": lambda t, x: t.zeros(3, dtype=t.int8).view(t.int32),
    "unsqueeze": lambda t, x: x.unsqueeze(5),
    "squeeze": lambda t, x: x.squeeze(5),
    "cat dims": lambda t, x: t.cat([x, x[0]]),
    "cat sizes": lambda t, x: t.cat([x, x.transpose(1, 2)]),
    "cat nothing": lambda t, x: t.cat([]),
    "cat numbers": lambda t, x: t.cat([t.tensor(1.0), t.tensor(1.0)]),
    "stack": lambda t, x: t.stack([x, x[0]]),
    "stack nothing": lambda t, x: t.stack([]),
    "flip": lambda t, x: x.flip(0, 0),
    "fliplr": lambda t, x: x[0, 0].fliplr(),
    "roll": lambda t, x: x.roll((1, 2), 0),
    "rot90": lambda t, x: x.rot90(1, (0, 0)),
    "repeat": lambda t, x: x.repeat(2),
    "repeat_interleave": lambda t, x: x.repeat_interleave(-1),
    "repeat_interleave by tensor": lambda t, x: x.repeat_interleave(t.tensor([1, 2]), 1),
    "tril": lambda t, x: x[0, 0].tril(),
    "diag": lambda t, x: x.diag(),
    "trace": lambda t, x: x.trace(),
    "imag": lambda t, x: x.imag,
    "writing to an expanded tensor": lambda t, x: x[:1].expand(2, 3, 4).add_(1),
    "zeros": lambda t, x: t.zeros(-1),
    "empty": lambda t, x: t.empty(-1),
    "zeros of another type": lambda t, x: t.zeros(2, dtype=t.float32, out=t.zeros(2, dtype=t.int64)),
    "zeros that require grad": lambda t, x: t.zeros(2, requires_grad=True, dtype=t.int64),
    "full": lambda t, x: t.full((2,), 300, dtype=t.uint8),
    "arange": lambda t, x: t.arange(1, 0),
    "arange by zero": lambda t, x: t.arange(0, 1, 0),
    "arange to infinity": lambda t, x: t.arange(float("inf")),
    "arange of bool": lambda t, x: t.arange(3, dtype=t.bool),
    "linspace": lambda t, x: t.linspace(0, 1, -1),
    "linspace of tensors": lambda t, x: t.linspace(t.tensor([0.0]), 1, 3),
    "eye": lambda t, x: t.eye(-1),
    "tril_indices": lambda t, x: t.tril_indices(-3, 3),
    "empty_permuted": lambda t, x: t.empty_permuted((2, 3), (0, 0)),
    "more elements than can be counted": lambda t, x: t.empty(2**40, 2**40),
    "more bytes than can be counted": lambda t, x: t.empty(2**61),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_read_as_pytorch(name):
    make = ERRORS[name]
    with pytest.raises(Exception) as expected:
        make(torch, torch.arange(24.0).reshape(2, 3, 4))
    with pytest.raises(type(expected.value)) as actual:
        make(rushlight, rushlight.arange(24.0).reshape(2, 3, 4))
    assert str(actual.value) == str(expected.value)


def test_sequences_are_exact():
    for dtype in ("float32", "float64", "float16", "bfloat16"):
        for start, end, step in [(0, 10, 0.3), (1.7, 90, 1.1), (5, -7, -0.7), (0, 1003, 0.3)]:
            results = [
                t.arange(start, end, step, dtype=getattr(t, dtype)).tolist() for t in (rushlight, torch)
            ]
            assert results[0] == results[1]
            for count in (1, 2, 7, 50, 101, 1000):
                results = [
                    t.linspace(start, end, count, dtype=getattr(t, dtype)).tolist()
                    for t in (rushlight, torch)
                ]
                assert results[0] == results[1]
