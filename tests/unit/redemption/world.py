"""A small city for tests: the real services over SQLite, with a projection that the test writes itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from ledger.clock import ManualClock
from ledger.custody.custodian import Custodian
from ledger.custody.keyring import IdentityHasher, Keyring, SourceIdHasher
from ledger.custody.master import Envelope
from ledger.custody.signer import LocalSigner
from ledger.orders.desk import OrderDesk
from ledger.outbox.outbox import Outbox
from ledger.residents.decisions import SourceDecisions
from ledger.residents.registry import NewResident, Resident, ResidentRegistry
from ledger.standard.civil_time import DAY_S
from ledger.standard.claims import period_at
from ledger.standard.contract import LOCK_S, ProgrammeState
from ledger.standard.ids import Address, MerchantId, address_bytes, token_id
from ledger.standard.typed_data import Domain
from ledger.store.database import Database
from ledger.store.models.projection import (
    BalanceRow,
    ChainEventRow,
    ChainMerchantRow,
    ChainProgrammeRow,
    ClaimRow,
    OrderLockRow,
    OrderOutcomeRow,
    PayoutRow,
    PositionRow,
    ProjectionCursorRow,
    SupplyRow,
)
from redemption.acts.book import ActBook
from redemption.codes import CodeBook
from redemption.desk_approval import DeskApprovals
from redemption.fulfilment import Fulfilment
from redemption.merchants import Merchant, MerchantDirectory
from redemption.offers import Offer, OfferCatalogue
from redemption.orders import Redemptions
from tests.empty_books import empty_books

START = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
Q2026_4 = 26 * 4 + 4
Q2027_1 = 27 * 4 + 1
VOLUNTEER, GREEN, CULTURE, RESIDENCE = 1, 2, 4, 5
PARS = {VOLUNTEER: 20_000_000, GREEN: 5_000_000, CULTURE: 100_000_000, RESIDENCE: 0}
GROCER, MUSEUM = MerchantId(1), MerchantId(2)
FOOD, MUSEUMS = 1, 2
MATURITY_S = 7 * DAY_S
MERCHANT_SECRET = b"\x07" * 32


class OneKey:
    """A keystore with the grocer's key."""

    def get(self, name: str) -> LocalSigner:
        assert name == "merchants/grocer"
        return LocalSigner(MERCHANT_SECRET)


@dataclass
class World:
    """Services over one database, and what tests do to it."""

    directory: Path
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    database: Database = field(init=False)

    def __post_init__(self) -> None:
        # A file, for the API's threads each need a connection of their own.
        self.database = empty_books(self.directory / "books.db")
        envelope = Envelope(b"\x01" * 32)
        keyring = Keyring(self.directory / "keyring", envelope)
        custodian = Custodian(envelope)
        self.registry = ResidentRegistry(custodian, IdentityHasher(keyring), SourceIdHasher(keyring), self.clock)
        self.decisions = SourceDecisions(self.registry, custodian, self.clock)
        self.domain = Domain(1337, "0x" + "aa" * 20, b"\x05" * 32)
        self.outbox = Outbox(self.clock)
        self.desk = OrderDesk(self.domain, self.outbox, self.clock)
        self.merchants = MerchantDirectory(self.clock)
        self.offers = OfferCatalogue(self.merchants, self.clock)
        self.redemptions = Redemptions(self.registry, self.offers, self.desk, self.domain, self.clock)
        self.codes = CodeBook(b"\x03" * 32)
        self.acts = ActBook(self.clock)
        self.fulfilment = Fulfilment(
            self.redemptions, self.merchants, self.outbox, OneKey(), self.codes, self.domain, self.acts, self.clock
        )
        self.approvals = DeskApprovals(self.clock)
        self._block = 0
        with self.database.transaction() as session:
            self._chain(session)
            self._shops(session)

    @property
    def now(self) -> int:
        return self.clock.timestamp()

    @property
    def height(self) -> int:
        """The last block."""
        return self._block

    def close(self) -> None:
        self.database.close()

    def resident(self, document: str = "510107195403071234") -> Resident:
        with self.database.transaction() as session:
            return self.registry.register(session, NewResident(document, {"name": "王秀英"})).resident

    def give(self, account: Address, programme: int, quarter: int, minor: int) -> None:
        """Set what an account holds of a lot."""
        with self.database.transaction() as session:
            session.merge(
                BalanceRow(account=address_bytes(account), token_id=token_id(programme, quarter), amount_minor=minor)
            )

    def say(
        self,
        order_id: bytes,
        kind: str,
        fen: int = 0,
        code: int = 0,
        kept: tuple[int | None, int | None] = (None, None),
    ) -> None:
        """Let the chain say something of an order in a new block, and the projection hear it."""
        self._block += 1
        with self.database.transaction() as session:
            session.add(
                OrderOutcomeRow(
                    block_number=self._block,
                    log_index=0,
                    order_id=order_id,
                    kind=kind,
                    code=code,
                    holder=None,
                    merchant=GROCER,
                    from_id=None,
                    amount_in=None,
                    to_id=None,
                    amount_out=None,
                    fen=fen,
                    kept_lots=kept[0],
                    kept_last_minor=kept[1],
                    transaction_hash=b"\x09" * 32,
                    block_timestamp=self.now,
                )
            )
            self._cursor(session)

    def pay_out(self, merchant: MerchantId, fen: int) -> None:
        """Let the finance bureau pay a merchant from the treasury account in a new block."""
        self._block += 1
        with self.database.transaction() as session:
            session.add(
                PayoutRow(
                    block_number=self._block,
                    log_index=1,
                    merchant=merchant,
                    amount_fen=fen,
                    payment_reference=b"\x0b" * 32,
                    transaction_hash=b"\x09" * 32,
                    block_timestamp=self.now,
                )
            )
            self._cursor(session)

    def claim(self, merchant: MerchantId, *, matured_fen: int, younger_fen: int, youngest_fen: int) -> None:
        """Set a merchant's claim of now."""
        period = period_at(self.now, MATURITY_S)
        with self.database.transaction() as session:
            session.merge(
                ClaimRow(
                    merchant=merchant,
                    matured_fen=matured_fen,
                    younger_fen=younger_fen,
                    youngest_fen=youngest_fen,
                    period=period,
                )
            )

    def lock(self, order_id: bytes, merchant: MerchantId, fen: int) -> None:
        """Let the consumer arbiter lock value for an order in a new block."""
        self._block += 1
        with self.database.transaction() as session:
            session.add(
                OrderLockRow(
                    block_number=self._block,
                    log_index=2,
                    order_id=order_id,
                    merchant=merchant,
                    delta_fen=fen,
                    until=self.now + LOCK_S,
                    complaint_hash=b"\x0c" * 32,
                    block_timestamp=self.now,
                )
            )
            self._cursor(session)

    def freeze(self, programme: int, until: int) -> None:
        """Let a programme be frozen until a Unix time."""
        self._block += 1
        with self.database.transaction() as session:
            session.get_one(ChainProgrammeRow, programme).frozen_until = until
            self._cursor(session)

    def block(self) -> None:
        """Make an empty block now."""
        self._block += 1
        with self.database.transaction() as session:
            self._cursor(session)

    def end_spending(self, programme: int, until: int) -> None:
        """Let a programme be closing, its points spendable until a Unix time."""
        self._block += 1
        with self.database.transaction() as session:
            row = session.get_one(ChainProgrammeRow, programme)
            row.state, row.spendable_until = ProgrammeState.CLOSING.value, until
            self._cursor(session)

    def pause(self, module: str, until: int) -> None:
        """Pause a module until a Unix time; 0 ends the pause."""
        self._block += 1
        with self.database.transaction() as session:
            session.add(
                ChainEventRow(
                    block_number=self._block,
                    log_index=0,
                    contract=module,
                    name="Paused" if until else "Unpaused",
                    topics=bytes(32),
                    data=until.to_bytes(32, "big") if until else b"",
                    block_timestamp=self.now,
                )
            )
            self._cursor(session)

    def settle(self) -> None:
        with self.database.transaction() as session:
            self.redemptions.settle(session)

    def offer(self, offer_id: str = "rice") -> Offer:
        with self.database.read() as session:
            return self.offers.get(session, offer_id)

    def _cursor(self, session: Session) -> None:
        session.merge(
            ProjectionCursorRow(
                maturity_s=MATURITY_S,
                cursor_id=1,
                chain_id=1337,
                deployment_salt=b"\x05" * 32,
                ledger=b"\xaa" * 20,
                block_number=self._block,
                block_hash=b"\x08" * 32,
                block_timestamp=self.now,
            )
        )

    def _chain(self, session: Session) -> None:
        for programme, par in PARS.items():
            session.add(
                ChainProgrammeRow(
                    programme=programme,
                    par_microfen=par,
                    flags=14 if par else 0,
                    state=1,
                    # Culture may be spent in museums only.
                    spend_scope=(MUSEUMS if programme == CULTURE else 0).to_bytes(32, "big"),
                    rulebook_version=1,
                    rulebook_hash=b"\x04" * 32,
                    appropriated_fen=1_000_000,
                    paid_fen=0,
                )
            )
            session.add(
                SupplyRow(
                    token_id=token_id(programme, Q2026_4), programme=programme, supply_minor=50_000, escrowed_minor=0
                )
            )
        session.add(PositionRow(participant=1 << 32 | VOLUNTEER, position_fen=-2800, block_number=1))
        session.add(PositionRow(participant=2 << 32 | GROCER, position_fen=2800, block_number=1))
        session.add(
            ClaimRow(
                merchant=GROCER,
                matured_fen=0,
                younger_fen=1000,
                youngest_fen=1800,
                period=period_at(self.now, MATURITY_S),
            )
        )
        for merchant, scope in ((GROCER, FOOD), (MUSEUM, MUSEUMS)):
            key = address_bytes(LocalSigner(MERCHANT_SECRET).address)
            session.add(ChainMerchantRow(merchant=merchant, key=key, scope=scope.to_bytes(32, "big")))
        self._cursor(session)

    def _shops(self, session: Session) -> None:
        grocer = Merchant(GROCER, "红旗粮油店", "Hongqi Grocery", "food", "人民南路 1 号", "1 Renmin South Road")
        self.merchants.save(session, grocer)
        self.merchants.save(
            session, Merchant(MUSEUM, "金沙遗址博物馆", "Jinsha Site Museum", "museum", "金沙路 2 号", "2 Jinsha Road")
        )
        self.merchants.save(
            session,
            Merchant(
                GROCER,
                "红旗粮油店",
                "Hongqi Grocery",
                "food",
                "人民南路 1 号",
                "1 Renmin South Road",
                signer_name="merchants/grocer",
            ),
        )
        self.offers.create(session, Offer("rice", GROCER, "大米 5 公斤", "Rice, 5 kg", 2800, stock_total=3))
        self.offers.create(session, Offer("ticket", MUSEUM, "门票", "Ticket", 5000, per_resident_max=1))
