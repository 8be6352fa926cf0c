"""The page of all releases: what is not ready comes first."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Query, Request, Response
from pydantic import Field, field_validator

from whipstaff.gateway import listing, models
from whipstaff.gateway.api import Parts, query_of, visible_anywhere
from whipstaff.gateway.callers import Caller
from whipstaff.gateway.listing import Sort
from whipstaff.gateway.pages.sheets import Sheets
from whipstaff.gateway.pages.telling import cause
from whipstaff.gateway.summaries import Standing

A_PAGE = 50  # releases
_SUGGESTIONS_LIMIT = 500


class Search(models.FiltersEverywhere):
    """What the page is to show; a form sends what it was not given as empty texts."""

    standing: Standing | None = None
    sort: Sort = Sort.STANDING
    limit: int = Field(A_PAGE, ge=1, le=200)

    @field_validator("standing", mode="before")
    @classmethod
    def _given(cls, value: object) -> object:
        return None if value == "" else value

    def link(self, **changes: str) -> str:
        """Return the query of a page that shows the same but for some changes."""
        given = {
            "search": self.search,
            "cluster": self.cluster,
            "namespace": self.namespace,
            "standing": self.standing or "",
            "chart": self.chart,
            "labelSelector": self.label_selector,
            "sort": "" if self.sort is Sort.STANDING else self.sort,
            "limit": "" if self.limit == A_PAGE else str(self.limit),
            **changes,
        }
        return "?" + urlencode({key: value for key, value in given.items() if value})


def add_list(
    app: FastAPI, parts: Parts, sheets: Sheets, asking: Callable[[Request], Awaitable[Caller]]
) -> None:
    """Add the page."""

    @app.get("/")
    async def releases(
        request: Request,
        caller: Annotated[Caller, Depends(asking)],
        search: Annotated[Search, Query()],
    ) -> Response:
        """Show the releases that the caller may list."""
        found = await visible_anywhere(parts, caller, search)
        seen = found.entries
        place = {
            "cluster": search.cluster,
            "namespace": search.namespace,
            "after": found.position,
        }
        page = listing.page_of(seen, query_of(search, search.namespace))
        counts = Counter(entry.facts["standing"] for entry in seen)
        return sheets.page(
            request,
            "releases.html",
            home=parts.clusters.home.name,
            clusters=[one.name for one in parts.clusters],
            unreachable=found.unreachable,
            search=search,
            releases=[{**one.facts, "cause": cause(one.facts)} for one in page.entries],
            seen=len(seen),
            total=page.total,
            counts=[(standing, counts[standing]) for standing in Standing if counts[standing]],
            namespaces=sorted({one.facts["namespace"] for one in seen})[:_SUGGESTIONS_LIMIT],
            charts=sorted({one.facts["chart"]["name"] for one in seen})[:_SUGGESTIONS_LIMIT],
            sorts=list(Sort),
            continue_=page.continue_,
            changes="changes?" + urlencode({key: one for key, one in place.items() if one}),
        )
