"""Cut a template into tokens, as Go's text/template/parse does.

Runs of blanks inside an action are no tokens here: whether two tokens touch is read from their
positions. A chain of fields (`.Values.a.b`) is one token. The last token is EOF or ERROR.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import partial
from typing import NamedTuple

from whipstaff.golang.quoting import is_print
from whipstaff.golang.strconv import quote


class Kind(IntEnum):
    """What a token is; keywords come after KEYWORD."""

    ERROR = 0
    BOOL = 1
    CHAR = 2
    CHAR_CONSTANT = 3
    COMPLEX = 4
    ASSIGN = 5
    DECLARE = 6
    EOF = 7
    FIELD = 8
    IDENTIFIER = 9
    LEFT_DELIM = 10
    LEFT_PAREN = 11
    NUMBER = 12
    PIPE = 13
    RAW_STRING = 14
    RIGHT_DELIM = 15
    RIGHT_PAREN = 16
    STRING = 17
    TEXT = 18
    VARIABLE = 19
    KEYWORD = 20
    BLOCK = 21
    BREAK = 22
    CONTINUE = 23
    DOT = 24
    DEFINE = 25
    ELSE = 26
    END = 27
    IF = 28
    NIL = 29
    RANGE = 30
    TEMPLATE = 31
    WITH = 32


class Token(NamedTuple):
    """A token with its position in the source, in characters."""

    kind: int
    pos: int
    text: str


WORDS: dict[str, int] = {
    "block": int(Kind.BLOCK),
    "break": int(Kind.BREAK),
    "continue": int(Kind.CONTINUE),
    "define": int(Kind.DEFINE),
    "else": int(Kind.ELSE),
    "end": int(Kind.END),
    "if": int(Kind.IF),
    "range": int(Kind.RANGE),
    "nil": int(Kind.NIL),
    "template": int(Kind.TEMPLATE),
    "with": int(Kind.WITH),
    "true": int(Kind.BOOL),
    "false": int(Kind.BOOL),
}

SHOWN = 10  # characters of a token in an error message
SPACES = " \t\r\n"
BLANKS = frozenset(SPACES)

_END_OF_WORD = r"(?=[ \t\r\n.,|:)(]|\}\}|\Z)"
_END_OF_NUMBER = r"(?=[ \t\r\n,|:)(]|\}\}|\Z)"

# The token patterns in the order they are tried, with the kind of each; the rest is code's.
_PATTERNS: tuple[tuple[int, str], ...] = (
    (Kind.FIELD, rf"(?:\.(?![0-9])\w+)+{_END_OF_WORD}"),
    (Kind.IDENTIFIER, rf"[^\W0-9]\w*{_END_OF_WORD}"),
    (Kind.RIGHT_DELIM, r"(?:(?<=[ \t\r\n])-)?\}\}"),
    (Kind.STRING, r'"(?:[^"\\\n]|\\[^\n])*"'),
    (Kind.VARIABLE, rf"\$\w*{_END_OF_WORD}"),
    (Kind.PIPE, r"\|"),
    (Kind.LEFT_PAREN, r"\("),
    (Kind.RIGHT_PAREN, r"\)"),
    (Kind.NUMBER, rf"[0-9]+{_END_OF_NUMBER}"),
    (Kind.DOT, rf"\.{_END_OF_WORD}"),
    (Kind.DECLARE, r":="),
    (Kind.ASSIGN, r"="),
    (Kind.RAW_STRING, r"`[^`]*`"),
    (Kind.CHAR_CONSTANT, r"'(?:[^'\\\n]|\\[^\n])*'"),
)
_ACTION = re.compile(r"[ \t\r\n]*(?:" + "|".join(f"({text})" for _, text in _PATTERNS) + ")")
_KINDS = (0, *(int(kind) for kind, _ in _PATTERNS))

TEXT = int(Kind.TEXT)
LEFT_DELIM = int(Kind.LEFT_DELIM)
IDENTIFIER = int(Kind.IDENTIFIER)
RIGHT_DELIM = int(Kind.RIGHT_DELIM)
LEFT_PAREN = int(Kind.LEFT_PAREN)
RIGHT_PAREN = int(Kind.RIGHT_PAREN)

_UNTERMINATED = {
    '"': "quoted string",
    "`": "raw quoted string",
    "'": "character constant",
}

_new_token = partial(tuple.__new__, Token)


def tokens_of(source: str) -> list[Token]:
    """All tokens of `source`; a lexical error is the last of them."""
    return _Lexer(source).run()


def tokens_of_action(inner: str) -> list[Token]:
    """The tokens of one action without its left delimiter, then EOF; an error is the last."""
    lexer = _Lexer(inner + "}}")
    if lexer.action(0) >= 0:
        lexer.tokens.append(Token(Kind.EOF, len(inner), "EOF"))
    return lexer.tokens


def describe(token: Token) -> str:
    """How an error message shows the token."""
    kind, _, text = token
    if kind == Kind.EOF:
        return "EOF"
    if kind == Kind.ERROR:
        return text
    if kind > Kind.KEYWORD:
        return f"<{text}>"
    if kind == Kind.FIELD:
        text = "." + text.split(".", 2)[1]
    if len(text.encode("utf-8", "surrogateescape")) > SHOWN:
        return quote(text[:SHOWN]) + "..."
    return quote(text)


class _Lexer:
    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens: list[Token] = []

    def run(self) -> list[Token]:
        source, tokens = self.source, self.tokens
        position = 0
        while True:
            start = source.find("{{", position)
            if start < 0:
                if position < len(source):
                    tokens.append(Token(Kind.TEXT, position, source[position:]))
                tokens.append(Token(Kind.EOF, len(source), "EOF"))
                return tokens
            inside = start + 2
            trimmed = (
                source[inside : inside + 1] == "-" and source[inside + 1 : inside + 2] in BLANKS
            )
            text = source[position:start]
            if trimmed:
                text = text.rstrip(SPACES)
                inside += 2
            if text:
                tokens.append(Token(TEXT, position, text))
            if source.startswith("/*", inside):
                position = self.comment(inside)
            else:
                tokens.append(Token(LEFT_DELIM, start, "{{"))
                if trimmed and source.startswith("-}}", inside):
                    # The blank belongs to the first dash: the second trims nothing.
                    tokens.append(Token(Kind.NUMBER, inside, "-"))
                    inside += 1
                position = self.action(inside)
            if position < 0:
                return tokens

    def fail(self, position: int, text: str) -> int:
        self.tokens.append(Token(Kind.ERROR, position, text))
        return -1

    def comment(self, start: int) -> int:
        """The position after the comment that starts here; -1 if it is malformed."""
        source = self.source
        end = source.find("*/", start + 2)
        if end < 0:
            return self.fail(start, "unclosed comment")
        end += 2
        if source.startswith("}}", end):
            return end + 2
        if source[end : end + 1] in BLANKS and source.startswith("-}}", end + 1):
            return self.skip_spaces(end + 4)
        return self.fail(start, "comment ends before closing delimiter")

    def skip_spaces(self, position: int) -> int:
        source, size = self.source, len(self.source)
        while position < size and source[position] in SPACES:
            position += 1
        return position

    def action(self, position: int) -> int:
        """Append the tokens of one action; the position after it, -1 after an error."""
        append, match, kinds, words = self.tokens.append, _ACTION.match, _KINDS, WORDS
        source = self.source
        depth = 0
        while True:
            found = match(source, position)
            if found is None:
                position = self.unusual(self.skip_spaces(position))
                if position < 0:
                    return position
                continue
            index = found.lastindex or 0
            kind, text, position = kinds[index], found[index], found.end()
            if kind == IDENTIFIER:
                kind = words.get(text, kind)
            elif kind == LEFT_PAREN:
                depth += 1
            elif kind == RIGHT_PAREN:
                depth -= 1
                if depth < 0:
                    return self.fail(position - 1, "unexpected right paren")
            elif kind == RIGHT_DELIM:
                if depth:
                    return self.fail(position - len(text), "unclosed left paren")
                append(_new_token((kind, position - 2, "}}")))
                return self.skip_spaces(position) if len(text) > len("}}") else position
            append(_new_token((kind, position - len(text), text)))

    def unusual(self, position: int) -> int:
        """One token that the pattern does not know: a wide number, a stray character, an error."""
        source = self.source
        first = source[position : position + 1]
        if not first:
            return self.fail(position, "unclosed action")
        if first in _UNTERMINATED:
            return self.fail(position, f"unterminated {_UNTERMINATED[first]}")
        if first == ":":
            return self.fail(position, "expected :=")
        following = source[position + 1 : position + 2]
        if first in "+-0123456789" or (first == "." and following and following in "0123456789"):
            return self.number(position)
        if first in ".$_" or first.isalnum():
            end = position + 1
            while end < len(source) and (source[end] == "_" or source[end].isalnum()):
                end += 1
            culprit = source[end : end + 1]
            return self.fail(position, f"bad character {unicode_form(culprit)}")
        if " " < first <= "~":
            self.tokens.append(Token(Kind.CHAR, position, first))
            return position + 1
        return self.fail(position, f"unrecognized character in action: {unicode_form(first)}")

    def number(self, start: int) -> int:
        """A number in any of Go's forms, also complex."""
        source = self.source
        good, end = scan_number(source, start)
        if not good:
            return self.fail(start, f"bad number syntax: {quote(source[start:end])}")
        kind = Kind.NUMBER
        if source[end : end + 1] in {"+", "-"}:
            good, end = scan_number(source, end)
            if not good or source[end - 1] != "i":
                return self.fail(start, f"bad number syntax: {quote(source[start:end])}")
            kind = Kind.COMPLEX
        self.tokens.append(Token(kind, start, source[start:end]))
        return end


_NUMBER = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F_]*\.?[0-9a-fA-F_]*(?:[pP][+-]?[0-9_]*)?"
    r"|0[oO][0-7_]*\.?[0-7_]*|0[bB][01_]*\.?[01_]*"
    r"|[0-9_]*\.?[0-9_]*(?:[eE][+-]?[0-9_]*)?)i?"
)


def scan_number(source: str, start: int) -> tuple[bool, int]:
    """Whether the text here looks like a number, and where it ends."""
    found = _NUMBER.match(source, start)
    end = found.end() if found else start
    following = source[end : end + 1]
    if following and (following == "_" or following.isalnum()):
        return False, end + 1
    return True, end


def unicode_form(character: str) -> str:
    """Go's %#U of a character; of the end of the input, U+FFFFFFFFFFFFFFFF."""
    if not character:
        return "U+FFFFFFFFFFFFFFFF"
    code = ord(character)
    if "\udc80" <= character <= "\udcff":
        code = 0xFFFD
    shown = f" '{chr(code)}'" if is_print(code) else ""
    return f"U+{code:04X}{shown}"
