"""`Module` against PyTorch's: registration, traversal, state, conversion, hooks, errors and their wording."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import rushlight
from rushlight import nn
from tests.outcomes import assert_same


def net(m: Any) -> Any:
    m.manual_seed(0)
    return m.nn.Sequential(
        m.nn.Linear(3, 4), m.nn.BatchNorm1d(4), m.nn.Sequential(m.nn.ReLU(), m.nn.Linear(4, 2))
    )


def attribute_error_free(setup: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    """A case that runs `setup` on a fresh module."""
    return lambda m: setup(m, net(m))


def assign(name: str, value: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def case(m: Any) -> Any:
        layer = m.nn.Linear(2, 2)
        layer.register_buffer("scale", m.ones(1))
        layer.child = m.nn.ReLU()
        setattr(layer, name, value(m))
        return sorted(layer.state_dict()), repr(layer)

    return case


def before_init(value: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def case(m: Any) -> Any:
        class Late(m.nn.Module):
            def __init__(self) -> None:
                self.value = value(m)

        Late()

    return case


REGISTRATION = {
    "parameter name number": lambda m: m.nn.Linear(1, 1).register_parameter(3, None),
    "parameter name dot": lambda m: m.nn.Linear(1, 1).register_parameter("a.b", None),
    "parameter name empty": lambda m: m.nn.Linear(1, 1).register_parameter("", None),
    "parameter name taken": lambda m: m.nn.Linear(1, 1).register_parameter("forward", None),
    "parameter of plain tensor": lambda m: m.nn.Linear(1, 1).register_parameter("x", m.zeros(2)),
    "buffer name number": lambda m: m.nn.Linear(1, 1).register_buffer(3, None),
    "buffer name dot": lambda m: m.nn.Linear(1, 1).register_buffer("a.b", None),
    "buffer of number": lambda m: m.nn.Linear(1, 1).register_buffer("x", 3),
    "child name dot": lambda m: m.nn.Linear(1, 1).add_module("a.b", None),
    "child of number": lambda m: m.nn.Linear(1, 1).add_module("x", 3),
    "assign tensor to parameter": assign("weight", lambda m: m.zeros(2)),
    "assign number to parameter": assign("weight", lambda m: 3),
    "assign None to parameter": assign("weight", lambda m: None),
    "assign parameter to child": assign("child", lambda m: m.nn.Parameter(m.zeros(1))),
    "assign parameter to buffer": assign("scale", lambda m: m.nn.Parameter(m.zeros(1))),
    "assign number to buffer": assign("scale", lambda m: 3),
    "assign tensor to buffer": assign("scale", lambda m: m.zeros(4)),
    "assign number to child": assign("child", lambda m: 3),
    "assign module to parameter": assign("bias", lambda m: m.nn.ReLU()),
    "assign buffer anew": assign("other", lambda m: m.nn.Buffer(m.zeros(1))),
    "assign passing buffer": assign("other", lambda m: m.nn.Buffer(m.zeros(1), persistent=False)),
    "parameter before init": before_init(lambda m: m.nn.Parameter(m.zeros(1))),
    "module before init": before_init(lambda m: m.nn.Linear(1, 1)),
    "no such attribute": lambda m: m.nn.Linear(1, 1).missing,
    "delete no attribute": lambda m: delattr(m.nn.Linear(1, 1), "missing"),
    "init with argument": lambda m: m.nn.Module(1),
    "init with keyword": lambda m: m.nn.Module(a=1),
    "no forward": lambda m: m.nn.Module()(1),
    "train with number": lambda m: m.nn.Linear(1, 1).train(3),
}


@pytest.mark.parametrize("case", REGISTRATION.values(), ids=REGISTRATION.keys())
def test_registration(case: Callable[[Any], Any]) -> None:
    assert_same(case)


PATHS = {
    "submodule": lambda m: repr(net(m).get_submodule("2.1")),
    "no submodule": lambda m: net(m).get_submodule("2.7"),
    "not a submodule": lambda m: net(m).get_submodule("0.weight"),
    "parameter": lambda m: net(m).get_parameter("2.1.bias"),
    "no parameter": lambda m: net(m).get_parameter("2.1.other"),
    "not a parameter": lambda m: net(m).get_parameter("2.1"),
    "buffer": lambda m: net(m).get_buffer("1.running_mean"),
    "not a buffer": lambda m: net(m).get_buffer("0.weight"),
    "set nothing": lambda m: net(m).set_submodule("", m.nn.ReLU()),
    "set number": lambda m: net(m).set_submodule("0", 3),
    "set in no parent": lambda m: net(m).set_submodule("9.1", m.nn.ReLU()),
    "set new strictly": lambda m: net(m).set_submodule("2.7", m.nn.ReLU(), strict=True),
}


@pytest.mark.parametrize("case", PATHS.values(), ids=PATHS.keys())
def test_paths(case: Callable[[Any], Any]) -> None:
    assert_same(case)


TRAVERSAL = {
    "named_parameters": lambda m: [name for name, _ in net(m).named_parameters()],
    "named_parameters prefix": lambda m: [name for name, _ in net(m).named_parameters("x", recurse=False)],
    "named_buffers": lambda m: [name for name, _ in net(m).named_buffers()],
    "named_modules": lambda m: [name for name, _ in net(m).named_modules()],
    "named_children": lambda m: [name for name, _ in net(m).named_children()],
    "shared once": lambda m: len(list(m.nn.Sequential(*[m.nn.Linear(1, 1)] * 2).parameters())),
    "shared twice": lambda m: [
        name for name, _ in m.nn.Sequential(*[m.nn.Linear(1, 1)] * 2).named_parameters(remove_duplicate=False)
    ],
    "repr": lambda m: repr(net(m)),
    "dir": lambda m: [name for name in ("weight", "bias", "forward") if name in dir(m.nn.Linear(1, 1))],
}


@pytest.mark.parametrize("case", TRAVERSAL.values(), ids=TRAVERSAL.keys())
def test_traversal(case: Callable[[Any], Any]) -> None:
    assert_same(case)


def load(state: Callable[[Any], Any], **kwargs: Any) -> Callable[[Any], Any]:
    def case(m: Any) -> Any:
        layer = m.nn.Linear(2, 2)
        answer = layer.load_state_dict(state(m), **kwargs)
        return repr(answer), layer.weight.detach(), layer.bias.detach(), type(layer.weight).__name__

    return case


LOADING = {
    "all": load(lambda m: {"weight": m.ones(2, 2), "bias": m.zeros(2)}),
    "assign": load(lambda m: {"weight": m.ones(2, 2), "bias": m.zeros(2)}, assign=True),
    "missing": load(lambda m: {"weight": m.ones(2, 2)}),
    "missing loosely": load(lambda m: {"weight": m.ones(2, 2)}, strict=False),
    "unexpected": load(lambda m: {"weight": m.ones(2, 2), "bias": m.zeros(2), "more": 1, "weight.x": 2}),
    "sizes": load(lambda m: {"weight": m.ones(3, 2), "bias": m.zeros(())}),
    "not a tensor": load(lambda m: {"weight": 3, "bias": m.zeros(2)}),
    "not a dictionary": load(lambda m: 3),
    "other dtype": load(lambda m: {"weight": m.ones(2, 2, dtype=m.float64), "bias": m.zeros(2)}),
}


@pytest.mark.parametrize("case", LOADING.values(), ids=LOADING.keys())
def test_load_state_dict(case: Callable[[Any], Any]) -> None:
    assert_same(case)


CONVERSION = {
    "double": lambda m: [p.dtype for p in net(m).double().parameters()],
    "double buffers": lambda m: [b.dtype for b in net(m).double().buffers()],
    "to dtype": lambda m: [p.dtype for p in net(m).to(m.bfloat16).parameters()],
    "to device and dtype": lambda m: [p.dtype for p in net(m).to("cpu", m.float64).parameters()],
    "to tensor": lambda m: [p.dtype for p in net(m).to(m.zeros(1, dtype=m.float16)).parameters()],
    "to integer": lambda m: net(m).to(m.int32),
    "to nothing": lambda m: repr(net(m).to()),
    "to two dtypes": lambda m: net(m).to(m.float32, m.int32),
    "keeps identity": lambda m: (lambda n, p: n.half()[0].weight is p)(*(lambda n: (n, n[0].weight))(net(m))),
    "gradients too": lambda m: _converted_gradient(m),
    "to meta": lambda m: [str(p.device) for p in net(m).to("meta").parameters()],
    "from meta": lambda m: m.nn.Linear(2, 2, device="meta").to("cpu"),
    "channels last": lambda m: m.nn.Conv2d(2, 2, 3).to(memory_format=m.channels_last).weight.stride(),
    "requires_grad_": lambda m: [p.requires_grad for p in net(m).requires_grad_(False).parameters()],
}


def _converted_gradient(m: Any) -> Any:
    layer = m.nn.Linear(2, 1)
    layer(m.ones(1, 2)).sum().backward()
    return layer.double().weight.grad


@pytest.mark.parametrize("case", CONVERSION.values(), ids=CONVERSION.keys())
def test_conversion(case: Callable[[Any], Any]) -> None:
    assert_same(case)


def hooked(register: Callable[[Any, Any, list], Any], requires_grad: bool = True) -> Callable[[Any], Any]:
    """A case that notes what hooks see, runs forward and backward, and gives notes, output and gradients."""

    def case(m: Any) -> Any:
        m.manual_seed(0)
        layer, notes = m.nn.Linear(2, 2), []
        handle = register(m, layer, notes)
        x = m.ones(1, 2, requires_grad=requires_grad)
        out = layer(x)
        out.sum().backward()
        noted = len(notes)
        handle.remove()
        layer(x.detach())
        results = (out.detach(), layer.weight.grad, x.grad)
        return notes, noted == len(notes), [None if one is None else one.tolist() for one in results]

    return case


def _values(seen: Any) -> Any:
    """What a hook saw without the strides of one-sized dimensions."""
    if isinstance(seen, tuple):
        return [_values(one) for one in seen]
    return seen.tolist() if hasattr(seen, "tolist") else seen


def _seen(notes: list) -> Callable[..., Any]:
    return lambda module, *seen: notes.append([type(module).__name__, _values(seen)])


HOOKS = {
    "forward": hooked(lambda m, layer, notes: layer.register_forward_hook(_seen(notes))),
    "forward replaces": hooked(
        lambda m, layer, notes: layer.register_forward_hook(lambda module, args, out: out * 2)
    ),
    "forward with kwargs": hooked(
        lambda m, layer, notes: layer.register_forward_hook(_seen(notes), with_kwargs=True)
    ),
    "forward pre": hooked(lambda m, layer, notes: layer.register_forward_pre_hook(_seen(notes))),
    "forward pre replaces": hooked(
        lambda m, layer, notes: layer.register_forward_pre_hook(lambda module, args: args[0] * 3)
    ),
    "forward pre with kwargs": hooked(
        lambda m, layer, notes: layer.register_forward_pre_hook(
            lambda module, args, kwargs: ((args[0] + 1,), kwargs), with_kwargs=True
        )
    ),
    "forward pre with wrong answer": hooked(
        lambda m, layer, notes: layer.register_forward_pre_hook(lambda *_: 3, with_kwargs=True)
    ),
    "backward": hooked(lambda m, layer, notes: layer.register_full_backward_hook(_seen(notes))),
    "backward without input gradient": hooked(
        lambda m, layer, notes: layer.register_full_backward_hook(_seen(notes)), requires_grad=False
    ),
    "backward replaces": hooked(
        lambda m, layer, notes: layer.register_full_backward_hook(lambda module, gi, go: (gi[0] * 5,))
    ),
    "backward pre": hooked(lambda m, layer, notes: layer.register_full_backward_pre_hook(_seen(notes))),
    "backward pre replaces": hooked(
        lambda m, layer, notes: layer.register_full_backward_pre_hook(lambda module, go: (go[0] * 4,))
    ),
    "global forward": hooked(
        lambda m, layer, notes: m.nn.modules.module.register_module_forward_hook(_seen(notes))
    ),
    "global backward": hooked(
        lambda m, layer, notes: m.nn.modules.module.register_module_full_backward_hook(_seen(notes))
    ),
}


@pytest.mark.parametrize("case", HOOKS.values(), ids=HOOKS.keys())
def test_hooks(case: Callable[[Any], Any]) -> None:
    assert_same(case)


def test_hook_that_is_always_called_runs_after_an_error() -> None:
    layer, calls = nn.Linear(2, 2), []
    layer.register_forward_hook(lambda *seen: calls.append(seen[-1]), always_call=True)
    with pytest.raises(RuntimeError):
        layer(rushlight.ones(3))
    assert calls == [None]


def test_prepended_hook_runs_first() -> None:
    layer, calls = nn.Identity(), []
    layer.register_forward_hook(lambda *_: calls.append("first registered"))
    layer.register_forward_hook(lambda *_: calls.append("prepended"), prepend=True)
    layer(rushlight.ones(1))
    assert calls == ["prepended", "first registered"]


def test_state_dict_hooks() -> None:
    def case(m: Any) -> Any:
        layer = m.nn.Linear(1, 1)
        layer.register_state_dict_post_hook(
            lambda module, state, prefix, metadata: state.pop(prefix + "bias") and None
        )
        layer._register_state_dict_hook(lambda module, state, prefix, metadata: {**state, "more": 1})
        layer.register_load_state_dict_post_hook(lambda module, keys: keys.missing_keys.clear())
        return list(layer.state_dict()), repr(layer.load_state_dict({"weight": m.ones(1, 1)}))

    assert_same(case)


def test_extra_state() -> None:
    def case(m: Any) -> Any:
        class Counter(m.nn.Module):
            count = 0

            def get_extra_state(self) -> int:
                return self.count

            def set_extra_state(self, state: int) -> None:
                self.count = state

        counter = Counter()
        counter.load_state_dict({"_extra_state": 7})
        return list(counter.state_dict().items()), counter.load_state_dict({}, strict=False)

    assert_same(case)


def test_dictionaries_of_a_module_write_through() -> None:
    layer = nn.Linear(2, 2)
    weight = nn.Parameter(rushlight.zeros(2, 2))
    layer._parameters["weight"] = weight
    assert layer.weight is weight
    del layer._parameters["bias"]
    assert not hasattr(layer, "bias")
    layer._buffers["mean"] = rushlight.ones(1)
    assert list(layer.state_dict()) == ["weight", "mean"]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_copies(copied: Callable[[Any], Any]) -> None:
    module = net(rushlight)
    other = copied(module)
    assert repr(other) == repr(module)
    assert all(
        a is not b and bool((a == b).all())
        for a, b in zip(module.state_dict().values(), other.state_dict().values(), strict=True)
    )
    x = rushlight.ones(2, 3)
    assert bool((other.eval()(x) == module.eval()(x)).all())


def test_pickled_layout_is_that_of_pytorch() -> None:
    state = nn.Linear(1, 1).__getstate__()
    assert list(state["_parameters"]) == ["weight", "bias"]
    assert "weight" not in state


def test_zero_grad() -> None:
    layer = nn.Linear(2, 1)
    layer(rushlight.ones(1, 2)).sum().backward()
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad.tolist() == [[0.0, 0.0]]
    layer.zero_grad()
    assert layer.weight.grad is None


def test_members_are_walked_once_in_order_however_many():
    shared = nn.Linear(1, 1)
    layers = [nn.Linear(1, 1, bias=False) for _ in range(50)]
    tree = nn.Sequential(*layers, shared, shared)
    names = [name for name, _ in tree.named_parameters()]
    assert names == [*(f"{i}.weight" for i in range(50)), "50.weight", "50.bias"]
    assert len(list(tree.named_parameters(remove_duplicate=False))) == 54
    assert [name for name, _ in tree.named_parameters(prefix="net")][0] == "net.0.weight"
    assert list(tree.parameters(recurse=False)) == []


def test_a_module_may_walk_its_modules_its_own_way():
    class Closed(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = nn.Linear(1, 1)
            self.own = nn.Parameter(rushlight.zeros(1))

        def named_modules(self, memo=None, prefix="", remove_duplicate=True):
            yield prefix, self

    tree = nn.Sequential(nn.Linear(1, 1), Closed())
    assert [name for name, _ in tree.named_parameters()] == ["0.weight", "0.bias", "1.own"]


def test_a_module_inside_itself_is_walked_once():
    tree = nn.Sequential(nn.Linear(1, 1))
    tree[0].again = tree
    assert len(list(tree.parameters())) == 2
    with pytest.raises(RecursionError):
        list(tree.named_parameters(remove_duplicate=False))


def test_members_before_the_constructor_has_run():
    class Unmade(nn.Module):
        def __init__(self):
            pass

    with pytest.raises(AttributeError):
        list(Unmade().parameters())
