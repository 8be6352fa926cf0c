"""See Go values as encoding/json does: what they become in JSON, and which of them it refuses."""

import base64
import math
import re
from json.encoder import encode_basestring
from typing import Final

from whipstaff.golang.values import GoObject, JSONNumber, StructFields, type_name

_BASIC: Final = frozenset([dict, list, str, int, float, bool, type(None)])


class JSONError(ValueError):
    """A value or a text that encoding/json refuses, in its words."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def plain_value(value: object) -> object:
    """Give the dict, list, str, number, bool or None that a Go value is in JSON, one level deep."""
    if value.__class__ in _BASIC:
        return value
    if isinstance(value, JSONNumber):
        return _number(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, GoObject) and not isinstance(value, int):
        return _object(value)
    if isinstance(value, (dict, list, str, int, float)):
        return value
    raise JSONError(f"json: unsupported type: {type_name(value)}")


def finite(number: float) -> float:
    """Give the number back, or refuse infinities and NaN."""
    if math.isfinite(number):
        return number
    shown = "NaN" if math.isnan(number) else ("+Inf" if number > 0 else "-Inf")
    raise JSONError(f"json: unsupported value: {shown}")


_INVALID = re.compile("[\ud800-\udfff]")
_SEPARATORS = re.compile("[\u2028\u2029\ud800-\udfff]")
_HTML = re.compile("[<>&]")
_REPLACEMENT: Final = r"\\ufffd"  # of a byte that is no UTF-8; the character itself stays


def quoted(text: str, *, html: bool = True) -> str:
    """Write a JSON string; `html` escapes what a browser might take for markup."""
    written = encode_basestring(text)
    if not written.isascii() and _SEPARATORS.search(written):
        # Surrogates that stand for the bytes of one character together are that character.
        whole = text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
        written = encode_basestring(whole)
        written = _SEPARATORS.sub(_unicode_escape, _INVALID.sub(_REPLACEMENT, written))
    return _HTML.sub(_unicode_escape, written) if html else written


def _unicode_escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def refuse_cycle(value: object) -> None:
    """Raise JSONError if a value holds itself; call it when a value turns out to be very deep."""
    if _holds_itself(value):
        raise JSONError(f"json: unsupported value: encountered a cycle via {type_name(value)}")


def _holds_itself(value: object) -> bool:
    """Walk a value without recursion, each part of it once."""
    above: set[int] = set()  # the parts around the one at hand
    seen: set[int] = set()
    ahead: list[tuple[object, bool]] = [(value, False)]
    while ahead:
        part, left = ahead.pop()
        if left:
            above.discard(id(part))
            continue
        if id(part) in above:
            return True
        inner = part.underlying() if isinstance(part, GoObject) else part
        if id(part) in seen or not isinstance(inner, (dict, list)):
            continue
        seen.add(id(part))
        above.add(id(part))
        ahead.append((part, True))
        ahead += [(one, False) for one in (inner.values() if isinstance(inner, dict) else inner)]
    return False


def _number(number: JSONNumber) -> int | float:
    try:
        return int(number)
    except ValueError:
        pass
    try:
        return float(number)
    except ValueError:
        raise JSONError(
            f'json: invalid number literal, trying to marshal "{number}" into Number'
        ) from None


def _object(value: GoObject) -> object:
    marshal = getattr(value, "go_json", None)
    if marshal is not None:
        return plain_value(marshal())
    inner = value.underlying()
    if inner is not None:
        return inner
    return StructFields({name: getter() for name, getter in value.fields().items()})
