"""One sale: part capture, giving back, refunds. Refunds themselves need a chain: tests/integration/redemption."""

from __future__ import annotations

from typing import Any
from unittest.mock import ANY

import pytest

from ledger.standard.ids import order_id_text
from ledger.store.models.redemption import RedemptionActRow
from redemption.acts.table import Act
from redemption.errors import RefundNeedsSecond
from redemption.orders import Kind
from tests.unit.ledger_api.api import Api
from tests.unit.ledger_api.pages.counter.test_till import order_for, staff


@pytest.fixture(autouse=True)
def _quiet(quiet: None) -> None: ...


def acts(api: Api) -> list[tuple[str, int, str]]:
    with api.world.database.read() as session:
        return [(row.act, row.fen, row.reason) for row in session.query(RedemptionActRow)]


def sale_path(order_id: bytes) -> str:
    return f"/counter/1/sales/{order_id_text(order_id)}"


def test_a_part_of_a_hold_is_kept_once(api: Api) -> None:
    order_id, _, _ = order_for(api, Kind.HOLD)
    till, path = staff(api), sale_path(order_id)
    too_much = till.form(path, f"{path}/capture", keep="28.01")
    assert too_much.status_code == 422
    assert 'role="alert"' in too_much.text
    assert till.form(path, f"{path}/capture", keep="15").status_code == 303
    assert acts(api) == [(Act.CAPTURE, 1500, "captured by the shop")]
    assert "核销在途" in till.get(path).text


def test_a_hold_goes_back_with_one_tap_on_the_reason(api: Api) -> None:
    order_id, _, _ = order_for(api, Kind.HOLD)
    till, path = staff(api), sale_path(order_id)
    assert till.form(path, f"{path}/release", reason="not_there").status_code == 303
    assert acts(api) == [(Act.RELEASE, 2800, "缺货")]


def test_a_refund_is_capped_and_takes_its_own_right(api: Api) -> None:
    order_id, _, _ = order_for(api)
    path = sale_path(order_id)
    assert "/refund" not in staff(api).get(path).text
    assert staff(api, ":till", "till-2").get(f"{path}/refund").status_code == 403
    back = staff(api, ":refunds", "back-1")
    assert f'href="{path}/refund"' in back.get(path).text
    assert 'value="28.00"' in back.get(f"{path}/refund").text
    refunds: Any = api.services.refunds
    too_much = back.form(f"{path}/refund", f"{path}/refund", back="28.01", reason="faulty")
    assert too_much.status_code == 422
    refunds.refund.assert_not_called()
    answer = back.form(f"{path}/refund", f"{path}/refund", back="8", reason="faulty")
    assert answer.headers["location"] == path
    refunds.refund.assert_called_once_with(ANY, 1, ANY, 2000, ANY, "商品有问题", ANY)


def test_a_large_refund_is_proposed_and_carried_out_by_another_login(api: Api) -> None:
    order_id, _, _ = order_for(api)
    path = sale_path(order_id)
    refunds: Any = api.services.refunds
    refunds.refund.side_effect = RefundNeedsSecond(order_id_text(order_id), 1_000)
    first = staff(api, ":refunds", "back-1")
    page = first.form(f"{path}/refund", f"{path}/refund", back="28", reason="", other="  broken \x07bag ")
    assert page.status_code == 422
    assert f'action="{path}/propose"' in page.text
    assert first.form(f"{path}/refund", f"{path}/propose", back="28", reason="", other="broken bag").status_code == 303
    second = staff(api, ":manager", "manager-1")
    listed = second.get("/counter/1").text
    assert "broken bag" in listed
    refunds.refund.side_effect = None
    second.form("/counter/1", f"{path}/refund", keep_fen="0", reason="broken bag")
    refunds.refund.assert_called_with(ANY, 1, ANY, 0, ANY, "broken bag", ANY)


def test_a_sale_of_another_shop_does_not_exist(api: Api) -> None:
    order_id, _, _ = order_for(api)
    other = staff(api, "", "nobody-1")
    other.sign_in("owner-2", "merchant:2")
    assert other.get(f"/counter/2/sales/{order_id_text(order_id)}").status_code == 404
    assert other.get(sale_path(order_id)).status_code == 403
