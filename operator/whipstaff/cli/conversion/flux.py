"""Flux's HelmRelease: most of its fields are ours, too."""

from whipstaff.cli.conversion.drafts import NO_EQUAL, Draft
from whipstaff.cli.conversion.flux_charts import write_chart
from whipstaff.cli.conversion.originals import Original, Path
from whipstaff.cli.conversion.surroundings import Surroundings, carry_marks
from whipstaff.cli.own_schemas import own_schema
from whipstaff.golang import yaml
from whipstaff.helmrelease.names import KIND
from whipstaff.release.revision import JsonObject

GROUP = "helm.toolkit.fluxcd.io"
HELM_RELEASE = f"{GROUP}/HelmRelease"
WHOSE = "fluxcd.io"
# Kustomizations of Flux go on applying what is in Git.
KEPT = ("annotations:kustomize.toolkit.fluxcd.io",)

_SPEC: Path = ("spec",)
_PLACES: dict[Path, Path] = {
    (): ("metadata",),
    _SPEC: _SPEC,
    ("spec", "chart"): ("spec", "chart"),
    ("spec", "chartRef"): ("spec", "chart"),
}
# Where Flux does something else than we do if nothing is said.
_OLDEST = f"{GROUP}/v2beta1"  # in which maxHistory is 10, as here
_DEFAULTS: tuple[tuple[Path, object], ...] = (
    (("spec", "maxHistory"), 5),
    (("spec", "install", "disableTakeOwnership"), False),
    (("spec", "upgrade", "disableTakeOwnership"), False),
    (("spec", "upgrade", "crds"), "Create"),
)


def helmrelease(original: Original, around: Surroundings) -> list[Draft] | None:
    """Convert a HelmRelease; None for a part of one, such as kustomize lays over another."""
    if _is_part(original):
        return None
    draft = Draft.new(KIND, original.name, original.namespace, original.subject)
    carry_marks(draft, original, WHOSE, KEPT)
    write_chart(draft, original, around)
    ours = own_schema(KIND)["properties"]["spec"]["properties"]
    for name in original.table(*_SPEC):
        if name in ours and name not in {"chart", "chartRef"}:
            draft.move(original, ("spec", name))
    _suspend(draft)
    _storage(draft, original)
    _crds(draft)
    _remote(draft, original)
    _post_renderers(draft)
    _dependencies(draft, original, around)
    for path, value in _DEFAULTS[original.found.body["apiVersion"] == _OLDEST :]:
        if isinstance(draft.at(*path[:-1]) or {}, dict) and draft.at(*path) is None:
            draft.put(path, value)
    draft.tell_of_rest(original, _PLACES, NO_EQUAL)
    return [draft]


def _is_part(original: Original) -> bool:
    """Whether it names no chart, or none of a source: Flux's definition takes no such object."""
    if original.at("spec", "chartRef") is not None:
        return False
    chart = original.at("spec", "chart")
    if chart is None:
        return isinstance(original.at("spec"), dict)
    inner = original.at("spec", "chart", "spec")
    return isinstance(inner, dict) and "sourceRef" not in inner


def _suspend(draft: Draft) -> None:
    if draft.at("spec", "suspend") is True:
        text = "Flux's is to be suspended while this one takes over; say it again"
        draft.drop(("spec", "suspend"), f"{text} if this one, too, is to be left alone")


def _storage(draft: Draft, original: Original) -> None:
    """Say where the revisions are: for Flux it is where the HelmRelease is."""
    if draft.at("spec", "storageNamespace") or not draft.at("spec", "targetNamespace"):
        return
    if original.namespace:
        draft.put(("spec", "storageNamespace"), original.namespace)
        return
    text = (
        "storageNamespace has to be written: the namespace of Flux's HelmRelease, where its"
        " revisions are; --namespace says it"
    )
    draft.tell(original, ("spec", "targetNamespace"), text, place=_SPEC)


def _crds(draft: Draft) -> None:
    if draft.at("spec", "install", "skipCRDs") is True:
        if draft.at("spec", "install", "crds") is None:
            draft.put(("spec", "install", "crds"), "Skip")
        install = draft.at("spec", "install")
        assert isinstance(install, dict)  # noqa: S101 - it has a field
        del install["skipCRDs"]


def _remote(draft: Draft, original: Original) -> None:
    """Keep a release of another cluster away from this one, whatever can be said of the other."""
    config = draft.at("spec", "kubeConfig")
    if not isinstance(config, dict) or "configMapRef" not in config or config.get("secretRef"):
        return
    draft.drop(
        ("spec", "kubeConfig", "configMapRef"),
        "logins of cloud providers are not supported: the Secret that secretRef names has to be"
        " made, with a kubeconfig that holds a token or a client certificate",
    )
    named = f"{original.name}-kubeconfig"
    draft.put(("spec", "kubeConfig", "secretRef"), {"name": named})


def _post_renderers(draft: Draft) -> None:
    """Write patches in the one way that is left of three that there were before v2."""
    renderers = draft.at("spec", "postRenderers")
    for renderer in renderers if isinstance(renderers, list) else ():
        kustomize = renderer.get("kustomize") if isinstance(renderer, dict) else None
        if isinstance(kustomize, dict):
            _patches(kustomize)


def _patches(kustomize: JsonObject) -> None:
    merges, operations = kustomize.get("patchesStrategicMerge"), kustomize.get("patchesJson6902")
    made: list[object] = []
    if isinstance(merges, list):
        made += [{"patch": yaml.dump(patch)} for patch in merges]
        del kustomize["patchesStrategicMerge"]
    if isinstance(operations, list) and all(isinstance(one, dict) for one in operations):
        made += [{**one, "patch": yaml.dump(one.get("patch"))} for one in operations]
        del kustomize["patchesJson6902"]
    given = kustomize.get("patches")
    if made and isinstance(given, list | None):
        kustomize["patches"] = [*made, *(given or ())]


def _dependencies(draft: Draft, original: Original, around: Surroundings) -> None:
    for at, one in enumerate(original.items("spec", "dependsOn")):
        if not isinstance(one, dict):
            continue
        namespace = str(one.get("namespace") or original.namespace)
        if around.find(f"{GROUP}/HelmRelease", namespace, str(one.get("name"))) is None:
            text = (
                "is not among what is converted: convert it, too, or wait for Flux's with"
                f" apiVersion: {GROUP}/v2 and kind: HelmRelease"
            )
            draft.tell(original, ("spec", "dependsOn", at), text, place=_SPEC, lost=False)
