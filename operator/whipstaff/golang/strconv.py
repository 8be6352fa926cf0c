"""Read numbers and quote strings as Go's strconv does."""

import re

_INTEGER = re.compile(r"([+-]?)(0[xX]|0[oO]|0[bB]|0)?([0-9a-fA-F_]*)")
_DIGITS = {2: frozenset("01"), 8: frozenset("01234567"), 10: frozenset("0123456789")}
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_BASES = {"0x": 16, "0o": 8, "0b": 2, "0": 8}
_DECIMAL_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_HEX_FLOAT = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+")
_WORD_FLOAT = re.compile(r"[+-]?(?:inf|infinity)|nan", re.IGNORECASE)
_MISPLACED_UNDERSCORE = re.compile(r"(?<![0-9a-fA-FxXoObB])_|_(?![0-9a-fA-F])")

MAX_INT64 = (1 << 63) - 1
MIN_INT64 = -(1 << 63)

_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}
_PLAIN = re.compile(r"[ !#-\[\]-~]*")


class NumberError(ValueError):
    """Text that is no number, or one that does not fit; `nearest` is what Go returns beside it."""

    def __init__(self, function: str, text: str, reason: str, nearest: int = 0) -> None:
        super().__init__(f"strconv.{function}: parsing {quote(text)}: {reason}")
        self.nearest = nearest


def parse_int(text: str, base: int = 0) -> int:
    """Read a 64-bit integer; base 0 takes the base from a prefix and allows underscores."""
    found = _INTEGER.fullmatch(text)
    sign, prefix, digits = found.groups() if found else ("", None, "")
    if base:
        prefix, digits, radix = None, text[len(sign) :] if found else "", base
    else:
        prefix = prefix.lower() if prefix else None
        radix = _BASES.get(prefix or "", 10)
        if prefix == "0" and not digits:
            return 0
    bare = digits if base else digits.replace("_", "")
    allowed = _HEX_DIGITS if radix == 16 else _DIGITS[radix]  # noqa: PLR2004  as Go has it
    if not bare or not allowed.issuperset(bare) or (bare != digits and not _underscores_fit(text)):
        raise NumberError("ParseInt", text, "invalid syntax")
    bare = bare.lstrip("0")
    # 65 digits are too many in any base, and Python's own reader is quadratic.
    number = int(bare or "0", radix) if len(bare) <= 65 else MAX_INT64 + 1  # noqa: PLR2004  as Go has it
    number = -number if sign == "-" else number
    if not MIN_INT64 <= number <= MAX_INT64:
        nearest = MAX_INT64 if number > 0 else MIN_INT64
        raise NumberError("ParseInt", text, "value out of range", nearest)
    return number


def atoi(text: str) -> int:
    """What Go's Atoi returns beside an error too: 0 for no number, a bound for a huge one."""
    try:
        return parse_int(text, 10)
    except NumberError as error:
        return error.nearest


def parse_float(text: str) -> float:
    """Read a float64 in Go's syntax, hexadecimal and words included."""
    bare = text
    if "_" in text:
        if not _underscores_fit(text):
            raise NumberError("ParseFloat", text, "invalid syntax")
        bare = text.replace("_", "")
    if _DECIMAL_FLOAT.fullmatch(bare):
        number = float(bare)
    elif _WORD_FLOAT.fullmatch(bare):
        return float(bare)
    elif _HEX_FLOAT.fullmatch(bare):
        try:
            number = float.fromhex(bare)
        except OverflowError:
            number = float("inf")
    else:
        raise NumberError("ParseFloat", text, "invalid syntax")
    if number in {float("inf"), float("-inf")}:
        raise NumberError("ParseFloat", text, "value out of range")
    return number


def _underscores_fit(text: str) -> bool:
    # Decimal digits may hold underscores between digits alone; a base prefix counts as a digit.
    unsigned = text.removeprefix("+").removeprefix("-")
    if unsigned[:1] == "_" or unsigned[:2].lower() in {"x_", "o_", "b_"}:
        return False
    return not _MISPLACED_UNDERSCORE.search(unsigned)


def quote(text: str) -> str:
    """The text as a Go string literal (%q): what cannot be printed is escaped."""
    if _PLAIN.fullmatch(text):
        return f'"{text}"'
    return '"' + "".join(map(_escape, text)) + '"'


def _escape(char: str) -> str:
    short = _ESCAPES.get(char)
    if short is not None:
        return short
    if char.isprintable():
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004  as Go has it
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x20 or code == 0x7F:  # noqa: PLR2004  as Go has it
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004  as Go has it
