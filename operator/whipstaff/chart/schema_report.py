"""Word the errors of a JSON schema as Helm's own validator does, nested as it nests them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from typing import Any

from whipstaff.golang import strconv

# Keywords after which Helm's validator looks no further into the same subschema.
_DECISIVE = ("type", "const", "enum", "format")
_ORDER = (
    *_DECISIVE,
    "$ref",
    "minProperties",
    "maxProperties",
    "required",
    "dependencies",
    "properties",
    "patternProperties",
    "additionalProperties",
    "propertyNames",
    "dependentSchemas",
    "dependentRequired",
    "minItems",
    "maxItems",
    "uniqueItems",
    "prefixItems",
    "items",
    "additionalItems",
    "contains",
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "$recursiveRef",
    "$dynamicRef",
    "not",
    "allOf",
    "anyOf",
    "oneOf",
    "if",
    "unevaluatedProperties",
    "unevaluatedItems",
)
_REFERENCES = frozenset(["$ref", "$recursiveRef", "$dynamicRef"])
_RANKS = {keyword: rank for rank, keyword in enumerate(_ORDER)}
_TYPE_ORDER = ("null", "boolean", "number", "integer", "string", "array", "object")

# How many elements of the schema path and of the instance path a step into a subschema takes.
_STEPS = {
    "properties": (2, 1),
    "patternProperties": (2, 1),
    "additionalProperties": (1, 1),
    "unevaluatedProperties": (1, 1),
    "propertyNames": (1, 0),
    "dependentSchemas": (2, 0),
    "dependencies": (2, 0),
    "prefixItems": (2, 1),
    "items": (1, 1),
    "additionalItems": (1, 1),
    "unevaluatedItems": (1, 1),
    "allOf": (2, 0),
    "if": (2, 0),
}


@dataclass(frozen=True, slots=True)
class _Finding:
    """One line of the report and the lines below it.

    The line of a group can be left out; that of a reference stays, though it says the same.
    """

    place: str
    problem: str
    causes: tuple["_Finding", ...] = ()
    is_group: bool = False

    def lines(self, depth: int) -> Iterable[str]:
        yield f"{'  ' * depth}- at {quote(self.place)}: {self.problem}"
        for cause in self.causes:
            yield from cause.lines(depth + 1)


@dataclass(frozen=True, slots=True)
class _Located:
    """An error of the library, with what is left of its paths below the subschema at hand."""

    error: Any
    schema_path: tuple[object, ...] = field(default=())
    place: tuple[object, ...] = field(default=())


_hidden: ContextVar[bool] = ContextVar("_hidden", default=False)


@contextmanager
def values_hidden() -> Iterator[None]:
    """Repeat no value in reports: Helm does, but what an operator reports is read by others."""
    token = _hidden.set(True)
    try:
        yield
    finally:
        _hidden.reset(token)


def named(value: str) -> str:
    """Return a value as Helm's validator repeats it, or a word for it where values are hidden."""
    return "value" if _hidden.get() else quote(value)


def violation(problem: str, causes: Sequence[object] = ()) -> Exception:
    """Make the error of a keyword whose sentence is known when it is found."""
    from jsonschema.exceptions import ValidationError  # noqa: PLC0415 - see `schema`

    error: Exception = ValidationError(problem, context=causes)
    return error


def text(errors: Iterable[Any]) -> str:
    """Return the report of all errors of one chart, empty if there are none."""
    located = [
        _Located(error, tuple(error.relative_schema_path), tuple(error.relative_path))
        for error in errors
    ]
    findings = _without_group(_findings(located, ()))
    return "\n".join(line for finding in findings for line in finding.lines(0))


def quote(name: str) -> str:
    """Quote a name in single quotes, as Helm's validator does."""
    inner = strconv.quote(name)[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"'{inner}'"


def _findings(located: Sequence[_Located], place: tuple[object, ...]) -> list[_Finding]:
    """What one application of a subschema to one value found, in the order of its keywords."""
    ranked = sorted(located, key=_rank)
    decisive = [one for one in ranked if one.schema_path[:1] and _is_decisive(one)]
    if decisive:
        return [_leaf(decisive[0], place)]
    findings: list[_Finding] = []
    for step, group in groupby(ranked, key=_step):
        members = list(group)
        if step is None:
            findings += [_leaf(one, place) for one in members]
        else:
            findings += _below(members, place)
    return _gather_all_of(findings, place)


def _is_decisive(one: _Located) -> bool:
    return one.schema_path[0] in _DECISIVE and len(one.schema_path) == 1


def _rank(one: _Located) -> tuple[int, tuple[str, ...]]:
    keyword = str(one.schema_path[0]) if one.schema_path else ""
    return _RANKS.get(keyword, len(_RANKS)), tuple(map(_sortable, _step(one) or ()))


def _sortable(part: object) -> str:
    return f"{part:010d}" if isinstance(part, int) else str(part)


def _step(one: _Located) -> tuple[object, ...] | None:
    """Which subschema and which value the error lies in; None if it is the keyword's own."""
    if len(one.schema_path) < 2:  # noqa: PLR2004 - a keyword and what lies below it
        return None
    schema_taken, place_taken = _taken(one.schema_path)
    return (*one.schema_path[:schema_taken], *one.place[:place_taken])


def _taken(schema_path: tuple[object, ...]) -> tuple[int, int]:
    keyword = schema_path[0]
    if keyword == "items" and isinstance(schema_path[1], int):
        return 2, 1
    return _STEPS.get(str(keyword), (1, 0))


def _below(members: list[_Located], place: tuple[object, ...]) -> list[_Finding]:
    first = members[0]
    schema_taken, place_taken = _taken(first.schema_path)
    inner_place = (*place, *first.place[:place_taken])
    inner = [
        _Located(one.error, one.schema_path[schema_taken:], one.place[place_taken:])
        for one in members
    ]
    findings = _findings(inner, inner_place)
    if first.schema_path[0] in _REFERENCES:
        findings = _one(_without_group(findings), inner_place, is_group=False)
    else:
        findings = _one(findings, inner_place)
    if first.schema_path[0] == "allOf":
        return [_Finding(_pointer(place), _ALL_OF, tuple(findings))]
    return findings


_ALL_OF = "'allOf' failed"
_SEVERAL = "validation failed"


def _gather_all_of(findings: list[_Finding], place: tuple[object, ...]) -> list[_Finding]:
    """Join what the members of one allOf found under one line."""
    own = [one for one in findings if one.problem == _ALL_OF and one.place == _pointer(place)]
    if len(own) < 2:  # noqa: PLR2004 - nothing to join
        return findings
    joined = _Finding(_pointer(place), _ALL_OF, tuple(cause for one in own for cause in one.causes))
    at = findings.index(own[0])
    rest = [one for one in findings if one not in own]
    return [*rest[:at], joined, *rest[at:]]


def _one(
    findings: list[_Finding], place: tuple[object, ...], *, is_group: bool = True
) -> list[_Finding]:
    """Several findings of one subschema hang under a line of their own."""
    if len(findings) < 2:  # noqa: PLR2004 - one stands for itself
        return findings
    return [_Finding(_pointer(place), _SEVERAL, tuple(findings), is_group)]


def _without_group(findings: list[_Finding]) -> list[_Finding]:
    """Return what is in a group that is alone."""
    if len(findings) == 1 and findings[0].is_group:
        return list(findings[0].causes)
    return findings


def _leaf(one: _Located, place: tuple[object, ...]) -> _Finding:
    error = one.error
    here = (*place, *one.place)
    causes: list[_Finding] = []
    if error.validator in {"anyOf", "oneOf", "contains"}:
        located = [
            _Located(cause, tuple(cause.relative_schema_path), tuple(cause.relative_path))
            for cause in error.context
        ]
        for _, group in groupby(located, key=lambda cause: cause.schema_path[0]):
            inner = [_Located(each.error, each.schema_path[1:], each.place) for each in group]
            causes += _one(_findings(inner, here), here)
    return _Finding(_pointer(here), _problem(error), tuple(causes))


def _pointer(place: tuple[object, ...]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)


def _problem(error: Any) -> str:  # noqa: ANN401 - the library has no types
    if error.validator is None:
        return "false schema"
    wording = _WORDINGS.get(error.validator)
    return wording(error) if wording else str(error.message)


def _type_problem(error: Any) -> str:  # noqa: ANN401
    wanted = error.validator_value
    names = {wanted} if isinstance(wanted, str) else set(wanted)
    return f"got {_type(error.instance)}, want {' or '.join(n for n in _TYPE_ORDER if n in names)}"


def _type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "array"
        case _:
            return "object"


def _enum_problem(error: Any) -> str:  # noqa: ANN401
    wanted = error.validator_value
    if any(isinstance(one, (dict, list)) for one in wanted):
        return "'enum' failed"
    shown = ", ".join(map(_shown, wanted))
    return f"value must be {shown}" if len(wanted) == 1 else f"value must be one of {shown}"


def _const_problem(error: Any) -> str:  # noqa: ANN401
    wanted = error.validator_value
    return (
        "'const' failed" if isinstance(wanted, (dict, list)) else f"value must be {_shown(wanted)}"
    )


def _shown(value: object) -> str:
    match value:
        case str():
            return quote(value)
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def _size_problem(error: Any) -> str:  # noqa: ANN401
    return f"{error.validator}: got {len(error.instance):,}, want {error.validator_value:,}"


def _bound_problem(error: Any) -> str:  # noqa: ANN401
    return (
        f"{error.validator}: got {_number(error.instance)}, want {_number(error.validator_value)}"
    )


_POSITIONAL = (-4, 5)  # the exponents of numbers that are written without one
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _number(value: float) -> str:
    """Write a number as Go's localized %v does in English: from a million on with an exponent."""
    sign, digits, power = Decimal(repr(float(value))).normalize().as_tuple()
    exponent = len(digits) + int(power) - 1
    if _POSITIONAL[0] <= exponent <= _POSITIONAL[1] or value == 0:
        return f"{int(value):,}" if float(value).is_integer() else f"{value:,}"
    fraction = "".join(map(str, digits[1:]))
    raised = f"{exponent:03d}" if exponent < 0 else f"{exponent:02d}"
    mantissa = f"{'-' if sign else ''}{digits[0]}{'.' if fraction else ''}{fraction}"
    return f"{mantissa}\N{MULTIPLICATION SIGN}10{raised.translate(_RAISED)}"


def _unique_problem(error: Any) -> str:  # noqa: ANN401
    items = error.instance
    for second, item in enumerate(items):
        if item in items[:second]:
            return f"items at {items.index(item)} and {second} are equal"
    return "items are equal"


_WORDINGS: dict[str, Callable[[Any], str]] = {
    "type": _type_problem,
    "enum": _enum_problem,
    "const": _const_problem,
    "minLength": _size_problem,
    "maxLength": _size_problem,
    "minItems": _size_problem,
    "maxItems": _size_problem,
    "minProperties": _size_problem,
    "maxProperties": _size_problem,
    "minimum": _bound_problem,
    "maximum": _bound_problem,
    "exclusiveMinimum": _bound_problem,
    "exclusiveMaximum": _bound_problem,
    "multipleOf": _bound_problem,
    "uniqueItems": _unique_problem,
    "not": lambda _: "'not' failed",
    "anyOf": lambda _: "'anyOf' failed",
    "unevaluatedProperties": lambda _: "false schema",
    "unevaluatedItems": lambda _: "false schema",
}
