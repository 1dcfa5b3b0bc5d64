"""Nonces and lanes of a holder's word, as the ledger keeps them: `LotLanes`."""

from __future__ import annotations

from ledger.standard.contract import LANE_BITS, NONCE_WINDOW

NonceState = tuple[int, int]
"""(base, window): bit i of the window says that nonce base + i is spent, and every nonce below the base is."""

FRESH: NonceState = (0, 0)
ALL_SPENT: NonceState = (2**32 - 1, 2**32 - 1)
"""What is left to an account that was succeeded."""


def locate(token: int) -> tuple[int, int]:
    """Return (key of the word, shift of the lane) of a lot."""
    s = (token & 0xFFFFFFFF) + 3
    return token >> 32 << 32 | s >> 2, (s & 3) * LANE_BITS


def spend_nonce(state: NonceState, nonce: int) -> NonceState | None:
    """Return the state with ``nonce`` spent, or None if it cannot be."""
    base, window = state
    ahead = nonce - base
    if not 0 <= ahead < 2 * NONCE_WINDOW:
        return None
    if ahead >= NONCE_WINDOW:
        slide = ahead - (NONCE_WINDOW - 1)
        base, window, ahead = base + slide, window >> slide, NONCE_WINDOW - 1
    return None if window >> ahead & 1 else (base, window | 1 << ahead)
