"""From the files of a chart to the chart: which file means what."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from whipstaff.chart import lock
from whipstaff.chart import metadata as chartfile
from whipstaff.chart.model import Chart, File, JsonObject, Lock, Metadata
from whipstaff.chart.values import merge_documents
from whipstaff.errors import ChartInvalid, ChartTooDeep, OperatorError, ValuesInvalid
from whipstaff.golang import yaml
from whipstaff.golang.values import go_text

MAX_FOLDER_NESTING = 20

_V1 = "v1"
_V2 = "v2"
_SEPARATOR = "---"

LoadArchive = Callable[[bytes], Chart]


def assemble(files: Sequence[File], load_archive: LoadArchive, depth: int = 0) -> Chart:
    """Build a chart from its files; `load_archive` reads the .tgz files of its charts/ folder."""
    if depth > MAX_FOLDER_NESTING:
        raise ChartTooDeep(f"charts are nested deeper than {MAX_FOLDER_NESTING} folders")
    metadata, held = _read_metadata(files)
    parts = _Parts(metadata.api_version == _V1)
    for file in files:
        parts.take(file)
    if metadata == Metadata():
        raise ChartInvalid("Chart.yaml file is missing", where="Chart.yaml")
    metadata = chartfile.validate(metadata)
    chart = Chart(
        metadata=metadata,
        lock=held,
        templates=tuple(parts.templates),
        values=parts.values,
        raw_values=parts.raw_values,
        schema=parts.schema.data if parts.schema else None,
        schema_modified=parts.schema.modified if parts.schema else "",
        files=tuple(parts.files),
        modified=next((file.modified for file in files if file.name == "Chart.yaml"), ""),
    )
    subcharts = [
        subchart
        for folder, inner in parts.charts.items()
        if (subchart := _load_subchart(chart.name, folder, inner, load_archive, depth))
    ]
    return replace(chart, subcharts=tuple(subcharts))


def check_format(chart: Chart) -> None:
    """Refuse a chart of another format than Helm's; of charts inside a chart Helm asks no such."""
    if chart.metadata.api_version not in {_V1, _V2}:
        raise ChartInvalid("unsupported chart version", where="Chart.yaml: apiVersion")


def parse_values(data: bytes, where: str) -> JsonObject:
    """Read a values file: all its documents merged, later ones winning; numbers are float64."""
    documents = _documents(go_text(data), where)
    try:
        return merge_documents(yaml.load_map(document) for document in documents)
    except yaml.YAMLError as error:
        raise ValuesInvalid(
            f"cannot load {where}: cannot unmarshal yaml document: {error.text}", where=where
        ) from error


def _documents(text: str, where: str) -> Iterator[str]:
    """Cut a values file as Kubernetes' reader does: every line ends with LF, the last one too.

    A separator belongs to the document behind it where nothing is before it.
    """
    text = text.replace("\r\n", "\n")
    lines = text.removesuffix("\n").split("\n") if text else []
    document: list[str] = []
    for line in lines:
        if line.startswith(_SEPARATOR):
            trailing = line.removeprefix(_SEPARATOR).strip()
            if trailing and not trailing.startswith("#"):
                raise ValuesInvalid(
                    f"cannot load {where}: error reading yaml document: "
                    f"invalid Yaml document separator: {trailing}",
                    where=where,
                )
            if document:
                yield "".join(document)
                document = []
                continue
        document.append(f"{line}\n")
    if document:
        yield "".join(document)


class _Parts:
    """The files of one chart, sorted by what they are for."""

    def __init__(self, is_v1: bool) -> None:
        self._is_v1 = is_v1
        self.templates: list[File] = []
        self.files: list[File] = []
        self.charts: dict[str, list[File]] = {}
        self.values: JsonObject | None = None
        self.raw_values: bytes | None = None
        self.schema: File | None = None

    def take(self, file: File) -> None:
        match file.name:
            case "Chart.yaml" | "Chart.lock":
                return
            case "values.yaml":
                self.values = parse_values(file.data, file.name)
                self.raw_values = file.data
            case "values.schema.json":
                self.schema = file
            case "requirements.yaml" | "requirements.lock":
                if self._is_v1:
                    self.files.append(file)
            case name if name.startswith("templates/"):
                self.templates.append(file)
            case name if name.startswith("charts/") and not name.endswith(".prov"):
                inner = replace(file, name=name.removeprefix("charts/"))
                self.charts.setdefault(inner.name.partition("/")[0], []).append(inner)
            case _:
                self.files.append(file)


def _read_metadata(files: Sequence[File]) -> tuple[Metadata, Lock | None]:
    metadata = Metadata()
    by_name = {file.name: file for file in files}
    if chart_yaml := by_name.get("Chart.yaml"):
        metadata = chartfile.parse(go_text(chart_yaml.data), "Chart.yaml")
        # Charts of Helm 2 had no apiVersion.
        metadata = replace(metadata, api_version=metadata.api_version or _V1)
    if requirements := by_name.get("requirements.yaml"):
        metadata = chartfile.parse(go_text(requirements.data), "requirements.yaml", onto=metadata)
    return metadata, lock.read(files)


def _load_subchart(
    parent: str, folder: str, files: list[File], load_archive: LoadArchive, depth: int
) -> Chart | None:
    if folder.startswith(("_", ".")):
        return None
    try:
        if folder.endswith(".tgz"):
            if files[0].name != folder:
                raise ChartInvalid(
                    f"error unpacking subchart tar in {parent}: "
                    f"expected {folder}, got {files[0].name}"
                )
            return load_archive(files[0].data)
        inner = [
            replace(file, name=file.name.partition("/")[2]) for file in files if "/" in file.name
        ]
        return assemble(inner, load_archive, depth + 1)
    except OperatorError as error:
        text = f"error unpacking subchart {folder} in {parent}: {error.text}"
        raise replace_text(error, text) from error


def replace_text(error: OperatorError, text: str) -> OperatorError:
    """The same error with another sentence."""
    return replace(error, text=text)
