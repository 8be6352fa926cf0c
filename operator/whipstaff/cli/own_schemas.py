"""The schemas of our own kinds, from the definitions that the package carries."""

from functools import cache

import yaml

from whipstaff.cli.packed import DEFINITIONS, packed
from whipstaff.helmrelease import names
from whipstaff.helmrelease.strictness import schema_of
from whipstaff.helmrepository import names as repositories
from whipstaff.release.revision import JsonObject

_PLURALS = {names.KIND: names.PLURAL, repositories.KIND: repositories.PLURAL}


@cache
def own_schema(kind: str) -> JsonObject:
    """Return the schema of whole objects of one of our kinds."""
    file = packed(DEFINITIONS) / f"{_PLURALS[kind]}.yaml"
    definition = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
    schema = schema_of(definition, names.VERSION)
    assert schema is not None  # noqa: S101 - the package has one version
    return schema
