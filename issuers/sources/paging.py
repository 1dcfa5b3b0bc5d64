"""What a page of a REST API says of itself: how it went, its records, and what follows. Pure.

A source that answers 200 with an error inside, or stops before its end, must never look like one that had no more.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from urllib.parse import urljoin, urlsplit

from issuers.errors import SourceUnavailable
from issuers.sources.mapping import Mapping, RestSpec
from issuers.sources.readers.json_documents import dig

_CODES: Final = (
    "code", "errcode", "errCode", "err_code", "errno", "error_code", "errorCode", "ret", "retcode", "retCode",
    "ret_code", "resultCode", "result_code", "returnCode", "status", "statusCode",
)  # fmt: skip
_FLAGS: Final = ("success", "ok", "succeed", "isSuccess")
_GOOD_NUMBERS: Final = frozenset({"0", "1", "200", "1000", "2000", "10000", "20000"})
_BAD_WORDS: Final = (
    "err",
    "fail",
    "invalid",
    "denied",
    "unauthor",
    "forbid",
    "expire",
    "exception",
    "timeout",
    "false",
)
_MORE: Final = ("has_more", "hasMore")


class Page(NamedTuple):
    """One page: its records, and the cursor of the next (None: there is none yet)."""

    records: Any
    next_cursor: str | None
    total: int | None = None
    """How many records there are in all, where the source says it."""


class Answer(NamedTuple):
    """What one page says."""

    records: list[Any]
    following: str | None
    """The cursor or address that it names."""
    has_more: bool | None
    total: int | None


def read_answer(document: Any, mapping: Mapping, spec: RestSpec) -> Answer:
    """Return what a page says. Raises SourceUnavailable: it says that it went wrong, or has no list of records."""
    trouble = _trouble(document, spec)
    if trouble is not None:
        raise SourceUnavailable(mapping.system, trouble)
    path = mapping.records.split(".") if mapping.records else []
    records = dig(document, path)
    if records is None and path and _is_null(document, path):
        records = []  # how some write an empty last page
    if not isinstance(records, list):
        raise SourceUnavailable(mapping.system, f"a page has no list at {mapping.records!r}")
    following = dig(document, spec.next_cursor.split(".")) if spec.paging in ("cursor", "next_url") else None
    if following is not None and not isinstance(following, str):
        raise SourceUnavailable(mapping.system, f"what stands at {spec.next_cursor!r} is no cursor")
    return Answer(records, following or None, _has_more(document, spec, mapping), _total(document, spec, mapping))


def next_address(current: str, following: str, base: str) -> str | None:
    """Return the address of the next page, or None: it is of another host, which is not followed."""
    address = urljoin(current, following)
    return address if _origin(address) == _origin(base) else None


def _origin(address: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return "", None, None
    return parts.scheme, parts.hostname, port or {"http": 80, "https": 443}.get(parts.scheme)


def _trouble(document: Any, spec: RestSpec) -> str | None:
    """Return what a page says that went wrong, or None."""
    if spec.success:
        for path, good in spec.success.items():
            found = _text(dig(document, path.split(".")))
            if found not in good:
                return f"the source answered {path}={_shown(found)}, which is not among {', '.join(good)}"
        return None
    if not isinstance(document, dict):
        return None
    for name in _CODES:
        found = _text(document.get(name))
        if found is not None and _is_bad(found):
            return (
                f"the source answered {name}={_shown(found)}; if that means success, the mapping says so (rest.success)"
            )
    for name in _FLAGS:
        found = _text(document.get(name))
        if found is not None and found.lower() in ("false", "0", "no", "n"):
            return f"the source answered {name}={_shown(found)}"
    if document.get("error") not in (None, "", False, "0", [], {}):
        return "the source answered with an error"
    return None


def _is_bad(found: str) -> bool:
    word = found.strip().lower()
    if word.lstrip("-").isdigit():
        return word.lstrip("0") != "" and word not in _GOOD_NUMBERS
    return any(part in word for part in _BAD_WORDS)


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else None


def _shown(text: str | None) -> str:
    return "nothing" if text is None else repr(text[:40])


def _is_null(document: Any, path: list[str]) -> bool:
    parent = dig(document, path[:-1])
    return isinstance(parent, dict) and path[-1] in parent


def _has_more(document: Any, spec: RestSpec, mapping: Mapping) -> bool | None:
    if spec.has_more:
        found = _text(dig(document, spec.has_more.split(".")))
        if found is None:
            raise SourceUnavailable(mapping.system, f"a page does not say at {spec.has_more!r} whether more follows")
    else:
        parent = dig(document, spec.next_cursor.split(".")[:-1])
        values = [_text(parent.get(name)) for name in _MORE] if isinstance(parent, dict) else []
        found = next((value for value in values if value is not None), None)
    return None if found is None else found.strip().lower() in ("true", "1", "yes", "y")


def _total(document: Any, spec: RestSpec, mapping: Mapping) -> int | None:
    if not spec.total:
        return None
    found = _text(dig(document, spec.total.split(".")))
    if found is None or not (found.isascii() and found.isdigit() and len(found) < 12):
        raise SourceUnavailable(mapping.system, f"a page does not say at {spec.total!r} how many records there are")
    return int(found)
