"""What agencies and holders do with points, but for orders."""

from __future__ import annotations

from city import DAY, GIFT, Person
from eth_utils import keccak
from reference import EvidenceLeaf, quarter_end, quarter_of, token_id

from .stage import FLOOD, PLAYERS_MAX, Player, Stage, move

INFINITE = 2**256 - 1


class PointMoves(Stage):
    """Time, minting, voiding, revoking, transfers, accounts."""

    @move(3)
    def time_passes(self) -> None:
        """Mostly days; now and then a quarter, to its very last second or beyond."""
        random = self.random
        if self.chance(6):
            end = quarter_end(quarter_of(self.time))
            self.time = max(self.time, random.choice((end - 3, end - 2, end - 1, end, end + 45 * DAY)))
        else:
            self.time += random.choice((1, 3_600, DAY, DAY, 3 * DAY, 7 * DAY, 20 * DAY))

    # -------------------------------------------------------------------------------------------------- issuance

    @move(4)
    def mint(self) -> None:
        random = self.random
        programme = random.choice(sorted(self.issuers))
        par = self.model.programmes[programme].par
        quarter = quarter_of(self.time) + random.choice((-1, 0, 0, 0, 0, 1, 1, 2, 4)) if par or self.chance(3) else 0
        most = random.choice((10, 1_000, 50_000, 50_000, 10**6) if programme != FLOOD else (2**44, 2**47, 2**48, 2**48))
        grants = [(random.choice(self.players).address, random.randint(1, most)) for _ in range(random.randint(1, 4))]
        if self.chance(20):
            grants.append((random.choice((self.model.ledger, self.players[0].address)), 0))
        lot = token_id(programme, quarter)
        number = random.randint(1, len(self.past.batches) + 1) if self.chance(12) else len(self.past.batches) + 1
        leaves = [EvidenceLeaf(random.randbytes(32), account, lot, amount) for account, amount in grants]
        tree = self.remember_leaves(leaves, number)
        root = random.choice((b"\0" * 32, b"\0" * 31 + b"\1")) if self.chance(40) else tree.root
        by = Person("nobody") if self.chance(25) else random.choice(self.issuers[programme][-2:])
        batch = self.signed_batch(programme, quarter, number, root, grants, by)
        self.past.batches.append(batch)
        self.perform(self.mint_act(batch))

    @move()
    def mint_old_bytes(self) -> None:
        """Somebody relays what an issuer once signed: it landed, lacked funding, is void, or its key is an old one."""
        random = self.random
        self.perform(self.mint_act(random.choice(self.past.batches)))

    @move()
    def sign_a_batch_again(self) -> None:
        """The same number and grants, with another quarter or by a newer key; both relayed in one block."""
        random = self.random
        old = random.choice(self.past.batches[-6:])
        quarter = old.quarter + random.choice((0, 1)) if old.quarter else 0
        by = self.issuers[old.programme][-1]
        batch = self.signed_batch(old.programme, quarter, old.number, old.root, old.grants, by)
        self.past.batches.append(batch)
        self.perform(*(self.mint_act(batch) for batch in random.sample([old, batch], 2)))

    @move()
    def void_a_batch(self) -> None:
        random = self.random
        batch = random.choice(self.past.batches[-12:])
        number = batch.number if not self.chance(3) else 10**6 + random.randrange(20)
        programme = batch.programme
        by = Person("nobody") if self.chance(15) else self.issuers[programme][-1]
        signature = self.sign(by, self.model.digest("VoidBatch", programme=programme, number=number))
        args = (programme, number, signature)
        act = self.act(
            self.anyone(),
            self.modules["issuance"],
            "voidBatch",
            args,
            lambda at: self.model.void_batch(*args, at),
        )
        self.perform(*[act] * random.choice((1, 1, 1, 2)))

    @move()
    def revoke(self) -> None:
        random = self.random
        leaf, leaf_hash, number, tree = random.choice(self.past.leaves)
        before = self.model.revoked.get(leaf_hash, 0)
        total = random.randint(min(before + 1, leaf.amount), leaf.amount) if leaf.amount else 0
        if self.chance(8):
            total = random.choice((0, before, leaf.amount + 1))
        fields = {"programme": leaf.token >> 32, "number": number, "leaf": leaf_hash, "revokedTotal": total}
        fields["reason"] = random.randrange(5)
        shown, path = leaf, tree.proof(leaf_hash)
        if self.chance(20):
            shown = random.choice(self.past.leaves)[0]
        if self.chance(20):
            fields["number"] = random.choice(self.past.leaves)[2]
        if self.chance(20):
            path = path[1:]
        by = Person("nobody") if self.chance(20) else self.issuers[leaf.token >> 32][-1]
        signature = self.sign(by, self.model.digest("Revocation", **fields))
        is_path = self._leads(shown.hash(), path, fields["programme"], fields["number"])
        act = self.act(
            self.anyone(),
            self.modules["issuance"],
            "revoke",
            (tuple(fields.values()), shown.values(), path, signature),
            lambda at: self.model.revoke(*fields.values(), shown, is_path, signature, at),
        )
        self.perform(*[act] * random.choice((1, 1, 1, 2)))

    def _leads(self, leaf: bytes, path: list[bytes], programme: int, number: int) -> bool:
        for node in path:
            leaf = keccak(b"".join(sorted((leaf, node))))
        return self.model.batches.get((programme, number)) == leaf

    # ------------------------------------------------------------------------------------------------- transfers

    @move(2)
    def transfer(self) -> None:
        random = self.random
        sender, receiver = random.choice(self.players), random.choice(self.players).address
        held = sorted(self.lots_of(sender))
        gifts = [lot for lot in held if lot >> 32 == GIFT] or held
        lot = random.choice(gifts) if gifts and not self.chance(10) else self.lot()
        amount = self.amount(sender, lot)
        if self.chance(25):
            receiver = self.model.ledger
        caller = sender if self.chance(2) else random.choice(self.players)
        function, args = "transferFrom", (sender.address, receiver, lot, amount)
        if caller is sender and self.chance(2):
            function, args = "transfer", args[1:]
        self.perform(
            self.act(
                caller,
                self.city.ledger,
                function,
                args,
                lambda at: self.model.transfer(caller.address, sender.address, receiver, lot, amount, at),
            )
        )

    @move()
    def allow(self) -> None:
        """Approve a spender, for a lot, or make it an operator."""
        random = self.random
        owner, spender = random.choice(self.players), random.choice(self.players).address
        lot = self.lot(owner)
        if self.chance(3):
            approved = not self.chance(3)
            act = self.act(
                owner,
                self.city.ledger,
                "setOperator",
                (spender, approved),
                lambda at: self.model.set_operator(owner.address, spender, approved, at),
            )
        else:
            amount = random.choice((0, 1, 5_000, INFINITE))
            act = self.act(
                owner,
                self.city.ledger,
                "approve",
                (spender, lot, amount),
                lambda at: self.model.approve(owner.address, spender, lot, amount, at),
            )
        self.perform(act)

    @move()
    def cancel_a_nonce(self) -> None:
        holder = self.random.choice(self.players)
        lot = self.lot(holder)
        nonce = self.nonce(holder.address, lot)
        self.perform(
            self.act(
                holder,
                self.city.ledger,
                "cancelNonce",
                (lot, nonce),
                lambda at: self.model.cancel_nonce(holder.address, lot, nonce, at),
            )
        )

    @move()
    def sweep(self) -> None:
        random = self.random
        player = random.choice(self.players)
        held = sorted(self.lots_of(player))
        dead = [lot for lot in held if self.model.is_dead(lot, self.time)]
        lots = random.sample(dead, min(3, len(dead))) * (1 + self.chance(8))
        if self.chance(8):
            lots.append(self.lot(player))
        holder = self.model.ledger if self.chance(15) else player.address
        self.perform(
            self.act(
                self.anyone(),
                self.city.ledger,
                "sweep",
                (holder, lots),
                lambda at: self.model.sweep(holder, lots, at),
            )
        )

    # --------------------------------------------------------------------------------------------------- accounts

    def _heir(self) -> Player:
        """Somebody there, or somebody new; new ones keep the city alive."""
        if len(self.players) < PLAYERS_MAX and not self.chance(3):
            person = Person(f"heir {len(self.players)}")
            self.players.append(Player(person.address, person))
            return self.players[-1]
        return self.random.choice(self.players)

    def _some_lots(self) -> list[int]:
        known = sorted(lot for lot, amount in self.model.supplies.items() if amount)
        return self.random.sample(known, len(known) // 2)

    @move()
    def migrate(self) -> None:
        """Rarely: an account that gave way plays no further part but to receive and be forwarded."""
        random = self.random
        if not self.chance(4):
            return
        old, new, lots = random.choice(self.players), self._heir().address, self._some_lots()
        if self.chance(10):
            new = random.choice((self.model.ledger, old.address))
        self.perform(
            self.act(
                old,
                self.city.ledger,
                "migrate",
                (new, lots),
                lambda at: self.model.migrate(old.address, new, lots, at),
            )
        )

    @move()
    def forward(self) -> None:
        random = self.random
        retired = [player.address for player in self.players if player.address in self.model.successor]
        if not retired and not self.chance(4):
            return
        old = random.choice(retired) if retired and not self.chance(8) else random.choice(self.players).address
        lots = self._some_lots()
        self.perform(
            self.act(
                self.anyone(),
                self.city.ledger,
                "forward",
                (old, lots),
                lambda at: self.model.forward(old, lots, at),
            )
        )

    @move()
    def a_desk_asks_to_migrate(self) -> None:
        random = self.random
        if not self.chance(3):
            return
        old, new, lots = random.choice(self.players).address, self._heir().address, self._some_lots()
        self.perform(
            self.act(
                self.city.desk,
                self.city.ledger,
                "requestMigration",
                (old, new, lots),
                lambda at: self.model.request_migration(old, new, lots, at),
            )
        )

    @move()
    def a_migration_goes_on(self) -> None:
        """The holder refuses it, or anyone carries it out: too early, unapproved, or in time."""
        random = self.random
        asked = random.choice(sorted(self.model.migrations)) if self.model.migrations else None
        old = asked if asked is not None else random.choice(self.players).address
        holder = next(player for player in self.players if player.address == old)
        pending = self.model.migrations.get(old)
        if self.chance(5):
            act = self.act(
                holder,
                self.city.ledger,
                "cancelMigration",
                (),
                lambda at: self.model.cancel_migration(old, at),
            )
            self.perform(act)
            return
        new = pending.new if pending and not self.chance(10) else self.players[0].address
        lots = list(pending.lots) if pending and not self.chance(10) else []
        if pending and pending.approved and not self.chance(4):
            self.time = max(self.time, pending.executable_from - random.choice((0, 0, 1)))
        self.perform(
            self.act(
                self.anyone(),
                self.city.ledger,
                "executeMigration",
                (old, new, lots),
                lambda at: self.model.execute_migration(old, new, lots, at),
            )
        )

    @move()
    def a_wallet_changes_its_mind(self) -> None:
        """Contract wallets turn hostile and honest again."""
        random = self.random
        # HONEST, REFUSES, REVERTS, BURNS_ALL_GAS, ANSWERS_AT_LENGTH, …, USES_MUCH_GAS: see WalletMock.
        mode = random.choice((*[0] * 10, 1, 2, 3, 4, 5, 6, 7, 8))
        wallet = random.choice(self.theatre.wallets)

        def decide(at: int) -> None:
            state = self.model.wallets[wallet.address]
            state.agrees, state.to_anything = mode in (0, 4, 8), mode == 4

        self.perform(self.act(self.city.operator, wallet, "setMode", (mode,), decide))
