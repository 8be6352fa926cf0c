"""Read the keys and strings of TOML, refusing what BurntSushi's lexer refuses.

Lines are counted as there: a refused character counts as read, a line break as the next line.
"""

import re
from typing import Final, NoReturn

from whipstaff.golang.strconv import quote

END: Final = ""
_BARE = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
_BLANKS = re.compile(r"[ \t]*")
_HEX: Final = frozenset("0123456789abcdefABCDEF")
_SPELT_LENGTHS: Final = {"x": (2, "two"), "u": (4, "four"), "U": (8, "eight")}
_ESCAPES: Final = {
    "b": "\b",
    "t": "\t",
    "n": "\n",
    "f": "\f",
    "r": "\r",
    "e": "\x1b",
    '"': '"',
    "\\": "\\",
}
_FIRST_NEWLINE = re.compile(r"\A\r?\n")
# A backslash before a line end swallows the white space after it; an escaped one does not.
_CONTINUATION = re.compile(r"(\\\\)|\\[ \t\r\n]*\n[ \t\r\n]*")
_ESCAPE = re.compile(r"(?s)\\(?:x(.{2})|u(.{4})|U(.{8})|(.))")
_MOST_QUOTES: Final = 5
_LAST_CODE: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)


class Refusal(Exception):
    """The text is no TOML; `line` counts from 1. The reader adds the last key."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class Scanner:
    """A position in a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.token = 0  # where the string at hand begins

    def peek(self) -> str:
        """Give the next character, nothing at the end; refuse control characters and no UTF-8."""
        character = self.text[self.at : self.at + 1]
        if "\udc80" <= character <= "\udcff":
            raise Refusal(f"invalid UTF-8 byte: 0x{ord(character) - 0xDC00:02x}", self.line)
        lone_return = character == "\r" and self.text[self.at + 1 : self.at + 2] != "\n"
        if lone_return or (character and character not in "\t\r\n" and _is_control(character)):
            words = f"TOML files cannot contain control characters: '0x{ord(character):02x}'"
            raise Refusal(words, self.line)
        return character

    def take(self) -> str:
        """Give the next character and step over it."""
        character = self.peek()
        if character == "\n":
            self.line += 1
        self.at += len(character)
        return character

    def accept(self, wanted: str) -> bool:
        """Step over the next character if it is the wanted one."""
        if self.peek() != wanted:
            return False
        self.take()
        return True

    def take_all(self, pattern: re.Pattern[str]) -> str:
        """Give and step over what the pattern, which matches no line breaks, matches here."""
        match = pattern.match(self.text, self.at)
        if match is None:
            return ""
        self.at = match.end()
        self.peek()
        return match[0]

    def skip_blanks(self) -> None:
        """Step over blanks and tabs."""
        self.take_all(_BLANKS)

    def skip_lines(self) -> None:
        """Step over blanks, line breaks and comments."""
        while (character := self.peek()) and character in " \t\r\n#":
            if character == "#":
                self.skip_comment()
            else:
                self.take()

    def skip_comment(self) -> None:
        """Step over a comment, up to its line break."""
        while self.peek() not in {END, "\r", "\n"}:
            self.take()

    def refuse(self, message: str) -> NoReturn:
        """Refuse the text here; at its end the last line counts, not the empty one after it."""
        ended = self.at >= len(self.text) and self.text.endswith("\n")
        raise Refusal(message, self.line - 1 if ended else self.line)

    def refuse_next(self, message: str) -> NoReturn:
        """Refuse the next character, which counts as read."""
        if self.at >= len(self.text):
            self.refuse(message)
        self.take()
        raise Refusal(message, self.line)

    def bare_or_quoted_key(self) -> str:
        """Read one part of a key; a character that fits no key leaves an empty part."""
        opening = self.peek()
        if opening not in {'"', "'"}:
            return self.take_all(_BARE)
        self.take()
        return self.string() if opening == '"' else self.raw_string()

    def string(self) -> str:
        """Read a string whose opening quote has been read."""
        start = self.token = self.at
        while (character := self.peek()) != '"':
            if not character:
                self.refuse("unexpected EOF; expected '\"'")
            if character in "\r\n":
                line = self.line if character == "\n" else self.line - 1
                raise Refusal("strings cannot contain newlines", line)
            self.take()
            if character == "\\":
                self._check_escape()
        written = self.text[start : self.at]
        self.take()
        return self._unescaped(written)

    def raw_string(self) -> str:
        """Read a string without escapes whose opening quote has been read."""
        start = self.token = self.at
        while (character := self.peek()) != "'":
            if not character:
                self.refuse('unexpected EOF; expected "\'"')
            if character in "\r\n":
                line = self.line if character == "\n" else self.line - 1
                raise Refusal("strings cannot contain newlines", line)
            self.take()
        written = self.text[start : self.at]
        self.take()
        return written

    def long_string(self, quotes: str) -> str:
        """Read a string of several lines, after its three opening quotes."""
        start = self.token = self.at
        while True:
            character = self.peek()
            if not character:
                mark = f"'{quotes}'" if quotes[0] == '"' else f'"{quotes}"'
                self.refuse(f"unexpected EOF; expected {mark}")
            if character == "\\" and quotes[0] == '"':
                self.take()
                if self.peek() not in {"\r", "\n"}:
                    self._check_escape()
            elif self.text.startswith(quotes, self.at):
                break
            else:
                self.take()
        self._take_quotes(quotes)
        written = _FIRST_NEWLINE.sub("", self.text[start : self.at - len(quotes)])
        if quotes[0] == "'":
            return written
        return self._unescaped(_CONTINUATION.sub(r"\1", written))

    def _take_quotes(self, quotes: str) -> None:
        """Step over the end of a string; two quotes before it are its own, three too many."""
        run = len(self.text) - self.at - len(self.text[self.at :].lstrip(quotes[0]))
        if run > _MOST_QUOTES:
            six = f"'{quotes * 2}'" if quotes[0] == '"' else f'"{quotes * 2}"'
            self.refuse(f"unexpected {six}")
        self.at += run

    def _check_escape(self) -> None:
        """Step over what follows a backslash, if it is an escape."""
        character = self.peek()
        if character in _SPELT_LENGTHS:
            self._check_spelt(character)
        elif character and character in 'ebtnfr"\\ \t':
            self.take()
        else:
            # Go names the end of the text by the number 0.
            self._refuse_escape(character or "\x00")

    def _refuse_escape(self, character: str) -> NoReturn:
        line = self.line + (1 if character == "\n" else 0)
        if self.at >= len(self.text):
            line -= 1
        raise Refusal(f"invalid escape in string '\\{character}'", line)

    def _check_spelt(self, kind: str) -> None:
        length, spelt = _SPELT_LENGTHS[kind]
        self.take()
        for _ in range(length):
            if self.peek() not in _HEX:
                self.take()
                seen = quote(self.text[self.token : self.at])
                self.refuse(
                    f"expected {spelt} hexadecimal digits after '\\{kind}', but got {seen} instead"
                )
            self.take()

    def _unescaped(self, written: str) -> str:
        def character(match: re.Match[str]) -> str:
            code = match[1] or match[2] or match[3]
            if code is None:
                if match[4] in " \t":
                    raise Refusal(f"invalid escape: '\\{match[4]}'", self.line)
                return _ESCAPES[match[4]]
            number = int(code, 16)
            if number > _LAST_CODE or number in _SURROGATES:
                words = f"Escaped character '\\u{code}' is not valid UTF-8."
                raise Refusal(words, self.line)
            return chr(number)

        return _ESCAPE.sub(character, written)


def quote_character(character: str) -> str:
    """Quote a character as Go's %q does for a rune; the end of the text is the rune 0."""
    if not character:
        return "'\\x00'"
    if character == "'":
        return "'\\''"
    return "'" + ('"' if character == '"' else quote(character)[1:-1]) + "'"


def _is_control(character: str) -> bool:
    return character < " " or character == "\x7f"
