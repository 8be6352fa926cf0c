"""Lint: what is wrong with a chart in a folder, in Helm's order and words.

As in Helm each part is judged by itself, so that what cannot be loaded is named once per part.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from whipstaff.chart import (
    chartfile_rules,
    dependencies,
    deprecations,
    engines,
    folder,
    incremental,
    object_stream,
    rendering,
    schema,
    unused,
)
from whipstaff.chart.capabilities import Capabilities
from whipstaff.chart.chartfile_rules import PATH as CHARTFILE
from whipstaff.chart.findings import Finding, Severity
from whipstaff.chart.model import Chart, JsonObject, Metadata
from whipstaff.chart.object_names import problem_with
from whipstaff.chart.rendering import Options, ReleaseInfo
from whipstaff.chart.shapes import ListOf, MapOf, Scalar, ShapeError, Struct, read
from whipstaff.chart.values import Warn, coalesce, coalesce_tables, copy_table
from whipstaff.errors import (
    OperatorError,
    SchemaInvalid,
    ValuesInvalid,
)
from whipstaff.golang import yaml
from whipstaff.golang.json_values import JSONError
from whipstaff.golang.strconv import quote
from whipstaff.golang.values import go_bytes, go_text

if TYPE_CHECKING:
    from whipstaff.template.scope import RenderScope

VALUES = "values.yaml"
TEMPLATES = "templates/"
CRDS = "crds/"
GIVEN_VALUES = "values"  # those of -f and --set

_TEMPLATE_ENDINGS = (".yaml", ".yml", ".tpl", ".txt")
_YAML_ENDINGS = (".yaml", ".yml")
_JINJA2_ENDING = ".j2"  # alone or behind one of the others
_SELECTING = frozenset({"Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"})
_KEEP = "helm.sh/resource-policy"
_LONGEST_LINE_BYTES = 64 << 10

_OBJECT = Struct(
    "rules.k8sYamlStruct",
    {
        "apiVersion": Scalar.TEXT,
        "Kind": Scalar.TEXT,
        "Metadata": Struct(
            "rules.k8sYamlMetadata", {"Namespace": Scalar.TEXT, "Name": Scalar.TEXT}
        ),
    },
)
# Go prints a type without a name by what it holds.
_ITEM = "struct { Metadata struct { Annotations map[string]string } }"
_ITEM_METADATA = Struct("", {"Annotations": MapOf(Scalar.TEXT)})
_LIST = Struct("", {"Items": ListOf(Struct(_ITEM, {"Metadata": _ITEM_METADATA}))})


@dataclass(frozen=True, slots=True)
class _TestRelease(ReleaseInfo):
    """The release that lint renders for, which is neither installed nor upgraded."""

    def as_values(self) -> JsonObject:
        return {**ReleaseInfo.as_values(self), "IsInstall": False}


@dataclass(frozen=True, slots=True)
class Question:
    """What lint is asked: the chart's folder, the user's values, and the cluster it is for."""

    folder: Path
    values: JsonObject
    namespace: str
    capabilities: Capabilities
    skip_schema_validation: bool = False


def lint(question: Question, scope: "RenderScope", warn: Warn) -> list[Finding]:
    """Return what Helm finds, then values that nothing reads; the folder must hold a Chart.yaml."""
    found = list(_chartfile(question.folder))
    found += _values(question)
    found += _templates(question, scope, warn)
    found += _dependencies(question.folder)
    found += _crds(question.folder)
    found += _unused(question, scope)
    return found


def _chartfile(path: Path) -> Iterator[Finding]:
    file = path / CHARTFILE
    if file.is_dir():
        yield _error(CHARTFILE, "should be a file, not a directory")
        yield _error(CHARTFILE, f"unable to parse YAML\n\tread {file}: is a directory")
        return
    yield from chartfile_rules.findings(go_text(file.read_bytes()))


def _error(path: str, text: str) -> Finding:
    return Finding(Severity.ERROR, path, text)


def _warning(path: str, text: str) -> Finding:
    return Finding(Severity.WARNING, path, text)


def _values(question: Question) -> Iterator[Finding]:
    file = question.folder / VALUES
    if not file.exists():
        yield Finding(Severity.INFO, VALUES, "file does not exist")
        return
    if file.is_dir():
        yield _error(VALUES, f"unable to parse YAML: read {file}: is a directory")
        return
    try:
        defaults = yaml.load_map(go_text(file.read_bytes()))
    except yaml.YAMLError as error:
        problem = error.text.replace("type map[string]interface {}", "type common.Values")
        yield _error(VALUES, f"unable to parse YAML: {problem}")
        return
    # Helm judges the chart's own values here, and not those of the charts inside it.
    values = copy_table(question.values)
    coalesce_tables(values, defaults, _ignore, keep_nulls=False)
    schema_file = question.folder / "values.schema.json"
    if question.skip_schema_validation or not schema_file.is_file():
        return
    rules = schema_file.read_bytes()
    if rules:
        yield from _schema_findings(rules, values)


def _schema_findings(rules: bytes, values: JsonObject) -> Iterator[Finding]:
    try:
        report = schema.violations(Chart(Metadata(), schema=rules), values)
    except SchemaInvalid as error:
        yield _error(VALUES, error.text.removeprefix("/values.schema.json: "))
        return
    if report:
        yield _error(VALUES, f"{report}\n")


def _ignore(_warning: str) -> None:
    """Say nothing here of what the templates' part says."""


def _templates(question: Question, scope: "RenderScope", warn: Warn) -> Iterator[Finding]:
    path = question.folder / TEMPLATES
    if not path.exists():
        yield _warning(TEMPLATES, "directory does not exist")
        return
    if not path.is_dir():
        yield _error(TEMPLATES, "not a directory")
        return
    try:
        chart = folder.load(question.folder)
        rendered = _render(chart, question, scope, warn)
    except OperatorError as error:
        yield _error(TEMPLATES, error.text)
        return
    if rendered is None:
        return
    jinja2 = engines.language_of(chart.metadata) is engines.Language.JINJA2
    for file in chart.templates:
        name = file.name.removesuffix(_JINJA2_ENDING) if jinja2 else file.name
        if name == file.name and not name.endswith(_TEMPLATE_ENDINGS):
            yield _error(file.name, _wrong_ending(file.name))
        if not name.lower().endswith(_YAML_ENDINGS):
            continue
        text = rendered.get(f"{chart.name}/{file.name}", "")
        if text.strip():
            sound = yield from _objects(file.name, text, question.capabilities)
            if not sound:
                return


def _render(
    chart: Chart, question: Question, scope: "RenderScope", warn: Warn
) -> dict[str, str] | None:
    """Render all templates; None where Helm gives up without a word, or an OperatorError."""
    try:
        chart = dependencies.process(chart, question.values, warn)
        values = coalesce(chart, question.values, warn)
    except ValuesInvalid:
        return None
    # Helm coalesces twice here: the default of a value that the user took away comes back.
    values = coalesce(chart, values, warn)
    if not question.skip_schema_validation:
        schema.validate(chart, values)
    release = _TestRelease("test-release", question.namespace, revision=0)
    return rendering.execute(chart, values, release, question.capabilities, scope)


def _wrong_ending(name: str) -> str:
    base = name.rpartition("/")[2]
    dot = base.rfind(".")
    ending = base[dot:] if dot >= 0 else ""
    return f"file extension '{ending}' not valid. Valid extensions are .yaml, .yml, .tpl, or .txt"


def _objects(name: str, text: str, capabilities: Capabilities) -> "_Judged":
    """Judge the objects of one rendered template; False when its YAML cannot be read."""
    if problem := _indent_problem(text):
        yield _warning(name, problem)
    try:
        for value in object_stream.values(text):
            if value is not None:
                yield from _object(name, read(value, _OBJECT), text, capabilities)
    except (yaml.YAMLError, JSONError, ShapeError) as error:
        yield _error(name, _yaml_problem(error))
        return False
    return True


_Judged = Generator[Finding, None, bool]


def _indent_problem(text: str) -> str:
    """Say so when the first line that holds something starts with a blank."""
    for line in text.split("\n"):
        if len(go_bytes(line)) > _LONGEST_LINE_BYTES:
            return "bufio.Scanner: token too long"
        if line.strip():
            if not line.startswith((" ", "\t")):
                return ""
            shown = quote(line.removesuffix("\r"))
            return (
                f"document starts with an illegal indent: {shown}, which may cause parsing problems"
            )
    return ""


def _yaml_problem(error: yaml.YAMLError | JSONError | ShapeError) -> str:
    if not isinstance(error, ShapeError):
        return f"unable to parse YAML: {error.text}"
    problem = str(error).replace(f"[]*{_ITEM}", f"[]{_ITEM}")
    return f"unable to parse YAML: error unmarshaling JSON: while decoding JSON: {problem}"


def _object(
    path: str, head: JsonObject, text: str, capabilities: Capabilities
) -> Iterator[Finding]:
    kind, version = str(head.get("Kind", "")), str(head.get("apiVersion", ""))
    metadata = head.get("Metadata")
    name = str(metadata.get("Name", "")) if isinstance(metadata, dict) else ""
    if problem := problem_with(kind, name):
        yield _warning(path, problem)
    cluster = capabilities.kube_version
    deprecated = deprecations.find(version, kind, (int(cluster.major), int(cluster.minor)))
    if deprecated:
        yield _warning(path, str(deprecated))
    if kind in _SELECTING and "matchLabels" not in text and "matchExpressions" not in text:
        yield _error(
            path,
            f"a {kind} must contain matchLabels or matchExpressions, and {quote(name)} does not",
        )
    if kind == "List":
        yield from _list_findings(path, text)


def _list_findings(path: str, text: str) -> Iterator[Finding]:
    try:
        items = read(yaml.load_typed(text), _LIST).get("Items")
    except (yaml.YAMLError, JSONError, ShapeError) as error:
        yield _error(path, _yaml_problem(error))
        return
    for item in items if isinstance(items, list) else ():
        metadata = item.get("Metadata") if isinstance(item, dict) else None
        annotations = metadata.get("Annotations") if isinstance(metadata, dict) else None
        if _KEEP in (annotations or ()):
            yield _error(path, f"annotation '{_KEEP}' within List objects are ignored")
            return


def _unused(question: Question, scope: "RenderScope") -> Iterator[Finding]:
    """Name the user's values that nothing reads, if the chart renders with them."""
    if not question.values:
        return
    values = copy_table(question.values)
    try:
        asked = incremental.Question(
            folder.load(question.folder),
            ReleaseInfo("test-release", question.namespace),
            question.capabilities,
            Options(skip_schema_validation=True),
        )
        rendered = incremental.Memory().render(asked, values, replace(scope, complain=_unheard))
    except OperatorError:
        return  # as was said
    if rendered.reads:
        for sentence in unused.told(unused.unused(rendered.reads, question.values)):
            yield _warning(GIVEN_VALUES, sentence)


def _unheard(_level: str, _what: str, _message: str) -> None:
    """Say nothing of what was said when Helm's findings were looked for."""


def _dependencies(path: Path) -> Iterator[Finding]:
    try:
        chart = folder.load(path)
    except OperatorError as error:
        yield _error("", f"unable to load chart\n\t{error.text}")
        return
    present = [subchart.name for subchart in chart.subcharts]
    declared = [one.name for one in chart.metadata.dependencies or ()]
    unknown = [name for name in present if name not in declared]
    if unknown:
        names = ",".join(unknown)
        yield _error(str(path), f"chart metadata is missing these dependencies: {names}")
    missing = [name for name in declared if name not in present]
    if missing:
        names = ",".join(missing)
        yield _warning(str(path), f"chart directory is missing these dependencies: {names}")


def _crds(path: Path) -> Iterator[Finding]:
    crds = path / CRDS
    if not crds.exists():
        return
    if not crds.is_dir():
        yield _error(CRDS, "not a directory")
        return
    try:
        chart = folder.load(path)
    except OperatorError as error:
        yield _error(CRDS, error.text)
        return
    for file in chart.placed().crds():
        name = f"{CRDS}{file.path.partition(f'/{CRDS}')[2]}"
        try:
            for value in object_stream.values(go_text(file.data)):
                if value is not None:
                    yield from _crd(name, read(value, _OBJECT))
        except (yaml.YAMLError, JSONError, ShapeError) as error:
            yield _error(name, _yaml_problem(error))
            return


def _crd(path: str, head: JsonObject) -> Iterator[Finding]:
    if not str(head.get("apiVersion", "")).startswith("apiextensions.k8s.io"):
        yield _error(path, "apiVersion is not in 'apiextensions.k8s.io'")
    if head.get("Kind") != "CustomResourceDefinition":
        yield _error(path, "object kind is not 'CustomResourceDefinition'")
