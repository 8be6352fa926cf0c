"""Every function that a Helm template may call."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from whipstaff.template import generated
from whipstaff.template.functions import (
    builtin,
    crypto,
    dates,
    defaults,
    dicts,
    encoding,
    helm,
    lists,
    math,
    paths,
    reflection,
    regex,
    semver,
    serialization,
    strings,
    urls,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from whipstaff.template.functions.registry import Function

# In order: sprig's replace text/template's of the same name, and Helm's replace sprig's.
FAMILIES = (
    builtin,
    defaults,
    strings,
    lists,
    dicts,
    math,
    dates,
    encoding,
    crypto,
    regex,
    semver,
    reflection,
    paths,
    urls,
    serialization,
    helm,
)

REGISTRY: Mapping[str, Function] = MappingProxyType(
    {
        name: generated.keeping(function) if name in generated.GENERATING else function
        for family in FAMILIES
        for name, function in family.FAMILY.items()
    }
)
