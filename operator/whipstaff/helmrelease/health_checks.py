"""How a release is waited for: what makes kinds ready that nobody knows, by expressions in CEL."""

from dataclasses import dataclass
from enum import StrEnum

from whipstaff.errors import InvalidSpec
from whipstaff.helmrelease.depends_on import EXPRESSION, OBJECT_KIND, VERSION
from whipstaff.helmrelease.fields import Fields
from whipstaff.release.objects import ObjectReference

MOST_CHECKS = 32


class WaitStrategy(StrEnum):
    """By which rules objects are ready; the words are Flux's."""

    POLLER = "poller"  # those of kstatus, and of `healthCheckExprs`
    LEGACY = "legacy"  # those of Helm 3: a kind that it does not know is ready once it is there


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """What makes objects of a kind ready: the first expression that is true says how one stands."""

    group: str  # of any version
    kind: str  # empty: every kind of the group
    current: str
    in_progress: str = ""
    failed: str = ""
    field: str = ""  # of the spec, for errors

    def is_for(self, reference: ObjectReference) -> bool:
        """Whether an object is judged by it."""
        group = group_of(reference.api_version)
        return group == self.group and self.kind in ("", reference.kind)

    @property
    def expressions(self) -> dict[str, str]:
        """The expressions that are given, by their fields, in the order in which they count."""
        each = {"inProgress": self.in_progress, "failed": self.failed, "current": self.current}
        return {field: text for field, text in each.items() if text}


def group_of(api_version: str) -> str:
    """Return the group of an API version, empty for the core's."""
    return api_version.rpartition("/")[0]


def health_checks(spec: Fields) -> tuple[HealthCheck, ...]:
    """Read `healthCheckExprs`; InvalidSpec names what is wrong."""
    found = tuple(map(_check, spec.tables("healthCheckExprs", MOST_CHECKS)))
    if found and wait_strategy(spec) is WaitStrategy.LEGACY:
        raise InvalidSpec(
            "spec.healthCheckExprs must be left out where waitStrategy.name is legacy, which asks"
            " no expressions",
            "spec.healthCheckExprs",
        )
    return found


def wait_strategy(spec: Fields) -> WaitStrategy:
    """Read `waitStrategy`."""
    return spec.table("waitStrategy").choice("name", WaitStrategy.POLLER)


def _check(entry: Fields) -> HealthCheck:
    in_progress = entry.text("inProgress", "", EXPRESSION)
    failed = entry.text("failed", "", EXPRESSION)
    kind, current = entry.text("kind", "", OBJECT_KIND), entry.text("current", "", EXPRESSION)
    api_version = entry.required_text("apiVersion", VERSION)
    return HealthCheck(
        group=group_of(api_version),
        kind=kind,
        current=current or entry.required_text("current", EXPRESSION),
        in_progress=in_progress,
        failed=failed,
        field=entry.path,
    )
