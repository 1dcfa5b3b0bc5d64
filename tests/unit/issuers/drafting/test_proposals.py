"""What is proposed for tables that are unlike the samples, and what is left for a person to decide."""

from __future__ import annotations

from pathlib import Path

from issuers.drafting.drafts import draft, text_of
from issuers.drafting.proposals import Proposal
from issuers.rules.activities import approved_rulebooks
from issuers.rules.deeds import Deed
from issuers.sources.normalise import Normaliser
from issuers.sources.readers import read_file
from issuers.sources.readers.rows import Row
from ledger.standard.ids import ProgrammeSlug
from tests.unit.issuers.build import NOW

BOOKS = [versions[-1] for versions in approved_rulebooks().values()]


def proposed(tmp_path: Path, text: str, programme: ProgrammeSlug | None = None) -> Proposal:
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    return draft(path, BOOKS, programme=programme)


def doubts(found: Proposal) -> str:
    return " ".join(one.en for one in found.doubts)


def test_visits_without_a_quantity_count_once(tmp_path: Path) -> None:
    text = "编号,读者证号,进馆时间,分馆\n" + "".join(
        f"V-{n:04d},L-{n % 7:06d},2026-03-{n + 1:02d} 09:12,总馆\n" for n in range(20)
    )
    content = proposed(tmp_path, text, programme=ProgrammeSlug("library")).content
    assert content["fields"]["record_id"]["column"] == "编号"
    assert content["fields"]["source_id"]["column"] == "读者证号"
    assert content["fields"]["started_at"] == {"column": "进馆时间"}
    assert content["fields"]["activity"] == {"constant": "ACTIVITY"}
    assert content["quantity"] == [{"constant": "1", "unit": "one"}]


def test_numbers_that_repeat_are_doubted(tmp_path: Path) -> None:
    rows = "".join(f"{n % 5:04d},510100000000{n % 7},2026-0{n % 3 + 4}-0{n % 9 + 1},2\n" for n in range(30))
    found = proposed(tmp_path, "记录编号,志愿者编号,服务日期,时长（小时）\n" + rows)
    assert "begin anew each quarter" in doubts(found)
    assert found.content["quantity"][0]["unit"] == "hour"


def test_without_numbers_the_key_is_person_and_time(tmp_path: Path) -> None:
    rows = "".join(f"M{n % 7},2026-03-{n + 1:02d} 09:00,2\n" for n in range(20))
    found = proposed(tmp_path, "会员号,开始时间,时长（小时）\n" + rows)
    assert found.content["fields"]["record_id"] == {"columns": ["会员号", "开始时间"]}
    assert "two deeds of a person at one time" in doubts(found)


def test_a_file_that_no_rulebook_knows_says_so(tmp_path: Path) -> None:
    rows = "".join(f"K{n},C{n % 3},2026-03-0{n % 9 + 1},{n}\n" for n in range(20))
    found = proposed(tmp_path, "key,customer_id,when,furlongs\n" + rows)
    assert found.content["programme"] == "change-me"
    assert "No rulebook fits" in doubts(found)
    found.mapping()


def test_time_apart_from_any_quantity_is_the_quantity(tmp_path: Path) -> None:
    rows = "".join(
        f"ZY{n:05d},5101000000{n % 7:03d},社区服务,2026-03-{n + 1:02d} 09:00,2026-03-{n + 1:02d} 11:00,协会\n"
        for n in range(20)
    )
    header = "记录编号,志愿者编号,服务类别,开始时间,结束时间,记录单位\n"
    assert proposed(tmp_path, header + rows, programme=ProgrammeSlug("volunteer")).content["quantity"] == [
        {"between": True}
    ]


def test_names_are_left_unread(tmp_path: Path) -> None:
    rows = "".join(f"ZY{n:05d},M{n % 7:03d},王秀{n},13800000{n:03d},2026-03-{n + 1:02d},2\n" for n in range(20))
    found = proposed(tmp_path, "记录编号,会员号,姓名,联系电话,日期,数量\n" + rows)
    read = [spec.get("column") for spec in found.content["fields"].values()]
    assert "姓名" not in read
    assert "联系电话" not in read
    assert "王秀" not in text_of(found, "a.csv")
    assert "13800000" not in text_of(found, "a.csv")


def test_equal_columns_and_mixed_dates_are_doubted(tmp_path: Path) -> None:
    rows = "".join(f"R{n},M{n % 3},0{n % 9 + 1}/0{n % 8 + 1}/2026,2,x\n" for n in range(20))
    found = proposed(tmp_path, "编号,会员号,日期,数量,备注\n" + rows)
    assert "third of April" in doubts(found)


def test_date_and_times_of_day_are_joined(tmp_path: Path) -> None:
    rows = "".join(f"R{n:04d},M{n % 5},2026.03.{n + 1:02d},下午3:05,下午5:05,2\n" for n in range(20))
    found = proposed(tmp_path, "记录编号,会员号,服务日期,开始时间,结束时间,时长（小时）\n" + rows)
    assert found.content["fields"]["started_at"]["columns"] == ["服务日期", "开始时间"]
    assert found.content["fields"]["ended_at"]["columns"] == ["服务日期", "结束时间"]
    assert "day" not in found.content["fields"]
    path = tmp_path / "a.csv"
    normaliser = Normaliser(found.mapping())
    [first, *_] = [normaliser.deed(item, NOW) for item in read_file(path, found.mapping()) if isinstance(item, Row)]
    assert isinstance(first, Deed), first
    assert first.ended_at is not None
    assert first.started_at is not None
    assert first.ended_at - first.started_at == 7_200


def test_totals_are_left_out_and_titles_stand_above(tmp_path: Path) -> None:
    rows = "".join(f"R{n:04d},M{n % 5},2026-03-{n + 1:02d},2\n" for n in range(20))
    found = proposed(tmp_path, "三月汇总,,,\n记录编号,会员号,日期,数量\n" + rows + "合计,,,40\n")
    assert found.content["header_row"] == 2
    assert found.content["skip_rows"] == [{"pattern": "合计"}]
    items = list(read_file(tmp_path / "a.csv", found.mapping()))
    assert len(items) == 20


def test_ruined_numbers_are_doubted(tmp_path: Path) -> None:
    rows = "".join(f"R{n:04d},5.10107E+17,2026-03-{n + 1:02d},2\n" for n in range(20))
    assert "5.1E+17" in doubts(proposed(tmp_path, "记录编号,身份证号,日期,数量\n" + rows))
