"""Render a chart: values in, manifests, hooks and notes out, byte for byte as Helm 4 gives them.

A render depends on its arguments alone, so that a worker process can do it: the chart, the user's
values, what the release is called, what the cluster can do, and the effects (clock, random numbers,
lookup) that templates may cause.
"""

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, cast

from whipstaff.chart import dependencies, engines, manifests, schema
from whipstaff.chart.capabilities import Capabilities
from whipstaff.chart.files import Files
from whipstaff.chart.manifests import Document, Hook
from whipstaff.chart.metadata_view import metadata_view
from whipstaff.chart.model import Chart, CRDFile, JsonObject
from whipstaff.chart.reads import Reads
from whipstaff.chart.values import Warn, coalesce, table_at
from whipstaff.errors import (
    ChartInvalid,
    KubeVersionIncompatible,
    RenderFailed,
    RenderLimit,
)
from whipstaff.golang.values import ChartValues, RenderData, go_text
from whipstaff.template.errors import LimitExceeded, TemplateError

if TYPE_CHECKING:
    from whipstaff.jinja.engine import ChartTemplates
    from whipstaff.template.engine import Budget, Engine, TemplateSet
    from whipstaff.template.scope import RenderScope
    from whipstaff.template.tracing import TracedMap, Tracer

NOTES = "NOTES.txt"


@dataclass(frozen=True, slots=True)
class ReleaseInfo:
    """What templates see as `.Release`."""

    name: str
    namespace: str
    revision: int = 1
    is_upgrade: bool = False

    def as_values(self) -> JsonObject:
        return {
            "Name": self.name,
            "Namespace": self.namespace,
            "IsUpgrade": self.is_upgrade,
            "IsInstall": not self.is_upgrade,
            "Revision": self.revision,
            "Service": "Helm",
        }


@dataclass(frozen=True, slots=True)
class Options:
    """How to render; the defaults are those of `helm install`."""

    skip_schema_validation: bool = False
    subchart_notes: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a chart became.

    `chart` has its dependencies decided, as Helm stores it; `warnings` are Helm's, without values.
    """

    chart: Chart
    documents: tuple[Document, ...]
    hooks: tuple[Hook, ...]
    notes: str
    crds: tuple[CRDFile, ...]
    warnings: tuple[str, ...] = ()
    find_reads: Callable[[], Reads] | None = None  # only of a traced render

    @property
    def reads(self) -> Reads | None:
        """What was read, of a traced render; only to be asked for before the next one."""
        return self.find_reads() if self.find_reads else None

    @property
    def manifest(self) -> str:
        return manifests.manifest(self.documents)


@dataclass(slots=True)
class _Template:
    """One template of a chart or of a chart inside it, and the data it is rendered with."""

    source: str
    data: JsonObject
    base_path: str
    jinja2: "ChartTemplates | None" = None  # those of its chart, if they are for Jinja2


def render(
    chart: Chart,
    values: JsonObject,
    release: ReleaseInfo,
    capabilities: Capabilities,
    scope: "RenderScope",
    options: Options = Options(),
) -> Rendered:
    """Render a chart with the user's values, whose numbers are float64 where they came from YAML.

    Raises ChartInvalid, ValuesInvalid, RenderFailed or ManifestInvalid, each with Helm's text.
    """
    warnings: list[str] = []
    chart, own_values = decided(chart, values, warnings.append)
    if not options.skip_schema_validation:
        schema.validate(chart, own_values)
    check_kube_version(chart, capabilities)
    texts = execute(chart, own_values, release, capabilities, scope)
    notes = take_notes(chart, texts, subcharts=options.subchart_notes)
    hooks, documents = manifests.sort(texts)
    return Rendered(chart, documents, hooks, notes, tuple(chart.crds()), tuple(warnings))


def decided(chart: Chart, values: JsonObject, warn: Warn) -> tuple[Chart, JsonObject]:
    """Return the chart with its dependencies decided, and its values with the user's over them."""
    check_installable(chart)
    dependencies.check(chart)
    chart = dependencies.process(chart, values, warn)
    return chart, coalesce(chart, values, warn)


def template_output(rendered: Rendered, *, hooks: bool = True, tests: bool = True) -> str:
    """The standard output of `helm template`: the manifest, then the hooks."""
    parts = [rendered.manifest.strip(), "\n"]
    if hooks:
        parts += [
            f"---\n# Source: {hook.path}\n{hook.text}\n"
            for hook in rendered.hooks
            if tests or "test" not in hook.events
        ]
    return "".join(parts)


def check_installable(chart: Chart) -> None:
    """Raise ChartInvalid for a library chart."""
    if chart.metadata.type not in {"", "application"}:
        raise ChartInvalid(
            f"{chart.metadata.type} charts are not installable", where="Chart.yaml: type"
        )


def check_kube_version(chart: Chart, capabilities: Capabilities) -> None:
    """Raise KubeVersionIncompatible when the chart does not want this cluster."""
    wanted = chart.metadata.kube_version
    version = capabilities.kube_version
    if wanted and not dependencies.is_compatible(wanted, version.comparable):
        raise KubeVersionIncompatible(
            f"chart requires kubeVersion: {wanted} which is incompatible with "
            f"Kubernetes {version.version}",
            where="Chart.yaml: kubeVersion",
        )


def parse_order(paths: Mapping[str, object]) -> list[str]:
    """Deepest folders first, then names backwards: a parent's definitions come last and win."""
    return sorted(paths, key=lambda path: (path.count("/"), path), reverse=True)


def execute(
    chart: Chart,
    values: JsonObject,
    release: ReleaseInfo,
    capabilities: Capabilities,
    scope: "RenderScope",
) -> dict[str, str]:
    """Render every template but the partials, in Helm's order; they share their values."""
    stage = Stage(chart, values, release, capabilities)
    stage.parse()
    budget = stage.budget(scope)
    return {path: stage.render(path, scope, budget) for path in stage.order}


class Stage:
    """The templates of a chart in the order they are rendered, with the data they share.

    With a tracer its maps are traced, and `values` is the traced form of the root chart's.
    """

    def __init__(
        self,
        chart: Chart,
        values: JsonObject,
        release: ReleaseInfo,
        capabilities: Capabilities,
        tracer: "Tracer | None" = None,
    ) -> None:
        self._name = chart.name
        top = {"Release": release.as_values(), "Capabilities": capabilities}
        self._templates: dict[str, _Template] = {}
        # What is common.Values where a chart reads it as `.Values`, besides ChartValues.
        self._named: list[JsonObject] = []
        data = _collect(
            chart,
            {**top, "Values": ChartValues(values)},
            self._templates,
            self._named,
            is_root=True,
        )
        order = parse_order(self._templates)
        self.order = tuple(path for path in order if not posixpath.basename(path).startswith("_"))
        self.data: JsonObject = data
        self._tracer = tracer
        if tracer is not None:
            self._trace(tracer)

    def _trace(self, tracer: "Tracer") -> None:
        self.data = cast("JsonObject", tracer.adopt(self.data))
        for template in self._templates.values():
            template.data = cast("JsonObject", tracer.adopt(template.data))
        named = (cast("JsonObject", tracer.adopt(values)) for values in self._named)
        self._named = [*named, *tracer.named]

    @cached_property
    def _parsed(self) -> "TemplateSet":
        # Parsing is left until a template runs: after a restart there may be none.
        order = parse_order(self._templates)
        parsed = _parser().parse(
            {path: self._templates[path].source for path in order},
            order=[path for path in order if self._templates[path].jinja2 is None],
        )
        for values in self._named:
            parsed.name_values(values)
        return parsed

    def parse(self) -> None:
        """Parse all templates, partials too; RenderFailed if one is no template."""
        with self._named_errors():
            self._parsed  # noqa: B018 - it is made when it is first asked for

    def budget(self, scope: "RenderScope") -> "Budget":
        """Return what all templates together may take."""
        from whipstaff.template.engine import Budget  # noqa: PLC0415 - as late as the engine

        return Budget.of(scope)

    def render(self, path: str, scope: "RenderScope", budget: "Budget") -> str:
        """Render one template; RenderFailed or RenderLimit with Helm's text if it fails."""
        template = self._templates[path]
        # Each template has one of its own, which is no change of what they share.
        own = ChartValues(Name=path, BasePath=template.base_path)
        dict.__setitem__(template.data, "Template", own)
        if self._tracer is not None:
            self._tracer.touch(cast("TracedMap", template.data), "Template")
        scope.begin(path)
        with self._named_errors():
            if template.jinja2 is None:
                text = self._parsed.render(path, template.data, scope, budget)
            elif scope.jinja2_charts:
                # Some of Jinja2's own filters draw on chance, which nobody would hear of.
                scope.effects.random  # noqa: B018
                text = template.jinja2.render(path, template.data, scope, budget)
            else:
                raise engines.refusal(self._name)
        scope.begin("")
        return text

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except LimitExceeded as error:
            raise RenderLimit(str(error), self._name, error.template, error.line) from error
        except TemplateError as error:
            raise RenderFailed(str(error), self._name, error.template, error.line) from error


def sources(chart: Chart) -> Iterator[tuple[str, str]]:
    """Path and text of every template of a `Rendered.chart`, whose code can be kept."""
    for name, source in _sources(chart):
        yield posixpath.normpath(f"{chart.path}/{name}"), source
    for subchart in chart.subcharts:
        yield from sources(subchart)


def has_new_code(templates: Iterable[tuple[str, str]]) -> bool:
    """Whether any of these templates was compiled since `code_of` was asked for it."""
    return _engine().has_new_code(templates)


def code_of(templates: Iterable[tuple[str, str]]) -> bytes:
    """The code of these templates, for `take_code` after a restart."""
    return _engine().dump(templates)


def take_code(digest: str, find: Callable[[str], bytes | None]) -> None:
    """Use what `code_of` gave for a chart, found when the next templates are to be parsed.

    It is executed as it is, so nobody else may have had it in hand.
    """
    _code_taken[digest] = find


_code_taken: dict[str, Callable[[str], bytes | None]] = {}


def _parser() -> "Engine":
    engine = _engine()
    while _code_taken:
        digest, find = _code_taken.popitem()
        if (code := find(digest)) is not None:
            engine.load(code)
    return engine


@cache
def _engine() -> "Engine":
    # Imported on the first render: reading charts and values needs no engine.
    from whipstaff.template.engine import Engine  # noqa: PLC0415
    from whipstaff.template.functions.catalogue import REGISTRY  # noqa: PLC0415

    return Engine(REGISTRY)


def _collect(
    chart: Chart,
    outer: JsonObject,
    templates: dict[str, _Template],
    named: list[JsonObject],
    *,
    is_root: bool,
) -> JsonObject:
    """Add the templates of a chart and those inside it; return the data its templates see.

    `named` gets the values of those inside.
    """
    subcharts: JsonObject = {}
    values = outer["Values"] if is_root else _values_of(chart, outer)
    if type(values) is dict:
        named.append(values)
    data = RenderData(
        {
            "Chart": metadata_view(chart.metadata, is_root=is_root),
            "Files": Files.of(chart.files),
            "Release": outer["Release"],
            "Capabilities": outer["Capabilities"],
            "Values": values,
            "Subcharts": subcharts,
        }
    )
    for subchart in chart.subcharts:
        subcharts[subchart.name] = _collect(subchart, data, templates, named, is_root=False)
    jinja2 = _jinja2_templates(chart)
    for name, source in _sources(chart):
        templates[posixpath.normpath(f"{chart.path}/{name}")] = _Template(
            source, data, f"{chart.path}/templates", jinja2
        )
    return data


def _jinja2_templates(chart: Chart) -> "ChartTemplates | None":
    """Return what the templates of a chart may import, if they are for Jinja2: each other."""
    if not _is_for_jinja2(chart):
        return None
    from whipstaff.jinja.engine import ChartTemplates  # noqa: PLC0415 - few charts need it

    libraries = [one for one in chart.subcharts if one.metadata.is_library and _is_for_jinja2(one)]
    return ChartTemplates(
        {
            f"{folder}{name.removeprefix('templates/')}": (
                posixpath.normpath(f"{one.path}/{name}"),
                source,
            )
            for folder, one in [*((f"{one.name}/", one) for one in libraries), ("", chart)]
            for name, source in _sources(one)
        }
    )


def _is_for_jinja2(chart: Chart) -> bool:
    return engines.language_of(chart.metadata) is engines.Language.JINJA2


def _values_of(chart: Chart, outer: JsonObject) -> JsonObject:
    """Return a subchart's part of its parent's values: the same object, so that both see `set`.

    It stays a plain map: in Go one map has two types here, and charts can tell the parent's. Which
    one a template gets depends on how it reads the map.
    """
    table = table_at(outer, f"Values.{chart.name}")
    return ChartValues() if table is None else table


def _sources(chart: Chart) -> Iterator[tuple[str, str]]:
    """The templates of a chart; of a library chart only the partials count."""
    for file in chart.templates:
        partial = posixpath.basename(file.name).startswith("_")
        if partial or not chart.metadata.is_library:
            yield file.name, go_text(file.data)


def is_notes(path: str) -> bool:
    """Whether a template gives notes, which are no manifest."""
    return path.endswith(NOTES)


def take_notes(chart: Chart, texts: dict[str, str], *, subcharts: bool) -> str:
    """Remove the notes of all charts from the rendered texts; return the root chart's, or all."""
    root = f"{chart.name}/templates/{NOTES}"
    found = [path for path in sorted(texts) if is_notes(path)]
    notes = {path: texts.pop(path) for path in found}
    if not subcharts:
        return notes.get(root, "")
    return "\n".join(text for text in notes.values() if text)
