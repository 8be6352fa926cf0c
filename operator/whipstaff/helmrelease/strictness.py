"""What a definition's schema says against an object, all of it at once, as `kubectl` would be told.

The API server refuses fields that it does not know where it is asked to be strict, as kubectl asks
it; here nobody is asked. Rules in CEL are not judged: `parsing` says the same of each.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from whipstaff.release.revision import JsonObject

Path = tuple[str | int, ...]

# What people write of an object's metadata, and what the API server adds.
_METADATA = {
    "type": "object",
    "properties": {
        **{
            name: {"type": "string"}
            for name in (
                *("name", "generateName", "namespace", "uid", "resourceVersion", "selfLink"),
                *("creationTimestamp", "deletionTimestamp"),
            )
        },
        "generation": {"type": "integer"},
        "deletionGracePeriodSeconds": {"type": "integer"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
        "finalizers": {"type": "array", "items": {"type": "string"}},
        "ownerReferences": {"type": "array"},
        "managedFields": {"type": "array"},
    },
}
_TYPES: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "object": (dict, "an object"),
    "array": (list, "a list"),
    "string": (str, "a text"),
    "boolean": (bool, "true or false"),
    "integer": (int, "a whole number"),
    "number": ((int, float), "a number"),
}
_OPEN = "x-kubernetes-preserve-unknown-fields"
_EITHER = "x-kubernetes-int-or-string"
_NEARLY = 0.7  # of a name, to be taken for a slip


@dataclass(frozen=True, slots=True)
class Objection:
    """One thing that is wrong with an object."""

    path: Path
    text: str

    @property
    def field(self) -> str:
        """The field as messages name it, such as `spec.dependsOn[0].name`."""
        return dotted(self.path)


def dotted(path: Path) -> str:
    """Return a path as messages name it."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def schema_of(definition: JsonObject, version: str) -> JsonObject | None:
    """Return the schema of a version of a CustomResourceDefinition; None if it has no such."""
    for each in definition["spec"]["versions"]:
        if each["name"] == version:
            schema = dict(each["schema"]["openAPIV3Schema"])
            properties: JsonObject = schema["properties"]
            known = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
            schema["properties"] = {**known, **properties, "metadata": _METADATA}
            schema["required"] = [*(schema.get("required") or ()), "metadata"]
            return schema
    return None


def objections(schema: Mapping[str, Any], body: JsonObject) -> list[Objection]:
    """Return what the schema of a whole object says against one, in the order of its fields."""
    return list(_Judge(schema).value(schema, body, ()))


@dataclass(frozen=True, slots=True)
class _Judge:
    whole: Mapping[str, Any]  # the schema, for fields that stand elsewhere

    def value(self, schema: Mapping[str, Any], value: object, path: Path) -> Iterator[Objection]:
        wrong = _type_objection(schema, value)
        if wrong:
            yield Objection(path, f"must be {wrong}")
            return
        choices = schema.get("enum")
        if choices is not None and value not in choices:
            yield Objection(path, _not_one_of(value, choices))
        yield from (Objection(path, text) for text in _bounds(schema, value))
        if isinstance(value, dict):
            yield from self._table(schema, value, path)
        elif isinstance(value, list):
            for at, item in enumerate(value):
                yield from self.value(schema.get("items") or {}, item, (*path, at))

    def _table(
        self, schema: Mapping[str, Any], table: Mapping[str, Any], path: Path
    ) -> Iterator[Objection]:
        known: Mapping[str, Any] = schema.get("properties") or {}
        rest = schema.get("additionalProperties")
        for name, inner in table.items():
            if name in known:
                yield from self.value(known[name], inner, (*path, name))
            elif isinstance(rest, dict):
                yield from self.value(rest, inner, (*path, name))
            elif known and not schema.get(_OPEN):
                yield self._unknown(name, known, path)
        for name in schema.get("required") or ():
            if name not in table:
                yield Objection((*path, name), "is missing")

    def _unknown(self, name: str, known: Mapping[str, Any], path: Path) -> Objection:
        meant = nearest(name, known)
        if meant:
            return Objection((*path, name), f"unknown field; did you mean {meant!r}?")
        elsewhere = sorted(_named(self.whole, name), key=len)
        if elsewhere and all(len(one) > len(elsewhere[0]) for one in elsewhere[1:]):
            meant = dotted(elsewhere[0])
            return Objection((*path, name), f"unknown field; did you mean {meant!r}?")
        return Objection((*path, name), "unknown field")


def _type_objection(schema: Mapping[str, Any], value: object) -> str:
    if schema.get(_EITHER):
        fits = isinstance(value, int | str) and not isinstance(value, bool)
        return "" if fits else f"a number or a text, not {_shown(value)}"
    kind = schema.get("type")
    if kind is None or (value is None and schema.get("nullable")):
        return ""
    python, words = _TYPES[kind]
    truth = isinstance(value, bool) and kind != "boolean"  # which Python counts among the integers
    return f"{words}, not {_shown(value)}" if truth or not isinstance(value, python) else ""


def _shown(value: object) -> str:
    """Name a value without repeating what may be long or secret."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}"
        case str():
            return "a text"
        case dict():
            return "an object"
        case _:
            return "a list"


def _not_one_of(value: object, choices: list[Any]) -> str:
    words = [str(each) for each in choices]
    *first, last = words
    wanted = f"{', '.join(first)} or {last}" if first else last
    meant = nearest(str(value), words) if isinstance(value, str) else ""
    return f"must be {wanted}" + (f"; did you mean {meant!r}?" if meant else "")


def _bounds(schema: Mapping[str, Any], value: object) -> Iterator[str]:
    match value:
        case bool():
            pass
        case str() if len(value) < schema.get("minLength", 0):
            yield "must not be empty"
        case str() if len(value) > schema.get("maxLength", len(value)):
            yield f"must have at most {schema['maxLength']} characters"
        case int() | float():
            yield from _range(schema, value)
        case list() if len(value) < schema.get("minItems", 0):
            yield f"must have at least {schema['minItems']} items"
        case list() if len(value) > schema.get("maxItems", len(value)):
            yield f"must have at most {schema['maxItems']} items"
        case dict() if len(value) > schema.get("maxProperties", len(value)):
            yield f"must have at most {schema['maxProperties']} fields"
        case _:
            pass


def _range(schema: Mapping[str, Any], value: float) -> Iterator[str]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None and not low <= value <= high:
        yield f"must be from {low} to {high}"
    elif low is not None and value < low:
        yield f"must be at least {low}"
    elif high is not None and value > high:
        yield f"must be at most {high}"


def nearest(name: str, known: Mapping[str, Any] | list[str]) -> str:
    """Return the one of the known names that may have been meant; empty if none is near."""
    lowered = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=_NEARLY)
    return lowered[found[0]] if found else ""


def _named(schema: Mapping[str, Any], name: str, path: Path = ()) -> Iterator[Path]:
    """Yield where the schema has fields of a name, but for status."""
    properties: Mapping[str, Any] = schema.get("properties") or {}
    for each, inner in properties.items():
        if path or each != "status":
            if each == name:
                yield (*path, each)
            yield from _named(inner.get("items") or inner, name, (*path, each))
