"""The one loop: observe, classify, decide, prepare, act, record.

A pass repeats that until nothing is left to do or an action would run twice. It ends with an
Outcome, which says when to look again; what a user should know is in status by then.
"""

import logging
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from whipstaff.errors import (
    ClusterRefused,
    DependencyCycle,
    DependencyNotReady,
    DependentsRemain,
    OperatorError,
    ReleaseConflict,
    WorkerLost,
    from_record,
    to_record,
)
from whipstaff.helmrelease.names import FINALIZER
from whipstaff.helmrelease.placements import former_placement
from whipstaff.helmrelease.types import Approval, HelmRelease
from whipstaff.planning.changes import ReleasePlan
from whipstaff.planning.decision import Action, Decision, decide, tests_on_request
from whipstaff.planning.drift_notes import DriftFindings
from whipstaff.planning.observation import Observation
from whipstaff.planning.options import options_digest
from whipstaff.planning.state import Sync, SyncState, classify
from whipstaff.planning.status import (
    Findings,
    StatusFacts,
    Tested,
    remembered,
    status_for,
    told_of,
)
from whipstaff.planning.status_history import unknown_revisions
from whipstaff.planning.steps import (
    Change,
    MarkFailed,
    PruneHistory,
    Supersede,
    cleanup,
    history_to_forget,
    steps_for,
)
from whipstaff.reconcile.accounts import explained
from whipstaff.reconcile.adopting import takeover
from whipstaff.reconcile.dependencies import check_dependencies, check_dependents
from whipstaff.reconcile.drift import tend
from whipstaff.reconcile.execute import execute, gave_up
from whipstaff.reconcile.moving import Move
from whipstaff.reconcile.narrator import Narrator, news
from whipstaff.reconcile.observe import observe
from whipstaff.reconcile.ports import Event, ResolvedChart
from whipstaff.reconcile.prepare import Preparation, Unchanged
from whipstaff.reconcile.testing import test, test_on_request
from whipstaff.reconcile.uninstall import Uninstallation
from whipstaff.reconcile.world import (
    Intent,
    Interrupted,
    Settled,
    Story,
    Work,
    World,
    home_identity_of,
    identity_of,
)
from whipstaff.release.codec import PAYLOAD_BYTES_LIMIT
from whipstaff.release.marks import ATTEMPT, MANIFEST, Marks, is_ours
from whipstaff.release.revision import (
    JsonObject,
    ReleaseStatus,
    Revision,
    RevisionHeader,
    RevisionNumber,
)

log = logging.getLogger(__name__)

INTERRUPTED_SECONDS = 1.0  # until the event arrives that says what is wanted instead
DRIFT_UNKNOWN_SECONDS = 30.0  # until the objects are looked at again
RECORD_LARGE, TAKEN_OVER = "RecordLarge", "TakenOver"  # reasons of events
RECORD_BYTES_WARNED_OF = PAYLOAD_BYTES_LIMIT * 3 // 4
_UNCHANGED, _UNAPPROVED = "unchanged", "unapproved"  # how an action that does nothing ends
_HELD = (DependencyCycle, DependencyNotReady, DependentsRemain)
_HELD_BACK = frozenset({Action.INSTALL, Action.UPGRADE})  # until dependencies are ready
_RELEASING = frozenset({Action.INSTALL, Action.UPGRADE, Action.ROLLBACK})


class Ending(StrEnum):
    """How a pass ended."""

    IN_SYNC = "in-sync"
    REFUSED = "refused"  # tried again with back-off
    WAITING = "waiting"
    STALLED = "stalled"
    INTERRUPTED = "interrupted"
    SUSPENDED = "suspended"
    DELETED = "deleted"
    UNAPPROVED = "unapproved"  # until somebody approves of the plan


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a pass ended, and when to look again: None leaves it to interval or back-off."""

    ending: Ending
    again_seconds: float | None = None
    held: bool = False  # by other HelmReleases or objects, whose change is told of


class Pass:
    """One pass over one release."""

    def __init__(self, world: World, intent: Intent, written: JsonObject | None) -> None:
        self._world = world
        self._intent = intent
        release = intent.release
        if written is not None:
            release = replace(release, status=written)
        self._release: HelmRelease = release
        self._narrator = Narrator(world.reporter, release, release.status)
        self._story = Story()
        self._revisions: dict[int, Revision] = {}
        self._began = world.clock.monotonic()
        self._same_inputs = ""  # that were found in this pass to render to what runs
        self._unused: tuple[str, ...] | None = None  # values, as far as this pass rendered
        self._tests: Tested | None = None  # as they ended in this pass
        self._aside = False  # what is done says nothing of whether the release is ready
        self._plan: JsonObject | None = None  # made in this pass, as status tells of it
        self._drift: DriftFindings | None = None  # as it was found in this pass
        self._changes = False  # what was observed runs no more, or not as a whole
        self._told: tuple[tuple[object, ...], JsonObject] | None = None  # facts, their progress
        self._seen: Observation | None = None

    @property
    def status(self) -> JsonObject:
        """The status as it was last written."""
        return self._narrator.written

    async def run(self) -> Outcome:
        """Do what there is to do; raises nothing but what is a fault of ours."""
        user = (self._release.namespace, self._release.name)
        self._world.lookout.hold(user)
        try:
            if self._release.deletion_requested:
                self._world.lookout.forget(user)
                return await self._delete()
            await self._move()
            return await self._laps()
        except Interrupted:
            return Outcome(Ending.INTERRUPTED, INTERRUPTED_SECONDS)
        except OperatorError as refusal:
            return await self._refused(await explained(self._world, self._release, refusal))
        finally:
            self._world.lookout.release(user)
            await self._narrator.end()

    async def refuse(self, refusal: OperatorError) -> Outcome:
        """Report that nothing can be done; what is known of the release stays in status."""
        self._seen = _blind(self._release, refusal)
        return await self._refused(refusal)

    async def _move(self) -> None:
        """Bring the release along where its spec wants it elsewhere by now."""
        release = self._release
        former = former_placement(release)
        if former is None:
            return
        if release.spec.suspend:  # it stays where it is
            self._release = replace(release, spec=release.spec.placed(former))
            return
        try:
            await Move(self._world, release, former).run()
        except OperatorError as refusal:
            self._seen = _blind(release, refusal)  # what is elsewhere is not to be forgotten
            raise

    async def _laps(self) -> Outcome:
        try:
            return await self._lap_by_lap()
        except OperatorError as refusal:
            # What runs is looked after, whatever is wrong with what is wanted instead.
            away = isinstance(refusal, ClusterRefused)
            if self._seen is not None and not (away or self._changes):
                await self._tend(self._seen)
            raise

    async def _lap_by_lap(self) -> Outcome:
        done: set[Action] = set()
        while True:
            seen, chart = await observe(self._world, self._intent, self._release, self._began)
            if done & _RELEASING:  # which answers a request: the next attempt is not asked for
                seen = _answered(seen)
            self._seen = seen
            if isinstance(chart, ResolvedChart):
                release = self._release
                self._world.meter.chart_lag(release.namespace, release.name, chart.newer)
            if done and self._intent.paused:
                raise Interrupted
            if self._release.spec.suspend:
                self._world.lookout.forget((self._release.namespace, self._release.name))
                await self._report(Findings(suspended=True))
                return Outcome(Ending.SUSPENDED)
            if any(is_ours(header) for header in seen.headers):
                await self._ensure_finalizer()
            state = classify(seen)
            decision = decide(state, seen)
            if decision.action is None:
                return await self._rest(decision, seen)
            if decision.action in done:
                return Outcome(Ending.WAITING, 0.0)
            done.add(decision.action)
            ended = await self._act(state, decision, seen, chart)
            if ended in (_UNCHANGED, _UNAPPROVED):
                seen = await self._test_at_rest(state, seen, chart)
                return await self._rest(Decision(unapproved=ended == _UNAPPROVED), seen)

    async def _test_at_rest(
        self, state: SyncState, seen: Observation, chart: ResolvedChart | OperatorError
    ) -> Observation:
        """Run the tests that somebody asks for, where an action found nothing to do."""
        asked = tests_on_request(seen)
        if asked is None:
            return seen
        await self._act(state, asked, seen, chart)
        key, identity = self._release.release_key, identity_of(self._release)
        self._seen = replace(seen, headers=await self._world.store.history(key, identity))
        return self._seen

    async def _rest(self, decision: Decision, seen: Observation) -> Outcome:
        again_seconds = await self._tend(seen)
        if decision.unapproved:
            await self._report(Findings(unapproved=True))
            return Outcome(Ending.UNAPPROVED, again_seconds)
        if decision.stalled:
            await self._report(Findings(exhausted=decision.why, no_way_back=decision.no_way_back))
            return Outcome(Ending.STALLED, again_seconds)
        if decision.wait_seconds:
            await self._report(Findings(waiting=decision.why))
            return Outcome(Ending.WAITING, decision.wait_seconds)
        await self._report(Findings())
        return Outcome(Ending.IN_SYNC, again_seconds)

    async def _tend(self, seen: Observation) -> float | None:
        """Look for drift; return when to look again, None leaves that to the interval."""
        self._drift = await tend(self._world, self._intent, seen)
        unknown = self._drift is not None and self._drift.unknown
        return min(DRIFT_UNKNOWN_SECONDS, seen.release.spec.interval_seconds) if unknown else None

    async def _act(
        self,
        state: SyncState,
        decision: Decision,
        seen: Observation,
        chart: ResolvedChart | OperatorError,
    ) -> str:
        """Do one action and count it; return how it ended."""
        action = decision.action
        assert action is not None  # noqa: S101 - the caller looked
        if action in _HELD_BACK:
            await check_dependencies(self._world, self._release)
        started = self._world.clock.monotonic()
        log.debug("action begins", extra={"action": action, "why": decision.why})
        try:
            outcome = await self._do(action, decision, seen, chart)
        except OperatorError as refused:
            self._ended(action, "refused", started, why=refused.reason)
            if action is Action.REMEDIATE or not _ends_attempt(state, refused):
                raise
            await self._count_attempt(state.header, decision, refused)
            return "refused"
        except Interrupted:
            self._ended(action, "interrupted", started)
            raise
        self._ended(action, outcome, started)
        return outcome

    def _ended(self, action: str, outcome: str, started: float, **more: str) -> None:
        """Count an action that ended, and log the one line that there is about it."""
        self._world.meter.action(action, outcome)
        seconds = round(self._world.clock.monotonic() - started, 3)
        facts = {"action": action, "outcome": outcome, "seconds": seconds, **more}
        log.info("action finished", extra=facts)

    async def _do(  # noqa: C901, PLR0912 - one case an action
        self,
        action: Action,
        decision: Decision,
        seen: Observation,
        chart: ResolvedChart | OperatorError,
    ) -> str:
        """Do one action; return how it ended."""
        preparation = Preparation(self._world, seen, decision)
        self._aside = action is Action.TEST and decision.trigger == "request"
        match action:
            case Action.INSTALL | Action.UPGRADE:
                if isinstance(chart, OperatorError):
                    raise chart
                try:
                    change = await preparation.release(chart)
                finally:
                    self._unused = preparation.unused
                if isinstance(change, Unchanged):
                    if change.adopted is not None:
                        return await self._adopt(change, change.adopted)
                    assert not isinstance(seen.inputs, OperatorError)  # noqa: S101 - rendered
                    self._same_inputs = seen.inputs.digest
                    return _UNCHANGED
                if await self._asks_for_approval(change.revision, change.plan):
                    return _UNAPPROVED
                return await self._carry_out(change)
            case Action.REMEDIATE if decision.source is None:
                await self._take_away(decision)
            case Action.ROLLBACK | Action.REMEDIATE:
                return await self._carry_out(await preparation.rollback())
            case Action.TEST:
                return await self._test(decision)
            case Action.RESUME:
                return await self._carry_out(await preparation.resume())
            case Action.ABANDON:
                await self._abandon(decision.source)
            case Action.UNLOCK:
                await self._unlock(decision.source)
            case Action.TIDY:
                await self._tidy(seen)
            case _:
                assert_never(action)
        return "succeeded"

    def _waits(self, plan: ReleasePlan) -> bool:
        """Whether a plan may not be carried out yet."""
        spec = self._release.spec
        if spec.approval is Approval.MANUAL_ON_DESTRUCTIVE and not plan.destructive:
            return False
        return spec.approved_plan != plan.digest

    async def _asks_for_approval(self, revision: Revision, plan: ReleasePlan | None) -> bool:
        """Tell of a plan that may not be carried out yet; whether it is one."""
        if plan is None or not self._waits(plan):
            return False
        release = self._release
        identity = home_identity_of(release)
        secret = await self._world.plans.write(release, plan, revision, identity)
        self._plan = told_of(plan, secret)
        return True

    async def _carry_out(self, change: Change) -> str:
        """Bring a revision into the cluster; return "failed" where that is recorded in it."""
        self._changes = True
        self._story.sentence = f"{change.kind} of revision {change.revision.number}"
        await self._ensure_finalizer()
        if change.record_bytes > RECORD_BYTES_WARNED_OF:
            await self._warn_of_size(change)
        if change.taken:
            await self._tell(Event("Normal", TAKEN_OVER, takeover(change.taken)))
        self._narrator.begin(self._progress)
        work = self._work(change.revision, change.kind)
        work.stored = change.stored
        work.known.update({old.number: old for old in change.earlier})
        try:
            await execute(self._world, work, steps_for(change))
        except OperatorError as error:
            if isinstance(error, (ReleaseConflict, WorkerLost)):
                raise
            if error.interrupts:
                raise
            if not work.stored:
                raise
            if work.revision.status.pending:
                await self._clean_up(change, work)
                description = gave_up(change.kind, change.revision.name, error)
                await self._mark_failed_in(work, description)
            return "failed"
        finally:
            self._revisions.update(work.known)
        return "succeeded"

    async def _adopt(self, unchanged: Unchanged, revision: Revision) -> str:
        """Mark a revision as ours that was made outside and is what is wanted."""
        if await self._asks_for_approval(revision, unchanged.plan):
            return _UNAPPROVED
        await self._ensure_finalizer()
        await self._tell(Event("Normal", TAKEN_OVER, takeover(unchanged.taken)))
        key, identity = self._release.release_key, identity_of(self._release)
        await self._world.store.mark(key, revision.number, revision.labels, identity)
        self._revisions[revision.number] = revision
        return "adopted"

    async def _tell(self, event: Event) -> None:
        facts = (self._release.namespace, self._release.name, self._release.uid)
        await self._world.reporter.emit(*facts, [event])

    async def _take_away(self, decision: Decision) -> None:
        """Uninstall what failed."""
        self._changes = True
        assert decision.rejected is not None  # noqa: S101 - a remediation is of something
        self._story.sentence = f"uninstalling revision {decision.rejected.revision}, which failed"
        self._narrator.begin(self._progress)
        end = Uninstallation(self._world, self._intent, self._release, self._story)
        try:
            await end.remediate(decision.rejected, self._revisions)
        except OperatorError as error:
            failed = f"revision {decision.rejected.revision}, which failed,"
            text = f"{failed} cannot be uninstalled: {error.text}"
            raise from_record({**to_record(error), "text": text}) from error

    async def _test(self, decision: Decision) -> str:
        """Run the chart's tests on the revision that runs."""
        header, asked = decision.source, decision.trigger == "request"
        assert header is not None  # noqa: S101 - what is tested is stored
        self._story.sentence = f"testing revision {header.number}"
        self._narrator.begin(self._progress)
        work = self._work(await self._read(header), Action.TEST)
        if asked:
            tested = await test_on_request(self._world, work, self._release)
        else:
            tested = await test(self._world, work, self._release.spec.test)
        self._tests = tested
        self._revisions.update(work.known)
        return "failed" if tested.failed else "succeeded"

    async def _warn_of_size(self, change: Change) -> None:
        number, size = change.revision.number, change.record_bytes
        text = f"revision {number} takes {size} bytes as it is stored; {PAYLOAD_BYTES_LIMIT} fit"
        await self._tell(Event("Warning", RECORD_LARGE, text))

    async def _ensure_finalizer(self) -> None:
        """Make deletion wait for us before there is anything that it would leave behind."""
        release = self._release
        if FINALIZER in release.finalizers:
            return
        facts = (release.namespace, release.name, release.uid)
        if not await self._world.reporter.add_finalizer(*facts):
            raise Interrupted
        self._release = replace(release, finalizers=(*release.finalizers, FINALIZER))

    async def _clean_up(self, change: Change, work: Work) -> None:
        try:
            await execute(self._world, work, cleanup(change))
        except OperatorError as error:
            # What is to be told is why the revision failed.
            log.warning("failed revision not cleaned up", extra={"why": error.reason})

    async def _mark_failed_in(self, work: Work, description: str) -> None:
        step = MarkFailed(work.revision.number, description)
        again = PruneHistory(self._failed_alike(work.revision))
        await execute(self._world, _uninterrupted(work), (step, again))
        log.info("revision failed", extra={"revision": work.revision.number})

    def _failed_alike(self, failed: Revision) -> tuple[RevisionNumber, ...]:
        """Return older failed revisions of the same content: they have nothing more to tell.

        Others are kept until a revision succeeds, since it has to prune what they left.
        """
        assert self._seen is not None  # noqa: S101 - what fails was observed
        content = failed.labels.get(MANIFEST)
        return tuple(
            header.number
            for header in self._seen.headers
            if header.number != failed.number
            and header.status is ReleaseStatus.FAILED
            and content
            and Marks.of(header).manifest == content
        )

    async def _abandon(self, header: RevisionHeader | None) -> None:
        assert header is not None  # noqa: S101 - what is given up is stored
        work = self._work(await self._read(header), Action.ABANDON)
        await self._mark_failed_in(work, "superseded by newer inputs")

    async def _count_attempt(
        self, header: RevisionHeader | None, decision: Decision, refused: OperatorError
    ) -> None:
        """Record on the failed revision that the next attempt was refused beforehand."""
        assert header is not None  # noqa: S101 - FAILED is always about a revision
        failed, noted = await self._read(header), Marks.of(header)
        labels = {name: text for name, text in failed.labels.items() if name != ATTEMPT}
        options = options_digest(self._release.spec, noted.action)
        noted = replace(noted, attempt=decision.attempt, options=options)
        counted = replace(
            failed,
            labels=labels | noted.labels(header.number),
            description=gave_up(noted.action, failed.name, refused),
        )
        release = self._release
        await self._world.store.update(release.release_key, counted, identity_of(release))
        self._revisions[header.number] = counted

    async def _unlock(self, header: RevisionHeader | None) -> None:
        assert header is not None  # noqa: S101 - what is unlocked is stored
        release = self._release
        await self._world.store.mark_failed_unread(
            release.release_key,
            header.number,
            f"unlocked by Whipstaff: {header.status} for longer than timeout",
            identity_of(release),
        )

    async def _tidy(self, seen: Observation) -> None:
        deployed = [h for h in seen.headers if h.status is ReleaseStatus.DEPLOYED]
        work = self._work(await self._read(deployed[0]), Action.TIDY)
        pin = self._release.spec.revision
        spared = frozenset({h.number for h in deployed} | ({pin} if pin else set()))
        surplus = history_to_forget(seen.headers[1:], self._release.spec.max_history, spared)
        plan = (Supersede(tuple(h.number for h in deployed[1:])), PruneHistory(surplus))
        await execute(self._world, work, plan)
        self._revisions.update(work.known)

    async def _read(self, header: RevisionHeader) -> Revision:
        release = self._release
        return await self._world.store.read(
            release.release_key, header.number, identity_of(release)
        )

    def _work(self, revision: Revision, action: str) -> Work:
        work = Work(
            intent=self._intent,
            key=self._release.release_key,
            identity=identity_of(self._release),
            revision=revision,
            action=action,
            story=self._story,
            secrets=self._seen.secrets if self._seen else (),
        )
        work.known[revision.number] = revision
        return work

    def _progress(self) -> JsonObject:
        """Return the status of the moment; it is asked for again and again while a pass waits."""
        story = self._story
        facts = (story.sentence, story.unready, self._aside, self._seen)
        if self._told is None or self._told[0] != facts:
            findings = Findings(
                progressing=story.sentence, unready=story.unready, aside=self._aside
            )
            self._told = facts, self._status(findings)
        return self._told[1]

    def _status(self, findings: Findings) -> JsonObject:
        assert self._seen is not None  # noqa: S101 - nothing is reported before it is observed
        # Progress was written meanwhile: what it moved has not moved again.
        release = replace(self._seen.release, status=self._narrator.written)
        known, deployed = self._seen.remembered, self._seen.deployed
        still_known = deployed is not None and deployed.number == known.same_revision
        return status_for(
            StatusFacts(
                seen=replace(self._seen, release=release),
                findings=findings,
                revisions=self._revisions,
                same_inputs=self._same_inputs or (known.same_inputs if still_known else ""),
                unused=self._unused,
                tests=self._tests,
                plan=self._plan,
                drift=self._drift,
                now=self._world.clock.now(),
            )
        )

    async def _report(self, findings: Findings) -> None:
        """Write how the pass ended, with what happened as events if that is news."""
        assert self._seen is not None  # noqa: S101 - nothing is reported before it is observed
        for header in unknown_revisions(self._seen):
            if header.number not in self._revisions:
                await self._remember(header)
        status = self._status(findings)
        if self._release.status.get("plan") and "plan" not in status:
            await self._world.plans.delete(self._release, home_identity_of(self._release))
        await self._narrator.write(status, news(self._release.status, status))
        self._release = replace(self._release, status=status)

    async def _remember(self, header: RevisionHeader) -> None:
        try:
            self._revisions[header.number] = await self._read(header)
        except OperatorError as error:
            # An old record that cannot be read has an entry without details. Where its content
            # is needed, reading it again says what is wrong with it.
            log.info("revision unreadable", extra={"revision": header.number, "why": error.reason})

    async def _refused(self, refusal: OperatorError) -> Outcome:
        if self._seen is None:
            self._seen = await self._without_inputs(refusal)
        try:
            await self._report(Findings(refusal=refusal))
        except OperatorError as error:
            log.warning("status not written", extra={"why": error.reason})
        return Outcome(Ending.REFUSED, held=isinstance(refusal, _HELD))

    async def _without_inputs(self, refusal: OperatorError) -> Observation:
        """Observe the history alone, or nothing where even that cannot be had."""
        release = self._release
        try:
            headers = await self._world.store.history(release.release_key, identity_of(release))
        except OperatorError:
            return _blind(release, refusal)
        return Observation(release, headers, refusal, remembered=remembered(release.status))

    async def _delete(self) -> Outcome:
        self._seen = _blind(self._release, OperatorError("being deleted"))
        self._narrator.begin(self._progress)
        self._story.sentence = "uninstalling"
        await self._uninstall()
        await self._narrator.end()
        release = self._release
        await self._world.reporter.remove_finalizer(release.namespace, release.name, release.uid)
        return Outcome(Ending.DELETED)

    def _everywhere(self) -> tuple[HelmRelease, ...]:
        """Return the HelmRelease as one for each place where its release may be."""
        release, former = self._release, former_placement(self._release)
        if former is None:
            return (release,)
        return replace(release, spec=release.spec.placed(former)), release

    async def _uninstall(self) -> None:
        await check_dependents(self._world, self._intent, self._release)
        started = self._world.clock.monotonic()
        try:
            for release in self._everywhere():
                end = Uninstallation(self._world, self._intent, release, self._story)
                await end.run(self._revisions)
        except OperatorError as refused:
            self._ended("uninstall", "refused", started, why=refused.reason)
            if self._revisions and former_placement(self._release) is None:
                self._seen = await self._without_inputs(refused)
            raise
        except Interrupted:
            self._ended("uninstall", "interrupted", started)
            raise
        self._ended("uninstall", "succeeded", started)


def _ends_attempt(state: SyncState, refused: OperatorError) -> bool:
    """Whether a refusal is how another attempt at a failed revision ended.

    What the failed revision left may refuse the next one beforehand, as a LimitRange does.
    """
    elsewhere = isinstance(refused, (ReleaseConflict, WorkerLost))
    return state.sync is Sync.FAILED and not refused.retryable and not elsewhere


def _answered(seen: Observation) -> Observation:
    """Return an observation by which every wish of an annotation was acted on.

    So was the removal of a pin.
    """
    release = seen.release
    known = replace(
        seen.remembered,
        handled_request=release.requested_at,
        handled_force=release.force_at,
        handled_reset=release.reset_at,
        pinned_revision=seen.remembered.pinned_revision if release.spec.revision else 0,
    )
    return replace(seen, remembered=known)


def _blind(release: HelmRelease, why: OperatorError) -> Observation:
    """Return an observation that knows the HelmRelease and nothing of its history."""
    known = remembered(release.status)
    return Observation(release, (), why, history_known=False, remembered=known)


def _uninterrupted(work: Work) -> Work:
    """Return the work as one that nothing interrupts: what went wrong is always recorded."""
    return replace(work, intent=Settled(work.intent.release))
