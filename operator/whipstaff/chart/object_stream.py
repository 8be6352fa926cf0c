"""A file of objects as Kubernetes' own decoder reads it: JSON while it is JSON, else YAML."""

import json
import re
from collections.abc import Iterator

from whipstaff.golang import yaml
from whipstaff.golang.json_syntax import END, syntax_error
from whipstaff.golang.json_values import JSONError

_LOOKAHEAD = 4096  # how far in a first brace makes the decoder believe in JSON
_SURE = 1  # after more JSON values than this it never takes the rest for YAML

_BLANK = re.compile(r"\s*")
_BLANK_TO_LINE_END = re.compile(r"[^\S\n]*\n?")


def values(text: str) -> Iterator[object]:
    """Give the values of all documents; YAMLError or JSONError in the decoder's words."""
    if not text[:_LOOKAHEAD].lstrip().startswith("{"):
        yield from _yaml_values(text)
        return
    decoder = json.JSONDecoder()
    count = end = 0
    while (start := _end_of(_BLANK, text, end)) < len(text):
        try:
            value, end = decoder.raw_decode(text, start)
        except ValueError as error:
            if count > _SURE:
                raise JSONError(syntax_error(text[start:])) from error
            yield from _values_or(_refusal(text, start, error), text[end:])
            return
        yield value
        count += 1


def _values_or(refusal: JSONError, text: str) -> Iterator[object]:
    """Read as YAML what is no JSON; if it is neither, JSON's refusal counts."""
    try:
        yield from _yaml_values(text[_end_of(_BLANK_TO_LINE_END, text, 0) :])
    except yaml.YAMLError as error:
        raise refusal from error


def _yaml_values(text: str) -> Iterator[object]:
    for document in _documents(text):
        yield yaml.load_typed(document)


def _documents(text: str) -> Iterator[str]:
    """Cut at the lines that start with `---`."""
    lines: list[str] = []
    for line in text.removesuffix("\n").split("\n"):
        if not line.startswith("---"):
            lines.append(line.removesuffix("\r") + "\n")
            continue
        trailing = line.removeprefix("---").strip()
        if trailing and not trailing.startswith("#"):
            raise yaml.YAMLError(f"invalid Yaml document separator: {trailing}")
        if lines:
            yield "".join(lines)
        lines = []
    if lines:
        yield "".join(lines)


def _end_of(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found else start


def _refusal(text: str, start: int, error: ValueError) -> JSONError:
    problem = syntax_error(text[start:])
    if problem == END:
        return JSONError("unexpected EOF")
    position = error.pos if isinstance(error, json.JSONDecodeError) else start
    offset = len(text[: position + 1].encode("utf-8", "surrogateescape"))
    return JSONError(f"json: offset {offset}: {problem}")
