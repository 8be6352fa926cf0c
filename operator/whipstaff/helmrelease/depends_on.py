"""`spec.dependsOn`: what has to be ready before a release is installed or upgraded."""

import re
from dataclasses import dataclass

from whipstaff.helmrelease.fields import Fields, TextRule
from whipstaff.helmrelease.names import API_VERSION, KIND
from whipstaff.helmrelease.texts import NAMESPACE
from whipstaff.release.objects import ObjectReference

MOST_DEPENDENCIES = 64

OBJECT = TextRule(re.compile(r"[^/%\s\x00-\x1f\x7f]+"), 253, "the name of an object")
VERSION = TextRule(
    re.compile(r"([a-z0-9.-]+/)?[a-z0-9]+"), 253, "an API version, such as v1 or apps/v1"
)
OBJECT_KIND = TextRule(re.compile(r"[A-Za-z][A-Za-z0-9]*"), 63, "a kind, such as Deployment")
EXPRESSION = TextRule(re.compile(r"(?s:.*\S.*)"), 2048, "an expression in CEL")


@dataclass(frozen=True, slots=True)
class Dependency:
    """One object, and what makes it ready: without an expression, what does for its kind."""

    reference: ObjectReference  # an empty namespace is the HelmRelease's own, if the kind has any
    expression: str = ""
    field: str = ""  # of the spec, for errors

    @property
    def is_helmrelease(self) -> bool:
        """Whether it is one of our own kind."""
        kind = (self.reference.api_version, self.reference.kind)
        return kind == (API_VERSION, KIND)


def depends_on(spec: Fields, namespace: str) -> tuple[Dependency, ...]:
    """Read `dependsOn` of a HelmRelease in a namespace; InvalidSpec names what is wrong."""
    entries = spec.tables("dependsOn", MOST_DEPENDENCIES)
    return tuple(_dependency(entry, namespace) for entry in entries)


def _dependency(entry: Fields, namespace: str) -> Dependency:
    api_version = entry.text("apiVersion", "", VERSION)
    kind = entry.text("kind", "", OBJECT_KIND)
    place = entry.text("namespace", namespace, NAMESPACE)
    expression = entry.text("readyExpr", "", EXPRESSION)
    name = entry.required_text("name", OBJECT)
    if bool(api_version) != bool(kind):
        missing = "kind" if api_version else "apiVersion"
        raise entry.refuse(missing, "given with the other of apiVersion and kind")
    reference = ObjectReference(api_version or API_VERSION, kind or KIND, place, name)
    return Dependency(reference, expression, entry.path)
