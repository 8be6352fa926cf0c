"""A chart and its parts, as loaded: plain data that nothing changes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

JsonObject = dict[str, object]

_MANIFEST_ENDINGS = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class File:
    """A member of a chart: `name` is relative to the chart, `modified` RFC 3339 or empty."""

    name: str
    data: bytes
    modified: str = ""

    def __reduce__(self) -> tuple[type["File"], tuple[str, bytes, str]]:
        # Charts come from disk with hundreds of these, and the way of dataclasses is slow.
        return File, (self.name, self.data, self.modified)


@dataclass(frozen=True, slots=True)
class Maintainer:
    """Who looks after a chart."""

    name: str = ""
    email: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Dependency:
    """A chart that a chart wants in its charts/ folder; `version` may be a range."""

    name: str = ""
    version: str = ""
    repository: str = ""
    condition: str = ""
    tags: tuple[str, ...] = ()
    enabled: bool = False
    import_values: tuple[object, ...] = ()
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Lock:
    """What `helm dependency update` wrote down; `generated` is RFC 3339."""

    generated: str = ""
    digest: str = ""
    dependencies: tuple[Dependency, ...] | None = None


@dataclass(frozen=True, slots=True)
class Metadata:
    """Chart.yaml, with the requirements.yaml of a v1 chart folded in.

    `dependencies` is None where none are declared: Helm then leaves the charts inside alone.
    """

    name: str = ""
    home: str = ""
    sources: tuple[str, ...] = ()
    version: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()
    maintainers: tuple[Maintainer, ...] = ()
    icon: str = ""
    api_version: str = ""
    condition: str = ""
    tags: str = ""
    app_version: str = ""
    deprecated: bool = False
    annotations: Mapping[str, str] | None = None
    kube_version: str = ""
    dependencies: tuple[Dependency, ...] | None = None
    type: str = ""

    @property
    def is_library(self) -> bool:
        """Whether only the partials of this chart count."""
        return self.type.casefold() == "library"


@dataclass(frozen=True, slots=True)
class CRDFile:
    """A file of a crds/ folder; `path` starts with the root chart's name."""

    path: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with the charts inside it; `values` is its values.yaml, None if it has none.

    `raw_values` is the text of that file, for those who write the chart down again.

    `path` is where Helm believes the chart to be: the names from the root chart down, joined by
    `/charts/`. It is empty until `placed`.
    """

    metadata: Metadata
    lock: Lock | None = None
    templates: tuple[File, ...] = ()
    values: JsonObject | None = None
    schema: bytes | None = None
    schema_modified: str = ""
    files: tuple[File, ...] = ()
    modified: str = ""
    subcharts: tuple["Chart", ...] = field(default=())
    path: str = ""
    raw_values: bytes | None = None

    @property
    def name(self) -> str:
        return self.metadata.name

    def placed(self, parent_path: str = "") -> "Chart":
        """Return the chart and all inside it with their paths."""
        path = f"{parent_path}/charts/{self.name}" if parent_path else self.name
        inner = tuple(subchart.placed(path) for subchart in self.subcharts)
        return replace(self, path=path, subcharts=inner)

    def crds(self) -> Iterator[CRDFile]:
        """The files of crds/, this chart's first and then those of each chart inside it."""
        for file in self.files:
            if file.name.startswith("crds/") and file.name.lower().endswith(_MANIFEST_ENDINGS):
                yield CRDFile(f"{self.path}/{file.name}", file.data)
        for subchart in self.subcharts:
            yield from subchart.crds()
