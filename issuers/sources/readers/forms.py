"""What a file is by its first bytes, whatever its name says: to tell a clerk what was sent instead. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

HEAD: Final = 512
_MAGIC: Final = (
    (b"PK\x03\x04", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"Rar!\x1a\x07", "rar"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"%PDF-", "pdf"),
    (b"\xd0\xcf\x11\xe0", "xls"),
    (b"\x09\x08\x10\x00\x00\x06", "xls"),
)
_MARKUP: Final = ((b"<!doctypehtml", "html"), (b"<html", "html"), (b"<?xml", "xml"), (b'[{"', "json"), (b'{"', "json"))


def form_of(head: bytes) -> str | None:
    """Return what a file's first bytes say that it is, or None: a table of text, as far as anybody can see."""
    for mark, form in _MAGIC:
        if head.startswith(mark):
            return form
    bare = b"".join(head.removeprefix(b"\xef\xbb\xbf").lower().split())
    return next((form for mark, form in _MARKUP if bare.startswith(mark)), None)


def form_of_members(names: Iterable[str]) -> str | None:
    """Return what an archive is by the names of its members, or None: files that somebody packed."""
    found = set(names)
    folders = {name.partition("/")[0] for name in found if "/" in name}
    if "xl/workbook.bin" in found:
        return "xlsb"
    if "[Content_Types].xml" in found:
        return "docx" if "word" in folders else "xlsx"
    if "mimetype" in found and "content.xml" in found:
        return "ods"
    return "numbers" if any(name.endswith(".iwa") for name in found) else None
