"""FloatTensor, LongTensor and their like: the constructors and type tests of old programs."""

from __future__ import annotations

from typing import Any

import rushlight
from rushlight import _C


class _TensorType(type):
    """The type of these classes: calling one gives a plain tensor, and tensors of its dtype are instances."""

    dtype: Any

    def __call__(cls, *args: Any, **kwargs: Any) -> rushlight.Tensor:
        return _C._new_from_legacy(cls.dtype, *args, **kwargs)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, rushlight.Tensor) and instance.dtype is cls.dtype

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"


def _make(name: str, dtype: Any) -> _TensorType:
    doc = f"{name}(*sizes) or {name}(data): a new tensor of dtype {dtype}; see `rushlight.tensor`."
    return _TensorType(name, (), {"dtype": dtype, "__doc__": doc, "__module__": "rushlight"})


ByteTensor = _make("ByteTensor", rushlight.uint8)
CharTensor = _make("CharTensor", rushlight.int8)
ShortTensor = _make("ShortTensor", rushlight.int16)
IntTensor = _make("IntTensor", rushlight.int32)
LongTensor = _make("LongTensor", rushlight.int64)
HalfTensor = _make("HalfTensor", rushlight.float16)
BFloat16Tensor = _make("BFloat16Tensor", rushlight.bfloat16)
FloatTensor = _make("FloatTensor", rushlight.float32)
DoubleTensor = _make("DoubleTensor", rushlight.float64)
BoolTensor = _make("BoolTensor", rushlight.bool)
