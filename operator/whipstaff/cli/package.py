"""`whipstaff package`: a chart's folder into an archive, as `helm package` does."""

import os
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import click

from whipstaff.chart import archive, lock, packing, provenance
from whipstaff.chart.model import Chart
from whipstaff.cli import chart_files
from whipstaff.cli.chart_files import ChartNotFound
from whipstaff.cli.chart_options import ChartOptions
from whipstaff.cli.given_values import os_text
from whipstaff.cli.helm_flags import HelmCommand
from whipstaff.cli.helm_home import HelmHome, Refused, home_of, home_options, write_whole
from whipstaff.cli.registry_login import Access, registry_options
from whipstaff.cli.signing import Passphrase, sign
from whipstaff.cli.verification import default_keyring
from whipstaff.errors import OperatorError

_REGISTRY = "oci://"
_EPOCH = "SOURCE_DATE_EPOCH"  # of reproducible-builds.org
_EPOCH_DIGITS = 11  # what a tar header holds


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the flags say of an archive."""

    version: str
    app_version: str
    destination: str
    key: str  # empty: unsigned
    keyring: str
    passphrase: Passphrase
    modified_seconds: int

    def applied(self, chart: Chart) -> Chart:
        """Return the chart with what the flags change of it; Refused for one that is not whole."""
        metadata = chart.metadata
        metadata = replace(
            metadata,
            version=self.version or metadata.version,
            app_version=self.app_version or metadata.app_version,
        )
        packing.check_version(metadata.version)
        if absent := lock.missing(chart):
            raise Refused(lock.missing_text(absent))
        return replace(chart, metadata=metadata)


@click.command("package", cls=HelmCommand)
@click.argument("charts", nargs=-1, metavar="[CHART_PATH]...")
@click.option("-d", "--destination", default=".", help="Folder to write the archive to.")
@click.option("--version", default="", help="Version of the chart, instead of Chart.yaml's.")
@click.option("--app-version", default="", help="Its appVersion, instead of Chart.yaml's.")
@click.option(
    "-u",
    "--dependency-update",
    is_flag=True,
    help="Have the charts of Chart.yaml in charts/ first.",
)
@click.option("--sign", "signed", is_flag=True, help="Sign the archive with a key of OpenPGP.")
@click.option("--key", default="", help="Name of the key's user, or a part of it.")
@click.option(
    "--keyring",
    default=default_keyring,
    metavar="FILE",
    help="File of the key; GnuPG's if not given.",
)
@click.option(
    "--passphrase-file", default="", metavar="FILE", help="File of its passphrase, `-` for a pipe."
)
@click.option(
    "--push", "target", default="", metavar="REPO", help="Where to put the archive: URL or name."
)
@registry_options
@home_options
def package(charts: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Pack a chart's folder into an archive, as `helm package` does."""
    wanted = _wanted(charts, flags)
    registry = {one.name: flags[one.name] for one in fields(Access)}
    home = home_of(flags)
    for name in charts:
        _check_there(name)
        folder = Path(os.path.abspath(name))  # noqa: PTH100 - Go's: `..` goes before links are read
        if flags["dependency_update"]:
            from whipstaff.cli.dependency_files import Manager  # noqa: PLC0415 - asyncio, aiohttp

            Manager(str(folder), home, ChartOptions(**registry), lambda _: None).update()
        file = _packaged(folder, wanted)
        click.echo(f"Successfully packaged chart and saved it to: {file}")
        if flags["target"]:
            _push(Path(file), flags["target"], registry, home)


def _push(archive: Path, target: str, access: dict[str, Any], home: HelmHome) -> None:
    """Put an archive into a registry, or into a chart server by its URL or its name."""
    if target.startswith(_REGISTRY):
        from whipstaff.cli.push import push  # noqa: PLC0415 - asyncio and aiohttp

        click.get_current_context().invoke(push, chart=archive, remote=target, **access)
        return
    from whipstaff.cli.upload import uploaded  # noqa: PLC0415 - asyncio and aiohttp

    click.echo(uploaded(archive, target, ChartOptions(**access), home), nl=False)


def _wanted(charts: tuple[str, ...], flags: dict[str, Any]) -> _Wanted:
    if not charts:
        raise Refused("need at least one argument, the path to the chart")
    if flags["signed"] and not flags["key"]:
        raise Refused("--key is required for signing a package")
    if flags["signed"] and not flags["keyring"]:
        raise Refused("--keyring is required for signing a package")
    return _Wanted(
        flags["version"],
        flags["app_version"],
        flags["destination"],
        flags["key"] if flags["signed"] else "",
        flags["keyring"],
        Passphrase(flags["passphrase_file"]),
        _modified_seconds(os.environ.get(_EPOCH, "")),  # noqa: TID251 - a command reads it
    )


def _modified_seconds(epoch: str) -> int:
    if not epoch:
        return packing.MODIFIED_SECONDS
    if not epoch.isdecimal() or len(epoch) > _EPOCH_DIGITS:
        raise Refused(f"{_EPOCH} is no number of seconds: {epoch}")
    return int(epoch)


def _check_there(name: str) -> None:
    try:
        Path(name).stat()
    except OSError as error:
        raise Refused(os_text(name, error, verb="stat")) from error


def _packaged(folder: Path, wanted: _Wanted) -> str:
    """Pack the chart in a folder and return the archive's path as Helm spells it."""
    try:
        chart = wanted.applied(chart_files.load_folder(folder))
        data = packing.pack(chart, wanted.modified_seconds)
        name = packing.archive_name(chart)
        signature = _signed(data, name, wanted) if wanted.key else None
    except ChartNotFound as error:
        raise Refused(str(error)) from error
    except OperatorError as error:
        raise Refused(error.text) from error
    place = str(Path.cwd()) if wanted.destination == "." else wanted.destination
    file = os.path.normpath(os.path.join(place, name))  # noqa: PTH118 - Go's spelling
    _write(Path(file), data)
    if signature is not None:
        write_whole(Path(f"{file}.prov"), signature)
    return file


def _signed(data: bytes, name: str, wanted: _Wanted) -> bytes:
    # What is signed is what the archive says, which is not always what the folder says.
    text = provenance.message(archive.load(data).metadata, data, name)
    return sign(text, wanted.keyring, wanted.key, wanted.passphrase)


def _write(file: Path, data: bytes) -> None:
    if file.parent.exists() and not file.parent.is_dir():
        raise Refused(f"failed to save: is not a directory: {file.parent}")
    write_whole(file, data)
