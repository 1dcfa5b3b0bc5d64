"""What holders and anyone do with points, but for orders; and time."""

from __future__ import annotations

from city import DAY, GIFT
from reference import expiry_end, quarter_end, quarter_of

from lives.life import Life, move

INFINITE = 2**256 - 1


class HolderMoves(Life):
    """Time, transfers, allowances, nonces, sweeps, contract wallets."""

    @move(3.5)
    def time_passes(self) -> None:
        """Mostly days; now and then to the last second of a quarter, of its seven days of grace, or of a period."""
        random = self.random
        now = quarter_of(self.time)
        if self.chance(6):
            end = random.choice((quarter_end(now), expiry_end(now - 1), expiry_end(now)))
            self.to_time(random.choice((end - 3, end - 2, end - 1, end, end + 20 * DAY)))
        elif self.chance(6):
            period = (self.time // (7 * DAY) + 1) * 7 * DAY
            self.to_time(period - random.choice((0, 1, 2)))
        elif self.chance(100):
            self.time += 200 * DAY
        else:
            self.time += random.choice((1, 3_600, DAY, DAY, 2 * DAY, 3 * DAY, 7 * DAY))

    @move(2)
    def transfer(self) -> None:
        random = self.random
        sender, receiver = random.choice(self.players), random.choice(self.players).address
        held = sorted(self.lots_of(sender))
        gifts = [lot for lot in held if lot >> 32 == GIFT] or held
        lot = random.choice(gifts) if gifts and not self.chance(10) else self.lot()
        amount = self.amount(sender, lot)
        if self.chance(25):
            receiver = random.choice((self.model.ledger, "0x" + "00" * 20))
        if self.chance(40):
            lot += 2**64
        caller = sender if self.chance(2) else random.choice(self.players)
        who = caller.address
        function, args = "transferFrom", (sender.address, receiver, lot, amount)
        if caller is sender and self.chance(2):
            function, args = "transfer", args[1:]  # type: ignore[assignment]
        decide = lambda at: self.model.transfer(who, sender.address, receiver, lot, amount, at)  # noqa: E731
        self.perform(self.act(caller, self.city.ledger, function, args, decide))

    @move()
    def allow(self) -> None:
        """Approve a spender, for a lot, or make it an operator."""
        random = self.random
        owner, spender = random.choice(self.players), random.choice(self.players).address
        if self.chance(3):
            args = (spender, not self.chance(3))
            self.does(owner, self.city.ledger, "setOperator", args, self.model.set_operator)
        else:
            args = (spender, self.lot(owner), random.choice((0, 1, 5_000, INFINITE)))
            self.does(owner, self.city.ledger, "approve", args, self.model.approve)

    @move()
    def cancel_a_nonce(self) -> None:
        holder = self.random.choice(self.players)
        lot = self.lot(holder)
        args = (lot if not self.chance(20) else lot + 2**64, self.nonce(holder.address, lot))
        self.does(holder, self.city.ledger, "cancelNonce", args, self.model.cancel_nonce)

    @move(1.5)
    def sweep(self) -> None:
        random = self.random
        dead = [(who, lot) for who, lot in self.model.balances if self.model.is_dead(lot, self.time)]
        holder = random.choice(dead)[0] if dead and not self.chance(8) else random.choice(self.players).address
        lots = sorted({lot for who, lot in dead if who == holder})
        lots = random.sample(lots, min(3, len(lots))) * (1 + self.chance(8))
        if self.chance(8):
            lots.append(self.lot(random.choice(self.players)))
        holder = self.model.ledger if self.chance(15) else holder
        decide = lambda at: self.model.sweep(holder, lots, at)  # noqa: E731
        self.perform(self.act(self.anyone(), self.city.ledger, "sweep", (holder, lots), decide))

    @move()
    def a_wallet_changes_its_mind(self) -> None:
        """Contract wallets turn hostile and honest again."""
        random = self.random
        # HONEST, REFUSES, REVERTS, BURNS_ALL_GAS, ANSWERS_AT_LENGTH, …, USES_MUCH_GAS: see WalletMock.
        mode = random.choice((*[0] * 10, 1, 2, 3, 4, 5, 6, 7, 8))
        wallet = random.choice(self.setting.wallets)

        def decide(at: int) -> None:
            state = self.model.wallets[wallet.address]
            state.agrees, state.to_anything = mode in (0, 4, 8), mode == 4

        self.perform(self.act(self.city.operator, wallet, "setMode", (mode,), decide))
