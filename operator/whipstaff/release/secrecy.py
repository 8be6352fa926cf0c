"""What of a stored release is shown to people who did not ask for its secrets.

Data of Secrets is masked, and so are values that a Secret gave or whose name or schema says that
they are secret, and these very texts wherever else they stand: in notes, in environments, in
commands.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from whipstaff.release.revision import JsonObject

MASK = "***"
CHANGED = "*** (another)"

_DATA, _STRING_DATA = "data", "stringData"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"  # repeats the object
# Shorter ones are words that stand everywhere, as "true" and "admin".
_SHORTEST_TEXT = 8
_TEXTS_LIMIT = 3000  # that are looked for
# What tells of a Secret and is none of it; all else may be, misspelt or misplaced.
_OPEN = frozenset({"apiVersion", "kind", "metadata", "type", "immutable"})
_SECRET_NAME = re.compile(
    "password|passwd|passphrase|secret|token|apikey|accesskey|privatekey|encryptionkey|credential"
    "|connectionstring|dockerconfig"
)
# Such a value names an object or a key in one, or says how something is done.
_DOT, _ESCAPED = re.compile(r"(?<!\\)\."), re.compile(r"\\(.)")
_NAMES_SOMETHING = re.compile("^existing|(name|ref|keyref|file|path|type|enabled|policy)$")


def is_secret_name(name: str) -> bool:
    """Whether a value of this name is taken for a secret: `adminPassword` is, `secretName` not."""
    plain = re.sub("[^a-z0-9]", "", name.lower())
    return bool(_SECRET_NAME.search(plain)) and not _NAMES_SOMETHING.search(plain)


@dataclass(frozen=True, slots=True)
class Origin:
    """Which values Secrets gave: those at `paths`, and with `files` all that are not `inline`."""

    paths: tuple[tuple[str, ...], ...] = ()
    files: bool = False
    inline: object = None

    @classmethod
    def of(cls, spec: JsonObject) -> "Origin":
        """Read it from the spec of a HelmRelease; what another source gave may count, too."""
        listed = spec.get("valuesFrom")
        references = listed if isinstance(listed, list) else []
        secrets = [
            one for one in references if isinstance(one, dict) and one.get("kind") == "Secret"
        ]
        targets = [str(one.get("targetPath") or "") for one in secrets]
        paths = tuple(_path(target) for target in targets if target)
        return cls(paths, "" in targets, spec.get("values") or {})

    @property
    def is_secret(self) -> bool:
        """Whether all that is here may be of a Secret."""
        return () in self.paths or (self.files and self.inline is None)

    def at(self, key: str) -> "Origin":
        """Return what is known below a key."""
        below = self.inline.get(key) if isinstance(self.inline, dict) else None
        return Origin(
            tuple(path[1:] for path in self.paths if path[:1] == (key,)), self.files, below
        )


NO_ORIGIN = Origin()


def _path(target: str) -> tuple[str, ...]:
    """Return the keys of a targetPath, up to the first list."""
    keys = _DOT.split(target.partition("[")[0])
    return tuple(_ESCAPED.sub(r"\1", key) for key in keys)


def masked_values(values: object, schema: object = None, origin: Origin = NO_ORIGIN) -> Any:  # noqa: ANN401 - as `values`
    """Return values with what is secret masked: by name, `writeOnly` in the schema, or origin."""
    return _walked(values, schema, origin, hidden=False, found=[])


def secret_values(values: object, schema: object = None, origin: Origin = NO_ORIGIN) -> list[str]:
    """Return the texts that `masked_values` masks."""
    found: list[str] = []
    _walked(values, schema, origin, hidden=False, found=found)
    return found


def _walked(value: Any, schema: Any, origin: Origin, *, hidden: bool, found: list[str]) -> Any:  # noqa: ANN401 - any JSON
    rules = schema if isinstance(schema, dict) else {}
    hidden = hidden or rules.get("writeOnly") is True or origin.is_secret
    match value:
        case dict():
            inner = rules.get("properties")
            known = inner if isinstance(inner, dict) else {}
            return {
                key: _walked(
                    one,
                    known.get(key),
                    origin.at(key),
                    hidden=hidden or is_secret_name(key),
                    found=found,
                )
                for key, one in value.items()
            }
        case list():  # one source gives the whole of it
            items = rules.get("items")
            return [_walked(one, items, NO_ORIGIN, hidden=hidden, found=found) for one in value]
        case bool() | None | "":
            return value
        case _ if hidden:
            found.append(str(value))
            return MASK
        case _:
            return value


def masked_secret(body: JsonObject, before: JsonObject | None = None) -> JsonObject:
    """Return a Secret without its data; what differs from `before` is masked otherwise."""
    masked: JsonObject = {
        key: one if key in _OPEN else _hidden(key, one, before) for key, one in body.items()
    }
    metadata = body.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if isinstance(annotations, dict) and LAST_APPLIED in annotations:
        masked["metadata"] = {**body["metadata"], "annotations": {**annotations}}
        masked["metadata"]["annotations"][LAST_APPLIED] = MASK
    return masked


def _hidden(part: str, value: object, before: JsonObject | None) -> object:
    if not isinstance(value, dict):
        return MASK
    return {
        key: MASK if before is None or _same(before, part, key, one) else CHANGED
        for key, one in value.items()
    }


def _same(olds: JsonObject, part: str, key: str, value: object) -> bool:
    table = olds.get(part)
    return isinstance(table, dict) and key in table and bool(table[key] == value)


def data_texts(body: JsonObject) -> Iterator[str]:
    """Yield what a Secret holds: as it is stored, and decoded where that is a text."""
    for part in (_DATA, _STRING_DATA):
        table = body.get(part)
        for value in table.values() if isinstance(table, dict) else ():
            if not isinstance(value, str):
                continue
            yield value
            if part == _STRING_DATA:
                continue
            try:
                yield base64.b64decode(value, validate=True).decode("utf-8")
            except (binascii.Error, ValueError):
                continue


def _forms(text: str) -> Iterator[str]:
    """Yield a text as templates write it: plainly, between quotes of YAML, encoded."""
    yield from (text, json.dumps(text, ensure_ascii=False)[1:-1], text.replace("'", "''"))
    yield base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")
    yield quote(text, safe="", errors="replace")


class Blacking:
    """Masks known texts wherever they stand."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Of the texts those count that are long enough to be nobody's ordinary word.

        Of several lines each counts, since YAML indents them; if there are too many, longer ones
        and then lines are left out.
        """
        long = sorted({one.strip() for one in texts} - {""}, key=len)
        lines = (line.strip() for one in long if "\n" in one for line in one.split("\n"))
        spelt = (form for one in long if len(one) >= _SHORTEST_TEXT for form in _forms(one))
        known = dict.fromkeys([*spelt, *(line for line in lines if len(line) >= _SHORTEST_TEXT)])
        self._texts: Sequence[str] = sorted(list(known)[:_TEXTS_LIMIT], key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return a text without them, longer ones first: one may be part of another."""
        for one in self._texts:
            text = text.replace(one, MASK)
        return text

    def value(self, value: Any) -> Any:  # noqa: ANN401 - any JSON
        """Return JSON without them."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return {key: self.value(one) for key, one in value.items()}
            case list():
                return [self.value(one) for one in value]
            case _:
                return value
