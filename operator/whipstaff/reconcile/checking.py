"""Ask the server about every object of a revision before the first one is written.

What comes with crds/ or into a namespace that is created first cannot be asked about yet: it is
asked about as soon as those are there, still before the revision is stored. What depends on the
release's own manifest (a definition or Namespace among its templates) is never asked about.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from whipstaff.errors import ClusterRefused, ManifestInvalid
from whipstaff.planning.steps import Change, events_of
from whipstaff.reconcile.adopting import conflict, refuse_what_flux_tends, whose
from whipstaff.reconcile.ports import Cluster, Identity, ObjectReference
from whipstaff.reconcile.preview import Preview, named
from whipstaff.reconcile.recreating import Refusal, recreation_of, try_anew
from whipstaff.reconcile.sending import for_each, placed, prepared_for_apply
from whipstaff.release.manifests import ownership_refusal, stamp
from whipstaff.release.objects import kinds_defined_by, namespaces_created_by
from whipstaff.release.revision import Hook, JsonObject, Revision

_T = TypeVar("_T")
_NOT_FOUND, _FORBIDDEN, _CONFLICT = 404, 403, 409
# With these a request is about one state of one object.
_OF_ONE_OBJECT = frozenset({"resourceVersion", "uid"})
# Of Pods and bindings: admission looks up what they name, and an earlier object of the same
# release may bring it.
_LOOKED_UP = frozenset({"ServiceAccount", "PriorityClass", "RuntimeClass", "Role", "ClusterRole"})
_ADVICE = "\nensure CRDs are installed first"
_MISSING = re.compile(
    r'(?:serviceaccount|RuntimeClass|[a-z]*role[a-z]*\.rbac\.authorization\.k8s\.io) "([^"]+)"'
    r" not found|no PriorityClass with name (\S+) was found"
)


@dataclass(frozen=True, slots=True)
class _Coming:
    """What is not there yet and will be."""

    kinds: frozenset[tuple[str, str]] = frozenset()
    namespaces: frozenset[str] = frozenset()

    def brings_kind_of(self, body: JsonObject) -> bool:
        return _group_and_kind(body) in self.kinds


class Check:
    """The questions about one change, as its release's identity."""

    def __init__(
        self, cluster: Cluster, identity: Identity, change: Change, preview: Preview | None = None
    ) -> None:
        """`preview` is told what each object would become."""
        self._cluster = cluster
        self._preview = preview
        self._identity = identity
        self._change = change
        self._revision = change.revision
        self._brought = _brought(change.revision)
        self._own = _Coming()  # with the manifest itself
        self._first = _Coming()  # before the revision is stored
        self._owned: frozenset[tuple[str, str, str, str]] = frozenset()
        self._unasked: list[JsonObject] = []
        self._found: set[ObjectReference] = set()  # there before, and of no earlier revision
        self._foreign: dict[ObjectReference, JsonObject] = {}  # objects of others, as they live

    async def ask(self) -> Change:
        """Return the change with what could not be asked about yet; raises what is refused."""
        change, objects = self._change, self._revision.objects
        self._own = _Coming(kinds_defined_by(objects), await self._missing_namespaces(objects))
        self._first = _Coming(kinds_defined_by(change.crds), frozenset(change.namespaces))
        await self._refuse_unknown_kinds()
        self._owned = await self._owned_before()
        await _ask_all(objects, self._ask_about)
        await self._judge_foreign()
        if not change.options.disable_hooks:
            await _ask_all(_hooks_of(change), self._ask_about_hook)
        return replace(
            change,
            unasked=tuple(self._unasked),
            found=frozenset(self._found),
            taken=(*change.taken, *self._owners()),
        )

    async def _missing_namespaces(self, objects: Sequence[JsonObject]) -> frozenset[str]:
        names = sorted(namespaces_created_by(objects))
        there = [await namespace_exists(self._cluster, name, self._identity) for name in names]
        return frozenset(name for name, exists in zip(names, there, strict=True) if not exists)

    async def _refuse_unknown_kinds(self) -> None:
        """Name all objects of kinds that nobody serves, in Helm's words."""
        unknown = []
        for body in self._revision.objects:
            try:
                await self._refer(body)
            except ClusterRefused as refused:
                if refused.code != _NOT_FOUND:
                    raise
                unknown.append(f"{_unmapped(body)}: {refused.text}{_ADVICE}")
        if unknown:
            texts = list(dict.fromkeys(unknown))
            which = "" if self._change.kind == "install" else "new "
            text = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
            raise ClusterRefused(
                f"unable to build kubernetes objects from {which}release manifest: {text}",
                _NOT_FOUND,
                "NoMatchForKind",
            )

    async def _owned_before(self) -> frozenset[tuple[str, str, str, str]]:
        """Name what earlier revisions brought: those objects need no check of their owner."""
        found = set()
        for body in (body for old in self._change.earlier for body in old.objects):
            try:
                reference = await self._name(body)
            except ClusterRefused as refused:
                if refused.code != _NOT_FOUND:
                    raise
                continue  # the kind is gone, and the object with it
            found.add(reference.same_in_any_version)
        return frozenset(found)

    async def _ask_about(self, body: JsonObject) -> None:
        reference = await self._askable(body, stamped=True)
        if reference is None:
            if self._preview is not None:
                self._preview.comes(named(body, self._revision.namespace))
            return
        if reference.same_in_any_version not in self._owned:
            await self._look_for_owner(reference)
            if reference in self._foreign and not self._change.options.take_ownership:
                return
        sent = prepared_for_apply(self._revision, body, reference)
        try:
            would_be = await self._dry_run(reference, sent)
        except ClusterRefused as refused:
            await self._ask_about_recreation(Refusal(reference, sent, refused))
            return
        if self._preview is not None:
            await self._preview.saw(reference, would_be)

    async def _ask_about_recreation(self, refusal: Refusal) -> None:
        """Find out whether what cannot be changed may be made anew; raises if not."""
        asked = (self._cluster, self._identity)
        options = self._change.options
        recreation = await recreation_of(*asked, self._revision, options.immutable, refusal)
        await try_anew(*asked, recreation, strict=not options.lenient)
        if self._preview is not None:
            self._preview.recreates(refusal.reference, recreation.live, refusal.sent)

    async def _ask_about_hook(self, hook: Hook) -> None:
        """Ask about a hook that is not there yet; one that is gets deleted first."""
        reference = await self._askable(hook.body, stamped=False)
        if reference is None:
            return
        if await self._cluster.read(reference, self._identity) is None:
            await self._dry_run(reference, placed(hook.body, reference))

    async def _askable(self, body: JsonObject, *, stamped: bool) -> ObjectReference | None:
        """Name an object that can be asked about now; remember one that can be later."""
        reference, own, first = await self._refer(body), self._own, self._first
        place = reference.namespace if reference else ""
        if place in own.namespaces or (reference is None and own.brings_kind_of(body)):
            return None
        if reference is None or place in first.namespaces:
            name, namespace = self._revision.name, self._revision.namespace
            self._unasked.append(stamp(body, name, namespace) if stamped else body)
            return None
        return reference

    async def _look_for_owner(self, reference: ObjectReference) -> None:
        """Remember an object that is there and someone else's, or nobody's."""
        live = await self._cluster.read(reference, self._identity)
        if live is None:
            return
        self._found.add(reference)
        if self._refusal(reference, live):
            self._foreign[reference] = live

    async def _judge_foreign(self) -> None:
        """Refuse objects of others by name, all at once, unless they may be taken over."""
        if not self._foreign:
            return
        if not self._change.options.take_ownership:
            first = min(self._foreign)
            refusal = self._refusal(first, self._foreign[first])
            raise conflict(self._change.kind, self._owners(), refusal, str(first))
        await refuse_what_flux_tends(self._cluster, self._identity, self._foreign.values())

    def _refusal(self, reference: ObjectReference, live: JsonObject) -> str:
        name, namespace = self._revision.name, self._revision.namespace
        return ownership_refusal(live, reference.namespace, name, namespace)

    def _owners(self) -> list[str]:
        return sorted(whose(live, reference) for reference, live in self._foreign.items())

    async def _dry_run(self, reference: ObjectReference, sent: JsonObject) -> JsonObject | None:
        strict, brought = not self._change.options.lenient, self._brought
        return await _dry_run(
            self._cluster, self._identity, reference, sent, brought, strict=strict
        )

    async def _refer(self, body: JsonObject) -> ObjectReference | None:
        """Name an object, None while its kind is on its way."""
        try:
            return await self._name(body)
        except ClusterRefused as refused:
            coming = self._own.brings_kind_of(body) or self._first.brings_kind_of(body)
            if refused.code == _NOT_FOUND and coming:
                return None
            raise

    async def _name(self, body: JsonObject) -> ObjectReference:
        return await self._cluster.refer(body, self._revision.namespace, self._identity)


async def ask_again(
    cluster: Cluster,
    identity: Identity,
    revision: Revision,
    bodies: Sequence[JsonObject],
    *,
    strict: bool,
) -> None:
    """Ask about what could not be asked about before its kind or namespace was there.

    There is nobody to take it from: kind or namespace came a moment ago.
    """
    # A controller makes the account of a new namespace in its own time.
    brought = _brought(revision) | {"default"}

    async def ask(body: JsonObject) -> None:
        reference = await cluster.refer(body, revision.namespace, identity)
        sent = placed(body, reference)
        await _dry_run(cluster, identity, reference, sent, brought, strict=strict)

    await _ask_all(bodies, ask)


async def namespace_exists(cluster: Cluster, name: str, identity: Identity) -> bool:
    """Say whether a namespace is there, as far as the identity may know."""
    reference = ObjectReference("v1", "Namespace", "", name)
    try:
        return await cluster.read(reference, identity) is not None
    except ClusterRefused as refused:
        if refused.code != _FORBIDDEN:
            raise
        return True  # a tenant need not see namespaces; the dry run finds out


async def _ask_all(items: Sequence[_T], ask: Callable[[_T], Awaitable[None]]) -> None:
    """Ask about each item and raise all refusals in one, so that they can be mended together."""
    refusals: dict[int, ClusterRefused] = {}

    async def note(position: int) -> None:
        try:
            await ask(items[position])
        except ClusterRefused as refused:
            if refused.retryable:
                raise
            refusals[position] = refused

    await for_each(range(len(items)), note)
    if refusals:
        first = refusals[min(refusals)]
        texts = dict.fromkeys(refusals[position].text for position in sorted(refusals))
        raise replace(first, text="; ".join(texts)) if len(texts) > 1 else first


async def _dry_run(
    cluster: Cluster,
    identity: Identity,
    reference: ObjectReference,
    sent: JsonObject,
    brought: frozenset[str],
    *,
    strict: bool,
) -> JsonObject | None:
    """Return what the object would become; None if it waits for what the release brings."""
    try:
        return await cluster.apply(reference, sent, identity, dry_run=True, strict=strict)
    except ClusterRefused as refused:
        fixed = _OF_ONE_OBJECT & set(sent["metadata"])
        if refused.code == _CONFLICT and fixed:
            # Whoever writes such an object meets no other answer, however often it is asked.
            fields = " and ".join(f"metadata.{field}" for field in sorted(fixed))
            raise ManifestInvalid(f"{refused.text}: the chart sets {fields} itself") from refused
        missing = _MISSING.search(refused.text)
        if refused.code not in (_NOT_FOUND, _FORBIDDEN) or missing is None:
            raise
        if (missing[1] or missing[2]) not in brought:
            raise
        return None


def _brought(revision: Revision) -> frozenset[str]:
    bodies: Iterable[JsonObject] = (*revision.objects, *(hook.body for hook in revision.hooks))
    chosen = (body for body in bodies if body.get("kind") in _LOOKED_UP)
    return frozenset((body.get("metadata") or {}).get("name") or "" for body in chosen)


def _hooks_of(change: Change) -> tuple[Hook, ...]:
    """Return the hooks that the change will run."""
    events = events_of(change.kind)
    return tuple(hook for hook in change.revision.hooks if set(events) & set(hook.events))


def _group_and_kind(body: JsonObject) -> tuple[str, str]:
    return str(body.get("apiVersion", "")).rpartition("/")[0], str(body.get("kind", ""))


def _unmapped(body: JsonObject) -> str:
    metadata = body.get("metadata") or {}
    name, namespace = metadata.get("name") or "", metadata.get("namespace") or ""
    return f'resource mapping not found for name: "{name}" namespace: "{namespace}" from ""'
