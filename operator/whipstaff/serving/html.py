"""HTML for people, made of what anyone may have written: all of it is text, and stays text."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader

# Controls, and what turns the direction of a line or of all that follows: it could show another
# name than there is. Line feeds and tabs stay.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ud800-\udfff]"
)


def environment(folder: Path) -> Environment:
    """Return templates that escape whatever they are given, whatever a template is called."""
    found = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=seen,
    )
    found.filters["web_link"] = web_link
    return found


def seen(value: object) -> object:
    """Spell characters out that cannot be seen; nothing at all for None."""
    if value is None:
        return ""
    if type(value) is not str:  # markup is what a template made itself
        return value
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", value)


def web_link(text: object) -> str:
    """Return a URL that a page may link to, empty for any other."""
    try:
        parts = urlsplit(str(text))
    except ValueError:
        return ""
    return str(text) if parts.scheme in {"http", "https"} and parts.netloc else ""
