"""What pages say of releases: functions of what the gateway's other functions gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from whipstaff.gateway.pods import Below, Identity, identity_of
from whipstaff.gateway.summaries import Standing
from whipstaff.release.legible import legible
from whipstaff.release.revision import JsonObject

TREE_LIMIT = 5000  # objects of one page
UNREADY_LIMIT = 100  # objects that status names
VALUES_LIMIT = 5000  # rows of one page

_MINUTE, _HOUR = 60, 3600


def cause(facts: JsonObject) -> str:
    """Say in one sentence why a release is not ready, or what it is at."""
    for one in facts["unready"]:
        return f"{one['kind']} {one['name']}: {one['cause']}"
    return str(facts["message"])


def timeline(history: JsonObject) -> list[JsonObject]:
    """Return the revisions with how long each took, and whether it runs."""
    running = history["revision"]
    return [
        {**one, "runs": one.get("revision") == running, "took": _took(one)}
        for one in history["items"]
    ]


def _took(entry: Mapping[str, Any]) -> str:
    """Say how long it was from the beginning to the end; empty if either is not known."""
    began, ended = _moment(entry.get("started")), _moment(entry.get("finished"))
    if began is None or ended is None or ended < began:
        return ""
    seconds = int((ended - began).total_seconds())
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min {seconds % _MINUTE} s"
    return f"{seconds // _HOUR} h {seconds % _HOUR // _MINUTE} min"


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)[:19])
    except ValueError:
        return None


@dataclass(slots=True)
class Branch:
    """A chart, a folder or a file of one, with the objects that come from it."""

    name: str
    branches: dict[str, "Branch"] = field(default_factory=dict)
    objects: list[JsonObject] = field(default_factory=list)


def waited_for(details: JsonObject) -> tuple[int, ...]:
    """Return which revision it may be whose objects are waited for; else the one that runs.

    A revision that is being made stands in no history yet.
    """
    if not details["unready"]:
        return (int(details["revision"]),)
    told = details["status"].get("lastAttemptedRevision")
    tried = told if isinstance(told, int) else 0
    return (tried + 1, tried) if details["standing"] == Standing.PROGRESSING else (tried,)


def tree(
    documents: Sequence[JsonObject],
    details: JsonObject,
    revision: int,
    live: Mapping[Identity, Below],
) -> Branch:
    """Return the objects of a revision by where in the chart they come from, with their readiness.

    Each has `standing`, "ready", "unready" or "" where nothing is known, `cause`, and `below`, what
    lives below it. What was looked at just now is believed before what the status tells.
    """
    waited = details["unready"] if revision in waited_for(details) else ()
    causes = {identity_of(one): one["cause"] for one in waited}
    # Of those that are waited for all are told, a hundred at most; the others are ready.
    ready = 0 < len(causes) < UNREADY_LIMIT or (
        revision == details["revision"] and details["ready"] == "True"
    )
    root = Branch("")
    left = TREE_LIMIT
    for document in documents:
        branch = root
        for part in _parts(document["source"]):
            branch = branch.branches.setdefault(part, Branch(part))
        for one in document["objects"][:left]:
            below = live.get(identity_of(one), Below())
            why = causes.get(identity_of(one), "")
            standing = below.standing or ("unready" if why else "ready" if ready else "")
            cause = (why or below.told) if standing == "unready" else ""
            text = document["text"] if len(document["objects"]) == 1 else ""
            facts = {"standing": standing, "cause": cause, "below": below, "text": text}
            branch.objects.append({**one, **facts})
            left -= 1
    return root


def _parts(source: str) -> list[str]:
    """Return chart, subcharts and file of a template: `a/charts/b/templates/c.yaml`."""
    chart, _, file = source.partition("/templates/")
    charts = [part for part in chart.split("/") if part and part != "charts"]
    return [*charts, file] if file else charts


@dataclass(frozen=True, slots=True)
class Value:
    """One value that a chart is rendered with."""

    path: str
    text: str
    origin: str


def values(told: JsonObject, spec: JsonObject) -> list[Value]:
    """Return each value of a revision with where it came from.

    The spec as it is now tells values that it holds from those that its references held.
    """
    given, defaults = told["values"], told["defaults"]
    inline = spec.get("values") if isinstance(spec.get("values"), dict) else {}
    references = [one for one in spec.get("valuesFrom") or () if isinstance(one, dict)]
    found = [
        Value(_written(path), _shown(value), _origin(path, inline or {}, references))
        for path, value in _leaves(given)
    ]
    covered = [path for path, _ in _leaves(given)]
    held = {path[:length] for path in covered for length in range(1, len(path) + 1)}
    ends = set(covered)
    for path, value in _leaves(defaults):
        above = any(path[:length] in ends for length in range(1, len(path) + 1))
        if not above and path not in held:
            found.append(Value(_written(path), _shown(value), "chart default"))
    return sorted(found, key=lambda value: value.path)[:VALUES_LIMIT]


Path = tuple[str, ...]


def _leaves(value: object, path: Path = ()) -> list[tuple[Path, Any]]:
    """Return all values that are no tables, or empty ones, with their paths."""
    if not isinstance(value, dict) or (not value and path):
        return [(path, value)]
    return [leaf for key, one in value.items() for leaf in _leaves(one, (*path, str(key)))]


def _origin(path: Path, inline: JsonObject, references: Sequence[JsonObject]) -> str:
    targets = {str(one["targetPath"]): one for one in references if one.get("targetPath")}
    if _holds(inline, path):
        return "inline"
    if one := targets.get(".".join(path)):
        return _reference(one)
    whole = [one for one in references if not one.get("targetPath")]
    if len(whole) == 1:
        return _reference(whole[0])
    if whole:
        return "valuesFrom: one of " + ", ".join(_reference(one, "") for one in whole)
    return "an earlier spec"


def _reference(one: JsonObject, before: str = "valuesFrom: ") -> str:
    return f"{before}{one.get('kind', '')} {one.get('name', '')}"


def _holds(table: object, path: Path) -> bool:
    for key in path:
        if not isinstance(table, dict) or key not in table:
            return False
        table = table[key]
    return True


def _written(path: Path) -> str:
    return ".".join(part.replace(".", "\\.") for part in path)


def _shown(value: object) -> str:
    return legible(value).rstrip("\n")
