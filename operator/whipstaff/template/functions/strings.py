"""sprig's string functions. Lengths and positions count bytes, as Go's do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from whipstaff.golang import printf, unicode, words
from whipstaff.golang.strconv import quote as go_quote
from whipstaff.golang.values import Strings, TypedMap, go_bytes, go_text
from whipstaff.template.errors import FunctionError
from whipstaff.template.functions.bounds import check_size
from whipstaff.template.functions.registry import Function, GoType, function
from whipstaff.template.functions.text import to_text, to_texts

if TYPE_CHECKING:
    from whipstaff.template.scope import RenderScope

FAMILY: dict[str, Function] = {}

_NO_RUNE = re.compile("[\udc80-\udcff\ufffd]")  # what reads as U+FFFD
NEGATIVE_REPEAT = "strings: negative Repeat count"


@function("hello")
def hello() -> str:
    """A greeting."""
    return "Hello!"


@function("abbrev", GoType.INT, GoType.STRING)
def abbrev(width: int, text: str) -> str:
    """At most `width` bytes, the last three of them dots."""
    return text if width < words.MIN_ABBREVIATION else words.abbreviate(text, 0, width)


@function("abbrevboth", GoType.INT, GoType.INT, GoType.STRING)
def abbrevboth(left: int, right: int, text: str) -> str:
    """Dots on both sides of what starts at `left`."""
    if right < words.MIN_ABBREVIATION or (left > 0 and right < words.MIN_OFFSET_ABBREVIATION):
        return text
    return words.abbreviate(text, left, right)


@function("trunc", GoType.INT, GoType.STRING)
def trunc(count: int, text: str) -> str:
    """The first `count` bytes, or the last ones for a negative count."""
    data = text if text.isascii() else go_bytes(text)
    if count >= 0:
        cut = data[:count]
    elif len(data) + count > 0:
        cut = data[count:]
    else:
        return text
    return cut if isinstance(cut, str) else go_text(cut)


@function("substr", GoType.INT, GoType.INT, GoType.STRING)
def substr(start: int, end: int, text: str) -> str:
    """The bytes from `start` to `end`; a negative start is 0, a negative end the length."""
    data = go_bytes(text)
    if start < 0:
        if end < 0:
            raise FunctionError(f"runtime error: slice bounds out of range [:{end}]")
        if end > len(data):
            raise FunctionError(
                f"runtime error: slice bounds out of range [:{end}] with length {len(data)}"
            )
        return go_text(data[:end])
    if end < 0 or end > len(data):
        end = len(data)
    if start > end:
        raise FunctionError(f"runtime error: slice bounds out of range [{start}:{end}]")
    return go_text(data[start:end])


@function("trim", GoType.STRING)
def trim(text: str) -> str:
    """The text without white space around it."""
    return text.strip(unicode.SPACES)


@function("trimall", GoType.STRING, GoType.STRING)
@function("trimAll", GoType.STRING, GoType.STRING)
def trim_all(cutset: str, text: str) -> str:
    """The text without these characters around it."""
    if not cutset.isascii() and _NO_RUNE.search(cutset):
        cutset += "".join(map(chr, range(0xDC80, 0xDD00))) + unicode.REPLACEMENT
    return text.strip(cutset) if cutset else text


@function("trimSuffix", GoType.STRING, GoType.STRING)
def trim_suffix(suffix: str, text: str) -> str:
    """The text without this end."""
    return text.removesuffix(suffix)


@function("trimPrefix", GoType.STRING, GoType.STRING)
def trim_prefix(prefix: str, text: str) -> str:
    """The text without this start."""
    return text.removeprefix(prefix)


@function("upper", GoType.STRING)
def upper(text: str) -> str:
    """The text in upper case."""
    return unicode.upper_text(text)


@function("lower", GoType.STRING)
def lower(text: str) -> str:
    """The text in lower case."""
    return unicode.lower_text(text)


@function("title", GoType.STRING)
def title(text: str) -> str:
    """The text with each word capitalised."""
    return unicode.title_text(text)


@function("untitle", GoType.STRING)
def untitle(text: str) -> str:
    """The text with each word's first letter in lower case."""
    return words.uncapitalize(text)


@function("swapcase", GoType.STRING)
def swapcase(text: str) -> str:
    """The text with upper and lower case swapped."""
    return words.swap_case(text)


@function("snakecase", GoType.STRING)
def snakecase(text: str) -> str:
    """The text's words in lower case with underscores between."""
    return words.separated_case(text, "_")


@function("kebabcase", GoType.STRING)
def kebabcase(text: str) -> str:
    """The text's words in lower case with hyphens between."""
    return words.separated_case(text, "-")


@function("camelcase", GoType.STRING)
def camelcase(text: str) -> str:
    """The text's words capitalised and joined."""
    return words.pascal_case(text)


@function("nospace", GoType.STRING)
def nospace(text: str) -> str:
    """The text without its white space."""
    return words.without_spaces(text)


@function("initials", GoType.STRING)
def initials(text: str) -> str:
    """The first letter of each word."""
    return words.initials(text)


@function("wrap", GoType.INT, GoType.STRING)
def wrap(width: int, text: str) -> str:
    """The text in lines of `width`, long words whole."""
    return words.wrap(text, width, "", long_words=False)


@function("wrapWith", GoType.INT, GoType.STRING, GoType.STRING)
def wrap_with(width: int, newline: str, text: str) -> str:
    """The text in lines of `width`, long words broken, with this between the lines."""
    check_size(len(text) * max(len(newline), 1))
    return words.wrap(text, width, newline, long_words=True)


@function("repeat", GoType.INT, GoType.STRING)
def repeat(count: int, text: str) -> str:
    """The text `count` times."""
    if count < 0:
        raise FunctionError(NEGATIVE_REPEAT)
    check_size(count * len(text))
    return text * count


@function("contains", GoType.STRING, GoType.STRING)
def contains(part: str, text: str) -> bool:
    """Whether the text has this part."""
    return part in text


@function("hasPrefix", GoType.STRING, GoType.STRING)
def has_prefix(prefix: str, text: str) -> bool:
    """Whether the text starts so."""
    return text.startswith(prefix)


@function("hasSuffix", GoType.STRING, GoType.STRING)
def has_suffix(suffix: str, text: str) -> bool:
    """Whether the text ends so."""
    return text.endswith(suffix)


@function("quote", variadic=GoType.ANY)
def quote(*values: object) -> str:
    """Each value that is not nil as a Go string literal, with spaces between."""
    return " ".join([go_quote(to_text(value)) for value in values if value is not None])


@function("squote", variadic=GoType.ANY)
def squote(*values: object) -> str:
    """Each value that is not nil between single quotes; nothing is escaped."""
    return " ".join([f"'{printf.show(value)}'" for value in values if value is not None])


@function("cat", variadic=GoType.ANY)
def cat(*values: object) -> str:
    """The values that are not nil, with spaces between."""
    return " ".join([printf.show(value) for value in values if value is not None])


@function("indent", GoType.INT, GoType.STRING)
def indent(spaces: int, text: str) -> str:
    """The text with each line indented."""
    if spaces < 0:
        raise FunctionError(NEGATIVE_REPEAT)
    if spaces > 100:  # noqa: PLR2004  as Go has it
        check_size(spaces * (1 + text.count("\n")))
    pad = " " * spaces
    return pad + text.replace("\n", "\n" + pad)


@function("nindent", GoType.INT, GoType.STRING)
def nindent(spaces: int, text: str) -> str:
    """A new line, and the text with each line indented."""
    return "\n" + indent(spaces, text)


@function("replace", GoType.STRING, GoType.STRING, GoType.STRING)
def replace(old: str, new: str, text: str) -> str:
    """The text with each `old` replaced."""
    if len(new) > len(old):
        check_size(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


@function("plural", GoType.STRING, GoType.STRING, GoType.INT)
def plural(one: str, many: str, count: int) -> str:
    """`one` for a count of 1, else `many`."""
    return one if count == 1 else many


@function("toString", GoType.ANY)
def to_string(value: object) -> str:
    """The value as text."""
    return to_text(value)


@function("toStrings", GoType.ANY)
def to_strings(value: object) -> Strings:
    """The members of a list as texts."""
    return value if isinstance(value, Strings) else Strings(to_texts(value))


@function("join", GoType.STRING, GoType.ANY)
def join(separator: str, value: object) -> str:
    """The members as text with the separator between."""
    parts = to_texts(value)
    if len(separator) > 1:
        check_size(len(parts) * len(separator))
    return separator.join(parts)


@function("split", GoType.STRING, GoType.STRING)
def split(separator: str, text: str) -> TypedMap:
    """The parts under the keys `_0`, `_1` and so on."""
    return _numbered(_parts(separator, text))


@function("splitn", GoType.STRING, GoType.INT, GoType.STRING)
def splitn(separator: str, count: int, text: str) -> TypedMap:
    """As `split`, with `count` parts at most; all if it is negative, none if it is 0."""
    return _numbered(_parts(separator, text, count))


@function("splitList", GoType.STRING, GoType.STRING)
def split_list(separator: str, text: str) -> Strings:
    """The parts as a list."""
    return Strings(_parts(separator, text))


def _parts(separator: str, text: str, count: int = -1) -> list[str]:
    if count == 0:
        return []
    if separator:
        return text.split(separator, count - 1 if count > 0 else -1)
    if 0 < count < len(text):
        return [*text[: count - 1], text[count - 1 :]]
    return list(text)


def _numbered(parts: list[str]) -> TypedMap:
    return TypedMap({f"_{index}": part for index, part in enumerate(parts)})


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_NUMERALS = "0123456789"
_PRINTABLE = "".join(map(chr, range(32, 127)))


@function("randAlphaNum", GoType.INT, scoped=True)
def rand_alpha_num(scope: RenderScope, count: int) -> str:
    """Random letters and digits."""
    return _random_text(scope, _LETTERS + _NUMERALS, count)


@function("randAlpha", GoType.INT, scoped=True)
def rand_alpha(scope: RenderScope, count: int) -> str:
    """Random letters."""
    return _random_text(scope, _LETTERS, count)


@function("randAscii", GoType.INT, scoped=True)
def rand_ascii(scope: RenderScope, count: int) -> str:
    """Random printable ASCII."""
    return _random_text(scope, _PRINTABLE, count)


@function("randNumeric", GoType.INT, scoped=True)
def rand_numeric(scope: RenderScope, count: int) -> str:
    """Random digits."""
    return _random_text(scope, _NUMERALS, count)


def _random_text(scope: RenderScope, alphabet: str, count: int) -> str:
    """`count` characters, each as likely as the others; none for a negative count."""
    check_size(count)
    fair = 256 - 256 % len(alphabet)
    result: list[str] = []
    while len(result) < count:
        drawn = scope.effects.random.randbytes(count - len(result))
        result += [alphabet[byte % len(alphabet)] for byte in drawn if byte < fair]
    return "".join(result)


@function("shuffle", GoType.STRING, scoped=True)
def shuffle(scope: RenderScope, text: str) -> str:
    """The characters in random order."""
    chars = list(unicode.runes(text))
    for last in range(len(chars) - 1, 0, -1):
        drawn = scope.effects.random.randbelow(last + 1)
        chars[last], chars[drawn] = chars[drawn], chars[last]
    return "".join(chars)
