"""Charts from repositories and registries, as helm finds and downloads them.

Unlike helm, an archive whose digest is not the one that its index promises is refused, a cached one
too; a login goes to the repository's own origin, or with --pass-credentials to others, and a chart
that shall be verified is not kept unless it is.
"""

import asyncio
import hashlib
import posixpath
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from string import hexdigits
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit, urlunsplit

from yarl import URL

from whipstaff.cli import downloads, repository_index
from whipstaff.cli.chart_options import ChartOptions, keyring_of
from whipstaff.cli.downloads import Bar, Downloads, open_downloads
from whipstaff.cli.given_values import os_text
from whipstaff.cli.helm_home import HelmHome, Refused, RepositoryEntry, write_whole
from whipstaff.cli.repository_index import IndexInvalid, RepositoryIndex
from whipstaff.cli.verification import Verification, verify
from whipstaff.golang import url as go_url
from whipstaff.golang.semver import SemverError
from whipstaff.golang.strconv import quote
from whipstaff.sources.fetch import Asker, as_written, same_origin

ARCHIVES = "application/gzip,application/octet-stream"
SCHEMES = frozenset({"http", "https"})

_DIGEST_LENGTH = 64  # in hexadecimal


class Retrieved(NamedTuple):
    """A chart that was fetched."""

    file_name: str  # "blog-1.0.0.tgz"
    archive: bytes
    provenance: bytes | None
    notes: str  # what helm prints of it
    provenance_url: str = ""  # where it was looked for
    problem: str = ""  # why there is none


@dataclass(frozen=True, slots=True)
class Place:
    """An archive on a server, and how it is asked for."""

    url: str
    digest: str  # in hexadecimal as the index promises it, or empty
    asker: Asker

    @property
    def file_name(self) -> str:
        """The name of the file that is downloaded."""
        name = posixpath.basename(as_written(self.url).path.rstrip("/"))
        if name in {"", ".", ".."}:
            raise Refused(f"{downloads.shown(self.url)} names no file")
        return name


def cached(reference: str, options: ChartOptions, home: HelmHome) -> Path:
    """Have a chart in helm's cache of archives and return its file."""
    found = retrieved(reference, options, home, provenance=options.verify)
    if options.verify:
        checked(found, options)
    digest = hashlib.sha256(found.archive).hexdigest()
    file = home.content_file(digest)
    if not file.is_file() or file.stat().st_size != len(found.archive):
        write_whole(file, found.archive)
    if found.provenance is not None:
        write_whole(home.content_file(digest, "prov"), found.provenance)
    return file.absolute()


def checked(found: Retrieved, options: ChartOptions) -> Verification:
    """Check who signed a chart; Refused if nobody of the keyring did."""
    if found.provenance is None:
        raise Refused(f"failed to fetch provenance {quote(found.provenance_url)}")
    return verify(found.archive, found.provenance, keyring_of(options), found.file_name)


def retrieved(
    reference: str, options: ChartOptions, home: HelmHome, *, provenance: bool = False
) -> Retrieved:
    """Fetch a chart, with its provenance if that is asked for; Refused in helm's words."""
    if reference.startswith("oci://") and not options.repo:
        from whipstaff.cli import registry_source  # noqa: PLC0415 - only what is needed

        return registry_source.retrieved(reference, options, home, provenance=provenance)
    return asyncio.run(_over_http(reference, options, home, provenance=provenance))


async def _over_http(
    reference: str, options: ChartOptions, home: HelmHome, *, provenance: bool
) -> Retrieved:
    bar = Bar(posixpath.basename(reference.partition("?")[0]))
    try:
        async with open_downloads(bar=bar) as client:
            if options.repo:
                place = await _in_repository(client, reference, options)
            else:
                place = _place(reference, options, home)
            name = place.file_name
            archive = _kept(place, home) or await client.get(place.url, place.asker, ARCHIVES)
            _check_digest(place, archive)
            beside, problem = None, ""
            if provenance:
                beside, problem = await _provenance(client, place, home)
    finally:
        bar.clear()
    beside_url = f"{downloads.shown(place.url)}.prov"
    return Retrieved(name, archive, beside, "", beside_url, problem)


async def _provenance(client: Downloads, place: Place, home: HelmHome) -> tuple[bytes | None, str]:
    if place.digest:
        with suppress(OSError):
            return home.content_file(place.digest, "prov").read_bytes(), ""
    url = f"{place.url}.prov"
    try:
        return await client.get(url, place.asker, ARCHIVES), ""
    except Refused as error:
        return None, error.message


async def _in_repository(client: Downloads, name: str, options: ChartOptions) -> Place:
    """Find a chart in the repository of `--repo`, which helm's list need not have."""
    entry = options.repository
    shown = downloads.shown(entry.url)
    index = await fetched_index(client, entry)
    chart = f"chart {quote(name)}"
    if options.wanted:
        chart = f"{chart} version {quote(options.wanted)}"
    try:
        found = index.find(name, options.wanted)
    except SemverError:
        found = None
    if found is None:
        raise Refused(f"{chart} not found in {shown} repository")
    if not found.urls:
        raise Refused(f"{chart} has no downloadable URLs")
    url = resolved(entry.url, found.urls[0])
    return Place(url, _digest(found.digest), asker_of(entry, url))


async def fetched_index(client: Downloads, entry: RepositoryEntry) -> RepositoryIndex:
    """Fetch the index of a repository that need not be known; Refused in helm's words."""
    check_scheme(entry.url)
    try:
        _, index = await downloaded_index(client, entry)
    except Refused as error:
        raise Refused(invalid_repository(entry.url, error.message)) from error
    return index


async def downloaded_index(
    client: Downloads, entry: RepositoryEntry
) -> tuple[bytes, RepositoryIndex]:
    """Return a repository's index as it came, and what it says."""
    url = resolved(entry.url, "index.yaml")
    data = await client.get(url, asker_of(entry, url))
    try:
        return data, repository_index.read(data, downloads.shown(entry.url))
    except IndexInvalid as error:
        raise Refused(str(error)) from error


def invalid_repository(url: str, why: str) -> str:
    """Say that nothing can be had from a repository, and why."""
    shown = quote(downloads.shown(url))
    return f"looks like {shown} is not a valid chart repository or cannot be reached: {why}"


def check_scheme(url: str) -> None:
    """Refuse a URL of a repository that helm would refuse before it asks."""
    try:
        found = go_url.parse(url)
    except go_url.URLError as error:
        raise Refused(f"invalid chart URL format: {downloads.shown(url)}") from error
    if found.scheme not in SCHEMES:
        raise Refused(f"could not find protocol handler for: {found.scheme}")


def resolved(base: str, reference: str) -> str:
    """Resolve a URL of an index: a relative one is below the repository and keeps its query."""
    if urlsplit(reference).scheme:
        return reference
    parts = urlsplit(base)
    folder = urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/", query="", fragment=""))
    return urlunsplit(urlsplit(urljoin(folder, reference))._replace(query=parts.query))


def asker_of(entry: RepositoryEntry, url: str) -> Asker:
    """Return who asks for `url` on behalf of a repository: elsewhere nobody, unless passed on."""
    known = downloads.certificates(entry.ca_file, entry.cert_file, entry.key_file)
    own, target = _url(entry.url), _url(url)
    username, password = entry.username, entry.password
    if not (username and password):
        username, password = own.user or "", own.password or ""
    asker = Asker(
        replace(known, username=username, password=password), entry.insecure_skip_tls_verify
    )
    downgraded = own.scheme == "https" and target.scheme == "http"
    if same_origin(own, target) or (entry.pass_credentials_all and not downgraded):
        return asker
    return replace(asker.as_stranger(), insecure=asker.insecure)


def _url(text: str) -> URL:
    try:
        return as_written(text)
    except ValueError as error:
        raise Refused(f"invalid chart URL format: {downloads.shown(text)}") from error


def _place(reference: str, options: ChartOptions, home: HelmHome) -> Place:
    """Say where the chart of a reference is: a URL, or `REPOSITORY/CHART`."""
    try:
        parsed = go_url.parse(reference)
    except go_url.URLError as error:
        raise Refused(f"invalid chart URL format: {downloads.shown(reference)}") from error
    if parsed.scheme and parsed.host and parsed.path:
        if parsed.scheme not in SCHEMES:
            raise Refused(f'scheme "{parsed.scheme}" not supported')
        entry = _owner(reference, home) or RepositoryEntry(url=reference)
        return Place(reference, "", asker_of(_with_flags(entry, options), reference))
    name, slash, chart = reference.partition("/")
    known = home.known_repositories()
    if not slash:
        raise Refused(
            "non-absolute URLs should be in form of repo_name/path_to_chart, "
            f"got: {downloads.shown(reference)}"
        )
    entry_found = known.named(name)
    if entry_found is None:
        raise Refused(f"repo {name} not found")
    if not entry_found.url:
        raise Refused(f"no URL found for repository {name}")
    return _listed(entry_found, chart, options, home)


def _listed(entry: RepositoryEntry, chart: str, options: ChartOptions, home: HelmHome) -> Place:
    """Find a chart in the cached index of a repository."""
    check_scheme(entry.url)
    index = cached_index(entry.name, home, chart)
    matching = f"chart {quote(chart)} matching {options.wanted} not found in {entry.name} index."
    update = "(try 'whipstaff repo update')"
    if chart not in index.charts:
        raise Refused(f"{matching} {update}: no chart name found")
    if not index.charts[chart]:
        raise Refused(f"{matching} {update}: no chart version found")
    try:
        found = index.find(chart, options.wanted)
    except SemverError as error:
        raise Refused(f"{matching} {update}: {error}") from error
    if found is None:
        why = f"no chart version found for {chart}-{options.wanted}"
        raise Refused(f"{matching} {update}: {why}")
    if not found.urls:
        raise Refused(f"chart {quote(f'{entry.name}/{chart}')} has no downloadable URLs")
    url = resolved(entry.url, found.urls[0])
    if urlsplit(url).scheme not in SCHEMES:
        raise Refused(f'scheme "{urlsplit(url).scheme}" not supported')
    return Place(url, _digest(found.digest), asker_of(_with_flags(entry, options), url))


def cached_index(name: str, home: HelmHome, only: str | None = None) -> RepositoryIndex:
    """Read the index of a repository as it was when it was last fetched, or one chart of it."""
    file = home.index_file(name)
    try:
        return repository_index.read(file.read_bytes(), str(file), only)
    except OSError as error:
        why = os_text(str(file), error)
    except IndexInvalid as error:
        why = f"error loading {file}: {error}"
    raise Refused(f"no cached repo found. (try 'whipstaff repo update'): {why}")


def _with_flags(entry: RepositoryEntry, options: ChartOptions) -> RepositoryEntry:
    """Return how a repository is asked for charts: what its entry leaves open, the flags say."""
    own_login = bool(entry.username and entry.password)
    own_files = bool(entry.cert_file or entry.key_file or entry.ca_file)
    return replace(
        entry,
        username=entry.username if own_login else options.username,
        password=entry.password if own_login else options.password,
        pass_credentials_all=(
            entry.pass_credentials_all if own_login else options.pass_credentials
        ),
        cert_file=entry.cert_file if own_files else options.cert_file,
        key_file=entry.key_file if own_files else options.key_file,
        ca_file=entry.ca_file if own_files else options.ca_file,
        insecure_skip_tls_verify=options.insecure_skip_tls_verify,
    )


def _owner(url: str, home: HelmHome) -> RepositoryEntry | None:
    """Return the repository whose index names a URL, None if none does."""
    wanted = url.encode()
    for entry in home.known_repositories().entries:
        with suppress(OSError, IndexInvalid):
            data = home.index_file(entry.name).read_bytes()
            if wanted not in data:
                continue
            charts = repository_index.read(data, entry.name).charts
            if any(url in one.urls for versions in charts.values() for one in versions):
                return entry
    return None


def _digest(text: str) -> str:
    """Read what an index promises, with or without `sha256:`; Refused for half a digest."""
    digest = text.partition(":")[2] or text
    for letter in digest:
        if letter not in hexdigits:
            raise Refused(f"encoding/hex: invalid byte: U+{ord(letter):04X} {letter!r}")
    if len(digest) % 2:
        raise Refused("encoding/hex: odd length hex string")
    if digest and len(digest) != _DIGEST_LENGTH:
        raise Refused(f"invalid digest length: {len(digest) // 2}")
    return digest.lower()


def _kept(place: Place, home: HelmHome) -> bytes | None:
    """Return an archive from helm's cache, if it is there and whole."""
    if not place.digest:
        return None
    with suppress(OSError):
        data = home.content_file(place.digest).read_bytes()
        if hashlib.sha256(data).hexdigest() == place.digest:
            return data
    return None


def _check_digest(place: Place, archive: bytes) -> None:
    found = hashlib.sha256(archive).hexdigest()
    if place.digest and found != place.digest:
        raise Refused(
            f"{downloads.shown(place.url)} has the digest sha256:{found}, "
            f"but its index promises sha256:{place.digest}"
        )
