"""Finding out why objects are not ready, beyond what they say themselves.

A workload says how many of its Pods are missing; its Pods, their last line of log and the events
about them say why. Whatever may not be read, or cannot be had soon, is left out.
"""

import asyncio
import base64
import binascii
from collections.abc import Iterator, Mapping
from itertools import chain, islice

from whipstaff.errors import OperatorError
from whipstaff.planning import causes
from whipstaff.planning.causes import Blamed
from whipstaff.reconcile.ports import Evidence, ObjectReference
from whipstaff.reconcile.world import Work
from whipstaff.release.revision import JsonObject, Revision

OBJECTS_LIMIT = 5  # that are asked about at a time: a message names as many
SECONDS = 6.0  # for all answers together


class Inquiry:
    """What was found out about the objects of one wait."""

    def __init__(self, evidence: Evidence, work: Work) -> None:
        self._evidence = evidence
        self._work = work
        self._found: dict[ObjectReference, str] = {}

    def explained(self, reference: ObjectReference, cause: str) -> str:
        """Return a cause with what was found out about its object."""
        found = self._found.get(reference)
        return f"{cause}; {found}" if found else cause

    async def ask(self, unready: Mapping[ObjectReference, JsonObject | None]) -> None:
        """Look into objects that are not ready; raises nothing."""
        there = {ref: live for ref, live in unready.items() if live is not None}
        try:
            async with asyncio.timeout(SECONDS):
                for reference, live in islice(there.items(), OBJECTS_LIMIT):
                    self._found[reference] = await self._look_into(reference, live)
        except TimeoutError:
            pass  # what was found so far is told

    async def _look_into(self, reference: ObjectReference, live: JsonObject) -> str:
        try:
            blamed = await self._blamed(reference, live)
            if blamed is None:
                uid = live["metadata"].get("uid", "")
                return await self._warning(reference.namespace, reference.kind, uid)
            more = await self._more(reference, blamed)
            if reference.kind == "Pod":  # what its status says is told already
                return more
            return f"{blamed} ({more})" if more else str(blamed)
        except OperatorError:  # a tenant may not be allowed to look
            return ""

    async def _blamed(self, reference: ObjectReference, live: JsonObject) -> Blamed | None:
        if reference.kind == "Pod":
            return causes.blamed([live])
        selector = causes.selector_of(live) if causes.is_workload(live) else ""
        if not selector:
            return None
        pods = await self._evidence.pods(reference.namespace, selector, self._work.identity)
        return causes.blamed(pods)

    async def _more(self, reference: ObjectReference, blamed: Blamed) -> str:
        """Return what a Pod's log or the events about it add to what its status says."""
        try:
            if not blamed.container:
                return await self._warning(reference.namespace, "Pod", blamed.uid)
            log = await self._evidence.log_tail(
                reference.namespace,
                blamed.name,
                blamed.container,
                self._work.identity,
                previous=blamed.previous,
            )
        except OperatorError:
            return ""
        line = causes.last_line(log, chain(self._work.secrets, secrets_of(self._work.revision)))
        return f"last line of its log: {line}" if line else ""

    async def _warning(self, namespace: str, kind: str, uid: str) -> str:
        if not uid or not namespace:
            return ""
        events = await self._evidence.events(namespace, kind, uid, self._work.identity)
        return causes.newest_warning(events)


def secrets_of(revision: Revision) -> Iterator[str]:
    """Yield what a release's own Secrets hold, those of its hooks too: a log may repeat it."""
    for body in chain(revision.objects, (hook.body for hook in revision.hooks)):
        if body.get("kind") == "Secret":
            yield from _texts_in(body)


def _texts_in(secret: JsonObject) -> Iterator[str]:
    for text in (secret.get("stringData") or {}).values():
        yield from str(text).split()
    for data in (secret.get("data") or {}).values():
        try:
            yield from base64.b64decode(str(data)).decode("utf-8").split()
        except (binascii.Error, ValueError):
            continue  # no text: no line of a log repeats it
