"""`whipstaff lint`: what `helm lint` says of charts, and what is wrong with HelmReleases."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from whipstaff.chart import archive, linting
from whipstaff.chart import metadata as chartfile
from whipstaff.chart.capabilities import Capabilities, KubeVersionInvalid
from whipstaff.chart.findings import Finding, Severity
from whipstaff.chart.model import File, JsonObject
from whipstaff.cli import given_files, offline
from whipstaff.cli.chart_files import CHARTFILE
from whipstaff.cli.given_values import ValuesRefused, given, os_text, value_options
from whipstaff.cli.helm_flags import HelmCommand, at_least_one
from whipstaff.cli.helm_logs import log
from whipstaff.cli.object_files import FileUnreadable, is_object_file
from whipstaff.cli.object_lint import ObjectLint
from whipstaff.errors import ChartInvalid, OperatorError
from whipstaff.golang.strconv import quote
from whipstaff.golang.values import go_bytes, go_text
from whipstaff.template.scope import RenderScope

USAGE = "whipstaff lint PATH [flags]"
_ARCHIVES = (".tgz", ".tar.gz")


class _NotLinted(Exception):
    """There is no chart at a path; the words are Helm's."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What was found at one path, or why nothing could be looked for."""

    path: str
    findings: tuple[Finding, ...] = ()
    problem: str = ""
    of_objects: bool = False  # it is a file of HelmReleases, and no chart

    def failed(self, tolerated: Severity) -> bool:
        return bool(self.problem) or any(one.severity > tolerated for one in self.findings)

    @property
    def worth_a_word(self) -> bool:
        return self.failed(Severity.INFO)


@click.command("lint", cls=HelmCommand)
@click.argument("paths", nargs=-1, metavar="PATH...", callback=at_least_one(USAGE))
@value_options
@click.option("-n", "--namespace", default="default", help="Namespace to render for.")
@click.option("--kube-version", default="", help="Kubernetes version to render and judge for.")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@click.option("--quiet", is_flag=True, help="Print warnings and errors only.")
@click.option("--with-subcharts", is_flag=True, help="Lint the charts in charts/ as well.")
@click.option(
    "--jinja2-charts", is_flag=True, help="Render charts whose Chart.yaml asks for Jinja2."
)
@click.option("--skip-schema-validation", is_flag=True, help="Do not ask values.schema.json.")
def lint(paths: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Examine charts as `helm lint` does, and files of HelmReleases."""
    values = given(flags)
    try:
        capabilities = offline.capabilities(flags["kube_version"])
        charts = [*paths, *(_subcharts(paths) if flags["with_subcharts"] else ())]
        job = _Job(
            values.merged(),
            flags["namespace"],
            capabilities,
            flags["skip_schema_validation"],
            flags["jinja2_charts"],
            ObjectLint(),
        )
    except (ValuesRefused, KubeVersionInvalid) as error:
        raise click.ClickException(str(error)) from error
    verdicts = offline.on_a_deep_stack(lambda: [job.judge(path) for path in charts])
    _report(verdicts, strict=flags["strict"], quiet=flags["quiet"])


def _subcharts(paths: tuple[str, ...]) -> Iterator[str]:
    for path in paths:
        yield from _charts_below(os.path.normpath(f"{path}/charts"))


def _charts_below(folder: str) -> Iterator[str]:
    """The charts in a folder and the folders in it, names in order, links not followed."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name == CHARTFILE:
            yield folder
        elif entry.name.endswith(_ARCHIVES):
            yield entry.path
        if entry.is_dir(follow_symlinks=False):
            yield from _charts_below(entry.path)


@dataclass(frozen=True, slots=True)
class _Job:
    """How every chart of a command is to be judged."""

    values: JsonObject
    namespace: str
    capabilities: Capabilities
    skip_schema_validation: bool
    jinja2_charts: bool
    objects: ObjectLint

    def _scope(self) -> RenderScope:
        scope = offline.scope(jinja2_charts=self.jinja2_charts)
        return replace(scope, lint=True, complain=_complain)

    def judge(self, path: str) -> _Verdict:
        if is_object_file(path):
            return self._of_objects(path)
        try:
            with _opened(path) as folder:
                question = linting.Question(
                    folder,
                    self.values,
                    self.namespace,
                    self.capabilities,
                    skip_schema_validation=self.skip_schema_validation,
                )
                found = linting.lint(question, self._scope(), _warn)
        except _NotLinted as error:
            return _Verdict(path, problem=str(error))
        return _Verdict(path, tuple(found))

    def _of_objects(self, path: str) -> _Verdict:
        try:
            return _Verdict(path, tuple(self.objects.judge(path)), of_objects=True)
        except FileUnreadable as error:
            return _Verdict(path, problem=str(error), of_objects=True)


@contextmanager
def _opened(path: str) -> Iterator[Path]:
    """Give the folder of a chart, its archive unpacked for as long as it is looked at."""
    if not path.endswith(_ARCHIVES):
        yield _checked(Path(path))
        return
    with tempfile.TemporaryDirectory(prefix="whipstaff-lint") as folder:
        yield _checked(_unpacked(path, Path(folder)))


def _checked(folder: Path) -> Path:
    file = folder / CHARTFILE
    try:
        file.stat()
    except OSError as error:
        problem = os_text(str(file), error, verb="stat")
        raise _NotLinted(f"unable to check Chart.yaml file in chart: {problem}") from error
    return folder.absolute()


def _unpacked(path: str, folder: Path) -> Path:
    try:
        data = given_files.read(path)
    except OSError as error:
        raise _NotLinted(f"unable to open tarball: {os_text(path, error)}") from error
    try:
        files = archive.members(data)
        chart = folder / _name_in(files)
        for file in files:
            target = chart / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.data)
    except OperatorError as error:
        raise _NotLinted(f"unable to extract tarball: {error.text}") from error
    return chart


def _name_in(files: list[File]) -> str:
    """The name that the Chart.yaml among these files gives, if a folder may be called so."""
    name = ""
    for file in files:
        if file.name == CHARTFILE:
            name = str(chartfile.read_fields(go_text(file.data), CHARTFILE).get("name", ""))
    if not name:
        raise ChartInvalid("chart name not specified")
    if name in {".", ".."}:
        raise ChartInvalid(f"chart name {quote(name)} is not allowed")
    if "/" in name:
        raise ChartInvalid(f"chart name {quote(name)} must not contain path separators")
    return name


def _warn(warning: str) -> None:
    log("INFO", warning)


def _complain(level: str, what: str, message: str) -> None:
    log(level, what, message=message)


def _report(verdicts: list[_Verdict], *, strict: bool, quiet: bool) -> None:
    shown = [verdict for verdict in verdicts if verdict.worth_a_word or not quiet]
    for verdict in shown:
        lines = [f"==> Linting {verdict.path}"]
        if verdict.problem:
            lines.append(f"Error {verdict.problem}")
        lines += [str(one) for one in verdict.findings if one.severity > Severity.INFO or not quiet]
        click.echo(go_bytes("\n".join(lines) + "\n\n"), nl=False)
    tolerated = Severity.INFO if strict else Severity.WARNING
    summary = "; ".join(_counts(verdicts, tolerated))
    if any(verdict.failed(tolerated) for verdict in verdicts):
        raise click.ClickException(summary)
    if shown:
        click.echo(summary)


def _counts(verdicts: list[_Verdict], tolerated: Severity) -> Iterator[str]:
    for of_objects, noun in ((False, "chart(s)"), (True, "file(s)")):
        those = [verdict for verdict in verdicts if verdict.of_objects is of_objects]
        failed = sum(verdict.failed(tolerated) for verdict in those)
        if those:
            yield f"{len(those)} {noun} linted, {failed} {noun} failed"
