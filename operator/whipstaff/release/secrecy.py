"""What of a stored release is shown to people who did not ask for its secrets.

Data of Secrets is masked, and so are values whose name or schema says that they are secret, and
these very texts wherever else they stand: in notes, in environments, in commands.
"""

import base64
import binascii
import json
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from whipstaff.release.revision import JsonObject

MASK = "***"
CHANGED = "*** (another)"

_DATA, _STRING_DATA = "data", "stringData"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# Shorter ones are words that stand everywhere, as "true" and "admin".
_SHORTEST_TEXT = 8
_TEXTS_LIMIT = 1000  # that are looked for
_SECRET_NAME = re.compile(
    "password|passwd|passphrase|secret|token|apikey|accesskey|privatekey|encryptionkey|credential"
    "|connectionstring|dockerconfig"
)
# Such a value names an object or a key in one, or says how something is done.
_NAMES_SOMETHING = re.compile("^existing|(name|ref|keyref|file|path|type|enabled|policy)$")


def is_secret_name(name: str) -> bool:
    """Whether a value of this name is taken for a secret: `adminPassword` is, `secretName` not."""
    plain = re.sub("[^a-z0-9]", "", name.lower())
    return bool(_SECRET_NAME.search(plain)) and not _NAMES_SOMETHING.search(plain)


def masked_values(values: object, schema: object = None) -> Any:  # noqa: ANN401 - as `values`
    """Return values with what is secret masked: by its name, or `writeOnly` in their schema."""
    return _walked(values, schema, hidden=False, found=[])


def secret_values(values: object, schema: object = None) -> list[str]:
    """Return the texts that `masked_values` masks."""
    found: list[str] = []
    _walked(values, schema, hidden=False, found=found)
    return found


def _walked(value: Any, schema: Any, *, hidden: bool, found: list[str]) -> Any:  # noqa: ANN401 - any JSON
    rules = schema if isinstance(schema, dict) else {}
    hidden = hidden or rules.get("writeOnly") is True
    match value:
        case dict():
            inner = rules.get("properties")
            known = inner if isinstance(inner, dict) else {}
            return {
                key: _walked(one, known.get(key), hidden=hidden or is_secret_name(key), found=found)
                for key, one in value.items()
            }
        case list():
            items = rules.get("items")
            return [_walked(one, items, hidden=hidden, found=found) for one in value]
        case bool() | None | "":
            return value
        case _ if hidden:
            found.append(str(value))
            return MASK
        case _:
            return value


def masked_secret(body: JsonObject, before: JsonObject | None = None) -> JsonObject:
    """Return a Secret without its data; what differs from `before` is masked otherwise."""
    olds = before or {}
    masked = {
        **body,
        **{
            part: {
                key: MASK if before is None or _same(olds, part, key, value) else CHANGED
                for key, value in body[part].items()
            }
            for part in (_DATA, _STRING_DATA)
            if isinstance(body.get(part), dict)
        },
    }
    metadata = body.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if isinstance(annotations, dict) and _LAST_APPLIED in annotations:
        masked["metadata"] = {**body["metadata"], "annotations": {**annotations}}
        masked["metadata"]["annotations"][_LAST_APPLIED] = MASK
    return masked


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


def _as_quoted(text: str) -> tuple[str, str]:
    """Return how a text stands between the quotes of YAML: double ones, single ones."""
    return json.dumps(text, ensure_ascii=False)[1:-1], text.replace("'", "''")


class Blacking:
    """Masks known texts wherever they stand."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Of the texts those count that are long enough to be nobody's ordinary word."""
        long = {text for one in texts if len(text := one.strip()) >= _SHORTEST_TEXT}
        spelt = {form for text in long for form in (text, *_as_quoted(text))}
        self._texts: Collection[str] = sorted(spelt, key=len, reverse=True)[:_TEXTS_LIMIT]

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
