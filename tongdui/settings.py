"""Settings of an installation, from the environment (``TONGDUI_…``) or a ``.env`` file. Nothing needs to be set.

No setting holds a secret by default: keys are generated on the first start and kept in the state directory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class IssuerSignerSettings(BaseModel):
    """An agency's own signer: Web3Signer's eth1 API over HTTP (``tongdui signer serve``, or Web3Signer itself)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    """Where it listens."""

    public_key: str = Field(pattern=r"^(0x)?[0-9a-fA-F]{128}$")
    """The key that signs, 64 bytes: Web3Signer's identifier. Its account must be an issuer key of the programme."""

    is_deriving: bool = True
    """Whether it is shown what it signs. Warning: without it (a plain Web3Signer) it signs all that it is given."""

    bearer_file: Path | None = None
    """A file with the bearer token that it wants to see."""

    ca_file: Path | None = None
    """The authority of its certificate; by default the machine's."""

    certificate_file: Path | None = None
    """The gateway's certificate (mutual TLS), with ``key_file``."""

    key_file: Path | None = None
    """The key of ``certificate_file``."""

    timeout_s: float = Field(default=10.0, gt=0, le=120)
    """Seconds that an answer may take."""

    attempts_max: int = Field(default=3, ge=1, le=10)
    """How often it is asked before the batch waits."""


class Settings(BaseSettings):
    """Everything that an installation can choose."""

    model_config = SettingsConfigDict(env_prefix="TONGDUI_", env_file=".env", extra="ignore", frozen=True)

    state_dir: Path = Path(".tongdui")
    """Keys, database, chain and deployment of the embedded default."""

    database_url: SecretStr | None = None
    """``sqlite:///FILE`` or ``postgresql://…``; by default ``books.db`` in the state directory."""

    rpc_url: str | None = None
    """A network's JSON-RPC node, or several with commas between them: bytes are submitted to each, and where one fails,
    lags or contradicts the others the next is asked. Without it the embedded engine runs."""

    finality: str = "latest"
    """A remote engine's rule of finality: ``latest`` for QBFT and IBFT, ``depth:12`` for Clique."""

    rpc_timeout_s: float | None = Field(default=None, gt=0)
    """Seconds that a node may take for an answer; by default 30 for a network's node, 120 for the embedded one, whose
    blocks take long when they are large."""

    stall_s: float = Field(default=20.0, ge=1, le=3_600)
    """Seconds without an outcome after which waiting work counts as stalled: ``/readyz`` says no, and an alarm says
    what to do. On a network, more than three times its usual time to final."""

    gas_in_flight_max: int | None = Field(default=None, ge=16_000_000)
    """The gas limits of all transactions that may be under way at once; the sender stays below it while outcomes take
    long. By default 300 million on a network, 1,024 million on the embedded engine. On a network, at most what its
    validators run in a few seconds."""

    validators: list[str] = []
    """The accounts that seal the blocks of a QBFT or Clique network, as JSON; none in the embedded default."""

    deployment_file: Path | None = None
    """deployment.json; by default in the state directory, where the embedded default writes it."""

    master_key_file: Path | None = None
    """The key that wraps all others; by default ``master.key`` in the state directory, created with mode 0600."""

    issuer_signers: dict[str, IssuerSignerSettings] = {}
    """By programme's slug, as JSON: who signs in the agency's house. Programmes not named here are signed for with the
    keystore's keys, as in the embedded default."""

    host: str = "127.0.0.1"
    """The address on which the API listens."""

    port: int = Field(default=8080, ge=0, le=65535)
    """The API's port; 0 takes a free one."""

    public_url: str | None = Field(default=None, pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?$")
    """Where people reach the pages, as in ``https://points.example.cn``, with TLS at a proxy in front. Without it
    pages are served to this machine only."""

    rpc_proxy_port: int | None = Field(default=None, ge=0, le=65535)
    """Where auditors and residents with own keys reach the embedded chain: a few read methods and signed transactions,
    capped at the final height; 0 takes a free port. Nobody reaches it unless a port is set, for the window asks for no
    token."""

    proxies: list[str] = []
    """Networks of the reverse proxies before the API, as JSON (``["10.0.0.4/32"]``): from there alone
    ``X-Forwarded-For`` is believed, by which requests without a token are counted. None by default."""

    oidc_issuer: str | None = None
    """The issuer whose tokens are accepted. Set it together with ``oidc_jwks_url``; the local issuer is then off."""

    oidc_jwks_url: str | None = None
    """Where the issuer publishes its keys (RFC 7517): ``https``, or ``http`` on loopback. Redirects are not followed,
    and networks that are not public need ``outgoing_networks``."""

    oidc_role_scopes: dict[str, list[str]] = {}
    """What the provider's roles and groups (claims ``roles``, ``groups``, ``realm_access.roles``) stand for here, as
    JSON: ``{"finance-clerks": ["finance"]}``. Scopes in ``scope`` and ``scp`` count beside them."""

    token_audience: str = "tongdui-api"  # noqa: S105  (a name, not a secret)
    """What the ``aud`` claim must contain."""

    registration: Literal["open", "closed"] = "open"
    """Whether residents make their own logins with name and password (``POST /v1/logins``). With an identity provider
    nobody does; ``tongdui accounts add`` makes logins in either case but that."""

    refund_alone_max_fen: int | None = Field(default=50_000, ge=0)
    """What one login of a shop gives back of an order in all, in fen; more takes a second login. ``null``: anything."""

    session_idle_minutes: int = Field(default=15, ge=1, le=1_440)
    """After how many minutes without use a session of a counter or console ends."""

    session_idle_wallet_days: int = Field(default=30, ge=1, le=90)
    """After how many days without use a resident's session ends."""

    rate_per_minute: int = Field(default=600, ge=1)
    """Requests a subject (or, without a token, an address) may make in a minute."""

    body_bytes_max: int = Field(default=262_144, ge=1_024)
    """The largest request body that is read."""

    push_bytes_max: int = Field(default=67_108_864, ge=1_024)
    """The largest body of a source system's push as JSON Lines, which is spooled to a file and read as a stream."""

    push_document_bytes_max: int = Field(default=4_194_304, ge=1_024)
    """The largest body of a push as one JSON document, which is parsed whole."""

    drop_dir: Path | None = None
    """Where agencies drop files: a folder for each programme's slug. By default ``drop`` in the state directory."""

    originals_days: int = Field(default=90, ge=0, le=3_660)
    """How many days files stay in a drop folder once they were read, and the content of refused rows in the database.
    An erasure removes the former at once, and of the latter what names the person."""

    outgoing_networks: list[str] = []
    """Networks that are not public and that outgoing requests may reach all the same, over plain ``http`` too, as JSON
    (``["10.20.0.0/16"]``): pages of source systems, an identity provider's keys, webhooks. All else must be ``https``
    at a public address."""

    workers: bool = True
    """Whether this process runs the gateway's workers (sender, indexer, settlement of orders)."""

    processes: int = Field(default=1, ge=1, le=64)
    """How many processes answer HTTP, beside one more with the workers. 1: one process does everything."""

    relayers: int = Field(default=4, ge=1, le=64)
    """How many sending keys share the work."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important messages that are logged."""

    @model_validator(mode="after")
    def _provider_is_whole(self) -> Settings:
        """Half an identity provider would either refuse everybody or trust any issuer."""
        if (self.oidc_issuer is None) != (self.oidc_jwks_url is None):
            raise ValueError("set TONGDUI_OIDC_ISSUER and TONGDUI_OIDC_JWKS_URL together, or neither")
        return self

    @property
    def rpc_urls(self) -> list[str]:
        """The addresses in ``rpc_url``."""
        return [url.strip() for url in (self.rpc_url or "").split(",") if url.strip()]

    @property
    def uses_oidc(self) -> bool:
        """Whether tokens come from an identity provider rather than from here."""
        return self.oidc_jwks_url is not None
