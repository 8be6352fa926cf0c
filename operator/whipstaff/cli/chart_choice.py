"""What a person calls a chart, as what a HelmRelease says of it.

The chart is fetched once, as helm does: so that its version is known and stays, and that a mistake
is told now. What the operator cannot fetch (a folder, an archive) goes into a Secret.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from whipstaff.cli import given_files
from whipstaff.cli.chart_options import ChartOptions, located
from whipstaff.cli.debugging import timed
from whipstaff.cli.helm_home import HelmHome, Refused, RepositoryEntry
from whipstaff.errors import OperatorError
from whipstaff.helmrelease.names import API_VERSION, GROUP
from whipstaff.helmrepository.names import KIND as REPOSITORY_KIND
from whipstaff.release.revision import JsonObject

if TYPE_CHECKING:
    from whipstaff.chart.model import Chart

CHART_OF = f"{GROUP}/chart-of"  # label of a Secret that holds a packed chart: whose it is
SECRET_BYTES_LIMIT = 1 << 20

_KEY = "chart.tgz"


@dataclass(frozen=True, slots=True)
class Choice:
    """What `spec.chart` says, and the objects that have to be there before."""

    spec: JsonObject
    objects: tuple[JsonObject, ...] = ()
    note: str = ""  # what a person should know of them


def choice(
    reference: str,
    options: ChartOptions,
    home: HelmHome,
    name: str,
    namespace: str,
    *,
    complete: bool = False,
) -> Choice:
    """Find a chart for the release `name`; a ClickException in helm's words.

    `complete`: what the charts/ of a folder lack is put into it.
    """
    from whipstaff.cli import chart_files  # noqa: PLC0415 - help needs none

    with timed("chart found", chart=_told(reference)):
        path = located(reference, options, home)
    try:
        chart = chart_files.load_any(path)
        if complete and path.is_dir() and _complete(path, chart, options, home):
            chart = chart_files.load_any(path)
    except chart_files.ChartNotFound as error:
        raise Refused(str(error)) from error
    if chart.metadata.type not in {"", "application"}:
        raise click.ClickException(f"{chart.metadata.type} charts are not installable")
    place = _place(reference, options, home)
    if place is None:
        return _packed(path, chart, name, namespace)
    spec: JsonObject = {"name": chart.name, "version": chart.metadata.version}
    objects = tuple(_objects(place, name, namespace))
    if not objects:
        return Choice({**spec, "repository": place.url})
    note = f"Note: Secret {namespace}/{_called(name)}-login holds the login at {_told(place.url)}"
    reference_to_it = {"repositoryRef": {"name": _called(name)}}
    return Choice(
        {**spec, **reference_to_it}, objects, f"{note}, for the operator" if place.login else ""
    )


def _told(reference: str) -> str:
    """Return what a person calls the chart, without a login or a query."""
    parts = urlsplit(reference)
    if not parts.scheme:
        return reference
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _complete(path: Path, chart: "Chart", options: ChartOptions, home: HelmHome) -> bool:
    """Put into charts/ what it lacks, and say whether that was anything."""
    from whipstaff.chart.lock import missing  # noqa: PLC0415 - hardly ever asked for
    from whipstaff.cli.dependency_files import Manager, Verify  # noqa: PLC0415 - asyncio, aiohttp

    if not missing(chart):
        return False
    Manager(str(path), home, options, click.echo, skip_refresh=False, verify=Verify.NEVER).update()
    return True


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the operator finds the chart too, and what it needs there."""

    url: str
    login: Mapping[str, str] = field(default_factory=dict, repr=False)  # data of a Secret
    files: Mapping[str, str] = field(default_factory=dict)  # certificates: by key, their paths
    pass_credentials: bool = False
    insecure: bool = False


def _place(reference: str, options: ChartOptions, home: HelmHome) -> _Place | None:
    """Say where the operator finds the chart too; None if only this machine has it."""
    if options.repo:
        return _of_repository(options.repository)
    if Path(reference).exists():
        return None
    if reference.startswith("oci://"):
        return _of_registry(reference.partition("@")[0].rpartition("/")[0], options, home)
    if urlsplit(reference).scheme:
        return None
    known = home.known_repositories().named(reference.partition("/")[0])
    return _of_repository(known) if known is not None else None


def _of_repository(entry: RepositoryEntry) -> _Place:
    login = {"username": entry.username, "password": entry.password} if entry.username else {}
    files = {"ca.crt": entry.ca_file, "tls.crt": entry.cert_file, "tls.key": entry.key_file}
    insecure = entry.insecure_skip_tls_verify
    return _Place(entry.url, login, files, entry.pass_credentials_all and bool(login), insecure)


def _of_registry(folder: str, options: ChartOptions, home: HelmHome) -> _Place:
    from yarl import URL  # noqa: PLC0415 - registries alone

    from whipstaff.cli.registry_login import Access, own_environment  # noqa: PLC0415 - the same

    if options.insecure_skip_tls_verify:
        raise click.ClickException(
            "the operator checks certificates of registries: give --ca-file in place of "
            "--insecure-skip-tls-verify"
        )
    environment = {**own_environment(), "HELM_REGISTRY_CONFIG": str(home.registry_config)}
    found = Access(options.username, options.password).login(URL(folder), environment)
    login = {"username": found.username, "password": found.password} if found.username else {}
    if found.token:
        login = {"bearerToken": found.token}
    if found.identity_token:
        entry = {urlsplit(folder).netloc: {"identitytoken": found.identity_token}}
        login = {".dockerconfigjson": json.dumps({"auths": entry})}
    files = {"ca.crt": options.ca_file, "tls.crt": options.cert_file, "tls.key": options.key_file}
    return _Place(folder, login, files, insecure=options.plain_http)


def _objects(place: _Place, name: str, namespace: str) -> Iterator[JsonObject]:
    """Yield a HelmRepository and its Secrets, if the repository asks for anything."""
    certificates = {key: given_files.read(file) for key, file in place.files.items() if file}
    if not (place.login or certificates or place.insecure):
        return
    spec: JsonObject = {"url": place.url}
    if place.login:
        texts = {key: text.encode() for key, text in place.login.items()}
        yield _secret(f"{_called(name)}-login", namespace, texts)
        spec["secretRef"] = {"name": f"{_called(name)}-login"}
    if certificates:
        yield _secret(f"{_called(name)}-certificates", namespace, certificates)
        spec["certSecretRef"] = {"name": f"{_called(name)}-certificates"}
    if place.pass_credentials:
        spec["passCredentials"] = True
    if place.insecure:
        spec["insecure"] = True
    yield {
        "apiVersion": API_VERSION,
        "kind": REPOSITORY_KIND,
        "metadata": {"name": _called(name), "namespace": namespace},
        "spec": spec,
    }


def _called(name: str) -> str:
    return f"{name}-repository"


def _packed(path: Path, chart: "Chart", name: str, namespace: str) -> Choice:
    from whipstaff.chart import packing  # noqa: PLC0415 - what only this machine has

    try:
        archive = packing.pack(chart) if path.is_dir() else given_files.read(path)
    except OperatorError as error:
        raise Refused(str(error)) from error
    if len(archive) > SECRET_BYTES_LIMIT:
        raise click.ClickException(
            f"the chart takes {len(archive)} bytes packed, and a Secret holds "
            f"{SECRET_BYTES_LIMIT}: put it into a registry or a chart server with "
            "`whipstaff package` and `whipstaff push`, and name it there"
        )
    # By its content: a chart that changes is another Secret, so that chart and values of a
    # HelmRelease change at once.
    digest = hashlib.sha256(archive).hexdigest()
    called = f"{name}-chart-{digest[:12]}"
    secret = _secret(called, namespace, {_KEY: archive})
    secret["metadata"]["labels"] = {CHART_OF: name}
    return Choice({"archiveFrom": {"kind": "Secret", "name": called}}, (secret,))


def _secret(name: str, namespace: str, data: dict[str, bytes]) -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "Opaque",
        "data": {key: base64.b64encode(each).decode("ascii") for key, each in data.items()},
    }
