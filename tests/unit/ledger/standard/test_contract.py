"""The contracts' vocabulary in Python is that of the Solidity sources, and stands in one place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from enum import IntEnum
from pathlib import Path

import pytest

from ledger.standard import civil_time, contract, ids, value
from ledger.standard.contract import BatchState, ProgrammeFlag, ProgrammeState, SuccessionState, Verdict

ROOT = Path(__file__).resolve().parents[4]
SOURCES = {
    path.relative_to(ROOT / "contracts").as_posix(): path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "contracts").rglob("*.sol"))
    if "mocks" not in path.parts
}
REVISIONS = ROOT / "ledger" / "store" / "migrations" / "versions"
"""A revision keeps the values of its day, whatever becomes of the vocabulary."""
PACKAGES = ("ledger", "issuers", "redemption", "ledger_api", "tongdui", "scripts")

ENUMS: Mapping[str, type[IntEnum]] = {
    "Verdict": Verdict,
    "ProgrammeState": ProgrammeState,
    "SuccessionState": SuccessionState,
}

CONSTANTS: Mapping[tuple[str, str], int] = {
    ("interfaces/Types.sol", "TRANSFERABLE"): ProgrammeFlag.TRANSFERABLE,
    ("interfaces/Types.sol", "EXCHANGEABLE_IN"): ProgrammeFlag.EXCHANGEABLE_IN,
    ("interfaces/Types.sol", "EXCHANGEABLE_OUT"): ProgrammeFlag.EXCHANGEABLE_OUT,
    ("interfaces/Types.sol", "REDEEMABLE"): ProgrammeFlag.REDEEMABLE,
    ("authority/Pausable.sol", "PAUSE_MAX"): contract.PAUSE_MAX_S,
    ("clearing/ClearingBook.sol", "MATURITY_MIN"): contract.MATURITY_MIN_S,
    ("clearing/Appropriations.sol", "YEAR_FEN_MAX"): contract.YEAR_FEN_MAX,
    ("clearing/ClearingBook.sol", "MATURITY_MAX"): contract.MATURITY_MAX_S,
    ("clearing/Cycles.sol", "OVERDUE_FEN"): contract.OVERDUE_FEN_MIN,
    ("clearing/Cycles.sol", "TERM_MIN"): contract.PAYMENT_TERM_MIN_S,
    ("clearing/Cycles.sol", "TERM_MAX"): contract.PAYMENT_TERM_MAX_S,
    ("clearing/OrderLocks.sol", "LOCK_TIME"): contract.LOCK_S,
    ("ledger/Issuance.sol", "QUARTERS_AHEAD"): contract.QUARTERS_AHEAD,
    ("ledger/LotLanes.sol", "LANE_BITS"): contract.LANE_BITS,
    ("ledger/LotLanes.sol", "LANE_MAX"): contract.LANE_MAX,
    ("ledger/LotLanes.sol", "WINDOW"): contract.NONCE_WINDOW,
    ("ledger/Programmes.sol", "PAR_MAX"): contract.PAR_MAX,
    ("ledger/Programmes.sol", "SPENDING_AFTER_CLOSING"): contract.SPENDING_AFTER_CLOSING_S,
    ("ledger/Programmes.sol", "CLOSED_AFTER_SPENDING"): contract.CLOSED_AFTER_SPENDING_S,
    ("ledger/Programmes.sol", "KEY_WAIT"): contract.KEY_WAIT_S,
    ("ledger/Programmes.sol", "FREEZE"): contract.FREEZE_S,
    ("ledger/Programmes.sol", "FREEZE_REST"): contract.FREEZE_REST_S,
    ("ledger/Programmes.sol", "LONG_FREEZE_MAX"): contract.LONG_FREEZE_MAX_S,
    ("ledger/Programmes.sol", "MINT_SHARE"): contract.MINT_SHARE,
    ("ledger/Programmes.sol", "REVOKE_SHARE"): contract.REVOKE_SHARE,
    ("ledger/QuarterTime.sol", "OFFSET"): civil_time.CITY_OFFSET_S,
    ("ledger/QuarterTime.sol", "GRACE"): contract.GRACE_S,
    ("ledger/Successors.sol", "LINE_MAX"): contract.LINE_MAX,
    ("libraries/Encoding.sol", "GRANT_BYTES"): contract.GRANT_BYTES,
    ("libraries/Encoding.sol", "REVOCATION_BYTES"): contract.REVOCATION_BYTES,
    ("libraries/Encoding.sol", "PAYOUT_BYTES"): contract.PAYOUT_BYTES,
    ("libraries/PackedLots.sol", "LOT_BYTES"): contract.LOT_BYTES,
    ("libraries/PackedLots.sol", "LOTS_MAX"): contract.LOTS_MAX,
    ("libraries/Participants.sol", "POOL"): ids.POOL,
    ("libraries/Participants.sol", "TREASURY"): ids.TREASURY,
    ("libraries/Participants.sol", "PROGRAMME"): ids.PROGRAMME_KIND,
    ("libraries/Participants.sol", "MERCHANT"): ids.MERCHANT_KIND,
    ("libraries/Value.sol", "MICROFEN_MINOR"): value.MICROFEN_MINOR,
    ("redemption/Baskets.sol", "ORDER_FEN_MIN"): contract.ORDER_FEN_MIN,
    ("redemption/Holds.sol", "HOLD_MAX"): contract.HOLD_MAX_S,
    ("redemption/Refunds.sol", "REFUND_MAX"): contract.REFUND_MAX_S,
    ("succession/Succession.sol", "OBJECTION_TIME"): contract.OBJECTION_S,
    ("succession/Succession.sol", "LAPSES_AFTER"): contract.SUCCESSION_LAPSES_S,
}

NOT_REPEATED = {
    ("authority/Council.sol", "MEMBERS_MAX"),
    ("authority/Council.sol", "DELAY_MIN"),
    ("authority/Council.sol", "DELAY_MAX"),
    ("authority/Council.sol", "LAPSES_AFTER"),
    ("authority/Pausable.sol", "REST"),
    ("clearing/Cycles.sol", "WAIVER_MAX"),
    ("ledger/Issuance.sol", "VOID"),
    ("ledger/LotLanes.sol", "BASE_SHIFT"),
    ("ledger/LotLanes.sol", "WINDOW_SHIFT"),
    ("ledger/LotLanes.sol", "LANES_MASK"),
    ("libraries/BatchTotals.sol", "FIRST_ROOM"),
    ("libraries/Encoding.sol", "EXCHANGE_BYTES"),
    ("libraries/Encoding.sol", "REDEEM_HEAD_BYTES"),
    ("libraries/Encoding.sol", "HOLD_HEAD_BYTES"),
    ("libraries/Encoding.sol", "PREFIX_BYTES"),
    ("libraries/Encoding.sol", "SIGNATURE_LENGTH_BYTES"),
    ("libraries/Participants.sol", "KIND_SHIFT"),
    ("libraries/SignatureCheck.sol", "LOW_S_MAX"),
    ("libraries/SignatureCheck.sol", "WALLET_GAS"),
    ("libraries/SignatureCheck.sol", "GAS_NEEDED"),
}
"""Numbers that are no vocabulary: layouts of bytes and words (vectors and the audit's storage check compare those),
bounds of the contracts' own loops and gas, and limits that Python only meets as a revert."""

_UNITS = {"hours": 3_600, "days": 86_400}


def differences(sources: Mapping[str, str]) -> list[str]:
    """Return in what the sources and the vocabulary differ."""
    found = []
    for name, members in ENUMS.items():
        declared = [
            body for text in sources.values() for body in re.findall(rf"\benum {name} \{{(.*?)\}}", text, re.DOTALL)
        ]
        if [[word.strip() for word in body.split(",")] for body in declared] != [[one.name for one in members]]:
            found.append(f"enum {name}")
        if [one.value for one in members] != list(range(len(members))):
            found.append(f"numbers of {name}")
    declared_enums = {name for text in sources.values() for name in re.findall(r"\benum (\w+) \{", text)}
    found += [f"enum {name} is not compared" for name in declared_enums - set(ENUMS)]
    declared_constants = {
        (path, name): expression
        for path, text in sources.items()
        for name, expression in re.findall(r"\bu?int\d+(?: \w+)* constant (\w+) = ([^;]+);", text)
    } | {
        (path, name): expression
        for path, text in sources.items()
        for name, expression in re.findall(r"\bbytes32 \w+ constant (\w+) = bytes32\(uint256\((\d+)\)\);", text)
    }
    found += [
        f"{name} in {path} is not compared" for path, name in declared_constants.keys() - CONSTANTS - NOT_REPEATED
    ]
    found += [
        f"{name} is not in {path}" for path, name in (CONSTANTS.keys() | NOT_REPEATED) - declared_constants.keys()
    ]
    for key in CONSTANTS.keys() & declared_constants.keys():
        if number(declared_constants[key]) != CONSTANTS[key]:
            found.append(f"{key[1]} in {key[0]}")
    return found


def number(expression: str) -> int:
    """Return the value of a constant's expression: a literal, one with a unit, a shift, or the maximum of a type."""
    if unit := re.fullmatch(r"(\d+) (hours|days)", expression):
        return int(unit[1]) * _UNITS[unit[2]]
    if shift := re.fullmatch(r"(\d+) << (\d+)", expression):
        return int(shift[1]) << int(shift[2])
    if kind := re.fullmatch(r"type\(uint(\d+)\)\.max", expression):
        return int((1 << int(kind[1])) - 1)
    if power := re.fullmatch(r"(\d+)e(\d+)", expression):
        return int(power[1]) * int(10 ** int(power[2]))
    return int(expression.replace("_", ""))


def test_every_enum_flag_limit_and_time_is_that_of_the_sources() -> None:
    assert differences(SOURCES) == []


@pytest.mark.parametrize(
    ("path", "old", "new", "difference"),
    [
        ("interfaces/Types.sol", "REDEEMABLE = 8", "REDEEMABLE = 16", "REDEEMABLE in interfaces/Types.sol"),
        ("interfaces/Types.sol", "    LOT_DEAD,\n", "", "enum Verdict"),
        ("interfaces/Types.sol", "    ACTIVE,\n    CLOSING,", "    CLOSING,\n    ACTIVE,", "enum ProgrammeState"),
        ("interfaces/ISuccession.sol", "    OBJECTED,\n", "    OBJECTED,\n    HEARD,\n", "enum SuccessionState"),
        ("redemption/Holds.sol", "30 days", "31 days", "HOLD_MAX in redemption/Holds.sol"),
        ("ledger/Programmes.sol", "365 days", "365 hours", "SPENDING_AFTER_CLOSING in ledger/Programmes.sol"),
        (
            "redemption/Holds.sol",
            "uint256 private constant HOLD_MAX",
            "uint256 private constant HOLD_MIN = 1 days;\n    uint256 private constant HOLD_MAX",
            "HOLD_MIN in redemption/Holds.sol is not compared",
        ),
        ("libraries/PackedLots.sol", "LOTS_MAX = 16", "LOTS = 16", "LOTS_MAX is not in libraries/PackedLots.sol"),
        ("redemption/Redemption.sol", "contract ", "enum Mood { GOOD }\ncontract ", "enum Mood is not compared"),
    ],
)  # fmt: skip
def test_a_planted_difference_is_found(path: str, old: str, new: str, difference: str) -> None:
    assert old in SOURCES[path]
    planted = dict(SOURCES) | {path: SOURCES[path].replace(old, new, 1)}
    assert difference in differences(planted)


def test_the_flags_of_a_programme_are_those_that_the_contract_documents() -> None:
    [text] = re.findall(r"@param flags Bits: (.*?)\. Never change", SOURCES["interfaces/Types.sol"])
    documented = {name.upper().replace(" ", "_"): int(bit) for bit, name in re.findall(r"(\d+) ([a-z ]+)", text)}
    assert documented == {flag.name: flag.value for flag in ProgrammeFlag}


def test_the_word_of_a_batch_says_what_the_contract_documents() -> None:
    assert "What is stored of a batch: 0 unused, 1 void, else" in SOURCES["interfaces/IIssuance.sol"]
    assert "bytes32 private constant VOID = bytes32(uint256(1));" in SOURCES["ledger/Issuance.sol"]
    words = {bytes(32): BatchState.UNUSED, bytes(31) + b"\1": BatchState.VOID, b"\1" + bytes(31): BatchState.LANDED}
    assert {word: contract.batch_state(word) for word in words} == words


def test_the_rejections_that_leave_the_nonce_are_those_that_the_contract_documents() -> None:
    [names] = re.findall(r"/// ([A-Z_, ]+ and [A-Z_]+) leave the nonce as it was", SOURCES["interfaces/Types.sol"])
    assert set(re.findall(r"[A-Z_]{3,}", names)) == {verdict.name for verdict in contract.NONCE_LEFT}


def test_each_rejection_has_a_word_and_a_text_of_its_own() -> None:
    codes = list(contract.REJECTION_CODES)
    assert codes == [verdict.value for verdict in Verdict if verdict is not Verdict.ACCEPTED]
    assert len({contract.rejection_text(code) for code in codes}) == len(codes)
    assert contract.rejection_word(Verdict.LOT_DEAD) == "lot_dead"
    assert contract.rejection_text(Verdict.LOT_DEAD) == "the points have expired"


def test_a_code_of_a_later_edition_still_has_words() -> None:
    assert (contract.rejection_word(99), contract.rejection_text(99)) == ("code_99", "rejected")


# One home ----------------------------------------------------------------------------------------------------------

WORDS = (
    {member.name for members in (ProgrammeFlag, ProgrammeState, SuccessionState, Verdict) for member in members}
    | {name.removesuffix("_S") for name in vars(contract) if name.isupper()}
) - {"OPEN", "NONE", "LOCK", "DAY", "HOUR"}
"""OPEN, NONE and LOCK name other things too; a day and an hour have `civil_time` as their home."""


def copies(tree: ast.Module) -> Iterator[str]:
    """Yield what a module writes again: a name of the vocabulary with a number, or a table of its words by number."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(values):
                pairs = list(zip(names, values, strict=True))
            case ast.Assign(targets=[target], value=written):
                pairs = [(target, written)]
            case ast.AnnAssign(target=target, value=ast.expr() as written):
                pairs = [(target, written)]
            case ast.Dict(keys=keys, values=words):
                numbered = [
                    word.value.upper().replace(" ", "_")
                    for key, word in zip(keys, words, strict=True)
                    if isinstance(key, ast.Constant) and isinstance(key.value, int) and _is_text(word)
                    and isinstance(word, ast.Constant)
                ]  # fmt: skip
                if len(WORDS.intersection(numbered)) > 1:
                    yield f"line {node.lineno}: a table of {', '.join(numbered)}"
                continue
            case _:
                continue
        for name, written in pairs:
            if isinstance(name, ast.Name) and _plain(name.id) in WORDS and _is_number(written):
                yield f"line {node.lineno}: {name.id}"


def _plain(name: str) -> str:
    return name.lstrip("_").removesuffix("_S").removesuffix("_DAYS")


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return _is_number(node.left) and _is_number(node.right)
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


def test_no_module_of_the_product_writes_the_vocabulary_again() -> None:
    home = ROOT / "ledger" / "standard" / "contract.py"
    modules = [
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path != home and path.parent != REVISIONS
    ]
    assert len(modules) > 200
    found = {
        path.relative_to(ROOT).as_posix(): list(copies(ast.parse(path.read_text(encoding="utf-8")))) for path in modules
    }
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "text",
    [
        "REDEEMABLE = 8",
        "_CLOSED = 3",
        "ACTIVE, CLOSING = 1, 2",
        "HOLD_MAX_S = 30 * 86_400",
        "REFUND_MAX_DAYS: int = 90",
        "LANE_MAX = 2**48 - 1",
        "STATES = {1: 'active', 2: 'closing', 3: 'closed'}",
        "REJECTIONS = {2: 'bad signature', 3: 'nonce spent'}",
    ],
)
def test_a_planted_copy_is_found(text: str) -> None:
    assert list(copies(ast.parse(text)))


@pytest.mark.parametrize("text", ["ACTIVE = 'active'", "LOTS_MAX = contract.LOTS_MAX", "AGES = {1: 'young', 2: 'old'}"])
def test_a_word_of_another_kind_is_no_copy(text: str) -> None:
    assert not list(copies(ast.parse(text)))
