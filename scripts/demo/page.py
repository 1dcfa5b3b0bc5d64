"""Renders the page's content as one HTML file that loads nothing: styles, pictures and the receipt are inside."""

from __future__ import annotations

import base64

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from scripts.demo import pictures
from scripts.demo.page_content import PageContent, check


def render(page_content: PageContent) -> str:
    """Return the page. Raises ContradictoryFigures where the figures contradict each other."""
    check(page_content)
    env = Environment(
        loader=PackageLoader("scripts.demo", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {
        "points": pictures.points,
        "yuan": pictures.yuan,
        "percent": pictures.percent,
        "par": pictures.par,
        "colour": pictures.colour,
        "qr": lambda content: _drawn(pictures.qr(content)),
        "share": _share,
        "base64": lambda content: base64.b64encode(content).decode(),
    }
    env.globals |= {"came": pictures.came, "went": pictures.went}
    return env.get_template("page.html").render(
        page_content=page_content,
        reach_before=_drawn(pictures.reach_before(page_content)),
        reach_after=_drawn(pictures.reach_after(page_content)),
        flows=_drawn(pictures.flows(page_content)),
    )


def _share(part: int, whole: int) -> str:
    """Return ``part`` of ``whole`` as a CSS percentage; nothing of nothing is 0."""
    return f"{part * 100 / whole:.4f}%" if whole else "0%"


def _drawn(svg: str) -> Markup:
    """Mark a picture of ours as safe: every name in it was escaped where it was drawn."""
    return Markup(svg)  # noqa: S704
