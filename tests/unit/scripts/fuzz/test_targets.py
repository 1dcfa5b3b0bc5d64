"""Every parser, given good inputs with a few changes: it reads, or refuses in words, and nothing else."""

from __future__ import annotations

import random
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.fuzz.__main__ import mutated
from scripts.fuzz.targets import TARGETS, zipped


@cache
def seeds_of(name: str) -> list[bytes]:
    """Return what fuzzing begins with, packed once and not for each example."""
    return TARGETS[name].seeds()


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_good_inputs_are_read(name: str) -> None:
    """What fuzzing begins with is no finding itself."""
    for content in TARGETS[name].seeds():
        TARGETS[name].run(content)


@pytest.mark.parametrize("name", sorted(TARGETS))
@settings(max_examples=150)
@given(rng=st.randoms(use_true_random=False), content=st.binary(max_size=200), is_seed=st.booleans())
def test_changed_inputs_are_read_or_refused(name: str, rng: random.Random, content: bytes, is_seed: bool) -> None:
    """Hypothesis shrinks what is found; `make fuzz` looks for longer, guided by the code that is reached."""
    TARGETS[name].run(mutated(rng, seeds_of(name)) if is_seed else content)


# Found by fuzzing, each once a crash.
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("csv", b"id,who,what,when,until\r,amount\nr1,p1,work,2026-08-01 09:00,,2\n"),
        ("csv", b'id,who,what,when,until,amount\n"\n"\n\r'),
        ("csv", b'id,who,what,when,until,amount\n"2*\n\r01","2*\n'),
        ("rulebook", b"effective_from: 2026-02-31\n"),
        ("mapping", b"name: !!timestamp x\nsystem: !!int ''\n"),
        ("mapping", b"[" * 5_000),
        ("webhook", b"webhook-id: a\nwebhook-timestamp: 1788192000\nwebhook-signature: v1,\xff\xff\n\n{}"),
        ("csv", zipped({"x": b"id"}).replace(b"x", b"\0")),
        ("tsv", b"\xef\xbb\xbfid\twho\twhat\twhen\tuntil\ramount\n"),
    ],
)
def test_what_was_found_stays_mended(name: str, content: bytes) -> None:
    TARGETS[name].run(content)


@pytest.mark.parametrize(("at", "value"), [(4, 66), (6, 0x20), (6, 0x40), (8, 99), (16, 0xFF)])
@pytest.mark.parametrize("name", ["csv", "xlsx"])
def test_archives_of_strange_kinds_are_refused(name: str, at: int, value: int) -> None:
    """Version, patched data, strong encryption, an unknown method, other lengths: in both records of a member."""
    content = bytearray(TARGETS[name].seeds()[5 if name == "csv" else 0])
    local, central = content.find(b"PK\x03\x04"), content.find(b"PK\x01\x02")
    content[local + at] = content[central + at + 2] = value
    TARGETS[name].run(bytes(content))
