from __future__ import annotations

import importlib
import inspect
import pkgutil
from string import Formatter

import pytest

import issuers.errors
import ledger.clearing.errors
import ledger.custody.errors
import ledger.orders.errors
import ledger.residents.errors
import redemption.errors
from ledger.errors import InvariantViolation, TongduiError
from ledger_api import errors
from ledger_api.http import problems
from ledger_api.http.problems import PROBLEMS, body, by_slug, prefers_chinese, problem_type
from redemption.errors import OutOfStock, UnknownOffer

MODULES = [
    errors,
    redemption.errors,
    issuers.errors,
    ledger.clearing.errors,
    ledger.orders.errors,
    ledger.residents.errors,
    ledger.custody.errors,
]


def leaves() -> list[type[TongduiError]]:
    found = []
    for module in MODULES:
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, TongduiError) and kind.__module__ == module.__name__ and not kind.__subclasses__():
                found.append(kind)
    return found


@pytest.mark.parametrize("kind", leaves(), ids=lambda kind: kind.__name__)
def test_every_error_that_a_client_can_cause_has_a_problem_of_its_own(kind: type[TongduiError]) -> None:
    if issubclass(kind, ledger.custody.errors.CustodyError) or kind is ledger.custody.errors.MasterKeyUnsafe:
        return  # ours to mend, not the client's: internal unless it is listed
    assert kind in PROBLEMS


def test_members_and_chinese_details_name_attributes_that_exist() -> None:
    for kind, shown in PROBLEMS.items():
        source = inspect.getsource(kind)
        names = {name for _, name, _, _ in Formatter().parse(shown.detail_zh) if name}
        for name in names | set(shown.members):
            assert f"self.{name}" in source, (kind, name)


def test_slugs_are_words_and_two_kinds_share_one_only_if_they_are_alike() -> None:
    seen: dict[str, problems.ProblemType] = {}
    for shown in [*PROBLEMS.values(), problems.INTERNAL, problems.METHOD, problems.VALIDATION, problems.MALFORMED]:
        assert shown.slug.replace("-", "").isalpha()
        other = seen.setdefault(shown.slug, shown)
        assert (other.status, other.title_en) == (shown.status, shown.title_en)
    assert by_slug().keys() >= seen.keys()


def test_every_kind_speaks_both_languages() -> None:
    for shown in by_slug().values():
        assert shown.title_en.isascii()
        assert any("\u4e00" <= sign <= "\u9fff" for sign in shown.title_zh)


def test_the_languages_have_the_same_texts_and_each_is_used() -> None:
    english, chinese = problems.catalogue("en"), problems.catalogue("zh-CN")
    assert english.keys() == chinese.keys()
    for language, texts in (("en", english), ("zh", chinese)):
        shown = {getattr(kind, f"title_{language}") for kind in [*by_slug().values(), *PROBLEMS.values()]}
        shown |= {getattr(kind, f"detail_{language}") for kind in [*by_slug().values(), *PROBLEMS.values()]}
        for name, text in texts.items():
            assert text.keys() <= {"title", "detail"}, name
            assert set(text.values()) <= shown, name
            assert name.removesuffix(".on-chain") in by_slug()


def test_an_unlisted_error_takes_its_bases_kind() -> None:
    class Stranger(UnknownOffer):
        """A subclass that nobody listed."""

    assert problem_type(Stranger("x")).slug == "unknown-offer"

    class Alien(TongduiError):
        """A class of nobody."""

    assert problem_type(Alien("secret")) is problems.INTERNAL


def test_members_are_shown_and_details_follow_the_language() -> None:
    error = OutOfStock("rice", 4, 3)
    english = body(problem_type(error), request_id="r", chinese=False, error=error)
    chinese = body(problem_type(error), request_id="r", chinese=True, error=error)
    assert (english["asked"], english["left"], english["status"]) == (4, 3, 409)
    assert "3 left" in english["detail"]
    assert chinese["detail"] == "您要 4 件,现仅剩 3 件。"
    assert english["type"] == chinese["type"] == "/problems/out-of-stock"


def test_what_is_wrong_with_us_is_not_told() -> None:
    error = InvariantViolation("balance of 0xabc is 5")
    shown = body(problem_type(error), request_id="r", chinese=False, error=error)
    assert shown["status"] == 500
    assert "0xabc" not in str(shown)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False),
        ("", False),
        ("*", False),
        ("zh-CN", True),
        ("zh", True),
        ("en", False),
        ("fr, zh;q=0.5, en;q=0.4", True),
        ("en;q=0.9, zh-TW;q=0.8", False),
        ("zh, en", True),
        ("en, zh", False),
        ("zh;q=bad, en;q=0.1", False),
        ("zh;q=0", False),
    ],
)
def test_the_language_is_the_one_preferred(header: str | None, expected: bool) -> None:
    assert prefers_chinese(header) is expected


def test_every_package_with_errors_was_looked_at() -> None:
    """A new errors module of the layers that a request reaches has to be added to this test."""
    import ledger

    found = {
        module.name for module in pkgutil.walk_packages(ledger.__path__, "ledger.") if module.name.endswith(".errors")
    }
    known = {module.__name__ for module in MODULES}
    internal = {
        "ledger.chain.errors",
        "ledger.standard.errors",
        "ledger.outbox.errors",
        "ledger.indexer.errors",
        "ledger.proofs.errors",
        "ledger.audit.errors",
        "ledger.errors",
    }
    assert found - known - internal == set()
    assert importlib.import_module("ledger.standard.errors").StandardError in PROBLEMS
