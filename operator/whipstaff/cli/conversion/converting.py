"""Which kinds are converted, and by whom."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from whipstaff.cli.conversion import argo, flux, flux_charts, flux_sources, k3s
from whipstaff.cli.conversion.drafts import Draft
from whipstaff.cli.conversion.originals import Original
from whipstaff.cli.conversion.surroundings import Surroundings
from whipstaff.cli.object_files import Found

# None: the object goes on as it is, or nobody can tell what it is.
Converter = Callable[[Original, Surroundings], "list[Draft] | None"]

# In this order: who refers to others comes first, so that those know of it.
_CONVERTERS: Mapping[str, Converter] = {
    f"{flux.GROUP}/HelmRelease": flux.helmrelease,
    argo.APPLICATION: argo.application,
    f"{k3s.GROUP}/HelmChart": k3s.helmchart,
    f"{k3s.GROUP}/HelmChartConfig": k3s.left_over,
    f"{flux_charts.SOURCES}/HelmRepository": flux_sources.helmrepository,
    f"{flux_charts.SOURCES}/OCIRepository": flux_sources.oci_repository,
    f"{flux_charts.SOURCES}/HelmChart": flux_sources.helmchart,
}


@dataclass(slots=True)
class Conversion:
    """What came of many objects."""

    drafts: list[Draft] = field(default_factory=list)
    passed_over: list[tuple[Original, str]] = field(default_factory=list)  # and why


def convert(found: Sequence[Found], namespace: str) -> Conversion:
    """Convert objects; `namespace` counts where they name none, Unconvertible names one."""
    originals = [Original.of(one, namespace) for one in found]
    around = Surroundings.of(originals)
    made: dict[int, list[Draft]] = {}
    for kind, converter in _CONVERTERS.items():
        for at, original in enumerate(originals):
            if f"{original.group}/{original.kind}" == kind:
                drafts = converter(original, around)
                if drafts is not None:
                    made[at] = drafts
    result = Conversion()
    for at, original in enumerate(originals):
        if at in made:
            result.drafts += made[at]
        else:
            result.passed_over.append((original, _why(original, around)))
    return result


def _why(original: Original, around: Surroundings) -> str:
    if around.users_of(original):
        return "stays Flux's, and is used as it is"
    match f"{original.group}/{original.kind}":
        case argo.APPLICATION:
            return "is passed over: nothing says that it has a chart"
        case argo.APPLICATION_SET:
            return "is passed over: convert the Applications that it makes"
        case kind if kind in _CONVERTERS:
            return "is passed over: nothing among these refers to it"
        case _:
            return "is passed over"
