"""A chart as Helm's release record stores it: JSON with Helm's field names, order and omissions."""

import base64
from collections.abc import Iterable

from whipstaff.chart.model import Chart, Dependency, File, JsonObject, Lock, Metadata
from whipstaff.chart.values import coalesce, of_json

_NO_TIME = "0001-01-01T00:00:00Z"
_WHOLE_BELOW = 1e21  # from here on Go writes a float64 with an exponent


def to_record(chart: Chart) -> JsonObject:
    """Return the JSON object; the charts inside are left out, as Helm leaves them out."""
    record: JsonObject = {
        "metadata": metadata(chart.metadata),
        "lock": lock(chart.lock) if chart.lock else None,
        "templates": _files(chart.templates),
        "values": plain(chart.values),
        "schema": _base64(chart.schema) if chart.schema is not None else None,
        "schemamodtime": chart.schema_modified or _NO_TIME,
        "files": _files(chart.files),
    }
    if chart.modified:
        record["modtime"] = chart.modified
    return record


def plain(value: object) -> object:
    """Undo Go's float64 for numbers that Go would write without a fraction."""
    match value:
        case bool():
            return value
        case float() if value.is_integer() and abs(value) < _WHOLE_BELOW:
            return int(value)
        case dict():
            return {key: plain(inner) for key, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case _:
            return value


def computed_values(stored: JsonObject, given: object) -> JsonObject:
    """Return values over those of a stored chart, as its templates had them.

    What a record holds of either may be anything; what is no table counts as an empty one.
    """
    facts = stored.get("metadata")
    name = str(facts.get("name") or "") if isinstance(facts, dict) else ""
    chart = Chart(Metadata(name=name), values=_table(of_json(stored.get("values"))))
    return _table(plain(coalesce(chart, _table(of_json(given)), lambda _: None)))


def _table(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def metadata(held: Metadata) -> JsonObject:
    """Return what Chart.yaml says."""
    return _without_empty(
        {
            "name": held.name,
            "home": held.home,
            "sources": list(held.sources),
            "version": held.version,
            "description": held.description,
            "keywords": list(held.keywords),
            "maintainers": [
                _without_empty({"name": one.name, "email": one.email, "url": one.url})
                for one in held.maintainers
            ],
            "icon": held.icon,
            "apiVersion": held.api_version,
            "condition": held.condition,
            "tags": held.tags,
            "appVersion": held.app_version,
            "deprecated": held.deprecated,
            "annotations": dict(held.annotations or {}),
            "kubeVersion": held.kube_version,
            "dependencies": [dependency(one) for one in held.dependencies or ()],
            "type": held.type,
        }
    )


def dependency(one: Dependency) -> JsonObject:
    """Return a declared or locked chart; its keys are in the order of Helm's struct."""
    optional = _without_empty(
        {
            "condition": one.condition,
            "tags": list(one.tags),
            "enabled": one.enabled,
            "import-values": [plain(each) for each in one.import_values],
            "alias": one.alias,
        }
    )
    version = _without_empty({"version": one.version})
    return {"name": one.name, **version, "repository": one.repository, **optional}


def lock(held: Lock) -> JsonObject:
    """Return a lock, as it is stored and as Chart.lock has it."""
    locked = held.dependencies
    return {
        "generated": held.generated or _NO_TIME,
        "digest": held.digest,
        "dependencies": None if locked is None else [dependency(one) for one in locked],
    }


def _files(files: Iterable[File]) -> list[JsonObject] | None:
    """Go writes an empty slice that was never filled as null."""
    return [_file(file) for file in files] or None


def _file(file: File) -> JsonObject:
    record: JsonObject = {"name": file.name, "data": _base64(file.data)}
    if file.modified:
        record["modtime"] = file.modified
    return record


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _without_empty(record: JsonObject) -> JsonObject:
    return {name: value for name, value in record.items() if value}
