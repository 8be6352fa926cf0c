"""Label selectors as texts: `app=web,tier in (a, b),!canary`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from whipstaff.postrender.errors import InstructionError

_KEY = r"(?P<key>(?:[A-Za-z0-9._-]+/)?[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)"
_WORD = r"[A-Za-z0-9._-]*"
_FORMS = tuple(
    re.compile(rf"\s*{form}\s*")
    for form in (
        rf"{_KEY}\s+(?P<op>in|notin)\s*\((?P<set>[^()]*)\)",
        rf"{_KEY}\s*(?P<op>==|=|!=|>|<)\s*(?P<value>{_WORD})",
        rf"(?P<op>!?)\s*{_KEY}",
    )
)
_COMMA_OUTSIDE = re.compile(r",(?![^()]*\))")
_VALUE = re.compile(_WORD)

Requirement = Callable[[Mapping[str, str]], bool]


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """A conjunction of requirements."""

    requirements: tuple[Requirement, ...]

    @classmethod
    def parse(cls, text: str) -> "LabelSelector":
        """Read a selector; an empty one selects everything."""
        if not text.strip():
            return cls(())
        return cls(tuple(map(_requirement, _COMMA_OUTSIDE.split(text))))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels, or annotations, satisfy it."""
        return all(requirement(labels) for requirement in self.requirements)


def _requirement(text: str) -> Requirement:
    for form in _FORMS:
        found = form.fullmatch(text)
        if found:
            given = found.groupdict()
            key, op = given["key"], given["op"]
            if "set" in given:
                return _in(key, op, tuple(word.strip() for word in given["set"].split(",")))
            return _compared(key, op, given.get("value", ""))
    raise InstructionError(f"{text.strip()!r} is no requirement of a label selector")


def _in(key: str, op: str, words: tuple[str, ...]) -> Requirement:
    if not all(map(_VALUE.fullmatch, words)):
        raise InstructionError(f"{key} {op}: a value that no label can have")
    if op == "in":
        return lambda labels: key in labels and labels[key] in words
    return lambda labels: labels.get(key) not in words


def _compared(key: str, op: str, value: str) -> Requirement:
    match op:
        case "=" | "==":
            return lambda labels: labels.get(key) == value
        case "!=":
            return lambda labels: labels.get(key) != value
        case ">" | "<":
            limit = _number(value)
            if limit is None:
                raise InstructionError(f"{key} {op} must be followed by a whole number")
            return lambda labels: _is_beyond(labels.get(key, ""), op, limit)
        case "!":
            return lambda labels: key not in labels
        case _:
            return lambda labels: key in labels


def _is_beyond(text: str, op: str, limit: int) -> bool:
    number = _number(text)
    if number is None:
        return False
    return number > limit if op == ">" else number < limit


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else None
