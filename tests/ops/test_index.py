"""The index of composite operators names exactly what their files register."""

import rushlight
from rushlight import ops
from rushlight.ops import index, registry


def test_index_agrees_with_the_registry():
    ops.composites()
    functions, methods = {}, {}
    for name, item in registry.composites().items():
        file = item.function.__module__.rsplit(".", 1)[-1]
        if "." not in name:
            functions.setdefault(file, set()).add(name)
        if item.method:
            methods.setdefault(file, set()).add(name)
        if item.inplace:
            methods.setdefault(file, set()).add(f"{name}_")
    assert {file: set(names.split()) for file, names in index.FUNCTIONS.items()} == functions
    assert {file: set(names.split()) for file, names in index.METHODS.items()} == methods


def test_no_composite_hides_a_native_operator():
    assert not ops.names() & set(rushlight._C._function_names)


def test_methods_give_way_to_their_operators():
    assert rushlight.tensor([1, 3]).diff().tolist() == [2]
    assert rushlight.Tensor.__dict__["diff"] is rushlight.diff
