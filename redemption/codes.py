"""One-time codes of slips: ten signs of Crockford's base 32 (50 bits), derived by a key and stored only as an HMAC.

A code can be printed again as long as the key lives, though no table holds it. 50 bits against a merchant's rate limit
and a slip's few days make guessing hopeless; the alphabet has no I, L, O or U, and reading aloud works.
Source of the alphabet: https://www.crockford.com/base32.html
"""

from __future__ import annotations

import hashlib
import hmac

from redemption.errors import BadSlipCode

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 10
QR_PREFIX = "TONGDUI:"

_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1"})


class CodeBook:
    """Derives a slip's code and the HMAC by which it is found."""

    def __init__(self, secret: bytes) -> None:
        """Take 32 secret bytes, drawn by this installation and used for nothing else."""
        self._code_key = hmac.digest(secret, b"slip-code", hashlib.sha256)
        self._find_key = hmac.digest(secret, b"slip-find", hashlib.sha256)

    def code(self, slip_id: str) -> str:
        """Return the code of a slip, ten signs without a dash."""
        number = int.from_bytes(hmac.digest(self._code_key, slip_id.encode(), hashlib.sha256)[:8], "big")
        signs = []
        for _ in range(CODE_LENGTH):
            number, digit = divmod(number, 32)
            signs.append(ALPHABET[digit])
        return "".join(signs)

    def finder(self, code: str) -> bytes:
        """Return the HMAC under which a code is stored."""
        return hmac.digest(self._find_key, code.encode(), hashlib.sha256)


def grouped(code: str) -> str:
    """Return a code as people read it: ``ABCDE-FGHJK``."""
    return f"{code[:5]}-{code[5:]}"


def parse(text: str) -> str:
    """Return the ten signs of what a person typed or a camera read.

    Raises:
        BadSlipCode: it cannot be a code.
    """
    cleaned = text.strip().upper().removeprefix(QR_PREFIX).replace("-", "").replace(" ", "").translate(_READ_AS)
    if len(cleaned) != CODE_LENGTH or any(sign not in ALPHABET for sign in cleaned):
        raise BadSlipCode
    return cleaned
