"""Turn YAML text into plain values: libyaml's events in, what Go makes of them out.

Ordinary documents are built in one pass over the events. Anchors, tags, merge keys, unusual keys
and all that may fail after parsing take the second way, `yaml_nodes`.
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

from yaml import YAMLError as LibraryError
from yaml._yaml import CParser
from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
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
VERSIONS: Final = (None, (1, 1))  # of a %YAML directive; Go's library knows no 1.2
PLAIN: Final = ""  # PyYAML's name for the style
_CACHED_SCALARS: Final = 20_000
_CACHED_SCALAR_LENGTH: Final = 64

Numbers = Callable[[int | float], object]


class YAMLError(ValueError):
    """A text that Go's YAML library refuses, in its words; `line` is 0 where they name none."""

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(text)
        self.text = text
        self.line = line


class Unusual(Exception):
    """The document needs the second way."""


class DialectError(YAMLError):
    """libyaml refuses what Go's library, which is older, may take; `index` counts characters."""

    def __init__(self, error: YAMLError, index: int) -> None:
        super().__init__(error.text, error.line)
        self.index = index


_ESCAPED_SLASH: Final = "\\/"  # an escape that Go's library does not know, if it is one
_NO_COLON: Final = "could not find expected ':'"
_QUICK_KEYS: Final = frozenset("\"'&*![{")  # the scanner stops at once behind these
_NO_TOKEN: Final = frozenset("\t@`%")
_EMPTY_COLLECTION: Final = re.compile(r"[\[{]\s*[\]}]")  # scanned in pairs, whatever they are

# What libyaml has learnt to refuse since Go's library was derived from it.
_NEWER_REFUSALS: Final = frozenset(["found unexpected ':'", "found unknown escape character"])


class Resolver:
    """Plain scalars to values, numbers in the caller's form; remembers what it has seen."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._seen: dict[str, object] = {}
        self.lines: dict[str, object] = {}  # for `yaml_lines`

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
            self._text = text
            self._parser = CParser(text.encode("utf-8", "surrogateescape"))
        except UnicodeEncodeError as error:
            raise YAMLError("yaml: invalid Unicode character") from error

    def __iter__(self) -> Iterator[Event]:
        # The stubs let an event be None; libyaml's stream always ends with an event of its own.
        next_event = cast("Callable[[], Event]", self._parser.get_event)
        try:
            while not isinstance(event := next_event(), StreamEndEvent):
                yield event
        except LibraryError as error:
            raise _in_go_words(error, self._text) from error

    def values(self, resolver: Resolver, *, strict: bool = False) -> Iterator[object]:
        """Give each document's value; raise `Unusual` when the second way is needed."""
        if _ESCAPED_SLASH in self._text:
            raise Unusual
        next_event: Callable[[], Any] = self._parser.get_event
        try:
            next_event()
            while not isinstance(event := next_event(), StreamEndEvent):
                if event.version not in VERSIONS:
                    raise Unusual
                yield _build(next_event, resolver, strict=strict)
        except LibraryError as error:
            raise _in_go_words(error, self._text) from error


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
    flow_depth = 0
    hints = HINTS
    while True:
        event = next_event()
        kind = event.__class__
        value: Any
        if kind is ScalarEvent:
            if event.anchor is not None or event.tag is not None:
                raise Unusual
            value = event.value
            if flow_depth and "?" in value and event.style == PLAIN:
                raise Unusual
            if items is None and key is None:
                key = _simple_key(event)
                if strict and key in table:
                    raise Unusual
                continue
            if event.implicit[0] and value[:1] in hints:
                value = resolver(value)
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            items, table = stack.pop()
            if flow_depth:
                flow_depth -= 1
            continue
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            if event.anchor is not None or (items is None and key is None):
                raise Unusual
            if len(stack) >= MAX_DEPTH:
                raise YAMLError(f"yaml: exceeded max depth of {MAX_DEPTH}")
            value = {} if kind is MappingStartEvent else []
            stack.append((items, table))
            if flow_depth or event.flow_style:
                flow_depth += 1
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


def _in_go_words(error: LibraryError, text: str) -> YAMLError:
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
    words = error.problem or ""
    if words == _NO_COLON and error.context_mark is not None:
        if _looks_on(error, text):
            words = "found character that cannot start any token"
        elif _EMPTY_COLLECTION.match(text, error.context_mark.index) and (
            wanted := _wanted_at_end(text)
        ):
            # Go's scanner forgets that it may be a key, and hands it to the parser at once.
            words, line = wanted, error.context_mark.line
    refusal = problem(words, line)
    if error.problem in _NEWER_REFUSALS and error.problem_mark is not None:
        return DialectError(refusal, error.problem_mark.index)
    return refusal


def _looks_on(error: MarkedYAMLError, text: str) -> bool:
    """Say whether Go's scanner, which misses the colon later, meets something worse first."""
    if error.context_mark is None or error.problem_mark is None:
        return False
    key, at = error.context_mark.index, error.problem_mark.index
    return text[key : key + 1] in _QUICK_KEYS and text[at : at + 1] in _NO_TOKEN


def _wanted_at_end(text: str) -> str | None:
    """Say what the block collection wants that is open where libyaml stops; None if a value."""
    parser = CParser(text.encode("utf-8", "surrogateescape"))
    is_open = [[-1, 0]]  # the column of each collection, and how much is in it
    lists: set[int] = set()  # which of them are lists
    try:
        while not isinstance(event := parser.get_event(), StreamEndEvent):
            if isinstance(event, NodeEvent):
                is_open[-1][1] += 1
            if isinstance(event, CollectionStartEvent) and event.start_mark is not None:
                if isinstance(event, SequenceStartEvent):
                    lists.add(len(is_open))
                is_open.append([event.start_mark.column, 0])
            elif isinstance(event, CollectionEndEvent):
                is_open.pop()
                lists.discard(len(is_open))
    except LibraryError:
        pass
    if len(is_open) - 1 not in lists:
        return None if is_open[-1][1] % 2 else "did not find expected key"
    # A list as far left as the map around it ends there; the map wants a key.
    wanted = "key" if is_open[-2][0] == is_open[-1][0] else "'-' indicator"
    return f"did not find expected {wanted}"


def problem(words: str, line: int) -> YAMLError:
    """Word a refusal as Go does; its first line has the number 0 and is not named."""
    return YAMLError(f"yaml: line {line}: {words}" if line else f"yaml: {words}", line)
