"""`whipstaff pull`: download charts, and unpack them if that is wanted, as `helm pull` does."""

import os
from pathlib import Path
from typing import Any

import click

from whipstaff.chart import archive
from whipstaff.cli.chart_options import ChartOptions, chart_options
from whipstaff.cli.given_values import os_text
from whipstaff.cli.helm_flags import HelmCommand, at_least_one
from whipstaff.cli.helm_home import HelmHome, Refused, home_of, home_options, write_whole
from whipstaff.errors import ChartInvalid
from whipstaff.golang import yaml
from whipstaff.golang.strconv import quote

_USAGE = "whipstaff pull [chart URL | repo/chartname] [...] [flags]"


@click.command("pull", cls=HelmCommand)
@click.argument("charts", nargs=-1, metavar="[URL | REPO/CHART]...", callback=at_least_one(_USAGE))
@click.option("--untar", is_flag=True, help="Unpack the chart after it was downloaded.")
@click.option("--untardir", default=".", help="Folder below -d in which to unpack it.")
@click.option("-d", "--destination", default=".", help="Folder to write to.")
@click.option("--prov", is_flag=True, help="Download the provenance file too; verify nothing.")
@chart_options
@home_options
def pull(charts: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Download charts, as `helm pull` does."""
    home, options = home_of(flags), ChartOptions.taken(flags)
    for reference in charts:
        _pull(reference, options, home, flags)


def _pull(reference: str, options: ChartOptions, home: HelmHome, flags: dict[str, Any]) -> None:
    """Download a chart and print what helm prints of it."""
    from whipstaff.cli import chart_source  # noqa: PLC0415 - help needs none of it
    from whipstaff.cli.downloads import shown  # noqa: PLC0415

    proof = options.verify or flags["prov"]
    found = chart_source.retrieved(reference, options, home, provenance=proof)
    click.echo(found.notes, nl=False)
    sentences = ""
    if options.verify:
        sentences = chart_source.checked(found, options).sentences
    elif flags["prov"] and found.provenance is None:
        sentences = f"WARNING: Verification not found for {shown(reference)}: {found.problem}\n"
    folder = Path(flags["destination"])
    if flags["untar"]:
        unpack(found.archive, folder / flags["untardir"])
        click.echo(sentences, nl=False)
        return
    if not folder.is_dir():
        raise Refused(_no_folder(folder))
    write_whole(folder / found.file_name, found.archive)
    if found.provenance is not None:
        write_whole(folder / f"{found.file_name}.prov", found.provenance)
    click.echo(sentences, nl=False)


def _no_folder(folder: Path) -> str:
    try:
        folder.stat()
    except OSError as error:
        return os_text(str(folder), error)
    return f"open {folder}: not a directory"


def unpack(packed: bytes, folder: Path) -> None:
    """Unpack a chart into a folder of its name; Refused if there is one, or for a hostile chart."""
    try:
        files = archive.members(packed)
    except ChartInvalid as error:
        raise Refused(error.text) from error
    name = _name_of({file.name: file.data for file in files})
    target = folder / name
    if os.path.lexists(target):
        raise Refused(f"failed to untar: a file or directory with the name {target} already exists")
    for file in files:
        write_whole(target / file.name, file.data)


def _name_of(files: dict[str, bytes]) -> str:
    try:
        text = files.get("Chart.yaml", b"").decode("utf-8", "surrogateescape")
        chart = yaml.load(text)
    except yaml.YAMLError as error:
        raise Refused(f"cannot load Chart.yaml: {error.text}") from error
    name = yaml.string_of(chart.get("name")) if isinstance(chart, dict) else None
    if not isinstance(name, str) or not name:
        raise Refused("chart name not specified")
    if name in {".", ".."}:
        raise Refused(f"chart name {quote(name)} is not allowed")
    if "/" in name or "\0" in name:
        raise Refused(f"chart name {quote(name)} must not contain path separators")
    return name
