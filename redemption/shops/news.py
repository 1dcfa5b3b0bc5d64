"""What a shop is told when it is final: its orders, a registration that failed. No resident and no account is in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ledger.standard.ids import order_id_text
from ledger.store.models.redemption import RedemptionOrderRow
from ledger.webhooks.book import News, of_merchant
from redemption.shops.applications import Application, ApplicationState


def order_news(changed: Iterable[RedemptionOrderRow]) -> Iterator[News]:
    """Return what shops are told of orders that stand otherwise than before: ``order.<state>``."""
    for row in changed:
        yield News(
            of_merchant(row.merchant_id),
            f"order.{row.state}",
            {
                "order_id": order_id_text(row.order_id),
                "merchant": row.merchant_id,
                "kind": row.kind,
                "state": row.state,
                "offer": row.offer_id,
                "quantity": row.quantity,
                "price_fen": str(row.price_fen),
                "paid_fen": str(row.paid_fen),
            },
        )


def shop_news(ended: Iterable[Application]) -> Iterator[News]:
    """Return what shops are told of registrations that failed; of those that did not, `Payees.tell` tells."""
    for one in ended:
        if one.merchant_id is not None and one.state is ApplicationState.FAILED:
            data = {"merchant": one.merchant_id, "application_id": one.application_id, "state": one.state.value}
            yield News(of_merchant(one.merchant_id), f"merchant.{one.state.value}", data)
