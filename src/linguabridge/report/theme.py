"""How figures look: Vega configurations for light and dark pages, and the colours that figures use.

Categories have the colours of Okabe and Ito (2008), which colour-blind readers tell apart; orange and sky are somewhat
darker, so that all stand out from white and from almost black by a contrast of 3:1. A shape, a dash or the order of
bars says the same again, for print in grey.
"""

from __future__ import annotations

from typing import Any

# Liberation Sans before Noto Sans, whose packages for Linux lack the minus sign.
FONT = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, 'DejaVu Sans', 'Noto Sans', "
    "'Noto Sans Arabic', 'Noto Sans Hebrew', 'Noto Sans Devanagari', 'Noto Sans CJK SC', sans-serif"
)

BLUE, ORANGE, GREEN, PINK, SKY, VERMILION = "#0072B2", "#C98500", "#009E73", "#CC79A7", "#3C9CD6", "#D55E00"
OLIVE, BROWN = "#8B8500", "#8F5B34"  # for more categories than six
GREY = "#8A8A8A"


def _config(text: str, faint: str, line: str, page: str) -> dict[str, Any]:
    return {
        "background": page,
        "font": FONT,
        "view": {"stroke": None},
        "text": {"color": text},
        "rule": {"color": faint},
        "title": {"color": text, "subtitleColor": faint, "fontSize": 13, "fontWeight": 600, "anchor": "start"},
        "axis": {
            "labelColor": text,
            "titleColor": text,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "domainColor": faint,
            "tickColor": faint,
            "gridColor": line,
            "labelLimit": 260,
            "labelFlush": False,
            "titleLimit": 0,
        },
        "legend": {
            "labelColor": text,
            "titleColor": text,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "labelLimit": 260,
            "titleLimit": 0,
        },
        "header": {"labelColor": text, "titleColor": text, "labelFontSize": 12, "labelFontWeight": 600},
    }


LIGHT = _config(text="#1A1A1A", faint="#6B6B6B", line="#E4E4E4", page="#FFFFFF")
DARK = _config(text="#E8E8E8", faint="#A0A0A0", line="#333333", page="#121212")
