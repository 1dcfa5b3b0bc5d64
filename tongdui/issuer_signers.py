"""Who signs for the issuers: this installation's keystore, or the agency's own signer where settings name one."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.custody.keystore import Keystore
from ledger.custody.signer import IssuerSigner
from ledger.custody.web3signer import Web3Signer, Web3SignerAddress
from ledger.deployment.file import Deployment
from ledger.errors import ConfigurationError
from ledger.standard.ids import Address, ProgrammeId
from tongdui.settings import IssuerSignerSettings, Settings


def key_name(slug: str) -> str:
    """Return the name in the keystore of a programme's key."""
    return f"issuers/{slug}"


def issuer_address(slug: str, keystore: Keystore, signers: Mapping[str, IssuerSignerSettings]) -> Address:
    """Return the account that signs for a programme that is to be deployed. A key is generated only for those that this
    installation signs for itself."""
    remote = signers.get(slug)
    return keystore.get_or_create(key_name(slug)).address if remote is None else address_of(remote).account


def open_signers(deployment: Deployment, keystore: Keystore, settings: Settings) -> dict[ProgrammeId, IssuerSigner]:
    """Return every programme's signer that this installation has, by programme id.

    This installation's own keys are opened at their first signature.

    Raises ConfigurationError for a programme that is not deployed, for settings that cannot work, and if the keystore
    still holds the key of a programme that an agency signs for: then the gateway could mint after all.
    """
    remote = settings.issuer_signers
    kept = set(keystore.names("issuers/"))
    for slug in remote:
        deployment.programme(slug)
        if key_name(slug) in kept:
            raise ConfigurationError(
                f"the keystore still holds {key_name(slug)}, but an agency's signer is set for {slug}: "
                "have the council revoke that key on chain, then move its file away"
            )
    signers: dict[ProgrammeId, IssuerSigner] = {}
    for one in deployment.programmes:
        if one.slug in remote:
            signers[one.id] = Web3Signer(address_of(remote[one.slug]))
        elif key_name(one.slug) in kept:
            signers[one.id] = keystore.signer(key_name(one.slug))
    return signers


def close_signers(signers: Mapping[ProgrammeId, IssuerSigner]) -> None:
    """Close the connections of those that have some."""
    for signer in signers.values():
        if isinstance(signer, Web3Signer):
            signer.close()


def address_of(settings: IssuerSignerSettings) -> Web3SignerAddress:
    """Return where a signer is, as its client wants it."""
    return Web3SignerAddress(
        url=settings.url,
        public_key=bytes.fromhex(settings.public_key.removeprefix("0x")),
        is_deriving=settings.is_deriving,
        bearer_file=settings.bearer_file,
        ca_file=settings.ca_file,
        certificate_file=settings.certificate_file,
        key_file=settings.key_file,
        timeout_s=settings.timeout_s,
        attempts_max=settings.attempts_max,
    )
