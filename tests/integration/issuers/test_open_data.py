"""Files of real publishers' forms, read by a mapping and a rulebook alone, beside a reckoning of its own."""

from __future__ import annotations

import csv
import random
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

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
