"""Quote characters, and strings in ASCII, as Go's strconv does."""

from __future__ import annotations

from whipstaff.golang.strconv import quote

MAX_SHORT_ESCAPE = 0xFFFF


def quote_ascii(text: str) -> str:
    """The text as a Go string literal of ASCII alone (%+q)."""
    return "".join(c if c.isascii() else _escaped(c) for c in quote(text))


def quote_rune(character: str, *, ascii_only: bool = False) -> str:
    """The character as a Go character literal (%q of an integer)."""
    if character == "'":
        return r"'\''"
    if character == '"':
        return "'\"'"
    inside = (quote_ascii if ascii_only else quote)(character)[1:-1]
    return f"'{inside}'"


def is_print(code: int) -> bool:
    """Go's strconv.IsPrint."""
    return chr(code).isprintable()


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= MAX_SHORT_ESCAPE else f"\\U{code:08x}"
