"""A journal whose blocks cannot be made again: what is wrong is named, and it can be made anew from there."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ledger.chain.embedded.engine import EmbeddedEngine, EmbeddedOptions
from ledger.chain.embedded.journal import JOURNAL
from ledger.chain.embedded.repair import NotThatBlock, find_damage, repair
from ledger.chain.errors import EngineBusy, ReplayMismatch
from ledger.chain.rpc import RpcClient
from tests.integration.ledger.chain.kit import Sender, chain_hashes, manual_clock, senders, succeeded

UNWATCHED = EmbeddedOptions(isolate=False, second_node=False)


def opened(folder: Path, options: EmbeddedOptions = UNWATCHED) -> EmbeddedEngine:
    return EmbeddedEngine.open(folder, manual_clock(), options)


def tampered(folder: Path, rng: random.Random) -> tuple[list[Sender], list[str]]:
    """A chain of five blocks; before the fourth somebody set an account's nonce, and before the fifth a balance."""
    with opened(folder) as engine:
        made = senders(engine, 2, rng)
        for one in made:
            engine.submit([one.sign(2, rng)])
            engine.produce()
        before = chain_hashes(engine)
        with RpcClient(engine.url, 10.0) as stranger:
            stranger.call("anvil_setNonce", [str(made[1].key.address), "0x7"])
        made[1].nonce = 7
        engine.submit([made[0].sign(2, rng), made[1].sign(2, rng)])
        engine.produce()
        with RpcClient(engine.url, 10.0) as stranger:
            stranger.call("anvil_setBalance", ["0x" + "11" * 20, "0x1"])
        engine.submit([made[0].sign(1, rng)])
        engine.produce()
        assert engine.final_height() == 5
    return made, before


def test_what_cannot_be_made_again_is_made_anew_and_what_is_dropped_is_named(tmp_path: Path) -> None:
    rng = random.Random(20261130)
    folder = tmp_path / "chain"
    (honest, other), before = tampered(folder, rng)
    with pytest.raises(ReplayMismatch, match="tongdui chain check"):
        opened(folder)

    found = find_damage(folder)
    assert found is not None
    assert (found.block_number, found.blocks, found.transactions) == (4, 2, 3)

    kept = (folder / JOURNAL).read_bytes()
    with pytest.raises(NotThatBlock, match="is 4"):
        repair(folder, 3)
    assert (folder / JOURNAL).read_bytes() == kept, "nothing was changed"

    done = repair(folder, 4)
    assert (done.blocks, done.transactions) == (2, 3)
    assert [(one.block_number, one.tx_hash) for one in done.dropped] == [(4, other.sent[-1])]
    assert done.kept_as.read_bytes() == kept
    assert find_damage(folder) is None
    with opened(folder) as engine:
        assert chain_hashes(engine)[:4] == before, "what came before is what it was"
        assert engine.final_height() == 5
        assert all(succeeded(engine, honest.sent))
        assert succeeded(engine, other.sent) == [True, False]


def test_a_sound_journal_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "chain"
    with opened(folder) as engine:
        senders(engine, 1, random.Random(1))
        with pytest.raises(EngineBusy):
            find_damage(folder)
    assert find_damage(folder) is None
    with pytest.raises(NotThatBlock, match="every block can be made again"):
        repair(folder, 1)
