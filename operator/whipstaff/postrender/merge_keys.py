"""Which lists of Kubernetes' own kinds are merged, and by which fields of their elements.

`merge_keys.json` is made from the OpenAPI document of Kubernetes 1.36.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("merge_keys.json")


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of one table of a kind; of unknown kinds nothing is known."""

    name: str = ""

    def field(self, key: str) -> "Shape":
        """Return the shape of a table in a field, or of the elements of a list in it."""
        found = self._fields.get(key)
        return Shape(found[0] or "") if found else Shape()

    def merge_keys(self, key: str) -> tuple[str, ...] | None:
        """Return by what the elements of a list are told apart; None if the list is replaced.

        An empty tuple is for lists of plain values, which are sets.
        """
        found = self._fields.get(key)
        return None if not found or found[1] is None else tuple(found[1])

    @property
    def _fields(self) -> Mapping[str, Any]:
        fields: Mapping[str, Any] = _document()["types"].get(self.name, {})
        return fields


def shape_of(api_version: str, kind: str) -> Shape:
    """Return the shape of objects of a kind."""
    return Shape(_document()["kinds"].get(api_version, {}).get(kind, ""))


@cache
def _document() -> Mapping[str, Any]:
    document: Mapping[str, Any] = json.loads(_FILE.read_text("utf-8"))
    return document
