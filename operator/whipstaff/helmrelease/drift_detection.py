"""`spec.driftDetection`: what is done when objects of a release are changed by somebody else."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from whipstaff.helmrelease.fields import Fields, TextRule
from whipstaff.helmrelease.names import GROUP

MOST_RULES = 64
MOST_PATHS = 64

OPT_OUTS = (f"{GROUP}/driftDetection", "helm.toolkit.fluxcd.io/driftDetection")  # of one object
OPTED_OUT = "disabled"  # the value of these annotations or labels

_TARGET = ("group", "version", "kind", "name", "namespace", "labelSelector", "annotationSelector")
_WORD = TextRule(re.compile(r"[^\x00-\x1f\x7f]*"), 253, "a text of one line")
_POINTER = TextRule(
    re.compile(r"(/([^~/\x00-\x1f\x7f]|~[01])*)*"),
    1024,
    'a JSON pointer, such as /spec/replicas; "" is the whole object',
)


class DriftMode(StrEnum):
    """What is done about drift; the words are Flux's."""

    ENABLED = "enabled"  # it is told of and put right
    WARN = "warn"  # it is told of
    DISABLED = "disabled"  # nobody looks


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """Fields that others may have as they like, in the objects that are meant."""

    paths: tuple[tuple[str, ...], ...]  # from the root; an empty one is the whole object
    # As post-renderers choose objects; empty: all of them.
    target: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DriftDetection:
    """Whether drift is looked for, and what counts as none."""

    mode: DriftMode = DriftMode.DISABLED
    ignore: tuple[IgnoreRule, ...] = ()

    @property
    def looks(self) -> bool:
        """Whether anybody looks."""
        return self.mode is not DriftMode.DISABLED


def drift_detection(spec: Fields) -> DriftDetection:
    """Read `driftDetection`; InvalidSpec names what is wrong."""
    given = spec.table("driftDetection")
    mode = given.choice("mode", DriftMode.DISABLED)
    return DriftDetection(mode, tuple(map(_rule, given.tables("ignore", MOST_RULES))))


def _rule(one: Fields) -> IgnoreRule:
    given = one.table("target")
    words = {name: given.text(name, "", _WORD) for name in _TARGET}
    target = {name: word for name, word in words.items() if word}
    if target:
        _check(given, target)
    paths = one.texts("paths", MOST_PATHS, _POINTER)
    if not paths:
        raise one.refuse("paths", "a list of JSON pointers, such as /spec/replicas")
    return IgnoreRule(tuple(map(_steps, paths)), target)


def _check(given: Fields, target: Mapping[str, str]) -> None:
    # They bring RE2, which the main process does without as long as nobody names objects.
    from whipstaff.postrender.errors import InstructionError  # noqa: PLC0415
    from whipstaff.postrender.targets import Target  # noqa: PLC0415

    for name, word in target.items():
        try:
            Target.read({name: word})
        except InstructionError as error:
            wanted = "a label selector" if name.endswith("Selector") else "a regular expression"
            raise given.refuse(name, f"{wanted} that can be read") from error


def _steps(pointer: str) -> tuple[str, ...]:
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
