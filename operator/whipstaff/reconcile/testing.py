"""Run the chart's tests on the revision that runs, as `helm test` does.

The record keeps how each ended, so that `helm status` shows it and a kill does not run it twice;
what they logged is in no record, and goes to status.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from whipstaff.errors import InvalidSpec, OperatorError
from whipstaff.helmrelease.asked_tests import asked_tests
from whipstaff.helmrelease.types import HelmRelease, TestOptions
from whipstaff.planning.causes import masked
from whipstaff.planning.status import Tested
from whipstaff.planning.status_history import TESTS_FAILED_WORDS
from whipstaff.reconcile.hooks import run_hooks
from whipstaff.reconcile.inquiry import secrets_of
from whipstaff.reconcile.world import Settled, Work, World
from whipstaff.release.marks import (
    EVENT,
    TEST_REQUEST,
    TESTS,
    TESTS_FAILED,
    TESTS_NONE,
    TESTS_PASSED,
    MetRequest,
    request_digest,
)
from whipstaff.release.revision import Hook, HookEvent, HookPhase, JsonObject, Revision

LOG_LINES = 20  # of each container
LOG_CHARACTERS = 2000  # of each test
JOB_NAME = "batch.kubernetes.io/job-name"  # label of a Job's Pods

log = logging.getLogger(__name__)


async def test(world: World, work: Work, options: TestOptions) -> Tested:
    """Run the tests that are chosen; a failed one is no exception, and ends them as in Helm."""
    if TEST_REQUEST in work.revision.labels:  # the phases are about what somebody asked for
        _begin(work, lambda name: True, {TEST_REQUEST: ""})
    tested, word = await _run(world, work, options)
    await _record(world, work, {TESTS: word}, tested.why)
    return tested


async def test_on_request(world: World, work: Work, release: HelmRelease) -> Tested:
    """Run the tests that somebody asks for, which leads to nothing: a failed one is told of.

    Passing, they take back that tests had failed, if those that `spec.test` chooses all passed.
    """
    digest = request_digest(release.test_at)
    try:
        options = asked_tests(release)
    except InvalidSpec as error:
        hooks = tuple(work.revision.hooks)
        tested = Tested(work.revision.number, hooks, {}, True, release.test_at, error.text)
        word = TESTS_FAILED
    else:
        if MetRequest.of(work.revision.labels).digest != digest:
            _begin(work, options.chooses, {TEST_REQUEST: MetRequest(digest).label})
        tested, word = await _run(world, work, options)
        tested = replace(tested, request=release.test_at)
    marks = {TEST_REQUEST: MetRequest(digest, word).label}
    if word == TESTS_PASSED and _all_passed(work, release.spec.test):
        marks[TESTS] = TESTS_PASSED
    await _record(world, work, marks)
    return tested


test.__test__ = False  # type: ignore[attr-defined]  # pytest takes it for a test
test_on_request.__test__ = False  # type: ignore[attr-defined]  # and this too


def _begin(work: Work, chooses: Callable[[str], bool], marks: Mapping[str, str]) -> None:
    """Forget how tests ended that run again; stored with the first of them."""
    other = work.revision.labels.get(EVENT, "") != HookEvent.TEST
    hooks = tuple(
        replace(hook, phase=HookPhase.NEVER, started_at="", completed_at="")
        if HookEvent.TEST in hook.events and (other or chooses(hook.name))
        else hook
        for hook in work.revision.hooks
    )
    work.keep(replace(_marked(work.revision, {EVENT: HookEvent.TEST, **marks}), hooks=hooks))


def _all_passed(work: Work, options: TestOptions) -> bool:
    """Whether tests had failed, and all that count have passed by now."""
    if work.revision.labels.get(TESTS) != TESTS_FAILED:
        return False
    ran = (it for it in work.revision.hooks if HookEvent.TEST in it.events)
    return all(it.phase is HookPhase.SUCCEEDED for it in ran if options.chooses(it.name))


async def _run(world: World, work: Work, options: TestOptions) -> tuple[Tested, str]:
    """Run tests; return how they ended, also as the word that is recorded."""
    logs: dict[str, str] = {}

    async def note(hook: Hook) -> None:
        logs[hook.name] = await _tail(world, work, hook)

    failure = ""
    try:
        await run_hooks(
            world,
            work,
            HookEvent.TEST,
            options.timeout_seconds,
            chosen=options.chooses,
            ended=note,
        )
    except OperatorError as error:
        if error.interrupts:
            raise
        failure = error.text
    ran = [it for it in work.revision.hooks if HookEvent.TEST in it.events]
    word = TESTS_PASSED if any(options.chooses(it.name) for it in ran) else TESTS_NONE
    number, hooks, failed = work.revision.number, tuple(work.revision.hooks), bool(failure)
    return Tested(number, hooks, logs, failed, why=failure), TESTS_FAILED if failed else word


def _marked(revision: Revision, marks: Mapping[str, str]) -> Revision:
    """Return a revision with other labels; an empty one goes."""
    labels = {**revision.labels, **marks}
    return replace(revision, labels={name: text for name, text in labels.items() if text})


async def _record(world: World, work: Work, marks: Mapping[str, str], failure: str = "") -> None:
    """Record how the tests ended, whatever is wanted by now."""
    settled = replace(work, intent=Settled(work.intent.release))
    tested = _marked(work.revision, marks)
    if TESTS in marks:
        description = tested.description.partition(TESTS_FAILED_WORDS)[0]
        description += f"{TESTS_FAILED_WORDS}{failure}" if failure else ""
        tested = replace(tested, description=description)
    await world.store.update(settled.key, tested, settled.identity)
    work.keep(tested)


async def _tail(world: World, work: Work, hook: Hook) -> str:
    """Return the last lines that a test logged; empty where they cannot be had."""
    try:
        reference = await world.cluster.refer(hook.body, work.revision.namespace, work.identity)
        lines = [
            text
            for pod in await _pods(world, work, hook, reference.namespace)
            for container in _containers(pod)
            if (
                text := await world.evidence.log_tail(
                    reference.namespace,
                    pod["metadata"]["name"],
                    container,
                    work.identity,
                    lines=LOG_LINES,
                )
            )
        ]
    except OperatorError as error:
        log.info("log of a test not read", extra={"why": error.reason})
        return ""
    secrets = chain(work.secrets, secrets_of(work.revision))
    text = masked("\n".join(line.rstrip() for line in lines), secrets)
    text = "".join(one if one.isprintable() or one == "\n" else " " for one in text)
    return text if len(text) <= LOG_CHARACTERS else "…" + text[1 - LOG_CHARACTERS :]


async def _pods(world: World, work: Work, hook: Hook, namespace: str) -> Sequence[JsonObject]:
    if hook.kind == "Job":
        selector = f"{JOB_NAME}={hook.name}"
        return await world.evidence.pods(namespace, selector, work.identity)
    if hook.kind != "Pod":
        return ()
    reference = await world.cluster.refer(hook.body, namespace, work.identity)
    pod = await world.cluster.read(reference, work.identity)
    return () if pod is None else (pod,)


def _containers(pod: JsonObject) -> Iterator[str]:
    spec = pod.get("spec") or {}
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        yield container["name"]
