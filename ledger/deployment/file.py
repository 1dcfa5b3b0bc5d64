"""The deployment file: which chain, which contracts, which city. Every other part reads it, and checks it, before it
starts."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import pydantic

from ledger.chain.answers import hex_bytes
from ledger.chain.engine import Engine
from ledger.chain.errors import DeploymentMismatch
from ledger.chain.rpc import RpcClient
from ledger.deployment import artifacts
from ledger.deployment.city import FLAGS, Names
from ledger.errors import ConfigurationError
from ledger.standard.ids import Address, MerchantId, ProgrammeId, ProgrammeSlug
from ledger.standard.keccak import keccak256
from ledger.standard.typed_data import Domain

FILE_NAME = "deployment.json"
_VERSION = 2
_STRICT = pydantic.ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract on chain."""

    address: Address
    code_hash: str
    """Keccak-256 of its runtime code, 0x and 64 digits."""

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True)
class PastContract:
    """A module that was replaced, and until when it had its role: an auditor follows it through its time."""

    name: str
    address: Address
    code_hash: str
    until_block: int
    """Number of the last block in which it had its role."""

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True)
class DeployedProgramme:
    """A programme as it was registered."""

    id: ProgrammeId
    slug: ProgrammeSlug
    names: Names
    agency: Names
    symbol: str
    par_microfen: int
    flags: int
    """Bits as on chain; see `city.FLAGS`."""
    spend_scope: str
    """bytes32 as on chain, 0x and 64 digits; all 0: anywhere."""

    __pydantic_config__ = _STRICT

    def has(self, flag: str) -> bool:
        """Return whether a flag, by its name in `city.FLAGS`, is set."""
        return bool(self.flags & FLAGS[flag])


@dataclass(frozen=True, slots=True)
class DeployedMerchant:
    """A merchant as it was registered; more may have been since."""

    id: MerchantId
    slug: str
    names: Names
    scopes: tuple[str, ...]
    scope: str
    """bytes32 as on chain."""
    key: Address

    __pydantic_config__ = _STRICT


@dataclass(frozen=True, slots=True)
class Deployment:
    """What `deploy` made. Amounts and keys that can change live on chain, not here."""

    chain_id: int
    salt: str
    """Deployment id in the EIP-712 domain, 0x and 64 digits."""
    block: int
    """Number of the block with the first contract: nothing of ours is before it."""
    city: Names
    contracts: Mapping[str, Contract]
    programmes: tuple[DeployedProgramme, ...]
    merchants: tuple[DeployedMerchant, ...]
    scopes: Mapping[str, Names]
    """In the order of their bits."""
    replaced: tuple[PastContract, ...] = ()
    """Modules that are no more, oldest first."""
    version: int = _VERSION

    __pydantic_config__ = _STRICT

    def address(self, contract: str) -> Address:
        """Return a contract's address by its name. Raises ConfigurationError."""
        try:
            return self.contracts[contract].address
        except KeyError:
            raise ConfigurationError(f"the deployment has no contract {contract}") from None

    def domain(self) -> Domain:
        """Return the EIP-712 domain in which everything is signed here."""
        return Domain(self.chain_id, self.address("PointsLedger"), bytes.fromhex(self.salt[2:]))

    def programme(self, key: int | str) -> DeployedProgramme:
        """Return a programme by id or slug. Raises ConfigurationError."""
        for programme in self.programmes:
            if key in (programme.id, programme.slug):
                return programme
        raise ConfigurationError(f"the deployment has no programme {key}")

    def merchant(self, key: int | str) -> DeployedMerchant:
        """Return a merchant by id or slug. Raises ConfigurationError."""
        for merchant in self.merchants:
            if key in (merchant.id, merchant.slug):
                return merchant
        raise ConfigurationError(f"the deployment has no merchant {key}")

    def check(self, engine: Engine) -> None:
        """Compare chain id, code and signing domain with the chain at its final height.

        Raises DeploymentMismatch at the first contradiction, `RpcError` if the node cannot say.
        """
        self.check_chain(engine.rpc, engine.final_height())

    def check_chain(self, rpc: RpcClient, height: int) -> None:
        """As `check`, for the auditor, who has only a node. Without web3: workers start with it, and audits run it."""
        found = int(rpc.call("eth_chainId"), 16)
        if found != self.chain_id:
            raise DeploymentMismatch("chain id", self.chain_id, found)
        if height < self.block:
            raise DeploymentMismatch("height", f"at least {self.block}", height)
        names = list(self.contracts)
        codes = rpc.batch([("eth_getCode", [self.contracts[name].address, hex(height)]) for name in names])
        for name, code in zip(names, codes, strict=True):
            code_hash = "0x" + keccak256(bytes.fromhex(code[2:])).hex()
            if code_hash != self.contracts[name].code_hash:
                what = f"code hash of {name} at {self.contracts[name].address}"
                raise DeploymentMismatch(what, self.contracts[name].code_hash, code_hash if code != "0x" else "no code")
        ask = {
            "to": self.address("PointsLedger"),
            "data": "0x" + artifacts.call_data("PointsLedger", "domainSeparator").hex(),
        }
        answer = hex_bytes(rpc.call("eth_call", [ask, hex(height)]), "eth_call")
        separator = artifacts.decode_result("PointsLedger", "domainSeparator", answer)
        if separator != self.domain().separator:
            raise DeploymentMismatch("signing domain", self.domain().separator.hex(), separator.hex())

    def to_json(self) -> bytes:
        """Return the file's content."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    def write(self, path: Path) -> None:
        """Write the file so that after a crash there is the old one, or the new one, whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=path.name, dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(self.to_json())
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @classmethod
    def from_json(cls, content: bytes, source: str = "deployment") -> Deployment:
        """Read the file's content. Raises ConfigurationError that names the place or an older edition."""
        if _edition(content) == 1:
            raise ConfigurationError(
                f"{source} describes contracts of the first edition, which this version does not read: keep the folder"
                " for its auditors and begin a new one (a different --data folder)"
            )
        try:
            deployment = pydantic.TypeAdapter(cls).validate_json(content)
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the file"
            raise ConfigurationError(f"{source}: {place}: {first['msg']}") from error
        if deployment.version != _VERSION:
            raise ConfigurationError(f"{source}: version {deployment.version} is not {_VERSION}")
        return deployment

    @classmethod
    def read(cls, path: Path) -> Deployment:
        """Read a file. Raises ConfigurationError if it is not there or not a deployment."""
        try:
            return cls.from_json(path.read_bytes(), str(path))
        except OSError as error:
            raise ConfigurationError(f"the deployment file cannot be read: {error}") from error


def _edition(content: bytes) -> object:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return document.get("version") if isinstance(document, dict) else None


def bytes32(value: int) -> str:
    """Return an unsigned integer as 0x and 64 digits."""
    return "0x" + value.to_bytes(32, "big").hex()
