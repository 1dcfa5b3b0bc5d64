"""One picture of the demo for the README: an SVG drawn from the same figures as the page."""

from __future__ import annotations

from html import escape

from scripts.demo import pictures
from scripts.demo.page_content import PageContent, Programme, check

_FONT = "'Noto Sans CJK SC','PingFang SC','Microsoft YaHei',system-ui,sans-serif"
_INK, _SOFT, _PAPER, _LINE = "#1a2129", "#5a626d", "#faf8f3", "#ddd8cc"
_LEFT = {"t-left": None, "t-out": "#2f3b48", "t-spent": "#b9770e", "t-revoked": "#b3261e", "t-expired": "#a8adb4"}


def poster(page_content: PageContent) -> str:
    """Return the picture, 1000 × 730. Raises ContradictoryFigures where the figures contradict each other."""
    check(page_content)
    parts = [
        f'<rect width="1000" height="730" fill="{_PAPER}"/>',
        _text(40, 78, "通兑", 52, weight=900),
        _text(160, 60, "Tongdui", 26, weight=700),
        _text(160, 84, "one city, one wallet of points", 17, fill=_SOFT),
        _stats(page_content),
        _card(40, 210, 450, 300, "之前 Before: each on its own"),
        _nested(55, 250, 420, pictures.reach_before(page_content)),
        _card(510, 210, 450, 300, "之后 After: one ledger, good everywhere"),
        _nested(525, 250, 420, pictures.reach_after(page_content)),
        _card(40, 530, 700, 170, "来的 = 去的 + 剩下的   what came = what went + what is left"),
        *(
            _bars(programme, 60, 572 + 31 * row)
            for row, programme in enumerate(p for p in page_content.programmes if p.par_microfen)
        ),
        _card(760, 530, 200, 170, "审计 the auditor"),
        _seal(860, 597, page_content.audit.verdict, "#1f7a4d", "the chain"),
        _seal(860, 664, page_content.forgery.verdict, "#b3261e", "one forged balance"),
    ]
    title = "The demo: programmes, shops, points and the auditor's verdicts"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 730" font-family="{_FONT}">'
        f"<title>{title}</title>{''.join(parts)}</svg>\n"
    )


def _stats(page_content: PageContent) -> str:
    figures = (
        (f"{sum(p.intake.records for p in page_content.programmes):,}", "条记录 source records"),
        (f"{page_content.residents:,}", "位居民 residents"),
        (f"¥{pictures.yuan(page_content.redeemed_fen)}", "付给商户 paid to shops"),
        (
            f"{pictures.percent(page_content.share_before_ppm)} → {pictures.percent(page_content.share_after_ppm)}",
            "能买东西的积分 points that buy",
        ),
    )
    return "".join(
        f'<rect x="{40 + 233 * place}" y="112" width="221" height="80" rx="12" fill="#fff" stroke="{_LINE}"/>'
        + _text(54 + 233 * place, 150, figure, 25, weight=800)
        + _text(54 + 233 * place, 176, words, 14, fill=_SOFT)
        for place, (figure, words) in enumerate(figures)
    )


def _bars(programme: Programme, x: int, y: int) -> str:
    colour = pictures.colour(programme.slug)
    width = 380
    parts = [_text(x, y + 16, f"{programme.name.zh} {programme.name.en}", 14, weight=700)]
    at = float(x + 180)
    for segment in pictures.went(programme):
        if not segment.minor:
            continue
        long = segment.minor * width / programme.movement.came
        fill = _LEFT[segment.tone] or colour
        parts.append(f'<rect x="{at:.1f}" y="{y}" width="{long:.1f}" height="22" fill="{fill}"/>')
        at += long
    parts.append(_text(x + 572, y + 16, pictures.points(programme.movement.came), 14))
    return "".join(parts)


def _seal(x: int, y: int, verdict: str, colour: str, words: str) -> str:
    return (
        f'<g transform="rotate(-4 {x} {y})"><rect x="{x - 56}" y="{y - 27}" width="112" height="40" rx="9" fill="none"'
        f' stroke="{colour}" stroke-width="3.5"/>'
        f'<text x="{x}" y="{y + 3}" font-size="27" font-weight="900" text-anchor="middle" fill="{colour}">'
        f"{escape(verdict)}</text></g>"
        f'<text x="{x}" y="{y + 31}" font-size="13" text-anchor="middle" fill="{_SOFT}">{escape(words)}</text>'
    )


def _card(x: int, y: int, width: int, height: int, title: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="14" fill="#fff" stroke="{_LINE}"/>' + _text(
        x + 18, y + 28, title, 16, weight=700
    )


def _nested(x: int, y: int, width: int, svg: str) -> str:
    return svg.replace("<svg ", f'<svg x="{x}" y="{y}" width="{width}" height="{width * 250 // 400}" ', 1)


def _text(x: float, y: float, text: str, size: int, *, weight: int = 400, fill: str = _INK) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{fill}">{escape(text)}</text>'
