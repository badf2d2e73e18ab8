"""Every layer against PyTorch's, over PyTorch's own samples: printing, state, output and gradients."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch as pytorch
from torch.testing import assert_close
from torch.testing._internal.common_modules import module_db
from torch.utils._pytree import tree_leaves, tree_map

import rushlight
from tests.translation import to_pytorch, to_rushlight

LAYERS = [info for info in module_db if hasattr(rushlight.nn, info.module_cls.__name__)]
# Samples beyond the first few of a layer vary what the first have covered.
MOST_SAMPLES = 24


def samples(info: Any, training: bool) -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = info.module_inputs_func(
            info, device="cpu", dtype=pytorch.float32, requires_grad=True, training=training
        )
        return list(found)[:MOST_SAMPLES]


def without_factory(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in kwargs.items() if name not in ("device", "dtype")}


def make(library: Any, name: str, args: Any, kwargs: Any, training: bool) -> Any:
    library.manual_seed(0)
    return getattr(library.nn, name)(*args, **kwargs).train(training)


def make_both(info: Any, sample: Any, training: bool) -> tuple[Any, Any]:
    name, given = info.module_cls.__name__, sample.constructor_input
    kwargs = without_factory(given.kwargs)
    theirs = make(pytorch, name, given.args, kwargs, training)
    args = given.args
    if name == "TransformerEncoder":
        args = (encoder_layer_like(args[0]), *args[1:])
    ours = make(rushlight, name, to_rushlight(args), to_rushlight(kwargs), training)
    return ours, theirs


def encoder_layer_like(layer: pytorch.nn.Module) -> rushlight.nn.Module:
    ours = rushlight.nn.TransformerEncoderLayer(
        layer.linear1.in_features,
        layer.self_attn.num_heads,
        layer.linear1.out_features,
        layer.dropout.p,
        to_rushlight(layer.activation) if layer.activation is not pytorch.nn.functional.relu else "relu",
        batch_first=layer.self_attn.batch_first,
        norm_first=layer.norm_first,
        bias=layer.linear1.bias is not None,
    )
    ours.load_state_dict(to_rushlight(dict(layer.state_dict())))
    return ours


def result_of(library: Any, module: Any, args: Any, kwargs: Any) -> tuple[Any, list[Any]]:
    """Outputs, and the gradients of parameters and inputs; or the error."""
    library.manual_seed(1)
    try:
        outputs = module(*args, **kwargs)
    except Exception as error:
        return error, []
    outputs = [one for one in tree_leaves(outputs) if isinstance(one, library.Tensor)]
    leaves = [*module.parameters(), *tree_leaves((args, kwargs))]
    leaves = [one for one in leaves if isinstance(one, library.Tensor) and one.requires_grad]
    totals = [
        (one * library.linspace(0.5, 1.5, one.numel(), dtype=one.dtype).view(one.shape)).sum()
        for one in outputs
        if one.requires_grad
    ]
    if not totals or not leaves:
        return outputs, []
    return outputs, list(library.autograd.grad(totals, leaves, allow_unused=True))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("info", LAYERS, ids=lambda info: info.module_cls.__name__)
def test_layer(info: Any, training: bool) -> None:
    for sample in samples(info, training):
        ours, theirs = make_both(info, sample, training)
        assert repr(ours) == repr(theirs)
        own_state, their_state = ours.state_dict(), theirs.state_dict()
        assert list(own_state) == list(their_state)
        assert own_state._metadata == their_state._metadata
        assert_close(to_pytorch(dict(own_state)), dict(their_state), rtol=0, atol=1e-7)

        given = sample.forward_input
        separate = to_rushlight((given.args, given.kwargs))
        outputs, gradients = result_of(rushlight, ours, *separate)
        expected, expected_gradients = result_of(pytorch, theirs, *apart(given.args, given.kwargs))
        if isinstance(expected, Exception) or isinstance(outputs, Exception):
            assert type(outputs) is type(expected), (outputs, expected)
            continue
        assert_close(
            to_pytorch(outputs), [one.detach() for one in expected], rtol=1e-4, atol=1e-5, equal_nan=True
        )
        for own, their in zip(to_pytorch(gradients), expected_gradients, strict=True):
            if own is None or their is None:
                assert (own is None or not own.any()) and (their is None or not their.any())
            else:
                assert_close(own, their, rtol=1e-3, atol=1e-4, equal_nan=True)


def apart(args: Any, kwargs: Any) -> Any:
    """The arguments with every tensor a leaf of its own."""
    return tree_map(
        lambda one: (
            one.detach().clone().requires_grad_(one.requires_grad) if isinstance(one, pytorch.Tensor) else one
        ),
        (args, kwargs),
    )
