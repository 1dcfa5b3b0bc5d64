"""Keys at rest: who can read them, what is refused, what survives a crash."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.custody.custodian import Custodian
from ledger.custody.errors import CannotDecrypt, MasterKeyUnsafe
from ledger.custody.keyring import DEDUPE, SOURCE, IdentityHasher, Keyring, SourceIdHasher
from ledger.custody.master import Envelope, load_master_key

MASTER = b"m" * 32


# the master key


def test_the_first_start_draws_a_master_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "master.key"
    key = load_master_key(path)
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_master_key(path) == key


def test_a_master_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    load_master_key(path)
    path.chmod(0o640)
    with pytest.raises(MasterKeyUnsafe, match="0640"):
        load_master_key(path)


@pytest.mark.parametrize("content", ["", "zz" * 32, "ab" * 31])
def test_a_damaged_master_key_is_refused_and_not_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "master.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(MasterKeyUnsafe):
        load_master_key(path)
    assert path.read_text() == content


def test_no_half_written_files_stay_behind(tmp_path: Path) -> None:
    load_master_key(tmp_path / "master.key")
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]


# envelopes


def test_what_is_wrapped_for_one_owner_opens_for_no_other() -> None:
    envelope = Envelope(MASTER)
    wrapped = envelope.wrap(b"secret", b"acct:1")
    assert envelope.unwrap(wrapped, b"acct:1") == b"secret"
    with pytest.raises(CannotDecrypt):
        envelope.unwrap(wrapped, b"acct:2")
    with pytest.raises(CannotDecrypt):
        Envelope(b"n" * 32).unwrap(wrapped, b"acct:1")


@pytest.mark.parametrize("damaged", [b"", b"\x01", b"\x02" + b"x" * 40])
def test_what_is_no_ciphertext_is_refused(damaged: bytes) -> None:
    with pytest.raises(CannotDecrypt):
        Envelope(MASTER).unwrap(damaged, b"acct:1")


# the keyring and its hashers


def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keyring", Envelope(MASTER))


def test_the_keyring_survives_a_restart_and_a_rotation(tmp_path: Path) -> None:
    first = keyring(tmp_path)
    before = first.live(SOURCE)
    assert keyring(tmp_path).live(SOURCE) == before
    assert first.rotate(SOURCE) == 2
    after = keyring(tmp_path).live(SOURCE)
    assert [version for version, _ in after] == [2, 1]
    assert after[1:] == before


def test_a_retired_version_is_gone_and_the_current_one_stays(tmp_path: Path) -> None:
    ring = keyring(tmp_path)
    ring.rotate(SOURCE)
    ring.retire(SOURCE, 1)
    assert [version for version, _ in keyring(tmp_path).live(SOURCE)] == [2]
    with pytest.raises(ValueError, match="rotate first"):
        ring.retire(SOURCE, 2)


def test_every_purpose_has_a_key_of_its_own(tmp_path: Path) -> None:
    ring = keyring(tmp_path)
    keys = {ring.current(purpose)[1] for purpose in ("identity", "source", "dedupe", "fingerprint")}
    assert len(keys) == 4


def test_the_same_source_id_of_two_programmes_is_two_ids(tmp_path: Path) -> None:
    hasher = SourceIdHasher(keyring(tmp_path))
    assert hasher.hash(1, "V7") == hasher.hash(1, " v7 ")
    assert hasher.hash(1, "V7") != hasher.hash(2, "V7")
    assert hasher.hash_many(1, ["V7", "V8"]) == [hasher.hash(1, "V7")[1], hasher.hash(1, "V8")[1]]


def test_all_live_versions_are_tried_newest_first(tmp_path: Path) -> None:
    ring = keyring(tmp_path)
    hasher = SourceIdHasher(ring)
    old = hasher.hash(1, "V7")
    ring.rotate(SOURCE)
    assert hasher.hash_live(1, "V7")[1] == old
    assert hasher.hash_live(1, "V7")[0] == hasher.hash(1, "V7") != old


def test_dedupe_values_match_nothing_else(tmp_path: Path) -> None:
    ring = keyring(tmp_path)
    hasher = SourceIdHasher(ring)
    values = {hasher.dedupe("a", "V7"), hasher.dedupe("b", "V7"), hasher.fingerprint("V7"), hasher.hash(1, "V7")[1]}
    values.add(IdentityHasher(ring).hash("V7")[1])
    assert len(values) == 5
    ring.rotate(SOURCE)
    assert hasher.dedupe("a", "V7") in values
    assert ring.current(DEDUPE)[0] == 1


# residents' keys


def test_a_custodial_account_signs_and_belongs_to_one_resident() -> None:
    custodian = Custodian(Envelope(MASTER))
    made = custodian.new_account(7)
    assert custodian.signer(7, made.wrapped_key).address == made.address
    with pytest.raises(CannotDecrypt):
        custodian.signer(8, made.wrapped_key)


def test_personal_data_opens_with_its_data_key_only() -> None:
    custodian = Custodian(Envelope(MASTER))
    key, other = custodian.new_data_key(7), custodian.new_data_key(7)
    sealed = custodian.seal_profile(7, key, {"name": "李阿姨"})
    assert custodian.unseal_profile(7, key, sealed) == {"name": "李阿姨"}
    with pytest.raises(CannotDecrypt):
        custodian.unseal_profile(7, other, sealed)
    with pytest.raises(CannotDecrypt):
        custodian.unseal(7, key, sealed, "other purpose")
