"""The wallet's charts as SVG, made here; the table beside each says the same to who does not see them."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from ledger_api.pages.wallet.figures import Month

HEIGHT = 120
COLUMN, GAP, STEP = 17, 2, 52


def month_bars(months: Sequence[Month]) -> Markup:
    """Return two columns a month, earned beside spent, on one scale."""
    most = max([1, *(max(one.earned_fen, one.spent_fen) for one in months)])
    parts = [Markup('<line class="axis" x1="0" y1="{0}" x2="{1}" y2="{0}"/>').format(HEIGHT, STEP * len(months))]
    for place, one in enumerate(months):
        left = place * STEP + (STEP - 2 * COLUMN - GAP) // 2
        for shift, fen, tone in ((0, one.earned_fen, "tone-earned"), (COLUMN + GAP, one.spent_fen, "tone-spent")):
            height = 0 if fen <= 0 else max(2, fen * (HEIGHT - 6) // most)
            parts.append(
                Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
                    tone, left + shift, HEIGHT - height, COLUMN, height
                )
            )
        parts.append(
            Markup('<text x="{}" y="{}">{}</text>').format(place * STEP + STEP // 2, HEIGHT + 20, one.label[5:])
        )
    return Markup('<svg class="months" viewBox="0 0 {} {}" aria-hidden="true" focusable="false">{}</svg>').format(
        STEP * len(months), HEIGHT + 28, Markup("").join(parts)
    )
