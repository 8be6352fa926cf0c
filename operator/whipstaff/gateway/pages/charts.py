"""The page of charts: what the repositories offer, and which releases are behind."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Query, Request, Response
from pydantic import Field

from whipstaff.gateway import models, offers
from whipstaff.gateway.api import Parts, visible_anywhere
from whipstaff.gateway.callers import Caller
from whipstaff.gateway.clusters import Cluster, Unreachable
from whipstaff.gateway.listing import SEARCH_LIMIT
from whipstaff.gateway.offers import Chart, Offered
from whipstaff.gateway.pages.sheets import Sheets
from whipstaff.helmrepository.types import HelmRepository
from whipstaff.release.revision import JsonObject

A_PAGE = 50  # charts
_PAGES = 100_000
_BEHIND_SHOWN = 100


class Wanted(models.Nothing):
    """Which charts are shown."""

    search: str = Field("", max_length=SEARCH_LIMIT)
    page: int = Field(1, ge=1, le=_PAGES)

    def link(self, page: int) -> str:
        """Return the query of another page of the same."""
        given = {"search": self.search, "cluster": self.cluster, "page": str(page)}
        return "?" + urlencode({key: value for key, value in given.items() if value})


def add_charts(
    app: FastAPI, parts: Parts, sheets: Sheets, asking: Callable[[Request], Awaitable[Caller]]
) -> None:
    """Add the page."""

    @app.get("/charts")
    async def charts(
        request: Request,
        caller: Annotated[Caller, Depends(asking)],
        wanted: Annotated[Wanted, Query()],
    ) -> Response:
        """Show the charts of the HelmRepositories that the caller may read."""
        seen, offered, unreachable = await _offered(parts, caller, wanted.cluster)
        found = offers.charts_of(offered, wanted.search)
        first = (wanted.page - 1) * A_PAGE
        shown, lags = await asyncio.gather(
            asyncio.to_thread(_described, found[first : first + A_PAGE]),
            asyncio.to_thread(offers.behind, seen, offered),
        )
        return sheets.page(
            request,
            "charts.html",
            home=parts.clusters.home.name,
            wanted=wanted,
            unreachable=unreachable,
            repositories=offered,
            charts=shown,
            total=len(found),
            behind=lags[:_BEHIND_SHOWN],
            behind_total=len(lags),
            before=wanted.link(wanted.page - 1) if wanted.page > 1 else "",
            after=wanted.link(wanted.page + 1) if first + A_PAGE < len(found) else "",
        )


async def _offered(
    parts: Parts, caller: Caller, name: str
) -> tuple[Sequence[JsonObject], Sequence[Offered], Sequence[Unreachable]]:
    """Return releases and repositories of all clusters unless one is named, and who is silent."""
    filters = models.FiltersEverywhere.model_validate({"cluster": name})
    listed = await visible_anywhere(parts, caller, filters)
    seen = [entry.facts for entry in listed.entries]

    async def ask(cluster: Cluster) -> tuple[Caller, str, Sequence[HelmRepository]]:
        there = cluster.caller(caller)
        places = {one["namespace"] for one in seen if one["cluster"] == cluster.name}
        return there, cluster.name, await parts.offers.listed(there, places)

    silent: Sequence[Unreachable] = ()
    if name:
        found = [await ask(parts.clusters.named(name))]
    else:
        found, silent = await parts.clusters.across(ask)
    # An index may take longer than a cluster is waited for.
    read = await asyncio.gather(*(parts.offers.read(*one) for one in found))
    unreachable = {one.cluster: one for one in (*listed.unreachable, *silent)}
    return seen, [one for some in read for one in some], list(unreachable.values())


def _described(found: Sequence[tuple[str, Sequence[Offered]]]) -> list[Chart]:
    return [offers.described(*one) for one in found]
