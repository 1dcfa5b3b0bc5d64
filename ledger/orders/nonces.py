"""Order nonces: unordered, in a window of 32 bits above a base, one word a holder's (programme, year). Pure.

The rules are those of the contracts' LotLanes: nonce n is accepted if it is unspent and base <= n < base + 64; one of
base + 32 or more slides the window until it is the last bit, which cancels every unspent nonce that falls below.
"""

from __future__ import annotations

from collections.abc import Collection

from ledger.standard.contract import NONCE_WINDOW


def word_of(token_id: int) -> int:
    """Return the key of the word in which a lot lives: programme << 32 | calendar year's number."""
    return token_id >> 32 << 32 | ((token_id & 0xFFFFFFFF) + 3) >> 2


def base_of(spent: Collection[int]) -> int:
    """Return the least base that the chain can have, given the nonces known to be spent."""
    return max(0, max(spent, default=-1) - (NONCE_WINDOW - 1))


def choose(spent: Collection[int], open_nonces: Collection[int]) -> int | None:
    """Return the lowest free nonce that cancels no open order when it lands, or None while there is none."""
    base = base_of(spent)
    taken = {*spent, *open_nonces}
    highest = min(base + 2 * NONCE_WINDOW - 1, min(open_nonces, default=base + NONCE_WINDOW) + NONCE_WINDOW - 1)
    return next((nonce for nonce in range(base, highest + 1) if nonce not in taken), None)
