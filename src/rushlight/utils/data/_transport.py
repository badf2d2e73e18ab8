"""Passing batches between processes: the pickle through a socket, the tensors' storages in shared memory.

Shared memory here is a file without a name whose descriptor goes through the socket, so that nothing stays behind
whichever side dies.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import tempfile
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any

from rushlight import _utils

_ALIGNMENT = 64
# Bytes from which mapping a batch costs less than copying it.
_WORTH_MAPPING = 1 << 20
_MAP_FLAGS = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)


class _Pickler(pickle.Pickler):
    """Pickles an object and sets its tensors' storages aside."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.storages: dict[int, tuple[int, Any]] = {}
        self.size = 0

    def persistent_id(self, obj: Any) -> Any:
        if type(obj) is not _utils._TypedStorage:
            return None
        storage = obj.untyped
        if storage._cdata not in self.storages:
            self.storages[storage._cdata] = (self.size, storage)
            self.size += (storage.nbytes() // _ALIGNMENT + 1) * _ALIGNMENT
        return (self.storages[storage._cdata][0], storage.nbytes(), obj.dtype)

    def reducer_override(self, obj: Any) -> Any:
        import rushlight

        if not isinstance(obj, rushlight.Tensor):
            return NotImplemented
        if obj.requires_grad and not obj.is_leaf:
            raise RuntimeError(
                "Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd does not "
                "support crossing process boundaries.  If you just want to transfer the data, call detach() on "
                "the tensor before serializing (e.g., putting it on the queue)."
            )
        is_plain = type(obj) is rushlight.Tensor and obj.device.type == "cpu" and not obj.requires_grad
        # A small view must not take the whole storage along.
        if is_plain and obj.untyped_storage().nbytes() > obj.numel() * obj.element_size():
            obj = obj.clone(memory_format=rushlight.contiguous_format)
        return _utils._reduce_tensor(obj, pickle.HIGHEST_PROTOCOL)


class _Unpickler(pickle.Unpickler):
    """Unpickles an object whose storages lie in a shared file: large ones stay there, small ones are copied."""

    def __init__(self, data: bytes, descriptor: int | None) -> None:
        super().__init__(io.BytesIO(data))
        self.storages: dict[int, Any] = {}
        self.descriptor = descriptor
        size = 0 if descriptor is None else os.fstat(descriptor).st_size
        self.mapping = mmap.mmap(descriptor, size, flags=_MAP_FLAGS) if size >= _WORTH_MAPPING else None

    def persistent_load(self, saved_id: Any) -> Any:
        offset, size, dtype = saved_id
        if offset not in self.storages:
            self.storages[offset] = self._storage(offset, size)
        return _utils._TypedStorage(self.storages[offset], dtype)

    def _storage(self, offset: int, size: int) -> Any:
        import rushlight

        if self.mapping is not None and size:
            tensor = rushlight.frombuffer(self.mapping, dtype=rushlight.uint8, count=size, offset=offset)
            return tensor.untyped_storage()
        storage = rushlight.UntypedStorage(size)
        if size:
            _read_fully(self.descriptor, memoryview(storage).cast("B"), offset)
        return storage


def _read_fully(descriptor: int, target: memoryview, offset: int) -> None:
    done = 0
    while done < len(target):
        count = os.preadv(descriptor, [target[done:]], offset + done)
        if count == 0:
            raise EOFError("a batch's shared memory is cut short")
        done += count


def _write_fully(descriptor: int, source: memoryview, offset: int) -> None:
    done = 0
    while done < len(source):
        done += os.pwrite(descriptor, source[done:], offset + done)


def _nameless_file() -> int:
    """Return a descriptor of a file in memory that has no name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("rushlight batch", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def send(connection: Connection, obj: Any) -> None:
    """Send an object; its tensors arrive as copies that share storages as they did here.

    Shared memory that could not be had is an error here, in the sender, and never a crash in the receiver.
    """
    buffer = io.BytesIO()
    pickler = _Pickler(buffer)
    pickler.dump(obj)
    has_file = pickler.size > 0
    if not has_file:
        connection.send_bytes(b"\0" + buffer.getvalue())
        return
    descriptor = _nameless_file()
    try:
        for offset, storage in pickler.storages.values():
            if storage.nbytes():
                _write_fully(descriptor, memoryview(storage).cast("B"), offset)
        connection.send_bytes(b"\1" + buffer.getvalue())
        reduction.send_handle(connection, descriptor, None)
    finally:
        os.close(descriptor)


def receive(connection: Connection) -> Any:
    """Receive what `send` has sent; raises `EOFError` or `OSError` where the sender died."""
    data = connection.recv_bytes()
    if data[0] == 0:
        return _Unpickler(data[1:], None).load()
    descriptor = reduction.recv_handle(connection)
    try:
        return _Unpickler(data[1:], descriptor).load()
    finally:
        os.close(descriptor)
