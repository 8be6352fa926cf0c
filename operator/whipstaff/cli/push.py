"""`whipstaff push`: put a packaged chart into an OCI registry, as `helm push` does."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import click
from yarl import URL

from whipstaff.chart.record import to_record
from whipstaff.cli import chart_files, given_files
from whipstaff.cli.helm_flags import HelmCommand
from whipstaff.cli.helm_home import home_of, home_options
from whipstaff.cli.proxied import registry_client
from whipstaff.cli.registry_login import Access, own_environment, registry_options, said
from whipstaff.errors import OperatorError
from whipstaff.sources.oci_place import SCHEME, ChartPlace
from whipstaff.sources.oci_push import Packaged
from whipstaff.sources.oci_push import push as push_to
from whipstaff.sources.oci_repository import tag_of

_TWO_ARGUMENTS = (
    '"whipstaff push" requires at least 2 arguments\n\n'
    "Usage:  whipstaff push [chart] [remote] [flags]"
)


@click.command("push", cls=HelmCommand)
@click.argument("chart", type=click.Path(path_type=Path), required=False)
@click.argument("remote", required=False)
@registry_options
@home_options
def push(chart: Path, remote: str | None, **flags: Any) -> None:  # noqa: ANN401 - those of Access
    """Put a packaged chart into an OCI registry, as `helm push` does."""
    if remote is None:
        raise click.ClickException(_TWO_ARGUMENTS)
    home = home_of(flags)
    environment = {**own_environment(), "HELM_REGISTRY_CONFIG": str(home.registry_config)}
    try:
        packaged = _packaged(chart)
        name, version = packaged.metadata["name"], packaged.metadata["version"]
        place = Access(**flags).place(_folder(remote), name, environment)
        digest = asyncio.run(_push(place, packaged, tag_of(version)))
    except OperatorError as error:
        raise click.ClickException(str(error)) from error
    reference = f"{place.shown.removeprefix(f'{SCHEME}://')}:{tag_of(version)}"
    click.echo(said("Pushed", reference, digest), nl=False)


async def _push(place: ChartPlace, packaged: Packaged, tag: str) -> str:
    client = registry_client()
    try:
        return await push_to(client, place, packaged, tag)
    finally:
        await client.close()


def _packaged(file: Path) -> Packaged:
    if file.is_dir():
        raise click.ClickException("cannot push directory, must provide chart archive (.tgz)")
    try:
        data, written = given_files.read(file), file.stat().st_mtime
    except FileNotFoundError as error:
        raise click.ClickException(f"{file}: no such file") from error
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error
    try:
        chart = chart_files.load(file)
    except chart_files.ChartNotFound as error:
        raise click.ClickException(str(error)) from error
    provenance = file.with_name(f"{file.name}.prov")
    return Packaged(
        data,
        cast("dict[str, Any]", to_record(chart)["metadata"]),
        datetime.fromtimestamp(int(written), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        provenance.read_bytes() if provenance.is_file() else None,
    )


def _folder(remote: str) -> URL:
    try:
        url = URL(remote)
    except ValueError as error:
        raise click.ClickException(f"invalid chart URL format: {remote}") from error
    if not url.scheme:
        raise click.ClickException('scheme prefix missing from remote (e.g. "oci://")')
    if url.scheme != SCHEME:
        raise click.ClickException(f'scheme "{url.scheme}" not supported')
    if not url.host:
        raise click.ClickException(f"invalid chart URL format: {remote}")
    return url.with_user(None)
