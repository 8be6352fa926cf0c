"""What `whipstaff lint` says of HelmReleases and HelmRepositories in files, without a cluster."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from whipstaff.chart.findings import Finding, Severity
from whipstaff.cli.object_files import Found, read
from whipstaff.cli.own_schemas import own_schema
from whipstaff.cli.printing import one_line
from whipstaff.errors import InvalidSpec
from whipstaff.helmrelease import names, parsing
from whipstaff.helmrelease.drift_detection import OPT_OUTS
from whipstaff.helmrelease.strictness import Objection, dotted, nearest, objections
from whipstaff.helmrepository import names as repositories
from whipstaff.helmrepository import parsing as repository_parsing
from whipstaff.release.revision import JsonObject

_PARSERS: Mapping[str, Callable[[JsonObject], object]] = {
    names.KIND: parsing.parse,
    repositories.KIND: repository_parsing.parse,
}
_ANNOTATIONS = (*names.ASKING, names.ORDERS, *OPT_OUTS)
# What `whipstaff convert` makes HelmReleases of, and whose it is.
_CONVERTIBLE = {
    ("helm.toolkit.fluxcd.io", "HelmRelease"): "Flux's",
    ("argoproj.io", "Application"): "Argo CD's",
    ("helm.cattle.io", "HelmChart"): "k3s'",
}


class ObjectLint:
    """Judges files one after the other."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, ...], str] = {}

    def judge(self, path: str) -> list[Finding]:
        """Return what is wrong with the objects of a file; FileUnreadable if it has none."""
        found = read(path)
        findings = [_plain(finding) for one in found for finding in self._of(one)]
        if not any(_is_ours(one.body) for one in found):
            text = "no HelmRelease and no HelmRepository is in here"
            return [*findings, Finding(Severity.INFO, path, text)]
        return findings

    def _of(self, one: Found) -> Iterator[Finding]:
        for path, line in one.twice():
            text = f"{dotted(path)}: is there twice, and the last one counts"
            yield Finding(Severity.ERROR, f"{one.file}:{line}", text)
        if not _is_ours(one.body):
            yield from _of_others(one)
            return
        subject = _subject(one.body)
        for objection in self._objections(one.body):
            text = f"{subject}: {objection.field}: {objection.text}"
            yield Finding(Severity.ERROR, one.at(objection.path), text)
        yield from _of_annotations(one, subject)
        yield from self._twice(one, subject)

    def _twice(self, one: Found, subject: str) -> Iterator[Finding]:
        first = self._seen.setdefault((str(one.body["kind"]), subject), one.at(()))
        if first != one.at(()):
            text = f"{subject}: is in {first} too"
            yield Finding(Severity.WARNING, one.at(("metadata", "name")), text)

    def _objections(self, body: JsonObject) -> list[Objection]:
        kind, version = str(body["kind"]), str(body["apiVersion"]).partition("/")[2]
        if version != names.VERSION:
            text = f"must be {names.API_VERSION}"
            return [Objection(("apiVersion",), text)]
        if kind not in _PARSERS:
            meant = nearest(kind, list(_PARSERS))
            text = f"no such kind{f'; did you mean {meant!r}?' if meant else ''}"
            return [Objection(("kind",), text)]
        found = objections(own_schema(kind), body) + list(_unnamed(body))
        return found or _parsed(kind, body)


def _plain(finding: Finding) -> Finding:
    """Take from what was found what would steer a terminal: names come from anywhere."""
    return replace(finding, text=one_line(finding.text))


def _is_ours(body: JsonObject) -> bool:
    version = body.get("apiVersion")
    return isinstance(version, str) and version.partition("/")[0] == names.GROUP


def _of_others(one: Found) -> Iterator[Finding]:
    version, kind = one.body.get("apiVersion"), one.body.get("kind")
    if not isinstance(version, str) or not isinstance(kind, str):
        missing = "kind" if isinstance(version, str) else "apiVersion"
        yield Finding(Severity.ERROR, one.at((missing,)), f"{missing}: is missing, or no text")
        return
    whose = _CONVERTIBLE.get((version.partition("/")[0], kind))
    if whose:
        text = f"{_subject(one.body)}: is {whose}; `whipstaff convert` makes a HelmRelease of it"
        yield Finding(Severity.INFO, one.at(()), text)
    elif kind in _PARSERS and not version.startswith("source.toolkit.fluxcd.io/"):
        text = f"{_subject(one.body)}: apiVersion: is not {names.API_VERSION}"
        yield Finding(Severity.WARNING, one.at(("apiVersion",)), text)


def _subject(body: JsonObject) -> str:
    metadata = body.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    place = f"{named['namespace']}/" if isinstance(named.get("namespace"), str) else ""
    return f"{body.get('kind')} {place}{named.get('name') or 'without a name'}"


def _unnamed(body: JsonObject) -> Iterator[Objection]:
    metadata = body.get("metadata")
    if isinstance(metadata, dict) and not (metadata.get("name") or metadata.get("generateName")):
        yield Objection(("metadata", "name"), "is missing")


def _parsed(kind: str, body: JsonObject) -> list[Objection]:
    """Return what the operator would say of an object that has no unknown fields."""
    metadata = {"namespace": "default", "uid": "", "name": "unnamed", **body["metadata"]}
    try:
        _PARSERS[kind]({**body, "metadata": metadata})
    except InvalidSpec as error:
        path = _steps(error.field)
        text = error.text.removeprefix(f"{error.field} ")
        return [Objection(path, text)]
    return []


def _steps(field: str) -> tuple[str | int, ...]:
    parts = field.replace("[", ".[").split(".")
    return tuple(int(part[1:-1]) if part.startswith("[") else part for part in parts if part)


def _of_annotations(one: Found, subject: str) -> Iterator[Finding]:
    metadata = one.body.get("metadata")
    given = metadata.get("annotations") if isinstance(metadata, dict) else None
    for name in given if isinstance(given, dict) else ():
        if name.startswith(f"{names.GROUP}/") and name not in _ANNOTATIONS:
            meant = nearest(name, list(_ANNOTATIONS))
            text = f"{subject}: metadata.annotations: {name} means nothing"
            hint = f"; did you mean {meant!r}?" if meant else ""
            yield Finding(Severity.WARNING, one.at(("metadata", "annotations", name)), text + hint)
