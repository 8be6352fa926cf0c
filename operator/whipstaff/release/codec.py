"""Helm's stored form of a release: JSON, gzip, base64, as its drivers write and read it.

Field order, omitted fields and escapes are those of Go's encoding/json, so that a release of ours
and one of the helm CLI differ only in what they say. What is read here may be hostile: nothing is
inflated or nested without a bound, and whatever cannot be read is StorageCorrupt.
"""

import base64
import binascii
import json
import math
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from whipstaff.errors import StorageCorrupt, StorageTooLarge
from whipstaff.release.generated import is_generated
from whipstaff.release.packed import PackedObjects, PackedText
from whipstaff.release.revision import (
    Hook,
    HookDeletePolicy,
    HookEvent,
    HookPhase,
    JsonObject,
    ReleaseStatus,
    Revision,
    RevisionNumber,
)

PAYLOAD_BYTES_LIMIT = 1 << 20  # of a Secret's data, as the API server counts it
# What is added to a record after its revision was stored pending: how it ended, when hooks ran.
_ROOM_BYTES = 8 << 10
_ROOM_BYTES_OF_A_HOOK = 64
INFLATED_BYTES_LIMIT = 64 << 20
DEPTH_LIMIT = 200  # of values; Python's own JSON reader gives up not far above

# What a stored release is made of; whatever else stands in one is left behind.
LONG_MEMBERS = ("chart", "config", "hooks", "manifest", "info")
SHORT_MEMBERS = ("name", "version", "namespace", "apply_method")

_GZIP_MAGIC = b"\x1f\x8b\x08"
_GZIP_WINDOW = 31  # zlib's number for "expect a gzip header"
_ZERO_TIME = "0001-01-01T00:00:00Z"
# What Go's encoding/json escapes and Python's does not.
_GO_ESCAPES = (
    ("<", "\\u003c"),
    (">", "\\u003e"),
    ("&", "\\u0026"),
    ("\u2028", "\\u2028"),
    ("\u2029", "\\u2029"),
)
_SURROGATES = re.compile("[\ud800-\udfff]")
_LARGEST_PLAIN_FLOAT = 1e21  # from here on Go prints an exponent


class _MalformedError(ValueError):
    """Says what is wrong with a record, never what it holds."""


def to_record(revision: Revision) -> JsonObject:
    """Return the JSON object that Helm stores, its keys in Helm's order."""
    info = {
        "first_deployed": revision.first_deployed,
        "last_deployed": revision.last_deployed,
        "deleted": revision.deleted,
        "description": revision.description,
        "status": revision.status.value,
        "notes": revision.notes,
    }
    record = {
        "name": revision.name,
        "info": _without_empty(info),
        "chart": _chart_in_go_order(revision.chart),
        "config": _in_go_order(revision.config),
        "manifest": revision.manifest,
        "hooks": [_hook_record(hook) for hook in revision.hooks],
        "version": revision.number,
        "namespace": revision.namespace,
        "apply_method": revision.apply_method,
    }
    return _without_empty(record)


def _hook_record(hook: Hook) -> JsonObject:
    last_run = {"started_at": hook.started_at, "completed_at": hook.completed_at}
    record = {
        "name": hook.name,
        "kind": hook.kind,
        "path": hook.path,
        "manifest": hook.manifest,
        "events": [event.value for event in hook.events],
        "last_run": {**_without_empty(last_run), "phase": hook.phase.value},
        "weight": hook.weight,
        "delete_policies": [policy.value for policy in hook.delete_policies],
        "output_log_policies": list(hook.output_log_policies),
    }
    return _without_empty(record)


def _without_empty(record: JsonObject) -> JsonObject:
    return {key: value for key, value in record.items() if value not in ("", 0, [], {})}


def _chart_in_go_order(chart: JsonObject) -> JsonObject:
    if "values" not in chart:
        return chart
    return {**chart, "values": _in_go_order(chart["values"])}


def _in_go_order(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {key: _in_go_order(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_in_go_order(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST_PLAIN_FLOAT:
        return int(value)  # Go prints 1, Python would print 1.0
    return value


def encode(record: JsonObject) -> str:
    """Return the value of the key `release` of a Secret.

    A release that does not fit is stored without the chart's templates and files, which nothing
    reads back, then without its schema; StorageTooLarge if it does not fit even so. A pending one
    leaves room for what is recorded of it later.
    """
    limit = PAYLOAD_BYTES_LIMIT - _room(record)
    payload = b""
    for leaner in (_whole, slimmed, _without_schema):
        payload = _pack(leaner(record))
        if len(payload) <= limit:
            return payload.decode("ascii")
    raise StorageTooLarge(
        f"the release takes {len(payload)} bytes as it is stored, more than the {limit} that fit "
        "into a Secret with what is recorded later, even without the chart's templates and files",
        len(payload),
    )


def _room(record: JsonObject) -> int:
    if not ReleaseStatus(record["info"]["status"]).pending:
        return 0
    return _ROOM_BYTES + _ROOM_BYTES_OF_A_HOOK * len(record.get("hooks", ()))


def _whole(record: JsonObject) -> JsonObject:
    return record


def slimmed(record: JsonObject) -> JsonObject:
    """Return the record without templates and files, which the helm CLI does not miss.

    What templates generated is no file of the chart and stays: nothing else knows it.
    """
    chart = record.get("chart")
    if not isinstance(chart, dict):
        return record
    files = chart.get("files")
    kept = [file for file in files if is_generated(file)] if isinstance(files, list) else []
    return {**record, "chart": {**chart, "templates": [], "files": kept}}


def _without_schema(record: JsonObject) -> JsonObject:
    slim = slimmed(record)
    return {**slim, "chart": {**slim["chart"], "schema": None, "lock": None}}


def _pack(record: JsonObject) -> bytes:
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # These characters occur only inside strings, so that the text may be changed as a whole.
    for character, escape in _GO_ESCAPES:
        text = text.replace(character, escape)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        # A lone surrogate stands for a byte that is not UTF-8, for which Go writes this.
        data = _SURROGATES.sub("\\\\ufffd", text).encode()
    packer = zlib.compressobj(9, wbits=_GZIP_WINDOW)
    return base64.b64encode(packer.compress(data) + packer.flush())


def decode(data: str, name: str) -> JsonObject:
    """Return the record in the value of the key `release`; StorageCorrupt names its Secret."""
    try:
        packed = base64.b64decode(data.replace("\n", "").replace("\r", ""), validate=True)
        # Releases were stored uncompressed once; Helm reads them still.
        text = _inflate(packed) if packed.startswith(_GZIP_MAGIC) else packed
        record = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except (binascii.Error, zlib.error, ValueError, RecursionError) as error:
        raise StorageCorrupt(
            f"the stored release {name} cannot be read: {_why(error)}", name
        ) from error
    if not isinstance(record, dict):
        raise StorageCorrupt(f"the stored release {name} cannot be read: no JSON object", name)
    if _deeper_than(record, DEPTH_LIMIT):
        raise StorageCorrupt(
            f"the stored release {name} cannot be read: nested deeper than {DEPTH_LIMIT}", name
        )
    return record


def _inflate(packed: bytes) -> bytes:
    reader = zlib.decompressobj(_GZIP_WINDOW)
    data = reader.decompress(packed, INFLATED_BYTES_LIMIT + 1)
    if len(data) > INFLATED_BYTES_LIMIT:
        raise _MalformedError(f"more than {INFLATED_BYTES_LIMIT} bytes inflated")
    if not reader.eof:
        raise _MalformedError("gzip data ends early")
    if reader.unused_data:
        raise _MalformedError("bytes after the end of the gzip data")
    return data


def _refuse_constant(word: str) -> float:
    raise _MalformedError(f"{word} is no JSON")


def _finite(word: str) -> float:
    number = float(word)
    if math.isinf(number):
        raise _MalformedError("a number is out of range")
    return number


def _why(error: Exception) -> str:
    match error:
        case _MalformedError():
            return str(error)
        case binascii.Error():
            return "illegal base64 data"
        case zlib.error():
            return "illegal gzip data"
        case UnicodeDecodeError():
            return "not UTF-8"
        case RecursionError():
            return "nested too deep"
        case json.JSONDecodeError():
            return f"illegal JSON at byte {error.pos}"
        case _:
            return "illegal data"


def _deeper_than(value: object, limit: int) -> bool:
    level: list[object] = [value]
    for _ in range(limit):
        level = [item for parent in level for item in _items(parent)]
        if not level:
            return False
    return True


def _items(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def from_record(
    record: JsonObject,
    objects: Sequence[JsonObject],
    hook_bodies: Sequence[JsonObject],
    name: str,
) -> Revision:
    """Return the revision in a decoded record; StorageCorrupt names its Secret.

    `objects` is its manifest, parsed, and `hook_bodies` the manifests of its hooks, in their order.
    Objects and manifest may be packed.
    """
    try:
        return _revision(record, objects, hook_bodies)
    except (_MalformedError, ValueError) as error:
        raise StorageCorrupt(f"the stored release {name} cannot be read: {error}", name) from error


def _revision(
    record: JsonObject, objects: Sequence[JsonObject], hook_bodies: Sequence[JsonObject]
) -> Revision:
    info = _table(record, "info")
    hooks = _list(record, "hooks")
    if len(hooks) != len(hook_bodies):
        raise _MalformedError("hooks and their bodies differ in number")
    return Revision(
        name=_required_text(record, "name"),
        namespace=_text(record, "namespace"),
        number=RevisionNumber(_revision_number(record)),
        status=_status(_text(info, "status")),
        chart=_table(record, "chart"),
        config=_table(record, "config"),
        manifest=_manifest(record),
        objects=objects if isinstance(objects, PackedObjects) else tuple(objects),
        hooks=tuple(_hook(hook, body) for hook, body in zip(hooks, hook_bodies, strict=True)),
        description=_text(info, "description"),
        notes=_text(info, "notes"),
        first_deployed=_time(info, "first_deployed"),
        last_deployed=_time(info, "last_deployed"),
        deleted=_time(info, "deleted"),
        apply_method=_text(record, "apply_method"),
    )


def texts(record: JsonObject, name: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return what is to be parsed for `from_record`: the manifest, path and text of each hook."""
    try:
        hooks = [_as_table(hook, "hooks") for hook in _list(record, "hooks")]
        pairs = tuple((_text(hook, "path"), _text(hook, "manifest")) for hook in hooks)
        return _text(record, "manifest"), pairs
    except _MalformedError as error:
        raise StorageCorrupt(f"the stored release {name} cannot be read: {error}", name) from error


def _hook(stored: object, body: JsonObject) -> Hook:
    record = _as_table(stored, "hooks")
    last_run = _table(record, "last_run")
    return Hook(
        name=_text(record, "name"),
        kind=_text(record, "kind"),
        path=_text(record, "path"),
        manifest=_text(record, "manifest"),
        body=body,
        events=tuple(_events(_texts(record, "events"))),
        weight=_number(record, "weight"),
        delete_policies=tuple(
            HookDeletePolicy(policy)
            for policy in _texts(record, "delete_policies")
            if policy in HookDeletePolicy.__members__.values()
        ),
        output_log_policies=_texts(record, "output_log_policies"),
        started_at=_time(last_run, "started_at"),
        completed_at=_time(last_run, "completed_at"),
        phase=_phase(_text(last_run, "phase")),
    )


def _events(words: Sequence[str]) -> Iterator[HookEvent]:
    known = {event.value: event for event in HookEvent} | {"test-success": HookEvent.TEST}
    return (known[word] for word in words if word in known)


def _status(word: str) -> ReleaseStatus:
    try:
        return ReleaseStatus(word)
    except ValueError:
        return ReleaseStatus.UNKNOWN


def _phase(word: str) -> HookPhase:
    try:
        return HookPhase(word)
    except ValueError:
        return HookPhase.UNKNOWN


def _revision_number(record: Mapping[str, Any]) -> int:
    number = _number(record, "version")
    if number < 1:
        raise _MalformedError("version is no revision number")
    return number


def _required_text(record: Mapping[str, Any], key: str) -> str:
    text = _text(record, key)
    if not text:
        raise _MalformedError(f"{key} is missing")
    return text


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _MalformedError(f"{key} is no string")
    return value


def _manifest(record: Mapping[str, Any]) -> str | PackedText:
    value = record.get("manifest")
    return value if isinstance(value, PackedText) else _text(record, "manifest")


def _time(record: Mapping[str, Any], key: str) -> str:
    text = _text(record, key)  # Helm 3 writes "" for a time that is not set
    return "" if text == _ZERO_TIME else text


def _number(record: Mapping[str, Any], key: str) -> int:
    value = record.get(key)
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool):
        raise _MalformedError(f"{key} is no whole number")
    return value


def _list(record: Mapping[str, Any], key: str) -> list[Any]:
    value = record.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _MalformedError(f"{key} is no list")
    return value


def _texts(record: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = _list(record, key)
    if not all(isinstance(value, str) for value in values):
        raise _MalformedError(f"{key} holds something else than strings")
    return tuple(values)


def _table(record: Mapping[str, Any], key: str) -> JsonObject:
    value = record.get(key)
    return {} if value is None else _as_table(value, key)


def _as_table(value: object, key: str) -> JsonObject:
    if not isinstance(value, dict):
        raise _MalformedError(f"{key} is no table")
    return value
