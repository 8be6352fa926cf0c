"""What programs ask: the index, archives, and chartmuseum's API with its words and statuses."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from whipstaff.server.index import Entry
from whipstaff.server.names import PROVENANCE, is_file_name
from whipstaff.server.refusals import bad, not_found
from whipstaff.server.repository import Repository, Upload
from whipstaff.server.uploads import Incoming
from whipstaff.settings import VERSION

_INDEX_TYPE = "application/x-yaml"
_ARCHIVE_TYPE = "application/x-tar"
_PROVENANCE_TYPE = "application/pgp-signature"
_JSON_TYPE = "application/json"
_SAVED = {"saved": True}
_PIECE_BYTES = 256 << 10


async def health(_request: Request) -> Response:
    """Say that the process answers."""
    return JSONResponse({"healthy": True})


async def info(_request: Request) -> Response:
    """Say which version this is."""
    return JSONResponse({"version": VERSION})


async def index(request: Request, repository: Repository) -> Response:
    """Send index.yaml, unless the client has it."""
    text, tag = (await repository.index()).as_yaml()
    headers = _cached(tag)
    if _has(request, tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return _in_pieces(text, _INDEX_TYPE, headers)


async def file(request: Request, repository: Repository) -> Response:
    """Send an archive or a provenance, unless the client has it."""
    name = request.path_params["file"]
    if not is_file_name(name):
        raise not_found("object not found")
    stored, content, tag = await repository.open(name)
    headers = {**_cached(tag), "Content-Length": str(stored.size_bytes)}
    if _has(request, tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=_cached(tag))
    media_type = _PROVENANCE_TYPE if name.endswith(PROVENANCE) else _ARCHIVE_TYPE
    if request.method == "HEAD":
        return Response(media_type=media_type, headers=headers)
    return StreamingResponse(content, media_type=media_type, headers=headers)


async def charts(request: Request, repository: Repository) -> Response:
    """List all charts with their versions, or `limit` of them from `offset` on."""
    found = await repository.index()
    offset = _number(request, "offset", 0, "offset is not a valid non-negative integer")
    limit = _number(request, "limit", 1, "limit is not a valid positive integer")
    names = found.names[offset or 0 :]
    return _in_pieces(found.as_json(names if limit is None else names[:limit]), _JSON_TYPE)


async def chart(request: Request, repository: Repository) -> Response:
    """List the versions of a chart."""
    found = await repository.index()
    name = request.path_params["name"]
    if not found.versions(name):
        raise not_found("chart not found")
    return Response(found.versions_as_json(name), media_type=_JSON_TYPE)


async def version(request: Request, repository: Repository) -> Response:
    """Describe a version of a chart."""
    return Response((await _entry(request, repository)).json, media_type=_JSON_TYPE)


async def values(request: Request, repository: Repository) -> Response:
    """Send the values.yaml of a version."""
    found = await repository.show(await _entry(request, repository), "values")
    if found["values"] is None:
        raise not_found("values.yaml not found")
    return Response(base64.b64decode(found["values"]), media_type="application/yaml")


async def templates(request: Request, repository: Repository) -> Response:
    """Send the templates of a version, in base64, and its values."""
    found = await repository.show(await _entry(request, repository), "templates")
    return Response(json.dumps(found), media_type=_JSON_TYPE)


async def delete(request: Request, repository: Repository) -> Response:
    """Delete a version of a chart."""
    await repository.delete(request.path_params["name"], request.path_params["version"])
    return JSONResponse({"deleted": True})


class Uploads:
    """The ways in: one file as the body, or an archive, its provenance or both in a form."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming

    async def chart(self, request: Request, repository: Repository) -> Response:
        """Take a chart, or what a form holds."""
        async with self._incoming.files(request) as files:
            await repository.put(_upload(request, files, body="chart"))
        return JSONResponse(_SAVED, HTTPStatus.CREATED)

    async def provenance(self, request: Request, repository: Repository) -> Response:
        """Take a provenance."""
        async with self._incoming.files(request) as files:
            await repository.put(_upload(request, files, body="prov"))
        return JSONResponse(_SAVED, HTTPStatus.CREATED)


def _upload(request: Request, files: Mapping[str, Path], body: str) -> Upload:
    is_form = "body" not in files
    sent = files if is_form else {body: files["body"]}
    force = "force" in request.query_params
    upload = Upload(sent.get("chart"), sent.get("prov"), force, is_form)
    if upload.archive is None and upload.provenance is None:
        raise bad("no package or provenance file found in form fields chart and prov")
    return upload


async def _entry(request: Request, repository: Repository) -> Entry:
    found = await repository.index()
    name, wanted = request.path_params["name"], request.path_params["version"]
    if not found.versions(name):
        raise not_found("no chart name found")
    entry = found.find(name, wanted)
    if entry is None:
        raise not_found(f"no chart version found for {name}-{wanted}")
    return entry


def _number(request: Request, name: str, least: int, problem: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or int(text[:18]) < least:
        raise bad(problem)
    return int(text[:18])


def _in_pieces(
    body: bytes, media_type: str, headers: Mapping[str, str] | None = None
) -> StreamingResponse:
    """Send what is long and shared: as a whole, each slow reader would have a copy in memory."""

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), _PIECE_BYTES):
            yield body[start : start + _PIECE_BYTES]

    known = {**(headers or {}), "Content-Length": str(len(body))}
    return StreamingResponse(pieces(), media_type=media_type, headers=known)


def _cached(tag: str) -> dict[str, Any]:
    return {"ETag": tag, "Cache-Control": "no-cache"}


def _has(request: Request, tag: str) -> bool:
    held = request.headers.get("if-none-match", "")
    return held.strip() == "*" or tag in {one.strip().removeprefix("W/") for one in held.split(",")}
