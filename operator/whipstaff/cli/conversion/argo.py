"""Argo CD's Application, where a source of it is a chart."""

from copy import deepcopy

from whipstaff.cli.conversion.argo_policies import write_policies
from whipstaff.cli.conversion.argo_sources import Source, write_source
from whipstaff.cli.conversion.drafts import NO_EQUAL, Draft
from whipstaff.cli.conversion.originals import Original, Path
from whipstaff.cli.conversion.surroundings import Surroundings, carry_marks
from whipstaff.helmrelease.names import KIND

GROUP = "argoproj.io"
APPLICATION = f"{GROUP}/Application"
APPLICATION_SET = f"{GROUP}/ApplicationSet"
KEPT = ("argocd.argoproj.io/sync-wave",)  # Argo CD may go on applying what is in Git

_HERE = ("https://kubernetes.default.svc", "in-cluster")
_SPEC: Path = ("spec",)
_CHART: Path = ("spec", "chart")
_PLACES: dict[Path, Path] = {
    (): ("metadata",),
    ("operation",): _SPEC,
    _SPEC: _SPEC,
    ("spec", "source"): _CHART,
    ("spec", "sources"): _CHART,
}
_OTHERS = ("kustomize", "directory", "plugin")


def application(original: Original, around: Surroundings) -> list[Draft] | None:
    """Convert an Application; None where nothing says that it has a chart."""
    del around  # nothing else is referred to
    bases = _bases(original)
    charts = [base for base in bases if _is_chart(original, base)]
    if not charts:
        return None
    draft = Draft.new(KIND, original.name, "", original.subject)
    carry_marks(draft, original, GROUP, KEPT)
    namespace = _destination(draft, original)
    draft.put(("spec", "install", "disableTakeOwnership"), value=False)
    write_policies(draft, original)
    others = [Draft(deepcopy(draft.body), draft.subject) for _ in charts[1:]]
    made = write_source(draft, Source(original, charts[0], namespace))
    for other, base in zip(others, charts[1:], strict=True):
        made += _further(other, Source(original, base, namespace))
    for base in bases:
        if base not in charts:
            _tell_of_source(draft, original, base)
    draft.tell_of_rest(original, _PLACES, NO_EQUAL)
    return [*made, draft, *others]


def _bases(original: Original) -> list[Path]:
    """Return where the sources stand; where there are several, the single one does not count."""
    several = original.items("spec", "sources")
    if several:
        return [("spec", "sources", at) for at in range(len(several))]
    return [("spec", "source")] if original.table("spec", "source") else []


def _is_chart(original: Original, base: Path) -> bool:
    source = original.table(*base)
    if source.get("chart"):
        return True
    return source.get("helm") is not None and not any(source.get(each) for each in _OTHERS)


def _destination(draft: Draft, original: Original) -> str:
    """Say where the release goes, and return its namespace there."""
    namespace = original.text("spec", "destination", "namespace")
    named = "server" if original.at("spec", "destination", "server") else "name"
    if (original.text("spec", "destination", named) or _HERE[0]) in _HERE:
        home = namespace or original.namespace
        if home:
            draft.put(("metadata", "namespace"), home)
        return home
    if original.namespace:
        draft.put(("metadata", "namespace"), original.namespace)
    if namespace:
        draft.put(("spec", "targetNamespace"), namespace)
    draft.put(("spec", "releaseName"), original.name)
    draft.put(("spec", "kubeConfig"), {"secretRef": {"name": f"{original.name}-kubeconfig"}})
    text = (
        "is another cluster: the Secret that kubeConfig names has to be made, with a kubeconfig"
        " that holds a token or a client certificate"
    )
    draft.tell(original, ("spec", "destination"), text, place=_SPEC)
    return namespace


def _further(draft: Draft, source: Source) -> list[Draft]:
    """Write one more release of an Application with several charts."""
    name = f"{draft.body['metadata']['name']}-{source.short_name}"
    draft.put(("metadata", "name"), name)
    made = write_source(draft, source)
    if not source.original.at(*source.helm, "releaseName"):
        text = (
            f"is a release of its own, called {name}: objects that a chart names after its release"
            " get other names"
        )
        draft.put(("spec", "releaseName"), name)
        draft.tell(source.original, source.base, text, place=_SPEC)
    return made


def _tell_of_source(draft: Draft, original: Original, base: Path) -> None:
    source = original.table(*base)
    if set(source) <= {"repoURL", "ref", "targetRevision"}:
        text = "was left out: values come from the chart, from spec.values or from valuesFrom"
    else:
        text = "was left out: nothing says that it is a chart"
    draft.lose(original, base, text, place=_CHART)
