"""What a shop took by day, as columns of an SVG: lengths in attributes and colours by class, as the policy wants."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from redemption.till.takings import Day

HEIGHT, STEP, COLUMN = 120, 20, 8


def columns(days: Sequence[Day], label: str) -> Markup:
    """Return two columns a day: what came, and what went back. The table beside it has the figures."""
    most = max([1, *(max(day.paid_fen, day.refunded_fen) for day in days)])
    width = STEP * len(days)
    drawn = []
    for place, day in enumerate(days):
        for offset, fen, tone in ((1, day.paid_fen, "came"), (1 + COLUMN, day.refunded_fen, "back")):
            tall = max(2, fen * HEIGHT // most) if fen else 0
            drawn.append(
                Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
                    tone, place * STEP + offset, HEIGHT - tall, COLUMN, tall
                )
            )
    return Markup(
        '<svg class="columns" viewBox="0 0 {0} {1}" role="img" aria-label="{2}" focusable="false">{3}'
        '<line class="base" x1="0" y1="{4}" x2="{0}" y2="{4}"/></svg>'
    ).format(width, HEIGHT + 2, label, Markup("").join(drawn), HEIGHT + 1)
