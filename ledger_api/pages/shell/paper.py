"""What is printed: codes large enough for any reader, drawn here as SVG."""

from __future__ import annotations

from io import BytesIO

import segno
from markupsafe import Markup

QUIET_MODULES = 4
"""The white edge that ISO/IEC 18004 asks for, in modules."""

CODE_MM = 40
"""How wide a printed code is without its edge: well above the 25 mm that any reader manages."""


def qr_printed(content: str, title: str, *, width_mm: int = CODE_MM) -> Markup:
    """Return a QR code as an SVG element, ``width_mm`` wide on paper without its quiet zone.

    Error correction Q: a fold, a stain and a turn of the paper leave it readable.
    """
    code = segno.make(content, error="q", micro=False, boost_error=False)
    modules = code.symbol_size(border=0)[0]
    out = BytesIO()
    code.save(
        out,
        kind="svg",
        scale=width_mm / modules,
        unit="mm",
        border=QUIET_MODULES,
        xmldecl=False,
        nl=False,
        light="#fff",
        svgclass="qr",
        lineclass=None,
        title=title,
    )
    return Markup(out.getvalue().decode())  # noqa: S704  (drawn here; the title is escaped by the drawer)
