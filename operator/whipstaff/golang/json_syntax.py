"""Find what is wrong with a JSON text, and say it as Go's scanner does."""

import re
from typing import Final, NoReturn

END: Final = "unexpected end of JSON input"

_SPACE = re.compile(rb"[ \t\r\n]*")
_DIGITS = re.compile(rb"[0-9]*")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_ESCAPED: Final = b'bfnrt\\/"'
_HEX: Final = b"0123456789abcdefABCDEF"
_DIGIT: Final = b"0123456789"
_WORDS: Final = {b"t": b"true", b"f": b"false", b"n": b"null"}

_LAST_ASCII: Final = 0x7F
_VALUE: Final = "looking for beginning of value"
_KEY: Final = "looking for beginning of object key string"


class _Refused(Exception):
    """The text is no JSON; the words say why."""


def syntax_error(text: str) -> str:
    """Give Go's words for the first mistake in a text that is no JSON value."""
    try:
        _Scanner(text.encode("utf-8", "surrogateescape")).scan()
    except _Refused as refused:
        return str(refused)
    return END


class _Scanner:
    """A walk over the bytes of a text, with a stack of what is open: `}` and `]`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._open: list[bytes] = []

    def scan(self) -> None:
        """Walk over one value and to the end of the text."""
        self._value()
        while self._open:
            self._next_member()
        if self._peek():
            self._refuse("after top-level value")

    def _peek(self) -> bytes:
        """Give the next byte that is no white space, or nothing at the end."""
        self._skip(_SPACE)
        return self._data[self._at : self._at + 1]

    def _skip(self, pattern: re.Pattern[bytes]) -> None:
        match = pattern.match(self._data, self._at)
        if match is not None:
            self._at = match.end()

    def _next_member(self) -> None:
        closing = self._open[-1]
        byte = self._peek()
        if byte == closing:
            self._at += 1
            self._open.pop()
        elif byte == b",":
            self._at += 1
            if closing == b"}":
                self._key()
            self._value()
        else:
            self._refuse(
                "after object key:value pair" if closing == b"}" else "after array element"
            )

    def _value(self) -> None:
        """Walk over a value, or into it as far as its first member."""
        byte = self._peek()
        if byte == b'"':
            self._string()
        elif byte in _WORDS:
            self._word(_WORDS[byte])
        elif byte == b"-" or (byte and byte in _DIGIT):
            self._number(byte)
        elif byte in {b"{", b"["}:
            self._at += 1
            closing = b"}" if byte == b"{" else b"]"
            self._open.append(closing)
            if self._peek() != closing:
                if closing == b"}":
                    self._key()
                self._value()
        else:
            self._refuse(_VALUE)

    def _key(self) -> None:
        if self._peek() != b'"':
            self._refuse(_KEY)
        self._string()
        if self._peek() != b":":
            self._refuse("after object key")
        self._at += 1

    def _string(self) -> None:
        self._at += 1
        while True:
            self._skip(_PLAIN)
            byte = self._data[self._at : self._at + 1]
            if byte == b'"':
                self._at += 1
                return
            if byte != b"\\":
                self._refuse("in string literal")
            self._at += 1
            self._escape()

    def _escape(self) -> None:
        byte = self._data[self._at : self._at + 1]
        if byte == b"u":
            for _ in range(4):
                self._at += 1
                self._expect(_HEX, "in \\u hexadecimal character escape")
        else:
            self._expect(_ESCAPED, "in string escape code")
        self._at += 1

    def _word(self, word: bytes) -> None:
        for position, letter in enumerate(word):
            text = word.decode("ascii")
            self._expect(bytes([letter]), f"in literal {text} (expecting '{text[position]}')")
            self._at += 1

    def _number(self, byte: bytes) -> None:
        if byte == b"-":
            self._at += 1
            self._expect(_DIGIT, "in numeric literal")
        if self._data[self._at : self._at + 1] == b"0":
            self._at += 1
        else:
            self._skip(_DIGITS)
        if self._data[self._at : self._at + 1] == b".":
            self._at += 1
            self._expect(_DIGIT, "after decimal point in numeric literal")
            self._skip(_DIGITS)
        if self._data[self._at : self._at + 1] in {b"e", b"E"}:
            self._at += 1
            if self._data[self._at : self._at + 1] in {b"+", b"-"}:
                self._at += 1
            self._expect(_DIGIT, "in exponent of numeric literal")
            self._skip(_DIGITS)

    def _expect(self, allowed: bytes, where: str) -> None:
        # Go's scanner ends a text with a blank; inside a word or a number that is the mistake.
        byte = self._data[self._at : self._at + 1] or b" "
        if byte not in allowed:
            raise _Refused(f"invalid character {_shown(byte[0])} {where}")

    def _refuse(self, where: str) -> NoReturn:
        if self._at >= len(self._data):
            raise _Refused(END)
        raise _Refused(f"invalid character {_shown(self._data[self._at])} {where}")


def _shown(byte: int) -> str:
    """Quote a byte as Go's scanner does: as the character of that number."""
    character = chr(byte)
    if character == "'":
        return "'\\''"
    if character == '"':
        return "'\"'"
    known = {
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
        "\\": "\\\\",
    }
    if character in known:
        return f"'{known[character]}'"
    if character.isprintable():
        return f"'{character}'"
    return f"'\\x{byte:02x}'" if byte <= _LAST_ASCII else f"'\\u{byte:04x}'"
