"""Read the constants of templates: Go's strings, characters and numbers."""

from __future__ import annotations

import re

from whipstaff.golang.printf import SURROGATES
from whipstaff.golang.strconv import NumberError, parse_float, parse_int, quote
from whipstaff.template.lexer import Kind
from whipstaff.template.nodes import Number

MAX_BYTE = 0xFF
MAX_RUNE = 0x10FFFF
ESCAPED_BYTES = range(0xDC80, 0xDD00)  # how bytes that are no UTF-8 travel in str

_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|.)",
    re.DOTALL,
)
_SIMPLE = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
}


def unquote(literal: str) -> str | None:
    """The text of a quoted or raw Go string literal; None if it is malformed."""
    if literal[0] == "`":
        return literal[1:-1].replace("\r", "")
    inside = literal[1:-1]
    if "\\" not in inside:
        return inside
    return unescape(inside, literal[0])


def unescape(text: str, delimiter: str) -> str | None:
    """Resolve Go's escapes; None if one is unknown or unfit for this delimiter."""
    parts: list[bytes] = []
    position = 0
    for found in _ESCAPE.finditer(text):
        parts.append(text[position : found.start()].encode("utf-8", "surrogateescape"))
        position = found.end()
        simple, byte, short, wide, octal = found.groups()
        if simple is not None:
            if simple in "'\"" and simple != delimiter:
                return None
            parts.append(_SIMPLE[simple].encode())
        elif byte is not None or octal is not None:
            value = int(byte, 16) if byte is not None else int(octal, 8)
            if value > MAX_BYTE:
                return None
            parts.append(bytes((value,)))
        elif short is not None or wide is not None:
            code = int(short or wide, 16)
            if code > MAX_RUNE or code in SURROGATES:
                return None
            parts.append(chr(code).encode())
        else:
            return None
    parts.append(text[position:].encode("utf-8", "surrogateescape"))
    return b"".join(parts).decode("utf-8", "surrogateescape")


def number_of(position: int, text: str, kind: int) -> tuple[Number, str]:
    """The constant under every type that can hold it, and what is wrong with it, if anything."""
    node = Number(position, text)
    if kind == Kind.CHAR_CONSTANT:
        return node, _character(node)
    if kind == Kind.COMPLEX:
        cut = max(text.rfind("+"), text.rfind("-"))
        real, imaginary = _float(text[:cut]), _float(text[cut:-1])
        if real is None or imaginary is None:
            return node, "syntax error scanning complex number"
        node.as_complex = complex(real, imaginary)
        _simplify(node, node.as_complex)
        return node, ""
    if text.endswith("i"):
        imaginary = _float(text[:-1])
        if imaginary is not None:
            node.as_complex = complex(0, imaginary)
            _simplify(node, node.as_complex)
            return node, ""
    return node, _real(node)


def _character(node: Number) -> str:
    inside = node.text[1:-1]
    resolved = unescape(inside, "'") if inside.startswith("\\") else inside
    if not resolved:
        return "invalid syntax"
    if len(resolved) != 1:
        return f"malformed character constant: {node.text}"
    code = ord(resolved)
    if code in ESCAPED_BYTES:
        code -= 0xDC00
    node.as_int = node.as_uint = code
    node.as_float = float(code)
    return ""


def _real(node: Number) -> str:
    text = node.text
    try:
        number = parse_int(text, 0)
        node.as_int = number
        if number >= 0 and text[0] not in "+-":
            node.as_uint = number
        elif number == 0:
            node.as_uint = 0
        node.as_float = float(number)
    except NumberError:
        wide = _wide(text)
        if wide is not None:
            node.as_uint, node.as_float = wide, float(wide)
            return ""
        value = _float(text)
        if value is None:
            return f"illegal number syntax: {quote(text)}"
        if not any(c in text for c in ".eEpP"):
            return f"integer overflow: {quote(text)}"
        _from_float(node, value)
    return ""


def _wide(text: str) -> int | None:
    """An unsigned integer beyond int64."""
    try:
        number = int(text.replace("_", ""), 0)
    except ValueError:
        return None
    return number if 1 << 63 <= number < 1 << 64 and text[0] not in "+-" else None


def _float(text: str) -> float | None:
    try:
        return parse_float(text)
    except NumberError:
        return None


def _from_float(node: Number, value: float) -> None:
    node.as_float = value
    if value.is_integer():
        if -(1 << 63) <= value < 1 << 63:
            node.as_int = int(value)
        if 0 <= value < 1 << 64:
            node.as_uint = int(value)


def _simplify(node: Number, value: complex) -> None:
    if value.imag == 0:
        _from_float(node, value.real)
