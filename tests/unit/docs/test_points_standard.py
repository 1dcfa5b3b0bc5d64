"""The points standard says what the code does, in both languages: messages, functions, events, storage, vectors."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from issuers.rules.activities import Catalogue
from issuers.rules.rulebook import Rulebook, load_rulebooks
from issuers.rules.units import UNITS
from ledger.clearing.netting import split_by_largest_remainder
from ledger.deployment import city
from ledger.deployment.deploy import FUNCTION_ROLES, ROLE_NAMES
from ledger.deployment.file import DeployedMerchant, DeployedProgramme, Deployment, PastContract
from ledger.proofs import document
from ledger.standard import packed, typed_data
from ledger.standard.claims import Claim, matures_at, period_at
from ledger.standard.contract import GRACE_S, BatchState, ProgrammeFlag, ProgrammeState, SuccessionState
from ledger.standard.errors import BadSignature
from ledger.standard.ids import ProgrammeId, ProgrammeSlug, split_token_id, token_id
from ledger.standard.keccak import keccak256
from ledger.standard.quarters import quarter_end_timestamp
from ledger.standard.signatures import recover
from ledger.standard.value import basket_debits_down, exchange_down, to_value_down

ROOT = Path(__file__).resolve().parents[3]
VECTORS = ROOT / "tests" / "vectors"
STANDARD = ("points-standard.md", "points-standard.zh-CN.md")
PAGES = (*STANDARD, "activity-catalogue.md", "implementation-rules.md", "implementation-rules.zh-CN.md")
CONTRACTS = ("PointsLedger", "ClearingBook", "Exchange", "Redemption", "Succession", "Council")
NOT_OURS = ("AccessManaged", "AddressEmptyCode", "FailedCall", "InsufficientBalance", "SafeCast")
"""Errors of OpenZeppelin, which documents them."""
NOT_OUR_FUNCTIONS = {"authority", "setAuthority", "isConsumingScheduledOp"}
WHO = {
    "EXCHANGE": ("role EXCHANGE", "角色 EXCHANGE"),
    "REDEMPTION": ("role REDEMPTION", "角色 REDEMPTION"),
    "FINANCE": ("finance, announced and after its delay", "财政部门，须预告并等待"),
    "GUARDIAN": ("guardian", "守护人"),
    "DESK": ("desk", "服务窗口"),
    "REGISTRAR": ("registrar, announced and after its delay", "登记方，须预告并等待"),
    "ARBITER": ("arbiter’s account", "仲裁方账户"),
    "ADMIN": ("council", "理事会"),
}
"""What the tables of functions say of a role, in English and Chinese."""


def page(name: str) -> str:
    """Return a page of the documentation."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def load(name: str) -> Any:
    """Return a vector file."""
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def artifact(contract: str) -> Any:
    """Return what the compiler made of a contract."""
    return json.loads((ROOT / "contracts" / "artifacts" / f"{contract}.json").read_text(encoding="utf-8"))


def json_blocks(text: str) -> list[Any]:
    """Return every JSON example of a page."""
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)\n```", text, re.DOTALL)]


def rows(text: str, width: int) -> list[list[str]]:
    """Return the cells of every table row of ``width`` cells."""
    lines = (line for line in text.splitlines() if line.startswith("|"))
    cut = ([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines)
    return [cells for cells in cut if len(cells) == width]


def type_of(entry: dict[str, Any]) -> str:
    """Return an argument's type as the pages write it: structs by their name."""
    name = str(entry.get("internalType", ""))
    return name.removeprefix("struct ").split(".")[-1] if name.startswith("struct ") else str(entry["type"])


def arguments(entries: list[dict[str, Any]]) -> str:
    """Return arguments as the pages write them."""
    return ", ".join(
        f"{type_of(one)}{' indexed' if one.get('indexed') else ''} {one['name']}".strip() for one in entries
    )


def signature(entry: dict[str, Any]) -> str:
    """Return the signature of a function, event or error as the pages write it."""
    return f"{entry['name']}({arguments(entry['inputs'])})"


def declared(kind: str) -> set[str]:
    """Return the signatures of all events or errors that the contracts declare."""
    found = {signature(one) for contract in CONTRACTS for one in artifact(contract)["abi"] if one["type"] == kind}
    return {one for one in found if not one.startswith(NOT_OURS)}


def functions(contract: str, *, views: bool) -> dict[str, dict[str, Any]]:
    """Return a contract's functions by signature, but OpenZeppelin's AccessManaged."""
    found = [
        one for one in artifact(contract)["abi"] if one["type"] == "function" and one["name"] not in NOT_OUR_FUNCTIONS
    ]
    return {signature(one): one for one in found if (one["stateMutability"] in ("view", "pure")) is views}


def part_of(text: str, section: int) -> str:
    """Return one numbered section."""
    [body] = re.findall(rf"^## {section} .*?(?=^## {section + 1} |\Z)", text, re.DOTALL | re.MULTILINE)
    return str(body)


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
    assert f'version "{typed_data.DOMAIN_VERSION}"' in page(name)


@pytest.mark.parametrize("name", STANDARD)
def test_the_page_gives_a_vector_for_every_schema(name: str) -> None:
    vectors = load("typed_data.json")["messages"]
    quoted = [block for block in json_blocks(page(name)) if "digest" in block]
    keys = ("message", "digest", "signature")
    matched = {one["primaryType"] for one in vectors if {key: one[key] for key in keys} in quoted}
    assert len(quoted) == len(matched) == len({one["primaryType"] for one in vectors})


@pytest.mark.parametrize("name", STANDARD)
def test_the_page_quotes_the_packed_vectors(name: str) -> None:
    vectors = load("packed.json")
    text = page(name)
    for kind, vector in vectors.items():
        assert f"\n{vector['packed']}\n" in text, kind
    assert f"\n{vectors['grants']['hash']}\n" in text
    [dissected] = re.findall(r"```text\n([0-9a-f]{40}  .*?)\n```", text, re.DOTALL)
    taken = "".join(line.split()[0] for line in dissected.splitlines())
    assert taken == vectors["exchange"]["packed"][2:][: len(taken)]
    quoted = [one for one in load("rejected.json")["malformed"] if f"\n{one['packed']}\n" in text]
    assert len(quoted) >= 3
    assert all(f"\n{one['rejected'][0]['id']}\n" in text for one in quoted)


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
    found = [cells for cells in rows(part_of(page(name), 16), 4) if cells[0].isdigit()]
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


def by_contract(text: str) -> dict[str, str]:
    """Return the parts of a section by the contract's name that heads them, the first table of each."""
    found: dict[str, str] = {}
    for contract, body in re.findall(r"^\*\*(\w+)\*\*\n\n(.*?)(?=\n\n)", text, re.DOTALL | re.MULTILINE):
        found.setdefault(contract, body)
    return found


@pytest.mark.parametrize("name", STANDARD)
def test_the_page_lists_the_functions_and_who_may(name: str) -> None:
    language = STANDARD.index(name)
    roles = {(contract, function): role for contract, names, role in FUNCTION_ROLES for function in names}
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "contracts").rglob("*.sol"))
    restricted = set(re.findall(r"function (\w+)\([^)]*\)\s+external\s+restricted", sources))
    shared = {"pause", "unpause"}  # listed once, at Exchange
    tables = by_contract(part_of(page(name), 17))
    for contract in CONTRACTS:
        listed = {cells[0][1:-1]: cells[1] for cells in rows(tables[contract], 3) if cells[0].startswith("`")}
        wanted = functions(contract, views=False)
        assert set(listed) == {
            one for one, entry in wanted.items() if contract == "Exchange" or entry["name"] not in shared
        }
        for one, who in listed.items():
            function = wanted[one]["name"]
            role = roles.get((contract, function), 0)
            if (contract, function) == ("Succession", "confirm"):
                assert (who, role) == (("another desk", "另一服务窗口")[language], 5)
            elif role or (function in restricted and contract != "Council"):
                assert who == WHO[ROLE_NAMES[role]][language], one


@pytest.mark.parametrize("name", STANDARD)
def test_the_page_lists_the_views(name: str) -> None:
    part = part_of(page(name), 17)
    listed = {cells[0] for cells in rows(part, 2) if " → " in cells[0]}
    shared = {"ledger()", "book()", "pausedUntil()"}  # listed once
    wanted = {
        f"`{one}` → `{arguments(entry['outputs'])}`"
        for contract in CONTRACTS
        for one, entry in functions(contract, views=True).items()
        if contract in ("Exchange", "ClearingBook") or one not in shared
    }
    assert listed == wanted


@pytest.mark.parametrize("name", STANDARD)
def test_the_page_lists_the_members_of_structs(name: str) -> None:
    found: dict[str, str] = {}

    def collect(entry: dict[str, Any]) -> None:
        if "components" in entry:
            found[type_of(entry).removesuffix("[]")] = arguments(entry["components"])
            for one in entry["components"]:
                collect(one)

    for contract in CONTRACTS:
        for entry in artifact(contract)["abi"]:
            for one in [*entry.get("inputs", []), *entry.get("outputs", [])]:
                collect(one)
    listed = {cells[0][1:-1]: cells[1][2:-2] for cells in rows(part_of(page(name), 17), 2) if cells[1].startswith("`(")}
    assert listed == found


@pytest.mark.parametrize("name", STANDARD)
def test_the_page_gives_the_compilers_slots(name: str) -> None:
    tables = by_contract(part_of(page(name), 21))
    both = {"pausedUntil", "_nextPauseFrom"}  # of both modules, listed once
    for contract in CONTRACTS:
        layout = {
            (slot["slot"], f"`{slot['label']}`", str(slot["offset"]))
            for slot in artifact(contract)["storageLayout"]
            if slot["label"] not in {"_authority", "_consumingSchedule"} | (both if contract == "Redemption" else set())
        }
        assert {tuple(cells[:3]) for cells in rows(tables.get(contract, ""), 4) if cells[0].isdigit()} == layout, (
            contract
        )


@pytest.mark.parametrize("name", STANDARD)
def test_the_page_gives_the_widths_of_a_structs_members(name: str) -> None:
    """Members shorter than a word, in their order, those of a struct within a struct too."""
    tables = by_contract(part_of(page(name), 21))
    compared = 0
    for contract, layout in load("storage_layout.json").items():
        listed = {cells[1][1:-1]: cells[3] for cells in rows(tables.get(contract, ""), 4)}

        def widths(kind: str, structs: dict[str, Any]) -> list[int]:
            found: list[int] = []
            for member in structs[kind]:
                nested = member["type"] in structs
                found += widths(member["type"], structs) if nested else [member["bytes"] * 8] * (member["bytes"] < 32)
            return found

        for variable in layout["variables"]:
            kind = re.sub(r".*=> |\)+$", "", variable["type"])
            expected = widths(kind, layout["structs"]) if kind in layout["structs"] else []
            if expected and variable["name"] in listed and variable["name"] != "_totalAges":
                text = re.sub(r"\(\d\)", "", listed[variable["name"]])
                assert [int(number) for number in re.findall(r"\d+", text)] == expected, variable["name"]
                compared += 1
    assert compared == 16


@pytest.mark.parametrize("name", STANDARD)
def test_the_page_lists_the_roles_and_what_they_may_call(name: str) -> None:
    found = {int(cells[0]): cells for cells in rows(page(name), 4) if cells[1][1:-1] in ROLE_NAMES.values()}
    assert {number: cells[1][1:-1] for number, cells in found.items()} == dict(ROLE_NAMES)
    for _, names, role in FUNCTION_ROLES:
        for function in names:
            assert f"`{function}`" in found[role][3], function


def test_the_page_numbers_states_and_flags_as_the_contracts_do() -> None:
    found = [cells for cells in rows(part_of(page("points-standard.md"), 20), 4) if cells[0].isdigit()]
    for column, states in ((1, ProgrammeState), (3, SuccessionState)):
        assert [cells[column] for cells in found if cells[column] != "–"] == [one.name.lower() for one in states]
    assert [cells[2].split(":")[0] for cells in found[:3]] == ["unused", "void", "landed"]
    assert len(BatchState) == 3
    flags = {cells[0].replace(" ", "_"): int(cells[1]) for cells in rows(part_of(page("points-standard.md"), 5), 3)[2:]}
    assert flags == {str(one.name).lower(): int(one) for one in ProgrammeFlag}


@pytest.mark.parametrize("name", STANDARD)
def test_the_example_tokens_are_what_they_say(name: str) -> None:
    examples = [cells for cells in rows(page(name), 6) if cells[0].isdigit()]
    assert len(examples) == 5
    for programme, quarter, token, digits, until, dead in examples:
        number = int(re.split(r"\D", quarter)[0])
        assert int(token) == int(digits, 16) == token_id(ProgrammeId(int(programme)), number)
        if number:
            assert int(dead) == quarter_end_timestamp(number) + GRACE_S
            assert until.startswith(("2026-", "2027-"))


def test_the_worked_examples_hold() -> None:
    volunteer, environment, traffic, culture = 20_000_000, 5_000_000, 10_000_000, 100_000_000
    assert to_value_down(1234, volunteer) == 246
    assert to_value_down(19, environment) == 0
    assert exchange_down(1234, volunteer, culture) == (246, 246)
    assert exchange_down(19, volunteer, traffic) == (3, 30)
    assert basket_debits_down([(environment, 19), (volunteer, 99)]) == [0, 20]
    assert basket_debits_down([(volunteer, 99), (environment, 19)]) == [19, 1]
    assert split_token_id(17179869292) == (4, 108)
    assert split_by_largest_remainder(101, {1: 60, 2: 60, 3: 30}) == {1: 41, 2: 40, 3: 20}


# The vectors, executed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", load("rejected.json")["malformed"], ids=lambda one: f"{one['call']}: {one['what']}")
def test_malformed_bytes_have_the_id_of_the_vector(case: dict[str, Any]) -> None:
    """A call is cut by lengths alone, what is left is one order, and each bears the hash of its bytes."""
    data = bytes.fromhex(case["packed"][2:])
    parts = list(packed.split_orders(data, packed.OrderCall(case["call"])))
    rest = data[sum(map(len, parts)) :]
    ids = ["0x" + keccak256(part).hex() for part in [*parts, *([rest] if rest else [])]]
    assert ids == [one["id"] for one in case["rejected"]]


@pytest.mark.parametrize("case", load("rejected.json")["signatures"], ids=lambda one: one["what"])
def test_what_is_no_signature_recovers_nobody(case: dict[str, Any]) -> None:
    with pytest.raises(BadSignature):
        recover(bytes.fromhex(case["digest"][2:]), bytes.fromhex(case["signature"][2:]))


def spend_nonce(base: int, window: int, nonce: int) -> tuple[int, int] | None:
    """Clause 4.2, word for word."""
    if base <= nonce < base + 32 and not window >> nonce - base & 1:
        return base, window | 1 << nonce - base
    if base + 32 <= nonce < base + 64:
        slide = nonce - base - 31
        return base + slide, window >> slide | 1 << 31
    return None


@pytest.mark.parametrize("sequence", load("nonces.json"), ids=lambda one: f"{len(one['steps'])} steps")
def test_nonces_follow_the_vector(sequence: dict[str, Any]) -> None:
    state = (0, 0)
    for step in sequence["steps"]:
        after = spend_nonce(*state, step["nonce"])
        assert (after is not None) is step["accepted"]
        state = after or state
        assert state == (step["base"], step["window"])


@pytest.mark.parametrize("life", load("clearing.json")["claims"], ids=lambda one: f"{len(one)} steps")
def test_claims_age_as_in_the_vector(life: list[dict[str, Any]]) -> None:
    maturity_s = load("clearing.json")["maturity_s"]
    claim = Claim()
    for step in life:
        claim = claim.at(period_at(step["time"], maturity_s))
        match step["act"]:
            case "earn":
                claim = claim.earned(step["fen"])
                assert matures_at(step["time"], maturity_s) == (claim.period + 2) * maturity_s
            case "payout":
                claim = claim.paid_out(step["fen"])
            case _:
                claim = claim.refunded(step["fen"], period_at(step["earned_at"], maturity_s))
        ages = {name: getattr(claim, name) for name in ("matured_fen", "younger_fen", "youngest_fen")}
        assert ages == {name: step[name] for name in ages}


@pytest.mark.parametrize("case", load("clearing.json")["dues"], ids=lambda one: f"{len(one['debts'])} debtors")
def test_dues_are_split_as_in_the_vector(case: dict[str, Any]) -> None:
    shares = split_by_largest_remainder(case["total"], dict(enumerate(case["debts"])))
    assert list(shares.values()) == case["dues"]


@pytest.mark.parametrize("case", load("clearing.json")["refunds"], ids=lambda one: str(one["merchant_fen"]))
def test_refunds_give_back_what_the_vector_says(case: dict[str, Any]) -> None:
    lots = [(int(lot["par"]), int(lot["minor"])) for lot in case["lots"]]

    def debits(prefix: dict[str, Any]) -> list[int]:
        count, last = prefix["lots"], int(prefix["lastAmount"])
        cut = [(par, last if place + 1 == count else minor) for place, (par, minor) in enumerate(lots[:count])]
        return (basket_debits_down(cut) if cut else []) + [0] * (len(lots) - count)

    back = [first - rest for first, rest in zip(debits(case["kept_before"]), debits(case["kept"]), strict=True)]
    assert back == [int(fen) for fen in case["credits_fen"]]
    assert -sum(back) == int(case["merchant_fen"])


def test_what_expires_is_worth_what_the_vector_says() -> None:
    vector = load("clearing.json")["breakage"]
    swept = 0
    for step in vector["sweeps"]:
        before = to_value_down(swept, vector["par"])
        swept += step["minor"]
        assert to_value_down(swept, vector["par"]) - before == step["fen"]


# Documents ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STANDARD)
def test_the_page_names_every_member_of_a_receipt(name: str) -> None:
    text = part_of(page(name), 24)
    assert f'"{document.FORMAT}"' in text
    parts = [getattr(document, one) for one in dir(document) if one.endswith(("Part", "Proof"))]
    members = {field.name for part in parts for field in msgspec.structs.fields(part)}
    assert {one for one in members if f"`{one}`" not in text} == set()


@pytest.mark.parametrize("name", STANDARD)
def test_the_page_names_every_member_of_the_deployment_file(name: str) -> None:
    text = part_of(page(name), 23)
    listed = {cells[0][1:-1] for cells in rows(text, 2) if cells[0].startswith("`")}
    assert listed == {field.name for field in fields(Deployment)}
    for part in (DeployedProgramme, DeployedMerchant, PastContract):
        assert "{" + ", ".join(field.name for field in fields(part)) + "}" in text


def test_both_languages_have_the_same_clauses() -> None:
    english, chinese = (re.findall(r"^\*\*(\d+\.\d+)\b", page(name), re.MULTILINE) for name in STANDARD)
    assert english == chinese
    assert len(set(english)) == len(english)
    assert english == sorted(english, key=lambda one: [int(part) for part in one.split(".")])


def test_both_languages_have_the_same_sections_and_tables() -> None:
    for english, chinese in (STANDARD, ("implementation-rules.md", "implementation-rules.zh-CN.md")):
        shapes = [
            [(line.split(" ")[0] if line[0] == "#" else line.count("|")) for line in page(name).splitlines() if line]
            for name in (english, chinese)
        ]
        kept = [[one for one in shape if isinstance(one, str) or one > 2] for shape in shapes]
        assert kept[0] == kept[1]


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
        if pars[ProgrammeSlug(programme)] == 0:
            assert cells[4] == "—"
            continue
        points = [Decimal(one) for one in cells[3].split("–")]
        yuan = [one * pars[ProgrammeSlug(programme)] / 100_000_000 for one in points]
        assert [Decimal(one) for one in cells[4].split("–")] == yuan, code


def seconds(contract: str, constant: str) -> int:
    """Return a duration that a contract fixes, in seconds."""
    [path] = (ROOT / "contracts").rglob(f"{contract}.sol")
    [(number, unit)] = re.findall(rf"\b{constant} = (\d+) (hours|days);", path.read_text(encoding="utf-8"))
    return int(number) * {"hours": 3_600, "days": 86_400}[unit]


FIXED = (
    ("hold", "冻结期限", "Holds", "HOLD_MAX", 86_400),
    ("refund", "退还期限", "Refunds", "REFUND_MAX", 86_400),
    ("locking a disputed payment", "锁定争议支付", "Refunds", "REFUND_MAX", 86_400),
    ("lock of a disputed payment", "争议支付的锁定", "OrderLocks", "LOCK_TIME", 86_400),
    ("late clock of expiry", "到期时钟延后", "QuarterTime", "GRACE", 86_400),
    ("spending while closing", "关闭中可使用", "Programmes", "SPENDING_AFTER_CLOSING", 86_400),
    ("from the end of spending to closed", "使用期结束至关闭", "Programmes", "CLOSED_AFTER_SPENDING", 86_400),
    ("wait of a succession", "承接等待", "Succession", "OBJECTION_TIME", 86_400),
    ("wait of a further issuer key", "新增发放密钥等待", "Programmes", "KEY_WAIT", 86_400),
    ("freeze by the guardian", "守护人封停", "Programmes", "FREEZE", 3_600),
    ("freeze by the council", "理事会封停", "Programmes", "LONG_FREEZE_MAX", 86_400),
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
