"""Who holds which key in a city made for a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ledger.deployment.city import CityActors, CityConfig
from ledger.standard.ids import Address, MerchantId, ProgrammeId
from ledger.standard.signatures import SigningKey


def lab_actors(
    config: CityConfig,
    key: Callable[[str], SigningKey],
    issuers: Mapping[ProgrammeId, tuple[Address, ...]] | None = None,
    **others: Any,
) -> CityActors:
    """Return actors whose keys have their role's name; a council of one, and institutions whose acts wait for nobody.

    ``others`` replaces what else `CityActors` has.
    """
    chosen: dict[str, Any] = {
        "council": (key("council").address,),
        "council_threshold": 1,
        "finance_bureau": key("finance").address,
        "guardian": key("guardian").address,
        "registrar": key("registrar").address,
        "supervisor": key("supervisor").address,
        "arbiter": key("arbiter").address,
        "arbiter_key": key("arbiter's second hand").address,
        "desks": (key("desk").address, key("second desk").address),
        "institution_delay_s": 0,
    }
    return CityActors(
        issuers=issuers or {ProgrammeId(p.id): (key(f"issuer {p.id}").address,) for p in config.programmes},
        merchants={MerchantId(m.id): key(f"merchant {m.id}").address for m in config.merchants},
        **(chosen | others),
    )
