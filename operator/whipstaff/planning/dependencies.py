"""Whether what a release depends on is ready, and who waits for whom."""

from collections.abc import Callable, Collection
from typing import Any

from whipstaff.helmrelease.depends_on import Dependency
from whipstaff.planning.readiness import Verdict, readiness
from whipstaff.release.revision import JsonObject

Key = tuple[str, str]  # namespace and name of a HelmRelease


def why_not_ready(dependency: Dependency, live: JsonObject | None) -> str:
    """Say what a dependency without an expression lacks; empty if it is ready."""
    if live is None:
        return "it does not exist"
    if dependency.is_helmrelease:
        return why_helmrelease_not_ready(live)
    found = readiness(live)
    return "" if found.verdict is Verdict.READY else found.cause


def why_helmrelease_not_ready(live: JsonObject) -> str:
    """Ask for Ready of the newest spec; a suspended one is taken at its word."""
    if "deletionTimestamp" in live["metadata"]:
        return "it is being deleted"
    status = _table(live.get("status"))
    current = status.get("observedGeneration") == live["metadata"].get("generation")
    if not current and not _table(live.get("spec")).get("suspend"):
        return "its newest spec has not been acted on yet"
    conditions = [c for c in status.get("conditions") or () if isinstance(c, dict)]
    ready = next((c for c in conditions if c.get("type") == "Ready"), {})
    if ready.get("status") == "True":
        return ""
    return f"it is not ready ({ready.get('reason') or 'nothing is known of it yet'})"


def cycle_of(start: Key, dependencies_of: Callable[[Key], Collection[Key]]) -> tuple[Key, ...]:
    """Return the shortest way from a HelmRelease back to itself, both ends named; or nothing."""
    came_from: dict[Key, Key] = {}
    border = [start]
    while border:
        found = []
        for key in border:
            for dependency in sorted(dependencies_of(key)):
                if dependency == start:
                    return _way(came_from, start, key)
                if dependency not in came_from:
                    came_from[dependency] = key
                    found.append(dependency)
        border = found
    return ()


def _way(came_from: dict[Key, Key], start: Key, last: Key) -> tuple[Key, ...]:
    way = [start, last] if last != start else [start]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    if len(way) == 1:
        way.append(start)
    return tuple(reversed(way))


def _table(value: Any) -> JsonObject:  # noqa: ANN401 - anything may be stored
    return value if isinstance(value, dict) else {}
