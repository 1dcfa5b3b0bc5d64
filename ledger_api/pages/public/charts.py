"""Charts as SVG, made here: lengths in attributes, colours by class, for ``style=`` is what the policy forbids."""

from __future__ import annotations

from markupsafe import Markup

WIDTH = 1_000


def bar(value: int, most: int, tone: str) -> Markup:
    """Return a bar as long as ``value`` is of ``most``.

    Its figure stands beside it in words, so readers of the page's text are not shown the bar.
    """
    length = 0 if most <= 0 else max(0, min(WIDTH, value * WIDTH // most))
    if value > 0:
        length = max(length, 4)
    return Markup(
        '<svg class="bar" viewBox="0 0 {0} 16" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<rect class="track" width="{0}" height="16"/><rect class="{1}" width="{2}" height="16"/></svg>'
    ).format(WIDTH, tone, length)
