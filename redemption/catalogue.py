"""The first catalogue of an installation: merchants' details and offers from a YAML file beside the deployment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pydantic
import yaml
from sqlalchemy.orm import Session

from ledger.deployment.file import Deployment
from ledger.errors import ConfigurationError
from ledger.standard.contract import ORDER_FEN_MIN
from ledger.standard.ids import MerchantId
from redemption.merchants import Merchant, MerchantDirectory
from redemption.offers import Offer, OfferCatalogue


class _Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class _Names(_Model):
    zh: str
    en: str


class _OfferEntry(_Model):
    id: str = pydantic.Field(pattern=r"^[a-z0-9-]{1,40}$")
    titles: _Names
    price_fen: int = pydantic.Field(ge=ORDER_FEN_MIN)
    stock: int | None = pydantic.Field(ge=0)
    per_resident: int | None = pydantic.Field(default=None, ge=1)


class MerchantEntry(_Model):
    """A merchant's details and offers, by the slug it is deployed under."""

    category: str
    address: _Names
    offers: list[_OfferEntry] = []


def default_path() -> Path:
    """Return the catalogue of the demo's city."""
    return Path(__file__).with_name("offers.default.yaml")


def load(path: Path) -> dict[str, MerchantEntry]:
    """Read a catalogue. Raises ConfigurationError that names the place."""
    try:
        return pydantic.TypeAdapter(dict[str, MerchantEntry]).validate_python(
            yaml.safe_load(path.read_text(encoding="utf-8"))
        )
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"the catalogue of offers cannot be read: {error}") from error
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{path}: {place}: {first['msg']}") from error


def load_catalogue(
    session: Session,
    deployment: Deployment,
    entries: Mapping[str, MerchantEntry],
    merchants: MerchantDirectory,
    offers: OfferCatalogue,
    signer_names: Mapping[MerchantId, str],
) -> None:
    """Give each deployed merchant its details and each offer its place, where there is none yet.

    What is there stays as it is: it has been changed since, by people. ``signer_names`` name the keys that the gateway
    keeps for merchants.
    """
    for deployed in deployment.merchants:
        entry = entries.get(deployed.slug)
        if not merchants.exists(session, deployed.id):
            merchants.save(
                session,
                Merchant(
                    merchant_id=deployed.id,
                    name_zh=deployed.names.zh,
                    name_en=deployed.names.en,
                    category=entry.category if entry else deployed.scopes[0],
                    address_zh=entry.address.zh if entry else "",
                    address_en=entry.address.en if entry else "",
                    signer_name=signer_names.get(deployed.id),
                ),
            )
        for offer in entry.offers if entry else ():
            offers.ensure(
                session,
                Offer(
                    offer_id=offer.id,
                    merchant_id=deployed.id,
                    title_zh=offer.titles.zh,
                    title_en=offer.titles.en,
                    price_fen=offer.price_fen,
                    stock_total=offer.stock,
                    per_resident_max=offer.per_resident,
                ),
            )
