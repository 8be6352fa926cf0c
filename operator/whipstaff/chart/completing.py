"""A chart made whole: found in its source, its values files taken, missing dependencies put in.

What the charts of repositories have been through when they were packed, a folder in Git has not.
All of it is a function of the source and of the archives that were fetched for it: whoever calls
fetches what `missing` names and calls again. Of a chart that is put in, nothing is looked for: as
with `helm dependency build`, it carries its own or goes without.
"""

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from whipstaff.chart import archive, loader, lock
from whipstaff.chart.ignore import FILE_NAME as IGNORE_FILE
from whipstaff.chart.ignore import Ignored, Rules
from whipstaff.chart.model import Chart, Dependency, File
from whipstaff.chart.packing import Entry, archive_of
from whipstaff.chart.tarball import Tarball
from whipstaff.chart.values import merge_documents
from whipstaff.chart.wanted import Wanted
from whipstaff.errors import ChartInvalid, ChartPathIllegal, ChartPathNotFound, ValuesFileNotFound
from whipstaff.golang import yaml
from whipstaff.golang.strconv import quote
from whipstaff.golang.values import go_bytes

MOST_MISSING = 64
FETCHED = ("http://", "https://", "oci://")

_CHARTFILE = "Chart.yaml"
_VALUES = "values.yaml"
_LOCAL = "file://"
_DECLARED = "Chart.yaml: dependencies"

ReadFile = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Fetched:
    """The archive of a dependency: what it was fetched for, and its bytes."""

    name: str
    version: str
    repository: str
    archive: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Completed:
    """A chart; `archive` is None where the source is it already, or where something is missing."""

    name: str
    version: str
    missing: tuple[Dependency, ...] = ()  # to be fetched first: exact versions if there is a lock
    archive: bytes | None = field(default=None, repr=False)


class Tree(Protocol):
    """Where the folders are that a chart and its local dependencies lie in."""

    def folder(self, path: str) -> list[File]:
        """Return the files of a chart's folder; none if there is no chart."""
        ...

    def file(self, path: str) -> bytes | None:
        """Return one file, None if there is none."""
        ...


def of_archive(data: bytes, wanted: Wanted, fetched: Iterable[Fetched] = ()) -> Completed:
    """Complete a packaged chart; paths of values files and `file://` are inside it."""
    tree = _Packed({file.name: file for file in archive.members(data)})
    work = _Completion(tree, "", list(tree.files.values()), wanted)
    return work.done(fetched, untouched=None)


def of_tarball(source: Path, wanted: Wanted, fetched: Iterable[Fetched] = ()) -> Completed:
    """Complete a chart in an artifact; paths of values files are inside the artifact, as in Flux.

    ChartPathNotFound if there is no chart at the path.
    """
    path = posixpath.normpath(wanted.path) if wanted.path else ""
    path = "" if path == "." else path
    tree = _Unpacked(Tarball(source))
    files = tree.folder(path)
    if files:
        return _Completion(tree, path, files, wanted).done(fetched, untouched=b"")
    if path and (packed := tree.file(path)):
        inside = of_archive(packed, wanted, fetched)
        if inside.archive is None and not inside.missing:
            return Completed(inside.name, inside.version, archive=packed)
        return inside
    if not path and wanted.may_be_packed and tree.is_packed_chart:
        return of_archive(source.read_bytes(), wanted, fetched)
    where = f"at {quote(path)}" if path else "at its root"
    raise ChartPathNotFound(f"the source has no chart {where}: there is no {_CHARTFILE}", path)


class _Packed:
    """The files of a packaged chart."""

    def __init__(self, files: Mapping[str, File]) -> None:
        self.files = files

    def folder(self, path: str) -> list[File]:
        prefix = f"{path}/" if path else ""
        if f"{prefix}{_CHARTFILE}" not in self.files:
            return []
        return [
            File(name.removeprefix(prefix), file.data)
            for name, file in self.files.items()
            if name.startswith(prefix)
        ]

    def file(self, path: str) -> bytes | None:
        found = self.files.get(path)
        return found.data if found else None


class _Unpacked:
    """The files of an artifact: what is asked for is read from the tarball, again and again."""

    def __init__(self, tarball: Tarball) -> None:
        self._tarball = tarball

    @property
    def is_packed_chart(self) -> bool:
        """Whether the tarball has one folder with a chart in it, and nothing beside it."""
        tops = self._tarball.tops()
        return len(tops) == 1 and self.file(f"{tops.pop()}/{_CHARTFILE}") is not None

    def folder(self, path: str) -> list[File]:
        prefix = f"{path}/" if path else ""
        heads = {prefix + name for name in (_CHARTFILE, IGNORE_FILE)}
        found = self._tarball.read(lambda name: name in heads)
        if prefix + _CHARTFILE not in found:
            return []
        rules = found.get(prefix + IGNORE_FILE)
        ignored = Ignored(Rules.parse(rules.data if rules else b""))
        files = self._tarball.read(
            lambda name: name.startswith(prefix) and not ignored.has(name.removeprefix(prefix))
        )
        # As a walk through the folder has them, whoever wrote the tarball.
        return [
            File(name.removeprefix(prefix), files[name].data)
            for name in sorted(files, key=lambda one: one.split("/"))
        ]

    def file(self, path: str) -> bytes | None:
        found = self._tarball.read(lambda name: name == path).get(path)
        return found.data if found else None


class _Completion:
    """One chart on its way: its files, and what is to become of them."""

    def __init__(self, tree: Tree, path: str, files: Sequence[File], wanted: Wanted) -> None:
        self._tree = tree
        self._path = path
        self._files = list(files)
        self._wanted = wanted
        self._changed = False

    def done(self, fetched: Iterable[Fetched], *, untouched: bytes | None) -> Completed:
        """Return the chart; `untouched` is None if it need not be packed where nothing changed."""
        chart = _chart(self._files)
        loader.check_format(chart)
        self._take_values_files()
        lacking = self._put_in(
            chart, {(one.name, one.version, one.repository): one for one in fetched}
        )
        name, version = chart.name, chart.metadata.version
        if lacking:
            return Completed(name, version, lacking)
        if not self._changed and untouched is None:
            return Completed(name, version)
        entries = (Entry(f"{name}/{file.name}", file.data) for file in self._files)
        return Completed(name, version, archive=archive_of(entries))

    def _take_values_files(self) -> None:
        if not self._wanted.values_files:
            return
        layers = []
        for path in self._wanted.values_files:
            data = self._tree.file(posixpath.normpath(path))
            if data is None and self._wanted.ignore_missing_values_files:
                continue
            if data is None:
                raise ValuesFileNotFound(f"there is no values file {quote(path)}", path)
            layers.append(loader.parse_values(data, path))
        merged = merge_documents(layers)
        text = go_bytes(yaml.dump(merged)) if merged else b""
        self._files = [file for file in self._files if file.name != _VALUES]
        self._files.append(File(_VALUES, text))
        self._changed = True

    def _put_in(
        self, chart: Chart, fetched: Mapping[tuple[str, str, str], Fetched]
    ) -> tuple[Dependency, ...]:
        """Put in what can be had; return what must be fetched."""
        lacking = []
        settled = dict.fromkeys(_settled(chart))
        if len(settled) > MOST_MISSING:
            raise ChartInvalid(f"more than {MOST_MISSING} dependencies are missing", _DECLARED)
        for one in settled:
            known = fetched.get((one.name, one.version, one.repository))
            if known:
                self._files.append(File(f"charts/{one.name}-{one.version}.tgz", known.archive))
                self._changed = True
            elif one.repository.startswith(_LOCAL):
                self._put_in_folder(one)
                self._changed = True
            elif one.repository.startswith(FETCHED):
                lacking.append(one)
            elif one.repository:
                raise ChartInvalid(
                    f"dependency {quote(one.name)} is missing, and its repository"
                    f" {quote(one.repository)} is no URL: it is a name that only the helm of"
                    " whoever made the chart knows",
                    _DECLARED,
                )
        return tuple(lacking)

    def _put_in_folder(self, one: Dependency) -> None:
        """Put in a chart that lies beside this one; it may not lie outside of the source."""
        path = one.repository.removeprefix(_LOCAL)
        target = posixpath.normpath(posixpath.join(self._path, path))
        if path.startswith("/") or target.startswith(".."):
            raise ChartPathIllegal(
                f"dependency {quote(one.name)}: {quote(one.repository)} leads out of the source",
                _DECLARED,
            )
        target = "" if target == "." else target
        files = self._tree.folder(target)
        if not files:
            raise ChartPathNotFound(
                f"dependency {quote(one.name)}: the source has no chart at {quote(target or '.')}",
                _DECLARED,
            )
        found = _chart(files)
        if found.name != one.name:
            raise ChartInvalid(
                f"dependency {quote(one.name)}: the chart at {quote(target or '.')} is called"
                f" {quote(found.name)}",
                _DECLARED,
            )
        if lock.first_allowed(lock.constraint(one), [found.metadata.version]) is None:
            raise ChartInvalid(
                f"dependency {quote(one.name)}: the chart at {quote(target or '.')} has version"
                f" {found.metadata.version}, which {quote(one.version)} does not allow",
                _DECLARED,
            )
        folder = f"charts/{one.name}-{found.metadata.version}"
        self._files += [File(f"{folder}/{file.name}", file.data) for file in files]


def _chart(files: Sequence[File]) -> Chart:
    budget = archive.Budget()
    return loader.assemble(files, lambda inner: archive.load(inner, budget))


def _settled(chart: Chart) -> tuple[Dependency, ...]:
    """Return what is missing, in the versions of the lock if there is one; LockOutOfSync."""
    missing = lock.missing(chart)
    held = chart.lock
    if not missing or held is None or not held.dependencies:
        return tuple(Dependency(one.name, one.version, one.repository) for one in missing)
    declared = chart.metadata.dependencies or ()
    pairs = list(zip(declared, held.dependencies, strict=False))
    # A name of the user's own in Chart.yaml is a URL in the lock.
    urls = {one.repository: kept.repository for one, kept in pairs if _is_alias(one.repository)}
    lock.check(chart.metadata, held, lock.relocated(chart.metadata.dependencies, urls))
    return tuple(
        Dependency(one.name, kept.version, urls.get(one.repository, one.repository))
        for one, kept in pairs
        if one in missing
    )


def _is_alias(repository: str) -> bool:
    return repository.startswith(("@", "alias:"))
