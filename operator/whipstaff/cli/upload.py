"""Put a packaged chart into a chart server: `whipstaff serve`, or what speaks chartmuseum's API."""

import asyncio
import hashlib
import json
import posixpath
import re
from http import HTTPStatus
from pathlib import Path

import aiohttp
from yarl import URL

from whipstaff.cli import chart_source
from whipstaff.cli.chart_options import ChartOptions
from whipstaff.cli.downloads import Bar, Downloads, open_downloads, shown
from whipstaff.cli.helm_home import HelmHome, Refused, RepositoryEntry

_CONTEXT_PATH = re.compile(rb"^serverInfo:\n +contextPath: *[\"']?(/[^\s\"']*)", re.MULTILINE)
_NOT_HERE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})


def uploaded(archive: Path, repository: str, options: ChartOptions, home: HelmHome) -> str:
    """Upload an archive, its provenance with it, and return what to print of it.

    `repository` is a URL, or the name of a repository that helm knows; Refused if it is not taken.
    """
    entry = _entry(repository, options, home)
    chart_source.check_scheme(entry.url)
    provenance = archive.with_name(f"{archive.name}.prov")
    files = {"chart": (archive.name, archive.read_bytes())}
    if provenance.is_file():
        files["prov"] = (provenance.name, provenance.read_bytes())
    place = asyncio.run(_upload(entry, files))
    digest = hashlib.sha256(files["chart"][1]).hexdigest()
    return f"Pushed: {archive.name} to {shown(place)}\nDigest: sha256:{digest}\n"


def _entry(repository: str, options: ChartOptions, home: HelmHome) -> RepositoryEntry:
    if "://" not in repository:
        found = home.known_repositories().named(repository)
        if found is None:
            raise Refused(f"repo {repository} not found")
        return found
    return RepositoryEntry(
        url=repository,
        username=options.username,
        password=options.password,
        cert_file=options.cert_file,
        key_file=options.key_file,
        ca_file=options.ca_file,
        insecure_skip_tls_verify=options.insecure_skip_tls_verify,
    )


async def _upload(entry: RepositoryEntry, files: dict[str, tuple[str, bytes]]) -> str:
    """Send the files where the repository's server takes them; return the repository's URL."""
    bar = Bar(files["chart"][0])
    async with open_downloads(bar=bar) as client:
        paths = await _paths(client, entry)
        bar.clear()
        for path in paths:
            url = str(URL(entry.url).with_path(path).with_query(None))
            form = aiohttp.FormData()
            for field, (name, data) in files.items():
                form.add_field(field, data, filename=name, content_type="application/octet-stream")
            status, answer = await client.post(url, chart_source.asker_of(entry, url), form)
            if status == HTTPStatus.CREATED:
                return entry.url
            if status not in _NOT_HERE or path == paths[-1]:
                raise Refused(f"{shown(url)} does not take the chart: {_said(status, answer)}")
    raise Refused(f"{shown(entry.url)} takes no charts")


async def _paths(client: Downloads, entry: RepositoryEntry) -> list[str]:
    """Say where a server may take charts, the likeliest place first.

    The API is beside the repository: for /context/tenant it is at /context/api/tenant, and what
    comes before the tenant the index tells.
    """
    url = chart_source.resolved(entry.url, "index.yaml")
    index = await client.get(url, chart_source.asker_of(entry, url))
    told = _CONTEXT_PATH.search(index)
    context = told[1].decode() if told else ""
    tenant = URL(entry.url).path.rstrip("/").removeprefix(context).strip("/")
    found = [posixpath.join(context or "/", "api", tenant, "charts")]
    if tenant == "charts" or tenant.endswith("/charts"):
        # `helm serve` had its repository there, and so has `whipstaff serve` besides.
        shorter = tenant.removesuffix("charts").rstrip("/")
        found.insert(0, posixpath.join(context or "/", "api", shorter, "charts"))
    return found


def _said(status: int, answer: bytes) -> str:
    """What a server says of itself; its words are its own, so control characters go."""
    try:
        found = json.loads(answer)
    except ValueError:
        found = None
    text = str(found.get("error", "")) if isinstance(found, dict) else ""
    text = "".join(character for character in text if character.isprintable())[:200]
    return f"{status} {text}".strip()
