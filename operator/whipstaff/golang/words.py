"""Words in a text: huandu/xstrings' cases, Masterminds/goutils' wrapping and abbreviation."""

from enum import Enum, auto

from whipstaff.golang import unicode
from whipstaff.golang.values import go_bytes, go_text


def pascal_case(text: str) -> str:
    """`some-words` as `SomeWords`; leading connectors stay."""
    chars = unicode.runes(text)
    lead = len(chars) - len(_without_connectors(chars))
    if lead == len(chars):
        return chars + chars[-1:]  # xstrings writes the last one twice
    result = list(chars[:lead])
    current = unicode.to_upper(chars[lead])
    first_upper = unicode.is_upper(chars[lead])
    for char in chars[lead + 1 :]:
        previous, current = current, char
        if _is_connector(previous):
            if _is_connector(current):
                result.append(previous)
                continue
            first_upper = unicode.is_upper(current)
            current = unicode.to_upper(current)
            continue
        if first_upper:
            if unicode.is_upper(current):
                current = unicode.to_lower(current)
            else:
                first_upper = False
        result.append(previous)
    result.append(current)
    return "".join(result)


def _without_connectors(chars: str) -> str:
    start = 0
    while start < len(chars) and _is_connector(chars[start]):
        start += 1
    return chars[start:]


def _is_connector(char: str) -> bool:
    return char in "-_" or unicode.is_space(char)


MIN_ABBREVIATION = 4
MIN_OFFSET_ABBREVIATION = 7


class _Kind(Enum):
    INVALID = auto()
    NUMBER = auto()
    UPPER = auto()
    ALPHABET = auto()
    CONNECTOR = auto()
    PUNCTUATION = auto()
    OTHER = auto()


_SOLID = (_Kind.ALPHABET, _Kind.NUMBER)
_IDEOGRAPHS = (("\u3400", "\u4d85"), ("\u4e00", "\u9fcc"), ("\U00020000", "\U0002b81d"))
_GAPS = (_Kind.PUNCTUATION, _Kind.CONNECTOR)


def separated_case(text: str, connector: str) -> str:
    """`HTTPServer2xx` as `http_server_2xx` (or with another connector)."""
    raw = _glued(text)
    if not raw:
        return text  # nothing, or nothing that is a character
    runes = text if len(raw) == len(text) else "".join(map(_valid, raw))
    result: list[str] = []

    def following(rest: str) -> tuple[_Kind, str, str]:
        kind, word, left = _next_word(rest)
        start = len(runes) - len(rest)
        return kind, "".join(raw[start : start + len(word)]), left

    kind, word, rest = following(runes)

    def write(kind: _Kind, word: str) -> None:
        result.append(_lowered(kind, word, connector))

    while rest:
        if kind is not _Kind.CONNECTOR:
            write(kind, word)
        previous, last = kind, word
        kind, word, rest = following(rest)
        if previous is _Kind.NUMBER:
            while kind in _SOLID:
                write(kind, word)
                kind, word, rest = following(rest)
            if kind not in (_Kind.INVALID, *_GAPS):
                result.append(connector)
        elif previous is _Kind.CONNECTOR:
            write(previous, last)
        elif previous is _Kind.PUNCTUATION:
            pass
        elif kind is not _Kind.NUMBER:
            if kind not in _GAPS:
                result.append(connector)
        elif rest:
            last = word
            kind, word, rest = following(rest)
            # A number belongs to the word before it, unless lower-case letters follow.
            if kind is not _Kind.ALPHABET:
                write(_Kind.NUMBER, last)
                if kind not in _GAPS:
                    result.append(connector)
                continue
            result.append(connector)
            write(_Kind.NUMBER, last)
            while kind in _SOLID:
                write(kind, word)
                kind, word, rest = following(rest)
            if kind not in (_Kind.INVALID, *_GAPS):
                result.append(connector)
    write(kind, word)
    return "".join(result)


def _lowered(kind: _Kind, word: str, connector: str) -> str:
    if kind is not _Kind.UPPER and kind is not _Kind.CONNECTOR:
        return word
    return "".join(
        connector
        if _is_connector(char)
        else unicode.to_lower(char)
        if unicode.is_upper(char)
        else char
        for char in unicode.runes(word)
    )


def _glued(text: str) -> list[str]:
    """The characters, with each what stands before it and is none; at the end, what follows too."""
    raw: list[str] = []
    errors = ""
    for char in text:
        if _is_error(char):
            errors += char
        else:
            raw.append(errors + char)
            errors = ""
    if errors and raw:
        raw[-1] += errors
    return raw


def _valid(characters: str) -> str:
    return next(char for char in characters if not _is_error(char))


def _is_error(char: str) -> bool:
    return char == unicode.REPLACEMENT or "\udc80" <= char <= "\udcff"


def _next_word(text: str) -> tuple[_Kind, str, str]:
    if not text:
        return _Kind.INVALID, "", ""
    first = text[0]
    size = 1
    if _is_connector(first):
        kind = _Kind.CONNECTOR
        while size < len(text) and _is_connector(text[size]):
            size += 1
    elif unicode.is_punctuation(first):
        kind = _Kind.PUNCTUATION
        while size < len(text) and unicode.is_punctuation(text[size]):
            size += 1
    elif unicode.is_upper(first):
        kind = _Kind.UPPER
        size = _upper_word_size(text)
    elif _is_alphabet(first):
        kind = _Kind.ALPHABET
        size = _lower_run(text, 1)
    elif unicode.is_number(first):
        kind = _Kind.NUMBER
        while size < len(text) and unicode.is_number(text[size]):
            size += 1
    else:
        kind = _Kind.OTHER
        while size < len(text) and not _ends_other(text[size]):
            size += 1
    return kind, text[:size], text[size:]


def _upper_word_size(text: str) -> int:
    if len(text) == 1:
        return 1
    if not unicode.is_upper(text[1]):
        return _lower_run(text, 2) if _is_alphabet(text[1]) else 1
    size = 2
    while size < len(text) and unicode.is_upper(text[size]):
        size += 1
    # In `HTTPStatus` the `S` starts the next word.
    return size - 1 if size < len(text) and _is_alphabet(text[size]) else size


def _lower_run(text: str, size: int) -> int:
    while size < len(text) and _is_alphabet(text[size]) and not unicode.is_upper(text[size]):
        size += 1
    return size


def _is_alphabet(char: str) -> bool:
    return unicode.is_letter(char) and not any(low <= char <= high for low, high in _IDEOGRAPHS)


def _ends_other(char: str) -> bool:
    return (
        _is_connector(char)
        or _is_alphabet(char)
        or unicode.is_number(char)
        or unicode.is_punctuation(char)
    )


def swap_case(text: str) -> str:
    """Upper and lower case swapped; a lower-case letter that starts a word becomes title case."""
    result = []
    after_space = True
    for char in unicode.runes(text):
        if unicode.is_upper(char) or unicode.is_title(char):
            result.append(unicode.to_lower(char))
            after_space = False
        elif unicode.is_lower(char):
            result.append(unicode.to_title(char) if after_space else unicode.to_upper(char))
            after_space = False
        else:
            result.append(char)
            after_space = unicode.is_space(char)
    return "".join(result)


def uncapitalize(text: str) -> str:
    """The first letter of each word in lower case."""
    result = []
    starts = True
    for char in unicode.runes(text):
        if unicode.is_space(char):
            starts = True
            result.append(char)
        else:
            result.append(unicode.to_lower(char) if starts else char)
            starts = False
    return "".join(result)


def initials(text: str) -> str:
    """The first byte of each word, read as a character: goutils knows no UTF-8 here."""
    result = []
    gap = True
    for char in go_bytes(text).decode("latin-1"):
        if unicode.is_space(char):
            gap = True
        elif gap:
            result.append(char)
            gap = False
    return "".join(result)


def without_spaces(text: str) -> str:
    """The text without white space; goutils looks at bytes, and garbles what is no ASCII."""
    chars = go_bytes(text).decode("latin-1")
    kept = "".join(char for char in chars if not unicode.is_space(char))
    return text if len(kept) == len(chars) else kept


def abbreviate(text: str, offset: int, width: int) -> str:
    """At most `width` bytes with dots where text was cut; "" if that cannot be."""
    data = go_bytes(text)
    if not data or width < MIN_ABBREVIATION:
        return ""
    if len(data) <= width:
        return text
    offset = min(offset, len(data))
    if len(data) - offset < width - 3:
        offset = len(data) - (width - 3)
    if offset <= MIN_ABBREVIATION:
        return go_text(data[: width - 3]) + "..."
    if width < MIN_OFFSET_ABBREVIATION:
        return ""
    if offset + width - 3 < len(data):
        return "..." + abbreviate(go_text(data[offset:]), 0, width - 3)
    return "..." + go_text(data[len(data) - (width - 3) :])


def wrap(text: str, width: int, newline: str, *, long_words: bool) -> str:
    """Lines of `width` bytes, broken at spaces; with `long_words`, longer words too."""
    data, separator = go_bytes(text), go_bytes(newline or "\n")
    width = max(width, 1)
    pieces: list[bytes] = []
    offset = 0
    while len(data) - offset > width:
        if data[offset : offset + 1] == b" ":
            offset += 1
            continue
        space = data.rfind(b" ", offset, offset + width + 1)
        if space < 0 and not long_words:
            space = data.find(b" ", offset + width)
            if space < 0:
                pieces.append(data[offset:])
                offset = len(data)
                continue
        if space >= 0:
            pieces += (data[offset:space], separator)
            offset = space + 1
        else:
            pieces += (data[offset : offset + width], separator)
            offset += width
    pieces.append(data[offset:])
    return go_text(b"".join(pieces))
