"""Chart.lock: which versions the declared charts were settled on, and whether that still holds.

Everything here is a function of its arguments: who asks repositories hands in what they offer.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from whipstaff.chart import metadata as chartfile
from whipstaff.chart import record
from whipstaff.chart.model import Chart, Dependency, File, Lock, Metadata
from whipstaff.errors import ChartInvalid, ChartVersionNotFound, LockOutOfSync
from whipstaff.golang import json, yaml
from whipstaff.golang.semver import Constraint, SemverError, Version
from whipstaff.golang.strconv import quote
from whipstaff.golang.values import StructFields, go_text

FILE_NAME = "Chart.lock"
V1_FILE_NAME = "requirements.lock"
V1 = "v1"

Dependencies = Sequence[Dependency] | None
Offer = Callable[[Dependency], Sequence[str] | None]


def file_name(metadata: Metadata) -> str:
    """Where a chart of this format keeps its lock."""
    return V1_FILE_NAME if metadata.api_version == V1 else FILE_NAME


def read(files: Iterable[File]) -> Lock | None:
    """Read the lock among the files of a chart; requirements.lock wins, an empty one is none."""
    by_name = {file.name: file for file in files}
    found = None
    for name in (FILE_NAME, V1_FILE_NAME):
        if file := by_name.get(name):
            found = chartfile.parse_lock(go_text(file.data), name)
    return found


def dump(lock: Lock) -> str:
    """Write a lock as `helm dependency update` writes it."""
    return yaml.dump(record.lock(lock))


def digest(requirements: Dependencies, locked: Dependencies) -> str:
    """Helm's hash of what a chart declares and what was settled on for it.

    Repositories are hashed as URLs: names of the user's own (`@stable`) must be replaced before.
    """
    return _hash([_records(requirements), _records(locked)])


def helm2_digest(requirements: Dependencies) -> str:
    """The hash that Helm 2 wrote into requirements.lock: of what is declared, as it is written."""
    return _hash({"dependencies": _records(requirements)})


def check(metadata: Metadata, lock: Lock, requirements: Dependencies) -> None:
    """Raise LockOutOfSync unless a lock is of what its chart declares.

    `requirements` are the declared charts with their repositories as URLs.
    """
    if lock.digest == digest(requirements, lock.dependencies):
        return
    if metadata.api_version != V1:
        raise LockOutOfSync(
            f"the lock file ({FILE_NAME}) is out of sync with the dependencies file (Chart.yaml). "
            "Please update the dependencies with 'helm dependency update'",
            where=FILE_NAME,
        )
    if lock.digest != helm2_digest(metadata.dependencies):
        raise LockOutOfSync(
            f"the lock file ({V1_FILE_NAME}) is out of sync with the dependencies file "
            "(requirements.yaml). Please update the dependencies",
            where=V1_FILE_NAME,
        )


def choose(requirements: Sequence[Dependency], offer: Offer) -> tuple[Dependency, ...]:
    """Settle on a version for each declared chart: the first offered one in its range.

    `offer` returns the versions of a chart, newest first, or None where what is declared stays
    as it is. ChartVersionNotFound names every chart that has no version in its range.
    """
    chosen = []
    unmet = []
    for one in requirements:
        wanted = constraint(one)
        offered = offer(one)
        version = one.version if offered is None else first_allowed(wanted, offered)
        if version is None:
            unmet.append(one)
        else:
            chosen.append(Dependency(one.name, version, one.repository))
    if unmet:
        raise ChartVersionNotFound(_unmet(unmet), ", ".join(one.name for one in unmet))
    return tuple(chosen)


def constraint(dependency: Dependency) -> Constraint:
    """Read the range of versions that a chart declares."""
    try:
        return Constraint.parse(dependency.version)
    except SemverError as error:
        raise ChartInvalid(
            f"dependency {quote(dependency.name)} has an invalid version/constraint format: "
            f"{error}",
            where="Chart.yaml: dependencies",
        ) from error


def first_allowed(wanted: Constraint, versions: Iterable[str]) -> str | None:
    """The first of these versions in a range; what is no version is passed over."""
    for text in versions:
        try:
            version = Version.parse(text)
        except SemverError:
            continue
        if wanted.allows(version):
            return text
    return None


def missing(chart: Chart) -> tuple[Dependency, ...]:
    """The declared charts of which none lies in charts/; as Helm, by name and not by version."""
    present = {subchart.name for subchart in chart.subcharts}
    return tuple(one for one in chart.metadata.dependencies or () if one.name not in present)


def missing_text(absent: Iterable[Dependency]) -> str:
    """Say which declared charts are not carried, in Helm's words."""
    names = ", ".join(one.name for one in absent)
    return f"found in Chart.yaml, but missing in charts/ directory: {names}"


def relocated(requirements: Dependencies, urls: dict[str, str]) -> tuple[Dependency, ...] | None:
    """The declared charts with the repositories in `urls` replaced by what they stand for."""
    if requirements is None:
        return None
    return tuple(
        replace(one, repository=urls.get(one.repository, one.repository)) for one in requirements
    )


def _unmet(unmet: Sequence[Dependency]) -> str:
    charts = ", ".join(
        f"{quote(one.name)} (repository {quote(one.repository)}, version {quote(one.version)})"
        for one in unmet
    )
    return (
        f"can't get a valid version for {len(unmet)} subchart(s): {charts}. Make sure a matching "
        "chart version exists in the repo, or change the version constraint in Chart.yaml"
    )


def _records(dependencies: Dependencies) -> list[object] | None:
    if dependencies is None:
        return None
    return [StructFields(record.dependency(one)) for one in dependencies]


def _hash(value: object) -> str:
    text = json.dump(value).encode("utf-8", "surrogateescape")
    return f"sha256:{hashlib.sha256(text).hexdigest()}"
