"""What issuing agencies sign, and what whoever has one of their keys can do with it."""

from __future__ import annotations

from city import Person
from eth_utils import keccak
from reference import pack_grants, pack_revocations, quarter_of

from lives.keys import person
from lives.life import Act, Life, move
from lives.model import Batch
from lives.setting import FLOOD


class IssuerMoves(Life):
    """Mint, void, revoke, collect."""

    def _issuer(self, programme: int) -> Person:
        """Most often the newest key; now and then an older one or nobody's."""
        if self.chance(20):
            return person("nobody")
        known = self.issuers[programme]
        return self.random.choice(known[-2:]) if self.chance(4) else known[-1]

    def mint_act(self, batch: Batch, signature: bytes) -> Act:
        caller = self.anyone()
        who = str(getattr(caller, "address", caller))
        args = (tuple(batch), signature)
        decide = lambda at: self.model.mint(who, batch, signature, at)  # noqa: E731
        return self.act(caller, self.city.ledger, "mint", args, decide)

    def _signed(self, batch: Batch, by: Person) -> tuple[Batch, bytes]:
        signature = self.sign(by, self.model.batch_digest(batch))
        if self.chance(40):
            signature = self.spoilt(signature)
        self.past.batches.append((batch, signature))
        return batch, signature

    def first_grants(self) -> None:
        """Begin with points, so that there is something to do."""
        for programme in self.setting.issuers:
            par = self.model.terms[programme].par
            for ahead in (0, 1, 4) if par else (0,):
                most = 2**44 if programme == FLOOD else 12_000 if par <= 20_000_000 else 4_000
                quarter = quarter_of(self.time) + ahead if par else 0
                grants = [(p.address, self.random.randint(1, most)) for p in self.players[1:7]]
                batch = Batch(programme, quarter, len(self.past.batches) + 1, bytes(32), pack_grants(grants))
                signature = self.sign(self.issuers[programme][0], self.model.batch_digest(batch))
                self.past.batches.append((batch, signature))
                self.perform(self.mint_act(batch, signature))

    @move(5)
    def mint(self) -> None:
        random = self.random
        programme = random.choice(sorted(self.issuers))
        par = self.model.terms[programme].par
        now = quarter_of(self.time)
        quarter = now + random.choice((-1, 0, 0, 0, 0, 1, 1, 2, 4)) if par or self.chance(3) else 0
        if self.chance(25):
            quarter = random.choice((0, now + 40, now + 41, now - 2, 2**32 - 1))
        sizes = (10, 1_000, 10_000, 50_000, 10**6) if programme != FLOOD else (2**44, 2**47, 2**48, 2**48)
        most = random.choice(sizes)
        grants = [(random.choice(self.players).address, random.randint(1, most)) for _ in range(random.randint(1, 4))]
        lacking = [who for (who, lot), _ in self.model.owed.items() if lot == programme << 32 | quarter]
        if lacking and self.chance(2):
            grants.append((random.choice(lacking), random.randint(1, most)))
        if self.chance(20):
            grants.append((random.choice((self.model.ledger, self.players[0].address, "0x" + "00" * 20)), 0))
        packed = pack_grants(grants)
        if self.chance(30):
            packed = random.choice((b"", packed[:-1]))
        number = random.randint(1, len(self.past.batches) + 1) if self.chance(12) else len(self.past.batches) + 1
        batch = Batch(programme if not self.chance(40) else 98, quarter, number, random.randbytes(32), packed)
        self.perform(self.mint_act(*self._signed(batch, self._issuer(programme))))

    @move()
    def mint_old_bytes(self) -> None:
        """Somebody relays what an issuer once signed: it landed, lacked funding, is void, or its key is an old one."""
        self.perform(self.mint_act(*self.random.choice(self.past.batches)))

    @move()
    def sign_a_batch_again(self) -> None:
        """The same number and grants, with another quarter or by a newer key; both relayed in one block."""
        old, signature = self.random.choice(self.past.batches[-6:])
        quarter = old.quarter + self.random.choice((0, 1)) if 0 < old.quarter < 10**6 else 0
        by = self._issuer(old.programme) if old.programme in self.issuers else person("nobody")
        new = self._signed(old._replace(quarter=quarter), by)
        self.perform(*(self.mint_act(*pair) for pair in self.random.sample([(old, signature), new], 2)))

    @move()
    def an_overdue_agency_mints(self) -> None:
        """It may not, until it has paid or the council waives that."""
        overdue = [p for p in sorted(self.issuers) if self.model.is_overdue(p, self.time)]
        if overdue:
            programme, number = self.random.choice(overdue), len(self.past.batches) + 1
            grants = pack_grants([(self.random.choice(self.players).address, 100)])
            batch = Batch(programme, quarter_of(self.time), number, bytes(32), grants)
            self.perform(self.mint_act(*self._signed(batch, self.issuers[programme][-1])))

    @move(0.5)
    def a_thief_mints_for_himself(self) -> None:
        """Who has an issuer's key takes all that the day's ceiling and the funding leave, and once more."""
        programme = self.random.choice(sorted(self.issuers))
        terms = self.model.terms[programme]
        if not terms.par:
            return
        free = max(0, self.model.funding(programme) - self.model.liability(programme))
        chosen = self.model.ceilings[programme][0] or self.model.appropriated(programme) // 10
        fen = min(free, chosen)
        thief = self.random.choice(self.players).address
        for extra in (0, 1):
            amount = max(1, (fen + extra) * 10**8 // terms.par)
            number = len(self.past.batches) + 1
            grants = pack_grants([(thief, min(amount, 2**48))])
            batch = Batch(programme, quarter_of(self.time), number, bytes(32), grants)
            self.perform(self.mint_act(*self._signed(batch, self.issuers[programme][-1])))

    @move()
    def void_a_batch(self) -> None:
        random = self.random
        batch, _ = random.choice(self.past.batches[-12:])
        programme = batch.programme
        number = batch.number if not self.chance(3) else 10**6 + random.randrange(20)
        by = self._issuer(programme) if programme in self.issuers else person("nobody")
        signature = self.sign(by, self.model.digest("VoidBatch", programme=programme, number=number))
        caller = self.anyone()
        who = str(getattr(caller, "address", caller))
        args = (programme, number, signature)
        decide = lambda at: self.model.void_batch(who, *args, at)  # noqa: E731
        self.perform(*[self.act(caller, self.city.ledger, "voidBatch", args, decide)] * random.choice((1, 1, 1, 2)))

    # --------------------------------------------------------------------------------------------------- revocation

    @move(3)
    def revoke(self) -> None:
        """Some of what was granted, of one or more grants; now and then too much, twice, or of another batch."""
        random = self.random
        batch, _ = random.choice(self.past.batches)
        size = len(batch.packed) // 28
        parts = []
        for _ in range(random.choice((1, 1, 1, 2, 3)) if not self.chance(30) else 0):
            index = random.randrange(max(1, size)) if not self.chance(20) else random.choice((size, 2**32 - 1))
            _, granted = batch.grant(index) if index < size else ("", 0)
            before = self.model.revoked[batch.programme, batch.number, index]
            low = min(before + 1, granted)
            total = random.choice((granted, low, random.randint(low, granted), min(granted, before + 500)))
            if self.chance(10):
                total = random.choice((0, before, granted + 1, 2**64 - 1))
            parts.append((index, total, random.randrange(5)))
        packed = pack_revocations(parts)
        if self.chance(30):
            packed += b"\0"
        if self.chance(20):
            batch = batch._replace(quarter=(batch.quarter + 1) % 2**32)
        by = self._issuer(batch.programme) if batch.programme in self.issuers else person("nobody")
        self._revoke(batch, packed, by)

    def _revoke(self, batch: Batch, packed: bytes, by: Person) -> None:
        fields = {"programme": batch.programme, "number": batch.number, "revocationsHash": keccak(packed)}
        signature = self.sign(by, self.model.digest("Revocation", **fields))
        self.past.revocations.append((batch, packed, signature))
        self.perform(*[self._revoke_act(batch, packed, signature)] * self.random.choice((1, 1, 1, 2)))

    def _revoke_act(self, batch: Batch, packed: bytes, signature: bytes) -> Act:
        caller = self.anyone()
        who = str(getattr(caller, "address", caller))
        args = (tuple(batch), packed, signature)
        decide = lambda at: self.model.revoke(who, batch, packed, signature, at)  # noqa: E731
        return self.act(caller, self.city.ledger, "revoke", args, decide)

    @move(0.5)
    def revoke_old_bytes(self) -> None:
        if self.past.revocations:
            self.perform(self._revoke_act(*self.random.choice(self.past.revocations)))

    @move(0.5)
    def a_thief_revokes_everything(self) -> None:
        """Who has an issuer's key takes back grant after grant, whole: the day's ceiling stops it."""
        batch, _ = self.random.choice(self.past.batches)
        size = len(batch.packed) // 28
        if batch.programme in self.issuers and size and len(batch.packed) % 28 == 0:
            parts = [(i, batch.grant(i)[1], 9) for i in range(size)]
            self._revoke(batch, pack_revocations(parts), self.issuers[batch.programme][-1])

    @move(1.5)
    def collect(self) -> None:
        owed = [key for key, amount in self.model.owed.items() if amount]
        debtor, lot = self.random.choice(owed) if owed else (self.players[0].address, self.lot())
        if self.chance(20):
            lot = self.random.choice((lot + 1, lot + 2**64))
        decide = lambda at: self.model.collect(debtor, lot, at)  # noqa: E731
        self.perform(self.act(self.anyone(), self.city.ledger, "collect", (debtor, lot), decide))
