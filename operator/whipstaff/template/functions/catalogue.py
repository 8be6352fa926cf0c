"""Every function that a Helm template may call."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from whipstaff.template.functions.registry import Function

FAMILIES = (
    "builtin",
    "defaults",
    "strings",
    "lists",
    "dicts",
    "math",
    "dates",
    "encoding",
    "crypto",
    "regex",
    "semver",
    "network",
    "reflection",
    "paths",
    "urls",
    "serialization",
    "helm",  # last: Helm's own replace sprig's of the same name
)


def join() -> dict[str, Function]:
    """All families in order; a later one replaces functions of an earlier one."""
    joined: dict[str, Function] = {}
    for family in FAMILIES:
        module = f"whipstaff.template.functions.{family}"
        if find_spec(module) is not None:
            joined.update(import_module(module).FAMILY)
    return joined


REGISTRY: Mapping[str, Function] = MappingProxyType(join())
