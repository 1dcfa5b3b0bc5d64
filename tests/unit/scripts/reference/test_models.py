"""Docstrings beside fields are found, inherited ones too, and a missing one is named."""

from __future__ import annotations

import pydantic
import pytest

from ledger.errors import ConfigurationError
from scripts.reference.models import text_of


class Base(pydantic.BaseModel):
    """The base."""

    shared: int
    """Said once,
    over two lines."""


class Complete(Base):
    """All of it, with ``code``."""

    own: str = ""
    """Its own."""


class Silent(Base):
    """A field without words."""

    mute: int


def test_docstrings_are_found_with_those_that_are_inherited() -> None:
    text = text_of(Complete)
    assert text.whole == "All of it, with `code`."
    assert text.fields == {"shared": "Said once, over two lines.", "own": "Its own."}


def test_a_field_without_a_docstring_is_named() -> None:
    with pytest.raises(ConfigurationError, match="Silent: no docstring for mute"):
        text_of(Silent)
