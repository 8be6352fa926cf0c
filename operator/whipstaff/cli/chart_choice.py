"""What a person calls a chart, as what a HelmRelease says of it.

The chart is fetched once, as helm does: so that its version is known and stays, and that a mistake
is told now. What the operator cannot fetch (a folder, an archive) goes into a Secret.
"""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click

from whipstaff.chart import packing
from whipstaff.chart.model import Chart
from whipstaff.cli import chart_files, given_files
from whipstaff.cli.chart_options import ChartOptions, located
from whipstaff.cli.helm_home import HelmHome, RepositoryEntry
from whipstaff.errors import OperatorError
from whipstaff.helmrelease.names import API_VERSION, GROUP
from whipstaff.helmrepository.names import KIND as REPOSITORY_KIND
from whipstaff.release.revision import JsonObject

CHART_OF = f"{GROUP}/chart-of"  # label of a Secret that holds a packed chart: whose it is
SECRET_BYTES_LIMIT = 1 << 20

_KEY = "chart.tgz"


@dataclass(frozen=True, slots=True)
class Choice:
    """What `spec.chart` says, and the objects that have to be there before."""

    spec: JsonObject
    objects: tuple[JsonObject, ...] = ()


def choice(
    reference: str, options: ChartOptions, home: HelmHome, name: str, namespace: str
) -> Choice:
    """Find a chart for the release `name`; a ClickException in helm's words."""
    path = located(reference, options, home)
    try:
        chart = chart_files.load_any(path)
    except chart_files.ChartNotFound as error:
        raise click.ClickException(str(error)) from error
    if chart.metadata.type not in {"", "application"}:
        raise click.ClickException(f"{chart.metadata.type} charts are not installable")
    repository = _repository(reference, options, home)
    if repository is None:
        return _packed(path, chart, name, namespace)
    spec: JsonObject = {"name": chart.name, "version": chart.metadata.version}
    objects = tuple(_objects(repository, name, namespace))
    if not objects:
        return Choice({**spec, "repository": repository.url})
    return Choice({**spec, "repositoryRef": {"name": _called(name)}}, objects)


def _repository(reference: str, options: ChartOptions, home: HelmHome) -> RepositoryEntry | None:
    """Say where the operator finds the chart too; None if only this machine has it."""
    given = RepositoryEntry(
        "",
        options.repo,
        options.username,
        options.password,
        options.cert_file,
        options.key_file,
        options.ca_file,
        options.insecure_skip_tls_verify,
        options.pass_credentials,
    )
    if options.repo:
        return given
    if Path(reference).exists():
        return None
    if reference.startswith("oci://"):
        folder = reference.partition("@")[0].rpartition("/")[0]
        return RepositoryEntry("", folder, options.username, options.password)
    if urlsplit(reference).scheme:
        return None
    return home.known_repositories().named(reference.partition("/")[0])


def _objects(entry: RepositoryEntry, name: str, namespace: str) -> Iterator[JsonObject]:
    """Yield a HelmRepository and its Secrets, if the repository asks for anything."""
    if entry.insecure_skip_tls_verify:
        raise click.ClickException(
            "the operator checks certificates of repositories: give --ca-file in place of "
            "--insecure-skip-tls-verify"
        )
    files = {"ca.crt": entry.ca_file, "tls.crt": entry.cert_file, "tls.key": entry.key_file}
    certificates = {key: given_files.read(file) for key, file in files.items() if file}
    login = {"username": entry.username, "password": entry.password} if entry.username else {}
    if not login and not certificates:
        return
    spec: JsonObject = {"url": entry.url}
    if login:
        texts = {key: text.encode() for key, text in login.items()}
        yield _secret(f"{_called(name)}-login", namespace, texts)
        spec["secretRef"] = {"name": f"{_called(name)}-login"}
        if entry.pass_credentials_all:
            spec["passCredentials"] = True
    if certificates:
        yield _secret(f"{_called(name)}-certificates", namespace, certificates)
        spec["certSecretRef"] = {"name": f"{_called(name)}-certificates"}
    yield {
        "apiVersion": API_VERSION,
        "kind": REPOSITORY_KIND,
        "metadata": {"name": _called(name), "namespace": namespace},
        "spec": spec,
    }


def _called(name: str) -> str:
    return f"{name}-repository"


def _packed(path: Path, chart: Chart, name: str, namespace: str) -> Choice:
    try:
        archive = packing.pack(chart) if path.is_dir() else given_files.read(path)
    except OperatorError as error:
        raise click.ClickException(str(error)) from error
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
