"""What can be wrong with a sign-in, a login or a session."""

from __future__ import annotations

from ledger.errors import TongduiError


class LoginError(TongduiError):
    """Base of the errors about logins."""


class SignInRefused(LoginError):
    """Name and password do not fit: which of the two, and whether the login is disabled, is not said."""

    def __init__(self) -> None:
        super().__init__("name and password do not fit")


class SignInThrottled(LoginError):
    """Too many attempts that failed, for this name or from this address."""

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"too many attempts to sign in; try again in {retry_after_s} s")


class PasswordsOff(LoginError):
    """Nobody signs in with a password here, or nobody makes a login for himself."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class WeakPassword(LoginError):
    """A password that is too short, too long, or guessed at once. ``reason`` is ``length`` or ``guessable``."""

    def __init__(self, reason: str, length_min: int) -> None:
        self.reason = reason
        self.length_min = length_min
        said = "of four different characters at least, and not with the name in it"
        super().__init__(f"a password has {length_min} to 256 characters" + ("" if reason == "length" else f", {said}"))


class BadLoginName(LoginError):
    """A name that cannot be one."""

    def __init__(self) -> None:
        super().__init__("a name has 3 to 64 letters, digits or . _ @ + -, without spaces")


class LoginNameTaken(LoginError):
    """Somebody has this name."""

    def __init__(self) -> None:
        super().__init__("this name is taken")


class UnknownLogin(LoginError):
    """There is no such login, or it is not the caller's to see."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is no login {name!r}")


class UnknownSession(LoginError):
    """There is no such session, or it is another's."""

    def __init__(self) -> None:
        super().__init__("there is no such session")
