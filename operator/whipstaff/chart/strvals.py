"""The language of `--set` and its kin: `a.b[0]=1,c={x,y}` laid over values, in place.

Helm's limits hold, and refusals are in Helm's words. What Helm accepts by accident (an unfinished
`a.` or `a[0`, which says nothing) is accepted here too.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from json import JSONDecoder
from typing import NoReturn

from whipstaff.chart.model import JsonObject
from whipstaff.golang import json
from whipstaff.golang.strconv import NumberError, parse_int, quote
from whipstaff.golang.values import type_name

MAX_INDEX = 65_536
MAX_NESTING = 30  # of dots; brackets are not counted

ReadFile = Callable[[str], str]

_ESCAPED_BYTE = re.compile("[\ud800-\udfff]")
_WHOLE_NUMBER = re.compile(r"-?[0-9]+")


class StrvalsError(ValueError):
    """A text that is no assignment; the words are Helm's."""


class _End(Exception):
    """The text is over where nothing, or nothing more, was said."""


def parse(text: str, values: JsonObject) -> None:
    """Lay `--set` assignments over values; words that look like it become bool, null or int."""
    _Parser(text, _typed).into(values)


def parse_string(text: str, values: JsonObject) -> None:
    """Lay `--set-string` assignments over values; every value stays text."""
    _Parser(text, str).into(values)


def parse_file(text: str, values: JsonObject, read: ReadFile) -> None:
    """Lay `--set-file` assignments over values; each names a file, whose text `read` gives."""
    _Parser(text, read).into(values)


def parse_json(text: str, values: JsonObject) -> None:
    """Lay `--set-json` assignments over values; each value is JSON, and nothing is null."""
    _JSONParser(text, _typed).into(values)


def parse_literal(text: str, values: JsonObject) -> None:
    """Lay one `--set-literal` assignment over values: no escapes, no lists, no second one."""
    _LiteralParser(text, str).into(values)


def _typed(text: str) -> object:
    folded = text.casefold()
    if folded in _WORDS:
        return _WORDS[folded]
    if not text.startswith("0"):
        try:
            return parse_int(text, 10)
        except NumberError:
            pass
    return text


_WORDS: dict[str, object] = {"true": True, "false": False, "null": None, "0": 0}


@dataclass(slots=True)
class _Text:
    """What is left to read."""

    text: str
    at: int = 0

    def take(self) -> str:
        """The next character; _End if there is none."""
        if self.at >= len(self.text):
            raise _End
        self.at += 1
        return self.text[self.at - 1]

    def until(self, stops: str, *, escapes: bool) -> tuple[str, str]:
        """What comes before a stop, and the stop: empty at the end of the text."""
        taken: list[str] = []
        while self.at < len(self.text):
            character = self.take()
            if character in stops:
                return "".join(taken), character
            if escapes and character == "\\":
                if self.at >= len(self.text):
                    break
                character = self.take()
            taken.append(character)
        return "".join(taken), ""


class _Parser:
    """One text; the subclasses read other values behind the same keys."""

    escapes = True
    key_stops = "=[,."
    nothing_ends = True  # an assignment of nothing, at the end, is not an assignment that went well

    def __init__(self, text: str, read: Callable[[str], object]) -> None:
        self._text = _Text(_ESCAPED_BYTE.sub("\ufffd", text))
        self._read = read

    def into(self, values: JsonObject) -> None:
        try:
            while True:
                self._key(values, 0)
        except _End:
            return
        except RecursionError:
            raise StrvalsError("lists are nested too deeply") from None

    def _key(self, values: JsonObject, dots: int) -> None:
        """Read one assignment into a table."""
        key, stop = self._until(self.key_stops)
        match stop:
            case "=":
                self._assign(values, key)
            case "[":
                self._list(values, key, dots)
            case ".":
                self._table(values, key, dots + 1)
            case ",":
                raise StrvalsError(f"key {quote(key)} has no value (cannot end with ,)")
            case _ if key:
                raise StrvalsError(f"key {quote(key)} has no value")
            case _:
                raise _End

    def _assign(self, values: JsonObject, key: str) -> None:
        nothing = self._text.at >= len(self._text.text)
        _set(values, key, self._value())
        if nothing and self.nothing_ends:
            raise _End

    def _list(self, values: JsonObject, key: str, dots: int) -> None:
        index = self._index()
        items = values.get(key, [])
        if not isinstance(items, list):
            raise _not_a(items, "[]interface {}")
        items = list(items)
        try:
            self._item(items, index, dots)
        finally:
            _set(values, key, items)

    def _table(self, values: JsonObject, key: str, dots: int) -> None:
        if dots > MAX_NESTING:
            raise StrvalsError(
                "value name nested level is greater than maximum supported nested level "
                f"of {MAX_NESTING}"
            )
        inner = values.get(key, {})
        if not isinstance(inner, dict):
            raise _not_a(inner, "map[string]interface {}")
        try:
            self._key(inner, dots)
            if not inner:
                raise StrvalsError(f"key map {quote(key)} has no value")
        finally:
            if inner:
                _set(values, key, inner)

    def _index(self) -> int:
        digits, stop = self._until("]")
        if not stop:
            raise _End
        try:
            return parse_int(digits, 10)
        except NumberError as error:
            text = str(error).replace("ParseInt", "Atoi", 1)
            raise StrvalsError(f"error parsing index: {text}") from error

    def _item(self, items: list[object], index: int, dots: int) -> None:
        """Read what follows the bracket into a list."""
        if index < 0:
            raise StrvalsError(f"negative {index} index not allowed")
        key, stop = self._until("[.=")
        if key:
            shown = " ".join(map(_quoted_character, key))
            raise StrvalsError(f"unexpected data at end of array index: [{shown}]")
        match stop:
            case "=":
                _set_item(items, index, self._value())
            case ".":
                _set_item(items, index, self._inner_table(items, index, dots))
            case "[":
                _set_item(items, index, self._inner_list(items, index, dots))
            case _:
                raise _End

    def _inner_table(self, items: list[object], index: int, dots: int) -> JsonObject:
        inner: JsonObject = {}
        if index < len(items):
            found = items[index]
            inner = items[index] = found if isinstance(found, dict) else {}
        self._key(inner, dots)
        return inner

    def _inner_list(self, items: list[object], index: int, dots: int) -> list[object]:
        next_index = self._index()
        found = items[index] if index < len(items) else None
        if found is not None and not isinstance(found, list):
            raise _not_a(found, "[]interface {}")
        inner = list(found or ())
        self._item(inner, next_index, dots)
        return inner

    def _value(self) -> object:
        if self._text.at >= len(self._text.text):
            return ""
        if self._text.text[self._text.at] == "{":
            self._text.at += 1
            return self._braces()
        return self._read(self._until(",")[0])

    def _braces(self) -> list[object]:
        items: list[object] = []
        while True:
            part, stop = self._until(",}")
            if not stop:
                raise StrvalsError("list must terminate with '}'")
            items.append(self._read(part))
            if stop == "}":
                if self._text.text.startswith(",", self._text.at):
                    self._text.at += 1
                return items

    def _until(self, stops: str) -> tuple[str, str]:
        return self._text.until(stops, escapes=self.escapes)


class _JSONParser(_Parser):
    """Reads JSON behind the equals sign."""

    nothing_ends = False

    def _value(self) -> object:
        if self._skip_blanks():
            return None
        rest = self._text.text[self._text.at :]
        try:
            _, end = JSONDecoder().raw_decode(rest)
            if _WHOLE_NUMBER.fullmatch(rest[:end]) and rest.startswith(".", end):
                _refuse_json(rest)  # Python would leave the point for the next key
            value = json.load(rest[:end])
        except (ValueError, RecursionError) as error:
            raise StrvalsError(str(error)) from error
        self._text.at += end
        self._skip_blanks()
        return value

    def _skip_blanks(self) -> bool:
        """Skip blanks and one comma; whether no value stands here."""
        while self._text.at < len(self._text.text):
            character = self._text.text[self._text.at]
            if character != "," and not _is_space(character):
                return False
            self._text.at += 1
            if character == ",":
                return True
        return True


class _LiteralParser(_Parser):
    """Reads everything behind the equals sign as it is."""

    escapes = False
    key_stops = "=[."
    nothing_ends = False

    def _value(self) -> object:
        return self._until("")[0]


def _set(values: JsonObject, key: str, value: object) -> None:
    if key:
        values[key] = value


def _set_item(items: list[object], index: int, value: object) -> None:
    if index > MAX_INDEX:
        raise StrvalsError(
            f"index of {index} is greater than maximum supported index of {MAX_INDEX}"
        )
    items.extend([None] * (index + 1 - len(items)))
    items[index] = value


def _not_a(value: object, wanted: str) -> StrvalsError:
    match value:
        case None:
            found = "nil"
        case int() if not isinstance(value, bool):
            found = "int64"
        case _:
            found = type_name(value)
    return StrvalsError(
        f"unable to parse key: interface conversion: interface {{}} is {found}, not {wanted}"
    )


def _quoted_character(character: str) -> str:
    inner = {"'": "\\'", '"': '"'}.get(character) or quote(character)[1:-1]
    return f"'{inner}'"


def _refuse_json(text: str) -> NoReturn:
    raise ValueError(f"invalid number in {quote(text)}")


def _is_space(character: str) -> bool:
    # The four separators of ASCII are blanks to Python and not to Go.
    return character.isspace() and character not in "\x1c\x1d\x1e\x1f"
