"""Where live objects are not as the release that runs has them, and who made them so.

Judged is an object against what the server says it would become, were it applied again. Only
fields that the release owns count, and of these not what others are meant to set: autoscalers,
injectors of certificates, whatever a HelmRelease ignores.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whipstaff.helmrelease.drift_detection import OPT_OUTS, OPTED_OUT, IgnoreRule
from whipstaff.planning.changes import differences
from whipstaff.release.field_sets import holds, names_in, overlaid, part, union
from whipstaff.release.manifests import FIELD_MANAGER
from whipstaff.release.objects import ObjectReference
from whipstaff.release.revision import JsonObject

Path = tuple[str, ...]  # from the root of an object: names, places in lists, or EACH

EACH = "\x00"  # every item of a list: no pointer holds it
WHOLE: Path = ()
REPLICAS: Path = ("spec", "replicas")
_POD_SPECS: tuple[Path, ...] = (("spec", "template", "spec"), ("spec",))
RESOURCES: tuple[Path, ...] = tuple(
    (*pod, containers, EACH, "resources")
    for pod in _POD_SPECS
    for containers in ("containers", "initContainers")
)
_RULES: Path = ("rules",)
_CA_BUNDLES: Mapping[str, Path] = {
    "ValidatingWebhookConfiguration": ("webhooks", EACH, "clientConfig", "caBundle"),
    "MutatingWebhookConfiguration": ("webhooks", EACH, "clientConfig", "caBundle"),
    "APIService": ("spec", "caBundle"),
    "CustomResourceDefinition": ("spec", "conversion", "webhook", "clientConfig", "caBundle"),
}
_PEOPLE = "kubectl"  # begins the names of managers that inject nothing
_VERTICAL = "vpa-"  # begins the names of the VerticalPodAutoscaler's parts
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Drift:
    """One object that is not as the release has it."""

    reference: ObjectReference
    fields: tuple[str, ...] = ()  # their paths; none of an object that is missing
    managers: tuple[str, ...] = ()  # who set them, as far as managedFields tell
    missing: bool = False

    def __str__(self) -> str:
        if self.missing:
            return f"{self.reference} is missing"
        if not self.fields:  # nobody could look
            return str(self.reference)
        by = f" (by {', '.join(self.managers)})" if self.managers else ""
        return f"{self.reference}: {', '.join(self.fields)}{by}"


def drift_of(
    reference: ObjectReference, live: JsonObject, would_be: JsonObject, aside: Collection[Path]
) -> Drift | None:
    """Compare an object as it lives with what it would become; both with managedFields.

    `aside`: what does not count.
    """
    owned = union(_owned(live), _owned(would_be))
    before, after = without(live, aside), without(would_be, aside)
    fields = _changed(before, after, owned)
    if not fields:
        return None
    return Drift(reference, fields, _managers(before, after, fields))


def as_written(sent: JsonObject, live: JsonObject) -> JsonObject:
    """Return what is sent with the live values of all fields that are still ours.

    Nobody has set them since we did: where they are others than we sent, a webhook or policy made
    them so within our own write, and it may do that only to what is new.
    """
    for entry in _entries(live):
        fields = entry.get("fieldsV1")
        if fields and _is_ours(entry) and entry.get("apiVersion") == sent.get("apiVersion"):
            sent = overlaid(sent, live, fields)
    return sent


def exempt(reference: ObjectReference, body: JsonObject, live: JsonObject | None) -> bool:
    """Whether nobody is to look at an object, live or missing."""
    if any(_opted_out(each) for each in (body, live) if each is not None):
        return True
    if live is None:
        # A Job that goes by its own ttlSecondsAfterFinished is not to run again.
        ends_itself = "ttlSecondsAfterFinished" in (body.get("spec") or {})
        return reference.kind == "Job" and ends_itself
    return bool((live.get("metadata") or {}).get("deletionTimestamp"))


def ignored(
    rules: Sequence[IgnoreRule], reference: ObjectReference, body: JsonObject
) -> tuple[Path, ...]:
    """Return what a HelmRelease ignores of an object; WHOLE is all of it."""
    return tuple(path for rule in rules if _is_for(rule, reference, body) for path in rule.paths)


def left_to_others(live: JsonObject) -> tuple[Path, ...]:
    """Return what managers have taken over whose business it is, by the object's managedFields."""
    # A controller writes the rules of an aggregated role, whatever the chart gives.
    aggregated = live.get("kind") == "ClusterRole" and live.get("aggregationRule")
    found: list[Path] = [_RULES] if aggregated else []
    for entry in _others(live):
        manager, fields = _manager(entry), entry.get("fieldsV1") or {}
        if entry.get("subresource") == "scale" and holds(fields, REPLICAS):
            found.append(REPLICAS)
        if manager.startswith(_VERTICAL) and "resources" in names_in(fields):
            found.extend(RESOURCES)
        injected = _CA_BUNDLES.get(str(live.get("kind")))
        if injected and not manager.startswith(_PEOPLE) and "caBundle" in names_in(fields):
            found.append(injected)
    return tuple(dict.fromkeys(found))


def is_target_of(autoscaler: JsonObject, reference: ObjectReference) -> bool:
    """Whether an autoscaler, horizontal or vertical, is there for an object."""
    spec = autoscaler.get("spec") or {}
    target = spec.get("scaleTargetRef") or spec.get("targetRef") or {}
    group = str(target.get("apiVersion", "")).rpartition("/")[0]
    named = (group, target.get("kind"), target.get("name"))
    return named == (reference.group, reference.kind, reference.name)


def without(body: JsonObject, paths: Collection[Path]) -> JsonObject:
    """Return an object without what is at these paths."""
    for path in paths:
        body = _without(body, path) if path else {}
    return body


def as_live(sent: JsonObject, live: JsonObject, paths: Collection[Path]) -> JsonObject:
    """Return what is sent with the live values at these paths.

    Left out of what is sent, a field that nobody else owns would go away.
    """
    for path in paths:
        sent = _as_live(sent, live, path)
    return sent


def fingerprint(kind: str, metadata: Mapping[str, Any]) -> str:
    """Return a text that differs when what a release owns of an object may have changed.

    It is made of metadata alone: whoever sets a field that we own takes it from our entry of
    managedFields. Of a Secret any change counts, since what comes as stringData has no owner.
    """
    version = metadata.get("resourceVersion") if kind == "Secret" else None
    entries = [
        (entry.get("operation"), entry.get("time"), entry.get("fieldsV1"))
        for entry in metadata.get("managedFields") or ()
        if _manager(entry) == FIELD_MANAGER and not entry.get("subresource")
    ]
    marks = [
        (metadata.get(place) or {}).get(name)
        for place in ("annotations", "labels")
        for name in OPT_OUTS
    ]
    facts = (metadata.get("uid"), version, "deletionTimestamp" in metadata, marks, entries)
    return hashlib.sha256(repr(facts).encode("utf-8", "surrogatepass")).hexdigest()


def _changed(before: JsonObject, after: JsonObject, fields: Mapping[str, Any]) -> tuple[str, ...]:
    if not fields:
        return ()
    parts = part(before, fields), part(after, fields)
    return tuple(sorted(change.path for change in differences(*parts)))


def _owned(body: JsonObject) -> JsonObject:
    found: JsonObject = {}
    for entry in _entries(body):
        if _is_ours(entry):
            found = union(found, entry.get("fieldsV1") or {})
    # What comes as stringData is kept as data, and belongs to nobody.
    if body.get("kind") == "Secret" and "f:stringData" in found:
        found = {**found, "f:data": union(found.get("f:data") or {}, found["f:stringData"])}
    return found


def _managers(before: JsonObject, after: JsonObject, fields: Sequence[str]) -> tuple[str, ...]:
    found = set()
    for entry in _others(before):
        touched = _changed(before, after, entry.get("fieldsV1") or {})
        if any(_overlap(one, other) for one in touched for other in fields):
            found.add(_manager(entry))
    return tuple(sorted(found))


def _overlap(one: str, other: str) -> bool:
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    return longer.startswith(shorter) and longer[len(shorter) : len(shorter) + 1] in ("", ".", "[")


def _entries(body: JsonObject) -> Sequence[JsonObject]:
    return (body.get("metadata") or {}).get("managedFields") or ()


def _others(body: JsonObject) -> Iterator[JsonObject]:
    """Yield the entries of other managers, and of the subresources that they went by."""
    return (
        entry
        for entry in _entries(body)
        if _manager(entry) != FIELD_MANAGER or entry.get("subresource")
    )


def _is_ours(entry: JsonObject) -> bool:
    applied = entry.get("operation") == "Apply" and not entry.get("subresource")
    return applied and _manager(entry) == FIELD_MANAGER


def _manager(entry: Mapping[str, Any]) -> str:
    return str(entry.get("manager", ""))


def _opted_out(body: JsonObject) -> bool:
    metadata = body.get("metadata") or {}
    marks = (metadata.get(place) for place in ("annotations", "labels"))
    tables = [each for each in marks if isinstance(each, dict)]
    return any(each.get(name) == OPTED_OUT for each in tables for name in OPT_OUTS)


def _is_for(rule: IgnoreRule, reference: ObjectReference, body: JsonObject) -> bool:
    if not rule.target:
        return True
    # They bring RE2, which the main process does without as long as nobody names objects.
    from whipstaff.postrender.targets import Named, Target  # noqa: PLC0415

    version = reference.api_version.rpartition("/")[2]
    named = Named(reference.group, version, reference.kind, reference.name, reference.namespace)
    return Target.read(rule.target).matches(named, body)


def _without(value: Any, path: Path) -> Any:  # noqa: ANN401 - any JSON
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        if step not in value:
            return value
        if rest:
            return {**value, step: _without(value[step], rest)}
        return {key: inner for key, inner in value.items() if key != step}
    if isinstance(value, list):
        places = set(_places(value, step))
        if not rest:
            return [item for at, item in enumerate(value) if at not in places]
        return [_without(item, rest) if at in places else item for at, item in enumerate(value)]
    return value


def _as_live(sent: Any, live: Any, path: Path) -> Any:  # noqa: ANN401 - any JSON
    step, rest = path[0], path[1:]
    if isinstance(sent, dict):
        if step not in sent:
            return sent
        inner = live.get(step, _ABSENT) if isinstance(live, dict) else _ABSENT
        inner = _as_live(sent[step], inner, rest) if rest else inner
        others = {key: value for key, value in sent.items() if key != step}
        return others if inner is _ABSENT else {**others, step: inner}
    if isinstance(sent, list):
        items = list(sent)
        for at in _places(sent, step):
            inner = _counterpart(sent[at], live, at)
            items[at] = _as_live(sent[at], inner, rest) if rest else inner
        return [item for item in items if item is not _ABSENT]
    return sent


def _places(items: Sequence[Any], step: str) -> Sequence[int]:
    if step == EACH:
        return range(len(items))
    return (int(step),) if step.isdecimal() and int(step) < len(items) else ()


def _counterpart(item: Any, live: Any, place: int) -> Any:  # noqa: ANN401 - any JSON
    """Return the live item of the same name, or else at the same place."""
    items = live if isinstance(live, list) else []
    if isinstance(item, dict) and "name" in item:
        alike = (each for each in items if isinstance(each, dict))
        return next((each for each in alike if each.get("name") == item["name"]), _ABSENT)
    return items[place] if place < len(items) else _ABSENT
