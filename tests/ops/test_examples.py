"""The examples in the composite operators' docstrings, and that each has one."""

import doctest
import inspect

import pytest
import rushlight
from rushlight import ops
from rushlight.ops import registry

ops.composites()
_OPERATORS = sorted(registry.composites())


@pytest.mark.parametrize("name", _OPERATORS)
def test_example(name: str) -> None:
    function = inspect.unwrap(registry.composites()[name].function)
    examples = doctest.DocTestFinder(recurse=False).find(function, name, globs={"rushlight": rushlight})
    assert any(example.examples for example in examples), "no example"
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for example in examples:
        assert runner.run(example).failed == 0
