"""`--name-template`: the release's name from a template of its own."""

from typing import NoReturn

from whipstaff.cli import offline
from whipstaff.cli.given_values import ValuesRefused
from whipstaff.template.engine import Engine
from whipstaff.template.errors import FunctionError, TemplateError
from whipstaff.template.execution import ExecError
from whipstaff.template.functions.catalogue import REGISTRY
from whipstaff.template.functions.registry import Function, GoType

_NAME = "name-template"
# What a chart's templates have and sprig does not.
_HELMS_OWN = frozenset(
    {
        "include",
        "tpl",
        "required",
        "lookup",
        "toYaml",
        "toYamlPretty",
        "fromYaml",
        "fromYamlArray",
        "toToml",
        "fromToml",
        "fromJsonArray",
    }
)


def _fail(text: str) -> NoReturn:
    raise FunctionError(text)


# sprig's own; Helm's marks its text for whoever words the error of a chart.
_FAIL = Function("fail", _fail, (GoType.STRING,))


def expand(text: str) -> str:
    """Return the name; ValuesRefused in the words of text/template, which has no data here."""
    functions = {name: one for name, one in REGISTRY.items() if name not in _HELMS_OWN}
    functions["fail"] = _FAIL
    try:
        parsed = Engine(functions).parse({_NAME: text})
        return parsed.render(_NAME, None, offline.scope())
    except TemplateError as error:
        cause = error.__cause__
        words = cause.text if isinstance(cause, ExecError) else str(cause or error)
        raise ValuesRefused(words) from error
