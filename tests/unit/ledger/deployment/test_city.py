"""The city's file: the default one holds together, and whatever does not is named."""

from __future__ import annotations

import pytest

from ledger.deployment.city import load, parse
from ledger.errors import ConfigurationError

NAMES = "{zh: 甲, en: A}"
CITY = f"""
names: {NAMES}
scopes: {{food: {NAMES}, books: {NAMES}}}
programmes:
  - {{id: 1, slug: one, names: {NAMES}, agency: {NAMES}, symbol: ONE, par_microfen: 10, flags: [redeemable]}}
  - {{id: 2, slug: two, names: {NAMES}, agency: {NAMES}, symbol: TWO, par_microfen: 0}}
merchants:
  - {{id: 1, slug: shop, names: {NAMES}, scopes: [books]}}
appropriations:
  - {{programme: 1, fiscal_year: 2026, fen: 100, document: x}}
"""


def test_the_default_city_has_the_five_programmes() -> None:
    city = load()
    pars = {programme.slug: programme.par_microfen for programme in city.programmes}
    assert pars == {
        "volunteer": 20_000_000,
        "environmental": 5_000_000,
        "traffic": 10_000_000,
        "culture": 100_000_000,
        "residence": 0,
    }
    assert [programme.id for programme in city.programmes] == [1, 2, 3, 4, 5]
    assert [programme.flag_bits for programme in city.programmes] == [14, 14, 14, 14, 0]
    assert len(city.merchants) >= 8
    assert {entry.programme for entry in city.appropriations} == {1, 2, 3, 4}


def test_a_small_city() -> None:
    city = parse(CITY)
    assert city.scope_bits(["books"]) == 2
    assert city.scope_bits(["food", "books"]) == 3
    assert city.programmes[1].flags == ()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("id: 2", "id: 1", "programme id 1 appears twice"),
        ("slug: two", "slug: one", "programme slug one appears twice"),
        ("slug: two", "slug: Two", "lower-case"),
        ("id: 2", "id: 0", "id 0 is not"),
        ("id: 2", "id: '2'", "programmes.1.id"),
        ("par_microfen: 10", "par_microfen: 1.5", "programmes.0.par_microfen"),
        ("par_microfen: 10", "par_microfen: 100000000001", "par 100000000001"),
        ("par_microfen: 10", "par_microfen: -1", "par -1"),
        ("par_microfen: 10", "par_microfen: 0", "par 0 have no value"),
        ("flags: [redeemable]", "flags: [redeemable, redeemable]", "flag redeemable appears twice"),
        ("flags: [redeemable]", "flags: [minable]", "flag 'minable'"),
        ("symbol: ONE", "symbol: One", "symbol 'One'"),
        ("scopes: [books]", "scopes: [music]", "scope 'music'"),
        ("scopes: [books]", "scopes: []", "needs a scope"),
        ("programme: 1", "programme: 9", "no programme 9"),
        ("fen: 100", "fen: 0", "out of range"),
        ("document: x}", "document: x}\n  - {programme: 1, fiscal_year: 2026, fen: 1, document: y}", "appears twice"),
        ("merchants:", "merchant:", "merchant"),
        ("slug: shop", "slug: shop, key: 5", "Unexpected keyword"),
        ("names:", "names", "YAML"),
    ],
)
def test_what_does_not_hold_together_is_named(old: str, new: str, words: str) -> None:
    assert old in CITY
    with pytest.raises(ConfigurationError, match=words):
        parse(CITY.replace(old, new, 1), "my-city.yaml")
