"""`whipstaff show`: what a chart says of itself, as `helm show` prints it."""

from collections.abc import Callable, Iterator
from typing import Any

import click

from whipstaff.chart import packing
from whipstaff.chart.model import Chart
from whipstaff.cli import chart_files
from whipstaff.cli.chart_files import ChartNotFound
from whipstaff.cli.chart_options import ChartOptions, chart_options, located
from whipstaff.cli.helm_flags import HelmCommand, exactly
from whipstaff.cli.helm_home import Refused, home_of, home_options
from whipstaff.cli.late import Commands
from whipstaff.errors import OperatorError
from whipstaff.golang.values import go_bytes

_READMES = frozenset({"readme.md", "readme.txt", "readme"})

Part = Callable[[Chart], Iterator[bytes]]


@click.group("show", cls=Commands)
def show() -> None:
    """Show what a chart says of itself, as `helm show` does."""


def _command(name: str) -> Callable[[Any], Any]:
    """Make a subcommand that takes any chart."""

    def decorated(function: Any) -> Any:  # noqa: ANN401 - a decorator
        usage = f"whipstaff show {name} [CHART] [flags]"
        for flag in (
            home_options,
            chart_options,
            click.argument("charts", nargs=-1, metavar="CHART", callback=exactly(1, usage)),
        ):
            function = flag(function)
        return show.command(name, cls=HelmCommand)(function)

    return decorated


def _chart(charts: tuple[str], flags: dict[str, Any]) -> Chart:
    home, options = home_of(flags), ChartOptions.taken(flags)
    try:
        return chart_files.load_any(located(charts[0], options, home))
    except ChartNotFound as error:
        raise Refused(str(error)) from error
    except OperatorError as error:
        raise Refused(error.text) from error


def _print(chart: Chart, *parts: Part) -> None:
    click.echo(b"".join(text for part in parts for text in part(chart)), nl=False)


@_command("all")
def all_(charts: tuple[str], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Show Chart.yaml, values.yaml, the README and the CRDs of a chart."""
    _print(_chart(charts, flags), _chartfile, _apart(_values), _apart(_readme), _crds)


@_command("chart")
def chart_(charts: tuple[str], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Show the Chart.yaml of a chart."""
    _print(_chart(charts, flags), _chartfile)


@_command("readme")
def readme_(charts: tuple[str], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Show the README of a chart."""
    _print(_chart(charts, flags), _readme)


@_command("crds")
def crds_(charts: tuple[str], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Show the CustomResourceDefinitions of a chart."""
    _print(_chart(charts, flags), _crds)


@_command("values")
@click.option(
    "--jsonpath", default="", metavar="TEMPLATE", help="Show what a JSONPath finds in it."
)
def values_(charts: tuple[str], jsonpath: str, **flags: Any) -> None:  # noqa: ANN401 - click's own
    """Show the values.yaml of a chart."""
    chart = _chart(charts, flags)
    if not jsonpath:
        _print(chart, _values)
    elif chart.values is not None:
        from whipstaff.golang.jsonpath import JSONPathError, Template  # noqa: PLC0415 - rarely used

        try:
            template = Template.parse(jsonpath)
        except JSONPathError as error:
            # Helm wraps an error that says so already.
            said = f"error parsing jsonpath {jsonpath}"
            raise Refused(f"{said}: {error}") from error
        click.echo(go_bytes(template.printed(chart.values)), nl=False)


def _apart(part: Part) -> Part:
    """Put a separator before a part that is there."""

    def parts(chart: Chart) -> Iterator[bytes]:
        for text in part(chart):
            yield b"---\n" + text

    return parts


def _chartfile(chart: Chart) -> Iterator[bytes]:
    yield packing.chartfile_text(chart.metadata) + b"\n"


def _values(chart: Chart) -> Iterator[bytes]:
    if chart.raw_values is not None:
        yield chart.raw_values + b"\n"


def _readme(chart: Chart) -> Iterator[bytes]:
    found = next((file for file in chart.files if file.name.casefold() in _READMES), None)
    if found is not None:
        yield found.data + b"\n"


def _crds(chart: Chart) -> Iterator[bytes]:
    for crd in chart.placed().crds():
        head = b"" if crd.data.startswith(b"---") else b"---\n"
        yield head + crd.data + b"\n"
