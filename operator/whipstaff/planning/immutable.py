"""Which fields Kubernetes does not let change, as it says so itself when it refuses a change."""

import re
from collections.abc import Iterator

from whipstaff.errors import ClusterRefused
from whipstaff.planning.changes import differences, overlaid
from whipstaff.release.revision import JsonObject

_INVALID = 422
_FIELDS_LIMIT = 5  # that a message names
# Kubernetes' own words, and those that authors of definitions use in their rules.
_CANNOT_CHANGE = re.compile(
    r"immutable|may not (be )?change|can ?not (be )?change|can ?not be (unset|updated|modified)"
    r"|updates? to .* (is|are) (forbidden|not allowed)|updates may not change",
    re.IGNORECASE,
)
# The parts of a field that may change though it may not as a whole: "fields other than 'replicas'".
_OTHER_THAN = re.compile(r"(?:other than|except) (.*)", re.DOTALL)
_WORD = re.compile(r"[A-Za-z][A-Za-z.\[\]*]*")


def immutable_fields(
    refused: ClusterRefused, live: JsonObject, sent: JsonObject
) -> tuple[str, ...]:
    """Name the fields whose change is refused; nothing if that is not all that is wrong.

    `sent` is what was applied over `live`.
    """
    if refused.code != _INVALID or not refused.causes:
        return ()
    if not all(_CANNOT_CHANGE.search(said) for _, said in refused.causes):
        return ()
    found: dict[str, None] = {}
    for field, said in refused.causes:
        found.update(dict.fromkeys(_exactly(field, said, live, sent)))
    return tuple(found)


def named(fields: tuple[str, ...]) -> str:
    """Return some fields as people read them."""
    more = len(fields) - _FIELDS_LIMIT
    text = ", ".join(fields[:_FIELDS_LIMIT])
    return f"{text} and {more} more" if more > 0 else text


def _exactly(field: str, said: str, live: JsonObject, sent: JsonObject) -> Iterator[str]:
    """Name what changes inside a field of which only some parts may."""
    exceptions = _OTHER_THAN.search(said)
    if exceptions is None:
        yield field
        return
    free = {f"{field}.{part}" for part in _WORD.findall(exceptions[1])}
    changed = [one.path for one in differences(live, overlaid(live, sent))]
    inside = [path for path in changed if path.startswith(f"{field}.")]
    fixed = [path for path in inside if not any(_is_in(path, part) for part in free)]
    yield from fixed or [field]


def _is_in(path: str, field: str) -> bool:
    return path == field or path.startswith((f"{field}.", f"{field}["))
