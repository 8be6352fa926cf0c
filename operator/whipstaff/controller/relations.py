"""Has HelmReleases looked at again when something changes that they wait for.

Other HelmReleases tell by the watch that there is anyway; other objects are followed while someone
waits for them.
"""

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from whipstaff.controller.awaiting import Awaiting, Follow
from whipstaff.controller.entry import Key
from whipstaff.helmrelease.names import FINALIZER
from whipstaff.helmrelease.references import Kin, kin_of
from whipstaff.helmrelease.types import Head, HelmRelease
from whipstaff.planning.dependencies import why_helmrelease_not_ready
from whipstaff.reconcile.dependencies import watched_as
from whipstaff.reconcile.kinship import Kinship
from whipstaff.reconcile.ports import Identity, ObjectReference
from whipstaff.release.revision import JsonObject


@dataclass(slots=True)
class _Relation:
    """One HelmRelease among the others."""

    kin: Kin = field(default_factory=Kin)
    unready: str | None = None  # what it lacks for who depends on it; None: never judged
    leaving: bool = False  # its release is still to be uninstalled
    looking: bool = False  # a pass may have read what it depends on already


class Relations:
    """Who depends on whom, and who waits for it."""

    def __init__(
        self, kinship: Kinship, follow: Follow | None, look_again: Callable[[Key], None]
    ) -> None:
        """`look_again` has a pass made soon; `follow` is the Cluster port's, None: of nothing."""
        self._kinship = kinship
        self._look_again = look_again
        self._awaiting = Awaiting(follow, look_again) if follow else None
        self._known: dict[Key, _Relation] = {}
        self._held: set[Key] = set()  # whose last pass ended over the others

    def noted(self, head: Head, body: JsonObject) -> None:
        """Take note of a HelmRelease as it is now, its status included."""
        key, kin = (head.namespace, head.name), kin_of(body)
        leaving = head.deletion_requested and FINALIZER in head.finalizers
        relation = self._known.setdefault(key, _Relation())
        self._kinship.note(key, kin.names, leaving=leaving)
        if relation.kin != kin or relation.unready is None:
            self._tell(self._held)  # a cycle may have come or gone
        unready = why_helmrelease_not_ready(body)
        self._tell_dependents(key, as_before=relation.unready == unready)
        if relation.leaving and not leaving:
            self._tell(kin.names)
        relation.kin, relation.unready, relation.leaving = kin, unready, leaving

    def gone(self, key: Key) -> None:
        """Take note that a HelmRelease is no more."""
        relation = self._known.pop(key, None)
        if relation is None:
            return
        self._kinship.forget(key)
        self._held.discard(key)
        self._want(key, {})
        self._tell_dependents(key, as_before=False)
        self._tell(relation.kin.names)

    def pass_begins(self, key: Key) -> None:
        """What changes from now on may come too late for the pass."""
        if key in self._known:
            self._known[key].looking = True

    def pass_ended(self, release: HelmRelease, *, held: bool, refusals: int) -> None:
        """Take note of how a pass ended: `held` over others, or refused so often in a row."""
        key = (release.namespace, release.name)
        relation = self._known.get(key)
        if relation is None:
            return
        relation.looking = False
        if held:
            self._held.add(key)
        else:
            self._held.discard(key)
        self._kinship.refused(key, refusals)
        if refusals and relation.leaving:
            self._tell(relation.kin.names)  # which may wait for it no more
        self._want(key, self._others(release) if held else {})

    async def close(self) -> None:
        """Follow nothing any more."""
        if self._awaiting is not None:
            await self._awaiting.close()

    def _others(self, release: HelmRelease) -> dict[Identity, frozenset[ObjectReference]]:
        """Return what is waited for and does not tell by our own watch, by who may look at it."""
        found: dict[Identity, set[ObjectReference]] = defaultdict(set)
        for dependency in release.spec.depends_on:
            reference = dependency.reference
            known = self._kinship.knows((reference.namespace, reference.name))
            if not (dependency.is_helmrelease and known):
                found[watched_as(release, dependency)].add(reference)
        return {identity: frozenset(references) for identity, references in found.items()}

    def _want(self, key: Key, wanted: dict[Identity, frozenset[ObjectReference]]) -> None:
        if self._awaiting is not None:
            self._awaiting.want(key, wanted)

    def _tell_dependents(self, key: Key, *, as_before: bool) -> None:
        """Have looked again who waits for it; `as_before`: only who asks for more than Ready."""
        for dependent in self._kinship.dependents(key):
            relation = self._known.get(dependent)
            if relation is None or not (dependent in self._held or relation.looking):
                continue
            if relation.kin.judged or not as_before:
                self._look_again(dependent)

    def _tell(self, keys: Collection[Key]) -> None:
        for key in self._held.intersection(keys):
            self._look_again(key)
