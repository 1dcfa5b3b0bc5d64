"""What the contracts should do, in plain Python: the whole state and every decision, without a chain.

Written from the interfaces' prose, not from the Solidity. Each act takes the time of its block and either changes the
state and notes what should be seen, or raises `Reverts` and changes nothing.
"""

from .book import (
    ACTIVE,
    CLOSED,
    CLOSING,
    DAY,
    Book,
    Brake,
    Dispute,
    Line,
    Paid,
    Programme,
    Reverts,
    Shop,
    Wallet,
)
from .clearing import Clearing
from .council import Council, Proposal
from .points import Points


class Model(Points, Clearing):
    """Both books and all modules."""


__all__ = [
    "ACTIVE",
    "CLOSED",
    "CLOSING",
    "DAY",
    "Book",
    "Brake",
    "Council",
    "Dispute",
    "Line",
    "Model",
    "Paid",
    "Programme",
    "Proposal",
    "Reverts",
    "Shop",
    "Wallet",
]
