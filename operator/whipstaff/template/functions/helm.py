"""Helm's own functions that need the render: include, tpl, required, fail, lookup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from whipstaff.template import runtime
from whipstaff.template.errors import FunctionError
from whipstaff.template.functions.registry import Function, GoType, function

if TYPE_CHECKING:
    from whipstaff.template.scope import RenderScope

FAMILY: dict[str, Function] = {}

ANY: Final = GoType.ANY
STRING: Final = GoType.STRING


def _warning(text: str) -> FunctionError:
    # Helm shows what stands between these marks, and drops the chain around it.
    return FunctionError(f"HELM_ERR_START{text}HELM_ERR_END")


# The compiler passes these two the run itself, because they execute other templates in it.
FAMILY["include"] = Function("include", runtime.include, (STRING, ANY))
FAMILY["tpl"] = Function("tpl", runtime.tpl, (STRING, ANY))


@function("required", STRING, ANY, scoped=True)
def required(scope: RenderScope, warning: str, value: object) -> object:
    """The value, unless it is nil or an empty string; then fail with the warning."""
    if value is None or (type(value) is str and not value):
        if scope.lint:
            number = "value" if value is None else "values"
            scope.complain("WARN", f"missing required {number}", warning)
            return ""
        raise _warning(warning)
    return value


@function("fail", STRING, scoped=True)
def fail(scope: RenderScope, text: str) -> str:
    """Fail with this text, unless linting."""
    if scope.lint:
        scope.complain("INFO", "funcMap fail", text)
        return ""
    raise _warning(text)


@function("lookup", STRING, STRING, STRING, STRING, scoped=True)
def lookup(
    scope: RenderScope, api_version: str, kind: str, namespace: str, name: str
) -> dict[str, object]:
    """An object of the cluster, or a list of them if there is no name; {} if there is none."""
    if scope.lint:
        return {}
    return scope.effects.lookup(api_version, kind, namespace, name)


@function("getHostByName", STRING)
def get_host_by_name(_: str) -> str:
    """Nothing: Helm looks no names up unless told to, and neither do we."""
    return ""
