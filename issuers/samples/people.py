"""The made-up residents of the sample city and the ids under which the source systems know them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from ledger.standard.ids import ProgrammeSlug

VOLUNTEER: Final = ProgrammeSlug("volunteer")
ENVIRONMENTAL: Final = ProgrammeSlug("environmental")
TRAFFIC: Final = ProgrammeSlug("traffic")
CULTURE: Final = ProgrammeSlug("culture")
RESIDENCE: Final = ProgrammeSlug("residence")
PROGRAMMES: Final = (VOLUNTEER, ENVIRONMENTAL, TRAFFIC, CULTURE, RESIDENCE)

_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高"
_GIVEN = "伟芳娜敏静强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国志文丽云"
_SHARES: Final = {VOLUNTEER: 62, ENVIRONMENTAL: 70, TRAFFIC: 48, CULTURE: 58, RESIDENCE: 40}
"""Of a hundred residents, how many the system of a programme knows."""


@dataclass(frozen=True, slots=True)
class Person:
    """A made-up resident."""

    number: int
    name: str
    identity_number: str
    birth_year: int
    source_ids: dict[ProgrammeSlug, str]
    """By programme."""
    linked: frozenset[ProgrammeSlug]
    """Programmes whose source id the resident has linked to the wallet."""


def source_id(programme: ProgrammeSlug, number: int) -> str:
    """Return the id under which the source system of ``programme`` knows person ``number``."""
    match programme:
        case "volunteer":
            return f"5101{number * 7919 % 10**9:09d}"
        case "environmental":
            return f"zd_{number * 2654435761 % 2**32:08x}"
        case "traffic":
            return f"RX{number * 104729 % 10**8:08d}"
        case "culture":
            return f"WH-{number * 15485863 % 10**7:07d}"
        case "residence":
            return f"JZ5101{number * 32452843 % 10**8:08d}"
        case _:
            raise ValueError(f"unknown programme {programme!r}")


def population(seed: int, size: int) -> tuple[Person, ...]:
    """Return ``size`` residents, the same for the same seed. About one link in twenty-five has not been made yet.

    The first residents carry the stories of the demonstration and have all their links: 0, aged 72 and without a
    phone, volunteers; 1 drives; 2 rides a bicycle; 3 goes to the theatre a lot.
    """
    rng = random.Random(f"people/{seed}")
    people = []
    for number in range(size):
        told = number < 4
        birth_year = 1954 if number == 0 else rng.randint(1948, 2007)
        day = rng.randint(0, 27) + 1
        month = rng.randint(1, 12)
        known = [programme for programme in PROGRAMMES if rng.randrange(100) < _SHARES[programme] or told] or [
            ENVIRONMENTAL
        ]
        people.append(
            Person(
                number=number,
                name=rng.choice(_SURNAMES) + "".join(rng.choice(_GIVEN) for _ in range(rng.choice((1, 2, 2)))),
                identity_number=f"990000{birth_year}{month:02d}{day:02d}{number % 10_000:04d}",
                birth_year=birth_year,
                source_ids={programme: source_id(programme, number + 1) for programme in known},
                linked=frozenset(programme for programme in known if rng.randrange(25) or told),
            )
        )
    return tuple(people)
