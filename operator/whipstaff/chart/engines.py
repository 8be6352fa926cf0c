"""Which language the templates of a chart are written in."""

from enum import StrEnum

from whipstaff.chart.model import Metadata
from whipstaff.errors import ChartInvalid, EngineNotAllowed

ANNOTATION = "whipstaff.dev/engine"


class Language(StrEnum):
    """What the annotation of a Chart.yaml may say; without it the templates are Helm's."""

    GO = "gotpl"
    JINJA2 = "jinja2"


def language_of(metadata: Metadata) -> Language:
    """Return the language of a chart's own templates; ChartInvalid for one that nobody knows."""
    name = (metadata.annotations or {}).get(ANNOTATION, "")
    try:
        return Language(name) if name else Language.GO
    except ValueError as error:
        known = ", ".join(Language)
        raise ChartInvalid(
            f"{metadata.name}: there is no template engine {name!r}; there are {known}",
            where=f"Chart.yaml: annotations: {ANNOTATION}",
        ) from error


def refusal(name: str) -> EngineNotAllowed:
    """Return the error for a Jinja2 chart where none may be rendered."""
    return EngineNotAllowed(
        f"{name}: its templates are for Jinja2 ({ANNOTATION}: {Language.JINJA2}), and such charts "
        "are not allowed here: --jinja2-charts (WHIPSTAFF_JINJA2_CHARTS) allows them",
        where=f"Chart.yaml: annotations: {ANNOTATION}",
    )
