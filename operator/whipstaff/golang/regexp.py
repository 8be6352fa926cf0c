"""Go's regexp on top of RE2: Go's rules for empty matches, `$1` expansion and error texts.

RE2 is linear in the text, so a hostile pattern costs memory at most, and that is bounded. Texts are
matched as bytes, and offsets are bytes.
"""

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import re2

from whipstaff.golang.strconv import quote
from whipstaff.golang.unicode import is_digit, is_letter
from whipstaff.golang.values import go_bytes, go_text

Spans = tuple[
    tuple[int, int], ...
]  # of the whole match, then of each group; (-1, -1) where a group took no part

_MAX_PATTERN_BYTES = 1 << 16
_MAX_RUNE_BYTES = 4
_GO_WORDS = {
    "invalid escape sequence": "invalid escape sequence",
    "invalid character class": "invalid character class",
    "invalid character class range": "invalid character class range",
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "unexpected )": "unexpected )",
    "trailing \\": "trailing backslash at end of expression",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid repetition size": "invalid repeat count",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid UTF-8": "invalid UTF-8",
    "invalid named capture group": "invalid named capture",
    "pattern too large - compile failed": "expression too large",
}
_WHOLE_PATTERN = frozenset({"missing closing )", "unexpected )", "expression too large"})
_NEVER_IN_BACKQUOTES = re.compile("[\x00-\x08\x0a-\x1f`\x7f\ufeff\ud800-\udfff]")
_MOST_REPEATS = 1_000
_COUNTS = re.compile(r"\{([0-9]+)(?:,([0-9]*))?\}\??$")
_ANY_BYTE = re.compile(
    r"((?:[^\\\[]|\\Q.*?(?:\\E|$)|\\[^CQ]|\[\^?\]?(?:[^\]\\]|\\.)*(?:\]|$))*)\\C", re.DOTALL
)
_ANY_BYTE_ERROR = r"error parsing regexp: invalid escape sequence: `\C`"
_NUMBER = re.compile(rb"0|[1-9][0-9]{0,7}")
_META = re.compile(r"[\\.+*?()|\[\]{}^$]")


class RegexpError(ValueError):
    """A pattern that does not compile; the text is Go's, as far as RE2 says enough."""


class TooLong(ValueError):
    """A replacement would make a text longer than the caller allows."""


@dataclass(frozen=True, slots=True)
class Regexp:
    """A compiled pattern."""

    pattern: str
    search: Callable[[bytes, int], Spans | None]
    names: dict[bytes, int]

    def matches(self, text: str) -> bool:
        return self.search(go_bytes(text), 0) is not None

    def find(self, text: str) -> str:
        """The first match, or "" if there is none."""
        data = go_bytes(text)
        spans = self.search(data, 0)
        return go_text(data[slice(*spans[0])]) if spans else ""

    def find_all(self, text: str, limit: int) -> list[str] | None:
        """Up to `limit` matches, all if it is negative; None if there is none."""
        data = go_bytes(text)
        found = [go_text(data[start:end]) for start, end in self._all(data, limit)]
        return found or None

    def split(self, text: str, limit: int) -> list[str] | None:
        """The text between matches, in `limit` pieces at most; None for a limit of 0."""
        if limit == 0:
            return None
        data = go_bytes(text)
        if self.pattern and not data:
            return [""]
        pieces: list[bytes] = []
        begin = end = 0
        for start, stop in self._all(data, limit):
            if limit > 0 and len(pieces) == limit - 1:
                break
            end = start
            if stop != 0:
                pieces.append(data[begin:end])
            begin = stop
        if end != len(data):
            pieces.append(data[begin:])
        return [go_text(piece) for piece in pieces]

    def replace_all(self, text: str, replacement: str, max_bytes: int) -> str:
        """Replace every match; `$1`, `${1}`, `$name` and `$$` in the replacement are expanded."""
        if "$" not in replacement:
            return self.replace_all_literal(text, replacement, max_bytes)
        template = go_bytes(replacement)
        return self._replace(
            text, lambda data, spans: self._expand(template, data, spans), max_bytes
        )

    def replace_all_literal(self, text: str, replacement: str, max_bytes: int) -> str:
        """Replace every match by the replacement as it stands."""
        literal = go_bytes(replacement)
        return self._replace(text, lambda _data, _spans: literal, max_bytes)

    def _all(self, data: bytes, limit: int) -> Iterator[tuple[int, int]]:
        position, previous_end, found = 0, -1, 0
        while (limit < 0 or found < limit) and position <= len(data):
            spans = self.search(data, position)
            if spans is None:
                return
            start, end = spans[0]
            accept = True
            if end == position:
                # An empty match right after another match does not count.
                accept = start != previous_end
                position += _width(data, position) or 1
            else:
                position = end
            previous_end = end
            if accept:
                found += 1
                yield start, end

    def _replace(
        self, text: str, replacement: Callable[[bytes, Spans], bytes], max_bytes: int
    ) -> str:
        data = go_bytes(text)
        pieces: list[bytes] = []
        last_end = position = 0
        left_bytes = max_bytes - len(data)
        while position <= len(data):
            spans = self.search(data, position)
            if spans is None:
                break
            start, end = spans[0]
            pieces.append(data[last_end:start])
            if end > last_end or start == 0:
                pieces.append(replacement(data, spans))
                left_bytes -= len(pieces[-1])
                if left_bytes < 0:
                    raise TooLong(f"result is larger than the limit of {max_bytes} bytes")
            last_end = end
            width = _width(data, position)
            if position + width > end:
                position += width
            elif position + 1 > end:
                position += 1
            else:
                position = end
        if not pieces:
            return text
        pieces.append(data[last_end:])
        return go_text(b"".join(pieces))

    def _expand(self, template: bytes, data: bytes, spans: Spans) -> bytes:
        pieces: list[bytes] = []
        while True:
            before, dollar, after = template.partition(b"$")
            pieces.append(before)
            if not dollar:
                return b"".join(pieces)
            if after.startswith(b"$"):
                pieces.append(b"$")
                template = after[1:]
                continue
            name, rest = _reference(after)
            if name is None:
                pieces.append(b"$")
                template = after
                continue
            group = int(name) if _is_number(name) else self.names.get(name, -1)
            if 0 <= group < len(spans) and spans[group][0] >= 0:
                pieces.append(data[slice(*spans[group])])
            template = rest


def compile_pattern(pattern: str) -> Regexp:
    """Compile a pattern in Go's syntax."""
    compiled = _compile(pattern)
    if isinstance(compiled, str):
        raise RegexpError(compiled)
    return compiled


def must_compile_text(pattern: str, error: RegexpError) -> str:
    """What Go's MustCompile panics with."""
    spelled = f"`{pattern}`" if _fits_backquotes(pattern) else quote(pattern)
    return f"regexp: Compile({spelled}): {error}"


def quote_meta(text: str) -> str:
    """The text as a pattern that matches just it."""
    return _META.sub(r"\\\g<0>", text)


@functools.lru_cache(maxsize=256)
def _compile(pattern: str) -> Regexp | str:
    data = go_bytes(pattern)
    if len(data) > _MAX_PATTERN_BYTES:
        return f"error parsing regexp: expression too large: `{pattern[:64]}…`"
    options = re2.Options()
    options.log_errors = False
    # RE2 takes this for any byte, Go for a mistake, unless there is one before it.
    any_byte = _ANY_BYTE.match(pattern)
    if any_byte:
        before = _compile(any_byte[1])
        if isinstance(before, str) and "unexpected )" in before:
            return f"error parsing regexp: unexpected ): `{pattern}`"
        mistaken = isinstance(before, str) and "missing closing" not in before
        return before if mistaken else _ANY_BYTE_ERROR
    try:
        data.decode()
        compiled = re2.compile(data, options)
    except UnicodeDecodeError:
        return f"error parsing regexp: invalid UTF-8: `{pattern}`"
    except re2.error as error:
        return _go_words(pattern, error.args[0])
    groups = range(compiled.groups + 1)

    def search(text: bytes, position: int) -> Spans | None:
        found = compiled.search(text, position)
        while found is not None and _inside_character(text, found.start()):
            # RE2 sees a place without word boundary between the bytes of one character.
            found = compiled.search(text, found.start() + 1)
        return tuple(found.span(group) for group in groups) if found is not None else None

    return Regexp(pattern, search, compiled.groupindex)


def _go_words(pattern: str, message: bytes | str) -> str:
    text = go_text(message) if isinstance(message, bytes) else message
    reason, _, part = text.partition(": ")
    reason = _GO_WORDS.get(reason, reason)
    if part.startswith("(?<"):
        # Go takes this for the start of a group's name.
        rest = pattern[pattern.find(part) :]
        part = rest[: rest.find(">") + 1] or rest
        reason = "invalid named capture"
    counts = _COUNTS.search(part)
    if counts and (
        reason == "invalid repeat count"
        or (reason == "invalid nested repetition operator" and _too_many(counts[1], counts[2]))
    ):
        reason, part = "invalid repeat count", counts[0].removesuffix("?")
    if reason == "trailing backslash at end of expression":
        part = ""
    elif reason in _WHOLE_PATTERN:
        part = pattern
    return f"error parsing regexp: {reason}: `{part}`"


def _too_many(low: str, high: str | None) -> bool:
    least, most = int(low), int(high or low)
    return least > most or most > _MOST_REPEATS


def _inside_character(data: bytes, position: int) -> bool:
    """Whether the place is between the bytes of one UTF-8 character."""
    if position >= len(data) or data[position] & 0xC0 != 0x80:  # noqa: PLR2004  a further byte
        return False
    return any(
        _width(data, start) > position - start
        for start in range(max(0, position - _MAX_RUNE_BYTES + 1), position)
    )


def _width(data: bytes, position: int) -> int:
    """The length of the UTF-8 character here; 1 for a byte that starts none, 0 at the end."""
    if position >= len(data):
        return 0
    for size in range(1, _MAX_RUNE_BYTES + 1):
        try:
            data[position : position + size].decode()
        except UnicodeDecodeError:
            continue
        return size
    return 1


def _reference(text: bytes) -> tuple[bytes | None, bytes]:
    """Split the name or `{name}` after a dollar from the rest; None if there is none."""
    brace = text.startswith(b"{")
    body = text[1:] if brace else text
    decoded = go_text(body)
    size = 0
    while size < len(decoded) and _names_a_group(decoded[size]):
        size += 1
    name = go_bytes(decoded[:size])
    rest = body[len(name) :]
    if not name or (brace and not rest.startswith(b"}")):
        return None, text
    return name, rest[1:] if brace else rest


def _names_a_group(char: str) -> bool:
    return char == "_" or is_letter(char) or is_digit(char)


def _is_number(name: bytes) -> bool:
    # A group number is below 1e8 and has no leading zero, else it is a name.
    return _NUMBER.fullmatch(name) is not None


def _fits_backquotes(text: str) -> bool:
    return not _NEVER_IN_BACKQUOTES.search(text)
