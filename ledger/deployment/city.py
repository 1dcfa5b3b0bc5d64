"""What a city decides before its ledger exists: programmes, merchants, appropriations, caps; and who holds which key.

`load` reads it from YAML; `city.default.yaml` beside this file is the city of the demo. Keys are no part of the file:
each installation generates its own and passes them in as `CityActors`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pydantic
import yaml

from ledger.errors import ConfigurationError
from ledger.standard.civil_time import DAY_S
from ledger.standard.contract import (
    MATURITY_MAX_S,
    MATURITY_MIN_S,
    PAR_MAX,
    PAYMENT_TERM_MAX_S,
    PAYMENT_TERM_MIN_S,
    YEAR_FEN_MAX,
    ProgrammeFlag,
)
from ledger.standard.ids import Address, MerchantId, ProgrammeId, ProgrammeSlug

FLAGS: Mapping[str, ProgrammeFlag] = {str(flag.name).lower(): flag for flag in ProgrammeFlag}
"""Names in the file and bits on chain."""

_STRICT = pydantic.ConfigDict(extra="forbid", strict=True)
_SLUG = re.compile(r"[a-z][a-z0-9-]{0,31}")
_SYMBOL = re.compile(r"[A-Z]{2,8}")
_SCOPE_BITS = 256


@dataclass(frozen=True, slots=True)
class Names:
    """A name in Chinese and English."""

    zh: str
    en: str

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True)
class ProgrammeConfig:
    """One agency's points in one domain."""

    id: ProgrammeId
    slug: ProgrammeSlug
    names: Names
    agency: Names
    """Who issues and who owes."""
    symbol: str
    par_microfen: int
    """Value of one point (100 minor units); 1,000,000 micro-fen = 1 fen. It never changes."""
    flags: tuple[str, ...] = ()
    """Of `FLAGS`."""
    spend_scope: tuple[str, ...] = ()
    """Scopes in which its points may be spent; none: anywhere."""
    inflow_cap_fen: int = 0
    """Most that may be exchanged into it a day more than out of it, in fen; 0: no cap."""
    daily_mint_fen: int = 0
    """Most that it mints a day, in fen; 0: a tenth of what is appropriated."""
    daily_revoke_fen: int = 0
    """Most that it revokes a day, in fen; 0: a hundredth of what is appropriated."""

    __pydantic_config__ = _STRICT

    @property
    def flag_bits(self) -> int:
        """The flags as the ledger keeps them."""
        return sum(FLAGS[flag] for flag in self.flags)


@dataclass(frozen=True, slots=True)
class MerchantConfig:
    """A place where points are spent."""

    id: MerchantId
    slug: str
    names: Names
    scopes: tuple[str, ...]
    """What it sells; at least one."""

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True)
class AppropriationConfig:
    """What the finance bureau makes available to a programme in a fiscal year."""

    programme: ProgrammeId
    fiscal_year: int
    fen: int
    document: str
    """Title of the document that grants it; its Keccak-256 goes on chain."""

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True)
class ClearingConfig:
    """How merchants are paid. The maturity never changes; the council may choose the others anew."""

    maturity_s: int = 7 * DAY_S
    """What a merchant earns can be paid out after one to two times this long."""
    payment_term_s: int = 7 * DAY_S
    """How long debtors have to pay what a cycle says they owe."""
    payout_ceiling_fen: int = 0
    """Most that a merchant is paid out a cycle, in fen; 0: no ceiling."""

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True)
class CityConfig:
    """A city. Built by `load` or `parse`, which check that it holds together."""

    names: Names
    scopes: Mapping[str, Names]
    """The order is the order of the bits on chain, so scopes may only be added at the end."""
    programmes: tuple[ProgrammeConfig, ...]
    merchants: tuple[MerchantConfig, ...]
    appropriations: tuple[AppropriationConfig, ...]
    resident_cap_fen: int = 0
    """Most that a resident may exchange a day, in fen; 0: no cap."""
    rebirth_cap_fen: int = 0
    """Most value of dead lots that may be reborn for a resident a quarter, in fen; 0: none may."""
    clearing: ClearingConfig = ClearingConfig()

    __pydantic_config__ = _STRICT

    def scope_bits(self, scopes: Iterable[str]) -> int:
        """Return the bit set that stands for scopes on chain (a bytes32 as an integer)."""
        order = {name: position for position, name in enumerate(self.scopes)}
        return sum(1 << order[name] for name in scopes)


@dataclass(frozen=True, slots=True)
class RulebookRef:
    """A version of a programme's rulebook, by its canonical hash."""

    version: int
    hash: bytes
    """32 bytes."""


@dataclass(frozen=True, slots=True)
class CityActors:
    """Who holds which key, by account. The deployment knows addresses only."""

    council: tuple[Address, ...]
    """The agencies' members of the council."""
    council_threshold: int
    """How many of them must agree."""
    finance_bureau: Address
    guardian: Address
    registrar: Address
    """Registers merchants."""
    supervisor: Address
    """Another organisation, which can cancel what the finance bureau and the registrar announce."""
    arbiter: Address
    """The consumer arbiter's account, which locks disputed orders."""
    arbiter_key: Address
    """The consumer arbiter's second hand, whose signature refunds them."""
    issuers: Mapping[ProgrammeId, tuple[Address, ...]]
    merchants: Mapping[MerchantId, Address]
    rulebooks: Mapping[ProgrammeId, RulebookRef] = field(default_factory=dict)
    desks: tuple[Address, ...] = ()
    council_delay_s: int = DAY_S
    """How long a decision of the council waits before it can be carried out."""
    institution_delay_s: int = DAY_S
    """How long an act of the finance bureau or the registrar waits after it was announced."""


def default_path() -> Path:
    """Return the file of the demo's city."""
    return Path(__file__).with_name("city.default.yaml")


def load(path: Path | None = None) -> CityConfig:
    """Read a city from a YAML file (none named: the demo's). Raises ConfigurationError that names the place."""
    path = path or default_path()
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigurationError(f"the city's file cannot be read: {error}") from error


def parse(text: str, source: str = "city") -> CityConfig:
    """Read a city from YAML text. Raises ConfigurationError that names the place."""
    try:
        # Through JSON, so that strict types hold: YAML's lists become tuples, its dates do not become text.
        document = orjson.dumps(yaml.safe_load(text), option=orjson.OPT_PASSTHROUGH_DATETIME)
        config = pydantic.TypeAdapter(CityConfig).validate_json(document)
    except (yaml.YAMLError, TypeError) as error:
        raise ConfigurationError(f"{source} is not a readable YAML file: {error}") from error
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigurationError(f"{source}: {place}: {first['msg']}") from error
    problems = list(_problems(config))
    if problems:
        raise ConfigurationError(f"{source}: " + "; ".join(problems))
    return config


def _problems(config: CityConfig) -> Iterable[str]:
    """Yield each problem as text."""
    if len(config.scopes) > _SCOPE_BITS:
        yield f"there are more than {_SCOPE_BITS} scopes"
    for kind, entries in (("programme", config.programmes), ("merchant", config.merchants)):
        yield from _repeated(f"{kind} id", [entry.id for entry in entries])
        yield from _repeated(f"{kind} slug", [entry.slug for entry in entries])
        for entry in entries:
            if not 0 < entry.id < 2**32:
                yield f"{kind} {entry.slug}: id {entry.id} is not 1 to 2^32 - 1"
            if not _SLUG.fullmatch(entry.slug):
                yield f"{kind} {entry.id}: slug {entry.slug!r} is not lower-case letters, digits and hyphens"
    for programme in config.programmes:
        yield from _programme_problems(programme, config)
    for merchant in config.merchants:
        if not merchant.scopes:
            yield f"merchant {merchant.slug}: it needs a scope"
        yield from _unknown(f"merchant {merchant.slug}: scope", merchant.scopes, config.scopes)
    yield from _appropriation_problems(config)
    yield from _clearing_problems(config.clearing)
    for name, cap in (("resident_cap_fen", config.resident_cap_fen), ("rebirth_cap_fen", config.rebirth_cap_fen)):
        if not 0 <= cap < 2**64:
            yield f"{name} is out of range"


def _appropriation_problems(config: CityConfig) -> Iterable[str]:
    known = {programme.id for programme in config.programmes}
    years = [(appropriation.programme, appropriation.fiscal_year) for appropriation in config.appropriations]
    yield from _repeated("appropriation (programme, fiscal year)", years)
    for appropriation in config.appropriations:
        label = f"appropriation {appropriation.document!r}"
        if appropriation.programme not in known:
            yield f"{label}: there is no programme {appropriation.programme}"
        if not 0 < appropriation.fen <= YEAR_FEN_MAX or not 0 < appropriation.fiscal_year < 2**32:
            yield f"{label}: {appropriation.fen} fen for {appropriation.fiscal_year} is out of range"


def _clearing_problems(clearing: ClearingConfig) -> Iterable[str]:
    if not MATURITY_MIN_S <= clearing.maturity_s <= MATURITY_MAX_S:
        yield "clearing: maturity_s is not 1 to 30 days"
    if not PAYMENT_TERM_MIN_S <= clearing.payment_term_s <= PAYMENT_TERM_MAX_S:
        yield "clearing: payment_term_s is not 1 to 90 days"
    if not 0 <= clearing.payout_ceiling_fen < 2**96:
        yield "clearing: payout_ceiling_fen is out of range"


def _programme_problems(programme: ProgrammeConfig, config: CityConfig) -> Iterable[str]:
    label = f"programme {programme.slug}"
    yield from _repeated(f"{label}: flag", programme.flags)
    yield from _unknown(f"{label}: flag", programme.flags, FLAGS)
    yield from _unknown(f"{label}: scope", programme.spend_scope, config.scopes)
    if not 0 <= programme.par_microfen <= PAR_MAX:
        yield f"{label}: par {programme.par_microfen} is not 0 to {PAR_MAX} micro-fen"
    if programme.par_microfen == 0 and not {"transferable"}.issuperset(programme.flags):
        yield f"{label}: points of par 0 have no value to exchange or redeem"
    if not _SYMBOL.fullmatch(programme.symbol):
        yield f"{label}: symbol {programme.symbol!r} is not 2 to 8 capital letters"
    if not 0 <= programme.inflow_cap_fen < 2**64:
        yield f"{label}: inflow_cap_fen is out of range"
    for name, ceiling in (("mint", programme.daily_mint_fen), ("revoke", programme.daily_revoke_fen)):
        if not 0 <= ceiling < 2**48:
            yield f"{label}: daily_{name}_fen is out of range"


def _repeated(label: str, values: Iterable[object]) -> Iterable[str]:
    seen: set[object] = set()
    for value in values:
        if value in seen:
            yield f"{label} {value} appears twice"
        seen.add(value)


def _unknown(label: str, values: Iterable[str], known: Mapping[str, object]) -> Iterable[str]:
    for value in values:
        if value not in known:
            yield f"{label} {value!r} is not one of {', '.join(known)}"
