"""A web server in a thread that answers as it is told, for commands that run in this process."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from tests.builders.repositories import an_archive


class Reply(NamedTuple):
    """What is sent; `length` is what the head promises, if that is another number of bytes."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None


class ScriptedServer:
    """Answers by path; what it does not know is 404."""

    def __init__(self, tls=None) -> None:
        self.replies: dict[str, Reply] = {}
        self.entries: dict[str, list[dict]] = {}
        self.requests: list[tuple[str, str]] = []  # path, Authorization
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._scheme = "https" if tls else "http"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "ScriptedServer":
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, name="blog", version="1.0.0", archive=None, **changes) -> bytes:
        """Offer a chart, in the index as `changes` say."""
        data = an_archive(name, version) if archive is None else archive
        file = f"{name}-{version}.tgz"
        self.replies[f"/{file}"] = Reply(body=data)
        digest = hashlib.sha256(data).hexdigest()
        facts = {"name": name, "version": version, "urls": [file], "digest": digest}
        self.entries.setdefault(name, []).append(facts | changes)
        index = {"apiVersion": "v1", "entries": self.entries}
        self.replies["/index.yaml"] = Reply(body=json.dumps(index).encode())
        return data

    def redirect(self, path: str, target: str) -> None:
        self.replies[path] = Reply(302, headers=(("Location", target),))

    def logins(self, path: str) -> list[str]:
        return [login for asked, login in self.requests if asked == path]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                server.requests.append((path, self.headers.get("Authorization", "")))
                reply = server.replies.get(path, Reply(404))
                self.send_response(reply.status)
                for name, value in reply.headers:
                    self.send_header(name, value)
                length = len(reply.body) if reply.length is None else reply.length
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
