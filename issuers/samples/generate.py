"""Write the sample exports of the made-up city into a folder, with the expected results beside.

``python -m issuers.samples.generate FOLDER [--seed N] [--people N] [--records N]``
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import openpyxl

from issuers.samples import deeds
from issuers.samples.deeds import Plan, Row
from issuers.samples.people import Person, population

SEED_DEFAULT = 2026
PEOPLE_DEFAULT = 2_400
RECORDS_DEFAULT = 3_000


@dataclass(frozen=True, slots=True)
class Samples:
    """Where everything is, and what is in it."""

    folder: Path
    people: tuple[Person, ...]
    plans: dict[str, Plan]

    @property
    def volunteer_files(self) -> tuple[Path, ...]:
        """Two exports in GB18030 and one workbook."""
        return tuple(sorted((self.folder / "volunteer").iterdir()))

    @property
    def environmental_files(self) -> tuple[Path, ...]:
        """Three files of JSON Lines."""
        return tuple(sorted((self.folder / "environmental").iterdir()))

    @property
    def traffic_drop(self) -> Path:
        """The drop folder: several files, two of them delivered twice."""
        return self.folder / "traffic"

    @property
    def culture_items(self) -> Path:
        """What the ticket system's API serves (a JSON array)."""
        return self.folder / "culture" / "tickets.json"

    @property
    def residence_files(self) -> tuple[Path, ...]:
        """The yearly assessment, and later its corrections."""
        return tuple(sorted((self.folder / "residence").iterdir()))


def generate(
    folder: Path,
    seed: int = SEED_DEFAULT,
    people_count: int = PEOPLE_DEFAULT,
    records: int = RECORDS_DEFAULT,
) -> Samples:
    """Write all samples into ``folder`` (replaced if it exists); the same arguments give the same bytes of text.

    ``records`` is about how many clean records each programme gets; 60 people are the least.
    """
    if people_count < 60 or records < 60:
        raise ValueError("the sample city needs at least 60 people and 60 records a programme")
    people = population(seed, people_count)
    plans = {
        "volunteer": deeds.volunteer(people, _rng(seed, "volunteer"), records),
        "environmental": deeds.environmental(people, _rng(seed, "environmental"), records * 4 // 3),
        "traffic": deeds.traffic(people, _rng(seed, "traffic"), records),
        "culture": deeds.culture(people, _rng(seed, "culture"), records * 5 // 6),
        "residence": deeds.residence(people, _rng(seed, "residence")),
    }
    deeds.double_claims(people, plans["traffic"], plans["environmental"], _rng(seed, "double"))
    for name, plan in plans.items():
        if name != "residence":
            _mix(_rng(seed, f"order/{name}"), plan)
    shutil.rmtree(folder, ignore_errors=True)
    for name in plans:
        (folder / name).mkdir(parents=True)
    _write_volunteer(folder / "volunteer", plans["volunteer"].rows)
    _write_json_lines(folder / "environmental", plans["environmental"].rows)
    _write_drop_folder(folder / "traffic", plans["traffic"].rows)
    (folder / "culture" / "tickets.json").write_text(
        json.dumps(plans["culture"].rows, ensure_ascii=False, indent=0), encoding="utf-8"
    )
    corrections = plans["residence"].planted["correction"]
    originals = [row for row in plans["residence"].rows if row["Revision"] != "2"]
    replaced = [row for row in plans["residence"].rows if row["Revision"] == "2"]
    if len(replaced) != corrections:
        raise ValueError(f"{corrections} corrections were planted but {len(replaced)} found")
    _write_xml(folder / "residence" / "jzz-2026-1.xml", originals)
    _write_xml(folder / "residence" / "jzz-2026-2.xml", replaced)
    truth = {name: {"records": len(plan.rows), "planted": dict(plan.planted)} for name, plan in plans.items()}
    (folder / "truth.json").write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")
    return Samples(folder, people, plans)


def _rng(seed: int, part: str) -> random.Random:
    return random.Random(f"{part}/{seed}")


def _mix(rng: random.Random, plan: Plan) -> None:
    """Shuffle the rows, but keep repeated ids in their order: the first one counts."""
    decorated = sorted((rng.random(), n) for n in range(len(plan.rows)))
    key = next(iter(plan.rows[0]))
    slots: dict[str, list[int]] = {}
    for place, (_, n) in enumerate(decorated):
        slots.setdefault(plan.rows[n][key], []).append(place)
    mixed: list[Row | None] = [None] * len(plan.rows)
    for row in plan.rows:
        mixed[slots[row[key]].pop(0)] = row
    # Caps follow the order of arrival, so the theatre lover's tickets stay in theirs.
    plan.rows = [row for row in mixed if row is not None]
    capped = {id(row): place for place, row in enumerate(plan.rows) if row[key].startswith("WH20265000")}
    in_order = sorted((plan.rows[place] for place in capped.values()), key=lambda row: row[key])
    for place, row in zip(sorted(capped.values()), in_order, strict=True):
        plan.rows[place] = row


def _parts(rows: Sequence[Row], count: int) -> Iterable[Sequence[Row]]:
    size = -(-len(rows) // count)
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _write_csv(path: Path, rows: Sequence[Row], encoding: str) -> None:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _write_volunteer(folder: Path, rows: Sequence[Row]) -> None:
    first, second, third = _parts(rows, 3)
    _write_csv(folder / "zyfw-2026-q2.csv", first, "gb18030")
    _write_csv(folder / "zyfw-2026-07.csv", second, "gb18030")
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("服务记录")
    sheet.append(list(third[0]))
    for row in third:
        sheet.append([value if len(value) <= 32_000 else value[:32_000] for value in row.values()])
    book.save(folder / "zyfw-2026-08.xlsx")


def _write_json_lines(folder: Path, rows: Sequence[Row]) -> None:
    for number, part in enumerate(_parts(rows, 3), start=1):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in part)
        (folder / f"events-{number}.jsonl").write_text(text, encoding="utf-8")


def _write_drop_folder(folder: Path, rows: Sequence[Row]) -> None:
    for number, part in enumerate(_parts(rows, 6), start=1):
        path = folder / f"rxing-{number:02d}.csv"
        _write_csv(path, part, "utf-8-sig")
        if number in (2, 5):
            shutil.copyfile(path, folder / f"rxing-{number:02d}-again.csv")


def _write_xml(path: Path, rows: Sequence[Row]) -> None:
    records = "".join(
        "  <Record>" + "".join(f"<{name}>{escape(value)}</{name}>" for name, value in row.items()) + "</Record>\n"
        for row in rows
    )
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<ResidencePoints>\n{records}</ResidencePoints>\n'
    path.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the samples and say where."""
    parser = argparse.ArgumentParser(prog="python -m issuers.samples.generate", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=SEED_DEFAULT)
    parser.add_argument("--people", type=int, default=PEOPLE_DEFAULT)
    parser.add_argument("--records", type=int, default=RECORDS_DEFAULT)
    options = parser.parse_args(arguments)
    samples = generate(options.folder, options.seed, options.people, options.records)
    for name, plan in samples.plans.items():
        print(f"{name}: {len(plan.rows)} records, planted {dict(plan.planted)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
