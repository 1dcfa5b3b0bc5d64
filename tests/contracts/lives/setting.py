"""The city prepared once: what all lives of a run have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from brownie import accounts, web3
from city import (
    ARBITER,
    CULTURE,
    DAY,
    DESK,
    ENVIRONMENT,
    EXCHANGE,
    FINANCE,
    GIFT,
    GUARDIAN,
    MUSEUM,
    NO_CEILING,
    PROGRAMMES,
    REDEMPTION,
    REGISTRAR,
    RESIDENCE,
    SCOPES,
    START,
    TERMS,
    THEATRE,
    VOLUNTEER,
    City,
    Person,
    bits,
)

from .model import Council, Model, Shop, Terms, Wallet
from .wire import Wire

FLOOD = 60
"""A programme so cheap that its lots fill up: a micro-fen a point."""
PLAYED = (VOLUNTEER, ENVIRONMENT, CULTURE, RESIDENCE, GIFT, MUSEUM, FLOOD)
DEFAULT_CEILINGS = (CULTURE, GIFT)
"""These have the ceilings that their appropriation gives them."""
FUNDING_FEN = 300_000
FLOOD_FUNDING_FEN = 10**8
REBIRTH_CAP_FEN = 300
MODULE_ROLES = {"exchange": EXCHANGE, "redemption": REDEMPTION}
SPARES = 3
BEGIN = START + 30 * DAY
"""Three weeks before a quarter's end, so that lots die before they are refunded."""


@dataclass(frozen=True)
class Player:
    """A holder: an account, or the contract wallet that an account owns."""

    address: str
    person: Person
    wallet: Any = None


class Setting:
    """The city, its people, and what the model begins with."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.owners = [Person(f"player {i}") for i in range(8)]
        self.wallets = [
            city.project.WalletMock.deploy(owner.address, city.by_operator)
            for owner in (*self.owners[6:], city.merchant[THEATRE])
        ]
        self.rogue = city.project.WalletMock.deploy(self.owners[0].address, city.by_operator)
        """A hostile module in office beside the others."""
        for role in MODULE_ROLES.values():
            city.manager.grantRole(role, self.rogue, 0, city.by_admin)
        self.council = city.project.Council.deploy(accounts[7:10], 2, 2 * DAY, city.by_admin)
        self.members = [account.address for account in accounts[6:10]]
        self.spares = {name: self._spares(name) for name in MODULE_ROLES}
        self.issuers = {programme: city.issuer.get(programme, Person("issuer of the flood")) for programme in PLAYED}
        city.issuer[FLOOD] = self.issuers[FLOOD]
        city.register(FLOOD, 1, 15)
        city.ledger.setRebirthCap(REBIRTH_CAP_FEN, city.by_admin)
        for programme in DEFAULT_CEILINGS:
            city.ledger.setCeilings(programme, 0, 0, city.by_admin)
        city.ledger.setCeilings(FLOOD, NO_CEILING, NO_CEILING, city.by_admin)
        city.book.registerMerchant(THEATRE, self.wallets[2], bits(SCOPES[THEATRE]), {"from": city.registrar})
        for programme in PLAYED:
            if programme in PROGRAMMES and PROGRAMMES[programme][0]:
                city.book.lapse(programme, 2030, {"from": city.finance})
                city.appropriate(programme, FUNDING_FEN, 2031)
        city.appropriate(FLOOD, FLOOD_FUNDING_FEN, 2031)
        city.manager.grantRole(0, self.council, 0, city.by_admin)
        city.manager.renounceRole(0, city.admin, city.by_admin)
        known = (city.manager, city.ledger, city.book, city.succession, city.exchange, city.redemption, self.council)
        self.keys_since = {
            programme: int(city.ledger.issuerKeyActiveFrom(programme, city.issuer[programme].address))
            for programme in {*PROGRAMMES, FLOOD}
        }
        self.wire = Wire(web3.provider.endpoint_uri, (*known, self.wallets[0]))

    def _spares(self, name: str) -> list[Any]:
        """Modules that wait to replace the one in office; what the guardian and the arbiter may is theirs already."""
        city, kind = self.city, getattr(self.city.project, name.capitalize())
        spares = []
        for _ in range(SPARES):
            module = kind.deploy(city.manager, city.ledger, city.by_admin)
            brake = [module.pause.signature, module.unpause.signature]
            city.manager.setTargetFunctionRole(module, brake, GUARDIAN, city.by_admin)
            if name == "redemption":
                lock = [module.lockOrder.signature]
                city.manager.setTargetFunctionRole(module, lock, ARBITER, city.by_admin)
            spares.append(module)
        return spares

    def players(self) -> list[Player]:
        plain = [Player(owner.address, owner) for owner in self.owners[:6]]
        pairs = zip(self.owners[6:], self.wallets[:2], strict=True)
        return [*plain, *(Player(wallet.address, owner, wallet) for owner, wallet in pairs)]

    def council_model(self) -> Council:
        return Council({account: i for i, account in enumerate(self.members[1:], 1)}, 2, 2 * DAY, joinings=3)

    def model(self) -> Model:
        city = self.city
        owners = (*self.owners[6:], city.merchant[THEATRE])
        wallets = {w.address: Wallet(owner.address) for w, owner in zip(self.wallets, owners, strict=True)}
        model = Model(city.domain, city.ledger.address, wallets)
        for role, holder in (
            (0, self.council),
            (EXCHANGE, city.exchange),
            (REDEMPTION, city.redemption),
            (FINANCE, city.finance),
            (REGISTRAR, city.registrar),
            (GUARDIAN, city.guardian),
            (DESK, city.desk),
            (DESK, city.other_desk),
            (ARBITER, city.arbiter),
        ):
            model.roles.put((role, holder.address), True)
        listed = [p for p in PROGRAMMES if PROGRAMMES[p][0]]
        model.word.put("listed", (*listed, FLOOD))
        for programme, terms in {**PROGRAMMES, FLOOD: (1, 15, 0)}.items():
            model.terms.put(programme, Terms(*terms))
            model.state.put(programme, 1)
            model.keys.put((programme, city.issuer[programme].address), self.keys_since[programme])
            ceiling = 0 if programme in DEFAULT_CEILINGS else NO_CEILING
            model.ceilings.put(programme, (ceiling, ceiling))
            if programme in listed:
                lapsed = (10**9, 10**9, True) if programme in PLAYED else (10**9, 0, False)
                model.years.put((programme, 2030), lapsed)
            if programme in PLAYED and programme in listed:
                model.years.put((programme, 2031), (FUNDING_FEN, 0, False))
        model.years.put((FLOOD, 2031), (FLOOD_FUNDING_FEN, 0, False))
        for merchant, scope in SCOPES.items():
            model.shops.put(merchant, Shop(city.merchant[merchant].address, scope))
        model.shops.put(THEATRE, Shop(self.wallets[2].address, SCOPES[THEATRE]))
        words = {"term": TERMS[0], "ceiling": TERMS[1], "rebirth_cap": REBIRTH_CAP_FEN}
        for name, value in {**words, "arbiter": city.arbiter_key.address}.items():
            model.word.put(name, value)
        return model
