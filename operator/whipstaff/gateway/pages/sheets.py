"""Pages as they are sent: templates, the few files that belong to them, and their policy."""

import base64
import hashlib
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from whipstaff.gateway.pages import sessions, telling
from whipstaff.gateway.problems import not_found
from whipstaff.gateway.summaries import Standing
from whipstaff.serving.html import environment

_FOLDER = Path(__file__).parent
_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_A_YEAR = "public, max-age=31536000, immutable"

# What people read for each standing, and a sign for those who see no colours.
_STANDINGS = {
    Standing.FAILED: ("✗", "failed"),
    Standing.WAITING: ("?", "waits for approval"),
    Standing.PROGRESSING: ("…", "in progress"),
    Standing.SUSPENDED: ("∥", "suspended"),
    Standing.DELETING: ("~", "being deleted"),
    Standing.READY: ("✓", "ready"),
}


class _File:
    """A file beside the templates; its name says what is in it, so it may be kept for ever."""

    def __init__(self, path: Path) -> None:
        self.content = path.read_bytes()
        digest = hashlib.sha256(self.content)
        self.name = f"{path.stem}-{digest.hexdigest()[:16]}{path.suffix}"
        self.kind = _KINDS[path.suffix]
        self.integrity = "sha256-" + base64.b64encode(digest.digest()).decode("ascii")


class Sheets:
    """Renders pages, and gives out their files."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: seconds since 1970, which pages tell times by."""
        files = {path.name: _File(path) for path in sorted((_FOLDER / "static").iterdir())}
        self._files = {one.name: one for one in files.values()}
        self._templates = environment(_FOLDER / "templates")
        self._templates.globals["files"] = files
        self._templates.globals["standings"] = _STANDINGS
        self._templates.filters["ago"] = lambda text: telling.ago(text, clock())
        self._templates.filters["exactly"] = telling.exactly
        self._templates.globals["now"] = lambda: int(clock() * 1000)
        # Of scripts only this very one: behind a proxy, `self` is whatever else is served there.
        self._policy = (
            f"default-src 'none'; script-src '{files['page.js'].integrity}'; style-src 'self'; "
            "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'"
        )

    def page(
        self,
        request: Request,
        template: str,
        status: HTTPStatus = HTTPStatus.OK,
        **facts: Any,  # noqa: ANN401 - the template's
    ) -> HTMLResponse:
        """Return a page; all its links are relative, so it may be served under any path."""
        depth = request.url.path.removeprefix("/ui/").count("/")
        cluster = request.query_params.get("cluster", "")
        known = {
            "root": "../" * depth or "./",
            "cluster": cluster,
            "of": f"?{urlencode({'cluster': cluster})}" if cluster else "",
            "user": getattr(request.state, "user", ""),
            "signed_in": sessions.TOKEN in request.cookies,
        }
        text = self._templates.get_template(template).render(known | facts)
        return HTMLResponse(text, int(status), self.headers)

    def form(
        self,
        request: Request,
        template: str,
        status: HTTPStatus = HTTPStatus.OK,
        **facts: Any,  # noqa: ANN401 - the template's
    ) -> HTMLResponse:
        """Return a page with a form that only the browser can send which was given it."""
        key = sessions.form_key(request)
        answer = self.page(request, template, status, form_key=key, **facts)
        sessions.keep_form_key(request, answer, key)
        return answer

    @property
    def headers(self) -> dict[str, str]:
        """What the head of each page has."""
        return {
            "Content-Security-Policy": self._policy,
            "Cache-Control": "no-store",
            # Without a referrer browsers call a form's origin "null".
            "Referrer-Policy": "same-origin",
        }

    def file(self, name: str) -> Response:
        """Return one of the files; Problem(404) for any other name."""
        found = self._files.get(name)
        if found is None:
            raise not_found("there is no such file")
        return Response(found.content, headers={"Cache-Control": _A_YEAR}, media_type=found.kind)
