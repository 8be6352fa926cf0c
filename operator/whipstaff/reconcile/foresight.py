"""What a pass would do to a release, and how two of its revisions differ; nothing is written.

It is asked as whoever asks, with dry runs as a plan is made, and needs no operator.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from whipstaff.errors import ClusterRefused, InvalidSpec, OperatorError
from whipstaff.helmrelease.placements import former_placement
from whipstaff.helmrelease.types import Approval, HelmRelease
from whipstaff.planning.changes import Effect, Mask, ObjectChange, ReleasePlan, differences
from whipstaff.planning.decision import Action, towards_spec
from whipstaff.planning.observation import Observation
from whipstaff.planning.state import Sync, classify
from whipstaff.reconcile.inquiry import secrets_of
from whipstaff.reconcile.observe import observe
from whipstaff.reconcile.ports import ObjectReference
from whipstaff.reconcile.prepare import Preparation
from whipstaff.reconcile.preview import named
from whipstaff.reconcile.values import final_values
from whipstaff.reconcile.world import Settled, World, identity_of
from whipstaff.release.revision import JsonObject, Revision, RevisionNumber


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would be done to get from what runs to what the spec wants."""

    plan: ReleasePlan | None  # None: what runs is what is wanted
    notes: tuple[str, ...] = ()  # what keeps it from being done, or is left out


async def foresee(world: World, release: HelmRelease) -> Foreseen:
    """Plan for a HelmRelease, whatever holds it back; raises what a pass would be refused with."""
    wanted, notes = _freed(release)
    seen, chart = await observe(world, Settled(wanted), wanted, world.clock.monotonic())
    if classify(seen).sync is Sync.IN_SYNC and wanted.spec.revision is not None:
        notes.append(f"revision {wanted.spec.revision} is pinned: below is what comes without pin")
        seen = _unpinned(seen)
    elif classify(seen).sync is Sync.IN_SYNC and not isinstance(seen.inputs, OperatorError):
        return Foreseen(None, tuple(notes))
    decision = towards_spec(seen)
    preparation = Preparation(world, seen, decision, planned=True)
    if decision.action is Action.ROLLBACK:
        return Foreseen((await preparation.rollback()).plan, tuple(notes))
    if isinstance(chart, OperatorError):
        raise chart
    # What renders to what runs has a plan only where it was made outside and is adopted.
    return Foreseen((await preparation.release(chart)).plan, tuple(notes))


async def compare(
    world: World, release: HelmRelease, first: RevisionNumber, second: RevisionNumber
) -> tuple[Revision, Revision, tuple[ObjectChange, ...]]:
    """Return two stored revisions, and what differs between their objects and hooks."""
    key, identity = release.release_key, identity_of(release)
    pair = (
        await world.store.read(key, first, identity),
        await world.store.read(key, second, identity),
    )
    mask = Mask(chain(await _secrets(world, release), *map(secrets_of, pair)))
    before, after = [await _by_name(world, release, revision) for revision in pair]
    return (*pair, tuple(_differing(before, after, mask)))


def running(release: HelmRelease) -> RevisionNumber:
    """Return the revision that runs, as status tells of it; InvalidSpec if none does."""
    number = release.status.get("revision")
    if not isinstance(number, int) or not number:
        raise InvalidSpec("no revision runs that another one could be compared with", "--revision")
    return RevisionNumber(number)


def _freed(release: HelmRelease) -> tuple[HelmRelease, list[str]]:
    """Return the release with nothing in its spec that keeps a pass from acting."""
    spec, notes = release.spec, []
    if spec.suspend:
        notes.append("spec.suspend: nothing of this is done until it is taken away")
    if former_placement(release) is not None and release.status.get("revision"):
        notes.append("the release moves to its new name or namespace first; that is not shown")
    free = replace(spec, suspend=False, approval=Approval.AUTOMATIC)
    return replace(release, spec=free), notes


def _unpinned(seen: Observation) -> Observation:
    release = seen.release
    return replace(seen, release=replace(release, spec=replace(release.spec, revision=None)))


async def _secrets(world: World, release: HelmRelease) -> Sequence[str]:
    """Return what values take from Secrets now: an old revision does not say what was secret."""
    try:
        return (await final_values(world, release)).secrets
    except OperatorError:
        return ()


_Objects = dict[ObjectReference, JsonObject]


async def _by_name(world: World, release: HelmRelease, revision: Revision) -> _Objects:
    found = {}
    for body in chain(revision.objects, (hook.body for hook in revision.hooks)):
        try:
            identity = identity_of(release)
            reference = await world.cluster.refer(body, revision.namespace, identity)
        except ClusterRefused:
            reference = named(body, revision.namespace)
        found[reference] = body
    return found


def _differing(before: _Objects, after: _Objects, mask: Mask) -> Iterator[ObjectChange]:
    for reference, body in after.items():
        old = before.get(reference)
        if old is None:
            yield ObjectChange(Effect.CREATE, reference)
        elif fields := differences(old, body, mask):
            yield ObjectChange(Effect.CHANGE, reference, fields)
    for reference in before:
        if reference not in after:
            yield ObjectChange(Effect.DELETE, reference)
