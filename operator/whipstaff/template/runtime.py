"""What templates call as they are executed: printing, ranges, include and tpl.

`ABI` names all that compiled code may call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whipstaff.golang import printf
from whipstaff.golang.strconv import quote
from whipstaff.golang.values import (
    GoObject,
    GoType,
    Int32,
    Int64,
    TypedMap,
    Uint8,
    Uint32,
    sorted_keys,
    type_name,
)
from whipstaff.template.errors import EvalError, FunctionError
from whipstaff.template.execution import MAIN, ExecError, Run, TplError
from whipstaff.template.laps import Counting, Lap
from whipstaff.template.members import (
    MISS,
    at_site,
    call_member,
    convert,
    expect_member,
    field,
    named,
    reject,
    strict_field,
    values_field,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INCLUDES_OF_ONE_NAME = 1_000
GO_DEPTH = 100_000  # Go's own limit; ours is lower, and nothing but endless recursion gets there
PARTS_BEFORE_COUNTING = 100_000


# -- printing ----------------------------------------------------------------------------------


def show(value: object) -> str:
    """What an action prints of a value."""
    if value is None:
        return "<no value>"
    if isinstance(value, GoObject):
        if value.string_of_pointer:
            return value.go_string() or ""
        if value.go_kind == "ptr" and value.go_string() is None:
            return printf.show(value).removeprefix("&")
    return printf.show(value)


def format_s(value: object) -> str:
    """%s of a value."""
    return printf.sprintf("%s", value)


def format_d(value: object) -> str:
    """%d of a value."""
    return printf.sprintf("%d", value)


def squash(run: Run, out: list[str]) -> None:
    """Join what was printed so far, so that a loop cannot print without bounds."""
    text = "".join(out)
    if len(text) > run.scope.limits.output_bytes:
        run.too_long()
    out[:] = [text]


# -- ranges ------------------------------------------------------------------------------------


def elements(run: Run, value: object) -> Sequence[object]:
    """What `range` with at most one variable goes through."""
    kind = type(value)
    if kind is list:
        items: Sequence[object] = value  # type: ignore[assignment]  # the line above says so
    elif isinstance(value, dict):
        items = [value[key] for key in sorted_keys(value)]
    elif isinstance(value, int) and kind is not bool:
        items = range(max(value, 0)) if kind is int else Counting(value)
    else:
        items = _items(value)
    run.charge(len(items))
    return items if run.scope.generated is None else Lap(items, value)


def pairs(run: Run, value: object) -> Sequence[tuple[object, object]]:
    """What `range` with two variables goes through: index or key, and element."""
    if isinstance(value, dict):
        run.charge(len(value))
        entries: list[tuple[object, object]] = [(key, value[key]) for key in sorted_keys(value)]
        return entries if run.scope.generated is None else Lap(entries, value)
    if isinstance(value, int) and not isinstance(value, bool):
        raise EvalError(f"can't use {value} to iterate over more than one variable")
    if isinstance(value, GoObject) and isinstance(value.underlying(), dict):
        return pairs(run, value.underlying())
    items = value if isinstance(value, list) else _items(value)
    run.charge(len(items))
    numbered: list[tuple[object, object]] = list(enumerate(items))
    return numbered if run.scope.generated is None else Lap(numbered, items)


def holds_any(value: object) -> bool:
    """Whether Go sees an `any` in each of the things that `range` goes through."""
    if isinstance(value, dict):
        return not isinstance(value, TypedMap)
    return type_name(value) == "[]interface {}"


def _items(value: object) -> Sequence[object]:
    if value is None:
        return ()
    if isinstance(value, list):
        return value
    if isinstance(value, bytes):
        return [Uint8(byte) for byte in value]
    if isinstance(value, GoObject):
        inner = value.underlying()
        if isinstance(inner, dict):
            return [inner[key] for key in sorted_keys(inner)]
        if inner is not None:
            return inner
    raise EvalError(f"range can't iterate over {show(value)}")


# -- templates in templates --------------------------------------------------------------------


def invoke(run: Run, name: str, data: object, out: list[str]) -> None:
    """{{template}}: execute another template into the same output."""
    definition = run.templates.get(name)
    if definition is None:
        raise EvalError(f"template {quote(name)} not defined")
    run.charge(1)
    run.depth += 1
    if run.depth > run.scope.limits.depth:
        raise EvalError(f"exceeded maximum template depth ({GO_DEPTH})")
    (definition.strict_call if run.strict else definition.call)(run, data, out)
    run.depth -= 1


def include(run: Run, name: str, data: object) -> str:
    """Helm's include: what the named template prints."""
    if run.memory is not None and name != MAIN:
        return run.memory.include(run, name, data, _included)
    return _included(run, name, data)


def _included(run: Run, name: str, data: object) -> str:
    count = run.included.get(name, 0)
    if count > INCLUDES_OF_ONE_NAME:
        raise FunctionError(
            f"rendering template has a nested reference name: {name}: unable to execute template"
        )
    definition = run.templates.get(name)
    if definition is None:
        raise FunctionError(
            f"template: no template {quote(name)} associated with template {quote(MAIN)}"
        )
    run.included[name] = count + 1
    text = run.execute(definition, data)
    run.included[name] = count
    return text


def tpl(run: Run, text: str, data: object) -> str:
    """Helm's tpl: what the text prints as a template; what it defines is known to it alone."""
    if "{{" not in text:
        return text.replace("<no value>", "")
    defined = run.parse_text(text)
    outer, was_inside = run.templates, run.is_inside_tpl
    if len(defined) > 1:  # names may mean others in there
        run.is_inside_tpl = True
    inner = run.templates = dict(outer)
    inner.update(defined)
    try:
        result = run.execute(defined[MAIN], data)
    except ExecError as error:
        head = f"error during tpl function execution for {quote(text)}: "
        raise TplError(head, error) from error
    finally:
        run.templates, run.is_inside_tpl = outer, was_inside
    return result.replace("<no value>", "")


ABI: Mapping[str, object] = {
    "MISS": MISS,
    "PARTS": PARTS_BEFORE_COUNTING,
    "Int32": Int32,
    "Int64": Int64,
    "Uint32": Uint32,
    "T": {member.name: member for member in GoType},
    "at_site": at_site,
    "call_member": call_member,
    "convert": convert,
    "elements": elements,
    "expect_member": expect_member,
    "field": field,
    "format_d": format_d,
    "format_s": format_s,
    "holds_any": holds_any,
    "include": include,
    "invoke": invoke,
    "named": named,
    "pairs": pairs,
    "reject": reject,
    "show": show,
    "squash": squash,
    "strict_field": strict_field,
    "tpl": tpl,
    "values_field": values_field,
}
