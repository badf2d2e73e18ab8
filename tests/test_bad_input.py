"""Bad input: the exception's type and wording are PyTorch's, case by case, and the process lives on."""

import re

import pytest
import torch as pytorch

import rushlight

CASES = {
    "add shapes": lambda t: t.ones(2, 3) + t.ones(4, 3),
    "mul shapes": lambda t: t.ones(2, 3).mul(t.ones(2, 4)),
    "mm shapes": lambda t: t.mm(t.ones(2, 3), t.ones(2, 3)),
    "matmul shapes": lambda t: t.ones(2, 3) @ t.ones(2, 3),
    "bmm shapes": lambda t: t.bmm(t.ones(2, 3, 4), t.ones(3, 4, 5)),
    "mv shapes": lambda t: t.mv(t.ones(2, 3), t.ones(4)),
    "dot shapes": lambda t: t.dot(t.ones(3), t.ones(4)),
    "mm dims": lambda t: t.mm(t.ones(3), t.ones(3, 3)),
    "mm dtypes": lambda t: t.mm(t.ones(2, 2), t.ones(2, 2, dtype=t.float64)),
    "linear shapes": lambda t: t.nn.functional.linear(t.ones(2, 3), t.ones(5, 4)),
    "view size": lambda t: t.ones(2, 3).view(4, 2),
    "view strides": lambda t: t.ones(2, 3).t().view(6),
    "reshape two unknown": lambda t: t.ones(6).reshape(-1, -1),
    "negative size": lambda t: t.zeros(2, -3),
    "sum dim": lambda t: t.ones(2, 3).sum(dim=5),
    "softmax dim": lambda t: t.softmax(t.ones(2, 3), dim=-3),
    "transpose dim": lambda t: t.ones(2, 3).transpose(0, 2),
    "squeeze dim": lambda t: t.ones(2, 3).squeeze(4),
    "cat dims": lambda t: t.cat([t.ones(2, 3), t.ones(2, 4)], dim=0),
    "cat empty": lambda t: t.cat([]),
    "stack sizes": lambda t: t.stack([t.ones(2), t.ones(3)]),
    "stack empty": lambda t: t.stack([]),
    "index integer": lambda t: t.ones(3)[5],
    "index negative": lambda t: t.ones(3)[-4],
    "index too many": lambda t: t.ones(3)[0, 0],
    "index tensor": lambda t: t.ones(3)[t.tensor([0, 7])],
    "index float": lambda t: t.ones(3)[t.tensor([0.5])],
    "index mask": lambda t: t.ones(3)[t.tensor([True, False])],
    "index zero-dim": lambda t: t.tensor(1.0)[0],
    "gather bounds": lambda t: t.gather(t.ones(2, 3), 1, t.tensor([[4]])),
    "index_select bounds": lambda t: t.index_select(t.ones(3), 0, t.tensor([3])),
    "embedding bounds": lambda t: t.nn.functional.embedding(t.tensor([5]), t.ones(3, 2)),
    "item of several": lambda t: t.ones(2).item(),
    "bool of several": lambda t: bool(t.ones(2)),
    "len of scalar": lambda t: len(t.tensor(1.0)),
    "iterate scalar": lambda t: list(t.tensor(1.0)),
    "leaf in place": lambda t: t.ones(2, requires_grad=True).add_(1),
    "numpy of grad": lambda t: t.ones(2, requires_grad=True).numpy(),
    "backward of vector": lambda t: (t.ones(2, requires_grad=True) * 2).backward(),
    "backward without grad": lambda t: t.ones(()).backward(),
    "requires_grad of int": lambda t: t.ones(2, dtype=t.int64).requires_grad_(),
    "cross entropy label": lambda t: t.nn.functional.cross_entropy(t.ones(2, 3), t.tensor([1, 3])),
    "cross entropy negative label": lambda t: t.nn.functional.cross_entropy(t.ones(2, 3), t.tensor([1, -1])),
    "cross entropy batch": lambda t: t.nn.functional.cross_entropy(t.ones(2, 3), t.tensor([1, 2, 0])),
    "in-place dtype": lambda t: t.ones(2, dtype=t.int64).add_(0.5),
    "in-place shape": lambda t: t.ones(2).add_(t.ones(3, 2)),
    "out dtype": lambda t: t.add(t.ones(2), t.ones(2), out=t.zeros(2, dtype=t.int64)),
    "out grad": lambda t: t.add(t.ones(2, requires_grad=True), 1, out=t.zeros(2)),
    "integer division by zero": lambda t: t.tensor([1]) // t.tensor([0]),
    "integer remainder by zero": lambda t: t.tensor([1]) % t.tensor([0]),
    "negative integer power": lambda t: t.tensor([2]) ** -1,
    "bitwise of float": lambda t: t.ones(2) & t.ones(2),
    "sub of bool": lambda t: t.tensor([True]) - t.tensor([True]),
    "neg of bool": lambda t: -t.tensor([True]),
    "mean of int": lambda t: t.ones(2, dtype=t.int64).mean(),
    "wrong type": lambda t: t.ones(2) + "a",
    "ragged list": lambda t: t.tensor([[1, 2], [3]]),
    "tensor of string": lambda t: t.tensor("a"),
    "tensor of None": lambda t: t.tensor(None),
    "conv channels": lambda t: t.nn.functional.conv2d(t.ones(1, 2, 4, 4), t.ones(1, 3, 3, 3)),
    "conv kernel": lambda t: t.nn.functional.conv2d(t.ones(1, 1, 2, 2), t.ones(1, 1, 3, 3)),
    "masked_fill imaginary": lambda t: t.ones(2, dtype=t.int64).masked_fill(t.tensor(True), t.tensor(1j)),
    "masked_fill range": lambda t: t.ones(2, dtype=t.uint8).masked_fill(t.tensor(True), t.tensor(300)),
    "roll zero-dim": lambda t: t.roll(t.tensor(1.0), 1, 0),
    "expand": lambda t: t.ones(2, 3).expand(4, 3),
    "permute": lambda t: t.ones(2, 3).permute(0, 0),
    "topk": lambda t: t.ones(3).topk(5),
    "max of empty": lambda t: t.ones(0).max(),
    "multinomial": lambda t: t.multinomial(t.tensor([-1.0, 2.0]), 1),
    "dropout p": lambda t: t.nn.functional.dropout(t.ones(2), p=1.5),
    "dtype argument": lambda t: t.zeros(2, dtype="float32"),
    "missing argument": lambda t: t.dot(t.ones(2)),
    "no meta data": lambda t: t.ones(2, device="meta").item(),
}


def outcome(case, torch):
    with pytest.raises(Exception) as caught:
        case(torch)
    return type(caught.value), comparable(str(caught.value))


def comparable(message):
    """The message without what cannot be the same: PyTorch's C++ stack and addresses, the package's name.

    Python itself names our Tensor with its module in messages of its own, being a type made in C.
    """
    message = message.split("\nException raised from")[0]
    message = re.sub(r"0x[0-9a-f]+", "0x", message)
    return message.replace("'rushlight.Tensor'", "'Tensor'").replace("rushlight.", "torch.").strip()


@pytest.mark.parametrize("name", CASES)
def test_wording(name):
    expected_type, expected = outcome(CASES[name], pytorch)
    given_type, given = outcome(CASES[name], rushlight)
    assert given_type.__name__ == expected_type.__name__
    assert given == expected


def test_memory_that_cannot_be_allocated():
    for make in (
        lambda t: t.empty(2**60),
        lambda t: t.zeros(2**58, dtype=t.float64),
        lambda t: t.ones(1).repeat(2**50),
    ):
        for torch in (pytorch, rushlight):
            with pytest.raises(RuntimeError):
                make(torch)
    assert rushlight.ones(3).sum().item() == 3.0


def test_product_of_sizes_overflows():
    with pytest.raises(RuntimeError):
        rushlight.empty(2**40, 2**40)


def test_backward_twice():
    messages = []
    for torch in (pytorch, rushlight):
        x = torch.ones(2, requires_grad=True)
        y = (x * x).sum()
        y.backward()
        with pytest.raises(RuntimeError) as caught:
            y.backward()
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_wrong_device():
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        rushlight.ones(2) + rushlight.ones(2, device="meta")


def test_unknown_device():
    with pytest.raises(RuntimeError, match="at start of device string: nowhere"):
        rushlight.ones(2, device="nowhere")
