"""Every example in the documentation of the package runs as written, those of native operators included."""

import doctest
import importlib
import pkgutil

import pytest

import rushlight
from rushlight import _C


GLOBALS = {"rushlight": rushlight, "torch": rushlight}


def modules():
    for info in pkgutil.walk_packages(rushlight.__path__, "rushlight."):
        if not info.name.endswith("__main__") and "._C" not in info.name:
            yield info.name


def run(test):
    rushlight.manual_seed(0)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE, verbose=False)
    report = []
    runner.run(test, out=report.append)
    assert runner.failures == 0, "".join(report)


@pytest.mark.parametrize("name", modules())
def test_module(name):
    module = importlib.import_module(name)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, globs={**GLOBALS, **vars(module)}):
        if test.examples:
            run(test)


def native_examples():
    for entry in _C._operators():
        if ">>>" in entry["doc"]:
            yield pytest.param(entry, id=f"{entry['name']}.{entry['overload']}")


@pytest.mark.parametrize("entry", native_examples())
def test_operator(entry):
    run(
        doctest.DocTestParser().get_doctest(
            entry["doc"], dict(GLOBALS), entry["name"], entry["file"], entry["line"]
        )
    )
