"""What pages say of releases: functions of what the gateway's other functions gave."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from whipstaff.gateway.pods import Below, Identity, identity_of
from whipstaff.gateway.summaries import Standing
from whipstaff.release.legible import legible
from whipstaff.release.revision import JsonObject
from whipstaff.release.secrecy import MASK

TREE_LIMIT = 5000  # objects of one page
UNREADY_LIMIT = 100  # objects that status names
VALUES_LIMIT = 5000  # rows of one page

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_LONG_AGO = 60 * _DAY
_JUST_NOW = 5  # seconds; clocks differ
_SOUND = ("deployed", "superseded")  # a revision that did not fail
_GLOBAL = "global"
_OF_SUBCHART = 3  # parts of a path to one of a subchart's globals, at least


def cause(facts: JsonObject) -> str:
    """Say in one sentence why a release is not ready, or what it is at."""
    for one in facts["unready"]:
        return f"{one['kind']} {one['name']}: {one['cause']}"
    plan = facts["plan"]
    if plan and facts["standing"] == Standing.WAITING:
        return f"{plan['action']} to {plan['chart']} {plan['version']}: {plan['summary']}"
    return str(facts["message"])


def timeline(history: JsonObject) -> list[JsonObject]:
    """Return the revisions with how long each took, whether it runs, and may be gone back to."""
    running = history["revision"]
    return [
        {
            **one,
            "runs": one.get("revision") == running,
            "took": _took(one),
            "sound": one.get("status") in _SOUND,
        }
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
        found = datetime.fromisoformat(str(text))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def exactly(text: object) -> str:
    """Write a time as people do, in UTC; what is no time stays what it is."""
    found = _moment(text)
    return f"{found:%Y-%m-%d %H:%M:%S} UTC" if found else str(text)


def ago(text: object, now: float) -> str:
    """Say how long ago a time was, by a clock in seconds since 1970; its day if that is long."""
    found = _moment(text)
    if found is None:
        return str(text)
    seconds = int(now - found.timestamp())
    if not -_HOUR < seconds < _LONG_AGO:
        return f"{found:%Y-%m-%d}"
    if seconds < _JUST_NOW:
        return "just now"
    for size, word in ((_DAY, "day"), (_HOUR, "h"), (_MINUTE, "min")):
        if number := seconds // size:
            return f"{number} {word}{'s' if word == 'day' and number > 1 else ''} ago"
    return f"{seconds} s ago"


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


def tally(branch: Branch) -> Counter[str]:
    """Count the objects of a tree by how they stand."""
    found = Counter(str(one["standing"]) for one in branch.objects)
    for one in branch.branches.values():
        found += tally(one)
    return found


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
    now: str = ""  # what the spec says by now, if that is something else
    given: bool = True  # the chart's own otherwise


def values(told: JsonObject, spec: JsonObject) -> list[Value]:
    """Return each value of a revision with where it came from.

    The spec as it is now tells values that it holds from those that its references held.
    """
    layers = _Layers(told["values"], told["defaults"], told["subcharts"], spec)
    found = [*layers.given(), *layers.given_since(), *layers.defaults()]
    return sorted(found, key=lambda value: value.path)[:VALUES_LIMIT]


Path = tuple[str, ...]


def _leaves(value: object, path: Path = ()) -> list[tuple[Path, Any]]:
    """Return all values that are no tables, or empty ones, with their paths."""
    if not isinstance(value, dict) or (not value and path):
        return [(path, value)]
    return [leaf for key, one in value.items() for leaf in _leaves(one, (*path, str(key)))]


class _Layers:
    """What a revision was made with, and the spec as it is now."""

    def __init__(
        self, given: object, defaults: object, subcharts: Sequence[str], spec: JsonObject
    ) -> None:
        self._given = dict(_leaves(given))
        self._defaults = dict(_leaves(defaults))
        self._subcharts = frozenset(subcharts)
        inline = spec.get("values")
        self._inline: JsonObject = inline if isinstance(inline, dict) else {}
        self._references = [one for one in spec.get("valuesFrom") or () if isinstance(one, dict)]

    def given(self) -> Iterator[Value]:
        """Yield what was given."""
        for path, value in self._given.items():
            text = _shown(value)
            now = self._now(path, text)
            origin = self._origin(path, changed=bool(now))
            if path[0] == _GLOBAL and self._subcharts:
                origin += ", for all charts in the chart"
            yield Value(_written(path), text, origin, now)

    def _now(self, path: Path, text: str) -> str:
        if MASK in text or not _holds(self._inline, path):
            return ""  # who masks one of two tells nothing of the other
        now = _shown(_at(self._inline, path))
        return "" if now == text else now

    def given_since(self) -> Iterator[Value]:
        """Yield what the spec holds now and did not when the revision was made.

        Without the values: which of them are secret says the chart of a revision.
        """
        known = _prefixes(self._given) | self._defaults.keys()
        for path, _ in _leaves(self._inline):
            if path and path not in known and not _is_below(path, self._given):
                yield Value(_written(path), "", "inline by now, and not in this revision")

    def defaults(self) -> Iterator[Value]:
        """Yield the values of the chart, and of those in it, that nothing given is laid over."""
        covered = _prefixes(self._given)
        for path, value in self._defaults.items():
            if path in covered or _is_below(path, self._given) or self._is_handed_down(path):
                continue
            since = ", and inline by now" if _holds(self._inline, path) else ""
            origin = self._default_origin(path) + since
            yield Value(_written(path), _shown(value), origin, given=False)

    def _is_handed_down(self, path: Path) -> bool:
        """Whether a subchart has this of the globals of the chart, where it stands already."""
        if len(path) < _OF_SUBCHART or path[0] not in self._subcharts or path[1] != _GLOBAL:
            return False
        return path[1:] in self._defaults or _is_below(path[1:], self._given)

    def _default_origin(self, path: Path) -> str:
        if path[:1] and path[0] in self._subcharts and len(path) > 1:
            return f"default for subchart {path[0]}"
        if path[:1] == (_GLOBAL,) and self._subcharts:
            return "chart default, for all charts in the chart"
        return "chart default"

    def _origin(self, path: Path, *, changed: bool) -> str:
        """Say what gave a value; `changed`: the spec holds another by now."""
        held = _holds(self._inline, path)
        if held and not changed:
            return "inline"
        referred = self._referred(path)
        if not referred:
            return "an earlier spec"
        return f"an earlier spec, or {referred}" if held else referred

    def _referred(self, path: Path) -> str:
        """Name the references that may have given a value; empty if none can."""
        targets = {str(one["targetPath"]): one for one in self._references if one.get("targetPath")}
        if one := targets.get(".".join(path)):
            return _reference(one)
        whole = [one for one in self._references if not one.get("targetPath")]
        if len(whole) > 1:
            return "valuesFrom: one of " + ", ".join(_reference(one, "") for one in whole)
        return "".join(_reference(one) for one in whole)


def _prefixes(leaves: Iterable[Path]) -> set[Path]:
    """Return all paths to leaves, and to what they are in."""
    return {path[:length] for path in leaves for length in range(1, len(path) + 1)}


def _is_below(path: Path, leaves: Container[Path]) -> bool:
    """Whether a path leads to a leaf, or into it."""
    return any(path[:length] in leaves for length in range(1, len(path) + 1))


def _reference(one: JsonObject, before: str = "valuesFrom: ") -> str:
    return f"{before}{one.get('kind', '')} {one.get('name', '')}"


def _holds(table: object, path: Path) -> bool:
    for key in path:
        if not isinstance(table, dict) or key not in table:
            return False
        table = table[key]
    return True


def _at(table: Any, path: Path) -> Any:  # noqa: ANN401 - any JSON
    for key in path:
        table = table[key]
    return table


def _written(path: Path) -> str:
    return ".".join(part.replace(".", "\\.") for part in path)


def _shown(value: object) -> str:
    return legible(value).rstrip("\n")
