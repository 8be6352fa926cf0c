"""`whipstaff create`: a new chart to begin with, as `helm create` writes one."""

import os
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click

from whipstaff.chart import packing
from whipstaff.chart.model import Chart, Metadata
from whipstaff.cli import chart_files
from whipstaff.cli.chart_files import ChartNotFound
from whipstaff.cli.given_values import os_text
from whipstaff.cli.helm_flags import HelmCommand, exactly
from whipstaff.cli.helm_home import Refused, home_of
from whipstaff.errors import OperatorError
from whipstaff.golang.strconv import quote

_USAGE = "whipstaff create NAME [flags]"
_STARTER = Path(packing.__file__).parent / "starter"
_PLACEHOLDER = b"<CHARTNAME>"
_NAME = "^[a-zA-Z0-9._-]+$"
_LONGEST_NAME = 250
# In Helm's order, which is that of its warnings.
_FILES = (
    "Chart.yaml",
    "values.yaml",
    ".helmignore",
    "templates/ingress.yaml",
    "templates/httproute.yaml",
    "templates/deployment.yaml",
    "templates/service.yaml",
    "templates/serviceaccount.yaml",
    "templates/hpa.yaml",
    "templates/NOTES.txt",
    "templates/_helpers.tpl",
    "templates/tests/test-connection.yaml",
)


@click.command("create", cls=HelmCommand)
@click.argument("names", nargs=-1, metavar="NAME", callback=exactly(1, _USAGE))
@click.option(
    "-p", "--starter", default="", help="Chart to copy: a path, or a name in helm's folder of them."
)
def create(names: tuple[str], starter: str) -> None:
    """Write a new chart to begin with, as `helm create` does."""
    path = names[0]
    click.echo(f"Creating {path}")
    name, parent = _base(path), Path(os.path.dirname(path) or ".")  # noqa: PTH120
    if starter:
        _copy(_starter(starter), name, parent)
    else:
        _create(name, Path(os.path.abspath(parent)))  # noqa: PTH100 - Go's reading of `..`


def _base(path: str) -> str:
    """The last part of a path, as Go has it."""
    return os.path.basename(path.rstrip("/")) or ("/" if path else ".")  # noqa: PTH119


def _create(name: str, parent: Path) -> None:
    """Write our own starter chart."""
    _check_name(name)
    try:
        parent.stat()
    except OSError as error:
        raise Refused(os_text(str(parent), error, verb="stat")) from error
    if not parent.is_dir():
        raise Refused(f"no such directory {parent}")
    folder = Path(os.path.normpath(parent / name))
    if folder.exists() and not folder.is_dir():
        raise Refused(f"file {folder} already exists and is not a directory")
    _write(folder, ((file, _named((_STARTER / file).read_bytes(), name)) for file in _FILES))
    (folder / "charts").mkdir(exist_ok=True)


def _check_name(name: str) -> None:
    if not 1 <= len(name.encode()) <= _LONGEST_NAME:
        raise Refused(f"chart name must be between 1 and {_LONGEST_NAME} characters")
    if not re.fullmatch(_NAME, name, re.ASCII):
        raise Refused(f"chart name must match the regular expression {quote(_NAME)}")


def _write(folder: Path, files: Iterable[tuple[str, bytes]], *, warn: bool = True) -> None:
    for name, data in files:
        file = folder / name
        if warn and file.exists():
            click.echo(f"WARNING: File {quote(str(file))} already exists. Overwriting.")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        except OSError as error:
            raise Refused(os_text(str(file), error)) from error


def _named(data: bytes, name: str) -> bytes:
    return data.replace(_PLACEHOLDER, name.encode("utf-8", "surrogateescape"))


def _starter(name: str) -> Path:
    path = Path(name)
    return path if path.is_absolute() else home_of({}).data / "starters" / name


def _copy(starter: Path, name: str, parent: Path) -> None:
    """Write another chart under a new name."""
    try:
        starter.stat()
        chart = chart_files.load(starter)
    except OSError as error:
        why = os_text(str(starter), error, verb="stat")
        raise Refused(f"could not load {starter}: {why}") from error
    except ChartNotFound as error:
        raise Refused(f"could not load {starter}: {error}") from error
    except OperatorError as error:
        raise Refused(f"could not load {starter}: {error.text}") from error
    if "/" in name:
        raise Refused(f"invalid chart name {quote(name)}")
    folder = parent / name
    if folder.exists() and not folder.is_dir():
        raise Refused(f"file {folder} already exists and is not a directory")
    _write(folder, _renamed(chart, name), warn=False)
    for subchart in chart.subcharts:
        archive = folder / "charts" / packing.archive_name(subchart)
        _write(archive.parent, [(archive.name, packing.pack(subchart))], warn=False)


def _renamed(chart: Chart, name: str) -> Iterable[tuple[str, bytes]]:
    """The files of a starter with the new name where its own may stand: as Helm, not in all."""
    metadata = Metadata(
        name=name,
        description="A Helm chart for Kubernetes",
        type="application",
        version="0.1.0",
        app_version="0.1.0",
        api_version="v2",
    )
    for file, data in packing.contents(replace(chart, metadata=metadata)):
        is_ours = file == "values.yaml" or file.startswith("templates/")
        yield file, _named(data, name) if is_ours else data
