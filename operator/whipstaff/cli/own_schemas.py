"""The schemas of our own kinds, from the definitions that the package carries."""

from functools import cache
from pathlib import Path

import yaml

from whipstaff.cli.manifests import PACKED, SOURCE
from whipstaff.helmrelease import names
from whipstaff.helmrelease.strictness import schema_of
from whipstaff.helmrepository import names as repositories
from whipstaff.release.revision import JsonObject

_PLURALS = {names.KIND: names.PLURAL, repositories.KIND: repositories.PLURAL}


@cache
def own_schema(kind: str) -> JsonObject:
    """Return the schema of whole objects of one of our kinds."""
    folder = PACKED if PACKED.is_dir() else SOURCE
    file = Path(folder) / "crds" / f"{_PLURALS[kind]}.yaml"
    definition = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
    schema = schema_of(definition, names.VERSION)
    assert schema is not None  # noqa: S101 - the package has one version
    return schema
