"""Every op_db entry that exists in Rushlight against PyTorch, each in a forked process, two at once.

A run of the tests takes at most eight samples of an entry and dtype, evenly spaced among them;
`python -m tests.parity` takes all.
"""

from collections.abc import Callable

import pytest

from .process import Report, reports
from .worklist import PYTORCH_DEFECTS, counterpart, entries

SAMPLES = 8
SECONDS = 60.0

_EXISTING = [
    name
    for name, entry in entries().items()
    if counterpart(entry) is not None and name not in PYTORCH_DEFECTS
]


@pytest.fixture(scope="module")
def report_of(request: pytest.FixtureRequest) -> Callable[[str], Report]:
    """The report of an entry, while those of the tests to come are under way."""
    chosen = [
        item.callspec.params["name"] for item in request.session.items if "report_of" in item.fixturenames
    ]
    stream = reports(chosen, jobs=2, cap=SAMPLES, limit=SECONDS)
    done: dict[str, Report] = {}

    def find(name: str) -> Report:
        while name not in done:
            report = next(stream)
            done[report.name] = report
        return done[name]

    return find


@pytest.mark.parity
@pytest.mark.parametrize("name", _EXISTING)
def test_matches_pytorch(name: str, report_of: Callable[[str], Report]) -> None:
    result = report_of(name)
    assert result.passes, result.message
