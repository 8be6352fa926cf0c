"""`whipstaff serve`: packaged charts over HTTP, as `helm serve` and chartmuseum had them."""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from whipstaff.errors import OperatorError

if TYPE_CHECKING:
    from whipstaff.server.access import Access
    from whipstaff.server.options import Options
    from whipstaff.serving.listener import TLS

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"(\d+)([kmgt]?)(?:i?b)?", re.IGNORECASE | re.ASCII)


class Size(click.ParamType[int]):
    """A number of bytes, as in 20MiB: K, M, G and T are powers of 1024."""

    name = "size"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's own
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        if isinstance(value, int):
            return value
        if not (match := _SIZE.fullmatch(str(value).strip())):
            self.fail(f"{value!r} is no size, as 20MiB is one", param, ctx)
        return int(match[1]) * _UNITS[match[2].lower()]


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("serve")
@click.option(
    "--address", default="127.0.0.1:8879", show_default=True, help="HOST:PORT to listen at."
)
@click.option(
    "--repo-path",
    metavar="FOLDER|URL",
    help="Folder of the charts, or the URL of an object store (s3://…, gs://…, az://…). "
    "[default: repository/local in helm's data folder]",
)
@click.option(
    "--url", default="", help="URL of this server in the index; without it, URLs are relative."
)
@click.option("--context-path", default="", metavar="PATH", help="Path under which all is served.")
@click.option(
    "--depth", default=0, show_default=True, help="Folders down to a repository: 0 for one."
)
@click.option(
    "--credentials", type=_FILE, metavar="FILE", help="Users and tokens with their scopes, in YAML."
)
@click.option(
    "--anonymous-read/--no-anonymous-read",
    default=None,
    help="Let anyone read; without credentials, anyone may.",
)
@click.option(
    "--anonymous-write/--no-anonymous-write",
    default=None,
    help="Let anyone write; without credentials, anyone on this machine may.",
)
@click.option("--tls-cert", type=_FILE, help="Certificate of the server, in PEM.")
@click.option("--tls-key", type=_FILE, help="Its key.")
@click.option("--tls-client-ca", type=_FILE, help="Whose certificates clients have to show.")
@click.option("--max-chart-size", type=Size(), default="20MiB", show_default=True)
@click.option("--quota", type=Size(), default="0", help="Bytes of one repository; 0 for no limit.")
@click.option("--max-files", default=0, help="Charts and provenances of one; 0 for no limit.")
@click.option("--allow-overwrite", is_flag=True, help="Replace versions without `?force`.")
@click.option("--forbid-force", is_flag=True, help="Replace no version, even with `?force`.")
@click.option(
    "--refresh",
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How old the view of an object store may be.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
)
def serve(
    address: str,
    repo_path: str | None,
    log_level: str,
    **flags: Any,  # noqa: ANN401 - click checked the types
) -> None:
    """Serve packaged charts over HTTP, as `helm serve` did."""
    from whipstaff.cli.helm_home import HelmHome  # noqa: PLC0415 - help needs none of it
    from whipstaff.controller.logs import log_as_json  # noqa: PLC0415
    from whipstaff.server.running import run  # noqa: PLC0415
    from whipstaff.server.storage import without_login  # noqa: PLC0415

    log_as_json(log_level)
    environment = os.environ  # noqa: TID251 - read once, here
    place = repo_path or str(HelmHome.of(environment).local_charts)
    try:
        options = _options(address, place, flags, environment)
        run(
            options,
            lambda url: click.echo(f"Serving the charts of {without_login(place)} at {url}"),
        )
    except OperatorError as error:
        raise click.ClickException(str(error)) from error


def _options(
    address: str, place: str, flags: dict[str, Any], environment: Mapping[str, str]
) -> "Options":
    from whipstaff.server.options import Options  # noqa: PLC0415
    from whipstaff.serving.listener import split_address  # noqa: PLC0415

    host, port = split_address(address)
    options = Options(
        storage=place,
        host=host,
        port=port,
        tls=_tls(flags),
        url=flags["url"],
        context_path=flags["context_path"],
        depth=flags["depth"],
        chart_bytes=flags["max_chart_size"],
        quota_bytes=flags["quota"],
        quota_files=flags["max_files"],
        overwrite=flags["allow_overwrite"],
        forbid_force=flags["forbid_force"],
        refresh_seconds=flags["refresh"],
    )
    access = _access(flags, environment, is_local=options.listener.is_local)
    return replace(options, access=access)


def _access(flags: dict[str, Any], environment: Mapping[str, str], *, is_local: bool) -> "Access":
    from whipstaff.server.access import Access, Scope, from_environment, from_file  # noqa: PLC0415

    held = from_environment(environment)
    if flags["credentials"]:
        held += from_file(flags["credentials"])
    read, write = flags["anonymous_read"], flags["anonymous_write"]
    anyone = {
        Scope.READ: not held if read is None else read,
        Scope.WRITE: not held and is_local if write is None else write,
    }
    return Access(tuple(held), frozenset(scope for scope, may in anyone.items() if may))


def _tls(flags: dict[str, Any]) -> "TLS | None":
    from whipstaff.serving.listener import TLS  # noqa: PLC0415

    certificate, key, client_ca = flags["tls_cert"], flags["tls_key"], flags["tls_client_ca"]
    if certificate and key:
        return TLS(certificate, key, client_ca)
    if certificate or key or client_ca:
        raise click.UsageError("--tls-cert and --tls-key are given together")
    return None
