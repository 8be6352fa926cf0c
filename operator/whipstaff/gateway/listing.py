"""Which releases a list has, and in which order: functions of the query and of what there is."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from whipstaff.errors import InvalidSpec
from whipstaff.gateway.cache import Entry
from whipstaff.gateway.problems import bad
from whipstaff.gateway.summaries import Standing
from whipstaff.helmrelease.selectors import parse_selector
from whipstaff.release.revision import JsonObject

LIMIT = 100
LARGEST_LIMIT = 1000
SEARCH_LIMIT = 200  # characters
TOKEN_LIMIT = 4096
PLACE = 3  # namespace, name and cluster

_ORDER = {str(standing): place for place, standing in enumerate(Standing)}


class Sort(StrEnum):
    """What releases are ordered by, a minus for the other way round.

    Then by namespace, name and cluster.
    """

    NAME = "name"
    NAME_DOWN = "-name"
    NAMESPACE = "namespace"
    NAMESPACE_DOWN = "-namespace"
    CLUSTER = "cluster"
    CLUSTER_DOWN = "-cluster"
    STANDING = "standing"
    STANDING_DOWN = "-standing"
    CHART = "chart"
    CHART_DOWN = "-chart"
    CHANGED = "changedAt"
    CHANGED_DOWN = "-changedAt"
    REVISION = "revision"
    REVISION_DOWN = "-revision"


Key = tuple[Any, ...]

_KEYS: Mapping[str, Callable[[JsonObject], Any]] = {
    "name": lambda facts: facts["name"],
    "namespace": lambda facts: facts["namespace"],
    "cluster": lambda facts: facts["cluster"],
    "standing": lambda facts: _ORDER[facts["standing"]],
    "chart": lambda facts: facts["chart"]["name"],
    "changedAt": lambda facts: facts["changedAt"],
    "revision": lambda facts: facts["revision"],
}


@dataclass(frozen=True, slots=True)
class Query:
    """What a list was asked for; empty texts ask for nothing."""

    cluster: str = ""
    namespace: str = ""
    search: str = ""  # in name, namespace, chart and message
    standing: Standing | None = None
    chart: str = ""
    label_selector: str = ""
    sort: Sort = Sort.NAMESPACE
    limit: int = LIMIT
    continue_: str = ""

    @property
    def digest(self) -> str:
        """Tell queries apart whose pages do not fit together."""
        facts = [
            self.cluster,
            self.namespace,
            self.search,
            self.standing,
            self.chart,
            self.label_selector,
            self.sort,
        ]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Page:
    """Some releases, how many there are in all, and the token of the next page."""

    entries: Sequence[Entry]
    total: int
    continue_: str


def page_of(entries: Iterable[Entry], query: Query) -> Page:
    """Return one page; Problem(400) for a selector or a token that is none.

    A page goes on behind the last release of the one before, whatever came and went meanwhile.
    """
    wanted = [entry for entry in entries if _matches(entry.facts, query)]
    wanted = _selected(wanted, query.label_selector)
    key, down = _sorting(query.sort)
    wanted.sort(key=lambda entry: _place(entry.facts))
    wanted.sort(key=lambda entry: key(entry.facts), reverse=down)
    start = 0
    if query.continue_:
        start = _behind(wanted, _read_token(query), key, down=down)
    page = wanted[start : start + query.limit]
    more = start + query.limit < len(wanted)
    return Page(page, len(wanted), _token(page[-1].facts, key, query) if more else "")


def _sorting(sort: Sort) -> tuple[Callable[[JsonObject], Any], bool]:
    return _KEYS[sort.removeprefix("-")], sort.startswith("-")


def _place(facts: JsonObject) -> tuple[str, str, str]:
    return facts["namespace"], facts["name"], facts["cluster"]


def _matches(facts: JsonObject, query: Query) -> bool:
    if query.namespace and facts["namespace"] != query.namespace:
        return False
    if query.standing and facts["standing"] != query.standing:
        return False
    if query.chart and facts["chart"]["name"] != query.chart:
        return False
    if not query.search:
        return True
    word = query.search.casefold()
    texts = (facts["name"], facts["namespace"], facts["chart"]["name"], facts["message"])
    return any(word in text.casefold() for text in texts)


def _selected(entries: list[Entry], selector: str) -> list[Entry]:
    if not selector:
        return entries
    try:
        wanted = parse_selector(selector, "labelSelector")
    except InvalidSpec as error:
        raise bad(error.text) from error
    return [entry for entry in entries if wanted.takes(entry.facts["labels"])]


def _behind(
    entries: Sequence[Entry], last: Key, key: Callable[[JsonObject], Any], *, down: bool
) -> int:
    """Return the place of the first entry behind the last one of the page before."""
    value, *place = last

    def is_behind(facts: JsonObject) -> bool:
        own = key(facts)
        if own != value:
            return bool(own < value) if down else bool(own > value)
        return _place(facts) > tuple(place)

    return next((i for i, entry in enumerate(entries) if is_behind(entry.facts)), len(entries))


def _token(facts: JsonObject, key: Callable[[JsonObject], Any], query: Query) -> str:
    text = json.dumps([query.digest, key(facts), *_place(facts)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_token(query: Query) -> Key:
    token = query.continue_
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        digest, value, *place = json.loads(text)
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise bad("continue is no token of a list") from error
    number = query.sort.removeprefix("-") in ("standing", "revision")
    fits = isinstance(value, int if number else str) and not isinstance(value, bool)
    if not (fits and len(place) == PLACE and all(isinstance(one, str) for one in place)):
        raise bad("continue is no token of a list")
    if digest != query.digest:
        raise bad("continue is of a list with other filters or another order")
    return value, *place
