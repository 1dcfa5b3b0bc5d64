"""The settings of an agency's signer: a YAML file in the agency's hands. Paths are relative to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pydantic

from issuers.agency.rules import Policy
from issuers.rules.rulebook import Rulebook
from issuers.yaml_file import load_yaml
from ledger.deployment.file import Deployment
from ledger.errors import ConfigurationError
from ledger.standard.ids import ProgrammeId

FILE_NAME = "signer.yaml"
Minor = Annotated[int, pydantic.Field(ge=1, lt=1 << 62)]


class TlsSettings(pydantic.BaseModel):
    """Certificates; with ``client_ca`` only clients whose certificate it signed are let in (mutual TLS)."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    certificate: Path
    key: Path
    client_ca: Path | None = None


class AgencySettings(pydantic.BaseModel):
    """What an agency decides for its signer. Amounts in minor units (a hundredth of a point)."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    programme: Annotated[ProgrammeId, pydantic.Field(ge=1, lt=1 << 32)]
    deployment: Path = Path("deployment.json")
    """The agency's own copy of the deployment file: it fixes the signing domain."""
    rulebooks: Annotated[tuple[Path, ...], pydantic.Field(min_length=1)]
    """Every version that grants may name."""
    keys: Path = Path("keys")
    """Folder of the encrypted keys; ``master.key`` lies beside it, mode 0600."""
    journal: Path = Path("journal.db")
    host: str = "127.0.0.1"
    port: Annotated[int, pydantic.Field(ge=0, le=65535)] = 9000
    bearer_file: Path | None = Path("bearer")
    """The token that the gateway must show; none: mutual TLS alone."""
    tls: TlsSettings | None = None
    grant_minor_max: Minor
    batch_minor_max: Minor
    day_minor_max: Minor
    day_revoked_minor_max: Minor | None = None
    """Most that is taken back in a day; none: as much as may be granted in one."""
    requires_records: bool = True
    """Whether every grant must come with its record, which is then rated by the rulebooks here."""
    requires_known_records: bool = False
    """Whether each record must stand in the agency's own exports (``tongdui signer learn``)."""
    node: str | None = None
    """A node that the agency trusts: it proves that a number is void before its grants may have new numbers."""
    finality: str = "latest"

    @pydantic.model_validator(mode="after")
    def _is_guarded(self) -> AgencySettings:
        if self.bearer_file is None and (self.tls is None or self.tls.client_ca is None):
            raise ValueError("give bearer_file, or tls with client_ca: else anybody could ask for signatures")
        if self.tls is None and self.host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("give tls: without it the signer listens on this machine alone")
        return self

    def policy(self, folder: Path) -> Policy:
        """Return the rules. Raises ConfigurationError for a file that is missing or wrong."""
        deployment = Deployment.read(folder / self.deployment)
        deployment.programme(self.programme)
        books: dict[int, Rulebook] = {}
        for path in self.rulebooks:
            book = Rulebook.load(folder / path)
            if book.programme != self.programme:
                raise ConfigurationError(f"{path} is of programme {book.programme}, not {self.programme}")
            if book.version in books:
                raise ConfigurationError(f"{path}: version {book.version} is there twice")
            books[book.version] = book
        return Policy(
            self.programme,
            deployment.domain(),
            books,
            self.grant_minor_max,
            self.batch_minor_max,
            self.day_minor_max,
            self.requires_records,
            self.requires_known_records,
            self.day_revoked_minor_max,
        )


def load_settings(folder: Path) -> AgencySettings:
    """Read ``signer.yaml`` of a folder. Raises ConfigurationError that names the place."""
    return load_yaml(AgencySettings, folder / FILE_NAME)
