"""A chart repository on this machine, for tests and the demo: it packs, serves, fails on demand.

    with ChartRepository() as repository:
        repository.add(Path("charts/samples/plain"))
        repository.faults["index.yaml"] = Fault.HTML
        ...  # repository.url

`python -m tools.chartrepo URL_FILE CHART[=VERSION[=APP_VERSION]]...` serves until it is ended.
"""

import argparse
import enum
import gzip
import hashlib
import io
import re
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

CREATED = "2024-01-01T00:00:00Z"  # the same chart packs to the same index, whenever that is


class Fault(enum.Enum):
    """What goes wrong with the answer for a file."""

    NOT_FOUND = "the file is not there"
    SERVER_ERROR = "the server fails"
    HTML = "a page for people is sent instead, as by a captive portal"
    TRUNCATED = "only the first half is sent"
    WRONG_DIGEST = "the index names a digest that the archive does not have"
    SLOW = "the answer is withheld until the server closes"
    RESET = "the connection is closed without an answer"


def pack(folder: Path, version: str | None = None, app_version: str | None = None) -> bytes:
    """Pack a chart as a gzipped tar: the same files give the same bytes.

    With `version` or `app_version`, Chart.yaml says that instead of what stands in the folder.
    """
    chart = (folder / "Chart.yaml").read_text(encoding="utf-8")
    chart = _replaced(_replaced(chart, "version", version), "appVersion", app_version)
    name = yaml.safe_load(chart)["name"]
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        # Chart.yaml comes first, as in the archives that Helm packs.
        for path in [folder / "Chart.yaml", *_files(folder)]:
            inside = path.relative_to(folder).as_posix()
            data = chart.encode() if inside == "Chart.yaml" else path.read_bytes()
            entry = tarfile.TarInfo(f"{name}/{inside}")
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


@dataclass
class ChartRepository:
    """A repository that is served while its `with` block lasts."""

    faults: dict[str, Fault] = field(default_factory=dict)  # file name -> fault; "*": every file
    requests: list[str] = field(default_factory=list)  # the files asked for, in order
    address: tuple[str, int] = ("127.0.0.1", 0)
    authorization: str = ""  # what the header must hold; empty: nobody is asked who they are
    authorizations: list[str] = field(default_factory=list)  # the headers that came, in order
    archives: dict[str, bytes] = field(default_factory=dict)
    _metadata: dict[str, dict[str, Any]] = field(default_factory=dict)
    _server: ThreadingHTTPServer | None = None
    _closing: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "ChartRepository":
        self._server = _Server(self.address, _handler_of(self))
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    @property
    def url(self) -> str:
        """Say where the repository is, without a slash at the end."""
        if self._server is None:
            raise RuntimeError("the repository is served inside its `with` block only")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def add(
        self, chart: Path | bytes, version: str | None = None, app_version: str | None = None
    ) -> str:
        """Add a chart from its folder, or as a packed archive; return the archive's file name."""
        packed = pack(chart, version, app_version) if isinstance(chart, Path) else chart
        metadata = _metadata_of(packed)
        name = f"{metadata['name']}-{metadata['version']}.tgz"
        self.archives[name], self._metadata[name] = packed, metadata
        return name

    def remove(self, name: str) -> None:
        """Take an archive out of the index, and away."""
        del self.archives[name], self._metadata[name]

    def index(self) -> bytes:
        """Give index.yaml as it would be served without faults of its own."""
        entries: dict[str, list[dict[str, Any]]] = {}
        for name, metadata in self._metadata.items():
            digest = hashlib.sha256(self.archives[name]).hexdigest()
            if self.faults.get(name) is Fault.WRONG_DIGEST:
                digest = hashlib.sha256(b"something else").hexdigest()
            entry = {**metadata, "created": CREATED, "digest": digest, "urls": [name]}
            entries.setdefault(metadata["name"], []).append(entry)
        index = {"apiVersion": "v1", "generated": CREATED, "entries": entries}
        return yaml.safe_dump(index).encode()

    def answer(self, name: str) -> tuple[int, str, bytes] | None:
        """Say what a request for a file is answered with: status, type, body; None: not at all."""
        self.requests.append(name)
        body = self.index() if name == "index.yaml" else self.archives.get(name)
        fault = self.faults.get(name, self.faults.get("*"))
        if body is None or fault is Fault.NOT_FOUND:
            return 404, "text/plain", b"404 page not found\n"
        match fault:
            case Fault.SERVER_ERROR:
                return 500, "text/plain", b"something broke\n"
            case Fault.HTML:
                return 200, "text/html", b"<!DOCTYPE html><html><body>Sign in</body></html>\n"
            case Fault.TRUNCATED:
                return 200, "application/octet-stream", body[: len(body) // 2]
            case Fault.SLOW:
                self._closing.wait()
                return None
            case Fault.RESET:
                return None
            case _:
                return 200, "application/octet-stream", body


class _Server(ThreadingHTTPServer):
    daemon_threads = True


def _handler_of(repository: ChartRepository) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown = self.headers.get("Authorization", "")
            repository.authorizations.append(shown)
            if repository.authorization and shown != repository.authorization:
                self.send_error(401)
                return
            answer = repository.answer(self.path.split("?")[0].lstrip("/"))
            if answer is None:
                return
            status, kind, body = answer
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: `ChartRepository.requests` holds what was asked for."""

    return Handler


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / "Chart.yaml":
            yield path


def _replaced(chart: str, field_name: str, value: str | None) -> str:
    if value is None:
        return chart
    return re.sub(rf"(?m)^{field_name}:.*$", f'{field_name}: "{value}"', chart, count=1)


def _metadata_of(packed: bytes) -> dict[str, Any]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for entry in archive:
            if entry.name.count("/") == 1 and entry.name.endswith("/Chart.yaml"):
                file = archive.extractfile(entry)
                metadata: dict[str, Any] = yaml.safe_load(file.read() if file else b"")
                return metadata
    raise ValueError("the archive holds no Chart.yaml")


def main() -> None:
    """Serve the named charts until this process is ended."""
    parser = argparse.ArgumentParser(prog="python -m tools.chartrepo")
    parser.add_argument("url_file", type=Path, help="the repository's URL is written to this file")
    parser.add_argument("chart", nargs="+", help="a chart's folder, or FOLDER=VERSION=APP_VERSION")
    given = parser.parse_args()
    with ChartRepository() as repository:
        for chart in given.chart:
            folder, *versions = chart.split("=")
            repository.add(Path(folder), *versions)
        part = given.url_file.with_suffix(".part")
        part.write_text(repository.url, encoding="utf-8")
        part.rename(given.url_file)
        threading.Event().wait()


if __name__ == "__main__":
    main()
