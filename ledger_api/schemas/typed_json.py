"""Orders as EIP-712 JSON, for wallets that sign with `eth_signTypedData_v4`; 64-bit numbers are text in it.

Source: https://eips.ethereum.org/EIPS/eip-712#specification-of-the-eth_signtypeddata-json-rpc
"""

from __future__ import annotations

import re
from typing import Any

from ledger.residents.account_proof import ACCOUNT_PROOF_TYPE, AccountProof
from ledger.standard.typed_data import (
    DOMAIN_NAME,
    DOMAIN_VERSION,
    EXCHANGE_ORDER_TYPE,
    REDEEM_ORDER_TYPE,
    Domain,
    ExchangeOrder,
    RedeemOrder,
)

_STRUCT = re.compile(r"(\w+)\(([^)]*)\)")
_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"


def typed_json(order: ExchangeOrder | RedeemOrder, domain: Domain) -> dict[str, Any]:
    """Return what a wallet signs for an order."""
    schema = EXCHANGE_ORDER_TYPE if isinstance(order, ExchangeOrder) else REDEEM_ORDER_TYPE
    return _document(schema, type(order).__name__, domain, _message(order))


def account_proof_json(proof: AccountProof, domain: Domain) -> dict[str, Any]:
    """Return what a wallet signs to show that an account is its holder's."""
    message = {
        "account": proof.account,
        "subject": "0x" + proof.subject_hash.hex(),
        "deadline": str(proof.deadline),
    }
    return _document(ACCOUNT_PROOF_TYPE, "AccountProof", domain, message)


def _document(schema: str, primary: str, domain: Domain, message: dict[str, Any]) -> dict[str, Any]:
    return {
        "types": _types(_DOMAIN_TYPE) | _types(schema),
        "primaryType": primary,
        "domain": {
            "name": DOMAIN_NAME,
            "version": DOMAIN_VERSION,
            "chainId": domain.chain_id,
            "verifyingContract": domain.ledger_address,
            "salt": "0x" + domain.salt.hex(),
        },
        "message": message,
    }


def _types(schema: str) -> dict[str, list[dict[str, str]]]:
    """Read an EIP-712 type string: one entry a struct, members in order."""
    found = {}
    for name, members in _STRUCT.findall(schema):
        pairs = [member.rsplit(" ", 1) for member in members.split(",")]
        found[name] = [{"name": member, "type": kind} for kind, member in pairs]
    return found


def _message(order: ExchangeOrder | RedeemOrder) -> dict[str, Any]:
    if isinstance(order, ExchangeOrder):
        return {
            "holder": order.holder,
            "fromId": str(order.from_id),
            "amount": str(order.amount),
            "toProgramme": order.to_programme,
            "minOut": str(order.min_out),
            "nonce": order.nonce,
            "deadline": str(order.deadline),
        }
    return {
        "holder": order.holder,
        "merchant": order.merchant,
        "lots": [{"id": str(lot.id), "amount": str(lot.amount)} for lot in order.lots],
        "nonce": order.nonce,
        "deadline": str(order.deadline),
    }
