"""Which batch numbers are void, read by web3 from the agency's own node: the agency's only reads of a contract."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from issuers.agency.desk import VoidsOnChain
from ledger.chain.remote import Finality, RemoteEngine
from ledger.chain.rpc import RpcError
from ledger.deployment.contracts import Contracts
from ledger.standard.contract import BatchState, batch_state
from ledger.standard.ids import Address, ProgrammeId

_LOG = logging.getLogger(__name__)


def voids_on_chain(
    node: str, finality: Finality, addresses: Mapping[str, Address], programme: ProgrammeId
) -> VoidsOnChain:
    """Return the question to a node; a node that cannot answer makes no number void, and is named in the log."""

    def voids(numbers: Sequence[int]) -> frozenset[int]:
        try:
            with RemoteEngine.open(node, finality) as engine:
                contracts = Contracts(engine.rpc, addresses, engine.chain_id)
                word_of = contracts["PointsLedger"].functions.batchWord
                views = [word_of(programme, number) for number in numbers]
                words = contracts.read_all(views, engine.final_height())
        except RpcError as error:
            _LOG.warning("the agency's node cannot say which numbers are void: %s", error)
            return frozenset()
        return frozenset(
            number for number, word in zip(numbers, words, strict=True) if batch_state(word) is BatchState.VOID
        )

    return voids
