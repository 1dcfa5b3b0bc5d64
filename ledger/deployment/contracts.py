"""Our contracts as web3 `Contract` objects: calls are built, encoded and decoded by web3.py from the compiled ABI.

Everything goes through the one provider, so a failure is an `RpcError` with its reason. Results carry the ABI's names:
``read(contracts["ClearingBook"].functions.merchant(7), height).scope``.

Warning: importing this module imports web3; see `ledger.chain.provider` for who must not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.exceptions import BadFunctionCallOutput
from web3.types import TxParams, Wei

from ledger.chain.engine import Engine
from ledger.chain.provider import connect
from ledger.chain.rpc import RpcClient, RpcError, RpcReason
from ledger.deployment import artifacts
from ledger.deployment.file import Deployment
from ledger.standard.ids import Address, to_address

# All that web3 would ask the node for; what is signed is composed by `transactions.sign_legacy`.
_FILLED = TxParams({"chainId": 0, "gas": 0, "gasPrice": Wei(0), "value": Wei(0)})


class Contracts:
    """The contracts of one installation by their names. Safe to share between threads."""

    def __init__(self, rpc: RpcClient, addresses: Mapping[str, Address], chain_id: int | None = None) -> None:
        """``chain_id``: what the engine knows; None asks the node when web3 needs it."""
        self.web3 = connect(rpc, chain_id)
        self._addresses = addresses
        self._made: dict[str, Contract] = {}

    @classmethod
    def of(cls, engine: Engine, deployment: Deployment) -> Contracts:
        """Return the contracts that a deployment describes, read through an engine's client."""
        addresses = {name: contract.address for name, contract in deployment.contracts.items()}
        return cls(engine.rpc, addresses, engine.chain_id)

    def __getitem__(self, name: str) -> Contract:
        """Return a contract at its address. Raises KeyError for a name without address, `ArtifactMissing`."""
        if name not in self._made:
            abi: Any = artifacts.load(name).abi
            address: Any = to_address(self._addresses[name])
            self._made[name] = self.web3.eth.contract(address=address, abi=abi, decode_tuples=True)
        return self._made[name]

    def creation_data(self, name: str, args: Sequence[Any] = ()) -> bytes:
        """Return the data of the transaction that creates a contract: its code and the encoded arguments."""
        artifact = artifacts.load(name)
        abi: Any = artifact.abi
        factory = self.web3.eth.contract(abi=abi, bytecode=artifact.bytecode)
        return bytes.fromhex(factory.constructor(*args).data_in_transaction[2:])

    def read_all(self, functions: Sequence[ContractFunction], block: int | str) -> list[Any]:
        """Return what many views return at one block, in one batch. Raises `RpcError`: the first that failed."""
        if not functions:
            return []  # web3's middleware cannot take an empty batch apart
        with self.web3.batch_requests() as batch:
            for function in functions:
                batch.add(_narrowed(function).call(block_identifier=_block(block)))
            try:
                return list(batch.execute())
            except BadFunctionCallOutput as error:
                raise _undecodable(str(error)) from error


def read(function: ContractFunction, block: int | str) -> Any:
    """Return what a view returns at a block: a height (take `Engine.final_height`), or a tag.

    One value as itself; several, and structs, as named tuples. Addresses are in EIP-55 mixed case. Raises `RpcError`:
    REVERTED with the revert's data, or MALFORMED_ANSWER where mostly no contract is at the address.
    """
    try:
        return _narrowed(function).call(block_identifier=_block(block))
    except BadFunctionCallOutput as error:
        raise _undecodable(function.signature) from error


def call_data(function: ContractFunction) -> bytes:
    """Return selector and encoded arguments of a call."""
    return bytes.fromhex(str(_narrowed(function).build_transaction(_FILLED)["data"])[2:])


def _narrowed(function: ContractFunction) -> ContractFunction:
    """Return the same call, with an ABI of itself alone.

    For each call web3 looks through the contract's ABI for colliding selectors, which is most of the call's time.
    """
    function.contract_abi = [function.abi]
    return function


def _block(block: int | str) -> Any:
    return block


def _undecodable(what: str) -> RpcError:
    return RpcError(RpcReason.MALFORMED_ANSWER, f"the answer is no result of {what}"[:300], method="eth_call")
