"""Where a chart of Argo CD's comes from, and its values."""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass

from whipstaff.cli.conversion import given_layers
from whipstaff.cli.conversion.drafts import EXACT_VERSION, Draft
from whipstaff.cli.conversion.flux_charts import SOURCES
from whipstaff.cli.conversion.originals import Original, Path
from whipstaff.cli.conversion.surroundings import without_login
from whipstaff.helmrelease.types import SourceKind
from whipstaff.release.revision import JsonObject

_SPEC: Path = ("spec",)
_CHART: Path = ("spec", "chart")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_RANGE = re.compile(r"[\^~<>=*|]|\.x\b")
_SECURE_COPY = re.compile(r"([^@/:]+@[^:/]+):(?!//)(.+)")
_VARIABLE = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z0-9_]+)|(\$))")
_GLOB = re.compile(r"[*?\[]")
_HEADS = ("", "HEAD")


@dataclass(frozen=True, slots=True)
class Source:
    """One source of an Application."""

    original: Original
    base: Path
    namespace: str  # that of the release

    @property
    def helm(self) -> Path:
        return (*self.base, "helm")

    @property
    def short_name(self) -> str:
        """What tells it from the other sources."""
        source = self.original.table(*self.base)
        words = str(source.get("chart") or source.get("path") or source.get("repoURL") or "")
        last = words.rstrip("/").rpartition("/")[2]
        return re.sub(r"[^a-z0-9]+", "-", last.lower()).strip("-") or str(self.base[-1])

    def variables(self) -> Mapping[str, str]:
        """What Argo CD puts into parameters, as far as it is known before a sync."""
        source = self.original.table(*self.base)
        known = {
            "APP_NAME": self.original.table("metadata").get("name"),
            "APP_NAMESPACE": self.namespace,
            "APP_PROJECT_NAME": self.original.table("spec").get("project"),
            "APP_SOURCE_REPO_URL": source.get("repoURL"),
            "APP_SOURCE_PATH": source.get("path"),
            "APP_SOURCE_TARGET_REVISION": source.get("targetRevision"),
        }
        return {f"ARGOCD_{name}": str(text or "") for name, text in known.items()}


def write_source(draft: Draft, source: Source) -> list[Draft]:
    """Write chart and values of a HelmRelease; return what has to be there besides."""
    original, base = source.original, source.base
    original.text(*base, "ref")  # values of other charts may be in it
    name = original.text(*source.helm, "releaseName")
    if name and name != draft.at("metadata", "name"):
        draft.put(("spec", "releaseName"), name, (original, (*source.helm, "releaseName")))
    made = []
    if original.at(*base, "chart"):
        _of_repository(draft, source)
    elif str(original.at(*base, "repoURL")).startswith("oci://"):
        _of_registry(draft, source)
    else:
        made = _of_git(draft, source)
    _files(draft, source)
    _values(draft, source)
    _options(draft, source)
    return made


def _of_repository(draft: Draft, source: Source) -> None:
    original, base = source.original, source.base
    draft.move(original, (*base, "chart"), (*_CHART, "name"))
    url = without_login(draft, original, (*base, "repoURL"), (*_CHART, "repository"))
    if url and "://" not in url:  # Argo CD's way to name a registry
        draft.put((*_CHART, "repository"), f"oci://{url}", (original, (*base, "repoURL")))
    _version(draft, source)
    if original.at(*base, "path") == ".":
        original.take(*base, "path")


def _of_registry(draft: Draft, source: Source) -> None:
    """Read a repository of OCI that holds one chart."""
    original, base = source.original, source.base
    url = without_login(draft, original, (*base, "repoURL"), (*_CHART, "repository"))
    folder, _, name = url.rstrip("/").rpartition("/")
    draft.put((*_CHART, "repository"), folder, (original, (*base, "repoURL")))
    draft.put((*_CHART, "name"), name, (original, (*base, "repoURL")))
    _version(draft, source)
    if original.at(*base, "path") in (".", "", "./"):
        original.take(*base, "path")


def _version(draft: Draft, source: Source) -> None:
    path = (*source.base, "targetRevision")
    if source.original.at(*path) in _HEADS:
        source.original.take(*path)
    else:
        draft.move(source.original, path, (*_CHART, "version"))


def _of_git(draft: Draft, source: Source) -> list[Draft]:
    """Read a chart from Git by way of Flux's source-controller: nothing else reads Git here."""
    original, base = source.original, source.base
    name = str(draft.at("metadata", "name"))
    home = str(draft.at("metadata", "namespace") or "")
    git = Draft.new(SourceKind.GIT_REPOSITORY, name, home, draft.subject, f"{SOURCES}/v1")
    git.put(("spec", "interval"), "5m")
    url = without_login(git, original, (*base, "repoURL"), ("spec", "url"))
    copied = _SECURE_COPY.fullmatch(url)
    if copied:
        git.put(("spec", "url"), f"ssh://{copied[1]}/{copied[2]}")
    _revision(git, source)
    reference = {"kind": str(SourceKind.GIT_REPOSITORY), "name": name}
    draft.put((*_CHART, "sourceRef"), reference, (original, (*base, "repoURL")))
    path = posixpath.normpath(original.text(*base, "path") or ".").strip("/")
    if path not in {"", "."}:
        draft.put((*_CHART, "path"), path, (original, (*base, "path")))
    text = (
        "Git is read by Flux's source-controller, which has to be there; a login that Argo CD has"
        " goes into a Secret that spec.secretRef of the GitRepository names"
    )
    draft.tell(original, (*base, "repoURL"), text, place=_CHART, lost=False)
    return [git]


def _revision(git: Draft, source: Source) -> None:
    original, path = source.original, (*source.base, "targetRevision")
    revision = original.text(*path)
    if revision in _HEADS:
        text = "is the default branch: spec.ref.branch says which, master if it does not"
        git.tell(original, path if revision else source.base, text, place=_SPEC)
        return
    kind = "branch"
    if _COMMIT.fullmatch(revision):
        kind = "commit"
    elif EXACT_VERSION.fullmatch(revision):
        kind = "tag"
    elif _RANGE.search(revision):
        kind = "semver"
    elif revision.startswith("refs/"):
        kind = "name"
    git.put(("spec", "ref", kind), revision, (original, path))
    if kind == "branch":
        text = "is taken for a branch: for a tag, write spec.ref.tag"
        git.tell(original, path, text, place=("spec", "ref"), lost=False)


def _files(draft: Draft, source: Source) -> None:
    """Write values files: Argo CD lays them over the chart's own, here they are in its place."""
    original, path = source.original, (*source.helm, "valueFiles")
    folder = str(draft.at(*_CHART, "path") or "")
    named = []
    for at, file in enumerate(original.items(*path)):
        if not isinstance(file, str):
            continue
        if file.startswith("$") or "://" in file or _GLOB.search(file):
            text = (
                "was left out: values files are those of the chart's own source, each by its name;"
                " put what is in it into spec.values, or into a ConfigMap for valuesFrom"
            )
            draft.lose(original, (*path, at), text, place=_CHART)
            continue
        original.take(*path, at)
        inside = file.lstrip("/") if file.startswith("/") else posixpath.join(folder, file)
        named.append(posixpath.normpath(inside))
    if named:
        own = posixpath.join(folder, "values.yaml")
        draft.put((*_CHART, "valuesFiles"), [own, *named], (original, path))
    ignore = (*source.helm, "ignoreMissingValueFiles")
    draft.move(original, ignore, (*_CHART, "ignoreMissingValuesFiles"))


def _values(draft: Draft, source: Source) -> None:
    original, helm = source.original, source.helm
    values: JsonObject = {}
    if original.table(*helm, "valuesObject"):
        draft.move(original, (*helm, "valuesObject"), ("spec", "values"))
        values = draft.body["spec"]["values"]
        text = "was left out: Argo CD, too, takes valuesObject where both are there"
        draft.lose(original, (*helm, "values"), text, place=_SPEC, shown=False)
    elif original.at(*helm, "values"):
        values = given_layers.of_text(original, *helm, "values")
    for at, parameter in enumerate(original.items(*helm, "parameters")):
        if isinstance(parameter, dict) and parameter.get("name"):
            _parameter(draft, source, (*helm, "parameters", at), values)
    text = "was left out: files are not read into values; write them into spec.values"
    draft.lose(original, (*helm, "fileParameters"), text, place=_SPEC)
    if values:
        draft.put(("spec", "values"), given_layers.plain_values(values), (original, helm))


def _parameter(draft: Draft, source: Source, path: Path, values: JsonObject) -> None:
    original = source.original
    name, text = original.text(*path, "name"), original.text(*path, "value")
    forced = original.flag(*path, "forceString")
    known = source.variables()

    def put_in(found: re.Match[str]) -> str:
        return "$" if found[3] else known.get(found[1] or found[2], "")

    if any(one[1] or one[2] for one in _VARIABLE.finditer(text)):
        told = "names variables of Argo CD: those that it knows at a sync alone were left out"
        used = {one[1] or one[2] for one in _VARIABLE.finditer(text) if not one[3]}
        draft.tell(original, path, told, place=_SPEC, lost=bool(used - set(known)))
    given_layers.assign(
        values, original, path, (name, _VARIABLE.sub(put_in, text)), typed=not forced
    )


def _options(draft: Draft, source: Source) -> None:
    original, helm = source.original, source.helm
    if original.flag(*helm, "skipCrds"):
        draft.put(("spec", "install", "crds"), "Skip", (original, (*helm, "skipCrds")))
    else:  # Argo CD applies them with each sync
        draft.put(("spec", "upgrade", "crds"), "CreateReplace")
    if original.flag(*helm, "skipSchemaValidation"):
        for action in ("install", "upgrade"):
            draft.put(("spec", action, "disableSchemaValidation"), value=True)
    original.flag(*helm, "skipTests")  # tests run where spec.test asks for them
    if original.at(*helm, "version") in ("v3", "3"):
        original.take(*helm, "version")
    same = original.at(*helm, "namespace") == source.namespace
    if same:
        original.take(*helm, "namespace")
    for name, text in (
        ("passCredentials", "was left out: it is spec.passCredentials of a HelmRepository"),
        ("kubeVersion", "was left out: charts are rendered for the cluster that they go into"),
        ("apiVersions", "was left out: charts are rendered for the cluster that they go into"),
        ("namespace", "was left out: the release is in the namespace of its objects"),
    ):
        if original.at(*helm, name) is False:
            original.take(*helm, name)
        draft.lose(original, (*helm, name), text, place=_SPEC)
