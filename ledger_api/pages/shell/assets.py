"""Static files, read once: under a path with the hash of all of them, so that browsers keep them for good."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PREFIX = "/assets"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_PAGES = Path(__file__).resolve().parents[1]
FOLDERS = tuple(_PAGES / room / "assets" for room in ("shell", "checker", "counter", "wallet"))


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent."""

    media_type: str
    content: bytes
    packed: bytes


class Assets:
    """All static files of the pages, by name."""

    def __init__(self, files: Mapping[str, Asset]) -> None:
        digest = hashlib.sha256()
        for name, asset in sorted(files.items()):
            digest.update(f"{name}\0{len(asset.content)}\0".encode() + asset.content)
        self.digest = digest.hexdigest()[:16]
        self._files = files

    @classmethod
    def load(cls) -> Assets:
        """Read the files of the package."""
        found: dict[str, Asset] = {}
        for folder in FOLDERS:
            for path in sorted(folder.glob("*")):
                if path.suffix in _TYPES:
                    content = path.read_bytes()
                    found[path.name] = Asset(_TYPES[path.suffix], content, gzip.compress(content, 9, mtime=0))
        return cls(found)

    def url(self, name: str) -> str:
        """Return where a file is served. Raises KeyError where there is none."""
        if name not in self._files:
            raise KeyError(name)
        return f"{PREFIX}/{self.digest}/{name}"

    def get(self, digest: str, name: str) -> Asset | None:
        """Return a file, or None where there is none of this name and edition."""
        return self._files.get(name) if digest == self.digest else None

    def has(self, name: str) -> bool:
        """Whether there is a file: what is built at setup may be missing."""
        return name in self._files

    def content(self, name: str) -> bytes:
        """Return a file's bytes. Raises KeyError."""
        return self._files[name].content
