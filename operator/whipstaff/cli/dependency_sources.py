"""Where the charts come from that a chart declares: helm's repositories, others, registries."""

import asyncio
import hashlib
import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from whipstaff.chart.lock import constraint, first_allowed
from whipstaff.chart.model import Dependency
from whipstaff.cli import chart_source, downloads, registry_source, repository_index
from whipstaff.cli.chart_options import ChartOptions
from whipstaff.cli.chart_source import Retrieved
from whipstaff.cli.given_values import os_text
from whipstaff.cli.helm_home import HelmHome, Refused, RepositoryEntry
from whipstaff.cli.repo import keep_index
from whipstaff.cli.repository_index import IndexEntry, IndexInvalid
from whipstaff.golang import url as go_url
from whipstaff.golang.semver import SemverError, Version
from whipstaff.golang.strconv import quote

LOCAL = "file://"
REGISTRY = "oci://"

_UNMANAGED = "helm-manager-"  # how helm names the indexes of repositories that it does not know
_NAMED = ("@", "alias:")
_HINT = """
Note that repositories must be URLs or aliases. For example, to refer to the "example"
repository, use "https://charts.example.com/" or "@example" instead of
"example". Don't forget to add the repo, too ('whipstaff repo add').
"""

Say = Callable[[str], None]


class RepositoryUnknown(Refused):
    """A lock names repositories that are in no list."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where a chart is downloaded from: `url` is shown, `reference` is what finds it."""

    url: str
    reference: str
    options: ChartOptions


@dataclass(frozen=True, slots=True)
class Sources:
    """The repositories that helm knows, and how others are asked."""

    home: HelmHome
    entries: tuple[RepositoryEntry, ...]
    registry: ChartOptions  # of registries alone, as in helm

    @classmethod
    def of(cls, home: HelmHome, registry: ChartOptions) -> "Sources":
        """Read helm's list of repositories."""
        return cls(home, home.known_repositories().entries, registry)

    def url_of(self, repository: str) -> str | None:
        """Return the URL of a repository as a chart declares it; None for an unknown name."""
        for entry in self.entries:
            if any(repository == f"{prefix}{entry.name}" for prefix in _NAMED):
                return entry.url
        known = self.named(repository) is not None
        return repository if known or _is_url(repository) else None

    def named(self, repository: str) -> RepositoryEntry | None:
        """Return the known repository of a URL, None if there is none."""
        return next((one for one in self.entries if same_url(one.url, repository)), None)

    def check_known(self, locked: Sequence[Dependency]) -> None:
        """Raise RepositoryUnknown if helm does not know where locked charts come from."""
        unknown = [
            one.repository
            for one in locked
            if one.repository
            and not one.repository.startswith((LOCAL, REGISTRY))
            and self.named(one.repository.removesuffix("/")) is None
        ]
        if unknown:
            raise RepositoryUnknown(
                f"no repository definition for {', '.join(unknown)}. "
                "Please add the missing repos via 'whipstaff repo add'"
            )

    def unmanaged(self, requirements: Sequence[Dependency]) -> list[RepositoryEntry]:
        """The repositories of declared charts that helm's list has not, with helm's names."""
        return [
            RepositoryEntry(_unmanaged_name(one.repository), one.repository)
            for one in requirements
            if one.repository
            and not one.repository.startswith((LOCAL, REGISTRY))
            and self.named(one.repository) is None
        ]

    def refresh(self, entries: Sequence[RepositoryEntry], say: Say) -> None:
        """Fetch indexes, each repository's once, and tell how that went; failures are told too."""
        by_url = {one.url.removesuffix("/"): one for one in entries}
        for entry in by_url.values():
            chart_source.check_scheme(entry.url)
        asyncio.run(self._refresh(list(by_url.values()), say))

    async def _refresh(self, entries: Sequence[RepositoryEntry], say: Say) -> None:
        bar = downloads.Bar("indexes")

        async def one(client: downloads.Downloads, entry: RepositoryEntry) -> None:
            shown = downloads.shown(entry.url)
            managed = not entry.name.startswith(_UNMANAGED)
            name = quote(entry.name if managed else shown)
            try:
                data, index = await chart_source.downloaded_index(client, entry)
                keep_index(self.home, entry.name, data, list(index.charts))
            except Refused as error:
                place = f" ({shown})" if managed else ""
                said = f"...Unable to get an update from the {name} chart repository{place}:"
                said += f"\n\t{error.message}"
            else:
                said = f"...Successfully got an update from the {name} chart repository"
            bar.clear()
            say(said)

        async with downloads.open_downloads(bar=bar) as client:
            await asyncio.gather(*(one(client, entry) for entry in entries))

    def versions(self, one: Dependency) -> Sequence[str] | None:
        """The versions of a chart, newest first; None where what is declared has to do."""
        if one.repository.startswith(REGISTRY):
            return self._tags(one)
        entry = self.named(one.repository)
        name = entry.name if entry else _unmanaged_name(one.repository)
        try:
            listed = self._index(name, one.name)
        except (OSError, IndexInvalid) as error:
            why = self._why(name, error)
            raise Refused(
                f"no cached repository for {name} found. (try 'whipstaff repo update'): {why}"
            ) from error
        if listed is None:
            raise Refused(f"{one.name} chart not found in repo {one.repository}")
        return [found.version for found in listed if found.urls]

    def _tags(self, one: Dependency) -> Sequence[str] | None:
        try:
            Version.parse(one.version)
        except SemverError:
            pass
        else:
            return [one.version]
        try:
            tags = registry_source.tags(f"{one.repository}/{one.name}", self.registry, self.home)
        except Refused as error:
            raise Refused(
                f"could not retrieve list of tags for repository {one.repository}: {error.message}"
            ) from error
        # Which range has no tag, the registry is asked again when the chart is downloaded.
        return tags if first_allowed(constraint(one), tags) else None

    def check_indexes(self) -> None:
        """Refuse to go on if the index of a known repository was never fetched."""
        for entry in self.entries:
            file = self.home.index_file(entry.name)
            try:
                file.stat()
            except OSError as error:
                raise Refused(os_text(str(file), error)) from error

    def find(self, one: Dependency) -> Found:
        """Find a locked chart; Refused if its repository has it not."""
        if one.repository.startswith(REGISTRY):
            url = f"{one.repository}/{one.name}"
            return Found(url, url, replace(self.registry, version=one.version))
        entry = self.named(one.repository)
        if entry is None:
            # Asked again, as in helm: who is not known has no index that is kept up to date.
            options = ChartOptions(repo=one.repository, version=one.version)
            url = f"{one.repository.rstrip('/')}/{one.name} {one.version}"
            return Found(url, one.name, options)
        listed = self._index(entry.name, one.name)
        if listed is None:
            raise Refused("could not find : entry not found")
        found = next((each for each in listed if each.urls and _same(one, each)), None)
        if found is None:
            raise Refused("could not find : no matching version")
        options = ChartOptions(version=found.version)
        url = chart_source.resolved(one.repository, found.urls[0])
        return Found(url, f"{entry.name}/{one.name}", options)

    def retrieve(self, found: Found, *, provenance: bool) -> Retrieved:
        """Download a chart."""
        return chart_source.retrieved(
            found.reference, found.options, self.home, provenance=provenance
        )

    def _index(self, repository: str, chart: str) -> tuple[IndexEntry, ...] | None:
        file = self.home.index_file(repository)
        return repository_index.read(file.read_bytes(), str(file), chart).charts.get(chart)

    def _why(self, repository: str, error: Exception) -> str:
        file = str(self.home.index_file(repository))
        if isinstance(error, OSError):
            return os_text(file, error)
        return f"error loading {file}: {error}"


def unknown_names(names: Sequence[str]) -> Refused:
    """Say that names of repositories are not in helm's list."""
    text = f"no repository definition for {', '.join(names)}. "
    text += "Please add them via 'whipstaff repo add'"
    bare = [one for one in names if "//" not in one and not one.startswith(_NAMED)]
    return Refused(text + _HINT.rstrip("\n") if bare else text)


def same_url(one: str, other: str) -> bool:
    """Whether two URLs are of one repository: a slash at the end does not count."""
    try:
        urls = go_url.parse(one), go_url.parse(other)
    except go_url.URLError:
        return posixpath.normpath(one) == posixpath.normpath(other)
    for url in urls:
        url.path = posixpath.normpath(url.path or "/")
    return str(urls[0]) == str(urls[1])


def _same(one: Dependency, entry: IndexEntry) -> bool:
    if not one.version:
        return True
    try:
        return Version.parse(one.version) == Version.parse(entry.version)
    except SemverError:
        return one.version == entry.version


def _unmanaged_name(url: str) -> str:
    return _UNMANAGED + hashlib.sha256(url.encode("utf-8", "surrogateescape")).hexdigest()


def _is_url(text: str) -> bool:
    try:
        found = go_url.parse(text)
    except go_url.URLError:
        return False
    return bool(found.scheme) or text.startswith("/")
