"""Context managers and decorators that say whether operations are recorded for gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from rushlight import _C

Function = TypeVar("Function", bound=Callable[..., Any])


class _Mode:
    """A context manager that decorates functions and generator functions too."""

    __slots__ = ()

    def __enter__(self) -> None:
        raise TypeError(f"{type(self).__name__} is not a mode of its own")

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise TypeError(f"{type(self).__name__} is not a mode of its own")

    def clone(self) -> _Mode:
        """A mode of the same settings, for one call of a decorated function."""
        return type(self)()

    def __call__(self, function: Function) -> Function:
        import inspect

        if inspect.isgeneratorfunction(function):
            return self._wrap_generator(function)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return call  # type: ignore[return-value]

    def _wrap_generator(self, function: Any) -> Any:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            generator = function(*args, **kwargs)
            try:
                with self.clone():
                    response = generator.send(None)
                while True:
                    try:
                        request = yield response
                    except GeneratorExit:
                        with self.clone():
                            generator.close()
                        raise
                    except BaseException as error:
                        with self.clone():
                            response = generator.throw(error)
                    else:
                        with self.clone():
                            response = generator.send(request)
            except StopIteration as stop:
                return stop.value

        return call


class no_grad(_C._NoGrad, _Mode):
    """Within it, nothing is recorded for gradients; results do not require grad.

    >>> import rushlight
    >>> x = rushlight.ones(2, requires_grad=True)
    >>> with rushlight.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    __slots__ = ()


class enable_grad(_C._EnableGrad, _Mode):
    """Within it, operations are recorded for gradients, also inside `no_grad`."""

    __slots__ = ()


class set_grad_enabled(_Mode):
    """Sets whether operations are recorded: at once when called, and until the end as a context manager."""

    def __init__(self, mode: bool) -> None:
        self.mode = bool(mode)
        self._previous = _C._set_grad_enabled(self.mode)

    def __call__(self, function: Function) -> Function:
        _C._set_grad_enabled(self._previous)
        return super().__call__(function)

    def __enter__(self) -> None:
        _C._set_grad_enabled(self.mode)

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        _C._set_grad_enabled(self._previous)

    def clone(self) -> set_grad_enabled:
        previous = _C.is_grad_enabled()
        copy = type(self)(self.mode)
        _C._set_grad_enabled(previous)
        copy._previous = previous
        return copy


class inference_mode(_Mode):
    """Within it, nothing is recorded and new tensors keep no version count; they cannot be saved for gradients later."""

    def __new__(cls, mode: Any = True) -> Any:
        if not isinstance(mode, bool) and callable(mode):
            return cls()(mode)
        return super().__new__(cls)

    def __init__(self, mode: bool = True) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        self._previous = (_C._set_inference_mode(self.mode), _C._set_grad_enabled(not self.mode))

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        _C._set_inference_mode(self._previous[0])
        _C._set_grad_enabled(self._previous[1])

    def clone(self) -> inference_mode:
        return type(self)(self.mode)
