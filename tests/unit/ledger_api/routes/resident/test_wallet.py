from __future__ import annotations

from typing import Any

import pytest

from ledger.standard.civil_time import DAY_S, moment_text
from ledger.standard.ids import address_bytes, token_id
from ledger.store.models.projection import EntryRow
from tests.unit.ledger_api.api import Api, problem
from tests.unit.redemption.world import CULTURE, GREEN, Q2026_4, Q2027_1, RESIDENCE, VOLUNTEER


@pytest.fixture
def resident(api: Api) -> tuple[dict[str, str], dict[str, Any]]:
    headers, made = api.register()
    api.world.give(made["account"], VOLUNTEER, Q2026_4, 20_000)
    api.world.give(made["account"], VOLUNTEER, Q2026_4 - 1, 300)
    api.world.give(made["account"], GREEN, Q2027_1 + 4, 5_050)
    api.world.give(made["account"], RESIDENCE, 0, 11_000)
    return headers, made


def of(wallet: dict[str, Any], programme: int) -> dict[str, Any]:
    [found] = [one for one in wallet["programmes"] if one["programme"] == programme]
    return found


def test_a_wallet_says_what_lives_what_dies_soon_and_what_is_dead(
    api: Api, resident: tuple[dict[str, str], dict[str, Any]]
) -> None:
    headers, _ = resident
    wallet = api.get("/v1/wallet", headers).json()
    volunteer = of(wallet, VOLUNTEER)
    assert volunteer["balance"] == {"points": "200.00", "minor": "20000"}
    assert volunteer["expiring"]["points"] == "200.00"
    assert volunteer["expired"]["points"] == "3.00"
    assert of(wallet, GREEN)["expiring"]["points"] == "0.00"
    assert of(wallet, GREEN)["balance"]["points"] == "50.50"
    assert of(wallet, RESIDENCE)["is_spendable"] is False
    assert of(wallet, CULTURE)["balance"]["points"] == "0.00"
    assert [lot["expiry_quarter"] for lot in wallet["lots"]] == ["2026Q3", "2026Q4", "2028Q1", None]
    assert wallet["lots"][1]["expires_at"] == "2027-01-01T00:00:00+08:00"
    assert wallet["as_of"] == {"block_number": "0", "time": "2026-11-20T10:00:00+08:00"}


def test_points_of_a_closing_programme_end_with_its_time_for_spending(
    api: Api, resident: tuple[dict[str, str], dict[str, Any]]
) -> None:
    """Green points would live until 2028; their programme closes before."""
    headers, _ = resident
    until = api.world.now + 30 * DAY_S
    api.world.end_spending(GREEN, until)
    wallet = api.get("/v1/wallet", headers).json()
    green = of(wallet, GREEN)
    assert (green["balance"]["points"], green["available"]["points"], green["expiring"]["points"]) == ("50.50",) * 3
    assert green["is_spendable"] is True
    assert [lot["programme"] for lot in wallet["lots"]] == [VOLUNTEER, GREEN, VOLUNTEER, RESIDENCE]
    assert wallet["lots"][1]["expires_at"] == moment_text(until)

    api.world.end_spending(GREEN, api.world.now)
    wallet = api.get("/v1/wallet", headers).json()
    green = of(wallet, GREEN)
    assert (green["balance"]["points"], green["available"]["points"]) == ("0.00", "0.00")
    assert (green["expired"]["points"], green["is_spendable"]) == ("50.50", False)
    assert [lot["programme"] for lot in wallet["lots"] if lot["is_expired"]] == [VOLUNTEER, GREEN]
    assert GREEN not in [lot["programme"] for lot in api.get("/v1/wallet/expiring", headers).json()]


def test_points_on_their_way_are_not_available(api: Api, resident: tuple[dict[str, str], dict[str, Any]]) -> None:
    headers, _ = resident
    assert api.post("/v1/redemptions", {"offer": "rice"}, headers).status_code == 202
    volunteer = of(api.get("/v1/wallet", headers).json(), VOLUNTEER)
    assert (volunteer["balance"]["points"], volunteer["available"]["points"]) == ("200.00", "60.00")


def test_fen_are_for_institutions_only(api: Api, resident: tuple[dict[str, str], dict[str, Any]]) -> None:
    headers, _ = resident
    for path in ("/v1/wallet", "/v1/offers/rice", "/v1/programmes", "/v1/redemptions"):
        text = api.get(path, headers).text
        assert '"fen":"' not in text
        assert "yuan" not in text


def test_an_unchanged_wallet_is_not_sent_again(api: Api, resident: tuple[dict[str, str], dict[str, Any]]) -> None:
    headers, made = resident
    first = api.get("/v1/wallet", headers)
    again = api.get("/v1/wallet", {**headers, "If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["cache-control"].startswith("private")
    api.world.give(made["account"], CULTURE, Q2026_4, 100)
    assert api.get("/v1/wallet", {**headers, "If-None-Match": first.headers["etag"]}).status_code == 200


def test_expiring_lots_come_soonest_first(api: Api, resident: tuple[dict[str, str], dict[str, Any]]) -> None:
    headers, _ = resident
    soon = api.get("/v1/wallet/expiring", headers).json()
    assert [lot["expiry_quarter"] for lot in soon] == ["2026Q4"]
    later = api.get("/v1/wallet/expiring", headers, params={"within_days": 3660}).json()
    assert [lot["expiry_quarter"] for lot in later] == ["2026Q4", "2028Q1"]


def test_history_pages_without_gap_or_repeat(api: Api, resident: tuple[dict[str, str], dict[str, Any]]) -> None:
    headers, made = resident
    with api.world.database.transaction() as session:
        for block in range(1, 6):
            for log in range(2):
                session.add(
                    EntryRow(
                        block_number=block,
                        log_index=log,
                        side=log,
                        account=address_bytes(made["account"]),
                        token_id=token_id(VOLUNTEER, Q2026_4),
                        delta_minor=block * 10 + log,
                        kind="mint",
                        reference=None,
                        transaction_hash=bytes(32),
                        block_timestamp=api.world.now,
                    )
                )
    seen: list[str] = []
    cursor = None
    for _ in range(4):
        page = api.get("/v1/wallet/history", headers, params={"limit": 3, **({"cursor": cursor} if cursor else {})})
        seen += [item["delta"]["minor"] for item in page.json()["items"]]
        cursor = page.json()["next_cursor"]
    assert cursor is None
    assert seen == [str(block * 10 + log) for block in range(5, 0, -1) for log in (1, 0)]


@pytest.mark.parametrize("cursor", ["nonsense", "AAAA", "Ag", "////"])
def test_a_cursor_of_nobody_is_refused(api: Api, resident: tuple[dict[str, str], dict[str, Any]], cursor: str) -> None:
    answer = api.get("/v1/wallet/history", resident[0], params={"cursor": cursor})
    assert problem(answer) == (400, "/problems/bad-cursor")
