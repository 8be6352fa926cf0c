"""Turn YAML text into plain values: libyaml's events in, what Go makes of them out.

Ordinary documents are built in one pass over the events. Anchors, tags, merge keys, unusual keys
and all that may fail after parsing take the second way, `yaml_nodes`.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, Final

from yaml import YAMLError as LibraryError
from yaml._yaml import CParser
from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.reader import ReaderError
from yaml.scanner import ScannerError

from whipstaff.golang.floats import format_g
from whipstaff.golang.yaml_scalars import HINTS, INT64_MAX, Scalar, resolve

MAX_DEPTH: Final = 200
_CACHED_SCALARS: Final = 20_000
_CACHED_SCALAR_LENGTH: Final = 64

Numbers = Callable[[int | float], object]


class YAMLError(ValueError):
    """A text that Go's YAML library refuses; `text` is its message, `line` 0 where it names none."""

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.line = line


class Unusual(Exception):
    """The document needs the second way."""


class Resolver:
    """Plain scalars to values, numbers in the caller's form; remembers what it has seen."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._seen: dict[str, object] = {}

    def __call__(self, text: str) -> object:
        """Give the value of a plain scalar whose first character is among `HINTS`."""
        seen = self._seen
        if text in seen:
            return seen[text]
        result = self.spell(resolve(text)[1])
        if len(text) <= _CACHED_SCALAR_LENGTH:
            if len(seen) >= _CACHED_SCALARS:
                seen.clear()
            seen[text] = result
        return result

    def spell(self, value: Scalar) -> object:
        """Give numbers the caller's form; infinities and NaN have no JSON form: the second way."""
        if value is None or value is True or value is False or isinstance(value, str):
            return value
        if isinstance(value, float) and not math.isfinite(value):
            raise Unusual
        return self._numbers(value)


class EventReader:
    """libyaml's events of one text, its refusals in Go's words."""

    def __init__(self, text: str) -> None:
        try:
            self._parser = CParser(text.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError as error:
            raise YAMLError("yaml: invalid Unicode character") from error

    def __iter__(self) -> Iterator[Event]:
        try:
            while not isinstance(event := self._parser.get_event(), StreamEndEvent):
                yield event
        except LibraryError as error:
            raise in_go_words(error) from error

    def values(self, resolver: Resolver, *, strict: bool = False) -> Iterator[object]:
        """Give each document's value; raise `Unusual` when the second way is needed."""
        try:
            self._parser.get_event()
            while not isinstance(self._parser.get_event(), StreamEndEvent):
                yield _build(self._parser.get_event, resolver, strict=strict)
        except LibraryError as error:
            raise in_go_words(error) from error


def key_text(value: Scalar) -> str:
    """Spell a resolved mapping key as a JSON key; raise `Unusual` if it has no such form."""
    if isinstance(value, str):
        return value
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, float):
        # Keys go through 32 bits on their way; that is what Go's conversion does.
        text = format_g(value, bits=32)
        return {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}.get(text, text)
    if value is None or value > INT64_MAX:
        raise Unusual
    return str(value)


def _build(next_event: Callable[[], Any], resolver: Resolver, *, strict: bool) -> object:
    """Build one document whose start has been read, up to and including its end.

    Events are `Any`: their class is compared by identity, which is what makes this loop fast.
    """
    root: list[object] = []
    items: list[object] | None = root
    table: dict[str, object] = {}
    key: str | None = None
    stack: list[tuple[list[object] | None, dict[str, object]]] = []
    hints = HINTS
    while True:
        event = next_event()
        kind = event.__class__
        value: Any
        if kind is ScalarEvent:
            if event.anchor is not None or event.tag is not None:
                raise Unusual
            value = event.value
            if items is None and key is None:
                key = _simple_key(event)
                if strict and key in table:
                    raise Unusual
                continue
            if event.implicit[0] and value[:1] in hints:
                value = resolver(value)
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            items, table = stack.pop()
            continue
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            if event.anchor is not None or (items is None and key is None):
                raise Unusual
            if len(stack) >= MAX_DEPTH:
                raise YAMLError(f"yaml: exceeded max depth of {MAX_DEPTH}")
            value = {} if kind is MappingStartEvent else []
            stack.append((items, table))
        elif kind is AliasEvent:
            raise Unusual
        elif kind is DocumentEndEvent:
            return root[0]
        if items is None:
            table[key] = value  # type: ignore[index]  # a value follows its key, always
            key = None
        else:
            items.append(value)
        if kind is MappingStartEvent:
            items, table = None, value
        elif kind is SequenceStartEvent:
            items = value


def _simple_key(event: ScalarEvent) -> str:
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text == "<<":
        raise Unusual
    return key_text(resolve(text)[1]) if text[:1] in HINTS else text


def in_go_words(error: LibraryError) -> YAMLError:
    """Say what Go would say; its line is one too small for what the parser refuses."""
    if isinstance(error, ReaderError):
        return YAMLError(f"yaml: {error.reason}")
    if not isinstance(error, MarkedYAMLError):
        return YAMLError(f"yaml: {error}")
    line = 0
    if error.problem_mark is not None and error.problem_mark.line:
        line = error.problem_mark.line + (1 if isinstance(error, ScannerError) else 0)
    elif error.context_mark is not None:
        line = error.context_mark.line
    where = f"line {line}: " if line else ""
    return YAMLError(f"yaml: {where}{error.problem}", line)
