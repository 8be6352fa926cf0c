"""Reading typed fields of a JSON object, each refusal naming the field and what it should be."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from whipstaff.errors import InvalidSpec
from whipstaff.golang.durations import SECOND, DurationError, parse_duration
from whipstaff.release.revision import JsonObject

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)

LONGEST_DURATION_TEXT = 32


@dataclass(frozen=True, slots=True)
class TextRule:
    """What a text may be, and how to say so."""

    pattern: re.Pattern[str]
    longest: int
    wanted: str  # completes "spec.x must be …"
    error: type[InvalidSpec] = InvalidSpec


@dataclass(frozen=True, slots=True)
class Fields:
    """One object and the path at which it stands. An explicit null is a field left out."""

    path: str
    content: JsonObject

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def refuse(self, name: str, wanted: str, error: type[InvalidSpec] = InvalidSpec) -> InvalidSpec:
        return error(f"{self.at(name)} must be {wanted}", self.at(name))

    def table(self, name: str) -> "Fields":
        """Descend into an object; one that is left out is empty."""
        return Fields(self.at(name), self.json(name))

    def json(self, name: str) -> JsonObject:
        match self.content.get(name):
            case None:
                return {}
            case dict() as content:
                return content
            case _:
                raise self.refuse(name, "an object")

    def tables(self, name: str, most: int) -> "tuple[Fields, ...]":
        """Read a list of at most so many objects; one that is left out is empty."""
        match self.content.get(name):
            case None:
                return ()
            case list() as items if len(items) <= most:
                return tuple(self._item(f"{name}[{at}]", one) for at, one in enumerate(items))
            case _:
                raise self.refuse(name, f"a list of at most {most} objects")

    def _item(self, name: str, content: object) -> "Fields":
        if not isinstance(content, dict):
            raise self.refuse(name, "an object")
        return Fields(self.at(name), content)

    def text(self, name: str, default: str, rule: TextRule) -> str:
        match self.content.get(name):
            case None:
                return default
            case str() as text if len(text) <= rule.longest and rule.pattern.fullmatch(text):
                return text
            case _:
                raise self.refuse(name, rule.wanted, rule.error)

    def required_text(self, name: str, rule: TextRule) -> str:
        if self.content.get(name) is None:
            raise InvalidSpec(f"{self.at(name)} is missing", self.at(name))
        return self.text(name, "", rule)

    def texts(self, name: str, most: int, rule: TextRule) -> tuple[str, ...]:
        """Read a list of at most so many texts; one that is left out is empty."""
        match self.content.get(name):
            case None:
                return ()
            case list() as items if len(items) <= most:
                named = {f"{name}[{at}]": text for at, text in enumerate(items)}
                inside = Fields(self.path, named)
                return tuple(inside.required_text(at, rule) for at in named)
            case _:
                raise self.refuse(name, f"a list of at most {most} texts")

    def flag(self, name: str) -> bool:
        """Read a switch, which is off when it is left out."""
        return self.switch(name, on=False)

    def switch(self, name: str, *, on: bool) -> bool:
        """Read a switch; `on` says what it is when it is left out."""
        match self.content.get(name):
            case None:
                return on
            case bool() as value:
                return value
            case _:
                raise self.refuse(name, "true or false")

    def whole_number(self, name: str, lowest: int, highest: int) -> int | None:
        match self.content.get(name):
            case None:
                return None
            case bool():  # which Python counts among the integers
                pass
            case int() as value if lowest <= value <= highest:
                return value
            case _:
                pass
        raise self.refuse(name, f"a whole number from {lowest} to {highest}")

    def choice(self, name: str, default: ChoiceT) -> ChoiceT:
        value = self.content.get(name)
        if value is None:
            return default
        kinds = type(default)
        if isinstance(value, str) and value in {kind.value for kind in kinds}:
            return kinds(value)
        *first, last = [kind.value for kind in kinds]
        raise self.refuse(name, f"{', '.join(first)} or {last}")

    def choices(self, name: str, kinds: type[ChoiceT]) -> tuple[ChoiceT, ...]:
        """Read a list of words, each of them one of these; one that is left out is empty."""
        items = self.content.get(name)
        if items is None:
            return ()
        words = [kind.value for kind in kinds]
        if not isinstance(items, list) or len(items) > len(words):
            raise self.refuse(name, f"a list of at most {len(words)} of {', '.join(words)}")
        for at, item in enumerate(items):
            if item not in words:
                raise self.refuse(f"{name}[{at}]", f"one of {', '.join(words)}")
        return tuple(kinds(item) for item in items)

    def duration_seconds(self, name: str, default: float, longest: float) -> float:
        """Read a duration between a second and `longest`."""
        text = self.content.get(name)
        if text is None:
            return default
        wanted = f"a duration from 1s to {longest / 3600:g}h, such as 90s, 5m or 1h30m"
        if not isinstance(text, str) or len(text) > LONGEST_DURATION_TEXT:
            raise self.refuse(name, wanted)
        try:
            value = parse_duration(text) / SECOND
        except DurationError as error:
            raise self.refuse(name, wanted) from error
        if not 1 <= value <= longest:
            raise self.refuse(name, wanted)
        return value
