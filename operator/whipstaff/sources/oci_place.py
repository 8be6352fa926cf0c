"""Where a chart is in a registry, from the URL that people write and the chart's name."""

import re
from dataclasses import dataclass

from yarl import URL

from whipstaff.errors import InvalidSpec
from whipstaff.sources.addresses import literal
from whipstaff.sources.fetch import Asker, displayed
from whipstaff.sources.oci_client import Registry
from whipstaff.sources.place import Place

SCHEME = "oci"

_DOCKER_HUB = frozenset({"docker.io", "index.docker.io"})
_DOCKER_HUB_REGISTRY = "registry-1.docker.io"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_LONGEST_REPOSITORY = 255


@dataclass(frozen=True, slots=True)
class ChartPlace:
    """A repository of a registry, which is one chart; its tags are the versions."""

    place: Place
    name: str
    registry: Registry
    repository: str  # "team/blog"

    @classmethod
    def of(cls, place: Place, name: str) -> "ChartPlace":
        """Say where a chart is; InvalidSpec for a name that no registry allows."""
        folder = place.url.path.strip("/")
        repository = f"{folder}/{name}" if folder else name
        if not _REPOSITORY.fullmatch(repository) or len(repository) > _LONGEST_REPOSITORY:
            raise InvalidSpec(
                f"the chart {name!r} in {displayed(place.url)} has a name that no registry allows: "
                "small letters and digits, with '.', '_' or '-' between them",
                "spec.chart.name",
            )
        return cls(place, name, registry_of(place), repository)

    def url(self, *parts: str) -> URL:
        """Return a URL of the distribution API."""
        return self.registry.origin.joinpath("v2", self.repository, *parts)

    @property
    def folder(self) -> str:
        """Where the registry has this chart and others, for texts."""
        return self.shown.rpartition("/")[0]

    @property
    def shown(self) -> str:
        """The chart's place, for texts."""
        return f"{SCHEME}://{self.registry.origin.authority}/{self.repository}"


def registry_of(place: Place) -> Registry:
    """Return the registry of a place: over plain HTTP where that is asked for, or on this machine.

    A registry on this machine that has a certificate is known by the authority given for it.
    """
    host = place.url.host or ""
    address = literal(host)
    here = host == "localhost" or (address is not None and address.is_loopback)
    plain = place.insecure or (here and not place.credentials.ca)
    authority = _DOCKER_HUB_REGISTRY if host in _DOCKER_HUB else place.url.authority
    return Registry(
        URL.build(scheme="http" if plain else "https", authority=authority),
        Asker(place.credentials, place.insecure, place.timeout_seconds),
    )
