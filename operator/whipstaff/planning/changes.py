"""What a change would do to the objects of a release, field by field, as people read it.

Nothing of a Secret's data is ever in it: of a masked value only a digest is kept, so that two plans
differ when it does.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from whipstaff.planning.causes import SECRET_LENGTH
from whipstaff.release.objects import ObjectReference
from whipstaff.release.revision import JsonObject, RevisionNumber

VALUE_LIMIT = 160  # characters of a value that a plan repeats
FIELDS_LIMIT = 200  # that are told of one object
MASKED = "(masked)"
ADOPT = "adopt"  # the action of a plan under which nothing changes but whose the release is

# What the API server sets itself: it differs with every write, and nobody asked for it.
_OF_THE_SERVER = frozenset(
    {"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"}
)
# What tells the items of a list apart, as Kubernetes' own lists are merged.
_MERGE_KEYS = ("name", "key", "containerPort", "port", "mountPath", "ip", "type", "topologyKey")
_ABSENT = object()


class Effect(StrEnum):
    """What happens to an object."""

    CREATE = "create"
    CHANGE = "change"
    RECREATE = "recreate"
    DELETE = "delete"


_SIGNS = {Effect.CREATE: "+", Effect.CHANGE: "~", Effect.RECREATE: "!", Effect.DELETE: "-"}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field with its value before and after, as JSON; an empty text where there is none."""

    path: str
    before: str
    after: str
    after_digest: str  # of the value as it is, masked or not

    def __str__(self) -> str:
        if not self.before:
            return f"{self.path}: {self.after} (new)"
        if not self.after:
            return f"{self.path}: {self.before} (goes away)"
        return f"{self.path}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """What happens to one object."""

    effect: Effect
    reference: ObjectReference
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Definition:
    """A CustomResourceDefinition of crds/, which is no part of the manifest."""

    name: str
    digest: str  # of its text

    @classmethod
    def of(cls, body: JsonObject) -> "Definition":
        """Name one by what it is."""
        name = str((body.get("metadata") or {}).get("name", ""))
        return cls(name, hashlib.sha256(_canonical(body).encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class ReleasePlan:
    """All that a revision would do before it does anything."""

    action: str  # install, upgrade or adopt
    revision: RevisionNumber
    chart: str
    version: str
    inputs: str  # digest of what it is rendered from
    manifest: str  # digest of what was rendered
    changes: tuple[ObjectChange, ...] = ()
    namespaces: tuple[str, ...] = ()  # that are created first
    definitions: tuple[Definition, ...] = ()  # of crds/, that are applied first
    hooks: tuple[str, ...] = ()  # "event Kind namespace/name"
    guarded: tuple[ObjectReference, ...] = ()  # that no revision has any more, and that stay
    taken: tuple[str, ...] = ()  # what becomes the release's, and whose it is, in order

    @property
    def digest(self) -> str:
        """What an approval names: "sha256:…" of what would happen.

        What a field held before is no part of it: an autoscaler may move that meanwhile. The
        number is, so that what was approved of once is not done a second time.
        """
        facts = [
            self.action,
            self.revision,
            self.chart,
            self.version,
            self.manifest,
            [
                [one.effect, *_identity(one), [[f.path, f.after_digest] for f in one.fields]]
                for one in self.changes
            ],
            self.namespaces,
            [[one.name, one.digest] for one in self.definitions],
            self.hooks,
            *([self.taken] if self.taken else []),
        ]
        return "sha256:" + hashlib.sha256(_canonical(facts).encode()).hexdigest()

    @property
    def destructive(self) -> bool:
        """Whether an object would be deleted or recreated."""
        return any(one.effect in (Effect.DELETE, Effect.RECREATE) for one in self.changes)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many objects have each effect, what is taken over, and how many hooks would run."""
        found = {str(effect): 0 for effect in Effect}
        for one in self.changes:
            found[str(one.effect)] += 1
        return {**found, "takeOver": len(self.taken), "hooks": len(self.hooks)}

    @property
    def summary(self) -> str:
        """The counts as a sentence."""
        counts = self.counts
        parts = [f"{counts[effect]} to {effect}" for effect in Effect if counts[effect]]
        if self.taken:
            parts.append(f"{len(self.taken)} to take over")
        if self.hooks:
            parts.append(f"{len(self.hooks)} {'hook' if len(self.hooks) == 1 else 'hooks'} to run")
        return ", ".join(parts) or "nothing to change in the cluster"

    @property
    def _aim(self) -> str:
        if self.action == ADOPT:
            return f"adopt revision {self.revision} as it is"
        return f"{self.action} to revision {self.revision}"

    def lines(self) -> Iterator[str]:
        """Yield the whole plan as lines of text; their first character is the effect's sign."""
        yield f"  {self._aim}: {self.chart} {self.version}"
        for name in self.namespaces:
            yield f"+ create Namespace {name}"
        for definition in self.definitions:
            yield f"+ install CustomResourceDefinition {definition.name}"
        for what in self.taken:
            yield f"> take over {what}"
        yield from object_lines(self.changes)
        for reference in self.guarded:
            yield f"  leave {reference}: spec.upgrade.pruneAlso does not name its kind"
        for hook in self.hooks:
            yield f"* run {hook}"
        yield f"  {self.summary}"


def object_lines(changes: Iterable[ObjectChange]) -> Iterator[str]:
    """Yield what happens to objects as lines of text; their first character is its sign."""
    for one in changes:
        yield f"{_SIGNS[one.effect]} {one.effect} {one.reference} ({one.reference.api_version})"
        for field in one.fields[:FIELDS_LIMIT]:
            yield f"      {field}"
        more = len(one.fields) - FIELDS_LIMIT
        if more > 0:
            yield f"      … and {more} more fields"


def overlaid(before: JsonObject, sent: JsonObject) -> JsonObject:
    """Return what an object would be with all that is sent in it; neither is changed."""
    result = dict(before)
    for key, value in sent.items():
        result[key] = _overlaid(before.get(key), value)
    return result


def _overlaid(before: Any, sent: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(before, dict) and isinstance(sent, dict):
        return overlaid(before, sent)
    if isinstance(before, list) and isinstance(sent, list):
        key = _merge_key(before, sent)
        if key is None:
            olds: Mapping[Any, Any] = dict(enumerate(before))
            return [_overlaid(olds.get(place), item) for place, item in enumerate(sent)]
        olds = {item[key]: item for item in before}
        return [_overlaid(olds.get(item[key]), item) for item in sent]
    return sent


class Mask:
    """Texts that nobody is told of: a value that holds one in some form is left out."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Of a text of several lines, each line is one of them, too."""
        texts = {part for text in secrets for part in (text.strip(), *text.split("\n"))}
        long = {text.strip() for text in texts if len(text.strip()) >= SECRET_LENGTH}
        self._forms = frozenset(form for text in long for form in _forms(text))

    def hides(self, text: str) -> bool:
        """Whether a text, or JSON, holds one of them."""
        return any(form in text for form in self._forms)


def _forms(secret: str) -> Iterator[str]:
    """Yield a text as templates write it: plainly, quoted once or twice, encoded."""
    quoted = json.dumps(secret, ensure_ascii=False)[1:-1]
    yield from (secret, quoted, json.dumps(quoted, ensure_ascii=False)[1:-1])
    yield base64.b64encode(secret.encode("utf-8", "replace")).decode("ascii")
    yield quote(secret, safe="", errors="replace")


_NO_MASK = Mask()


def differences(
    before: JsonObject, after: JsonObject, mask: Mask = _NO_MASK
) -> tuple[FieldChange, ...]:
    """Compare an object as it lives with what it would become."""
    secret = after.get("kind") == "Secret"
    pairs = _compare("", _told(before), _told(after))
    return tuple(_change(path, *pair, mask, secret=secret) for path, pair in pairs)


def _told(body: JsonObject) -> JsonObject:
    """Drop what nobody asked for."""
    kept = {key: value for key, value in body.items() if key != "status"}
    metadata = body.get("metadata")
    if isinstance(metadata, dict):
        kept["metadata"] = {k: v for k, v in metadata.items() if k not in _OF_THE_SERVER}
    return kept


_Pair = tuple[Any, Any]


def _compare(path: str, before: Any, after: Any) -> Iterator[tuple[str, _Pair]]:  # noqa: ANN401 - any JSON
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*after, *(key for key in before if key not in after)]:
            inner = before.get(key, _ABSENT), after.get(key, _ABSENT)
            yield from _compare(f"{path}{_member(key, first=not path)}", *inner)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _compare_lists(path, before, after)
    elif before is _ABSENT or after is _ABSENT or _canonical(before) != _canonical(after):
        yield path, (before, after)


def _compare_lists(
    path: str, before: Sequence[Any], after: Sequence[Any]
) -> Iterator[tuple[str, _Pair]]:
    key = _merge_key(before, after)
    if key is None:
        for place in range(max(len(before), len(after))):
            old = before[place] if place < len(before) else _ABSENT
            new = after[place] if place < len(after) else _ABSENT
            yield from _compare(f"{path}[{place}]", old, new)
        return
    olds, news = {item[key]: item for item in before}, {item[key]: item for item in after}
    for name in [*news, *(name for name in olds if name not in news)]:
        pair = olds.get(name, _ABSENT), news.get(name, _ABSENT)
        yield from _compare(f"{path}[{key}={name}]", *pair)


def _merge_key(before: Sequence[Any], after: Sequence[Any]) -> str | None:
    everything = [*before, *after]
    if not everything or not all(isinstance(item, dict) for item in everything):
        return None
    for key in _MERGE_KEYS:
        if all(isinstance(item.get(key), str | int) for item in everything):
            apart = (len({item[key] for item in side}) == len(side) for side in (before, after))
            return key if all(apart) else None
    return None


def _member(key: str, *, first: bool) -> str:
    if not key or not key.replace("-", "").replace("_", "").isalnum():
        return f"[{json.dumps(key)}]"
    return key if first else f".{key}"


def _change(path: str, before: Any, after: Any, mask: Mask, *, secret: bool) -> FieldChange:  # noqa: ANN401 - any JSON
    """Tell of a field, without what is secret; `secret`: it is one of a Secret."""
    hidden = secret and path.startswith(("data", "stringData"))
    digest = "" if after is _ABSENT else hashlib.sha256(_canonical(after).encode()).hexdigest()
    shown = [
        "" if value is _ABSENT else MASKED if hidden else _shown(value, mask)
        for value in (before, after)
    ]
    return FieldChange(MASKED if mask.hides(path) else path, shown[0], shown[1], digest)


def _shown(value: Any, mask: Mask) -> str:  # noqa: ANN401 - any JSON
    text = _canonical(value)
    if mask.hides(text):
        return MASKED
    return text if len(text) <= VALUE_LIMIT else text[: VALUE_LIMIT - 1] + "…"


def _identity(one: ObjectChange) -> tuple[str, str, str, str]:
    reference = one.reference
    return reference.api_version, reference.kind, reference.namespace, reference.name


def _canonical(value: Any) -> str:  # noqa: ANN401 - any JSON
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
