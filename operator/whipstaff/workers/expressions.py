"""Judge objects by expressions in CEL, the language that Kubernetes has its own rules in.

The library checks types when it compiles, and gives up after ten thousand iterations.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_encoders, ext_optional, ext_strings

from whipstaff.errors import ExpressionInvalid
from whipstaff.release.revision import JsonObject

_PROBLEM = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
# What says nothing of the objects' content, which may be secret.
_HARMLESS = re.compile(
    r"Key not found in map : .*|No such key.*|No value with name .*|No matching overloads? .*"
    "|Iteration budget exceeded|divide by zero|modulus by zero|index out of bounds.*"
)
_CODE = re.compile(r"\s*\[[A-Z_]+\]$|^[A-Z_]+: ")


def evaluate(
    expressions: Sequence[str], names: Sequence[str], variables: Mapping[str, Any]
) -> JsonObject:
    """Return what each expression says of the same variables, or its `problem`.

    `names` are all that an expression may use; of `variables` some may be absent.
    ExpressionInvalid says where one that cannot be compiled is wrong.
    """
    compiled = [_compiled(one, tuple(sorted(names))) for one in expressions]
    return {"results": [_judged(one, variables) for one in compiled]}


@lru_cache(maxsize=256)
def _compiled(text: str, names: tuple[str, ...]) -> Any:  # noqa: ANN401 - the library has no types
    try:
        expression = _environment(names).compile(text)
    except RuntimeError as error:
        raise ExpressionInvalid(_where(str(error))) from None
    kind = expression.return_type()
    if kind not in (cel.Type.BOOL, cel.Type.DYN):
        raise ExpressionInvalid(f"it gives {kind.name()}, not true or false")
    return expression


@lru_cache(maxsize=32)
def _environment(names: tuple[str, ...]) -> Any:  # noqa: ANN401 - the library has no types
    extensions = [ext_strings.ExtStrings(), ext_optional.ExtOptional(), ext_encoders.ExtEncoders()]
    return cel.NewEnv(variables=dict.fromkeys(names, cel.Type.DYN), extensions=extensions)


def _where(text: str) -> str:
    """Shorten a list of problems to the first, with its place."""
    found = _PROBLEM.search(text)
    if found is None:
        return "it cannot be compiled"
    line, column, problem = found.groups()
    place = f"column {column}" if line == "1" else f"line {line}, column {column}"
    return f"{place}: {_CODE.sub('', problem)}"


def _judged(expression: Any, variables: Mapping[str, Any]) -> JsonObject:  # noqa: ANN401
    try:
        result = expression.eval(data=dict(variables))
    except RuntimeError as error:
        return _unknown(str(error))
    value = result.value()
    if isinstance(value, bool):
        return {"value": value, "problem": ""}
    if result.type() == cel.Type.ERROR:
        return _unknown(str(value))
    return {"value": False, "problem": f"it gives {result.type().name()}, not true or false"}


def _unknown(text: str) -> JsonObject:
    found = _HARMLESS.search(_CODE.sub("", text))
    return {"value": False, "problem": found[0] if found else "it fails on this object"}
