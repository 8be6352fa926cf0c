"""The page of charts: what the repositories offer, and which releases are behind."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Query, Request, Response
from pydantic import Field

from whipstaff.gateway import models, offers
from whipstaff.gateway.api import Parts, visible
from whipstaff.gateway.callers import Caller
from whipstaff.gateway.listing import SEARCH_LIMIT
from whipstaff.gateway.offers import Chart, Offered
from whipstaff.gateway.pages.sheets import Sheets

A_PAGE = 50  # charts
_PAGES = 100_000
_BEHIND_SHOWN = 100


class Wanted(models.Nothing):
    """Which charts are shown."""

    search: str = Field("", max_length=SEARCH_LIMIT)
    page: int = Field(1, ge=1, le=_PAGES)


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
        seen = [entry.facts for entry in (await visible(parts, caller, "")).entries]
        offered = await parts.offers.of(caller, {one["namespace"] for one in seen})
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
            repositories=offered,
            charts=shown,
            total=len(found),
            behind=lags[:_BEHIND_SHOWN],
            behind_total=len(lags),
            before=_link(wanted, wanted.page - 1) if wanted.page > 1 else "",
            after=_link(wanted, wanted.page + 1) if first + A_PAGE < len(found) else "",
        )


def _described(found: Sequence[tuple[Offered, str]]) -> list[Chart]:
    return [offers.described(place, name) for place, name in found]


def _link(wanted: Wanted, page: int) -> str:
    return "?" + urlencode({"search": wanted.search, "page": page})
