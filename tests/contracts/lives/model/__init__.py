"""What the contracts should do, in plain Python: the whole state and every decision, without a chain.

Written from the interfaces' prose, not from the Solidity. Each act takes the time of its block and either changes the
state and notes what should be seen, or raises `Reverts`, and then all that it did is undone.
"""

from .council import Council, Proposal
from .issuance import VOID, Batch
from .redemption import Paid
from .refunds import Refunds as Model
from .refunds import Shown
from .state import Reverts, Shop, Terms, Wallet

__all__ = ["VOID", "Batch", "Council", "Model", "Paid", "Proposal", "Reverts", "Shop", "Shown", "Terms", "Wallet"]
