"""Files of real publishers' forms, read by a mapping and a rulebook alone, beside a reckoning of its own."""

from __future__ import annotations

import csv
import json
import random
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

from issuers.intake.dry_run import dry_run
from issuers.rules.deeds import Deed
from issuers.samples.workbooks import Cell, Sheet, Value, workbook
from issuers.sources.mapping import Mapping
from issuers.sources.normalise import Normaliser
from issuers.sources.readers import read_file
from issuers.sources.readers.rows import Row
from tests.unit.issuers.build import NOW, rulebook

HERE = Path(__file__).parent / "open_data"


def trash_wheel(path: Path, rows: int, seed: int) -> None:
    """Write a file of the form: floats that a program summed up and printed, and dates that two people wrote."""
    rng = random.Random(seed)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ID", "Name", "Dumpster", "Month", "Year", "Date", "Weight", "Volume", "HomesPowered"])
        for number in range(rows):
            wheel = rng.choice(["mister", "professor", "captain"])
            day = date(2024, 1, 1) + timedelta(days=rng.randrange(700))
            shown = f"{day.month}/{day.day}/{day.year}" if rng.random() < 0.7 else day.strftime("%m/%d/%y")
            weight = rng.randint(100, 500) / 100 + rng.choice([0.1 + 0.2 - 0.3, 0.0, 3.3 - 3.2 - 0.1])
            cells = [wheel, f"{wheel.title()} Trash Wheel", number, day.strftime("%B"), day.year, shown, repr(weight)]
            writer.writerow([*cells, rng.randint(7, 20), rng.choice(["", "0", "42"])])


def test_a_harbours_wheels(tmp_path: Path) -> None:
    """Floats are taken for what they were before they were printed, and every day is the one that was written."""
    path = tmp_path / "trashwheel.csv"
    trash_wheel(path, 400, 7)
    mapping = Mapping.load(HERE / "trash-wheel.yaml")
    book = rulebook({"unit": "kilogram", "points_per_unit": "0.01"})
    report = dry_run(mapping, (book,), path, NOW)
    minor, printed = 0, 0
    with path.open(encoding="utf-8", newline="") as file:
        expected = []
        for row in csv.DictReader(file):
            hundredths = round(Fraction(row["Weight"]) * 100)  # as they were weighed: whole hundredths of a tonne
            printed += len(row["Weight"]) > 6
            minor += hundredths * 10
            month, day, year = (int(part) for part in row["Date"].split("/"))
            expected.append(
                (f"{row['ID']}|{row['Dumpster']}", date(year % 100 + 2000, month, day).toordinal(), hundredths)
            )
    assert printed > 50, "the form has floats with all their digits"
    assert (report.rows, report.would_grant, report.would_grant_minor, dict(report.refusals)) == (400, 400, minor, {})
    normaliser = Normaliser(mapping)
    found = []
    for item in read_file(path, mapping):
        assert isinstance(item, Row)
        deed = normaliser.deed(item, NOW)
        found.append((deed.record_id, deed.day + date(1970, 1, 1).toordinal(), deed.quantity_micro // 10**10))  # type: ignore[union-attr]
    assert found == expected


def farmers_markets(path: Path, rows: int, seed: int) -> None:
    """Write a file of the form: on one line, links that hold nothing but an address, and a market without its day."""
    rng = random.Random(seed)
    response = ET.Element("response")
    inner = ET.SubElement(response, "row")
    for number in range(1, rows + 1):
        uuid = f"{rng.getrandbits(128):032X}"
        attributes = {"_id": str(number), "_uuid": f"{uuid[:8]}-{uuid[8:12]}-{uuid[12:16]}-{uuid[16:20]}-{uuid[20:]}"}
        address = f"http://data.example.org/resource/x5xx-pszi/{number}"
        row = ET.SubElement(inner, "row", **attributes, _position=str(number), _address=address)
        day = date(2025, 5, 1) + timedelta(days=rng.randrange(120))
        fields = {
            "location": rng.choice(["Pilsen Night Market", "Columbus Park", "Lake & Pier"]) + f" {number}",
            "intersection": rng.choice(["18th St. & Blue Island Ave.", "Lincoln, Belle Plaine & Damen"]),
            "day": day.strftime("%A"),
            "start_time": rng.choice(["7:00 AM", "9:30 AM", "10:00 AM", "11:00 AM"]),
            "end_time": rng.choice(["12:00 PM", "1:00 PM", "2:30 PM", "8:00 PM"]),
            "start_date": f"{day}T00:00:00",
        }
        for name, text in fields.items():
            if name != "start_date" or number % 20:
                ET.SubElement(row, name).text = text
        ET.SubElement(row, "website", url="http://markets.example.org")
        ET.SubElement(row, "map", latitude="41.8578656", longitude="-87.6611589", needs_recoding="false")
    path.write_bytes(ET.tostring(response))


def test_a_citys_markets(tmp_path: Path) -> None:
    """Date and time of day stand apart, in twelve hours; a market without its day is refused and stops nobody."""
    path = tmp_path / "rows.xml"
    farmers_markets(path, 200, 3)
    mapping = Mapping.load(HERE / "farmers-markets.yaml")
    report = dry_run(mapping, (rulebook({"unit": "hour", "points_per_unit": "1"}),), path, NOW)
    minor, expected = 0, []
    inner = ET.parse(path).getroot().find("row")
    assert inner is not None
    for row in inner:
        if row.find("start_date") is None:
            continue
        minutes = []
        for name in ("start_time", "end_time"):
            clock, half = row.findtext(name, "").split(" ")
            hour, minute = (int(part) for part in clock.split(":"))
            minutes.append((hour % 12 + (12 if half == "PM" else 0)) * 60 + minute)
        minor += (minutes[1] - minutes[0]) * 100 // 60
        # Morning in Chicago is the evening of the same day in the city, and later than 10 a.m. the next one.
        day = date.fromisoformat(row.findtext("start_date", "")[:10]).toordinal()
        expected.append((row.get("_uuid"), day + (minutes[0] >= 11 * 60)))
    assert (report.rows, report.would_grant, report.would_grant_minor) == (200, 190, minor)
    assert report.refusals == {"missing_field": 10}
    normaliser = Normaliser(mapping)
    deeds = [normaliser.deed(item, NOW) for item in read_file(path, mapping) if isinstance(item, Row)]
    found = [(one.record_id, one.day + date(1970, 1, 1).toordinal()) for one in deeds if isinstance(one, Deed)]
    assert found == expected


def wheel_book(path: Path, rows: int, seed: int) -> int:
    """Write a workbook of the form, and return the hundredths of tonnes of the first wheel's sheet that count.

    A merged picture's row, years as text, floats with all their digits, a formula in a column that nobody reads, a
    dumpster's number that comes again on another day, one without anything else, and the total as a formula.
    """
    rng = random.Random(seed)
    names = ["Dumpster", "Month", "Year", "Date", "Weight (tons)", "Volume (cubic yards)", "Homes Powered*"]
    sheets, counted = [], 0
    for wheel in ("Mr. Trash Wheel", "Professor Trash Wheel"):
        table: list[list[Value] | None] = [None, list(names)]
        for number in range(1, rows + 1):
            hundredths = rng.randint(100, 500)
            day = (date(2021, 1, 1) + timedelta(days=number)).toordinal() - date(1899, 12, 30).toordinal()
            shown = number - 1 if number == rows else number
            counted += hundredths if wheel.startswith("Mr") and number != rows else 0
            homes = Cell("7.2", formula=f"SUM((E{number + 2}*500)/30)")
            weight = repr(hundredths / 100 + rng.choice([0.0, 4e-16]))
            date_cell = Cell(str(day), number_format="m/d/yyyy")
            table.append([shown, "May ", Cell("2021", "s"), date_cell, Cell(weight), 15, homes])
        table.append([rows + 1])
        table.append([None, None, None, None, Cell("1", formula=f"SUM(E3:E{rows + 2})")])
        sheets.append(Sheet(wheel, table, merged=("A1:N1",)))
    path.write_bytes(workbook(*sheets, Sheet("Homes powered note", [["* Homes Powered - each ton of trash …"]])))
    return counted


def test_a_harbours_workbook(tmp_path: Path) -> None:
    """The sheet that the mapping names; a number that comes again on another day is held, and the total is no deed."""
    path = tmp_path / "wheels.xlsx"
    hundredths = wheel_book(path, 120, 11)
    book = rulebook({"unit": "kilogram", "points_per_unit": "0.01"})
    report = dry_run(Mapping.load(HERE / "trash-wheel-book.yaml"), (book,), path, NOW)
    assert (report.rows, report.would_grant, report.would_grant_minor) == (122, 119, hundredths * 10)
    assert report.refusals == {"missing_field": 1, "formula_cell": 1}
    assert report.held == 1


def monthly_tonnage(path: Path, seed: int) -> None:
    """Write a file of the form: figures as text; a key that has nothing is left out."""
    rng = random.Random(seed)
    rows = []
    for month in range(1, 13):
        for borough, district in (("Manhattan", "01"), ("Brooklyn", "7A"), ("Queens", "07")):
            row = {"month": f"2025 / {month:02d}", "borough": borough, "communitydistrict": district}
            row["refusetonscollected"] = f"{rng.randint(1000, 90000) / 10}"
            if rng.random() < 0.9:
                row["papertonscollected"] = rng.choice([f"{rng.randint(10, 9000) / 10}", str(rng.randint(1, 900)), "0"])
            rows.append(row)
    path.write_text(json.dumps(rows), encoding="utf-8")


def test_a_sanitation_departments_months(tmp_path: Path) -> None:
    """What was not collected is refused by its field and takes nothing with it."""
    path = tmp_path / "tonnage.json"
    monthly_tonnage(path, 5)
    book = rulebook({"unit": "kilogram", "points_per_unit": "0.01"})
    report = dry_run(Mapping.load(HERE / "monthly-tonnage.yaml"), (book,), path, NOW)
    tenths = [
        round(Fraction(row["papertonscollected"]) * 10)
        for row in json.loads(path.read_text())
        if "papertonscollected" in row
    ]
    missing = 36 - len(tenths)
    assert missing > 0, "the form leaves keys out"
    assert (report.rows, report.would_grant_minor) == (36, sum(tenths) * 100)
    assert report.would_grant == sum(1 for one in tenths if one)
    assert report.refusals["missing_field"] == missing
