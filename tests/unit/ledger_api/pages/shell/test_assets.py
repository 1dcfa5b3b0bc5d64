"""Static files: kept by content; and the stylesheet's colours, each pair with the contrast that WCAG 2.2 asks for."""

from __future__ import annotations

import re

import pytest

from ledger_api.pages.shell.assets import Asset, Assets

SHEET = Assets.load().content("style.css").decode()
TEXT_MIN, SHAPE_MIN = 4.5, 3.0


def palettes() -> dict[str, dict[str, str]]:
    light, dark = re.findall(r":root \{(.*?)\n\s*\}", SHEET, re.DOTALL)
    colours = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", text)) for text in (light, dark)]
    return {"light": colours[0], "dark": colours[0] | colours[1]}


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast_is_computed_as_wcag_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_pair_of_colours_has_its_contrast(scheme: str) -> None:
    palette = palettes()[scheme]
    papers = {name: value for name, value in palette.items() if name.startswith("paper-")}
    assert len(papers) == 3
    for name, value in palette.items():
        least = TEXT_MIN if name.startswith("ink-") else SHAPE_MIN if name.startswith("mark-") else 0
        for paper, below in papers.items():
            assert contrast(value, below) >= least, (name, paper)
        if name.startswith("on-"):
            assert contrast(value, palette["fill-" + name.removeprefix("on-")]) >= TEXT_MIN, name


def test_both_schemes_name_the_same_colours() -> None:
    light, dark = re.findall(r":root \{(.*?)\n\s*\}", SHEET, re.DOTALL)
    assert {*re.findall(r"--([a-z-]+): #", light)} == {*re.findall(r"--([a-z-]+): #", dark)}


def test_colours_are_named_once() -> None:
    """Elsewhere the sheet uses tokens, or the contrast of a pair would be held by nothing; print is black on white."""
    rules = re.sub(r":root \{.*?\n\s*\}", "", SHEET, flags=re.DOTALL).partition("@media print")[0]
    assert not re.findall(r"#[0-9a-fA-F]{3,6}\b", rules)


def test_another_content_has_another_path() -> None:
    one = Assets({"a.css": Asset("text/css", b"a{}", b"")})
    other = Assets({"a.css": Asset("text/css", b"a{color:red}", b"")})
    assert one.url("a.css") != other.url("a.css")
    assert one.get(other.digest, "a.css") is None
    with pytest.raises(KeyError):
        one.url("b.css")
