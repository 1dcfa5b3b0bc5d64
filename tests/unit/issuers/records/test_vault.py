"""The fast keyed hashes are the standard library's."""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from issuers.records.vault import RecordKeys, _Hmac
from ledger.custody.keyring import DEDUPE, FINGERPRINT, SOURCE, Keyring
from ledger.custody.master import Envelope


@given(st.binary(max_size=200), st.lists(st.binary(max_size=300), min_size=1, max_size=3))
def test_the_fast_hmac_is_hmac_sha_256(key: bytes, messages: list[bytes]) -> None:
    """Longer keys than a block too, and one object for many messages."""
    keyed = _Hmac(key)
    for message in messages:
        assert keyed.digest(message) == hmac.digest(key, message, "sha256")


def test_record_keys_are_what_they_always_were(tmp_path: Path) -> None:
    """Another value would let every old record in a second time."""
    keyring = Keyring(tmp_path / "keyring", Envelope(os.urandom(32)))
    keys = RecordKeys(keyring)
    dedupe, source = keyring.live(DEDUPE)[-1][1], keyring.current(SOURCE)[1]
    known = hmac.digest(dedupe, b"1\0system\0R-7", "sha256")
    assert keys.dedupe(1, "system", "R-7") == known
    for name, message, found in (
        (b"content", b"{}", keys.content(b"{}")),
        (b"grant", known + (2).to_bytes(4, "big") + b"s" * 32, keys.grant_id(known, 2, b"s" * 32)),
    ):
        derived = hmac.digest(dedupe, name, "sha256")
        assert found == hashlib.blake2b(message, digest_size=32, key=derived).digest()
    assert keys.source(3, "a-1") == hmac.digest(source, (3).to_bytes(4, "big") + b"A-1", "sha256")
    marks = keyring.current(FINGERPRINT)[1]
    assert keys.fingerprint(9, 20_000, "RIDE") == hmac.digest(marks, b"9\x0020000\x00RIDE", "sha256")
    assert keys.device("D") == hmac.digest(marks, b"device\0D", "sha256")
    keyring.rotate(SOURCE)
    newest = keyring.current(SOURCE)[1]
    assert keys.source(3, "a-1") == hmac.digest(newest, (3).to_bytes(4, "big") + b"A-1", "sha256")
    assert keys.source_live(3, "a-1") == [keys.source(3, "a-1"), hmac.digest(source, b"\0\0\0\x03A-1", "sha256")]
