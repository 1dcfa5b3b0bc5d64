"""Open a delivered file: plain, gzip or zip with one member, read as a stream that refuses to unpack without end."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from issuers.readers.rows import Limits
from issuers.refusals import ReadFailure, RefusalCode

_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"


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
        except (OSError, zlib.error, zipfile.BadZipFile) as error:
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
            try:
                with zipfile.ZipFile(file) as archive:
                    members = [item for item in archive.infolist() if not item.is_dir()]
                    if len(members) != 1 or members[0].flag_bits & 1:
                        raise ReadFailure(RefusalCode.UNKNOWN_FORMAT, expected="zip (1)")
                    with archive.open(members[0]) as stream:
                        yield _buffered(cast(BinaryIO, stream), size, limits)
            except zipfile.BadZipFile as error:
                raise ReadFailure(RefusalCode.TRUNCATED_FILE) from error
        else:
            yield file


def _buffered(stream: BinaryIO, size: int, limits: Limits) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(Unpacked(stream, size, limits), buffer_size=1 << 16))
