"""Reading spec.chart: where the chart comes from, and what is taken of it."""

import re

from whipstaff.errors import InvalidSpec
from whipstaff.helmrelease.fields import Fields, TextRule
from whipstaff.helmrelease.texts import DATA_KEY, NAMESPACE, OBJECT_NAME, SUBDOMAIN
from whipstaff.helmrelease.types import (
    ArchiveFrom,
    ChartSpec,
    RepositoryKey,
    SourceKind,
    StoredKind,
)
from whipstaff.helmrelease.verification import verification
from whipstaff.release.objects import ObjectReference

MOST_VALUES_FILES = 32
DEFAULT_SOURCE_VERSION = "source.toolkit.fluxcd.io/v1"
DEFAULT_ARCHIVE_KEY = "chart.tgz"
PLACES = ("repository", "repositoryRef", "sourceRef", "archiveFrom")

REPOSITORY_NAME = TextRule(SUBDOMAIN, 253, "the name of a HelmRepository")
DIGEST = TextRule(
    re.compile(r"sha256:[0-9a-f]{64}"), 71, "sha256: and 64 hexadecimal digits in small letters"
)
CHART_NAME = TextRule(
    re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*"),
    250,
    "the name of a chart: letters, digits, '-', '_' and '.', no '/'",
)
CHART_VERSION = TextRule(
    re.compile(r"(?=.*\S)[^\x00-\x1f\x7f]+"),
    256,
    "a version or a range of versions, such as 1.2.3, ^1.2 or *",
)
REPOSITORY = TextRule(
    # Credentials in a URL would be readable for everyone who may read the HelmRelease.
    re.compile(r"(https?|oci)://[^/?#@\s\x00-\x1f]+([/?][^\s\x00-\x1f#]*)?"),
    2048,
    "the http, https or oci URL of a chart repository, without user name or password",
)
SOURCE_VERSION = TextRule(
    re.compile(r"source\.toolkit\.fluxcd\.io/v1(beta[12])?"),
    64,
    f"a version of Flux's sources, such as {DEFAULT_SOURCE_VERSION}",
)
PATH = TextRule(
    re.compile(r"(?!/)(?!(.*/)?\.\.(/|$))[^\x00-\x1f\x7f\\]+"),
    1024,
    "a path inside the source, without a '/' at its beginning and without '..'",
)


def chart_of(namespace: str, chart: Fields) -> ChartSpec:
    """Read spec.chart of a HelmRelease in a namespace; InvalidSpec for what cannot go together."""
    spec = ChartSpec(
        name=chart.text("name", "", CHART_NAME),
        repository=chart.text("repository", "", REPOSITORY).rstrip("/"),
        version=chart.text("version", "*", CHART_VERSION),
        repository_ref=repository_ref(namespace, chart),
        source_ref=source_ref(namespace, chart),
        path=chart.text("path", "", PATH),
        archive_from=_archive_from(namespace, chart),
        digest=chart.text("digest", "", DIGEST),
        verify=verification(chart),
        values_files=chart.texts("valuesFiles", MOST_VALUES_FILES, PATH),
        ignore_missing_values_files=chart.flag("ignoreMissingValuesFiles"),
    )
    _refuse_contradictions(chart, spec)
    return spec


def repository_ref(namespace: str, chart: Fields) -> RepositoryKey | None:
    """Read which HelmRepository is named, None if none is."""
    if chart.content.get("repositoryRef") is None:
        return None
    reference = chart.table("repositoryRef")
    return RepositoryKey(
        reference.text("namespace", namespace, NAMESPACE),
        reference.required_text("name", REPOSITORY_NAME),
    )


def source_ref(namespace: str, chart: Fields) -> ObjectReference | None:
    """Read which object of Flux is named, None if none is."""
    if chart.content.get("sourceRef") is None:
        return None
    reference = chart.table("sourceRef")
    api_version = reference.text("apiVersion", DEFAULT_SOURCE_VERSION, SOURCE_VERSION)
    kind = reference.choice("kind", SourceKind.GIT_REPOSITORY)
    place = reference.text("namespace", namespace, NAMESPACE)
    name = reference.required_text("name", OBJECT_NAME)
    _require(reference, "kind")
    return ObjectReference(api_version, kind, place, name)


def _archive_from(namespace: str, chart: Fields) -> ArchiveFrom | None:
    if chart.content.get("archiveFrom") is None:
        return None
    reference = chart.table("archiveFrom")
    kind = reference.choice("kind", StoredKind.CONFIG_MAP)
    key = reference.text("key", DEFAULT_ARCHIVE_KEY, DATA_KEY)
    name = reference.required_text("name", OBJECT_NAME)
    _require(reference, "kind")
    return ArchiveFrom(ObjectReference("v1", kind, namespace, name), key)


def _refuse_contradictions(chart: Fields, spec: ChartSpec) -> None:
    given = [name for name in PLACES if chart.content.get(name) is not None]
    in_repository = not set(given) - {"repository", "repositoryRef"}
    if in_repository:
        _require(chart, "name")
    if len(given) != 1:
        at = chart.at(given[-1] if given else PLACES[0])
        raise InvalidSpec(
            f"{at} {'cannot be there' if given else 'is missing'}: exactly one of"
            f" {', '.join(PLACES[:-1])} and {PLACES[-1]} must say where the chart is",
            at,
        )
    if spec.path and spec.source_ref is None:
        raise chart.refuse("path", "left out where no sourceRef has a place for it")
    if spec.verify is not None and not in_repository:
        raise chart.refuse("verify", f"left out with {given[0]}: only repositories have signatures")


def _require(fields: Fields, name: str) -> None:
    if fields.content.get(name) is None:
        raise InvalidSpec(f"{fields.at(name)} is missing", fields.at(name))
