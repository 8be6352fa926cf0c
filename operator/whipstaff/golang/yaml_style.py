"""Choose the style of a YAML string and write it, as Go's emitter does."""

import re
from typing import Final, Literal

from whipstaff.golang.yaml_scalars import HINTS, STR_TAG, WORDS, is_base_60, resolve

WIDTH: Final = 80
LONGEST_SIMPLE_KEY: Final = 128  # bytes; a longer key is written after "? "

_CACHED_STRINGS: Final = 50_000
_CACHED_LENGTH: Final = 72

_AFTER_QUOTE: Final = 2  # the second character of a quoted string
_BREAKS: Final = "\r\n\x85\u2028\u2029"
_BREAK = re.compile(f"[{_BREAKS}]")
_SPACE_AND_BREAK = re.compile(f" [{_BREAKS}]|[{_BREAKS}] ")
_SPACE_BEFORE_BREAK = re.compile(f" [{_BREAKS}]")
_LINE_START = re.compile("(?:^|(?<=[\n\u2028\u2029]))(?=[^\n\u2028\u2029])")
# Go's emitter counts neither tabs nor anything beyond the BMP as printable.
_UNPRINTABLE = re.compile(r"[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
# Line breaks, and what JSON alters on its way: such strings are not remembered.
_CONTEXT_MATTERS = re.compile(r"[\r\n\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_UNPRINTABLE_BUT_TAB = re.compile(r"[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
_LEADING_INDICATOR = re.compile(r"[#,\[\]{}&*!|>'\"%@`]|[?:-](?:[ \t]|\Z)|---|\.\.\.")
_INNER_INDICATOR = re.compile(r":(?:[ \t]|\Z)|[ \t]#")
# The bulk of real strings: text that begins like no number and holds nothing special.
_SURELY_PLAIN = re.compile(
    r"[A-Za-z_/$(^;\\](?:[\w./$()+;<>^~\\?*&!|@%,={}\[\]'\"`#-]|:(?=[\w/])| (?=[\w(/$.]))*",
    re.ASCII,
)
_BETWEEN_WORDS = re.compile(r"(?<! ) (?! )")
_ANY_RUN = re.compile(r"(?<! ) ")

_ESCAPED = re.compile(
    r"[^\x20\x21\x23-\x5b\x5d-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]"
)
_ESCAPES: Final = {
    "\x00": "\\0",
    "\x07": "\\a",
    "\x08": "\\b",
    "\x09": "\\t",
    "\x0a": "\\n",
    "\x0b": "\\v",
    "\x0c": "\\f",
    "\x0d": "\\r",
    "\x1b": "\\e",
    '"': '\\"',
    "\\": "\\\\",
    "\x85": "\\N",
    "\xa0": "\\_",
    "\u2028": "\\L",
    "\u2029": "\\P",
}
_ANY = re.compile("(?s).")
_BYTE_ORDER_MARK: Final = "\ufeff"

Style = Literal["plain", "single", "double"]

# Strings to their unfolded form, which the writer looks up before it calls anything here.
remembered: dict[str, str] = {}


def string(text: str, indent: int, column: int) -> str:
    """Write a string that starts at `column` in a collection at `indent`, its line end included."""
    line = remembered.get(text)
    if line is None:
        if "\n" in text:
            return _with_newlines(text, indent + 2, column)
        line = one_line(text)
    if column + len(line) > WIDTH and " " in line:
        return _folded(line, indent + 2, column) + "\n"
    if not line.isascii() and line[0] == "'" and _BREAK.search(line):
        return _with_breaks(line, indent + 2, column) + "\n"
    return line + "\n"


def unfolded(text: str, indent: int) -> str:
    """Write a string as `string` does, but let lines be long and block scalars hold tabs."""
    if "\n" not in text:
        line = one_line(text)
        if not line.isascii() and line[0] == "'" and _BREAK.search(line):
            line = _with_breaks(line, indent + 2, -len(line))
        return line + "\n"
    if text[-1] == " " or _UNPRINTABLE_BUT_TAB.search(text) or _SPACE_BEFORE_BREAK.search(text):
        return _double(text) + "\n"
    return _literal(text, indent + 2)


def one_line(text: str) -> str:
    """Write a string that holds no newline, unfolded."""
    line = remembered.get(text)
    if line is None:
        line = _one_line(text)
        if len(text) <= _CACHED_LENGTH and not _CONTEXT_MATTERS.search(text):
            if len(remembered) >= _CACHED_STRINGS:
                remembered.clear()
            remembered[text] = line
    return line


def is_simple_key(text: str) -> bool:
    """Say whether a key may stand before its colon on one line."""
    if len(text) > LONGEST_SIMPLE_KEY or _BREAK.search(text):
        return False
    return text.isascii() or len(text.encode()) <= LONGEST_SIMPLE_KEY


def _one_line(text: str) -> str:
    if _SURELY_PLAIN.fullmatch(text) and text not in WORDS:
        return text
    style = _style(text)
    if style == "plain":
        return text
    return "'" + text.replace("'", "''") + "'" if style == "single" else _double(text)


def _style(text: str) -> Style:
    """Choose the style of a string without newlines."""
    if text[:1] in HINTS and (resolve(text)[0] != STR_TAG or is_base_60(text)):
        return "double"
    if _UNPRINTABLE.search(text) or _SPACE_AND_BREAK.search(text):
        return "double"
    if (
        text[0] == " "
        or text[-1] == " "
        or _LEADING_INDICATOR.match(text)
        or _INNER_INDICATOR.search(text)
        or (not text.isascii() and _BREAK.search(text))
    ):
        return "single"
    return "plain"


def _double(text: str) -> str:
    # After a leading byte order mark Go's emitter escapes every single character.
    escaped = (_ANY if text[:1] == _BYTE_ORDER_MARK else _ESCAPED).sub(_escape, text)
    return f'"{escaped}"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    known = _ESCAPES.get(character)
    if known is not None:
        return known
    code = ord(character)
    if code <= 0xFF:  # noqa: PLR2004 - two digits
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"  # noqa: PLR2004 - four digits


def _with_newlines(text: str, indent: int, column: int) -> str:
    if text[-1] == " " or _UNPRINTABLE.search(text) or _SPACE_BEFORE_BREAK.search(text):
        return _folded(_double(text), indent, column) + "\n"
    return _literal(text, indent)


def _literal(text: str, indent: int) -> str:
    padding = " " * indent
    hint = "2" if text[0] in " \n\u2028\u2029" else ""
    if text.isascii():
        body = "\n".join([padding + line if line else "" for line in text.split("\n")])
        ended = text[-1] == "\n"
    else:
        body = _LINE_START.sub(padding, text)
        ended = _BREAK.match(text[-1]) is not None
    if not ended:
        return f"|{hint}-\n{body}\n"
    kept = len(text) == 1 or _BREAK.match(text[-2]) is not None
    return f"|{hint}{'+' if kept else ''}\n{body}"


def _folded(line: str, indent: int, column: int) -> str:
    """Break a line at spaces beyond the width: in double quotes at any run of them."""
    quoted = line[0] in "'\""
    if line[0] == "'" and not line.isascii() and _BREAK.search(line):
        return _with_breaks(line, indent, column)
    double = line[0] == '"'
    first, last = (_AFTER_QUOTE, len(line) - 3) if quoted else (0, len(line))
    newline = "\n" + " " * indent
    pieces: list[str] = []
    start = 0
    for match in (_ANY_RUN if double else _BETWEEN_WORDS).finditer(line):
        at = match.start()
        if column + at - start > WIDTH and first <= at <= last:
            pieces += line[start:at], newline
            start, column = at + 1, indent
            if double and line[start] == " ":
                pieces.append("\\")
                column += 1
    pieces.append(line[start:])
    return "".join(pieces)


def _with_breaks(line: str, indent: int, column: int) -> str:
    """Write a single-quoted string with Unicode line breaks, each followed by indentation."""
    written: list[str] = []
    after_break = False
    last = len(line) - 3
    for at, character in enumerate(line[:-1]):
        alone = " " not in line[at - 1 : at + 2 : 2]
        if character == " " and column > WIDTH and _AFTER_QUOTE <= at <= last and alone:
            written.append("\n" + " " * indent)
            column = indent
        elif character in "\u2028\u2029":
            written.append(character)
            column, after_break = 0, True
        else:
            if after_break:
                written.append(" " * indent)
                column, after_break = indent, False
            written.append(character)
            column += 1
    return "".join(written) + "'"
