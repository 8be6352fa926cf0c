"""JSONPath templates as kubectl has them (k8s.io/client-go/util/jsonpath), over values of JSON.

Where Go goes through a map in no order, keys are in order here.
"""

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, assert_never

from whipstaff.golang import json
from whipstaff.golang.printf import sprint
from whipstaff.golang.values import go_bytes, sorted_keys

_TERMINATORS: Final = frozenset(" \t\r\n.,[]$@{}")
_DICTIONARY_KEY: Final = re.compile(r"'([^']*)'")
_SLICE: Final = re.compile(r"(-?[0-9]*)(:-?[0-9]*)?(:-?[0-9]*)?")
_COMPARISON: Final = re.compile(r"([^!<>=]+)([!<>=]+)(.+)")
_ESCAPE: Final = re.compile(
    r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.|$)", re.DOTALL
)
_SIMPLE_ESCAPES: Final = dict(zip("abfnrtv\\", "\a\b\f\n\r\t\v\\", strict=True))
_EXISTS: Final = "exists"


class JSONPathError(ValueError):
    """A template that cannot be read, or finds nothing; the text is Kubernetes'."""


@dataclass(frozen=True, slots=True)
class Text:
    """Text between actions, or in quotes inside of one."""

    text: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A number or a boolean."""

    value: int | float | bool


@dataclass(frozen=True, slots=True)
class Field:
    """The key of an object."""

    name: str


@dataclass(frozen=True, slots=True)
class Word:
    """`range` or `end`."""

    name: str


@dataclass(frozen=True, slots=True)
class Slice:
    """Some items of a list; None is the default, `derived` says that there was one index only."""

    start: int | None
    stop: int | None
    step: int | None
    derived: bool


@dataclass(frozen=True, slots=True)
class Wildcard:
    """All that is inside."""


@dataclass(frozen=True, slots=True)
class Recursive:
    """All that is inside, and inside of that."""


@dataclass(frozen=True, slots=True)
class Action:
    """What stands in braces: each part works on what the one before it found."""

    parts: "list[Node]" = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Union:
    """Several ways, one after the other."""

    ways: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """The items of a list for which something holds."""

    left: Action
    right: Action
    operator: str


Node = Text | Literal | Field | Word | Slice | Wildcard | Recursive | Action | Union | Filter


class Template(NamedTuple):
    """A template that was read."""

    nodes: tuple[Node, ...]

    @classmethod
    def parse(cls, text: str) -> "Template":
        """Read a template; JSONPathError if it is none."""
        return cls(tuple(_Parser(text).template()))

    def printed(self, value: object) -> str:
        """Return what the template finds in a value; empty if it does not find all it names."""
        try:
            found = list(_Search(self.nodes).find(value, 0))
        except JSONPathError:
            return ""
        return "".join(" ".join(map(_shown, results)) for results in found)


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return json.dump(value)
    return "null" if value is None else sprint(value)


class _Parser:
    """Reads a template from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def template(self) -> Iterator[Node]:
        while self._at < len(self._text):
            begin = self._text.find("{", self._at)
            end = len(self._text) if begin < 0 else begin
            if end > self._at:
                yield Text(self._text[self._at : end])
            if begin < 0:
                return
            self._at = begin + 1
            yield self._action()

    def _peek(self, count: int = 1) -> str:
        return self._text[self._at : self._at + count]

    def _action(self) -> Action:
        action = Action()
        while self._peek() != "}":
            node = self._part(action)
            if node is not None:
                action.parts.extend(node if isinstance(node, list) else [node])
        self._at += 1
        return action

    def _part(self, action: Action) -> Node | list[Node] | None:
        one = self._peek()
        if not one or one in "\r\n":
            raise JSONPathError("unclosed action")
        if self._peek(3) == "[?(":
            return self._filter()
        if self._peek(2) == "..":
            return self._recursive(action)
        if one in " @$":
            self._at += 1
            return None
        if one in "+-" or one.isdecimal():
            return self._number()
        if one == "_" or one.isalnum():
            return self._word()
        readers: dict[str, Callable[[], Node | list[Node]]] = {
            "[": self._brackets,
            '"': self._quoted,
            "'": self._quoted,
            ".": self._field,
        }
        if one not in readers:
            shown = f" '{one}'" if one.isprintable() else ""
            raise JSONPathError(f"unrecognized character in action: U+{ord(one):04X}{shown}")
        return readers[one]()

    def _until_terminator(self) -> str:
        begin = self._at
        while self._peek() and self._peek() not in _TERMINATORS:
            self._at += 2 if self._peek() == "\\" else 1
        return self._text[begin : self._at]

    def _word(self) -> Node:
        begin = self._at
        while self._peek() and self._peek() not in _TERMINATORS:
            self._at += 1
        word = self._text[begin : self._at]
        return Literal(word == "true") if word in {"true", "false"} else Word(word)

    def _field(self) -> Node:
        self._at += 1
        name = self._until_terminator()
        return Wildcard() if name == "*" else Field(name.replace("\\", ""))

    def _recursive(self, action: Action) -> list[Node]:
        if action.parts and isinstance(action.parts[-1], Recursive):
            raise JSONPathError("invalid multiple recursive descent")
        self._at += 2
        if not (self._peek() == "_" or self._peek().isalnum()):
            return [Recursive()]
        self._at -= 1  # where `_field` expects a dot
        return [Recursive(), self._field()]

    def _number(self) -> Node:
        begin = self._at
        self._at += 1
        while self._peek() == "." or self._peek().isdecimal():
            self._at += 1
        text = self._text[begin : self._at]
        try:
            return Literal(float(text) if "." in text else int(text))
        except ValueError as error:
            raise JSONPathError(f"cannot parse number {text}") from error

    def _quoted(self) -> Node:
        begin, quote = self._at, self._peek()
        self._at += 1
        while self._peek() != quote or self._text[self._at - 1] == "\\":
            if not self._peek() or self._peek() == "\n":
                raise JSONPathError("unterminated quoted string")
            self._at += 1
        self._at += 1
        return Text(_unquoted(self._text[begin : self._at]))

    def _brackets(self) -> list[Node]:
        end = self._text.find("]", self._at)
        if end < 0 or "\n" in self._text[self._at : end]:
            raise JSONPathError("unterminated array")
        text = self._text[self._at + 1 : end]
        self._at = end + 1
        if "," in text:
            return [Union(tuple(_inner(f"[{one.strip(' ')}]") for one in text.split(",")))]
        if key := _DICTIONARY_KEY.fullmatch(text):
            return _inner(f".{key[1]}").parts
        return [_slice(":" if text == "*" else text)]

    def _filter(self) -> Node:
        self._at += len("[?(")
        begin = self._at
        quote, closed = "", False
        while True:
            one = self._peek()
            if not one or one == "\n":
                raise JSONPathError("unterminated filter")
            self._at += 1
            if one in "\"'" and not quote:
                quote = one
            elif one == quote and self._text[self._at - 2] != "\\":
                closed = True
            elif one == ")" and bool(quote) == closed:
                break
        if self._peek() != "]":
            raise JSONPathError("unclosed array expect ]")
        self._at += 1
        text = self._text[begin : self._at - 2]
        parts = _COMPARISON.fullmatch(text)
        if parts is None:
            return Filter(_inner(text), Action(), _EXISTS)
        return Filter(_inner(parts[1]), _inner(parts[3]), parts[2])


def _inner(text: str) -> Action:
    first = next(_Parser(f"{{{text}}}").template())
    assert isinstance(first, Action)  # noqa: S101 - it begins with a brace
    return first


def _slice(text: str) -> Slice:
    found = _SLICE.fullmatch(text)
    if found is None:
        raise JSONPathError(f"invalid array index {text}")
    try:
        start = int(found[1]) if found[1] else None
        stop, step = (int(part[1:]) if part and part[1:] else None for part in found.group(2, 3))
    except ValueError as error:
        raise JSONPathError(f"array index {text} is not a number") from error
    if found[2]:
        return Slice(start, stop, step, derived=False)
    return Slice(start, (start or 0) + 1, step, derived=True)


def _unquoted(text: str) -> str:
    """Take quotes and escapes off, as Go's strconv does for either quote."""
    inner = text[1:-1]

    def character(found: re.Match[str]) -> str:
        escape = found[1]
        if escape in _SIMPLE_ESCAPES:
            return _SIMPLE_ESCAPES[escape]
        if escape == text[0]:
            return escape
        if len(escape) > 1:
            digits = escape.lstrip("xuU")
            return chr(int(digits, 8 if digits == escape else 16))
        raise JSONPathError(f"unquote string {text} error invalid syntax")

    return _ESCAPE.sub(character, inner)


class _Search:
    """Goes through a template and what it has found so far."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._ranges_begun = 0
        self._ranges_open = 0
        self._ends = 0
        self._last_end = -1

    def find(self, value: object, start: int) -> Iterator[list[object]]:
        """Yield what each node from `start` on finds, to the end or to that of a range."""
        at = start
        while at < len(self._nodes):
            results = self._walk([value], self._nodes[at])
            if self._ends and self._ends <= self._ranges_open:
                self._ends -= 1
                self._last_end = at
                return
            if not self._ranges_begun:
                yield results
                at += 1
                continue
            self._ranges_begun -= 1
            self._ranges_open += 1
            for result in results:
                yield from self.find(result, at + 1)
            if not results:
                list(self.find(None, at + 1))  # to know where the range ends
            self._ranges_open -= 1
            at = max(at, self._last_end) + 1

    def _walk(self, values: list[object], node: Node) -> list[object]:
        match node:
            case Action(parts):
                for part in parts:
                    values = self._walk(values, part)
                return values
            case Text(text):
                return [text]
            case Literal(value):
                return [value] * len(values)
            case Word(name):
                return self._word(name, values)
            case Union(ways):
                return [found for way in ways for found in self._walk(values, way)]
            case Filter():
                return [item for value in values for item in self._filtered(value, node)]
            case Field(name):
                return _field(values, name)
            case Slice():
                return [item for value in values for item in _sliced(value, node)]
            case Wildcard():
                return [item for value in values for item in _inside(value)]
            case Recursive():
                return list(_below(values))
            case _:
                assert_never(node)

    def _word(self, name: str, values: list[object]) -> list[object]:
        if name == "range":
            self._ranges_begun += 1
            return values
        if name != "end":
            raise JSONPathError(f"unrecognized identifier {name}")
        if not self._ranges_open:
            raise JSONPathError("not in range, nothing to end")
        self._ends += 1
        return []

    def _filtered(self, value: object, node: Filter) -> Iterator[object]:
        if not isinstance(value, list):
            raise JSONPathError("this is not array or slice and cannot be filtered")
        for item in value:
            if node.operator == _EXISTS:
                with suppress(JSONPathError):
                    if self._walk([item], node.left):
                        yield item
                continue
            sides = [self._walk([item], side) for side in (node.left, node.right)]
            if not all(sides):
                continue
            if any(len(side) > 1 for side in sides):
                raise JSONPathError("can only compare one element at a time")
            if _holds(sides[0][0], node.operator, sides[1][0]):
                yield item


def _field(values: list[object], name: str) -> list[object]:
    found = [value[name] for value in values if isinstance(value, dict) and name in value]
    if values and not found:
        raise JSONPathError(f"{name} is not found")
    return found


def _sliced(value: object, node: Slice) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise JSONPathError("this is not array or slice")
    length = len(value)
    start = node.start or 0
    start += length if start < 0 else 0
    stop = length if node.stop is None else node.stop
    stop += length if stop < 0 or (stop == 0 and node.derived) else 0
    if start == stop:
        return []
    if not 0 <= start < length or not 0 <= stop <= length:
        raise JSONPathError(f"array index out of bounds: index {start}, length {length}")
    if start > stop:
        raise JSONPathError(f"starting index {start} is greater than ending index {stop}")
    if node.step is not None and node.step <= 0:
        raise JSONPathError("step must be > 0")
    return value[start : stop : node.step]


def _inside(value: object) -> list[object]:
    match value:
        case dict():
            return [value[key] for key in sorted_keys(value)]
        case list():
            return value
        case str():
            return list(go_bytes(value))
        case _:
            return []


def _below(values: Sequence[object]) -> Iterator[object]:
    for value in values:
        if inside := _inside(value):
            yield value
            yield from _below(inside)


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def _holds(left: object, sign: str, right: object) -> bool:
    """Compare as Go's templates do: an integer is never compared with a float."""
    if sign not in {"==", "!=", *_ORDER}:
        raise JSONPathError(f"unrecognized filter operator {sign}")
    if type(left) is not type(right) or not isinstance(left, str | bool | int | float):
        raise JSONPathError("incompatible types for comparison")
    if sign in _ORDER:
        if isinstance(left, bool):
            raise JSONPathError("invalid type for comparison")
        return _ORDER[sign](left, right)
    return (left == right) is (sign == "==")
