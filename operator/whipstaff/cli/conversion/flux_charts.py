"""Where a chart of Flux's comes from: its sources become ours, or are named as they are."""

import re

from whipstaff.cli.conversion.drafts import EXACT_VERSION, Draft
from whipstaff.cli.conversion.originals import Original, Path
from whipstaff.cli.conversion.surroundings import Surroundings
from whipstaff.helmrelease.types import SourceKind
from whipstaff.helmrepository.names import KIND as REPOSITORY_KIND
from whipstaff.release.revision import JsonObject

SOURCES = "source.toolkit.fluxcd.io"
CHART: Path = ("spec", "chart")

_HELM_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_OCI = re.compile(r"(oci://[^/@]+(?:/[^/]+)*)/([^/]+)/?")
_IN_REPOSITORIES = frozenset(
    {"url", "interval", "timeout", "ref", "layerSelector", "secretRef", "certSecretRef"}
    | {"insecure", "provider", "verify", "suspend"}
)


def write_chart(draft: Draft, original: Original, around: Surroundings) -> None:
    """Write spec.chart of a HelmRelease; Unconvertible if Flux would not know it either."""
    draft.put(CHART, {})
    if original.at("spec", "chartRef") is not None:
        _of_reference(draft, original, around)
        return
    base: Path = ("spec", "chart", "spec")
    if not original.table(*base):
        raise original.unconvertible(base, "is missing, or no table")
    _of_template(draft, original, base, around)
    draft.lose(
        original,
        ("spec", "chart", "metadata"),
        "was left out: there is no HelmChart whose metadata it could be",
        place=CHART,
    )


def _of_reference(draft: Draft, original: Original, around: Surroundings) -> None:
    base: Path = ("spec", "chartRef")
    kind = original.text(*base, "kind")
    name = original.text(*base, "name")
    namespace = original.text(*base, "namespace") or original.namespace
    source = around.use(f"{SOURCES}/{kind}", namespace, name, draft)
    if kind == "HelmChart" and source is not None:
        _of_template(draft, source, ("spec",), around)
        return
    if kind == "OCIRepository" and source is not None and is_plain(source, original.namespace):
        _of_oci(draft, source, original)
        return
    if kind not in {each.value for each in SourceKind}:
        text = "is no place that a chart can be taken from here: chart.repository,"
        text += " repositoryRef, sourceRef or archiveFrom has to be written"
        draft.tell(original, base, text, place=CHART, value=original.at(*base))
        return
    _of_source(draft, original, base, kind)
    if str(original.at(*base, "apiVersion")).startswith(f"{SOURCES}/"):
        draft.move(original, (*base, "apiVersion"), (*CHART, "sourceRef", "apiVersion"))


def _of_source(draft: Draft, original: Original, base: Path, kind: str) -> None:
    """Go on with an object of Flux."""
    reference = {"kind": kind, "name": original.text(*base, "name")}
    namespace = original.text(*base, "namespace")
    if namespace and namespace != original.namespace:
        reference["namespace"] = namespace
    draft.put((*CHART, "sourceRef"), reference, (original, base))
    text = f"the {kind} stays Flux's, whose source-controller has to go on running"
    draft.tell(original, base, text, place=CHART, lost=False)


def _of_template(draft: Draft, original: Original, base: Path, around: Surroundings) -> None:
    """Read what both a HelmRelease and a HelmChart of Flux say of a chart."""
    reference = (*base, "sourceRef")
    kind = original.text(*reference, "kind")
    original.text(*reference, "apiVersion")
    if kind == "HelmRepository":
        _of_repository(draft, original, base, around)
    elif kind in {SourceKind.GIT_REPOSITORY, SourceKind.BUCKET}:
        _of_folder(draft, original, base, kind)
        around.use(
            f"{SOURCES}/{kind}",
            original.text(*reference, "namespace") or original.namespace,
            original.text(*reference, "name"),
            draft,
        )
    else:
        raise original.unconvertible(reference, "names no HelmRepository, GitRepository or Bucket")
    _of_files(draft, original, base)
    _verification(draft, original, base, in_repository=kind == "HelmRepository")
    if original.take(*base, "interval") is not None:
        text = "was left out: spec.interval counts, and that of the HelmRepository"
        draft.tell(original, (*base, "interval"), text, place=CHART, lost=False)


def _of_repository(draft: Draft, original: Original, base: Path, around: Surroundings) -> None:
    name = original.text(*base, "sourceRef", "name")
    namespace = original.text(*base, "sourceRef", "namespace") or original.namespace
    reference = {"name": name}
    home = draft.at("metadata", "namespace") or ""
    if namespace and namespace != home:
        reference["namespace"] = namespace
    draft.move(original, (*base, "chart"), (*CHART, "name"))
    draft.move(original, (*base, "version"), (*CHART, "version"))
    draft.put((*CHART, "repositoryRef"), reference, (original, (*base, "sourceRef")))
    if around.use(f"{SOURCES}/{REPOSITORY_KIND}", namespace, name, draft) is None:
        text = (
            f"the HelmRepository {namespace}/{name} is not among what is converted: convert it,"
            " too, or say chart.repository"
        )
        draft.tell(original, (*base, "sourceRef"), text, place=CHART, lost=False)
    original.take(*base, "reconcileStrategy")  # both are the same for a repository


def _of_folder(draft: Draft, original: Original, base: Path, kind: str) -> None:
    _of_source(draft, original, (*base, "sourceRef"), kind)
    path = original.text(*base, "chart").strip("/").removeprefix("./").strip("/")
    if path and path != ".":
        draft.put((*CHART, "path"), path, (original, (*base, "chart")))
    if original.take(*base, "version") is not None:
        text = f"was left out: Flux does not read it for charts of a {kind}"
        draft.tell(original, (*base, "version"), text, place=CHART, lost=False)
    if original.at(*base, "reconcileStrategy") == "Revision":
        original.take(*base, "reconcileStrategy")
    draft.lose(
        original,
        (*base, "reconcileStrategy"),
        "was left out: the chart is rolled out whenever it is another one",
        place=CHART,
    )


def _of_files(draft: Draft, original: Original, base: Path) -> None:
    files = original.items(*base, "valuesFiles")
    older = original.text(*base, "valuesFile")
    if files or older:
        original.take(*base, "valuesFiles")
        together = [*([older] if older else []), *files]
        draft.put((*CHART, "valuesFiles"), together, (original, (*base, "valuesFiles")))
    draft.move(original, (*base, "ignoreMissingValuesFiles"), (*CHART, "ignoreMissingValuesFiles"))


def _verification(draft: Draft, original: Original, base: Path, *, in_repository: bool) -> None:
    verify = original.table(*base, "verify")
    if verify.get("provider") == "cosign" and verify.get("secretRef") and in_repository:
        draft.move(original, (*base, "verify", "provider"), (*CHART, "verify", "provider"))
        draft.move(original, (*base, "verify", "secretRef"), (*CHART, "verify", "secretRef"))
    draft.lose(
        original,
        (*base, "verify"),
        "was left out, so NOBODY has to have signed the chart: chart.verify takes cosign with keys,"
        " or with matchOIDCIdentity and trustedRootSecretRef, for charts of repositories",
        place=CHART,
    )


def is_plain(source: Original, namespace: str) -> bool:
    """Whether an OCIRepository says nothing but what chart.repository can say, too."""
    spec = source.table("spec")
    layer, reference = source.table("spec", "layerSelector"), source.table("spec", "ref")
    verify = source.table("spec", "verify")
    named = source.at("spec", "ref", "semver") or source.at("spec", "ref", "digest")
    return (
        not set(spec) - _IN_REPOSITORIES
        and _OCI.fullmatch(str(spec.get("url"))) is not None
        and layer.get("mediaType") in (None, _HELM_LAYER)
        and spec.get("provider") in (None, "generic")
        and not spec.get("suspend")
        and not reference.get("semverFilter")
        and (bool(named) or bool(EXACT_VERSION.fullmatch(str(reference.get("tag")))))
        and (not verify or (source.namespace == namespace and _is_known(verify)))
    )


def _is_known(verify: JsonObject) -> bool:
    known = {"provider", "secretRef", "matchOIDCIdentity", "trustedRootSecretRef"}
    by_key, by_name = verify.get("secretRef"), verify.get("matchOIDCIdentity")
    return (
        verify.get("provider") == "cosign"
        and not set(verify) - known
        and bool(by_key) != bool(by_name and verify.get("trustedRootSecretRef"))
    )


def _of_oci(draft: Draft, source: Original, user: Original) -> None:
    """Take a chart of an OCIRepository from the registry, without Flux."""
    found = _OCI.fullmatch(source.text("spec", "url"))
    assert found is not None  # noqa: S101 - it was looked at
    folder, name = found.groups()
    draft.put((*CHART, "name"), name, (source, ("spec", "url")))
    for field, ours in (("tag", "version"), ("semver", "version"), ("digest", "digest")):
        draft.move(source, ("spec", "ref", field), (*CHART, ours))
    for field in ("provider", "secretRef", "matchOIDCIdentity", "trustedRootSecretRef"):
        draft.move(source, ("spec", "verify", field), (*CHART, "verify", field))
    for field in ("layerSelector", "provider", "suspend"):
        source.take("spec", field)
    if not needs_repository(source):
        source.take("spec", "interval")
        text = "was left out: spec.interval of the HelmRelease counts"
        draft.tell(source, ("spec", "interval"), text, place=CHART, lost=False)
        draft.put((*CHART, "repository"), folder, (source, ("spec", "url")))
        return
    reference = {"name": source.name}
    if source.namespace != user.namespace:
        reference["namespace"] = source.namespace
    draft.put((*CHART, "repositoryRef"), reference, (source, ("spec", "url")))


def needs_repository(source: Original) -> bool:
    """Whether an OCIRepository says more than where the chart is."""
    return bool({"secretRef", "certSecretRef", "insecure", "timeout"} & set(source.table("spec")))


def folder_of(source: Original) -> str:
    """Return the URL of the folder that the chart of an OCIRepository lies in."""
    return source.text("spec", "url").rstrip("/").rpartition("/")[0]
