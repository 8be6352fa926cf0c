r"""Make libyaml read the dialect of Go's YAML library, which was derived from it long ago.

Since then libyaml has learnt YAML 1.2, the escape `\/` and question marks inside plain flow
scalars, and unlearnt the escape `\'` and colons before flow indicators.
"""

import re
from collections.abc import Iterator
from typing import Final

from yaml.events import (
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    ScalarEvent,
)

from whipstaff.golang.yaml_reader import PLAIN, VERSIONS, DialectError, EventReader, problem

# Stand-ins for characters of the text, from a range that nobody uses: positions stay as they were.
_COLON: Final = "\U0010fffd"
_NOTHING: Final = "\U0010fffc"
_BACK: Final = {ord(_COLON): ":", ord(_NOTHING): None}
_MOST_AMENDMENTS: Final = 100

_ESCAPED_SLASH = re.compile(r"(?<!\\)(?:\\\\)*\\/")


def go_events(text: str) -> Iterator[Event]:
    """Give the events of a text as Go's library has them, up to its first refusal."""
    amended = text
    delivered = 0
    for _ in range(_MOST_AMENDMENTS):
        try:
            for number, event in enumerate(_checked(amended)):
                if number >= delivered:
                    delivered += 1
                    yield event
        except DialectError as error:
            amended = _amended(amended, error)
        else:
            return
    raise problem("too many escapes and colons that only older libraries read", 0)


def _amended(text: str, error: DialectError) -> str:
    """Hide from libyaml what it refuses and Go takes; raise the refusal if Go refuses it too."""
    at = error.index
    if text[at : at + 1] == ":":
        return text[:at] + _COLON + text[at + 1 :]
    if text[at : at + 2] == "\\'":
        return text[:at] + _NOTHING + text[at + 1 :]
    raise error


def _checked(text: str) -> Iterator[Event]:
    """Give libyaml's events, refusing what Go refuses."""
    brackets: list[str] = []
    for event in EventReader(text):
        if isinstance(event, ScalarEvent):
            _check_scalar(event, text, brackets[-1] if brackets else "")
            event.value = event.value.translate(_BACK)
        elif isinstance(event, CollectionStartEvent):
            if brackets or event.flow_style:
                brackets.append(_closing(event, text))
        elif isinstance(event, CollectionEndEvent):
            if brackets:
                brackets.pop()
        elif isinstance(event, DocumentStartEvent) and event.version not in VERSIONS:
            raise problem("found incompatible YAML document", _line(event))
        yield event


def _closing(event: CollectionStartEvent, text: str) -> str:
    """Give the bracket that ends a flow collection; a single pair in a list has none of its own."""
    opening = text[event.end_mark.index - 1] if event.end_mark is not None else ""
    return "}" if opening == "{" else "]"


def _check_scalar(event: ScalarEvent, text: str, bracket: str) -> None:
    if event.start_mark is None or event.end_mark is None:
        return
    written = text[event.start_mark.index : event.end_mark.index]
    if bracket and event.style == PLAIN and "?" in written:
        # To Go the question mark begins a key, before which it wants a comma.
        line = _line(event) + written[: written.index("?")].count("\n")
        raise problem(f"did not find expected ',' or '{bracket}'", line)
    if event.style == '"' and (match := _ESCAPED_SLASH.search(written)):
        line = _line(event) + written[: match.end()].count("\n")
        raise problem("found unknown escape character", line + 1 if line else 0)


def _line(event: Event) -> int:
    return event.start_mark.line if event.start_mark is not None else 0
