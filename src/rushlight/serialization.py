"""`save` and `load`: PyTorch's zip checkpoints, written so that PyTorch reads them and read as PyTorch writes them.

A checkpoint is a zip file of stored records: ``data.pkl`` pickles the object, with each storage replaced by a
persistent id ``("storage", type, key, location, elements)``, and ``data/<key>`` holds that storage's bytes.
Objects of Rushlight go by the names they have in the package `torch`.
"""

from __future__ import annotations

import contextlib
import copyreg
import io
import os
import pickle
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from functools import lru_cache
from pickle import UnpicklingError
from types import FunctionType
from typing import IO, Any, ClassVar

from rushlight import _utils
from rushlight._utils import _TypedStorage
from rushlight._weights_unpickler import WeightsUnpickler
from rushlight._zip_archive import ArchiveReader, ArchiveWriter

__all__ = ["add_safe_globals", "clear_safe_globals", "get_safe_globals", "load", "safe_globals", "save"]

FileLike = str | os.PathLike[str] | IO[bytes]
MapLocation = Callable[[Any, str], Any] | Any | str | dict[str, str] | None

_STORAGE_NAMES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
    "complex64": "ComplexFloatStorage",
    "complex128": "ComplexDoubleStorage",
}
_REBUILDERS = (
    "_rebuild_tensor_v2",
    "_rebuild_tensor_v3",
    "_rebuild_meta_tensor_no_storage",
    "_rebuild_parameter",
    "_rebuild_parameter_with_state",
)


class _StorageType:
    """What stands in a pickle for a storage class of PyTorch; the untyped one has no dtype."""

    def __init__(self, name: str, dtype: Any) -> None:
        self.name = name
        self.dtype = dtype


def _encode(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise UnpicklingError(f"a pickled byte string is encoded in latin1, not in {encoding}")
    return text.encode("latin-1")


def _byte_array(data: bytes | str = b"", encoding: str = "latin-1") -> bytearray:
    return bytearray(_encode(data, encoding) if isinstance(data, str) else bytes(memoryview(data)))


def _get_layout(name: str) -> Any:
    import rushlight

    if name != "torch.strided":
        raise RuntimeError(f"layout {name} is not supported")
    return rushlight.strided


def _rebuild_from_type_v2(function: Any, new_type: type, args: tuple[Any, ...], state: Any) -> Any:
    """Rebuild a tensor of a subclass with one of the functions that make tensors, and no other."""
    if function not in [getattr(_utils, name) for name in _REBUILDERS]:
        raise UnpicklingError(f"Trying to call reduce for unrecognized function {function!r:.100}")
    return _utils._rebuild_from_type_v2(function, new_type, args, state)


@lru_cache(maxsize=1)
def _torch_names() -> dict[tuple[str, str], Any]:
    """The objects of checkpoints by PyTorch's module and name."""
    import rushlight

    names: dict[tuple[str, str], Any] = {
        ("torch", "Size"): rushlight.Size,
        ("torch", "device"): rushlight.device,
        ("torch", "Tensor"): rushlight.Tensor,
        ("torch.nn.parameter", "Parameter"): rushlight.nn.Parameter,
        ("torch.storage", "UntypedStorage"): _StorageType("UntypedStorage", None),
        ("torch._tensor", "_rebuild_from_type_v2"): _utils._rebuild_from_type_v2,
        ("torch.serialization", "_get_layout"): _get_layout,
    }
    for name in _REBUILDERS:
        names["torch._utils", name] = getattr(_utils, name)
    for name, storage_name in _STORAGE_NAMES.items():
        if hasattr(rushlight, name):
            dtype = getattr(rushlight, name)
            names["torch", name] = dtype
            names["torch", storage_name] = _StorageType(storage_name, dtype)
    return names


@lru_cache(maxsize=1)
def _names_by_identity() -> dict[int, tuple[str, str]]:
    return {id(value): name for name, value in _torch_names().items()}


# ---- what weights_only may load


_SAFE_BUILTINS: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "Counter"): Counter,
    ("_codecs", "encode"): _encode,
}
for _module in ("builtins", "__builtin__"):
    _SAFE_BUILTINS[_module, "set"] = set
    _SAFE_BUILTINS[_module, "complex"] = complex
    _SAFE_BUILTINS[_module, "bytearray"] = _byte_array

_safe_globals: list[Any] = []


def _qualified_name(value: Any) -> str:
    if isinstance(value, tuple):
        return value[1]
    return f"{value.__module__}.{value.__qualname__}"


def add_safe_globals(safe_globals: list[Callable[..., Any] | tuple[Callable[..., Any], str]]) -> None:
    """Allow classes and functions to be loaded with ``weights_only=True``.

    Args:
        safe_globals: the objects; a pair ``(object, "module.name")`` gives the name in the file.

    Example:
        >>> import rushlight as torch
        >>> from fractions import Fraction
        >>> torch.serialization.add_safe_globals([Fraction])
        >>> torch.serialization.get_safe_globals()
        [<class 'fractions.Fraction'>]
        >>> torch.serialization.clear_safe_globals()
    """
    for value in safe_globals:
        if isinstance(value, tuple) and (len(value) != 2 or not isinstance(value[1], str)):
            raise ValueError(f"Expected tuple of (global, str of callable full path), but got: {value}")
        if value not in _safe_globals:
            _safe_globals.append(value)


def get_safe_globals() -> list[Any]:
    """Return what `add_safe_globals` has allowed."""
    return list(_safe_globals)


def clear_safe_globals() -> None:
    """Forget what `add_safe_globals` has allowed."""
    _safe_globals.clear()


@contextlib.contextmanager
def safe_globals(safe_globals: list[Callable[..., Any] | tuple[Callable[..., Any], str]]) -> Iterator[None]:
    """Allow classes and functions to be loaded with ``weights_only=True`` within a ``with`` block."""
    before = get_safe_globals()
    add_safe_globals(safe_globals)
    try:
        yield
    finally:
        _safe_globals[:] = before


class _WeightsRules:
    """What a file may name, call, make and build with ``weights_only=True``."""

    def __init__(self) -> None:
        names = _torch_names()
        self.allowed = {**_SAFE_BUILTINS, **names}
        self.allowed["torch._tensor", "_rebuild_from_type_v2"] = _rebuild_from_type_v2
        self.given = {_qualified_name(value): value for value in _safe_globals}
        self.given = {
            name: value[0] if isinstance(value, tuple) else value for name, value in self.given.items()
        }
        rebuilders = [getattr(_utils, name) for name in _REBUILDERS]
        functions = [set, complex, _encode, _byte_array, _get_layout, _rebuild_from_type_v2, *rebuilders]
        containers, given = [OrderedDict, Counter], list(self.given.values())
        tensors = [names["torch", "Tensor"], names["torch.nn.parameter", "Parameter"]]
        values = [names["torch", "Size"], names["torch", "device"]]
        self.may_call = _is_among([*functions, *containers, *values, *given])
        self.may_make = _is_among([*containers, *given])
        self.may_build = _is_among([*containers, *tensors, *given])

    def find_global(self, module: str, name: str) -> Any:
        if (module, name) in self.allowed:
            return self.allowed[module, name]
        full_name = f"{module}.{name}"
        if full_name in self.given:
            return self.given[full_name]
        if module.partition(".")[0] == "torch":
            ours = "rushlight" + full_name.removeprefix("torch")
            if ours in self.given:
                return self.given[ours]
        raise UnpicklingError(_refusal(module, full_name))


def _is_among(objects: list[Any]) -> Callable[[Any], bool]:
    identities = {id(one) for one in objects}
    return lambda value: id(value) in identities


# ---- saving


class _Pickler(pickle._Pickler):
    """Pickles an object under PyTorch's names and gathers its storages.

    Python's own pickler in Python, because the one in C insists on importing each name that it writes.
    """

    def __init__(self, file: IO[bytes], protocol: int) -> None:
        import rushlight

        super().__init__(file, protocol)
        self.storages: dict[str, Any] = {}
        self._keys: dict[int, str] = {}
        self._dtypes: dict[int, Any] = {}
        self.dispatch_table = {
            **copyreg.dispatch_table,
            _StorageType: lambda value: value.name,
            rushlight.dtype: lambda value: str(value).rpartition(".")[2],
            rushlight.device: lambda value: (rushlight.device, (str(value),)),
            rushlight.Size: lambda value: (rushlight.Size, (tuple(value),)),
            rushlight.layout: lambda value: (_get_layout, (str(value).replace("rushlight.", "torch."),)),
        }

    def persistent_id(self, obj: Any) -> tuple[Any, ...] | None:
        import rushlight

        if isinstance(obj, _TypedStorage):
            untyped, dtype, itemsize = obj.untyped, obj.dtype, obj.dtype.itemsize
            storage_type = _torch_names()["torch", _STORAGE_NAMES[str(dtype).rpartition(".")[2]]]
        elif isinstance(obj, rushlight.UntypedStorage):
            untyped, dtype, itemsize = obj, None, 1
            storage_type = _torch_names()["torch.storage", "UntypedStorage"]
        else:
            return None
        if self._dtypes.setdefault(untyped._cdata, dtype) != dtype:
            raise RuntimeError(
                "Cannot save multiple tensors or storages that view the same data as different types"
            )
        key = self._keys.setdefault(untyped._cdata, str(len(self._keys)))
        self.storages[key] = untyped
        return ("storage", storage_type, key, "cpu", untyped.nbytes() // itemsize)

    def save_global(self, obj: Any, name: str | None = None) -> None:
        own = str(getattr(obj, "__module__", "")).partition(".")[0] == "rushlight"
        known = _names_by_identity().get(id(obj))
        if known is None and not own:
            super().save_global(obj, name)
            return
        module, name = known or ("torch" + obj.__module__.removeprefix("rushlight"), obj.__qualname__)
        if self.proto >= 4:
            self.save(module)
            self.save(name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
        self.memoize(obj)

    dispatch: ClassVar[dict[type, Any]] = {**pickle._Pickler.dispatch, FunctionType: save_global}


def _write(obj: Any, file: IO[bytes], root: str, protocol: int) -> None:
    buffer = io.BytesIO()
    pickler = _Pickler(buffer, protocol)
    pickler.dump(obj)
    archive = ArchiveWriter(file, root)
    archive.write("data.pkl", buffer.getvalue())
    archive.write(".format_version", b"1")
    archive.write(".storage_alignment", b"64")
    archive.write("byteorder", sys.byteorder.encode())
    for key, storage in pickler.storages.items():
        archive.write(f"data/{key}", memoryview(storage) if storage.nbytes() else b"")
    archive.write("version", b"3\n")
    archive.write(".data/serialization_id", archive.serialization_id())
    archive.finish()


@contextlib.contextmanager
def _replacing(path: str) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of `path` when the block ends well, and leaves it untouched otherwise."""
    path = os.path.realpath(path)
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:
            yield file
        return
    directory, name = os.path.split(path)
    mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else None
    temporary = os.path.join(directory, f".{name[:100]}.{os.getpid()}-{os.urandom(6).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None:
                os.chmod(temporary, mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _is_path(f: Any) -> bool:
    return isinstance(f, (str, os.PathLike))


def save(obj: object, f: FileLike, *, pickle_protocol: int = 2) -> None:
    """Save an object to a file in PyTorch's zip format.

    A file given by its path is written beside its place, flushed to disk and moved there in one step, so that a
    crash leaves the old file whole. Tensors that share a storage share it in the file.

    Args:
        obj: the object, with tensors anywhere in it.
        f: a path, or an object with ``write``.
        pickle_protocol: the protocol of the pickle within, 2 to 5.

    Raises:
        RuntimeError: the path's directory does not exist, or a storage is seen as two dtypes.
        AttributeError: `f` is neither a path nor has ``write``.

    Example:
        >>> import io, rushlight as torch
        >>> buffer = io.BytesIO()
        >>> torch.save({"weight": torch.arange(3)}, buffer)
        >>> torch.load(io.BytesIO(buffer.getvalue()))
        {'weight': tensor([0, 1, 2])}
    """
    if not 2 <= pickle_protocol <= pickle.HIGHEST_PROTOCOL:
        raise ValueError(
            f"pickle_protocol must be between 2 and {pickle.HIGHEST_PROTOCOL}, got {pickle_protocol}"
        )
    if not _is_path(f):
        if not hasattr(f, "write"):
            raise AttributeError(
                "expected 'f' to be string, path, or a file-like object with a 'write' attribute"
            )
        _write(obj, f, "archive", pickle_protocol)
        return
    path = os.fspath(f)
    parent = os.path.dirname(path)
    if parent and not os.path.isdir(parent):
        raise RuntimeError(f"Parent directory {parent} does not exist.")
    with _replacing(path) as file:
        _write(
            obj, file, os.path.basename(path).rpartition(".")[0] or os.path.basename(path), pickle_protocol
        )


# ---- loading


def _restore_by_location(storage: Any, location: str) -> Any:
    """Return the storage on the device that `location` names; None stands for the meta device."""
    if location == "cpu":
        return storage
    if location == "meta":
        return None
    if location.startswith("cuda"):
        raise RuntimeError(
            "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. If you are "
            "running on a CPU-only machine, please use torch.load with map_location=torch.device('cpu') to map "
            "your storages to the CPU."
        )
    raise RuntimeError(
        f"don't know how to restore data location of torch.storage.UntypedStorage (tagged with {location})"
    )


def _restorer(map_location: MapLocation) -> Callable[[Any, str], Any]:
    import rushlight

    if map_location is None:
        return _restore_by_location
    if isinstance(map_location, dict):
        return lambda storage, location: _restore_by_location(storage, map_location.get(location, location))
    if isinstance(map_location, (str, rushlight.device)):
        return lambda storage, location: _restore_by_location(storage, str(map_location))

    def restore(storage: Any, location: str) -> Any:
        result = map_location(storage, location)
        return _restore_by_location(storage, location) if result is None else result

    return restore


class _Loader:
    """Turns an open checkpoint into the object it holds."""

    def __init__(self, file: IO[bytes], name: str, map_location: MapLocation, mapped: bool) -> None:
        self.name = name
        self.file = file
        self.archive = ArchiveReader(file, name)
        self.restore = _restorer(map_location)
        self.mapping = self._map() if mapped else None
        self.storages: dict[str, Any] = {}
        if "data.pkl" not in self.archive:
            raise RuntimeError(f"{name}: the zip archive is not a checkpoint, it has no record data.pkl")
        if "constants.pkl" in self.archive:
            raise RuntimeError(f"{name}: the file is a TorchScript program, which is not supported")
        order = self.archive.read("byteorder") if "byteorder" in self.archive else b"little"
        if order.decode("latin-1") != sys.byteorder:
            raise RuntimeError(f"{name}: byte order {order!r} is not this machine's, {sys.byteorder}")

    def _map(self) -> Any:
        import mmap

        return mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_COPY)

    def _read_storage(self, record: str, size: int) -> Any:
        import rushlight

        if self.mapping is not None and size:
            start = self.archive.locate(record)
            tensor = rushlight.frombuffer(self.mapping, dtype=rushlight.uint8, count=size, offset=start)
            return tensor.untyped_storage()
        storage = rushlight.UntypedStorage(size)
        self.archive.read_into(record, memoryview(storage).cast("B") if size else memoryview(b""))
        return storage

    def persistent_load(self, saved_id: Any) -> Any:
        import rushlight

        if type(saved_id) is not tuple or len(saved_id) != 5 or saved_id[0] != "storage":
            raise UnpicklingError(f"{self.name}: unknown persistent id {saved_id!r:.200}")
        _, storage_type, key, location, numel = saved_id
        types = (_StorageType, str, str, int)
        if tuple(map(type, (storage_type, key, location, numel))) != types or numel < 0:
            raise UnpicklingError(f"{self.name}: malformed storage id {saved_id!r:.200}")
        dtype = storage_type.dtype or rushlight.uint8
        size = self.archive.size(f"data/{key}")
        if numel * dtype.itemsize > size:
            raise RuntimeError(
                f"{self.name}: storage {key} claims {numel} elements of {dtype}, {numel * dtype.itemsize} bytes, "
                f"but its record holds {size}"
            )
        if key not in self.storages:
            self.storages[key] = self.restore(self._read_storage(f"data/{key}", size), location)
        storage = self.storages[key]
        return (
            storage if storage_type.dtype is None and storage is not None else _TypedStorage(storage, dtype)
        )

    def load_weights(self) -> Any:
        """Unpickle with the restricted reader."""
        rules = _WeightsRules()
        data = self.archive.read("data.pkl")
        try:
            return WeightsUnpickler(
                data,
                rules.find_global,
                self.persistent_load,
                rules.may_call,
                rules.may_make,
                rules.may_build,
            ).load()
        except UnpicklingError as error:
            raise UnpicklingError(_weights_only_message(self.name, str(error))) from None
        except RuntimeError as error:
            raise RuntimeError(_named(self.name, error)) from error

    def load_anything(self) -> Any:
        """Unpickle with Python's own unpickler, which may run whatever the file says."""
        unpickler = _Unpickler(io.BytesIO(self.archive.read("data.pkl")))
        unpickler.persistent_load = self.persistent_load
        return unpickler.load()


class _Unpickler(pickle.Unpickler):
    """Python's unpickler with PyTorch's names turned into ours."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _torch_names():
            return _torch_names()[module, name]
        if module.partition(".")[0] == "torch":
            module = "rushlight" + module.removeprefix("torch")
        return super().find_class(module, name)


def _named(name: str, error: Exception) -> str:
    return str(error) if str(error).startswith(name) else f"{name}: {error}"


def _refusal(module: str, full_name: str) -> str:
    if module.partition(".")[0] in ("sys", "os", "posix", "nt"):
        return f"Trying to load unsupported GLOBAL {full_name} whose module {module} is blocked."
    return (
        f"Unsupported global: GLOBAL {full_name} was not an allowed global by default. Please use "
        f"`torch.serialization.add_safe_globals([{full_name}])` or the "
        f"`torch.serialization.safe_globals([{full_name}])` context manager to allowlist this global if you "
        "trust this class/function."
    )


def _weights_only_message(name: str, fault: str) -> str:
    return (
        "Weights only load failed. Re-running `torch.load` with `weights_only` set to `False` will likely "
        "succeed, but it can result in arbitrary code execution. Do it only if you got the file from a trusted "
        f"source.\n{name}: WeightsUnpickler error: {fault}"
    )


def load(
    f: FileLike,
    map_location: MapLocation = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
) -> Any:
    """Load an object that `save`, here or in PyTorch, has written in the zip format.

    Args:
        f: a path, or a seekable binary file object.
        map_location: where storages go: a device or its name, a dictionary from saved to wanted names, or a
            function of a storage and its saved location that returns a storage or None.
        weights_only: load tensors, containers and plain values only (the default). With ``False`` the file may
            run any code: do so only with files that you trust.
        mmap: map the file, given by its path, into memory instead of reading it; nothing written to the tensors
            reaches the file, and checksums of storages are not verified.

    Raises:
        pickle.UnpicklingError: the file holds what `weights_only` does not allow.
        RuntimeError: the file is not a checkpoint, cut short, corrupt or contradicts itself.

    Example:
        >>> import io, rushlight as torch
        >>> buffer = io.BytesIO()
        >>> torch.save(torch.ones(2), buffer)
        >>> torch.load(io.BytesIO(buffer.getvalue()), map_location="cpu", weights_only=True)
        tensor([1., 1.])
    """
    if mmap and not _is_path(f):
        raise ValueError("f must be a string filename in order to use mmap argument")
    if not _is_path(f) and not (hasattr(f, "read") and hasattr(f, "seek")):
        raise AttributeError(
            f"'{type(f).__name__}' object has no attribute 'seek'. You can only torch.load from a file that is "
            "seekable. Please pre-load the data into a buffer like io.BytesIO and try to load from it instead."
        )
    with open(f, "rb") if _is_path(f) else contextlib.nullcontext(f) as file:
        name = str(os.fspath(f)) if _is_path(f) else str(getattr(f, "name", type(f).__name__))
        loader = _Loader(file, name, map_location, bool(mmap))
        return loader.load_anything() if weights_only is False else loader.load_weights()
