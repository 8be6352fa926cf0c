"""Pages for people: which charts there are, and what a chart says of itself.

Charts are written by anyone: all they say is escaped, their READMEs lose whatever is HTML, and
the policy of the pages lets nothing be loaded or run.
"""

import base64
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from whipstaff.server.access import Access, Scope
from whipstaff.server.index import Entry, Index
from whipstaff.server.refusals import Refusal, not_found
from whipstaff.server.repositories import Repositories
from whipstaff.server.repository import Repository
from whipstaff.serving.html import environment

log = logging.getLogger(__name__)

_FOLDER = Path(__file__).parent / "templates"
_STYLE = (_FOLDER / "style.css").read_text(encoding="utf-8")
_STYLE_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode("utf-8")).digest()).decode("ascii")
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
_A_PAGE = 50  # charts
_CONTENTS_KEPT = 32
_VERSIONS_SHOWN = 100


class Pages:
    """Answers with HTML; `root` is the path under which all repositories are."""

    def __init__(self, repositories: Repositories, access: Access, root: str) -> None:
        self._repositories = repositories
        self._access = access
        self._root = root
        self._contents: OrderedDict[str, dict[str, Any]] = OrderedDict()  # by digest
        self._templates = environment(_FOLDER)
        self._templates.globals["style"] = _STYLE

    async def repositories(self, request: Request) -> Response:
        """List the repositories that whoever asks may read."""
        login = request.headers.get("authorization")
        found = [
            folder
            for folder in await self._repositories.folders()
            if self._access.may(login, Scope.READ, folder)
        ]
        if not found:
            # With a login there would perhaps be some.
            self._access.check(login, Scope.READ, "")
        return self._page("repositories.html", title="Repositories", root=self._root, folders=found)

    async def catalogue(self, request: Request, repository: Repository) -> Response:
        """List the charts of a repository, or those that match a search."""
        index = await repository.index()
        query = request.query_params.get("q", "").strip()
        found = list(_search(index, query)) if query else index.names
        pages = max(1, -(-len(found) // _A_PAGE))
        asked = request.query_params.get("page", "1")
        page = min(int(asked), pages) if asked.isascii() and asked[:6].isdecimal() else 1
        page = max(page, 1)
        return self._page(
            "catalogue.html",
            title="Charts",
            base=self._base(request),
            address=_address(request, self._base(request)),
            query=query,
            count=len(found),
            page=page,
            pages=pages,
            charts=[_row(index, name) for name in found[(page - 1) * _A_PAGE : page * _A_PAGE]],
        )

    async def chart(self, request: Request, repository: Repository) -> Response:
        """Show a version of a chart."""
        index = await repository.index()
        name, version = request.path_params["name"], request.path_params["version"]
        entry = index.find(name, version)
        if entry is None:
            raise not_found("there is no such chart here")
        base = self._base(request)
        if entry.version != version:
            return RedirectResponse(f"{base}/charts/{quote(name)}/{quote(entry.version)}")
        versions = index.versions(name)
        return self._page(
            "chart.html",
            title=f"{name} {version}",
            base=base,
            address=_address(request, base),
            entry=entry,
            record=entry.record,
            versions=[(one.version, one.created[:10]) for one in versions[:_VERSIONS_SHOWN]],
            more_versions=max(0, len(versions) - _VERSIONS_SHOWN),
            **await self._contents_of(entry, repository),
        )

    def refusal(self, refusal: Refusal) -> Response:
        """Say on a page what went wrong."""
        status = refusal.status
        page = self._page("refusal.html", title=status.phrase, root=self._root, text=refusal.text)
        page.status_code = status
        page.headers.update(refusal.headers)
        return page

    def _page(self, template: str, **facts: Any) -> HTMLResponse:  # noqa: ANN401 - the template's
        return HTMLResponse(self._templates.get_template(template).render(facts), headers=_HEADERS)

    def _base(self, request: Request) -> str:
        parts = [request.path_params[f"t{level}"] for level in range(self._repositories.depth)]
        return self._root + "".join(f"/{quote(part)}" for part in parts)

    async def _contents_of(self, entry: Entry, repository: Repository) -> dict[str, Any]:
        """Return README and values, and say instead what is wrong with them."""
        if entry.digest in self._contents:
            self._contents.move_to_end(entry.digest)
            return self._contents[entry.digest]
        try:
            found = await repository.show(entry, "contents")
        except Refusal as refusal:
            if refusal.status is not HTTPStatus.BAD_REQUEST:
                raise
            # Kept as well: a README that takes a worker's time takes it once.
            found = {"problem": refusal.text}
        self._contents[entry.digest] = found
        if len(self._contents) > _CONTENTS_KEPT:
            self._contents.popitem(last=False)
        return found


def _search(index: Index, query: str) -> Iterator[str]:
    words = query.casefold().split()
    for entry in index.newest():
        record = entry.record
        text = " ".join((entry.name, record.get("description", ""), *record.get("keywords", ())))
        if all(word in text.casefold() for word in words):
            yield entry.name


def _row(index: Index, name: str) -> dict[str, Any]:
    versions = index.versions(name)
    entry = index.find(name, "latest") or versions[0]
    record = entry.record
    return {
        "name": name,
        "version": entry.version,
        "app_version": record.get("appVersion", ""),
        "description": record.get("description", ""),
        "deprecated": record.get("deprecated", False),
        "versions": len(versions),
    }


def _address(request: Request, base: str) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{base}"
