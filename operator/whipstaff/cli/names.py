"""The name of a release to install: given, made from a template, or of the chart's and the time."""

import posixpath
import time

import click

from whipstaff.cli.given_values import ValuesRefused


def named(arguments: tuple[str, ...], *, generate: bool, template: str) -> tuple[str, str]:
    """Return name and chart; a ClickException in helm's words if they cannot be told."""
    if len(arguments) > 2:  # noqa: PLR2004 - a name and a chart
        unexpected = ", ".join(arguments[2:])
        raise click.ClickException(
            f"expected at most two arguments, unexpected arguments: {unexpected}"
        )
    *name, chart = arguments
    if name and (generate or template):
        flag = "--generate-name" if generate else "--name-template"
        raise click.ClickException(f"cannot set {flag} and also specify a name")
    if name:
        return name[0], chart
    if template:
        from whipstaff.cli.name_templates import expand  # noqa: PLC0415 - the language is large

        try:
            return expand(template), chart
        except ValuesRefused as error:
            raise click.ClickException(str(error)) from error
    if not generate:
        raise click.ClickException("must either provide a name or specify --generate-name")
    return _made_of(chart), chart


def _made_of(chart: str) -> str:
    base = posixpath.basename(chart.rstrip("/")) or "chart"
    base = "chart" if base == "." else base.partition(".")[0]
    return f"{base}-{int(time.time())}"  # noqa: TID251 - helm's way to a name that is new
