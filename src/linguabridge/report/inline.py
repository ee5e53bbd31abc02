"""What a page carries within itself: styles, scripts and data, and how its policy knows them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib import resources
from typing import Any


def template(name: str) -> str:
    """A file of the package's templates."""
    return (resources.files("linguabridge.report") / "templates" / name).read_text(encoding="utf-8")


def style(name: str) -> str:
    """A style sheet with the colours that all pages share, light and dark, before it."""
    return template("colours.css") + template(name)


def hashed(text: str) -> str:
    """A script or style as a content security policy names it: ``'sha256-…'``."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def escaped_json(value: Any) -> str:
    """JSON that is safe within a script element: no character in it means anything to HTML.

    Halves of characters (of a model's answer, of a folder's name) are escaped, too: no file can hold them.

    Raises:
        ValueError: a number in it is not finite.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)
