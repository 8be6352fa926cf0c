"""What a list says of each release: facts of its HelmRelease, no value and no manifest."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from whipstaff.release.revision import JsonObject

UNREADY_LIMIT = 5  # objects that a list tells of
TEXT_LIMIT = 500  # characters of a message in a list
LABELS_LIMIT = 50


class Standing(StrEnum):
    """Where a release stands, in one word; what needs people comes first."""

    FAILED = "failed"
    WAITING = "waiting-for-approval"
    PROGRESSING = "progressing"
    SUSPENDED = "suspended"
    DELETING = "deleting"
    READY = "ready"


def summary_of(body: JsonObject) -> JsonObject:
    """Return the facts of one HelmRelease, whatever is wrong with it."""
    metadata, spec, status = (_table(body.get(key)) for key in ("metadata", "spec", "status"))
    conditions = conditions_of(status)
    ready = conditions.get("Ready", {})
    release = _table(status.get("release"))
    chart = _table(spec.get("chart"))
    newest = _newest(status)
    namespace = _text(metadata, "namespace")
    return {
        "namespace": namespace,
        "name": _text(metadata, "name"),
        "uid": _text(metadata, "uid"),
        "createdAt": _text(metadata, "creationTimestamp"),
        "labels": _labels(metadata),
        "standing": str(_standing(metadata, spec, conditions)),
        "ready": _text(ready, "status") or "Unknown",
        "reason": _text(ready, "reason"),
        "message": _cut(_text(ready, "message")),
        "changedAt": _text(ready, "lastTransitionTime") or _text(metadata, "creationTimestamp"),
        "release": {
            "name": _text(release, "name") or _text(spec, "releaseName"),
            "namespace": _text(release, "namespace") or _text(spec, "targetNamespace") or namespace,
        },
        "chart": {
            "name": _text(newest, "chart") or _text(chart, "name"),
            "version": _text(status, "chartVersion") or _text(newest, "version"),
            "appVersion": _text(newest, "appVersion"),
            "wanted": _text(chart, "version"),
            "repository": _repository(chart, namespace),
        },
        "revision": _number(status, "revision"),
        "pinned": _number(spec, "revision") or None,
        "suspended": spec.get("suspend") is True,
        "drifted": _is(conditions, "Drifted"),
        "unready": unready_of(status)[:UNREADY_LIMIT],
        "plan": _plan(status),
    }


def unreadable(namespace: str, name: str, why: str) -> JsonObject:
    """Return what can be said of a HelmRelease that cannot be decoded."""
    found = summary_of({"metadata": {"namespace": namespace, "name": name}})
    return {**found, "standing": str(Standing.FAILED), "reason": "Unreadable", "message": _cut(why)}


def conditions_of(status: Mapping[str, Any]) -> dict[str, JsonObject]:
    """Return the conditions of a status by their types."""
    listed = status.get("conditions")
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return {str(one.get("type", "")): one for one in found}


def unready_of(status: Mapping[str, Any]) -> list[JsonObject]:
    """Return the objects that are not ready, each with its cause."""
    listed = status.get("unready")
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    keys = ("apiVersion", "kind", "namespace", "name", "cause")
    return [{key: _cut(_text(one, key)) for key in keys} for one in found]


def _standing(
    metadata: JsonObject, spec: JsonObject, conditions: Mapping[str, JsonObject]
) -> Standing:
    ready = _text(conditions.get("Ready", {}), "status")
    if metadata.get("deletionTimestamp"):
        return Standing.DELETING
    if spec.get("suspend") is True:
        return Standing.SUSPENDED
    if _is(conditions, "ApprovalRequired"):
        return Standing.WAITING
    if ready == "True":
        return Standing.READY
    if _is(conditions, "Reconciling") or ready != "False":
        return Standing.PROGRESSING
    return Standing.FAILED


def _is(conditions: Mapping[str, JsonObject], kind: str) -> bool:
    return _text(conditions.get(kind, {}), "status") == "True"


def _repository(chart: JsonObject, namespace: str) -> str:
    """Name the HelmRepository of a chart, or give its URL, without what may be a password."""
    reference = _table(chart.get("repositoryRef"))
    if name := _text(reference, "name"):
        return f"{_text(reference, 'namespace') or namespace}/{name}"
    scheme, between, rest = _text(chart, "repository").partition("://")
    place, slash, path = rest.partition("/")
    return _cut(scheme + between + place.rpartition("@")[2] + slash + path.partition("?")[0])


def _newest(status: JsonObject) -> JsonObject:
    """Return the entry of the revision that runs, or of the newest one."""
    listed = status.get("history")
    entries = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    runs = [one for one in entries if one.get("revision") == status.get("revision")]
    return (runs or entries or [{}])[0]


def _plan(status: JsonObject) -> JsonObject | None:
    plan = _table(status.get("plan"))
    keys = ("digest", "action", "chart", "version", "summary")
    return {key: _text(plan, key) for key in keys} if plan else None


def _labels(metadata: JsonObject) -> dict[str, str]:
    labels = sorted(_table(metadata.get("labels")).items())[:LABELS_LIMIT]
    return {key: value for key, value in labels if isinstance(value, str)}


def _table(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    return value if isinstance(value, str) else ""


def _number(table: Mapping[str, Any], key: str) -> int:
    value = table.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"
