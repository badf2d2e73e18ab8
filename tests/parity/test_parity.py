"""Every op_db entry that exists in Rushlight against PyTorch, each in a forked process.

A run of the tests takes at most eight samples of an entry and dtype, evenly spaced among them;
`python -m tests.parity` takes all.
"""

import pytest

from .process import report
from .worklist import PYTORCH_DEFECTS, counterpart, entries

SAMPLES = 8
SECONDS = 60.0

_EXISTING = {
    name: entry
    for name, entry in entries().items()
    if counterpart(entry) is not None and name not in PYTORCH_DEFECTS
}


@pytest.mark.parity
@pytest.mark.parametrize("name", _EXISTING)
def test_matches_pytorch(name: str) -> None:
    result = report(_EXISTING[name], cap=SAMPLES, limit=SECONDS)
    assert result.passes, result.message
