"""The shared negative vectors, run on chain: malformed bytes with their ids, and nonces one after the other."""

from __future__ import annotations

from typing import Any

import pytest
from city import NOW, VOLUNTEER, City, rejections, reverts
from reference import token_id, vectors

LOT = token_id(VOLUNTEER, NOW)


@pytest.mark.parametrize("case", vectors("rejected")["malformed"], ids=lambda one: f"{one['call']}: {one['what']}")
def test_malformed_bytes_are_rejected_under_the_id_of_the_vector(city: City, case: dict[str, Any]) -> None:
    """Nothing but the rejections of the vector happens, with holder 0, in its order."""
    run = {
        "exchange": city.run_exchange,
        "redeem": city.run_redeem,
        "hold": city.run_hold,
        "capture": city.run_capture,
        "release": city.run_release,
    }[case["call"]]
    tx = run(bytes.fromhex(case["packed"][2:]))
    expected = [(bytes.fromhex(one["id"][2:]), one["holder"], one["code"]) for one in case["rejected"]]
    assert rejections(tx) == expected
    assert len(tx.events) == len(expected)


@pytest.mark.parametrize("sequence", vectors("nonces"), ids=lambda one: f"{len(one['steps'])} steps")
def test_nonces_are_accepted_as_in_the_vector(city: City, sequence: dict[str, Any]) -> None:
    for step in sequence["steps"]:
        by = {"from": city.ana.account}
        if step["accepted"]:
            city.ledger.cancelNonce(LOT, step["nonce"], by)
        else:
            with reverts("PointsLedgerNonceSpent", city.ana.address, step["nonce"]):
                city.ledger.cancelNonce(LOT, step["nonce"], by)
        base, window = city.ledger.nonceState(city.ana.address, LOT)
        assert (int(base), int(window)) == (step["base"], step["window"])
