"""An API server that says what a test wants said."""

import asyncio
import json
from collections import deque
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

from whipstaff.kube.client import Client
from whipstaff.kube.connection import Given

NEVER = object()  # an answer that does not come; in a watch: nothing more, and no end


def status(code, reason="", message="", **details):
    body = {"kind": "Status", "status": "Failure", "message": message, "reason": reason}
    return body | {"code": code, "details": details}


def refused(code, reason="", message="", headers=None, **details):
    body = status(code, reason, message, **details)
    return web.json_response(body, status=code, headers=headers)


def event(kind, body):
    return json.dumps({"type": kind, "object": body}) + "\n"


class StubApiServer:
    """Answers each request with the next answer for its method and path, the last one for ever.

    An answer is a response, a JSON value, an exception class to cut the connection, or NEVER. A
    list answers a watch: text to send, an exception class to cut, or NEVER to stay silent.
    """

    def __init__(self):
        self.requests = []
        self._answers = {}

    def on(self, method, path, *answers):
        self._answers[method, path] = deque(answers)

    def watches(self, path, *answers):
        self._answers["WATCH", path] = deque(answers)

    def asked(self, method):
        return [request for request in self.requests if request["method"] == method]

    async def handle(self, request):
        method = "WATCH" if "watch" in request.query else request.method
        text = await request.text()
        self.requests.append(
            {
                "method": method,
                "path": request.path,
                "query": dict(request.query),
                "headers": request.headers.copy(),
                "text": text,
                "body": json.loads(text) if text else None,
            }
        )
        answers = self._answers.get((method, request.path))
        if not answers:
            return refused(404, "NotFound", f"{request.path} not found")
        answer = answers.popleft() if len(answers) > 1 else answers[0]
        if callable(answer) and not isinstance(answer, type):
            answer = answer()
        if isinstance(answer, list):
            return await self._stream(request, answer)
        if answer is NEVER:
            await asyncio.sleep(3600)
        if answer is ConnectionResetError:
            request.transport.abort()
            return web.Response()
        return answer if isinstance(answer, web.StreamResponse) else web.json_response(answer)

    async def _stream(self, request, lines):
        response = web.StreamResponse()
        await response.prepare(request)
        for line in lines:
            if line is NEVER:
                await asyncio.sleep(3600)
            elif line is ConnectionResetError:
                request.transport.abort()
            else:
                await response.write(line if isinstance(line, bytes) else line.encode())
        return response


@asynccontextmanager
async def a_stub(connection=lambda url: Given(url, tls=True, token="t"), **options):
    """Yield a stub and a client of it; `connection` makes of its URL how it is connected to."""
    stub = StubApiServer()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{path:.*}", stub.handle)
    server = TestServer(app)
    await server.start_server(shutdown_timeout=0.1)
    url = str(server.make_url("")).rstrip("/")
    try:
        async with Client(connection(url), jitter=lambda: 0.0, **options) as client:
            yield stub, client
    finally:
        await server.close()


async def until(condition, seconds=60.0):
    """Wait for something that a test expects to become true."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is awaited has no event of its own
            await asyncio.sleep(0.01)
