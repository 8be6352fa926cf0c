"""The pages of one release: its revisions, objects, values, notes, events, and its plan."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Query, Request, Response
from pydantic import Field, field_validator

from whipstaff.errors import RevisionNotFound
from whipstaff.gateway import models
from whipstaff.gateway.api import Parts, named_by, there
from whipstaff.gateway.callers import Caller
from whipstaff.gateway.pages import beside, telling
from whipstaff.gateway.pages.edits import TEXTS, Button
from whipstaff.gateway.pages.sheets import Sheets
from whipstaff.gateway.pods import Below, Identity
from whipstaff.gateway.releases import Named
from whipstaff.gateway.summaries import conditions_of
from whipstaff.release.revision import JsonObject, RevisionNumber

_ROOT = "/namespaces/{namespace}/releases/{name}"


class Done(models.Nothing):
    """Which edit was made just now."""

    done: Button | None = None


class OneRevision(models.Nothing):
    """Which revision is shown: the one that runs, or the newest, if none is named."""

    revision: models.Number | None = None


class TwoRevisions(models.Nothing):
    """Which revisions are compared: the last two, if none are named."""

    from_: models.Number | None = Field(None, alias="from")
    to: models.Number | None = None

    @field_validator("from_", "to", mode="before")
    @classmethod
    def _given(cls, value: object) -> object:
        return None if value == "" else value


def add_release_pages(
    app: FastAPI,
    parts: Parts,
    sheets: Sheets,
    asking: Callable[[Request], Awaitable[Caller]],
) -> None:
    """Add the pages of one release."""
    asked = named_by(there(parts, Depends(asking)))
    releases = parts.releases
    shown = _Release(parts, sheets)

    @app.get(_ROOT)
    async def overview(
        request: Request, named: Annotated[Named, asked], query: Annotated[Done, Query()]
    ) -> Response:
        """Show where a release stands, and its revisions."""
        return await shown.overview(request, named, query.done)

    for part in ("objects", "values", "notes"):
        app.add_api_route(f"{_ROOT}/{part}", _of_revision(shown, part, asked))

    @app.get(f"{_ROOT}/events")
    async def events(
        request: Request, named: Annotated[Named, asked], _: Annotated[models.Nothing, Query()]
    ) -> Response:
        """Show what happened to it."""
        found = await releases.events(named)
        return await shown.page(request, named, "events.html", events=found["items"])

    @app.get(f"{_ROOT}/diff")
    async def diff(
        request: Request, named: Annotated[Named, asked], query: Annotated[TwoRevisions, Query()]
    ) -> Response:
        """Show two revisions side by side."""
        return await shown.diff(request, named, query)

    @app.get(f"{_ROOT}/plan")
    async def plan(
        request: Request, named: Annotated[Named, asked], _: Annotated[models.Nothing, Query()]
    ) -> Response:
        """Show the plan that waits."""
        return await shown.page(request, named, "plan.html", plan=await releases.plan(named))


def _of_revision(shown: "_Release", part: str, asked: Any) -> Callable[..., Awaitable[Response]]:  # noqa: ANN401 - FastAPI's Depends
    async def answer(
        request: Request, named: Annotated[Named, asked], query: Annotated[OneRevision, Query()]
    ) -> Response:
        return await shown.of_revision(request, named, part, query.revision)

    return answer


class _Release:
    def __init__(self, parts: Parts, sheets: Sheets) -> None:
        self._releases = parts.releases
        self._pods = parts.pods
        self._changes = parts.cache.changes
        self._home = parts.clusters.home.name
        self._sheets = sheets

    async def page(self, request: Request, named: Named, template: str, **facts: Any) -> Response:  # noqa: ANN401 - the template's
        """Return a page of a release, with what all of them show."""
        cluster = request.query_params.get("cluster") or self._home
        place = {"cluster": cluster, "namespace": named.namespace, "name": named.name}
        position = facts.pop("position", None) or self._changes.position()
        details = facts.pop("details", None) or await self._releases.details(named)
        return self._sheets.page(
            request,
            template,
            release=details,
            base=f"namespaces/{named.namespace}/releases/{named.name}",
            cause=telling.cause(details),
            changes="changes?" + urlencode({**place, "after": position}),
            **facts,
        )

    async def overview(self, request: Request, named: Named, done: Button | None) -> Response:
        """Show where a release stands."""
        position = self._changes.position()
        details = await self._releases.details(named)
        history = await self._releases.history(named)
        status = details["status"]
        conditions = conditions_of(status)
        return await self.page(
            request,
            named,
            "release.html",
            details=details,
            position=position,
            done=TEXTS[done][0] if done else "",
            timeline=telling.timeline(history),
            conditions=conditions.values(),
            held=conditions.get("Pinned", {}).get("message", ""),
            drifted=conditions.get("Drifted", {}).get("message", ""),
            drift=[one for one in status.get("drift") or () if isinstance(one, dict)],
        )

    async def of_revision(
        self, request: Request, named: Named, part: str, number: int | None
    ) -> Response:
        """Show a part of one revision."""
        position = self._changes.position()
        details = await self._releases.details(named)
        history = await self._releases.history(named)
        numbers = _numbers(history)
        facts: JsonObject = {"part": part, "numbers": numbers}
        wanted = [number] if number else [*telling.waited_for(details), *numbers[:1]]
        asked = [one for one in wanted if one]
        for one in asked:
            try:
                facts |= await self._part(named, part, details, RevisionNumber(one))
            except RevisionNotFound:
                if one == asked[-1]:
                    raise
                continue
            facts |= {"revision": one, "made_from": _made_from(history, one)}
            break
        return await self.page(
            request, named, f"{part}.html", details=details, position=position, **facts
        )

    async def _part(
        self, named: Named, part: str, details: JsonObject, number: RevisionNumber
    ) -> JsonObject:
        if part == "objects":
            return await self._objects(named, details, number)
        if part == "values":
            found = await self._releases.part(named, number, "layers", reveal=False)
            return {"values": telling.values(found, details["spec"])}
        found = await self._releases.part(named, number, part, reveal=False)
        facts = await self._releases.part(named, number, "facts", reveal=False)
        return {"notes": found["notes"], "chart": facts["chart"]}

    async def _objects(
        self, named: Named, details: JsonObject, number: RevisionNumber
    ) -> JsonObject:
        found = await self._releases.part(named, number, "manifest", reveal=False)
        hooks = await self._releases.part(named, number, "hooks", reveal=False)
        mine: Mapping[Identity, Below] = {}
        theirs: Mapping[Identity, Below] = {}
        if number in (details["revision"], *telling.waited_for(details)):  # what others had is gone
            mine, theirs = await asyncio.gather(
                self._pods.below(named.caller, _objects_of(found)),
                self._pods.below(named.caller, _objects_of(hooks), hooks=True),
            )
        unknown = {**details, "ready": "", "unready": []}
        tree = telling.tree(found["documents"], details, number, mine)
        return {
            "tree": tree,
            "tally": telling.tally(tree),
            "hooks": telling.tree(hooks["documents"], unknown, number, theirs),
            "withheld": [one.withheld for one in mine.values() if one.withheld],
        }

    async def diff(self, request: Request, named: Named, query: TwoRevisions) -> Response:
        """Show two revisions side by side, each object and the values."""
        position = self._changes.position()
        details = await self._releases.details(named)
        numbers = _numbers(await self._releases.history(named))
        after = query.to or (numbers[0] if numbers else 0)
        older = [one for one in numbers if one < after]
        before = query.from_ or (older[0] if older else 0)
        objects: list[JsonObject] = []
        values: list[beside.Row] = []
        if before and after:
            found = await self._releases.diff(
                named, RevisionNumber(before), RevisionNumber(after), reveal=False
            )
            objects = [_beside(one) for one in found["objects"]]
            values = beside.rows(found["values"])
        return await self.page(
            request,
            named,
            "diff.html",
            details=details,
            position=position,
            numbers=numbers,
            before=before,
            after=after,
            objects=[one for one in objects if not one["routine"]],
            routine=[one for one in objects if one["routine"]],
            effects=Counter(one["effect"] for one in objects),
            values=values,
        )


def _beside(one: JsonObject) -> JsonObject:
    """Return in what an object differs as rows, with how many lines it has more and less."""
    rows = beside.rows(one["diff"])
    added, removed = beside.tally(rows)
    routine = one["effect"] == "changed" and beside.is_routine(rows)
    return {**one, "rows": rows, "added": added, "removed": removed, "routine": routine}


def _objects_of(found: JsonObject) -> Iterator[JsonObject]:
    return (one for document in found["documents"] for one in document["objects"])


def _made_from(history: JsonObject, number: int) -> int | None:
    """Return the revision that another one repeats, None if it is one of its own."""
    found = [one.get("madeFrom") for one in history["items"] if one.get("revision") == number]
    return next((one for one in found if isinstance(one, int)), None)


def _numbers(history: JsonObject) -> list[int]:
    """Return the revisions that can be read, newest first."""
    found = {one.get("revision") for one in history["items"]}
    return sorted((one for one in found if isinstance(one, int) and one > 0), reverse=True)
