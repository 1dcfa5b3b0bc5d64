"""What can be wrong with a value that claims to follow the points standard."""

from __future__ import annotations

from ledger.errors import TongduiError


class StandardError(TongduiError):
    """Base of the errors of this package."""


class OutOfRange(StandardError):
    """An integer does not fit the field that should carry it."""

    def __init__(self, field: str, value: int, bound: str) -> None:
        self.field = field
        self.value = value
        self.bound = bound
        super().__init__(f"{field} is {value}, which is outside {bound}")


class WrongLength(StandardError):
    """A byte string has not the length its field needs."""

    def __init__(self, field: str, length: int, expected: int) -> None:
        self.field = field
        self.length = length
        self.expected = expected
        super().__init__(f"{field} has {length} bytes; it needs {expected}")


class BadAddress(StandardError):
    """A string is not 0x and 40 hexadecimal digits."""

    def __init__(self, value: str) -> None:
        self.value = value
        super().__init__(f"{value!r} is not an account address (0x and 40 hexadecimal digits)")


class NoValue(StandardError):
    """A programme of par 0 took part in an exchange; such points are a score and have no value to exchange."""

    def __init__(self, par_in: int, par_out: int) -> None:
        self.par_in = par_in
        self.par_out = par_out
        super().__init__(f"an exchange needs two positive pars; got {par_in} and {par_out} micro-fen a point")


class NotCanonical(StandardError):
    """A record cannot be written in canonical form: keys must be ASCII text, values text without lone surrogates."""

    def __init__(self, key: object, reason: str) -> None:
        self.key = key
        self.reason = reason
        super().__init__(f"record field {key!r} has no canonical form: {reason}")


class MalformedPacked(StandardError):
    """A packed byte string does not follow its encoding."""

    def __init__(self, offset: int, reason: str) -> None:
        self.offset = offset
        self.reason = reason
        super().__init__(f"packed bytes are malformed at offset {offset}: {reason}")


class MalformedAmountText(StandardError):
    """Not an amount of points or 元 as text: see `ledger.standard.amounts`."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f"{text[:32]!r} is not an amount with at most two decimals")


class BadSignature(StandardError):
    """65 bytes are not a signature r, s, v (27 or 28, low s) from which a key can be recovered."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"bad signature: {reason}")


class EmptyTree(StandardError):
    """A Merkle tree needs at least one leaf."""

    def __init__(self) -> None:
        super().__init__("a Merkle tree needs at least one leaf")
