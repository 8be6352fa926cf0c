"""A chart repository on a port of its own, which can be made to misbehave."""

import hashlib
import json
import ssl
from typing import Any

from aiohttp import web

from tests.builders.charts import packed
from whipstaff.workers import index, rendering


def an_archive(name="blog", version="1.0.0", **files: str) -> bytes:
    head = f"apiVersion: v2\nname: {name}\nversion: {version}\n"
    return packed({"Chart.yaml": head, **files}, top=name)


class Repository:
    """Charts by name and version; `answers` replace what is at a path."""

    def __init__(self) -> None:
        self.entries: dict[str, list[dict[str, Any]]] = {}
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, Any] = {}  # path to a handler
        self.requests: list[web.Request] = []
        self.index_text: str | None = None
        self.url = ""
        self._runner: web.AppRunner | None = None

    def add(self, version="1.0.0", name="blog", data: bytes | None = None, **changes: Any) -> bytes:
        data = an_archive(name, version) if data is None else data
        file = f"{name}-{version}.tgz"
        self.files[f"/{file}"] = data
        facts = {
            "name": name,
            "version": version,
            "urls": [file],
            "digest": hashlib.sha256(data).hexdigest(),
        }
        self.entries.setdefault(name, []).append(facts | changes)
        return data

    def asked(self, path: str) -> int:
        return sum(request.path == path for request in self.requests)

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._serve)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if request.path in self.answers:
            return await self.answers[request.path](request)
        if request.path == "/index.yaml":
            return self._index(request)
        if request.path in self.files:
            return web.Response(body=self.files[request.path])
        return web.Response(status=404)

    def _index(self, request: web.Request) -> web.Response:
        text = self.index_text
        if text is None:
            text = json.dumps({"apiVersion": "v1", "entries": self.entries})
        tag = f'"{hashlib.sha256(text.encode()).hexdigest()}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304)
        response = web.Response(text=text, headers={"ETag": tag})
        response.enable_compression()
        return response


class DirectReader:
    """Does in this process what the worker pool does in others."""

    def __init__(self) -> None:
        self.indexes = 0
        self.inspections = 0

    async def compact_index(self, source, target, url, before=None):
        self.indexes += 1
        found = index.compact(str(source), str(target), url, str(before or ""))
        changed = found.get("changed")
        charts = None if changed is None else frozenset(changed)
        return charts, tuple(found.get("exchanged", ()))

    async def inspect(self, path):
        self.inspections += 1
        found = rendering.inspect(rendering.Charts(20 << 20), str(path))
        return found["name"], found["version"]
