"""`spec.valuesFrom`: values that ConfigMaps and Secrets of the same namespace hold."""

import re
from dataclasses import dataclass
from enum import StrEnum

from whipstaff.helmrelease.fields import Fields, TextRule
from whipstaff.helmrelease.texts import DATA_KEY, OBJECT_NAME
from whipstaff.release.objects import ObjectReference

MOST_REFERENCES = 64
DEFAULT_KEY = "values.yaml"

_PATH = TextRule(
    re.compile(r"([a-zA-Z0-9_\-.\\/]|\[[0-9]{1,5}\])+"),
    250,
    r"a path as --set has it, such as image.tag, hosts[0].name or a\.b.c",
)


class ValuesKind(StrEnum):
    """What values may be stored in."""

    CONFIG_MAP = "ConfigMap"
    SECRET = "Secret"  # noqa: S105 - a kind


@dataclass(frozen=True, slots=True)
class ValuesReference:
    """One key of a ConfigMap or Secret."""

    kind: ValuesKind
    name: str
    key: str = DEFAULT_KEY
    target_path: str = ""  # of the one value that it holds; empty: it is a values file
    optional: bool = False  # neither the object nor the key has to be there
    literal: bool = False  # take the value as it is, with commas and braces

    def place(self, namespace: str) -> ObjectReference:
        """Return the object, which is in the HelmRelease's own namespace."""
        return ObjectReference("v1", self.kind.value, namespace, self.name)


def values_from(spec: Fields) -> tuple[ValuesReference, ...]:
    """Read `valuesFrom` in its order; InvalidSpec names the field that is wrong."""
    return tuple(_reference(entry) for entry in spec.tables("valuesFrom", MOST_REFERENCES))


def _reference(entry: Fields) -> ValuesReference:
    reference = ValuesReference(
        kind=entry.choice("kind", ValuesKind.CONFIG_MAP),
        key=entry.text("valuesKey", DEFAULT_KEY, DATA_KEY),
        target_path=entry.text("targetPath", "", _PATH),
        optional=entry.flag("optional"),
        literal=entry.flag("literal"),
        name=entry.required_text("name", OBJECT_NAME),
    )
    if entry.content.get("kind") is None:
        raise entry.refuse("kind", "ConfigMap or Secret")
    return reference
