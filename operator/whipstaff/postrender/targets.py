"""Which objects a patch is for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from whipstaff.golang.regexp import RegexpError, compile_pattern
from whipstaff.postrender.errors import InstructionError
from whipstaff.postrender.label_selectors import LabelSelector
from whipstaff.postrender.scopes import CLUSTER_SCOPED

_PATTERNS = ("group", "version", "kind", "name", "namespace")

Match = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Named:
    """What an object is called; `namespace` is where it goes if it names none."""

    group: str
    version: str
    kind: str
    name: str
    namespace: str

    @classmethod
    def of(cls, body: Mapping[str, Any], namespace: str) -> "Named":
        """Read what is needed to choose an object."""
        group, _, version = str(body.get("apiVersion", "")).rpartition("/")
        kind = str(body.get("kind", ""))
        metadata = body.get("metadata") or {}
        place = "" if kind in CLUSTER_SCOPED else str(metadata.get("namespace") or namespace)
        return cls(group, version, kind, str(metadata.get("name") or ""), place)


@dataclass(frozen=True, slots=True)
class Target:
    """A conjunction of patterns, each of which must match the whole word, and of selectors."""

    patterns: tuple[tuple[str, Match], ...]
    labels: LabelSelector
    annotations: LabelSelector

    @classmethod
    def read(cls, target: Mapping[str, str]) -> "Target":
        """Read a target; InstructionError names the pattern or selector that is wrong."""
        patterns = [(key, _pattern(key, target[key])) for key in _PATTERNS if target.get(key)]
        return cls(
            tuple(patterns),
            _selector(target, "labelSelector"),
            _selector(target, "annotationSelector"),
        )

    def matches(self, named: Named, body: Mapping[str, Any]) -> bool:
        """Whether an object is meant."""
        if not all(match(getattr(named, key)) for key, match in self.patterns):
            return False
        metadata = body.get("metadata") or {}
        return self.labels.matches(metadata.get("labels") or {}) and self.annotations.matches(
            metadata.get("annotations") or {}
        )


def _pattern(key: str, text: str) -> Match:
    try:
        regexp = compile_pattern(f"^(?:{text})$")
    except RegexpError as error:
        raise InstructionError(f"target.{key} is no regular expression") from error
    return regexp.matches


def _selector(target: Mapping[str, str], key: str) -> LabelSelector:
    try:
        return LabelSelector.parse(target.get(key, ""))
    except InstructionError as error:
        raise InstructionError(f"target.{key}: {error}") from error
