"""Go's time layouts: how a reference time is taken apart into fields and text."""

import functools
import re
from dataclasses import dataclass
from enum import Enum, auto


class Field(Enum):
    """What a part of a layout stands for."""

    YEAR = auto()
    LONG_YEAR = auto()
    MONTH = auto()
    LONG_MONTH = auto()
    NUMBER_MONTH = auto()
    ZERO_MONTH = auto()
    WEEKDAY = auto()
    LONG_WEEKDAY = auto()
    DAY = auto()
    UNDER_DAY = auto()
    ZERO_DAY = auto()
    UNDER_YEAR_DAY = auto()
    ZERO_YEAR_DAY = auto()
    HOUR = auto()
    HOUR_12 = auto()
    ZERO_HOUR_12 = auto()
    MINUTE = auto()
    ZERO_MINUTE = auto()
    SECOND = auto()
    ZERO_SECOND = auto()
    UPPER_PM = auto()
    LOWER_PM = auto()
    ZONE_OFFSET = auto()
    ZONE_NAME = auto()
    FRACTION_0 = auto()
    FRACTION_9 = auto()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A field as the layout spells it."""

    field: Field
    text: str


_FIELDS = {
    "January": Field.LONG_MONTH,
    "Jan": Field.MONTH,
    "Monday": Field.LONG_WEEKDAY,
    "Mon": Field.WEEKDAY,
    "MST": Field.ZONE_NAME,
    "01": Field.ZERO_MONTH,
    "02": Field.ZERO_DAY,
    "03": Field.ZERO_HOUR_12,
    "04": Field.ZERO_MINUTE,
    "05": Field.ZERO_SECOND,
    "06": Field.YEAR,
    "002": Field.ZERO_YEAR_DAY,
    "15": Field.HOUR,
    "1": Field.NUMBER_MONTH,
    "2006": Field.LONG_YEAR,
    "2": Field.DAY,
    "_2": Field.UNDER_DAY,
    "__2": Field.UNDER_YEAR_DAY,
    "3": Field.HOUR_12,
    "4": Field.MINUTE,
    "5": Field.SECOND,
    "PM": Field.UPPER_PM,
    "pm": Field.LOWER_PM,
}
_FIELD = re.compile(
    # An underscore before 2006 is text, and so are Jan and Mon before a lower-case letter.
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|0[1-6]|002|15|1|2006|2|_(?=2006)|_2|__2|3|4|5|PM|pm"
    r"|[-Z]070000|[-Z]07:00:00|[-Z]0700|[-Z]07:00|[-Z]07"
    r"|[.,](?:0+|9+)(?![0-9])"
)


@functools.lru_cache(maxsize=256)
def chunks(layout: str) -> tuple[str | Chunk, ...]:
    """The layout as text and fields in turn; texts are never empty and never neighbours."""
    parts: list[str | Chunk] = []
    text_start = 0
    for found in _FIELD.finditer(layout):
        spelled = found[0]
        if spelled == "_":
            continue
        if found.start() > text_start:
            parts.append(layout[text_start : found.start()])
        parts.append(Chunk(_field_of(spelled), spelled))
        text_start = found.end()
    if text_start < len(layout):
        parts.append(layout[text_start:])
    return tuple(parts)


def _field_of(spelled: str) -> Field:
    known = _FIELDS.get(spelled)
    if known is not None:
        return known
    if spelled[0] in ".,":
        return Field.FRACTION_0 if spelled[1] == "0" else Field.FRACTION_9
    return Field.ZONE_OFFSET
