"""The zip container of checkpoints: stored records, each starting at a multiple of 64 bytes."""

from __future__ import annotations

import struct
import zlib
from typing import IO, Any, NoReturn

ALIGNMENT = 64
_LIMIT32 = 0xFFFFFFFF
_UTF8_NAME, _SIZE_FOLLOWS = 0x0800, 0x0008
_CHUNK = 1 << 24


def checksum(data: memoryview) -> int:
    """Return the CRC-32 of `data`."""
    crc = 0
    for start in range(0, len(data), _CHUNK):
        crc = zlib.crc32(data[start : start + _CHUNK], crc)
    return crc


def _flags(size: int) -> int:
    return _UTF8_NAME | _SIZE_FOLLOWS if size else _UTF8_NAME


class ArchiveWriter:
    """Writes records one after another to any object with a ``write`` method, then the directory."""

    def __init__(self, file: IO[bytes], root: str) -> None:
        self._file = file
        self._root = root
        self._position = 0
        self._entries: list[tuple[bytes, int, int, int]] = []

    def _write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        start = 0
        while start < len(view):
            written = self._file.write(view[start : start + _CHUNK])
            start += _CHUNK if written is None else written
        self._position += len(view)

    def write(self, name: str, data: bytes | memoryview) -> None:
        """Append one record."""
        path = f"{self._root}/{name}".encode()
        view = memoryview(data).cast("B") if len(data) else memoryview(b"")
        offset, size, crc = self._position, len(view), checksum(view)
        is_large = size >= _LIMIT32 or offset >= _LIMIT32
        extra = struct.pack("<HHQQ", 1, 16, size, size) if is_large else b""
        padding = -(offset + 30 + len(path) + len(extra) + 4) % ALIGNMENT
        extra += b"FB" + struct.pack("<H", padding) + b"Z" * padding
        listed = _LIMIT32 if is_large else 0
        header = (b"PK\3\4", 0, _flags(size), 0, 0, 0, 0, listed, listed, len(path), len(extra))
        self._write(struct.pack("<4sHHHHHLLLHH", *header) + path + extra)
        self._write(view)
        if size:
            self._write(struct.pack("<4sLQQ" if is_large else "<4sLLL", b"PK\7\10", crc, size, size))
        self._entries.append((path, offset, size, crc))

    def serialization_id(self) -> bytes:
        """Return forty digits that stand for the names and the contents written so far."""
        names, contents = 0, 0
        for path, _, size, crc in self._entries:
            names = zlib.crc32(path, names)
            contents = zlib.crc32(struct.pack("<QL", size, crc), contents)
        return f"{names:020d}{contents:020d}".encode()

    def finish(self) -> None:
        """Write the central directory, with 64-bit fields where 32 bits do not suffice, and the end records."""
        start = self._position
        for path, offset, size, crc in self._entries:
            is_large = size >= _LIMIT32 or offset >= _LIMIT32
            extra = struct.pack("<HHQQQ", 1, 24, size, size, offset) if is_large else b""
            listed, place = (_LIMIT32, _LIMIT32) if is_large else (size, offset)
            fields = (b"PK\1\2", 0, 0, _flags(size), 0, 0, 0, crc, listed, listed, len(path), len(extra))
            self._write(struct.pack("<4sHHHHHHLLLHHHHHLL", *fields, 0, 0, 0, 0, place) + path + extra)
        length, end, count = self._position - start, self._position, len(self._entries)
        wide = (b"PK\6\6", 44, 0x031E, 45, 0, 0, count, count, length, start)
        self._write(struct.pack("<4sQHHLLQQQQ", *wide))
        self._write(struct.pack("<4sLQL", b"PK\6\7", 0, end, 1))
        short = (min(count, 0xFFFF), min(count, 0xFFFF), min(length, _LIMIT32), min(start, _LIMIT32))
        self._write(struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, *short, 0))


class ArchiveReader:
    """Reads records of a seekable file; refuses directories that cannot be an honest checkpoint's.

    Raises:
        RuntimeError: the file is not a zip file, is cut short, or lies about its records.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        import zipfile

        self._file = file
        self._name = name
        try:
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
            self._fail(
                f"PytorchStreamReader failed reading zip archive: failed finding central directory ({error})"
            )
        self._end = file.seek(0, 2)
        self._check(entries)
        self.root = entries[0].filename.partition("/")[0]
        self._entries = {entry.filename.partition("/")[2]: entry for entry in entries}

    def _fail(self, fault: str) -> NoReturn:
        raise RuntimeError(f"{self._name}: {fault}")

    def _check(self, entries: list[Any]) -> None:
        """Refuse compressed, encrypted, misnamed, repeated or overlapping records."""
        if not entries:
            self._fail("the zip archive is empty")
        roots = {entry.filename.partition("/")[0] for entry in entries}
        end = 0
        for entry in sorted(entries, key=lambda entry: entry.header_offset):
            parts = entry.filename.replace("\\", "/").split("/")
            if len(parts) < 2 or "" in parts or ".." in parts or len(roots) != 1:
                self._fail(f"the zip archive holds a record with an unsafe name: {entry.filename!r}")
            if entry.compress_type != 0 or entry.flag_bits & 1 or entry.file_size != entry.compress_size:
                self._fail(f"record {entry.filename!r} is compressed or encrypted; checkpoints are stored")
            if entry.header_offset < end:
                self._fail(f"record {entry.filename!r} overlaps another")
            end = entry.header_offset + 30 + entry.compress_size
            if end > self._end:
                self._fail(f"record {entry.filename!r} reaches beyond the end of the file")
        if len({entry.filename for entry in entries}) != len(entries):
            self._fail("the zip archive holds two records of one name")

    def __contains__(self, record: str) -> bool:
        return record in self._entries

    def size(self, record: str) -> int:
        """Return a record's size in bytes."""
        if record not in self._entries:
            self._fail(
                f"PytorchStreamReader failed locating file {record}: file not found in the zip archive"
            )
        return self._entries[record].file_size

    def locate(self, record: str) -> int:
        """Return where a record's bytes begin in the file."""
        size, entry = self.size(record), self._entries[record]
        self._file.seek(entry.header_offset)
        header = self._file.read(30)
        if len(header) != 30 or header[:4] != b"PK\3\4":
            self._fail(f"record {entry.filename!r} has no local header")
        name_length, extra_length = struct.unpack("<HH", header[26:])
        start = entry.header_offset + 30 + name_length + extra_length
        if start + size > self._end:
            self._fail(f"record {entry.filename!r} reaches beyond the end of the file")
        return start

    def read_into(self, record: str, target: memoryview) -> None:
        """Fill `target`, which has the record's size, and check the record's checksum."""
        self._file.seek(self.locate(record))
        filled = 0
        while filled < len(target):
            chunk = self._file.read(min(_CHUNK, len(target) - filled))
            if not chunk:
                self._fail(f"record {record!r} is cut short")
            target[filled : filled + len(chunk)] = chunk
            filled += len(chunk)
        if checksum(target) != self._entries[record].CRC:
            self._fail(f"record {record!r} is corrupt: its checksum does not match its contents")

    def read(self, record: str) -> bytes:
        """Return a record's contents."""
        data = bytearray(self.size(record))
        self.read_into(record, memoryview(data))
        return bytes(data)
