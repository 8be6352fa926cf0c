"""The pattern languages of Helm: Go's filepath.Match for .helmignore, that of `.Files.Glob`."""

import re
from functools import lru_cache


class BadPattern(ValueError):
    """A pattern that cannot be read."""


@lru_cache(maxsize=512)
def path_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of Go's filepath.Match: `*`, `?`, `[a-z]`, `[^a]`, escaped literals."""
    parts = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        match character:
            case "*":
                parts.append("[^/]*")
            case "?":
                parts.append("[^/]")
            case "[":
                part, at = _path_class(pattern, at)
                parts.append(part)
            case "\\":
                if at == len(pattern):
                    raise BadPattern("syntax error in pattern")
                parts.append(re.escape(pattern[at]))
                at += 1
            case _:
                parts.append(re.escape(character))
    return re.compile("".join(parts), re.DOTALL)


def _path_class(pattern: str, at: int) -> tuple[str, int]:
    negated = pattern[at : at + 1] == "^"
    at += negated
    ranges: list[str] = []
    while not (ranges and pattern[at : at + 1] == "]"):
        low, at = _path_class_character(pattern, at)
        high = low
        if pattern[at : at + 1] == "-":
            high, at = _path_class_character(pattern, at + 1)
        if low <= high:
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            ranges.append("")  # Go accepts an empty range and matches nothing with it
    inner = "".join(ranges)
    if not inner:
        return ("[^/]" if negated else "(?!)"), at + 1
    return f"(?!/)[{'^' if negated else ''}{inner}]", at + 1


def _path_class_character(pattern: str, at: int) -> tuple[str, int]:
    if at < len(pattern) and pattern[at] == "\\":
        at += 1
    elif pattern[at : at + 1] in {"", "-", "]"}:
        raise BadPattern("syntax error in pattern")
    if at + 1 >= len(pattern):
        raise BadPattern("syntax error in pattern")
    return pattern[at], at + 1


@lru_cache(maxsize=512)
def files_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of `.Files.Glob`: as above, `**` across folders, `[!a]`, `{a,b}`."""
    return re.compile(_FilesPattern(pattern).translate(), re.DOTALL)


class _FilesPattern:
    """One pass over a pattern; a class holds either one range or a list of characters."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._depth = 0

    def translate(self) -> str:
        parts = []
        while self._at < len(self._pattern):
            parts.append(self._next())
        return "".join(parts) + ")" * self._depth

    def _next(self) -> str:
        character = self._take()
        match character:
            case "*" | "?":
                return self._wildcard(character)
            case "[":
                return self._class()
            case "{" | "," | "}":
                return self._alternative(character)
            case "\\":
                return re.escape(self._take()) if self._peek() else ""
            case _:
                return re.escape(character)

    def _wildcard(self, character: str) -> str:
        if character == "?":
            return "[^/]"
        if self._peek() == "*":
            self._at += 1
            return ".*"
        return "[^/]*"

    def _alternative(self, character: str) -> str:
        if character == "{":
            self._depth += 1
            return "(?:"
        if not self._depth:
            return re.escape(character)
        if character == ",":
            return "|"
        self._depth -= 1
        return ")"

    def _class(self) -> str:
        negated = self._peek() == "!"
        self._at += negated
        first = self._take()
        if self._peek() == "-":
            self._at += 1
            last = self._take()
            if self._take() != "]" or last < first:
                raise BadPattern("could not parse range")
            inner = f"{re.escape(first)}-{re.escape(last)}"
        else:
            self._at -= 1
            inner = self._listed()
        return f"[{'^' if negated else ''}{inner}]"

    def _listed(self) -> str:
        listed = []
        while (character := self._take()) != "]":
            listed.append(re.escape(self._take() if character == "\\" else character))
        if not listed:
            raise BadPattern("could not parse range")
        return "".join(listed)

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _take(self) -> str:
        if self._at >= len(self._pattern):
            raise BadPattern("unexpected end of input")
        self._at += 1
        return self._pattern[self._at - 1]
