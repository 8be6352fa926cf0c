"""Look at the objects of what runs, and put right what somebody else changed.

Nothing is rendered and no revision is made: what counts is the manifest of the revision that runs.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from whipstaff.errors import ClusterRefused, OperatorError
from whipstaff.helmrelease.drift_detection import DriftMode
from whipstaff.helmrelease.types import HelmRelease
from whipstaff.planning.drift import (
    REPLICAS,
    RESOURCES,
    WHOLE,
    Drift,
    Path,
    as_live,
    as_written,
    drift_of,
    exempt,
    ignored,
    is_target_of,
    left_to_others,
)
from whipstaff.planning.drift_notes import (
    CORRECTIONS_LIMIT,
    DriftFindings,
    Note,
    Standing,
    corrections_before,
    noted,
    remembered_notes,
)
from whipstaff.planning.observation import Observation
from whipstaff.reconcile.ports import HelmReleaseName, ObjectReference
from whipstaff.reconcile.sending import for_each, prepared_for_apply
from whipstaff.reconcile.world import Intent, Interrupted, World, identity_of
from whipstaff.release.manifests import owner_of
from whipstaff.release.revision import JsonObject, ReleaseStatus, Revision

CORRECT_DRIFT = "correct-drift"  # as logs call it

_NOT_FOUND = 404
_HORIZONTAL = ("autoscaling/v2", "HorizontalPodAutoscaler")
_VERTICAL = ("autoscaling.k8s.io/v1", "VerticalPodAutoscaler")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Found:
    """One object that is not as the release has it, and what would put it right."""

    place: int  # in the manifest
    drift: Drift
    aside: tuple[Path, ...] = ()  # stays as it lives


async def tend(world: World, intent: Intent, seen: Observation) -> DriftFindings | None:
    """Look for drift in what runs and put right what may be; None where nobody is to look."""
    release, deployed = seen.release, seen.deployed
    looks = release.spec.drift_detection.looks
    if not looks or deployed is None or deployed is not seen.newest:
        world.lookout.forget(_user(release))
        return None
    now = world.clock.seconds()
    same = release.status.get("revision") == deployed.number
    before = remembered_notes(release.status, now) if same else ()
    if seen.asked:  # somebody wants it put right once more
        before = tuple(note for note in before if not note.corrections)
    token = f"{deployed.number}/{release.generation}/{release.requested_at}"
    if not any(note.open for note in before) and world.lookout.unmoved(_user(release), token):
        return DriftFindings(before)
    try:
        key, identity = release.release_key, identity_of(release)
        revision = await world.store.read(key, deployed.number, identity)
        look = Look(world, intent, release, revision)
        notes = await look.run(token, before, now)
    except OperatorError as refusal:
        log.info("drift unknown", extra={"why": refusal.reason})
        return DriftFindings(before, unknown=refusal.text)
    for outcome, count in (("succeeded", look.corrected), ("refused", look.refused)):
        if count:
            world.meter.drift(outcome, count)
            facts = {"action": CORRECT_DRIFT, "outcome": outcome, "objects": count}
            log.info("action finished", extra=facts)
    return DriftFindings(notes)


class Look:
    """One look at the objects of one release."""

    def __init__(
        self, world: World, intent: Intent, release: HelmRelease, revision: Revision
    ) -> None:
        self._world = world
        self._intent = intent
        self._release = release
        self._revision = revision
        self._identity = identity_of(release)
        self._spec = release.spec.drift_detection
        self._references: dict[int, ObjectReference] = {}  # by place in the manifest
        self._live: dict[ObjectReference, JsonObject | None] = {}  # as it was seen last
        self._found: list[_Found] = []
        self._refused: list[Note] = []
        self.corrected = 0  # objects
        self.refused = 0  # corrections
        self._autoscalers: dict[tuple[str, str], Sequence[JsonObject]] = {}

    async def run(self, token: str, before: Sequence[Note], now: int) -> tuple[Note, ...]:
        """Return what is to be told; refusals that may go away by themselves are raised.

        `token`: what the objects are settled under with the Lookout. `before`: what is remembered.
        """
        user, lookout = _user(self._release), self._world.lookout
        await self._name_all()
        named = frozenset(self._references.values())
        moved = await lookout.heed(user, named, self._identity, token)
        if moved is not None:  # what drifted is looked at until it has not
            moved = {*moved, *(note.drift.reference for note in before if note.open)}
        places = (at for at, each in self._references.items() if moved is None or each in moved)
        await for_each(places, self._look)
        self._found.sort(key=lambda found: found.place)
        answers = await self._answer_all(before)
        drifted = {note.drift.reference for note in answers if note.open}
        lookout.settle(user, token, self._live, drifted)
        return noted(before, (*answers, *self._refused), now)

    async def _name_all(self) -> None:
        """Name the objects of the manifest; one whose kind nobody serves any more is refused."""
        named: dict[ObjectReference, int] = {}
        for place, body in enumerate(self._revision.objects):
            namespace = self._revision.namespace
            try:
                reference = await self._world.cluster.refer(body, namespace, self._identity)
            except ClusterRefused as refused:
                if refused.code != _NOT_FOUND:
                    raise
                self._refuse(Drift(_named(body, namespace), missing=True), refused)
            else:
                named[reference] = place
        # Of an object that the manifest has twice the last one runs.
        self._references = {place: reference for reference, place in named.items()}

    async def _look(self, place: int) -> None:
        reference, body = self._references[place], self._revision.objects[place]
        try:
            live = await self._read(reference)
            if exempt(reference, body, live):
                return
            aside = ignored(self._spec.ignore, reference, live or body)
            if WHOLE in aside:
                return
            if live is None:
                self._found.append(_Found(place, Drift(reference, missing=True)))
            elif not self._is_anothers(live):
                await self._compare(place, live, (*aside, *left_to_others(live)))
        except ClusterRefused as refused:
            if refused.retryable:
                raise
            self._refuse(Drift(reference), refused)

    async def _read(self, reference: ObjectReference) -> JsonObject | None:
        live = await self._world.cluster.read(reference, self._identity, owners=True)
        self._live[reference] = live
        return live

    def _is_anothers(self, live: JsonObject) -> bool:
        """Whether another release took the object over: that is for people to settle."""
        owner = owner_of(live)
        return owner is not None and owner != (self._revision.name, self._revision.namespace)

    async def _compare(self, place: int, live: JsonObject, aside: tuple[Path, ...]) -> None:
        reference = self._references[place]
        # What is left to others may be nothing that can be put back, as the size of a claim.
        sent = as_live(as_written(self._sent(place), live), live, aside)
        would_be = await self._world.cluster.apply(
            reference, sent, self._identity, dry_run=True, strict=False, owners=True
        )
        drift = drift_of(reference, live, would_be, aside)
        more = await self._autoscaled(reference, drift) if drift else ()
        if more:
            aside = (*aside, *more)
            drift = drift_of(reference, live, would_be, aside)
        if drift:
            self._found.append(_Found(place, drift, aside))

    async def _autoscaled(self, reference: ObjectReference, drift: Drift) -> tuple[Path, ...]:
        """Return what an autoscaler that is there for an object may set in it."""
        found: list[Path] = []
        if ".".join(REPLICAS) in drift.fields and await self._has(_HORIZONTAL, reference):
            found.append(REPLICAS)
        about_resources = any(".resources" in field for field in drift.fields)
        if about_resources and await self._has(_VERTICAL, reference):
            found.extend(RESOURCES)
        return tuple(found)

    async def _has(self, kind: tuple[str, str], reference: ObjectReference) -> bool:
        key = (kind[1], reference.namespace)
        if key not in self._autoscalers:
            asked = (*kind, reference.namespace, "", self._identity)
            try:
                answer = await self._world.cluster.lookup(*asked)
            except ClusterRefused as refused:
                if refused.retryable:
                    raise
                answer = {}  # no such kind, or nobody's business
            self._autoscalers[key] = answer.get("items") or ()
        return any(is_target_of(each, reference) for each in self._autoscalers[key])

    async def _answer_all(self, before: Sequence[Note]) -> list[Note]:
        """Put right what may be, kind by kind in the order of the manifest."""
        answers: list[Note] = []
        if self._found:
            await self._check_that_it_runs()

        async def answer(found: _Found) -> None:
            answers.append(await self._answer(found, corrections_before(before, found.drift)))

        for _, group in groupby(self._found, key=self._kind):
            await for_each(group, answer)
        return answers

    async def _check_that_it_runs(self) -> None:
        """Raise Interrupted if somebody else began to change the release meanwhile."""
        headers = await self._world.store.history(self._release.release_key, self._identity)
        newest = (headers[0].number, headers[0].status) if headers else None
        if newest != (self._revision.number, ReleaseStatus.DEPLOYED):
            raise Interrupted

    def _kind(self, found: _Found) -> str:
        return found.drift.reference.kind

    async def _answer(self, found: _Found, corrections: int) -> Note:
        if self._spec.mode is not DriftMode.ENABLED:
            return Note(found.drift, Standing.FOUND)
        if corrections >= CORRECTIONS_LIMIT:
            return Note(found.drift, Standing.RECURS, corrections)
        self._intent.check()
        try:
            await self._correct(found)
        except ClusterRefused as refused:
            if refused.retryable:
                raise
            self.refused += 1
            return Note(found.drift, Standing.REFUSED, corrections, why=refused.text)
        self.corrected += 1
        return Note(found.drift, Standing.CORRECTED, corrections + 1)

    async def _correct(self, found: _Found) -> None:
        reference = self._references[found.place]
        live = self._live[reference] or {}
        sent = as_live(as_written(self._sent(found.place), live), live, found.aside)
        self._live[reference] = await self._world.cluster.apply(
            reference, sent, self._identity, strict=False, owners=True
        )

    def _sent(self, place: int) -> JsonObject:
        body, reference = self._revision.objects[place], self._references[place]
        return prepared_for_apply(self._revision, body, reference)

    def _refuse(self, drift: Drift, refused: ClusterRefused) -> None:
        self._refused.append(Note(drift, Standing.REFUSED, why=refused.text))


def _user(release: HelmRelease) -> HelmReleaseName:
    return release.namespace, release.name


def _named(body: JsonObject, namespace: str) -> ObjectReference:
    """Name an object whose kind nobody serves as well as its text allows."""
    metadata = body.get("metadata") or {}
    return ObjectReference(
        str(body.get("apiVersion", "")),
        str(body.get("kind", "")),
        str(metadata.get("namespace") or namespace),
        str(metadata.get("name") or ""),
    )
