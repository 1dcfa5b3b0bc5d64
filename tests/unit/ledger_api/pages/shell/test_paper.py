"""Printed codes are wide enough for any reader; that one reads them is tried in a browser (tests/pages)."""

from __future__ import annotations

import re

import pytest

from ledger_api.pages.shell.paper import CODE_MM, QUIET_MODULES, qr_printed


@pytest.mark.parametrize("content", ["TONGDUI:7K2QF9XM4D", "https://points.example.gov.cn/o/rice-5kg"])
def test_a_code_is_as_wide_as_it_says_without_its_edge(content: str) -> None:
    drawn = str(qr_printed(content, "code"))
    [width] = re.findall(r'<svg [^>]*width="([0-9.]+)mm"', drawn)
    [scale] = re.findall(r"scale\(([0-9.]+)\)", drawn)
    assert float(width) - 2 * QUIET_MODULES * float(scale) == pytest.approx(CODE_MM)
    assert CODE_MM >= 25


def test_a_title_is_text() -> None:
    assert "<b>" not in str(qr_printed("x", "<b>"))
    assert "style=" not in str(qr_printed("x", "y")), "the policy forbids it"
