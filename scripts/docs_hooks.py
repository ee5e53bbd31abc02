"""For MkDocs: roles such as ``:func:`…` `` in docstrings are shown as the names they stand before."""

from __future__ import annotations

import re

_ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):<code>~?(.+?)</code>")


def on_page_content(html: str, **_: object) -> str:
    """Called by MkDocs with the HTML of each page's text."""
    return _ROLE.sub(r"<code>\1</code>", html)
