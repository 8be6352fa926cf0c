"""Where a stored release keeps what its templates generated: in a file of the chart's record.

The helm CLI drops what it does not know from a record, and every key of a Secret but one. A file of
the chart stays: when the CLI supersedes a revision, and in the copy that `helm rollback` makes. No
command of it prints such files, and nothing renders from a record.
"""

import base64
import binascii
import json
from collections.abc import Mapping

from whipstaff.errors import StorageCorrupt
from whipstaff.release.revision import JsonObject

FILE = ".whipstaff/generated.json"

_DAMAGED = "what the newest revision keeps of generated values cannot be read"


def is_generated(file: object) -> bool:
    """Whether an entry of a chart record's files is ours."""
    return isinstance(file, dict) and file.get("name") == FILE


def with_generated(chart: JsonObject, values: Mapping[str, object]) -> JsonObject:
    """Return a chart's record that keeps these values, and no others."""
    files = [file for file in chart.get("files") or () if not is_generated(file)]
    if values:
        data = json.dumps(values, separators=(",", ":")).encode("ascii")
        files.append({"name": FILE, "data": base64.b64encode(data).decode("ascii")})
    return {**chart, "files": files or None}


def generated_in(chart: JsonObject) -> str:
    """Return what a chart's record keeps, as `read` takes it; empty if it keeps nothing."""
    files = chart.get("files")
    for file in files if isinstance(files, list) else ():
        if is_generated(file) and isinstance(data := file.get("data"), str):
            return data
    return ""


def read(data: str) -> dict[str, object]:
    """Return the kept values; StorageCorrupt if they are none, for new ones would be a surprise."""
    if not data:
        return {}
    try:
        values = json.loads(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise StorageCorrupt(_DAMAGED) from error
    if not isinstance(values, dict):
        raise StorageCorrupt(_DAMAGED)
    return values
