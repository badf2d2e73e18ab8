"""Anomaly detection: a backward pass that fails names the forward line that caused it."""

from __future__ import annotations

import warnings
from typing import Any

from rushlight import _C


class set_detect_anomaly:
    """Turns anomaly detection on or off: at once when called, and until the end as a context manager.

    While it is on, every node of the graph remembers where in the Python code it was made, and a gradient with NaN
    raises RuntimeError (unless ``check_nan`` is False).
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._previous = (_C._set_anomaly_enabled(mode), _C._set_anomaly_check_nan(check_nan))

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        _C._set_anomaly_enabled(self._previous[0])
        _C._set_anomaly_check_nan(self._previous[1])


class detect_anomaly(set_detect_anomaly):
    """Anomaly detection within a block; see `set_detect_anomaly`. Slow: for debugging only."""

    def __init__(self, check_nan: bool = True) -> None:
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled "
            "for debugging.",
            stacklevel=2,
        )
        self._check_nan = check_nan
        self._previous = (_C.is_anomaly_enabled(), _C.is_anomaly_check_nan_enabled())

    def __enter__(self) -> None:
        _C._set_anomaly_enabled(True)
        _C._set_anomaly_check_nan(self._check_nan)
