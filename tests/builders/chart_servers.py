"""A chart server for tests, in the test's own event loop, and the charts that it serves."""

import asyncio
import base64
import hashlib
import json
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from yarl import URL

from tests.builders.charts import packed
from whipstaff.server.access import Access, Credential, Scope
from whipstaff.server.options import Options
from whipstaff.server.running import listening, url_of
from whipstaff.workers import chart_entries

OPEN = Access(anonymous=frozenset(Scope))
LIMIT = 4 << 20


class OwnReader:
    """Opens archives in the test's process, and counts them."""

    def __init__(self, limit=LIMIT):
        self._limit = limit
        self.read = []

    async def chart_entries(self, paths, base):
        self.read += [Path(path).name for path in paths]
        return chart_entries.entries([str(path) for path in paths], base, self._limit)["entries"]

    async def show(self, path, what):
        return getattr(chart_entries, what)(str(path), self._limit)


class Asking:
    """Asks a server; what it sends back is read whole."""

    def __init__(self, url, session, reader):
        self.url = url
        self._session = session
        self.reader = reader

    async def __call__(self, method, path, **request):
        # The path goes out as it is: tests spell what a library would tidy.
        async with self._session.request(
            method, URL(self.url + path, encoded=True), allow_redirects=False, **request
        ) as answer:
            answer.content_read = await answer.read()
            return Answer(answer.status, dict(answer.headers), answer.content_read)

    async def get(self, path, **request):
        return await self("GET", path, **request)

    async def upload(self, archive, path="/api/charts", **request):
        return await self("POST", path, data=archive, **request)


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)


@asynccontextmanager
async def a_chart_server(storage, **options):
    """Serve a folder, open to anyone unless `access` says otherwise."""
    options = Options(
        **{
            "storage": str(storage),
            "port": 0,
            "access": OPEN,
            "chart_bytes": LIMIT,
            **options,
        }
    )
    reader = OwnReader(options.chart_bytes)
    async with listening(options, reader) as (server, sockets, _):
        serving = asyncio.create_task(server.serve(sockets))
        # Charts may be anything: what is sent for them is compared as it came.
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            yield Asking(url_of(options, sockets), session, reader)
        server.should_exit = True
        await serving


def a_chart(name="demo", version="1.0.0", extra="", **files):
    """Pack a chart; keywords are files of it by their names, `.` spelt as `_`."""
    content = {"Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\n{extra}"}
    content |= {place.replace("_", "."): text for place, text in files.items()}
    return packed(content, top=name)


def a_provenance(name="demo", version="1.0.0"):
    """What a signature of a chart looks like."""
    return (
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"
        f"apiVersion: v2\nname: {name}\nversion: {version}\n\n...\nfiles:\n"
        f"  {name}-{version}.tgz: sha256:00\n-----BEGIN PGP SIGNATURE-----\n\nx\n"
        "-----END PGP SIGNATURE-----\n"
    ).encode()


def put(folder, archive, name="demo-1.0.0.tgz"):
    """Lay a file into a folder as another program would."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(archive)
    return folder / name


def a_form(**fields):
    """A form as `helm cm-push` and curl send it: each field a file."""
    form = aiohttp.FormData()
    for field, content in fields.items():
        form.add_field(field, content, filename=f"/tmp/{field}")
    return form


def basic(user, password):
    """The header of a login."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def a_credential(user="", secret="secret", scopes=frozenset(Scope), repositories=()):
    return Credential(user, hashlib.sha256(secret.encode()).digest(), scopes, repositories)
