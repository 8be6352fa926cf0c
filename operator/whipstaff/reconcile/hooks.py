"""Run the hooks of one event, in Helm's order and with Helm's delete policies.

What Helm does not: each phase is recorded before the delete policy acts, so that after a kill a
hook that succeeded does not run again and one that ran is waited for instead of started anew.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from whipstaff.errors import OperatorError
from whipstaff.planning.readiness import HookOutcome, hook_outcome
from whipstaff.reconcile.inquiry import Inquiry
from whipstaff.reconcile.ports import ObjectReference
from whipstaff.reconcile.waiting import until_gone, within
from whipstaff.reconcile.world import Work, World
from whipstaff.release.manifests import in_install_order
from whipstaff.release.marks import EVENT
from whipstaff.release.revision import Hook, HookDeletePolicy, HookEvent, HookPhase

log = logging.getLogger(__name__)


class HookFailed(OperatorError):
    """A hook's Job or Pod failed; the text names it and says why."""


def in_run_order(hooks: Sequence[Hook], event: HookEvent) -> tuple[Hook, ...]:
    """Choose the hooks of an event: by weight, then name; kinds in install order before that.

    As Helm's pkg/action/hooks.go: a stable sort by weight with ties by name, on hooks that were
    sorted by kind.
    """
    chosen = [hook for hook in hooks if event in hook.events]
    ranks = {id(body): rank for rank, body in enumerate(in_install_order(h.body for h in chosen))}
    chosen.sort(key=lambda hook: ranks[id(hook.body)])
    return tuple(sorted(chosen, key=lambda hook: (hook.weight, hook.name)))


Ended = Callable[[Hook], Awaitable[None]]


async def _unheard(hook: Hook) -> None:
    """Nobody asks how a hook ended."""


async def run_hooks(
    world: World,
    work: Work,
    event: HookEvent,
    timeout_seconds: float,
    *,
    chosen: Callable[[str], bool] = lambda name: True,
    ended: Ended = _unheard,
) -> None:
    """Run what has not succeeded yet; HookFailed ends the event.

    `chosen`: of what names; `ended` is called before a delete policy acts.
    """
    begun = work.revision.labels.get(EVENT, "")
    if (begun, str(event)) in _FOLLOWS:
        return  # resumed: the action is further on already
    if begun != event:
        _begin(work, event)
    hooks = [hook for hook in in_run_order(work.revision.hooks, event) if chosen(hook.name)]
    for position, hook in enumerate(hooks):
        work.intent.check()
        if _current(work, hook).phase is HookPhase.SUCCEEDED:
            continue
        work.story.sentence = f"{event} hook {hook.kind} {hook.name}"
        try:
            await _run(world, work, hook, timeout_seconds)
        except OperatorError as error:
            if error.interrupts:
                raise
            await _record(world, work, hook, HookPhase.FAILED)
            await ended(hook)
            await _clean_after_failure(world, work, hooks[: position + 1], timeout_seconds)
            raise
        await ended(hook)
    for hook in reversed(hooks):
        await _clean(world, work, [hook], HookDeletePolicy.HOOK_SUCCEEDED, timeout_seconds)


def _begin(work: Work, event: HookEvent) -> None:
    """Forget how the event's hooks ended at another event.

    A hook of several events runs at each, and the record has one phase for it: the revision's
    label says which event its phases are about. Both are stored with the first hook that runs.
    """
    hooks = tuple(
        replace(hook, phase=HookPhase.NEVER, started_at="", completed_at="")
        if event in hook.events
        else hook
        for hook in work.revision.hooks
    )
    labels = {**work.revision.labels, EVENT: str(event)}
    work.keep(replace(work.revision, hooks=hooks, labels=labels))


_FOLLOWS = frozenset(
    (f"post-{action}", f"pre-{action}") for action in ("install", "upgrade", "rollback", "delete")
)


async def _run(world: World, work: Work, hook: Hook, timeout_seconds: float) -> None:
    namespace = work.revision.namespace
    reference = await world.cluster.refer(hook.body, namespace, work.identity)
    resumed = _current(work, hook).phase is HookPhase.RUNNING
    if not (resumed and await world.cluster.read(reference, work.identity)):
        policies = hook.delete_policies or (HookDeletePolicy.BEFORE_HOOK_CREATION,)
        if HookDeletePolicy.BEFORE_HOOK_CREATION in policies:
            await _delete(world, work, reference, timeout_seconds)
        await _record(world, work, hook, HookPhase.RUNNING)
        await world.cluster.apply(reference, _placed(hook, reference), work.identity)
    await _await_end(world, work, reference, timeout_seconds)
    await _record(world, work, hook, HookPhase.SUCCEEDED)


async def _await_end(
    world: World, work: Work, reference: ObjectReference, timeout_seconds: float
) -> None:
    cause, body = "not seen yet", None
    inquiry = Inquiry(world.evidence, work)

    async def watch() -> None:
        nonlocal cause, body
        async for live in world.cluster.follow([reference], work.identity):
            body = live.get(reference)
            if body is None:  # nothing brings it back: there is no use in waiting
                raise HookFailed(f"{reference} is gone, and nobody saw how it ended")
            verdict = hook_outcome(body)
            cause = verdict.cause
            if verdict.outcome is HookOutcome.SUCCEEDED:
                return
            if verdict.outcome is HookOutcome.FAILED:
                await inquiry.ask({reference: body})
                raise HookFailed(f"{reference} failed: {inquiry.explained(reference, cause)}")

    if reference.kind not in ("Job", "Pod"):
        return  # as Helm: every other kind is done once it is created

    def why() -> str:
        return f"{reference}: {inquiry.explained(reference, cause)}"

    await within(work, timeout_seconds, watch(), why, lambda: inquiry.ask({reference: body}))


async def _record(world: World, work: Work, hook: Hook, phase: HookPhase) -> None:
    now = world.clock.now()
    hooks = tuple(
        _with_phase(other, phase, now) if _same(other, hook) else other
        for other in work.revision.hooks
    )
    work.keep(replace(work.revision, hooks=hooks))
    await world.store.update(work.key, work.revision, work.identity)


def _with_phase(hook: Hook, phase: HookPhase, now: str) -> Hook:
    if phase is HookPhase.RUNNING:
        return replace(hook, phase=phase, started_at=now, completed_at="")
    return replace(hook, phase=phase, completed_at=now)


async def _clean(
    world: World,
    work: Work,
    hooks: Sequence[Hook],
    policy: HookDeletePolicy,
    timeout_seconds: float,
) -> None:
    for hook in hooks:
        # Deleting a CRD would delete every object of its kind: no hook policy does that.
        if policy in hook.delete_policies and hook.kind != "CustomResourceDefinition":
            reference = await world.cluster.refer(hook.body, work.revision.namespace, work.identity)
            await _delete(world, work, reference, timeout_seconds)


async def _clean_after_failure(
    world: World, work: Work, ran: Sequence[Hook], timeout_seconds: float
) -> None:
    """Clean up after the last of those that ran has failed."""
    try:
        await _clean(world, work, ran[-1:], HookDeletePolicy.HOOK_FAILED, timeout_seconds)
        await _clean(world, work, ran[:-1], HookDeletePolicy.HOOK_SUCCEEDED, timeout_seconds)
    except OperatorError as error:
        # What is to be told is why the hook failed.
        log.warning("failed hooks not cleaned up", extra={"why": error.reason})


async def _delete(
    world: World, work: Work, reference: ObjectReference, timeout_seconds: float
) -> None:
    if reference.kind == "CustomResourceDefinition":
        return
    if await world.cluster.read(reference, work.identity) is None:
        return
    await world.cluster.delete(reference, work.identity)
    await until_gone(world.cluster, work, [reference], timeout_seconds)


def _placed(hook: Hook, reference: ObjectReference) -> dict[str, object]:
    if not reference.namespace:
        return hook.body
    metadata = {**hook.body.get("metadata", {}), "namespace": reference.namespace}
    return {**hook.body, "metadata": metadata}


def _current(work: Work, hook: Hook) -> Hook:
    return next(other for other in work.revision.hooks if _same(other, hook))


def _same(one: Hook, other: Hook) -> bool:
    return (one.path, one.kind, one.name) == (other.path, other.kind, other.name)
