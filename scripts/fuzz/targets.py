"""The parsers and what they may do with any bytes: return, or raise what callers expect. Anything else is a finding.

Each target is a function of bytes and some good inputs to begin with. Hypothesis (in the tests) and Atheris (by
`make fuzz`) use the same ones.
"""

from __future__ import annotations

import gzip
import io
import random
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from issuers.rules.deeds import Deed
from issuers.rules.refusals import Fault, ReadFailure
from issuers.rules.rulebook import Rulebook
from issuers.sources.mapping import Mapping as SourceMapping
from issuers.sources.normalise import Normaliser
from issuers.sources.readers import Limits, read_file
from issuers.sources.readers.json_documents import decode_document
from issuers.sources.readers.rows import Row
from issuers.sources.webhooks.signatures import SignedBody, WebhookHeaders
from ledger.chain.answers import hash32, member, quantity
from ledger.chain.embedded import proxy
from ledger.chain.rpc import RpcClient
from ledger.chain.transactions import decode_legacy, peek
from ledger.errors import TongduiError
from ledger.indexer.completeness import is_beyond_doubt
from ledger.indexer.decode import Contracts, Decoder, Header
from ledger.proofs import rlp
from ledger.proofs.receipt import verify_receipt
from ledger.standard import packed
from ledger.standard.ids import MerchantId, ProgrammeId, to_address
from ledger.standard.typed_data import ExchangeOrder, HoldOrder, Lot, RedeemOrder
from scripts.fuzz.readings import GRAMMARS, judge

NOW = 1_788_192_000
"""2026-09-01, the day on which everything is read."""
LIMITS = Limits(
    field_chars=500,
    line_bytes=4_000,
    document_bytes=1 << 20,
    unpacked_bytes=8 << 20,
    ratio_from_bytes=1 << 20,
    shared_strings_bytes=1 << 20,
)
COLUMNS = ("id", "who", "what", "when", "until", "amount")
_GOOD = ("r1", "p1", "work", "2026-08-01 09:00", "2026-08-01 12:00", "2")


@dataclass(frozen=True, slots=True)
class Target:
    """A parser under fuzz. ``run`` raises only for a finding."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]


def mapping_of(form: str) -> SourceMapping:
    """Return a mapping with the columns id, who, what, when, until, amount."""
    return SourceMapping.model_validate(
        {
            "name": "fuzz",
            "system": "fuzz",
            "programme": "fuzz",
            "format": form,
            "records": {"xml": "row", "json": "rows"}.get(form, ""),
            "encodings": ["utf-8", "gb18030"],
            "fields": {
                "record_id": {"column": "id"},
                "source_id": {"column": "who"},
                "activity": {"column": "what", "values": {"work": "WORK"}},
                "started_at": {"column": "when"},
                "ended_at": {"column": "until", "optional": True},
            },
            "quantity": [{"column": "amount", "unit": "hour"}],
        }
    )


def _read(form: str) -> Callable[[bytes], None]:
    """A whole file of a format, by name of nothing: packed or plain, whatever its first bytes say."""
    mapping = mapping_of(form)
    normaliser = Normaliser(mapping)

    def run(content: bytes) -> None:
        numbers: list[int] = []
        try:
            for item in read_file(_file(content), mapping, LIMITS):
                made = normaliser.deed(item, NOW) if isinstance(item, Row) else item
                fault = made if isinstance(made, Fault) else None
                if fault is not None:
                    _require(all(fault.reason()), "a refusal has no reason")
                else:
                    _require(isinstance(made, Deed), "a row is neither a deed nor a fault")
                numbers.append(item.number if isinstance(item, Row) else item.row)
        except ReadFailure as failure:
            _require(str(failure) != "", "a file is refused without a reason")
        _require(numbers == list(range(1, len(numbers) + 1)), "rows are not numbered one by one")

    return run


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(what)


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="tongdui-fuzz-"))


def _file(content: bytes) -> Path:
    path = _folder() / "file"
    path.write_bytes(content)
    return path


def _allowed(run: Callable[[bytes], Any]) -> Callable[[bytes], None]:
    """A parser that refuses by our own errors."""

    def checked(content: bytes) -> None:
        try:
            run(content)
        except TongduiError:
            return

    return checked


# Files ------------------------------------------------------------------------------------------------------------


def _delimited(mark: str) -> list[bytes]:
    lines = [mark.join(COLUMNS), mark.join(_GOOD), mark.join(f'"{value}"' for value in _GOOD)]
    text = "\n".join(lines) + "\n"
    plain = text.encode()
    return [plain, text.encode("utf-8-sig"), text.encode("utf-16"), text.encode("gb18030"), gzip.compress(plain),
            zipped({"a.csv": plain})]  # fmt: skip


def zipped(members: Mapping[str, bytes]) -> bytes:
    """Return a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def workbook(rows: str = "", strings: str = "") -> bytes:
    """Return a workbook whose sheet has these rows, as small as one can be."""
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    header = "".join(f'<c t="inlineStr"><is><t>{name}</t></is></c>' for name in COLUMNS)
    good = "".join(f'<c t="inlineStr"><is><t>{value}</t></is></c>' for value in _GOOD)
    body = rows or f"<row>{good}</row>"
    members = {
        "xl/worksheets/sheet1.xml": f"<worksheet {main}><sheetData><row>{header}</row>{body}</sheetData></worksheet>"
    }
    if strings:
        members["xl/sharedStrings.xml"] = f"<sst {main}>{strings}</sst>"
    return zipped({name: text.encode() for name, text in members.items()})


def _workbooks() -> list[bytes]:
    formula = "<row><c><f>1+1</f><v>2</v></c></row>"
    shared = '<row r="2"><c r="A2" t="s"><v>0</v></c><c r="F2"><v>2.2000000000000002</v></c></row>'
    return [workbook(), workbook(formula), workbook(shared, "<si><t>r1</t></si>")]


def _json_rows() -> list[bytes]:
    row = dict(zip(COLUMNS, _GOOD, strict=True))
    return [orjson.dumps({"rows": [row, {**row, "amount": 2.5}]}), b'{"rows": []}', b'{"rows": [{"id": "\\ud800"}]}']


def _json_lines() -> list[bytes]:
    row = orjson.dumps(dict(zip(COLUMNS, _GOOD, strict=True)))
    return [row + b"\n" + row + b"\n", gzip.compress(row)]


def _xml() -> list[bytes]:
    row = "".join(f"<{name}>{value}</{name}>" for name, value in zip(COLUMNS, _GOOD, strict=True))
    text = f"<rows><row>{row}</row></rows>"
    bomb = f'<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>{text}'
    return [text.encode(), f'<?xml version="1.0" encoding="GB18030"?>{text}'.encode("gb18030"), bomb.encode()]


# Configuration ----------------------------------------------------------------------------------------------------


def _yaml(load: Callable[[Path], Any]) -> Callable[[bytes], None]:
    return _allowed(lambda content: load(_file(content)))


def _files(folder: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((Path(__file__).parents[2] / "issuers" / folder).glob("*.yaml"))]


# Orders, transactions, receipts -----------------------------------------------------------------------------------

_HOLDER = to_address(b"\x11" * 20)
_SIGNATURE = b"\x22" * 65
_LOTS = (Lot((1 << 32) | 107, 500), Lot((2 << 32) | 108, 700))


def _orders(content: bytes) -> None:
    for call in packed.OrderCall:
        try:
            for part in packed.split_orders(content, call):
                packed.unpack_order(part, call)
        except TongduiError:
            continue
    for unpack in (packed.unpack_grants, packed.unpack_lots):
        _allowed(unpack)(content)


def _order_seeds() -> list[bytes]:
    exchange = ExchangeOrder(_HOLDER, _LOTS[0].id, 500, ProgrammeId(2), 400, 7, NOW)
    redeem = RedeemOrder(_HOLDER, MerchantId(3), _LOTS, 7, NOW)
    hold = HoldOrder(_HOLDER, MerchantId(3), _LOTS, 7, NOW, NOW + 60, True)
    return [
        packed.pack_exchange_order(exchange, _SIGNATURE),
        packed.pack_redeem_order(redeem, _SIGNATURE),
        packed.pack_hold_order(hold, _SIGNATURE),
        packed.pack_grants([(_HOLDER, 500)]),
    ]


def _transactions(content: bytes) -> None:
    for read in (peek, decode_legacy, rlp.decode):
        _allowed(read)(content)


def _receipts(content: bytes) -> None:
    document = _json(content)
    if isinstance(document, dict):
        verify_receipt(document)


def _json(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


# Nodes and callers ------------------------------------------------------------------------------------------------


class _Told(RpcClient):
    """A client to whom a node answers these bytes."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9")
        self.answer: Any = None

    def _post(self, *_asked: object, **_more: object) -> Any:
        return self.answer


@cache
def _told() -> _Told:
    return _Told()


_LEDGER = "0x" + "33" * 20
_CONTRACTS = Contracts({_LEDGER: "PointsLedger"}, {}, _LEDGER)


def _answers(content: bytes) -> None:
    client = _told()
    client.answer = _json(content)
    for ask in (
        lambda: client.call("eth_chainId"),
        lambda: client.batch([("eth_chainId", []), ("eth_blockNumber", [])]),
        lambda: quantity(client.answer, "m"),
        lambda: hash32(client.answer, "m"),
        lambda: member(client.answer, "hash", "m"),
    ):
        try:
            ask()
        except TongduiError:
            continue


def _logs(content: bytes) -> None:
    """As the indexer reads them: it turns errors of shape into an inconsistent answer."""
    found = _json(content)
    if not isinstance(found, list) or not all(isinstance(log, dict) for log in found):
        return
    header = Header(1, b"\x01" * 32, bytes(32), NOW, 1)
    is_beyond_doubt(_CONTRACTS, header, found)
    try:
        Decoder(_CONTRACTS, [header]).decode(found)
    except (KeyError, TypeError, AttributeError, ValueError):
        return


def _log_seeds() -> list[bytes]:
    topic = "0x" + "00" * 31 + "01"
    log = {
        "address": _LEDGER,
        "topics": [topic, topic, topic, topic],
        "data": "0x" + "00" * 64,
        "blockNumber": "0x1",
        "logIndex": "0x0",
        "blockHash": "0x" + "01" * 32,
        "transactionHash": "0x" + "02" * 32,
    }
    return [orjson.dumps([log])]


def _proxy(content: bytes) -> None:
    request = _json(content)
    if isinstance(request, list) and len(request) == 2 and isinstance(request[0], str) and isinstance(request[1], list):
        proxy.plan(request[0], request[1], 100)


def _proxy_seeds() -> list[bytes]:
    filter_ = {"fromBlock": "0x1", "toBlock": "latest", "address": [_LEDGER]}
    return [
        orjson.dumps(one)
        for one in (
            ["eth_getLogs", [filter_]],
            ["eth_getBlockByNumber", ["latest", False]],
            ["eth_sendRawTransaction", ["0xf8"]],
            ["eth_getProof", [_LEDGER, ["0x0"], "0x5"]],
        )
    ]


def _webhook(content: bytes) -> None:
    head, _, body = content.partition(b"\n\n")
    lines = [line.partition(":") for line in head.decode("latin-1").split("\n")]
    headers = {name.strip().lower(): value.strip() for name, _, value in lines}
    try:
        signed = SignedBody(WebhookHeaders.read(headers, NOW), [b"\x44" * 32])
        signed.update(body)
        signed.verify()
    except TongduiError:
        pass
    _allowed(decode_document)(body)


def _grammar(form: str) -> Callable[[bytes], None]:
    """A file made by a grammar from these bytes, with one mutation, beside another library's reading of it."""
    mapping = mapping_of(form)
    make = GRAMMARS[form]
    return lambda content: judge(make(random.Random(content)), mapping, LIMITS, NOW)


TARGETS: dict[str, Target] = {
    **{
        f"{form}-readings": Target(_grammar(form), lambda: [str(number).encode() for number in range(20)])
        for form in GRAMMARS
    },
    "csv": Target(_read("csv"), lambda: _delimited(",")),
    "tsv": Target(_read("tsv"), lambda: _delimited("\t")),
    "json": Target(_read("json"), _json_rows),
    "jsonl": Target(_read("jsonl"), _json_lines),
    "xml": Target(_read("xml"), _xml),
    "xlsx": Target(_read("xlsx"), _workbooks),
    "mapping": Target(_yaml(SourceMapping.load), lambda: _files("sources/mappings")),
    "rulebook": Target(_yaml(Rulebook.load), lambda: _files("rules/rulebooks")),
    "orders": Target(_orders, _order_seeds),
    "transactions": Target(_transactions, lambda: [bytes.fromhex("c0"), bytes.fromhex("e8800182520894" + "33" * 20)]),
    "receipts": Target(_allowed(_receipts), lambda: [b'{"kind":"event"}', b'{"kind":"grant","block":{}}']),
    "answers": Target(_answers, lambda: [b'{"id":1,"result":"0x1"}', b'{"error":{"code":-1,"message":"x"}}']),
    "logs": Target(_allowed(_logs), _log_seeds),
    "proxy": Target(_allowed(_proxy), _proxy_seeds),
    "webhook": Target(
        _webhook, lambda: [b"webhook-id: a\nwebhook-timestamp: 1788192000\nwebhook-signature: v1,AA==\n\n{}"]
    ),
}


def seeds_of(name: str) -> Iterator[bytes]:
    """Yield a target's good inputs, each of which must be read without a finding."""
    yield from TARGETS[name].seeds()
