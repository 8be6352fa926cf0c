"""Which kinds are converted, and by whom."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from whipstaff.cli.conversion import argo, flux, flux_charts, flux_sources, k3s
from whipstaff.cli.conversion.drafts import Draft, Note
from whipstaff.cli.conversion.originals import Original
from whipstaff.cli.conversion.surroundings import Surroundings
from whipstaff.cli.object_files import Found
from whipstaff.helmrelease.strictness import dotted

# None: the object goes on as it is, or nobody can tell what it is.
Converter = Callable[[Original, Surroundings], "list[Draft] | None"]

# In this order: who refers to others comes first, so that those know of it.
_CONVERTERS: Mapping[str, Converter] = {
    flux.HELM_RELEASE: flux.helmrelease,
    argo.APPLICATION: argo.application,
    f"{k3s.GROUP}/HelmChart": k3s.helmchart,
    f"{k3s.GROUP}/HelmChartConfig": k3s.left_over,
    f"{flux_charts.SOURCES}/HelmRepository": flux_sources.helmrepository,
    f"{flux_charts.SOURCES}/OCIRepository": flux_sources.oci_repository,
    f"{flux_charts.SOURCES}/HelmChart": flux_sources.helmchart,
}

_KUSTOMIZATION = "kustomize.config.k8s.io/Kustomization"
# What of it says of other objects how they are to be.
_CHANGES = frozenset(
    {
        *("patches", "patchesStrategicMerge", "patchesJson6902", "replacements", "components"),
        *("namespace", "namePrefix", "nameSuffix", "labels", "commonLabels", "commonAnnotations"),
        *("transformers", "helmCharts"),
    }
)


@dataclass(frozen=True, slots=True)
class PassedOver:
    """An object of which nothing was made."""

    original: Original
    why: str
    lost: bool = False  # it would have a say in what runs

    @property
    def told(self) -> str:
        """The line for people who look at the terminal."""
        word = "warning" if self.lost else "note"
        return f"{word}: {self.original.found.at(())}: {self.original.subject}: {self.why}"


@dataclass(slots=True)
class Conversion:
    """What came of many objects."""

    drafts: list[Draft] = field(default_factory=list)
    passed_over: list[PassedOver] = field(default_factory=list)


def convert(found: Sequence[Found], namespace: str) -> Conversion:
    """Convert objects; `namespace` counts where they name none, Unconvertible names one."""
    originals = [Original.of(one, namespace) for one in found]
    around = Surroundings.of(originals)
    made: dict[int, list[Draft]] = {}
    odd: dict[int, list[Note]] = {}
    for kind, converter in _CONVERTERS.items():
        for at, original in enumerate(originals):
            if f"{original.group}/{original.kind}" == kind:
                odd[at] = list(_of_text(original))
                drafts = converter(original, around)
                if drafts is not None:
                    made[at] = drafts
    _tell_of_namesakes(draft for drafts in made.values() for draft in drafts)
    result = Conversion()
    for at, original in enumerate(originals):
        if at not in made:
            result.passed_over.append(_passed_over(original, around))
        elif made[at]:
            made[at][0].notes += odd[at]
            result.drafts += made[at]
        else:  # it went into what others became
            remarks = [f"{note.field}: {note.text}" for note in odd[at]]
            result.passed_over += [PassedOver(original, text, lost=True) for text in remarks]
    return result


def _of_text(original: Original) -> Iterator[Note]:
    """Say what is odd about the text that an object was read from."""
    for path, line in original.found.twice():
        text = "is there twice: the last one counts, and the one before was left out"
        yield Note((), dotted(path), text, f"{original.found.file}:{line}")
    if original.take("sops") is not None:
        text = (
            "was left out: texts such as ENC[…] are what SOPS made of others, and nobody decrypts"
            " them here; convert what `sops --decrypt` prints"
        )
        yield Note((), "sops", text, original.found.at(("sops",)))


def _tell_of_namesakes(drafts: Iterable[Draft]) -> None:
    """Say which objects would be one in a cluster, as those of a base and its overlays."""
    first: dict[tuple[object, ...], Draft] = {}
    for draft in drafts:
        key = draft.kind, draft.at("metadata", "namespace"), draft.at("metadata", "name")
        before = first.setdefault(key, draft)
        if before is not draft:
            text = "is the name of another one of these, too: of the two, one can be applied"
            draft.notes.append(Note((), "metadata.name", text))


def _passed_over(original: Original, around: Surroundings) -> PassedOver:
    if around.users_of(original):
        return PassedOver(original, "stays Flux's, and is used as it is")
    match f"{original.group}/{original.kind}":
        case argo.APPLICATION:
            return PassedOver(original, "is passed over: nothing says that it has a chart")
        case argo.APPLICATION_SET:
            text = "is passed over: convert the Applications that it makes"
            return PassedOver(original, text, lost=True)
        case kind if kind == flux.HELM_RELEASE:
            text = (
                "is passed over: it is part of one, a patch; convert what `kustomize build` prints"
            )
            return PassedOver(original, text, lost=True)
        case kind if kind in _CONVERTERS:
            return PassedOver(original, "is passed over: nothing among these refers to it")
        case kind if kind == _KUSTOMIZATION and _CHANGES.intersection(original.found.body):
            text = "is passed over, and what it changes: convert what `kustomize build` prints"
            return PassedOver(original, text, lost=True)
        case _:
            return PassedOver(original, "is passed over")
