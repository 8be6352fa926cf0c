"""Carry out a plan, step by step; between two steps the intent is asked again.

One `match`: a step is data, what it means is here. Each step can be done twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import assert_never

from whipstaff.errors import ClusterRefused, OperatorError
from whipstaff.helmrelease.types import DeletionPropagation
from whipstaff.planning.steps import (
    Apply,
    AskAgain,
    AwaitReady,
    CleanUp,
    CreateNamespaces,
    InstallCRDs,
    MarkDeployed,
    MarkFailed,
    MarkUninstalled,
    MarkUninstalling,
    Plan,
    Prune,
    PruneHistory,
    Purge,
    Remove,
    RunHooks,
    Step,
    Store,
    Supersede,
)
from whipstaff.reconcile.checking import ask_again
from whipstaff.reconcile.hooks import run_hooks
from whipstaff.reconcile.ports import Event, ObjectReference
from whipstaff.reconcile.pruning import Pruning, told_of_delay
from whipstaff.reconcile.recreating import Refusal, recreate
from whipstaff.reconcile.sending import for_each, placed, prepared_for_apply
from whipstaff.reconcile.waiting import (
    NotReady,
    WaitTimeout,
    until_gone,
    until_ready,
    until_served,
)
from whipstaff.reconcile.world import Work, World, timed
from whipstaff.release.manifests import keeps, owner_of
from whipstaff.release.revision import JsonObject, ReleaseStatus, Revision, RevisionNumber

NOT_PRUNED = "NotPruned"  # reason of an event
CRD_SECONDS = 60.0  # as Helm waits for the CRDs of crds/
DELETION_IN_PROGRESS = "Deletion in progress (or silently failed)"  # Helm's words
_NOT_FOUND, _INVALID = 404, 422
_DESCRIPTION_CHARACTERS_LIMIT = 2048  # of a record, which is nearly full perhaps


async def execute(world: World, work: Work, plan: Plan) -> None:
    """Carry out the plan; what it raises is up to the caller to record."""
    for step in plan:
        work.intent.check()
        with timed(world, work.action, _PHASES.get(type(step), "record")):
            await _perform(world, work, step)


_PHASES: Mapping[type[Step], str] = {
    CreateNamespaces: "namespaces",
    Store: "store",
    InstallCRDs: "crds",
    AskAgain: "check",
    RunHooks: "hooks",
    Apply: "apply",
    AwaitReady: "wait",
    Prune: "prune",
    Remove: "delete",
    CleanUp: "delete",
}


async def _perform(world: World, work: Work, step: Step) -> None:  # noqa: C901, PLR0912 - one case a step
    match step:
        case CreateNamespaces():
            for name in step.names:
                await world.cluster.ensure_namespace(name, work.identity)
        case Store():
            await world.store.create(work.key, work.revision, work.identity)
            work.keep(work.revision)
            work.stored = True
        case InstallCRDs():
            await _install_crds(world, work, step)
        case AskAgain():
            asked = (world.cluster, work.identity, work.revision, step.bodies)
            await ask_again(*asked, strict=step.strict)
        case RunHooks():
            await run_hooks(world, work, step.event, step.timeout_seconds)
        case Apply():
            await _apply(world, work, step)
        case AwaitReady():
            await _await_ready(world, work, step)
        case Prune():
            await _prune(world, work, step)
        case MarkDeployed():
            deployed = replace(
                work.revision, status=ReleaseStatus.DEPLOYED, description=step.description
            )
            await _record(world, work, deployed)
        case Supersede():
            for number in step.numbers:
                await _restate(world, work, number, ReleaseStatus.SUPERSEDED, None)
        case PruneHistory() | Purge():
            for number in step.numbers:
                await world.store.delete(work.key, number, work.identity)
        case MarkFailed():
            await _restate(world, work, step.number, ReleaseStatus.FAILED, step.description)
        case CleanUp():
            await _clean_up(world, work, step)
        case MarkUninstalling():
            await _begin_uninstall(world, work, step.because)
        case Remove():
            await _remove(world, work, step)
        case MarkUninstalled():
            gone = replace(
                work.revision,
                status=ReleaseStatus.UNINSTALLED,
                description=_because("Uninstallation complete", step.because),
            )
            await _record(world, work, gone)
        case _:
            assert_never(step)


async def _refer(world: World, work: Work, body: JsonObject) -> ObjectReference:
    return await world.cluster.refer(body, work.revision.namespace, work.identity)


async def _install_crds(world: World, work: Work, step: InstallCRDs) -> None:
    work.story.sentence = "installing the chart's CRDs"
    references = []

    async def install_one(body: JsonObject) -> None:
        reference = await _refer(world, work, body)
        live = await world.cluster.read(reference, work.identity)
        if live is None or step.replace:
            await world.cluster.apply(reference, placed(body, reference), work.identity)
            references.append(reference)

    await for_each(step.crds, install_one)
    await until_ready(world, work, references, CRD_SECONDS)
    await until_served(world.cluster, work, step.crds, CRD_SECONDS)


async def _apply(world: World, work: Work, step: Apply) -> None:
    """Apply kind by kind; objects of one kind together, as Helm creates them."""
    revision = work.revision
    work.story.sentence = f"applying revision {revision.number}"
    refusals: list[Refusal] = []

    async def apply_one(body: JsonObject) -> None:
        reference = await _refer(world, work, body)
        sent = prepared_for_apply(revision, body, reference)
        if step.force:
            await _replace(world, work, reference, sent)
        try:
            await world.cluster.apply(reference, sent, work.identity, strict=step.strict)
        except ClusterRefused as refused:
            if refused.code != _INVALID:
                raise
            refusals.append(Refusal(reference, sent, refused))

    for kind, bodies in groupby(revision.objects, key=lambda body: body.get("kind", "")):
        await for_each(bodies, apply_one)
        if refusals:
            await recreate(world, work, step, refusals)
            refusals.clear()
        if kind == "CustomResourceDefinition":
            crds = [body for body in revision.objects if body.get("kind") == kind]
            references = [await _refer(world, work, body) for body in crds]
            await until_ready(world, work, references, CRD_SECONDS)
            await until_served(world.cluster, work, crds, CRD_SECONDS)


async def _replace(world: World, work: Work, reference: ObjectReference, sent: JsonObject) -> None:
    try:
        await world.cluster.replace(reference, sent, work.identity)
    except ClusterRefused as refused:
        # A claim that is bound has fields that it may not lose: then it is only applied.
        if refused.code != _INVALID:
            raise


async def _await_ready(world: World, work: Work, step: AwaitReady) -> None:
    work.story.sentence = f"waiting for the objects of revision {work.revision.number}"
    references = [await _refer(world, work, body) for body in work.revision.objects]
    waited = (world, work, references, step.timeout_seconds)
    try:
        await until_ready(*waited, complete_jobs=step.complete_jobs)
    except (NotReady, WaitTimeout) as error:
        if step.to_prune is None:
            raise
        pruning = Pruning(world.cluster, work.identity, work.revision)
        older = await told_of_delay(pruning, step.to_prune.candidates, step.to_prune.options)
        raise replace(error, text=error.text + older) from error


async def _prune(world: World, work: Work, step: Prune) -> None:
    pruning = Pruning(world.cluster, work.identity, work.revision)
    left = await pruning.left_behind(step.candidates, step.options)
    for reference in left.going:
        await _delete_owned(world, work, reference)
    if left.guarded:
        await _tell_of_guarded(world, work, left.guarded)


async def _tell_of_guarded(world: World, work: Work, guarded: Sequence[ObjectReference]) -> None:
    """Say on the HelmRelease what is left in the cluster because of its kind."""
    release, names = work.intent.release, ", ".join(map(str, guarded))
    text = f"left in the cluster, as spec.upgrade.pruneAlso does not name the kind: {names}"
    facts = (release.namespace, release.name, release.uid)
    await world.reporter.emit(*facts, [Event("Warning", NOT_PRUNED, text)])


async def _clean_up(world: World, work: Work, step: CleanUp) -> None:
    spared = {ref.same_in_any_version for ref in step.found}
    for body in step.before:
        if reference := await _known(world, work, body):
            spared.add(reference.same_in_any_version)
    for body in reversed(work.revision.objects):
        reference = await _known(world, work, body)
        if reference and reference.same_in_any_version not in spared:
            await _delete_owned(world, work, reference)


async def _remove(world: World, work: Work, step: Remove) -> None:
    work.story.sentence = "deleting the objects of the release"
    deleted: list[ObjectReference] = []

    async def remove_one(body: JsonObject) -> None:
        reference = await _known(world, work, body)
        if reference and await _delete_owned(world, work, reference, step.propagation):
            deleted.append(reference)

    for _, bodies in groupby(step.objects, key=lambda body: body.get("kind", "")):
        await for_each(bodies, remove_one)
    if step.wait:
        await until_gone(world.cluster, work, deleted, step.timeout_seconds)


async def _delete_owned(
    world: World,
    work: Work,
    reference: ObjectReference,
    propagation: DeletionPropagation = DeletionPropagation.BACKGROUND,
) -> bool:
    """Delete unless the live object says keep or is someone else's by now."""
    live = await world.cluster.read(reference, work.identity)
    if live is None or keeps(live):
        return False
    if owner_of(live) != (work.revision.name, work.revision.namespace):
        return False
    await world.cluster.delete(reference, work.identity, propagation=propagation.value.capitalize())
    return True


async def _known(world: World, work: Work, body: JsonObject) -> ObjectReference | None:
    """Name an object of an old manifest; None if its kind is gone, and the object with it."""
    try:
        return await _refer(world, work, body)
    except ClusterRefused as refused:
        if refused.code == _NOT_FOUND:
            return None
        raise


async def _record(world: World, work: Work, revision: Revision) -> None:
    await world.store.update(work.key, revision, work.identity)
    work.keep(revision)


async def _read(world: World, work: Work, number: RevisionNumber) -> Revision:
    if number not in work.known:
        work.known[number] = await world.store.read(work.key, number, work.identity)
    return work.known[number]


async def _restate(
    world: World,
    work: Work,
    number: RevisionNumber,
    status: ReleaseStatus,
    description: str | None,
) -> None:
    """Change the status of a stored revision, whichever it is."""
    stored = await _read(world, work, number)
    restated = replace(
        stored,
        status=status,
        description=stored.description if description is None else description,
    )
    await world.store.update(work.key, restated, work.identity)
    work.known[number] = restated
    if number == work.revision.number:
        work.revision = restated


async def _begin_uninstall(world: World, work: Work, because: str) -> None:
    if work.revision.status is ReleaseStatus.UNINSTALLING:
        return
    begun = replace(
        work.revision,
        status=ReleaseStatus.UNINSTALLING,
        deleted=world.clock.now(),
        description=_because(DELETION_IN_PROGRESS, because),
    )
    await _record(world, work, begun)


def _because(words: str, failure: str) -> str:
    return f"{words}; {failure}" if failure else words


def gave_up(kind: str, name: str, error: OperatorError) -> str:
    """Return what the record says of a failed revision, in Helm's words."""
    what = {"install": "Release", "upgrade": "Upgrade", "rollback": "Rollback"}[kind]
    text = error.text
    if len(text) > _DESCRIPTION_CHARACTERS_LIMIT:
        text = text[: _DESCRIPTION_CHARACTERS_LIMIT - 1] + "…"
    return f'{what} "{name}" failed: {text}'
