"""Label selectors as `kubectl get -l` takes them: `a=b,c!=d,e in (f,g),h notin (i),j,!k`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from whipstaff.errors import InvalidSpec

_KEY = r"(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_EQUAL = re.compile(rf"({_KEY})\s*(==|=|!=)\s*({_VALUE})")
_AMONG = re.compile(rf"({_KEY})\s+(in|notin)\s*\(\s*({_VALUE}(?:\s*,\s*{_VALUE})*)\s*\)")
_THERE = re.compile(rf"(!?)\s*({_KEY})")
_OUTSIDE = re.compile(r",(?![^(]*\))")

Requirement = Callable[[Mapping[str, str]], bool]


@dataclass(frozen=True, slots=True)
class Selector:
    """What labels must be; an empty text takes all."""

    text: str
    requirements: tuple[Requirement, ...]

    def takes(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is meant."""
        return all(requirement(labels) for requirement in self.requirements)


EVERYTHING = Selector("", ())


def parse_selector(text: str, field: str) -> Selector:
    """Read a selector; InvalidSpec names `field` and the part that is none."""
    parts = _OUTSIDE.split(text) if text.strip() else []
    return Selector(text.strip(), tuple(_requirement(part.strip(), field) for part in parts))


def _requirement(part: str, field: str) -> Requirement:
    if found := _EQUAL.fullmatch(part):
        key, sign, value = found.groups()
        return _among(key, frozenset({value}), wanted=sign != "!=")
    if found := _AMONG.fullmatch(part):
        key, word, listed = found.groups()
        values = frozenset(value.strip() for value in listed.split(","))
        return _among(key, values, wanted=word == "in")
    if found := _THERE.fullmatch(part):
        absent, key = found.groups()
        return lambda labels: (key in labels) != bool(absent)
    raise InvalidSpec(
        f"{field}: {part!r} is no requirement of a label selector, such as a=b or c in (d,e)", field
    )


def _among(key: str, values: frozenset[str], *, wanted: bool) -> Requirement:
    if wanted:
        return lambda labels: labels.get(key) in values
    return lambda labels: labels.get(key) not in values
