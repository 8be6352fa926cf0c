"""Run the chart's tests on the revision that runs, as `helm test` does.

The record keeps how each ended, so that `helm status` shows it and a kill does not run it twice;
what they logged is in no record, and goes to status.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from whipstaff.errors import OperatorError
from whipstaff.helmrelease.types import TestOptions
from whipstaff.planning.causes import masked
from whipstaff.planning.status import TESTS_FAILED_WORDS, Tested
from whipstaff.reconcile.hooks import run_hooks
from whipstaff.reconcile.inquiry import secrets_of
from whipstaff.reconcile.world import Settled, Work, World
from whipstaff.release.marks import TESTS, TESTS_FAILED, TESTS_NONE, TESTS_PASSED
from whipstaff.release.revision import Hook, HookEvent, JsonObject

LOG_LINES = 20  # of each container
LOG_CHARACTERS = 2000  # of each test
JOB_NAME = "batch.kubernetes.io/job-name"  # label of a Job's Pods

log = logging.getLogger(__name__)


async def test(world: World, work: Work, options: TestOptions) -> Tested:
    """Run the tests that are chosen; a failed one is no exception, and ends them as in Helm."""
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
    await _record(world, work, TESTS_FAILED if failure else word, failure)
    return Tested(work.revision.number, tuple(work.revision.hooks), logs, failed=bool(failure))


test.__test__ = False  # type: ignore[attr-defined]  # pytest takes it for a test


async def _record(world: World, work: Work, word: str, failure: str) -> None:
    """Record how the tests ended, whatever is wanted by now."""
    settled = replace(work, intent=Settled(work.intent.release))
    tested = replace(work.revision, labels={**work.revision.labels, TESTS: word})
    if failure:
        description = tested.description.partition(TESTS_FAILED_WORDS)[0]
        tested = replace(tested, description=f"{description}{TESTS_FAILED_WORDS}{failure}")
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
