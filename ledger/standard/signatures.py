"""secp256k1 signatures over digests: 65 bytes r | s | v, v 27 or 28, s in the lower half of the order.

libsecp256k1 through coincurve; the contracts accept exactly this form from keys (and anything from ERC-1271 wallets).
"""

from __future__ import annotations

from coincurve import PrivateKey, PublicKey

from ledger.standard.errors import BadSignature
from ledger.standard.ids import Address, fixed_bytes, to_address
from ledger.standard.keccak import keccak256

SIGNATURE_BYTES = 65
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


class SigningKey:
    """A prepared private key: 22k signatures a second, against 9k when the key is derived anew for each.

    Its repr never shows the secret.
    """

    __slots__ = ("_key", "address")

    def __init__(self, private_key: bytes) -> None:
        """Prepare 32 secret bytes. Raises WrongLength, or BadSignature if they are not a key of the curve."""
        try:
            self._key = PrivateKey(fixed_bytes("private key", private_key, 32))
        except ValueError as error:
            raise BadSignature("the private key is zero or beyond the curve's order") from error
        self.address: Address = _address(self._key.public_key)

    def sign_digest(self, digest: bytes) -> bytes:
        """Return the deterministic (RFC 6979) signature of 32 bytes. Raises WrongLength."""
        compact = self._key.sign_recoverable(fixed_bytes("digest", digest, 32), hasher=None)
        return compact[:64] + bytes([compact[64] + 27])

    @property
    def public_key(self) -> bytes:
        """The point of the curve without its prefix, 64 bytes: the account is the end of its keccak."""
        return self._key.public_key.format(compressed=False)[1:]

    def __repr__(self) -> str:
        return f"SigningKey({self.address})"


def sign_digest(private_key: bytes, digest: bytes) -> bytes:
    """Return the signature of a 32-byte digest by a 32-byte private key; see `SigningKey` for many by one key."""
    return SigningKey(private_key).sign_digest(digest)


def address_of(private_key: bytes) -> Address:
    """Return the account of a private key."""
    return SigningKey(private_key).address


def recover(digest: bytes, signature: bytes) -> Address:
    """Return the account that signed a digest. Raises BadSignature for what the contracts would not accept."""
    fixed_bytes("digest", digest, 32)
    if len(signature) != SIGNATURE_BYTES:
        raise BadSignature(f"{len(signature)} bytes instead of {SIGNATURE_BYTES}")
    if signature[64] not in (27, 28):
        raise BadSignature(f"v is {signature[64]}, not 27 or 28")
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        raise BadSignature("s is in the upper half of the order")
    try:
        compact = signature[:64] + bytes([signature[64] - 27])
        return _address(PublicKey.from_signature_and_message(compact, digest, hasher=None))
    except ValueError as error:  # coincurve: r or s is 0 or beyond the order, or no point has this r
        raise BadSignature("no key signs like this") from error


def _address(key: PublicKey) -> Address:
    return to_address(keccak256(key.format(compressed=False)[1:])[12:])
