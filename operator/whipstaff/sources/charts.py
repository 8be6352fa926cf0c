"""The ChartSource of the loop: finds out where a chart is, and asks who speaks that scheme."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from yarl import URL

from whipstaff.errors import (
    InvalidSpec,
    RepoAccessDenied,
    RepoAuthInvalid,
    RepoNotFound,
    RepoSuspended,
)
from whipstaff.helmrelease.types import RepositoryKey
from whipstaff.helmrepository.status import Fetched
from whipstaff.helmrepository.types import HelmRepository, RepositorySpec
from whipstaff.reconcile.ports import ChartReference, ResolvedChart
from whipstaff.sources.credentials import (
    ANONYMOUS,
    Credentials,
    SecretData,
    certificates_of,
    login_of,
)
from whipstaff.sources.fetch import displayed
from whipstaff.sources.place import Place, PlacedCharts

_INLINE_FIELD = "spec.chart.repository"


class Secrets(Protocol):
    """Who reads Secrets: the API server, as the operator."""

    async def secret(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """Return a Secret as it is stored, None if there is none."""
        ...


class Charts:
    """Charts of all repositories: those that a HelmRelease gives by URL, and HelmRepositories."""

    def __init__(
        self, schemes: Mapping[str, PlacedCharts], secrets: Secrets, *, timeout_seconds: float
    ) -> None:
        """`schemes`: who is asked for URLs that begin so.

        `timeout_seconds`: of one request to a repository that is no HelmRepository.
        """
        self._schemes = schemes
        self._secrets = secrets
        self._timeout_seconds = timeout_seconds
        self._repositories: dict[RepositoryKey, HelmRepository | InvalidSpec] = {}
        self._places: dict[RepositoryKey, Place] = {}

    async def close(self) -> None:
        """End all connections."""
        for charts in set(self._schemes.values()):
            await charts.close()

    def know(self, key: RepositoryKey, repository: HelmRepository | InvalidSpec) -> None:
        """Take note of a HelmRepository as it is now, or of what is wrong with its spec."""
        before = self._repositories.get(key)
        self._repositories[key] = repository
        same = (
            isinstance(before, HelmRepository)
            and isinstance(repository, HelmRepository)
            and _whereabouts(before) == _whereabouts(repository)
        )
        if not same:
            self._places.pop(key, None)

    def forget(self, key: RepositoryKey) -> None:
        """Take note that a HelmRepository is no more."""
        self._repositories.pop(key, None)
        self._places.pop(key, None)

    async def resolve(self, reference: ChartReference, *, max_age_seconds: float) -> ResolvedChart:
        """Choose a version and have its archive in the cache: the port's promise."""
        if reference.repository_ref is None:
            place = self._inline(reference.repository)
        else:
            repository = self._allowed(reference.repository_ref, reference.namespace)
            place, max_age_seconds = await self._place_now(repository, max_age_seconds)
        charts = self._schemes[place.url.scheme]
        found = await charts.resolve(place, reference, max_age_seconds=max_age_seconds)
        return replace(found, scope=place.scope)

    def named(self, url: URL, reference: ChartReference) -> RepositoryKey | None:
        """Return the HelmRepository of this URL that a chart's dependencies are fetched from.

        Those in the HelmRelease's own namespace count, and the one that the chart is from.
        """
        mine = sorted(key for key in self._repositories if key.namespace == reference.namespace)
        own = [reference.repository_ref] if reference.repository_ref else []
        for key in [*own, *mine]:
            repository = self._repositories.get(key)
            if isinstance(repository, HelmRepository) and _same_place(repository.spec.url, url):
                return key
        return None

    async def refresh(self, repository: HelmRepository) -> Fetched:
        """Ask a HelmRepository now, with its login as it is now; ChartUnavailable and its kin."""
        place = await self.place(repository)
        return await self._schemes[place.url.scheme].refresh(place)

    def _inline(self, text: str) -> Place:
        try:
            url = URL(text)
        except ValueError as error:
            raise InvalidSpec(f"{_INLINE_FIELD} is no URL", _INLINE_FIELD) from error
        if url.scheme not in self._schemes or not url.host:
            *first, last = self._schemes
            wanted = f"{', '.join(first)} or {last}" if first else last
            raise InvalidSpec(
                f"{_INLINE_FIELD} must be an {wanted} URL, not {displayed(url)}", _INLINE_FIELD
            )
        return Place(url.with_user(None), timeout_seconds=self._timeout_seconds)

    def _allowed(self, key: RepositoryKey, namespace: str) -> HelmRepository:
        repository = self._repositories.get(key)
        name = "/".join(key)
        elsewhere = namespace != key.namespace
        if isinstance(repository, HelmRepository) and repository.allows(namespace):
            return repository
        if elsewhere:
            # Whether there is one is not for everyone to know.
            raise RepoAccessDenied(
                f"there is no HelmRepository {name} whose allowedNamespaces name {namespace}", name
            )
        if isinstance(repository, InvalidSpec):
            raise RepoNotFound(f"HelmRepository {name} is wrong: {repository.text}", name)
        raise RepoNotFound(f"there is no HelmRepository {name}", name)

    async def _place_now(
        self, repository: HelmRepository, max_age_seconds: float
    ) -> tuple[Place, float]:
        """Return the place, and how old its index may be.

        The login is read again when the repository is to be asked, and not to look into an index.
        """
        place = self._places.get(repository.key)
        known = place is not None and self._schemes[place.url.scheme].known(place)
        suspended = repository.spec.suspend
        if place is not None and known and (suspended or max_age_seconds == math.inf):
            return replace(place, ask=not suspended), math.inf
        if suspended:
            name = "/".join(repository.key)
            raise RepoSuspended(f"HelmRepository {name} is suspended, and was not asked yet", name)
        return await self.place(repository), max_age_seconds

    async def place(self, repository: HelmRepository) -> Place:
        """Return where a HelmRepository is, with its login as it is now; RepoAuthInvalid."""
        spec = repository.spec
        url = URL(spec.url)
        login = ANONYMOUS
        if spec.secret:
            login = login_of(await self._secret(repository, spec.secret), url)
        if spec.certificate_secret:
            certificates = await self._secret(repository, spec.certificate_secret)
            login = login.trusting(certificates_of(certificates))
        place = Place(
            url,
            login,
            pass_credentials=spec.pass_credentials,
            insecure=spec.insecure,
            timeout_seconds=spec.timeout_seconds,
            scope=repository.uid if _proves_who(login) else "",
        )
        self._places[repository.key] = place
        return place

    async def _secret(self, repository: HelmRepository, name: str) -> SecretData:
        place = f"Secret {repository.namespace}/{name}"
        found = await self._secrets.secret(repository.namespace, name)
        if found is None:
            raise RepoAuthInvalid(f"{place} does not exist", place)
        return SecretData.of(found, place)


def _same_place(text: str, url: URL) -> bool:
    try:
        mine = URL(text)
    except ValueError:
        return False
    paths = mine.path.rstrip("/"), url.path.rstrip("/")
    return mine.origin() == url.origin() and paths[0] == paths[1] and mine.query == url.query


def _whereabouts(repository: HelmRepository) -> tuple[str, RepositorySpec]:
    """Return what decides where a repository is and who we are to it."""
    spec = replace(repository.spec, suspend=False, interval_seconds=0.0, allowed_namespaces=())
    return repository.uid, spec


def _proves_who(login: Credentials) -> bool:
    return bool(login.authorization or login.identity_token or login.certificate)
