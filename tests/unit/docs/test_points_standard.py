"""The points standard says what the code does: schemas, codes, signatures, vectors and examples, in both languages."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from issuers.rules.activities import Catalogue
from issuers.rules.rulebook import Rulebook, load_rulebooks
from issuers.rules.units import UNITS
from ledger.clearing.netting import Payment, net
from ledger.deployment import city
from ledger.deployment.deploy import FUNCTION_ROLES, ROLE_NAMES
from ledger.orders import nonces
from ledger.proofs.document import FORMAT
from ledger.standard import typed_data
from ledger.standard.ids import merchant_participant, programme_participant, split_token_id, token_id
from ledger.standard.quarters import quarter_end_timestamp
from ledger.standard.value import basket_debits_down, exchange_down, to_value_down

ROOT = Path(__file__).resolve().parents[3]
VECTORS = ROOT / "tests" / "vectors"
STANDARD = ("points-standard.md", "points-standard.zh-CN.md")
PAGES = (*STANDARD, "activity-catalogue.md", "implementation-rules.md", "implementation-rules.zh-CN.md")
CONTRACTS = ("PointsLedger", "Issuance", "Exchange", "Redemption", "ClearingBook", "Settlement", "Disputes", "Council")
NOT_OURS = ("AccessManaged", "AddressEmptyCode", "FailedCall", "InsufficientBalance")
"""Errors of OpenZeppelin, which documents them."""


def page(name: str) -> str:
    """Return a page of the documentation."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def load(name: str) -> Any:
    """Return a vector file."""
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def json_blocks(text: str) -> list[Any]:
    """Return every JSON example of a page."""
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)\n```", text, re.DOTALL)]


def rows(text: str, width: int) -> list[list[str]]:
    """Return the cells of every table row of ``width`` cells."""
    lines = (line for line in text.splitlines() if line.startswith("|"))
    cut = ([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines)
    return [cells for cells in cut if len(cells) == width]


def signature(entry: dict[str, Any]) -> str:
    """Return an event's or error's signature as the pages write it."""
    parts = (f"{one['type']}{' indexed' if one.get('indexed') else ''} {one['name']}" for one in entry["inputs"])
    return f"{entry['name']}({', '.join(parts)})"


def declared(kind: str) -> set[str]:
    """Return the signatures of all events or errors that the contracts declare."""
    found = set()
    for contract in CONTRACTS:
        artifact = json.loads((ROOT / "contracts" / "artifacts" / f"{contract}.json").read_text(encoding="utf-8"))
        found |= {signature(one) for one in artifact["abi"] if one["type"] == kind}
    return {one for one in found if not one.startswith(NOT_OURS)}


@pytest.mark.parametrize("name", STANDARD)
def test_the_page_quotes_every_schema_of_python_and_solidity(name: str) -> None:
    blocks = set(re.findall(r"```text\n([A-Z]\w+\([^\n]*\))\n```", page(name)))
    python = {getattr(typed_data, one) for one in dir(typed_data) if one.endswith("_TYPE") and not one.startswith("_")}
    assert blocks == python - {typed_data.LOT_TYPE}
    source = (ROOT / "contracts" / "libraries" / "TypedData.sol").read_text(encoding="utf-8")
    assert blocks == set(re.findall(r'keccak256\(\s*"([^"]+)"\s*\)', source))


@pytest.mark.parametrize("name", STANDARD)
def test_the_page_quotes_the_domain(name: str) -> None:
    source = (ROOT / "contracts" / "ledger" / "PointsLedger.sol").read_text(encoding="utf-8")
    [schema] = set(re.findall(r'"(EIP712Domain\([^"]+\))"', source))
    assert schema in page(name)
    quoted = next(block for block in json_blocks(page(name)) if "domainSeparator" in block)
    vectors = load("typed_data.json")
    assert quoted == {key: vectors[key] for key in ("domain", "domainSeparator", "signer", "privateKey")}


@pytest.mark.parametrize("name", STANDARD)
def test_the_page_gives_a_vector_for_every_schema(name: str) -> None:
    vectors = load("typed_data.json")["messages"]
    quoted = [block for block in json_blocks(page(name)) if "digest" in block]
    keys = ("message", "digest", "signature")
    matched = {one["primaryType"] for one in vectors if {key: one[key] for key in keys} in quoted}
    assert len(quoted) == len(matched) == len({one["primaryType"] for one in vectors})


@pytest.mark.parametrize("name", STANDARD)
def test_the_page_quotes_the_packed_vectors(name: str) -> None:
    packed = load("packed.json")
    text = page(name)
    for kind, vector in packed.items():
        assert f"\n{vector['packed']}\n" in text, kind
    assert f"\n{packed['grants']['hash']}\n" in text
    [dissected] = re.findall(r"```text\n([0-9a-f]{40}  .*?)\n```", text, re.DOTALL)
    fields = "".join(line.split()[0] for line in dissected.splitlines())
    assert fields == packed["exchange"]["packed"][2:][: len(fields)]


@pytest.mark.parametrize("name", STANDARD)
def test_the_page_quotes_evidence_and_receipts(name: str) -> None:
    blocks = json_blocks(page(name))
    evidence = load("evidence.json")
    assert [block for block in blocks if "canonical" in block] == [evidence["commitments"][1]]
    trees = [block for block in blocks if "root" in block]
    assert len(trees) == 2
    assert trees[0] in evidence["trees"]
    assert trees[1] in load("receipts.json")["trees"]


@pytest.mark.parametrize("name", STANDARD)
def test_the_page_numbers_the_rejection_codes_as_the_contracts_do(name: str) -> None:
    source = (ROOT / "contracts" / "interfaces" / "Types.sol").read_text(encoding="utf-8")
    [body] = re.findall(r"enum Verdict \{(.*?)\}", source, re.DOTALL)
    codes = [word.strip() for word in body.split(",")]
    [kept] = re.findall(r"/// (MALFORMED, BAD_SIGNATURE and NONCE_SPENT) leave the nonce", source)
    found = [cells for cells in rows(page(name), 4) if re.fullmatch(r"`[A-Z_]+`", cells[1]) and cells[0].isdigit()]
    found = [cells for cells in found if cells[1][1:-1] not in ROLE_NAMES.values()]
    assert [(int(cells[0]), cells[1][1:-1]) for cells in found] == list(enumerate(codes))
    leaves = {cells[1][1:-1] for cells in found if cells[2] in ("kept", "保留")}
    assert leaves == set(re.findall(r"[A-Z_]{3,}", kept))


@pytest.mark.parametrize("name", STANDARD)
@pytest.mark.parametrize("kind", ["event", "error"])
def test_the_page_lists_every_event_and_error(name: str, kind: str) -> None:
    text = page(name)
    assert {one for one in declared(kind) if f"`{one}`" not in text} == set()


@pytest.mark.parametrize("name", STANDARD)
def test_the_page_lists_no_event_or_error_that_is_not_there(name: str) -> None:
    listed = {cells[0][1:-1] for cells in rows(page(name), 2) if re.fullmatch(r"`[A-Z]\w+\(.*\)`", cells[0])}
    assert listed - declared("event") - declared("error") == set()


@pytest.mark.parametrize("name", STANDARD)
def test_the_page_lists_the_roles_and_what_they_may_call(name: str) -> None:
    found = {int(cells[0]): cells for cells in rows(page(name), 4) if cells[1][1:-1] in ROLE_NAMES.values()}
    assert {number: cells[1][1:-1] for number, cells in found.items()} == dict(ROLE_NAMES)
    for _, functions, role in FUNCTION_ROLES:
        for function in functions:
            assert f"`{function}`" in found[role][3], function


@pytest.mark.parametrize("name", STANDARD)
def test_the_example_tokens_are_what_they_say(name: str) -> None:
    examples = [cells for cells in rows(page(name), 6) if cells[0].isdigit()]
    assert len(examples) == 5
    for programme, quarter, token, digits, until, end in examples:
        number = int(re.split(r"\D", quarter)[0])
        assert int(token) == int(digits, 16) == token_id(int(programme), number)
        if number:
            assert int(end) == quarter_end_timestamp(number)
            assert until.startswith(("2026-", "2027-"))


def test_the_worked_examples_hold() -> None:
    volunteer, environment, traffic, culture = 20_000_000, 5_000_000, 10_000_000, 100_000_000
    assert to_value_down(1234, volunteer) == 246
    assert to_value_down(19, environment) == 0
    assert exchange_down(1234, volunteer, culture) == (246, 246)
    assert exchange_down(19, volunteer, traffic) == (3, 30)
    assert basket_debits_down([(environment, 19), (volunteer, 19)]) == [0, 4]
    assert basket_debits_down([(volunteer, 19), (environment, 19)]) == [3, 1]
    assert split_token_id(17179869292) == (4, 108)
    assert nonces.base_of({3, 40}) == 9


def test_the_worked_cycle_holds() -> None:
    debts: dict[int, int] = {
        programme_participant(1): -60,
        programme_participant(2): -60,
        programme_participant(3): -30,
    }
    claims: dict[int, int] = {programme_participant(4): 49, merchant_participant(1): 50, merchant_participant(2): 51}
    lines = [Payment(1, 1, 41), Payment(2, 1, 9), Payment(2, 2, 31), Payment(3, 2, 20)]
    assert net({**debts, **claims}) == lines
    for name in STANDARD:
        text = re.sub(r"\s+", " ", page(name))
        for line in lines:
            assert f"{line.programme}→{line.merchant} {line.fen}" in text


def test_both_languages_have_the_same_sections_and_tables() -> None:
    for english, chinese in (STANDARD, ("implementation-rules.md", "implementation-rules.zh-CN.md")):
        shapes = [
            [(line.split(" ")[0] if line[0] == "#" else line.count("|")) for line in page(name).splitlines() if line]
            for name in (english, chinese)
        ]
        kept = [[one for one in shape if isinstance(one, str) or one > 2] for shape in shapes]
        assert kept[0] == kept[1]


@pytest.mark.parametrize("name", STANDARD)
def test_the_page_names_the_receipts_format(name: str) -> None:
    assert f'"{FORMAT}"' in page(name)


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page(name)):
        file, _, anchor = target.partition("#")
        assert not file or (ROOT / "docs" / file).exists(), target
        if anchor and file in ("", *PAGES):
            headings = re.findall(r"^#+ (.+)$", page(file or name), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, target


def catalogue() -> dict[tuple[str, str], list[str]]:
    """Return the catalogue's rows by programme and code: code, names, unit, range, in force."""
    found: dict[tuple[str, str], list[str]] = {}
    programme = ""
    for line in page("activity-catalogue.md").splitlines():
        heading = re.match(r"^### .*`(\w+)`", line)
        programme = heading[1] if heading else programme
        for cells in rows(line, 6):
            if re.fullmatch(r"`[A-Z][A-Z0-9._-]*`", cells[0]):
                assert (programme, cells[0][1:-1]) not in found
                found[programme, cells[0][1:-1]] = cells
    return found


def rate(book: Rulebook, code: str) -> Decimal:
    """Return the points for one unit of an activity in a rulebook."""
    rule = book.activities[code].rule
    points = rule.points_per_unit or rule.points
    assert points is not None
    return Decimal(points)


def test_the_catalogue_holds_the_rulebooks_in_their_ranges() -> None:
    listed = catalogue()
    in_force = {}
    for versions in load_rulebooks().values():
        book = versions[-1]
        for code, activity in book.activities.items():
            cells = listed[book.file.slug, code]
            low, high = (Decimal(one) for one in cells[3].split("–"))
            assert cells[2] == f"`{activity.unit}`", code
            assert low <= rate(book, code) <= high, code
            in_force[book.file.slug, code] = rate(book, code)
    assert {key: Decimal(cells[5]) for key, cells in listed.items() if cells[5] != "—"} == in_force


def test_the_page_and_the_softwares_catalogue_are_one() -> None:
    """Same programmes, codes, units and ranges, in the same order."""
    software = {
        (slug, one.code): [f"`{one.unit}`", f"{one.low}–{one.high}"]
        for slug, entries in Catalogue.load().programmes.items()
        for one in entries
    }
    assert list(software.items()) == [(key, cells[2:4]) for key, cells in catalogue().items()]


def test_the_catalogue_gives_ranges_in_yuan_at_par() -> None:
    pars = {one.slug: one.par_microfen for one in city.load().programmes}
    for (programme, code), cells in catalogue().items():
        assert cells[2][1:-1] in UNITS, code
        if pars[programme] == 0:
            assert cells[4] == "—"
            continue
        points = [Decimal(one) for one in cells[3].split("–")]
        yuan = [one * pars[programme] / 100_000_000 for one in points]
        assert [Decimal(one) for one in cells[4].split("–")] == yuan, code


def seconds(contract: str, constant: str) -> int:
    """Return a duration that a contract fixes, in seconds."""
    [path] = (ROOT / "contracts").rglob(f"{contract}.sol")
    [(number, unit)] = re.findall(rf"\b{constant} = (\d+) (hours|days);", path.read_text(encoding="utf-8"))
    return int(number) * {"hours": 3_600, "days": 86_400}[unit]


FIXED = (
    ("hold", "冻结期限", "Redemption", "HOLD_MAX", 86_400),
    ("refund", "退还期限", "Redemption", "REFUND_MAX", 86_400),
    ("opening a dispute", "提出争议", "Disputes", "DISPUTE_MAX", 86_400),
    ("contesting it", "商户异议", "Disputes", "CONTEST_TIME", 86_400),
    ("closing it", "结束争议", "Disputes", "CLOSES_AFTER", 86_400),
    ("spending while closing", "关闭中可使用", "PointsLedger", "SPENDING_AFTER_CLOSING", 86_400),
    ("from the end of spending to closed", "使用期结束至关闭", "PointsLedger", "CLOSED_AFTER_SPENDING", 86_400),
    ("wait of a migration", "迁移等待", "PointsLedger", "MIGRATION_WAIT", 86_400),
    ("pause", "暂停", "Pausable", "PAUSE_MAX", 3_600),
    ("lapse of a council proposal", "理事会提案失效", "Council", "LAPSES_AFTER", 86_400),
)
"""(English row, Chinese row, contract, its constant, the row's unit in seconds)"""


@pytest.mark.parametrize("fixed", FIXED, ids=[one[0] for one in FIXED])
def test_the_rules_name_the_periods_that_contracts_fix(fixed: tuple[str, str, str, str, int]) -> None:
    english, chinese, contract, constant, unit = fixed
    for name, matter, kind in (
        ("implementation-rules.md", english, "contract"),
        ("implementation-rules.zh-CN.md", chinese, "合约"),
    ):
        [cells] = [one for one in rows(page(name), 4) if one[0] == matter]
        numbers = re.findall(r"\d+", cells[1])
        assert int(numbers[0]) * unit == seconds(contract, constant)
        assert cells[2] == kind


def test_the_rules_have_the_same_articles_in_both_languages() -> None:
    chinese = re.findall(r"^\*\*第[一二三四五六七八九十]+条\*\*", page("implementation-rules.zh-CN.md"), re.MULTILINE)
    english = re.findall(r"^\*\*(\d+)\.\*\*", page("implementation-rules.md"), re.MULTILINE)
    assert [int(one) for one in english] == list(range(1, len(chinese) + 1))


def test_the_rules_name_the_defaults_of_the_city() -> None:
    configured = city.load()
    for name, resident, rebirth in (
        ("implementation-rules.md", "exchange cap a resident and day", "rebirth cap a resident and quarter"),
        ("implementation-rules.zh-CN.md", "每人每日互换上限", "每人每季重生上限"),
    ):
        found = {cells[0]: int(re.findall(r"\d+", cells[1])[0]) for cells in rows(page(name), 4) if "00" in cells[1]}
        assert found[resident] * 100 == configured.resident_cap_fen
        assert found[rebirth] * 100 == configured.rebirth_cap_fen
