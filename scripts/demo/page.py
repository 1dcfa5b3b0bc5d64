"""Renders the story as one HTML file that asks the network for nothing: styles, pictures and the receipt are inside."""

from __future__ import annotations

import base64

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from scripts.demo import pictures
from scripts.demo.story import Story, check


def render(story: Story) -> str:
    """Return the page. Raises StoryDoesNotAddUp where the figures contradict each other."""
    check(story)
    environment = Environment(
        loader=PackageLoader("scripts.demo", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "points": pictures.points,
        "yuan": pictures.yuan,
        "percent": pictures.percent,
        "par": pictures.par,
        "colour": pictures.colour,
        "qr": lambda content: _drawn(pictures.qr(content)),
        "share": _share,
        "base64": lambda content: base64.b64encode(content).decode(),
    }
    environment.globals |= {"came": pictures.came, "went": pictures.went}
    return environment.get_template("page.html").render(
        story=story,
        reach_before=_drawn(pictures.reach_before(story)),
        reach_after=_drawn(pictures.reach_after(story)),
        flows=_drawn(pictures.flows(story)),
    )


def _share(part: int, whole: int) -> str:
    """Return ``part`` of ``whole`` as a CSS percentage; nothing of nothing is 0."""
    return f"{part * 100 / whole:.4f}%" if whole else "0%"


def _drawn(svg: str) -> Markup:
    """Mark a picture of ours as safe: every name in it was escaped where it was drawn."""
    return Markup(svg)  # noqa: S704
