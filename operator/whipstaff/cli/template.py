"""`whipstaff template`: what `helm template` prints, from a chart's folder or archive."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from whipstaff.chart import dependencies, manifests, rendering
from whipstaff.chart.capabilities import Capabilities, KubeVersionInvalid
from whipstaff.chart.globs import BadPattern, path_pattern
from whipstaff.chart.loader import replace_text
from whipstaff.chart.model import Chart, JsonObject
from whipstaff.chart.rendering import Options, ReleaseInfo, Rendered
from whipstaff.chart.values import coalesce
from whipstaff.cli import chart_files, offline
from whipstaff.cli.chart_options import ChartOptions, chart_options, located
from whipstaff.cli.given_values import ValuesRefused, given, value_options
from whipstaff.cli.helm_flags import HelmCommand, LooseOption, at_least_one, listed, truth
from whipstaff.cli.helm_home import home_of, home_options
from whipstaff.cli.helm_logs import log
from whipstaff.cli.name_templates import expand
from whipstaff.errors import (
    InvalidSpec,
    KubeVersionIncompatible,
    ManifestInvalid,
    OperatorError,
    RenderFailed,
)
from whipstaff.golang import yaml
from whipstaff.golang.strconv import quote
from whipstaff.golang.values import go_bytes, go_text
from whipstaff.template.scope import RenderScope

USAGE = "whipstaff template [NAME] [CHART] [flags]"
DEFAULT_NAME = "release-name"
MAX_NAME_LENGTH = 53

_NAME_FORM = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_SOURCE = re.compile(r"# Source: [^/]+/(.+)")
_CRDS_MAY_LACK = (
    "This chart or one of its subcharts contains CRDs. Rendering may fail or contain inaccuracies."
)
_HINT = "\n\nUse --debug flag to render out invalid YAML"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What of the rendered chart is to be shown, and where."""

    crds: bool
    hooks: bool
    tests: bool
    show_only: tuple[str, ...]
    notes: bool
    folder: str
    name_in_folder: bool
    release_name: str


@click.command("template", cls=HelmCommand)
@click.argument("arguments", nargs=-1, metavar="[NAME] [CHART]", callback=at_least_one(USAGE))
@value_options
@click.option("-n", "--namespace", default="", help="Namespace of the release.")
@click.option("--kube-version", default="", help="Kubernetes version that templates are told.")
@click.option(
    "-a",
    "--api-versions",
    multiple=True,
    callback=listed,
    help="API versions that templates are told, besides the usual ones.",
)
@click.option("--include-crds", is_flag=True, help="Print the files of crds/ too.")
@click.option(
    "-s",
    "--show-only",
    multiple=True,
    metavar="TEMPLATE",
    help="Print what came from this template only; may be a pattern.",
)
@click.option("--is-upgrade", is_flag=True, help="Set .Release.IsUpgrade, not .Release.IsInstall.")
@click.option("--no-hooks", is_flag=True, help="Print no hooks.")
@click.option("--skip-tests", is_flag=True, help="Print no tests.")
@click.option("--name-template", default="", help="Template of the release's name.")
@click.option(
    "-g", "--generate-name", is_flag=True, help=f"Take no NAME; it is {DEFAULT_NAME} then."
)
@click.option("--output-dir", default="", help="Write a file for each template into this folder.")
@click.option(
    "--release-name", is_flag=True, help="Put a folder of the release's name into --output-dir."
)
@click.option(
    "--jinja2-charts", is_flag=True, help="Render charts whose Chart.yaml asks for Jinja2."
)
@click.option("--skip-schema-validation", is_flag=True, help="Do not ask values.schema.json.")
@click.option("--validate", is_flag=True, default=None, help="The same as `--dry-run=server`.")
@click.option(
    "--dry-run",
    cls=LooseOption,
    metavar="[=client|server]",
    help="With `server`, ask the cluster of the kubeconfig what it can do and would take.",
)
@click.option("--kubeconfig", default="", help="Path of the kubeconfig of that cluster.")
@click.option("--kube-context", default="", help="Context of the kubeconfig.")
@click.option("--notes", is_flag=True, help="Print the rendered NOTES.txt alone.")
@click.option("--debug", is_flag=True, help="Print what was rendered even where it is no YAML.")
@chart_options
@home_options
def template(arguments: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Render a chart as `helm template` does, without a cluster."""
    values = given(flags)
    home, source = home_of(flags), ChartOptions.taken(flags)
    try:
        asks_server = _asks_server(flags["validate"], flags["dry_run"])
        capabilities = offline.capabilities(flags["kube_version"], flags["api_versions"])
        name, reference = _name_and_chart(
            arguments, generate=flags["generate_name"], name_template=flags["name_template"]
        )
        path = located(reference, source, home)
        job = _Job(
            path=path,
            values=values.merged(),
            release=ReleaseInfo(name, flags["namespace"], is_upgrade=flags["is_upgrade"]),
            capabilities=capabilities,
            server=(flags["kubeconfig"], flags["kube_context"]) if asks_server else None,
            crds=flags["include_crds"],
            options=Options(skip_schema_validation=flags["skip_schema_validation"]),
            debug=flags["debug"],
            jinja2_charts=flags["jinja2_charts"],
        )
        wanted = _Wanted(
            crds=flags["include_crds"],
            hooks=not flags["no_hooks"],
            tests=not flags["skip_tests"],
            show_only=flags["show_only"],
            notes=flags["notes"],
            folder=flags["output_dir"],
            name_in_folder=flags["release_name"],
            release_name=name,
        )
        _show(offline.on_a_deep_stack(job.render), wanted)
    except (ValuesRefused, KubeVersionInvalid, chart_files.ChartNotFound) as error:
        raise click.ClickException(str(error)) from error
    except OperatorError as error:
        raise click.ClickException(error.text) from error


def _asks_server(validate: bool | None, dry_run: str | None) -> bool:
    """Whether to ask a cluster; what Helm refuses and deprecates of these flags is told."""
    if validate is not None and dry_run is not None:
        raise click.ClickException(
            "if any flags in the group [validate dry-run] are set none of the others can be; "
            "[dry-run validate] were all set"
        )
    match dry_run:
        case None | "client" | "server":
            return bool(validate) or dry_run == "server"
        case LooseOption.ALONE:
            log("WARN", "--dry-run is deprecated and should be replaced with '--dry-run=client'")
            return False
        case "none":
            allowed = '"server" or "client"'
        case _:
            kind = truth(dry_run)
            if kind:
                instead = "must be replaced with '--dry-run=client'"
                log("WARN", f"boolean '--dry-run={dry_run}' flag is deprecated and {instead}")
                return False
            allowed = '"server" or "client"' if kind is False else '"none", "server", or "client"'
    raise click.ClickException(f"invalid dry-run value ({quote(dry_run)}). Must be {allowed}")


def _name_and_chart(
    arguments: tuple[str, ...], *, generate: bool, name_template: str
) -> tuple[str, str]:
    if len(arguments) > 2:  # noqa: PLR2004 - a name and a chart
        unexpected = ", ".join(arguments[2:])
        raise click.ClickException(
            f"expected at most two arguments, unexpected arguments: {unexpected}"
        )
    *name, chart = arguments
    if not name:
        return (expand(name_template) if name_template else DEFAULT_NAME), chart
    if generate:
        raise click.ClickException("cannot set --generate-name and also specify a name")
    if name_template:
        raise click.ClickException("cannot set --name-template and also specify a name")
    return name[0], chart


@dataclass(frozen=True, slots=True)
class _Job:
    """One rendering, in the order of `helm template`."""

    path: Path
    values: JsonObject
    release: ReleaseInfo
    capabilities: Capabilities
    server: tuple[str, str] | None  # the kubeconfig of the cluster to ask, and its context
    crds: bool  # they are a part of the manifest
    options: Options
    debug: bool
    jinja2_charts: bool

    def render(self) -> Rendered:
        chart = chart_files.load(self.path)
        rendering.check_installable(chart)
        if chart.metadata.deprecated:
            log("WARN", "this chart is deprecated")
        dependencies.check(chart)
        if self.server is None:
            place = self.release.namespace or "default"
            return self.placed(place).rendered(chart, self._scope())
        from whipstaff.cli import live_cluster  # noqa: PLC0415 - most renders ask no cluster

        with live_cluster.connected(*self.server) as cluster:
            job = replace(
                self.placed(self.release.namespace or cluster.namespace),
                capabilities=cluster.capabilities(),
            )
            if list(chart.crds()):
                log("WARN", _CRDS_MAY_LACK)
            rendered = job.rendered(chart, self._scope(cluster.lookup))
            cluster.check(list(job.objects(rendered)), job.release)
            return rendered

    def placed(self, namespace: str) -> "_Job":
        return replace(self, release=replace(self.release, namespace=namespace))

    def objects(self, rendered: Rendered) -> Iterator[JsonObject]:
        """Yield the objects of the manifest."""
        if self.crds:
            for crd in rendered.crds:
                for text in manifests.split(go_text(crd.data)):
                    yield yaml.load_map(text)
        for document in rendered.documents:
            yield document.body

    def rendered(self, chart: Chart, scope: RenderScope) -> Rendered:
        _check_name(self.release.name)
        try:
            rendered = rendering.render(
                chart,
                self.values,
                self.release,
                self.capabilities,
                scope,
                self.options,
            )
        except (RenderFailed, ManifestInvalid, KubeVersionIncompatible) as error:
            if self.debug:
                _print(self._unsorted(chart, error, scope))
                raise
            raise replace_text(error, f"{error.text}{_HINT}") from error
        for warning in rendered.warnings:
            log("INFO", warning)
        return rendered

    def _scope(self, lookup: offline.Lookup = offline.nothing) -> RenderScope:
        return offline.scope(jinja2_charts=self.jinja2_charts, lookup=lookup)

    def _unsorted(self, chart: Chart, error: OperatorError, scope: RenderScope) -> str:
        """What there is of the manifest when a render fails: everything, or nothing."""
        if not isinstance(error, ManifestInvalid):
            return "\n"
        chart = dependencies.process(chart, self.values, _ignore)
        values = coalesce(chart, self.values, _ignore)
        texts = rendering.execute(chart, values, self.release, self.capabilities, scope)
        parts = [
            _document(path, texts[path])
            for path in sorted(texts)
            if texts[path].strip() and not path.endswith(rendering.NOTES)
        ]
        return "".join(parts).strip() + "\n"


def _ignore(_warning: str) -> None:
    """Drop what has been said before."""


def _check_name(name: str) -> None:
    problem = ""
    if not name:
        problem = "no name provided"
    elif len(name) > MAX_NAME_LENGTH or not re.fullmatch(_NAME_FORM, name):
        problem = (
            f"invalid release name, must match regex ^{_NAME_FORM}$ "
            f"and the length must not be longer than {MAX_NAME_LENGTH}"
        )
    if problem:
        text = f"release name {quote(name)}: {problem}"
        log("ERROR", "release name check failed", error=text)
        raise InvalidSpec(f"release name check failed: {text}")


def _show(rendered: Rendered, wanted: _Wanted) -> None:
    if wanted.notes:
        _print(rendered.notes)
        return
    crds = rendered.crds if wanted.crds else ()
    hooks = [
        hook
        for hook in rendered.hooks
        if wanted.hooks and (wanted.tests or "test" not in hook.events)
    ]
    files = _Files(wanted) if wanted.folder else None
    if files:
        for crd in crds:
            files.write(wanted.folder, crd.path, go_text(crd.data))
        for document in rendered.documents:
            files.write(files.folder, document.path, document.text)
        for hook in hooks:
            files.write(files.folder, hook.path, hook.text)
        output = "\n"
    else:
        texts = [_document(crd.path, go_text(crd.data)) for crd in crds]
        output = f"{''.join(texts)}{rendered.manifest}".strip() + "\n"
        output += "".join(_document(hook.path, hook.text) for hook in hooks)
    if wanted.show_only:
        output = "".join(f"---\n{one}\n" for one in _only(wanted.show_only, output))
    _print(output)


def _document(path: str, text: str) -> str:
    return f"---\n# Source: {path}\n{text}\n"


def _only(patterns: tuple[str, ...], output: str) -> Iterator[str]:
    """The documents whose template matches, by pattern and then in the manifest's order."""
    by_path = [
        (found[1], document)
        for document in manifests.split(output)
        if (found := _SOURCE.search(document))
    ]
    for pattern in patterns:
        matching = [document for path, document in by_path if _matches(pattern, path)]
        if not matching:
            raise click.ClickException(f"could not find template {pattern} in chart")
        yield from matching


def _matches(pattern: str, path: str) -> bool:
    try:
        return path_pattern(pattern).fullmatch(path) is not None
    except BadPattern:
        return False


class _Files:
    """Writes the files of `--output-dir`, and says which."""

    def __init__(self, wanted: _Wanted) -> None:
        named = wanted.name_in_folder
        self.folder = posixpath.join(wanted.folder, wanted.release_name) if named else wanted.folder
        self._written: set[str] = set()

    def write(self, folder: str, name: str, text: str) -> None:
        """Write a document, behind those of the same template."""
        path = f"{folder}/{name}"
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab" if path in self._written else "wb") as stream:
            stream.write(go_bytes(_document(name, text)))
        self._written.add(path)
        _print(f"wrote {path}\n")


def _print(text: str) -> None:
    click.echo(go_bytes(text), nl=False)
