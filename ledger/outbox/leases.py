"""Which of its relayers a gateway may send with now: one gateway at a time, for nonces must not be given out twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from sqlalchemy import Table, select, update
from sqlalchemy.orm import Session

from ledger.clock import Clock
from ledger.outbox.states import TransactionState
from ledger.standard.ids import to_address
from ledger.store.database import Database, bulk_insert_new
from ledger.store.models.outbox import OutboxTransactionRow, RelayerRow

_LOG = logging.getLogger(__name__)

CLOCKS_APART_S = 60
"""By how much gateways' clocks may differ, each with its own small error. What lies further ahead than its own length
and this was written under a clock that somebody had set wrong, and must not bind us until that time has come."""


class Leases:
    """The relayers that this process holds. ``owner`` names it; ``nonces`` asks the chain how many each has used."""

    def __init__(
        self,
        database: Database,
        relayers: Sequence[bytes],
        nonces: Callable[[Sequence[bytes]], Mapping[bytes, int]],
        clock: Clock,
        *,
        owner: str,
        lease_s: int,
        steady: Callable[[], float],
    ) -> None:
        self._database = database
        self._relayers = list(relayers)
        self._nonces = nonces
        self._clock = clock
        self._owner = owner
        self._lease_s = lease_s
        self._steady = steady
        self._renewed_s, self._renewed_at = 0.0, 0
        self.held: frozenset[bytes] = frozenset()

    def renew(self) -> None:
        """Take or renew our relayers; a relayer new to this process starts by resubmitting what it left open.

        Raises RpcError, and what the database raises.
        """
        now = self._clock.timestamp()
        # Both clocks: the wall clock ends the lease, and may be moved far ahead at once.
        is_fresh = (
            self._steady() - self._renewed_s < self._lease_s / 3 and 0 <= now - self._renewed_at < self._lease_s // 3
        )
        if len(self.held) == len(self._relayers) and is_fresh:
            return
        known = self._known()
        if missing := [address for address in self._relayers if address not in known]:
            self._register(self._nonces(missing))
        with self._database.transaction() as session:
            session.execute(
                update(RelayerRow)
                .where(
                    RelayerRow.address.in_(self._relayers),
                    (RelayerRow.lease_owner == self._owner)
                    | RelayerRow.lease_owner.is_(None)
                    | (RelayerRow.leased_until < now)
                    | (RelayerRow.leased_until > now + self._lease_s + CLOCKS_APART_S),
                )
                .values(lease_owner=self._owner, leased_until=now + self._lease_s)
            )
            held = frozenset(
                session.scalars(
                    select(RelayerRow.address).where(
                        RelayerRow.address.in_(self._relayers), RelayerRow.lease_owner == self._owner
                    )
                )
            )
            if taken := held - self.held:
                # Another process, or an earlier life of this one, may have died between signing and broadcasting.
                session.execute(
                    update(OutboxTransactionRow)
                    .where(
                        OutboxTransactionRow.relayer.in_(taken), OutboxTransactionRow.state == TransactionState.PENDING
                    )
                    .values(state=TransactionState.SIGNED, sent_at=0)
                )
        if taken:
            self._catch_up(taken)
        self.held = held
        self._renewed_s, self._renewed_at = self._steady(), now

    def give_up(self) -> None:
        """Let other gateways, or this one's next life, have our relayers at once instead of when the leases end.

        For a process that stops in order, after its last step. Raises what the database raises.
        """
        with self._database.transaction() as session:
            session.execute(
                update(RelayerRow)
                .where(RelayerRow.lease_owner == self._owner)
                .values(lease_owner=None, leased_until=None)
            )
        self.held = frozenset()

    def rows(self, session: Session, now: int) -> list[RelayerRow]:
        """Return, locked, the rows of the relayers whose lease still runs."""
        rows = session.scalars(
            select(RelayerRow)
            .where(RelayerRow.address.in_(self.held), RelayerRow.lease_owner == self._owner)
            .with_for_update()
        )
        return [row for row in rows if (row.leased_until or 0) > now]

    def _known(self) -> set[bytes]:
        with self._database.read() as session:
            return set(session.scalars(select(RelayerRow.address)))

    def _register(self, counts: Mapping[bytes, int]) -> None:
        with self._database.transaction() as session:
            bulk_insert_new(
                session,
                cast(Table, RelayerRow.__table__),
                ["address", "next_nonce"],
                list(counts.items()),
            )

    def _catch_up(self, relayers: frozenset[bytes]) -> None:
        """Go on after the nonces that the chain has used and this database never gave out.

        It was restored from a backup, or somebody else has the key. What was sent meanwhile may be sent again, and the
        chain takes it once: batches by their number, orders by their nonce.
        """
        counts = self._nonces(list(relayers))
        with self._database.transaction() as session:
            rows = session.scalars(select(RelayerRow).where(RelayerRow.address.in_(relayers)).with_for_update())
            for row in rows:
                used = counts[row.address]
                if used > row.next_nonce:
                    _LOG.error(
                        "relayer %s: the chain is at nonce %d, this database at %d: restored from a backup, or the key "
                        "is used elsewhere",
                        to_address(row.address),
                        used,
                        row.next_nonce,
                    )
                    row.next_nonce = used
