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


def park_events(path: Path, rows: int, seed: int) -> None:
    """Write a file of the form: a portal's XML, pretty or not, with titles that need escaping."""
    rng = random.Random(seed)
    response = ET.Element("response")
    inner = ET.SubElement(response, "row")
    for number in range(rows):
        day = date(2025, 6, 1) + timedelta(days=rng.randrange(90))
        address = f"https://data.example.org/resource/_x/row-{number:04d}"
        row = ET.SubElement(inner, "row", _id=f"row-{number:04d}", _position=str(number), _address=address)
        for name, text in (
            ("day", day.strftime("%a")),
            ("date", f"{day}T00:00:00"),
            ("park", rng.choice(["North Park", "Lake & Pier", "Müller Field"])),
            ("title", rng.choice(["Tom & Jerry", "<Untitled>", "", "Amélie"])),
        ):
            ET.SubElement(row, name).text = text
    path.write_bytes(ET.tostring(response, encoding="utf-8", xml_declaration=True))


def test_a_citys_evenings_in_the_parks(tmp_path: Path) -> None:
    path = tmp_path / "rows.xml"
    park_events(path, 300, 3)
    mapping = Mapping.load(HERE / "park-events.yaml")
    report = dry_run(mapping, (rulebook({"unit": "one", "points": "2"}),), path, NOW)
    assert (report.rows, report.would_grant, report.would_grant_minor, dict(report.refusals)) == (300, 300, 60_000, {})
    # The portal's midnight is the publisher's; the deed's day is the city's own, thirteen hours ahead in summer.
    inner = ET.parse(path).getroot().find("row")
    assert inner is not None
    expected = [(row.get("_id"), date.fromisoformat(row.findtext("date", "")[:10]).toordinal()) for row in inner]
    normaliser = Normaliser(mapping)
    deeds = [normaliser.deed(item, NOW) for item in read_file(path, mapping) if isinstance(item, Row)]
    found = [(deed.record_id, deed.day + date(1970, 1, 1).toordinal()) for deed in deeds]  # type: ignore[union-attr]
    assert found == expected


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
