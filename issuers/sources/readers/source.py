"""Open a delivered file: plain, gzip or zip with one member, read as a stream that refuses to unpack without end.

What packers add on their own (folders, ``__MACOSX/``, ``.DS_Store``, ``Thumbs.db``) is no member.
"""

from __future__ import annotations

import fnmatch
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
from issuers.sources.readers.encodings import decoded_name
from issuers.sources.readers.forms import form_of_members
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
def open_source(path: Path, limits: Limits, *, unzip: bool = True, member: str | None = None) -> Iterator[BinaryIO]:
    """Open ``path`` for reading as bytes, unpacked. ``member``: pattern of the name of a zip's file to read.

    Raises ReadFailure or OSError.
    """
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        size = path.stat().st_size
        if head[:2] == _GZIP:
            with gzip.open(file, "rb") as stream:
                check_sums(_buffered(cast(BinaryIO, stream), size, limits))
                stream.seek(0)
                yield _buffered(cast(BinaryIO, stream), size, limits)
        elif head == _ZIP and unzip:
            with opened_archive(file, limits, "zip (1)") as archive:
                chosen = _member(archive, member)
                with opened_member(archive, chosen) as stream:
                    check_sums(_buffered(stream, size, limits))
                with opened_member(archive, chosen) as stream:
                    yield _buffered(stream, size, limits)
        else:
            yield file


def check_sums(stream: BinaryIO) -> None:
    """Read an archive's content to its end, where its checksum stands: a damaged digit must not be granted before.

    Raises ReadFailure. What is only cut short is left to the reader, for what it has is as it was.
    """
    try:
        while stream.read(1 << 20):
            pass
    except ReadFailure as failure:
        if failure.code is RefusalCode.MALFORMED_DOCUMENT:
            raise ReadFailure(RefusalCode.DAMAGED_FILE) from failure
        if failure.code is not RefusalCode.TRUNCATED_FILE:
            raise


def _member(archive: zipfile.ZipFile, wanted: str | None) -> zipfile.ZipInfo:
    """Return the one file of an archive, or the one that the mapping names. Raises ReadFailure."""
    members = [(member_name(item), item) for item in archive.infolist()]
    real = [(name, item) for name, item in members if not _is_packers_own(name)]
    if wanted is not None:
        real = [(name, item) for name, item in real if _fits(name, wanted)]
    elif (form := form_of_members(name for name, _ in members)) is not None:
        raise ReadFailure(RefusalCode.UNKNOWN_FORMAT, expected="zip (1)", form=form)
    if len(real) != 1:
        raise ReadFailure(RefusalCode.UNKNOWN_FORMAT, expected=f"zip (1; {len(real)} found, see `member`)")
    item = real[0][1]
    if item.flag_bits & 1:
        raise ReadFailure(RefusalCode.UNKNOWN_FORMAT, expected="zip (1)")
    return item


def member_name(item: zipfile.ZipInfo) -> str:
    """Return a member's name in words: where no flag says that it is UTF-8, Chinese packers write GBK."""
    name = item.filename.replace("\\", "/")
    if item.flag_bits & 0x800:
        return name
    return decoded_name(name.encode("cp437", "replace")) or name


def _is_packers_own(name: str) -> bool:
    parts = name.split("/")
    return (
        not parts[-1]
        or "__MACOSX" in parts[:-1]
        or parts[-1].startswith(("._", ".DS_Store"))
        or (parts[-1].lower() in ("thumbs.db", "desktop.ini"))
    )


def _fits(name: str, wanted: str) -> bool:
    return fnmatch.fnmatchcase(name, wanted) or fnmatch.fnmatchcase(name.rpartition("/")[2], wanted)


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


def opened_member(archive: zipfile.ZipFile, name: zipfile.ZipInfo) -> BinaryIO:
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
