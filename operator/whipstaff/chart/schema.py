"""values.schema.json: a chart's own word on its values, and that of each chart inside it.

References are followed inside the file only, patterns are RE2's, and the library is imported when
the first chart with a schema comes by.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, partial
from typing import Any

from whipstaff.chart import schema_report
from whipstaff.chart.model import Chart, JsonObject
from whipstaff.chart.quick_schema import QuickSchema, Unusual
from whipstaff.chart.record import plain
from whipstaff.errors import SchemaInvalid, ValuesSchemaViolation
from whipstaff.golang import json
from whipstaff.golang.regexp import RegexpError, compile_pattern
from whipstaff.golang.values import go_text, type_name

_MOST_APPROVED = 20_000
_DEEPEST_FRAMES = 3_000  # the library takes about eight a level
_FILE = "file:///values.schema.json"  # as Helm calls it, wherever it lies
_DRAFTS = {
    "json-schema.org/schema": "Draft202012Validator",
    "json-schema.org/draft/2020-12/schema": "Draft202012Validator",
    "json-schema.org/draft/2019-09/schema": "Draft201909Validator",
    "json-schema.org/draft-07/schema": "Draft7Validator",
    "json-schema.org/draft-06/schema": "Draft6Validator",
    "json-schema.org/draft-04/schema": "Draft4Validator",
}
_INTRODUCTION = "values don't meet the specifications of the schema(s) in the following chart(s):\n"


class Approved:
    """What schemas were found to allow: parts of values that need no second look.

    Values are known by identity, so none may be changed in place; those that are kept here live.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], object] = {}

    def errors(
        self,
        validator: Any,  # noqa: ANN401 - the library has no types
        value: object,
        subschema: object,
        name: str,
    ) -> Iterator[Exception]:
        """Yield what a property's schema says of its value, nothing if that is known."""
        if self.knows(subschema, value):
            return
        errors = list(_inside(validator, value, subschema, name, name))
        yield from errors
        if not errors:
            self.remember(subschema, value)

    def knows(self, subschema: object, value: object) -> bool:
        """Whether this very value was allowed by this very schema."""
        return _key(subschema, value) in self._known

    def remember(self, subschema: object, value: object) -> None:
        """Keep that it is allowed."""
        if len(self._known) > _MOST_APPROVED:
            self._known.clear()
        self._known[_key(subschema, value)] = value, subschema


def _key(subschema: object, value: object) -> tuple[object, ...]:
    is_scalar = not isinstance(value, dict | list)
    return id(subschema), type(value), value if is_scalar else id(value)


_approved: ContextVar[Approved | None] = ContextVar("_approved", default=None)


def has_any(chart: Chart) -> bool:
    """Whether the chart or one inside it has a schema."""
    return chart.schema is not None or any(map(has_any, chart.subcharts))


def validate_again(chart: Chart, values: JsonObject, approved: Approved) -> None:
    """Do as `validate`, with values that are `plain`, and remember what is allowed."""
    token = _approved.set(approved)
    try:
        validate(chart, values)
    finally:
        _approved.reset(token)


def validate(chart: Chart, values: JsonObject) -> None:
    """Raise ValuesSchemaViolation when a schema refuses the coalesced values.

    SchemaInvalid is raised if one is no schema, whatever the others say. The text is Helm's, with
    places and rules but without the strings that break them.
    """
    parts = list(_reports(chart, values))
    report = _INTRODUCTION + "".join(text for text, _ in parts)
    broken = [where for _, where in parts if where]
    if broken:
        raise SchemaInvalid(report, where=broken[0])
    if parts:
        raise ValuesSchemaViolation(report, where=chart.name)


def _reports(chart: Chart, values: JsonObject) -> Iterator[tuple[str, str]]:
    """Yield what each schema says, with the place of one that is none."""
    if chart.schema is not None:
        try:
            found = violations(chart, values)
        except SchemaInvalid as error:
            yield f"{chart.name}:\n{error.text}", error.where
        else:
            if found:
                yield f"{chart.name}:\n{found}\n", ""
    for subchart in chart.subcharts:
        own = values.get(subchart.name)
        if isinstance(own, dict):
            yield from _reports(subchart, own)
        elif own is not None:
            problem = f"expected object (map), got {type_name(own)}"
            yield f"{subchart.name}:\ninvalid type for values: {problem}\n", ""


def violations(chart: Chart, values: JsonObject) -> str:
    """Report what a chart's own schema says of its values, empty if nothing; or SchemaInvalid."""
    # What is approved is known by identity, and a copy would be another.
    approved = _approved.get()
    own = plain(values) if approved is None else values
    if _is_quickly_allowed(chart.schema or b"", own, approved):
        return ""
    return _reported(chart, own)


def _is_quickly_allowed(schema: bytes, values: object, approved: Approved | None) -> bool:
    try:
        quick = _quick(schema)
        return quick is not None and quick.allows(values, approved)
    except Unusual:
        return False


def _reported(chart: Chart, values: object) -> str:
    from referencing.exceptions import Unresolvable  # noqa: PLC0415 - heavy, and few have one

    where = f"{chart.name}/values.schema.json"
    try:
        with _frames(_DEEPEST_FRAMES):
            validator = _validator(chart.schema or b"")
            errors = list(validator.iter_errors(values))
    except _NoSchema as error:
        raise SchemaInvalid(str(error), where=where) from error
    except Unresolvable as error:
        raise SchemaInvalid(_unresolved(error), where=where) from error
    except RecursionError as error:
        raise SchemaInvalid(f"{where}: its references go too deep", where=where) from error
    except (RegexpError, ValueError, TypeError, AttributeError) as error:
        raise SchemaInvalid(f"{where}: {_first_line(error)}", where=where) from error
    return schema_report.text(errors)


@contextmanager
def _frames(limit: int) -> Iterator[None]:
    """Let recursion end early: a render may go far deeper, and a long chain takes its time."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(min(limit, before))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


class _NoSchema(Exception):
    """The file is no schema; the text is that of Helm's validator."""


def _unresolved(error: Any) -> str:  # noqa: ANN401 - the library has no types
    """Word a reference to nothing; one that leads out of the file is not followed, unlike Helm."""
    from referencing.exceptions import NoSuchAnchor, PointerToNowhere  # noqa: PLC0415

    match error.__cause__:
        case PointerToNowhere(ref=pointer):
            return f'json-pointer in "{_FILE}#{pointer}" not found'
        case NoSuchAnchor(anchor=anchor):
            return f'anchor in "{_FILE}#{anchor}" not found in schema "{_FILE}"'
        case _:
            return _leads_out(error.ref)


def _leads_out(reference: str) -> str:
    return f"only references inside the file are followed: {reference}"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


@lru_cache(maxsize=64)
def _quick(schema: bytes) -> QuickSchema | None:
    """What judges values without the library, if the schema is one of the usual ones."""
    try:
        document = _document(schema)
        return QuickSchema(document, _dialect(document))
    except (_NoSchema, Unusual):
        return None


@lru_cache(maxsize=64)
def _validator(schema: bytes) -> Any:  # noqa: ANN401 - the library has no types
    import attrs  # noqa: PLC0415 - the library is made with it
    from jsonschema import validators  # noqa: PLC0415
    from jsonschema_specifications import (  # type: ignore[import-untyped]  # noqa: PLC0415
        REGISTRY,
    )

    document = _document(schema)
    dialect = getattr(validators, _dialect(document))
    remembered = {} if _follows_scopes(schema) else {"properties": _properties}
    checked = validators.extend(
        dialect,
        {
            **remembered,
            "$ref": partial(_ref, dialect.VALIDATORS["$ref"]),
            "additionalProperties": _additional_properties,
            "dependencies": _dependencies,
            "dependentRequired": _dependent_required,
            "format": _format,
            "additionalItems": _additional_items,
            "contains": _contains,
            "oneOf": _one_of,
            "pattern": _pattern,
            "patternProperties": _pattern_properties,
            "required": _required,
        },
    )
    # The library would judge a part that names a dialect by its own keywords, its patterns with
    # Python's expressions, whose time has no bound.
    checked.evolve = attrs.evolve
    # A registry of its own: without one the library fetches what a reference names.
    judge = validators.extend(checked, {"format": _format_in_schema})
    judge.evolve = attrs.evolve
    rules = judge(dialect.META_SCHEMA, registry=REGISTRY, format_checker=checked.FORMAT_CHECKER)
    errors = list(rules.iter_errors(document))
    if errors:
        name = str(dialect.META_SCHEMA.get("$id") or dialect.META_SCHEMA["id"]).removesuffix("#")
        raise _NoSchema(
            f'"{_FILE}#" is not valid against metaschema: '
            f"jsonschema validation failed with '{name}#'\n{schema_report.text(errors)}"
        )
    return checked(document, registry=REGISTRY, format_checker=checked.FORMAT_CHECKER)


def _dialect(document: object) -> str:
    """Name the library's class for the draft that a document is written in."""
    if not isinstance(document, dict) or not isinstance(named := document.get("$schema"), str):
        return "Draft202012Validator"
    draft = _DRAFTS.get(named.removesuffix("#").partition("://")[2])
    if draft is None:
        raise _NoSchema(_leads_out(named))
    return draft


@lru_cache(maxsize=64)
def _document(schema: bytes) -> object:
    """Read the file; _NoSchema in the words of Go's reader of streams, which Helm uses here."""
    text = go_text(schema)
    try:
        return plain(json.load(text))
    except json.JSONError as error:
        problem = error.text
    if problem == "unexpected end of JSON input":
        problem = "unexpected EOF" if text.strip(" \t\r\n") else "EOF"
    elif "after top-level" in problem:
        problem = "invalid character after top-level value"
    raise _NoSchema(problem)


def _follows_scopes(schema: bytes) -> bool:
    """Whether a part of the schema means something else wherever it is referred to from."""
    return b"dynamicRef" in schema or b"recursiveRef" in schema


def _inside(
    validator: Any,  # noqa: ANN401
    value: object,
    subschema: object,
    name: str,
    schema_path: str,
) -> Iterator[Exception]:
    errors: Iterator[Any] = validator.descend(value, subschema, path=name, schema_path=schema_path)
    for error in errors:
        if subschema is False:
            # The library forgets where it was.
            error.path.appendleft(name)
            error.schema_path.appendleft(schema_path)
        yield error


def _properties(
    validator: Any,  # noqa: ANN401
    properties: dict[str, object],
    value: object,
    _: object,
) -> Iterator[Exception]:
    if not isinstance(value, dict):
        return
    approved = _approved.get()
    for name, subschema in properties.items():
        if name not in value:
            continue
        if approved is None:
            yield from _inside(validator, value[name], subschema, name, name)
        else:
            yield from approved.errors(validator, value[name], subschema, name)


def _ref(
    follow: Callable[..., Iterator[Any]],
    validator: Any,  # noqa: ANN401
    reference: str,
    value: object,
    schema: object,
) -> Iterator[Exception]:
    # The library leaves this step out of an error's path, where Helm's has a node of its own.
    for error in follow(validator, reference, value, schema):
        error.schema_path.appendleft("$ref")
        yield error


# The library's own keywords of these names report one error where Helm's library reports another.


def _pattern(validator: Any, pattern: str, value: object, _: object) -> Iterator[Exception]:  # noqa: ANN401
    if validator.is_type(value, "string") and not compile_pattern(pattern).matches(str(value)):
        yield schema_report.violation(
            f"{schema_report.named(str(value))} does not match pattern "
            f"{schema_report.quote(pattern)}"
        )


def _format(
    validator: Any,  # noqa: ANN401
    name: str,
    value: object,
    _: object,
) -> Iterator[Exception]:
    if not validator.is_type(value, "string"):
        return
    problem = _no_regex(str(value)) if name == "regex" else ""
    if problem or not validator.format_checker.conforms(value, name):
        yield schema_report.violation(f"value is not valid {name}")


def _format_in_schema(
    validator: Any,  # noqa: ANN401
    name: str,
    value: object,
    schema: object,
) -> Iterator[Exception]:
    """As `_format`; what stands in a schema is no secret."""
    problem = _no_regex(str(value)) if name == "regex" else ""
    if problem and validator.is_type(value, "string"):
        shown = schema_report.quote(str(value))
        yield schema_report.violation(f"{shown} is not valid regex: {problem}")
    else:
        yield from _format(validator, name, value, schema)


def _no_regex(text: str) -> str:
    try:
        compile_pattern(text)
    except RegexpError as error:
        return str(error)
    return ""


def _pattern_properties(
    validator: Any,  # noqa: ANN401
    patterns: dict[str, object],
    value: object,
    _: object,
) -> Iterator[Exception]:
    if not isinstance(value, dict):
        return
    for pattern, subschema in patterns.items():
        matches = compile_pattern(pattern).matches
        for name in sorted(value):
            if matches(name):
                yield from _inside(validator, value[name], subschema, name, pattern)


def _additional_properties(
    validator: Any,  # noqa: ANN401
    additional: object,
    value: object,
    schema: dict[str, Any],
) -> Iterator[Exception]:
    if not isinstance(value, dict):
        return
    patterns = [compile_pattern(pattern) for pattern in schema.get("patternProperties", {})]
    known = schema.get("properties", {})
    extra = [
        name
        for name in sorted(value)
        if name not in known and not any(pattern.matches(name) for pattern in patterns)
    ]
    if additional is False and extra:
        names = ", ".join(map(schema_report.quote, extra))
        yield schema_report.violation(f"additional properties {names} not allowed")
    elif isinstance(additional, dict):
        for name in extra:
            yield from validator.descend(value[name], additional, path=name)


def _required(_: object, required: list[str], value: object, __: object) -> Iterator[Exception]:
    if not isinstance(value, dict):
        return
    missing = [schema_report.quote(name) for name in required if name not in value]
    if missing:
        noun = "property" if len(missing) == 1 else "properties"
        yield schema_report.violation(f"missing {noun} {', '.join(missing)}")


def _dependent_required(
    _: object, required: dict[str, list[str]], value: object, __: object
) -> Iterator[Exception]:
    if not isinstance(value, dict):
        return
    for name, wanted in required.items():
        missing = [schema_report.quote(one) for one in wanted if one not in value]
        if name in value and missing:
            yield schema_report.violation(
                f"properties {', '.join(missing)} required, if {schema_report.quote(name)} exists"
            )


def _dependencies(
    validator: Any,  # noqa: ANN401
    wanted: dict[str, Any],
    value: object,
    schema: object,
) -> Iterator[Exception]:
    if not isinstance(value, dict):
        return
    for name, one in wanted.items():
        if isinstance(one, list):
            yield from _dependent_required(validator, {name: one}, value, schema)
        elif name in value:
            yield from validator.descend(value, one, schema_path=name)


def _additional_items(
    validator: Any,  # noqa: ANN401
    additional: object,
    value: object,
    schema: dict[str, Any],
) -> Iterator[Exception]:
    known = schema.get("items")
    if not isinstance(value, list) or not isinstance(known, list):
        return
    extra = value[len(known) :]
    if additional is False and extra:
        yield schema_report.violation(f"last {len(extra)} additionalItem(s) not allowed")
    elif isinstance(additional, dict):
        for index, item in enumerate(extra, start=len(known)):
            yield from validator.descend(item, additional, path=index)


def _contains(
    validator: Any,  # noqa: ANN401
    wanted: object,
    value: object,
    schema: dict[str, Any],
) -> Iterator[Exception]:
    if not isinstance(value, list):
        return
    causes: list[Any] = []
    matched: list[int] = []
    for index, item in enumerate(value):
        errors = list(validator.descend(item, wanted, path=index, schema_path=index))
        causes += errors
        if not errors:
            matched.append(index)
    found = f"but matched {len(matched)} items at {' '.join(map(str, matched))}"
    least = schema.get("minContains")
    most = schema.get("maxContains")
    if least is None and not matched:
        yield schema_report.violation("no items match contains schema", causes)
    elif least is not None and len(matched) < least:
        yield schema_report.violation(
            f"min {least} items required to match contains schema, "
            + (found if matched else "but none matched"),
            causes,
        )
    if most is not None and len(matched) > most:
        yield schema_report.violation(
            f"max {most} items required to match contains schema, {found}"
        )


def _one_of(
    validator: Any,  # noqa: ANN401
    schemas: list[object],
    value: object,
    _: object,
) -> Iterator[Exception]:
    causes: list[Any] = []
    matched: list[int] = []
    for index, subschema in enumerate(schemas):
        errors = list(validator.descend(value, subschema, schema_path=index))
        if not errors:
            matched.append(index)
            if len(matched) > 1:
                yield schema_report.violation(
                    f"'oneOf' failed, subschemas {matched[0]}, {matched[1]} matched"
                )
                return
        causes += errors
    if not matched:
        yield schema_report.violation("'oneOf' failed, none matched", causes)
