"""Judge most schemas, and values by them, without the library: it takes fifty times as long.

What is unusual is left to `schema`, which has the library and the words for what is refused: what
is taken for a schema here is one there, and what is allowed here is allowed there.
"""

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Protocol, cast

from whipstaff.golang.regexp import RegexpError, compile_pattern

IGNORES_SIBLINGS: Final = "Draft7Validator"  # whatever stands beside a $ref says nothing
DRAFTS: Final = frozenset({IGNORES_SIBLINGS, "Draft201909Validator", "Draft202012Validator"})

_MAX_DEPTH = 100
_ID = re.compile(r"[A-Za-z][\w:/.-]*")
_REFERENCE = re.compile(r"#(?:/[\w.$-]+)*")
_METASCHEMAS = "json-schema.org"
_PLAIN = frozenset({type(None), bool, int, float, str, dict, list})
# Formats of numbers, which say nothing of a string, or are known to nobody.
_NO_FORMATS = frozenset({"int32", "int64", "float", "double"})

Schema = dict[str, Any]  # its form is seen to before a value is judged by it
Compare = Callable[[Any, Any], bool]


class Unusual(Exception):
    """A schema, or a value by it, is not for the quick way."""


class Known(Protocol):
    """What was found to be allowed before."""

    def knows(self, subschema: object, value: object) -> bool:
        """Whether this very value was allowed by this very schema."""
        ...

    def remember(self, subschema: object, value: object) -> None:
        """Keep that it is allowed."""
        ...


class QuickSchema:
    """A document that is a schema without doubt."""

    def __init__(self, document: object, draft: str) -> None:
        """Raise Unusual if there is any doubt."""
        if not isinstance(document, dict) or draft not in DRAFTS:
            raise Unusual
        self._root: Schema = document
        self._ignores_siblings = draft == IGNORES_SIBLINGS
        self._forms: dict[int, bool] = {}  # by identity: whether it is known to be in order
        self._known: Known | None = None
        name = document.get("$id", "a")
        if type(name) is not str or not _ID.fullmatch(name) or _METASCHEMAS in name:
            raise Unusual
        self._form(document, 0)

    def allows(self, value: object, known: Known | None = None) -> bool:
        """Whether the value meets the schema; Unusual if only the library can tell."""
        self._known = known
        return self._allows(self._root, value, 0)

    # -- the form of a schema ------------------------------------------------------------------

    def _form(self, schema: object, depth: int) -> None:
        if schema is True or schema is False:
            return
        if not isinstance(schema, dict) or depth > _MAX_DEPTH:
            raise Unusual
        known = self._forms.get(id(schema))
        if known is False:
            raise Unusual  # it refers to itself
        if known is None:
            self._forms[id(schema)] = False
            for inner in self._inside(schema, is_root=depth == 0):
                self._form(inner, depth + 1)
            self._forms[id(schema)] = True

    def _inside(self, schema: Schema, *, is_root: bool) -> Iterator[object]:
        """Yield the schemas in a schema, and what it refers to."""
        for keyword, value in schema.items():
            form = _FORMS.get(keyword)
            if form is not None:
                of_the_root = is_root and keyword in _OF_THE_ROOT and type(value) is str
                if not of_the_root and not form(value):
                    raise Unusual
            elif keyword in _HOLDERS:
                yield from _held(keyword, value)
        if "$ref" in schema:
            yield self._target(schema["$ref"])

    def _target(self, reference: str) -> object:
        found: object = self._root
        for key in reference.split("/")[1:]:
            found = found.get(key) if isinstance(found, dict) else None
        return found

    # -- the value ---------------------------------------------------------------------------

    def _allows(self, schema: object, value: object, depth: int) -> bool:
        if not isinstance(schema, dict):
            return schema is True
        if depth > _MAX_DEPTH or type(value) not in _PLAIN:
            raise Unusual
        if self._ignores_siblings and "$ref" in schema:
            return self._refers(schema, value, depth)
        for keyword in schema:
            rule = _RULES.get(keyword)
            if rule is not None and not rule(schema, value):
                return False
            inner = _INNER_RULES.get(keyword)
            if inner is not None and not inner(self, schema, value, depth + 1):
                return False
        return True

    def _refers(self, schema: Schema, value: object, depth: int) -> bool:
        return self._allows(self._target(schema["$ref"]), value, depth)

    def _properties(self, schema: Schema, value: object, depth: int) -> bool:
        if not isinstance(value, dict):
            return True
        known = self._known
        for name, subschema in schema["properties"].items():
            if name not in value:
                continue
            inner = value[name]
            if known is None:
                if not self._allows(subschema, inner, depth):
                    return False
            elif not known.knows(subschema, inner):
                if not self._allows(subschema, inner, depth):
                    return False
                known.remember(subschema, inner)
        return True

    def _pattern_properties(self, schema: Schema, value: object, depth: int) -> bool:
        if not isinstance(value, dict):
            return True
        return all(
            self._allows(subschema, value[name], depth)
            for pattern, subschema in schema["patternProperties"].items()
            for name in value
            if compile_pattern(pattern).matches(name)
        )

    def _additional_properties(self, schema: Schema, value: object, depth: int) -> bool:
        additional = schema["additionalProperties"]
        if not isinstance(value, dict) or additional is True:
            return True
        known = schema.get("properties", ())
        patterns = [compile_pattern(one) for one in schema.get("patternProperties", ())]
        return all(
            self._allows(additional, inner, depth)
            for name, inner in value.items()
            if name not in known and not any(pattern.matches(name) for pattern in patterns)
        )

    def _property_names(self, schema: Schema, value: object, depth: int) -> bool:
        names = schema["propertyNames"]
        return not isinstance(value, dict) or all(
            self._allows(names, name, depth) for name in value
        )

    def _items(self, schema: Schema, value: object, depth: int) -> bool:
        items = schema["items"]
        return not isinstance(value, list) or all(
            self._allows(items, item, depth) for item in value
        )

    def _all_of(self, schema: Schema, value: object, depth: int) -> bool:
        return all(self._allows(one, value, depth) for one in schema["allOf"])

    def _any_of(self, schema: Schema, value: object, depth: int) -> bool:
        return any(self._allows(one, value, depth) for one in schema["anyOf"])

    def _one_of(self, schema: Schema, value: object, depth: int) -> bool:
        return sum(self._allows(one, value, depth) for one in schema["oneOf"]) == 1

    def _not(self, schema: Schema, value: object, depth: int) -> bool:
        return not self._allows(schema["not"], value, depth)

    def _if(self, schema: Schema, value: object, depth: int) -> bool:
        branch = "then" if self._allows(schema["if"], value, depth) else "else"
        return branch not in schema or self._allows(schema[branch], value, depth)


_INNER_RULES: Mapping[str, Callable[[QuickSchema, Schema, object, int], bool]] = {
    "$ref": QuickSchema._refers,  # noqa: SLF001 - a table of the class's own methods
    "properties": QuickSchema._properties,  # noqa: SLF001
    "patternProperties": QuickSchema._pattern_properties,  # noqa: SLF001
    "additionalProperties": QuickSchema._additional_properties,  # noqa: SLF001
    "propertyNames": QuickSchema._property_names,  # noqa: SLF001
    "items": QuickSchema._items,  # noqa: SLF001
    "allOf": QuickSchema._all_of,  # noqa: SLF001
    "anyOf": QuickSchema._any_of,  # noqa: SLF001
    "oneOf": QuickSchema._one_of,  # noqa: SLF001
    "not": QuickSchema._not,  # noqa: SLF001
    "if": QuickSchema._if,  # noqa: SLF001
}


# -- the form of keywords --------------------------------------------------------------------------

_MAPS = frozenset({"properties", "patternProperties", "definitions", "$defs"})
_LISTS = frozenset({"allOf", "anyOf", "oneOf"})
_SINGLE = frozenset({"items", "additionalProperties", "propertyNames", "not", "if", "then", "else"})
_OF_THE_ROOT = frozenset({"$schema", "$id"})
_HOLDERS = _MAPS | _LISTS | _SINGLE


def _held(keyword: str, value: object) -> Iterable[object]:
    """The schemas that a keyword holds."""
    if keyword in _SINGLE:
        return (value,)
    if keyword in _LISTS:
        if not isinstance(value, list) or not value:
            raise Unusual
        return value
    if not isinstance(value, dict):
        raise Unusual
    if keyword == "patternProperties" and not all(map(_is_pattern, value)):
        raise Unusual
    return value.values()


def _is_text(value: object) -> bool:
    return type(value) is str


def _is_bool(value: object) -> bool:
    return type(value) is bool


def _is_number(value: object) -> bool:
    return type(value) is int or type(value) is float


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_list(value: object) -> bool:
    return type(value) is list


def _is_reference(value: object) -> bool:
    return type(value) is str and _REFERENCE.fullmatch(value) is not None


def _is_pattern(value: object) -> bool:
    try:
        return type(value) is str and compile_pattern(value) is not None
    except RegexpError:
        return False


def _is_type(value: object) -> bool:
    if type(value) is str:
        return value in _TYPES
    return _are_names(value) and bool(value) and _TYPES.keys() >= set(cast("list[str]", value))


def _are_names(value: object) -> bool:
    return (
        type(value) is list
        and all(type(one) is str for one in value)
        and len(set(value)) == len(value)
    )


def _is_enum(value: object) -> bool:
    return (
        type(value) is list
        and bool(value)
        and all(map(_is_const, value))
        and len({(type(one), one) for one in value}) == len(value)
    )


def _is_const(value: object) -> bool:
    return value is None or type(value) in (str, int, bool)


def _is_unusual(_: object) -> bool:
    return False


_FORMS: Mapping[str, Callable[[object], bool]] = {
    "type": _is_type,
    "required": _are_names,
    "enum": _is_enum,
    "const": _is_const,
    "$ref": _is_reference,
    "pattern": _is_pattern,
    "uniqueItems": _is_bool,
    "examples": _is_list,
    **dict.fromkeys(("title", "description", "$comment", "format"), _is_text),
    **dict.fromkeys(("contentEncoding", "contentMediaType"), _is_text),
    **dict.fromkeys(("deprecated", "readOnly", "writeOnly"), _is_bool),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _is_number),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _is_count),
    **dict.fromkeys(("minProperties", "maxProperties"), _is_count),
    **dict.fromkeys(("id", "$id", "$schema", "$anchor", "$vocabulary"), _is_unusual),
    **dict.fromkeys(("$dynamicRef", "$dynamicAnchor", "$recursiveRef"), _is_unusual),
    **dict.fromkeys(("$recursiveAnchor", "dependencies", "dependentRequired"), _is_unusual),
    **dict.fromkeys(("dependentSchemas", "unevaluatedProperties"), _is_unusual),
    **dict.fromkeys(("unevaluatedItems", "prefixItems", "additionalItems"), _is_unusual),
    **dict.fromkeys(("contains", "minContains", "maxContains"), _is_unusual),
    **dict.fromkeys(("contentSchema", "multipleOf"), _is_unusual),
}


# -- what keywords say of a value ------------------------------------------------------------------


def _is_integer(value: object) -> bool:
    if type(value) is float:
        raise Unusual
    return type(value) is int


_TYPES: Mapping[str, Callable[[object], bool]] = {
    "null": lambda value: value is None,
    "boolean": _is_bool,
    "number": _is_number,
    "integer": _is_integer,
    "string": _is_text,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def _type(schema: Schema, value: object) -> bool:
    wanted = schema["type"]
    if type(wanted) is str:
        return _TYPES[wanted](value)
    return any(_TYPES[one](value) for one in wanted)


def _enum(schema: Schema, value: object) -> bool:
    if isinstance(value, dict | list):
        return False
    if type(value) is float:
        raise Unusual
    return any(type(one) is type(value) and one == value for one in schema["enum"])


def _const(schema: Schema, value: object) -> bool:
    if type(value) is float:
        raise Unusual
    return type(value) is type(schema["const"]) and value == schema["const"]


def _required(schema: Schema, value: object) -> bool:
    return not isinstance(value, dict) or all(name in value for name in schema["required"])


def _pattern(schema: Schema, value: object) -> bool:
    return not isinstance(value, str) or compile_pattern(schema["pattern"]).matches(value)


def _format(schema: Schema, value: object) -> bool:
    if isinstance(value, str) and schema["format"] not in _NO_FORMATS:
        raise Unusual
    return True


def _unique_items(schema: Schema, value: object) -> bool:
    if not schema["uniqueItems"] or not isinstance(value, list) or len(value) < 2:  # noqa: PLR2004
        return True
    if not all(type(one) is str for one in value):
        raise Unusual
    return len(set(value)) == len(value)


def _bounds(
    keyword: str, kind: type[str | list[object] | dict[str, object]], is_within: Compare
) -> Callable[[Schema, object], bool]:
    def rule(schema: Schema, value: object) -> bool:
        return not isinstance(value, kind) or is_within(len(value), schema[keyword])

    return rule


def _number_bound(keyword: str, is_within: Compare) -> Callable[[Schema, object], bool]:
    def rule(schema: Schema, value: object) -> bool:
        return not _is_number(value) or is_within(value, schema[keyword])

    return rule


_RULES: Mapping[str, Callable[[Schema, object], bool]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "required": _required,
    "pattern": _pattern,
    "format": _format,
    "uniqueItems": _unique_items,
    "minimum": _number_bound("minimum", operator.ge),
    "maximum": _number_bound("maximum", operator.le),
    "exclusiveMinimum": _number_bound("exclusiveMinimum", operator.gt),
    "exclusiveMaximum": _number_bound("exclusiveMaximum", operator.lt),
    "minLength": _bounds("minLength", str, operator.ge),
    "maxLength": _bounds("maxLength", str, operator.le),
    "minItems": _bounds("minItems", list, operator.ge),
    "maxItems": _bounds("maxItems", list, operator.le),
    "minProperties": _bounds("minProperties", dict, operator.ge),
    "maxProperties": _bounds("maxProperties", dict, operator.le),
}
