"""Contacts and bank accounts of shops: encrypted where they are kept, and never whole in what is logged or listed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from ledger.custody.master import Envelope
from ledger.standard.ids import MerchantId


@dataclass(frozen=True, slots=True)
class Payee:
    """Where a shop's money goes. Its text form names nobody."""

    holder: str = field(repr=False)
    bank: str = field(repr=False)
    bank_account: str = field(repr=False)

    @property
    def number_end(self) -> str:
        """The account's last four digits, by which its owner recognises it."""
        return self.bank_account[-4:]


@dataclass(frozen=True, slots=True)
class Contact:
    """A person of the shop who is told of changes. Its text form names nobody."""

    name: str = field(repr=False)
    address: str = field(repr=False)
    """Telephone number or e-mail address."""


@dataclass(frozen=True, slots=True)
class ShopSecrets:
    """What an application says of people and money."""

    contacts: tuple[Contact, Contact]
    payee: Payee


class ShopSeal:
    """Encrypts what is said of a shop's people and money, each for its place."""

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope

    def seal_application(self, application_id: str, said: ShopSecrets) -> bytes:
        """Return an application's secrets, encrypted."""
        content = {"contacts": [asdict(one) for one in said.contacts], "payee": asdict(said.payee)}
        return self._seal(content, f"application:{application_id}")

    def open_application(self, application_id: str, sealed: bytes) -> ShopSecrets:
        """Return an application's secrets. Raises CannotDecrypt."""
        found = self._open(sealed, f"application:{application_id}")
        first, second = (Contact(**one) for one in found["contacts"])
        return ShopSecrets((first, second), Payee(**found["payee"]))

    def seal_contacts(self, merchant_id: MerchantId, contacts: tuple[Contact, Contact]) -> bytes:
        """Return a shop's contacts, encrypted."""
        return self._seal([asdict(one) for one in contacts], f"contacts:{merchant_id}")

    def open_contacts(self, merchant_id: MerchantId, sealed: bytes) -> tuple[Contact, Contact]:
        """Return a shop's contacts. Raises CannotDecrypt."""
        first, second = (Contact(**one) for one in self._open(sealed, f"contacts:{merchant_id}"))
        return first, second

    def seal_payee(self, merchant_id: MerchantId, payee: Payee) -> bytes:
        """Return a payee, encrypted."""
        return self._seal(asdict(payee), f"payee:{merchant_id}")

    def open_payee(self, merchant_id: MerchantId, sealed: bytes) -> Payee:
        """Return a payee. Raises CannotDecrypt."""
        return Payee(**self._open(sealed, f"payee:{merchant_id}"))

    def _seal(self, content: Any, context: str) -> bytes:
        return self._envelope.wrap(orjson.dumps(content), context.encode())

    def _open(self, sealed: bytes, context: str) -> Any:
        return orjson.loads(self._envelope.unwrap(sealed, context.encode()))
