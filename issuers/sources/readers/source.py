"""Open a delivered file: plain, gzip or zip with one member, read as a stream that refuses to unpack without end."""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from issuers.rules.refusals import ReadFailure, RefusalCode
from issuers.sources.readers.rows import Limits

_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_END, _END_64, _LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_TAIL = 22 + 65_535 + 76
"""The end record, its comment, and the two records of large archives before it."""


class Unpacked(io.RawIOBase):
    """A decompressing stream with a budget. Raises ReadFailure for a bomb or a cut archive."""

    def __init__(self, inner: BinaryIO, packed_bytes: int, limits: Limits) -> None:
        self._inner = inner
        self._packed = max(packed_bytes, 1)
        self._limits = limits
        self._unpacked = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer is 3.12's
        try:
            part = self._inner.read(len(buffer))
        except EOFError as error:
            raise ReadFailure(RefusalCode.TRUNCATED_FILE) from error
        except (OSError, RuntimeError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
            raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT) from error
        self._unpacked += len(part)
        check_budget(self._unpacked, self._packed, self._limits)
        buffer[: len(part)] = part
        return len(part)


def check_budget(unpacked: int, packed: int, limits: Limits) -> None:
    """Raise ReadFailure if so much came out of so little."""
    if unpacked > limits.unpacked_bytes:
        raise ReadFailure(RefusalCode.DECOMPRESSION_BOMB)
    if unpacked > limits.ratio_from_bytes and unpacked > packed * limits.ratio_max:
        raise ReadFailure(RefusalCode.DECOMPRESSION_BOMB)


@contextmanager
def open_source(path: Path, limits: Limits, *, unzip: bool = True) -> Iterator[BinaryIO]:
    """Open ``path`` for reading as bytes, unpacked. Raises ReadFailure or OSError."""
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        size = path.stat().st_size
        if head[:2] == _GZIP:
            with gzip.open(file, "rb") as stream:
                yield _buffered(cast(BinaryIO, stream), size, limits)
        elif head == _ZIP and unzip:
            with opened_archive(file, limits, "zip (1)") as archive:
                members = [item for item in archive.infolist() if not item.filename.endswith("/")]
                if len(members) != 1 or members[0].flag_bits & 1:
                    raise ReadFailure(RefusalCode.UNKNOWN_FORMAT, expected="zip (1)")
                with opened_member(archive, members[0].filename) as stream:
                    yield _buffered(stream, size, limits)
        else:
            yield file


def opened_archive(file: BinaryIO, limits: Limits, expected: str) -> zipfile.ZipFile:
    """Open a zip archive whose directory is of a sane size. Raises ReadFailure.

    Python reads the whole directory into objects ten times its size before anybody can look at it.
    """
    if _directory_bytes(file) > limits.directory_bytes:
        raise ReadFailure(RefusalCode.DECOMPRESSION_BOMB)
    try:
        return zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise ReadFailure(RefusalCode.TRUNCATED_FILE) from error
    except (NotImplementedError, OSError, ValueError, struct.error) as error:
        raise ReadFailure(RefusalCode.UNKNOWN_FORMAT, expected=expected) from error


def opened_member(archive: zipfile.ZipFile, name: str) -> BinaryIO:
    """Open a member to read. Raises ReadFailure: locked, packed in an unknown way, or not where the directory says."""
    try:
        return cast(BinaryIO, archive.open(name))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError, struct.error) as error:
        raise ReadFailure(RefusalCode.MALFORMED_DOCUMENT) from error


def _directory_bytes(file: BinaryIO) -> int:
    """Return how long an archive says its directory is, by the records that Python goes by (APPNOTE 4.3.14, 4.3.16)."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    file.seek(0)
    end = tail.rfind(_END)
    if end < 0 or len(tail) < end + 22:
        return 0  # no archive: the opener says so
    stated = int.from_bytes(tail[end + 12 : end + 16], "little")
    if tail[max(0, end - 20) : end].startswith(_LOCATOR_64) and tail[max(0, end - 76) :].startswith(_END_64):
        stated = max(stated, int.from_bytes(tail[end - 76 + 40 : end - 76 + 48], "little"))
    return stated


def _buffered(stream: BinaryIO, size: int, limits: Limits) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(Unpacked(stream, size, limits), buffer_size=1 << 16))
