"""QR codes, as pictures that a display shows."""

from __future__ import annotations

from io import BytesIO

import segno

QUIET_ZONE = 4
"""Light modules around the code, as ISO/IEC 18004 wants them."""


def svg(text: str) -> bytes:
    """Return a text as a QR code, dark on light, that scales to the size it is given."""
    picture = BytesIO()
    code = segno.make_qr(text, error="m")
    code.save(picture, kind="svg", border=QUIET_ZONE, omitsize=True, dark="#000", light="#fff", xmldecl=False)
    return picture.getvalue()
