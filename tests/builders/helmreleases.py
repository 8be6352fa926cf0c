"""HelmReleases as the API server stores them, with defaults."""

from collections.abc import Sequence
from typing import Any

JsonObject = dict[str, Any]

UID = "6f0f1f2e-5d1c-4f0a-9a53-0d2f5b9c7a11"


def a_body(
    name: str = "shop",
    namespace: str = "web",
    *,
    metadata: JsonObject | None = None,
    status: JsonObject | None = None,
    **spec: Any,
) -> JsonObject:
    """Build a stored HelmRelease; keywords are fields of its spec, `metadata` is laid over."""
    body: JsonObject = {
        "apiVersion": "whipstaff.dev/v1",
        "kind": "HelmRelease",
        "metadata": {
            "namespace": namespace,
            "name": name,
            "uid": UID,
            "generation": 1,
            "creationTimestamp": "2026-01-02T03:04:05Z",
        }
        | (metadata or {}),
        "spec": {"chart": a_chart_field()} | spec,
    }
    return body if status is None else body | {"status": status}


def a_chart_field(**changes: Any) -> JsonObject:
    return {"name": "blog", "repository": "https://charts.example.com"} | changes


def with_field(body: JsonObject, path: Sequence[str], value: Any) -> JsonObject:
    """Copy a body with one field set, however deep; nothing else changes."""
    first, *rest = path
    if first == 0:  # of a list
        return [with_field({}, rest, value) if rest else value]
    child = with_field(body.get(first) or {}, rest, value) if rest else value
    return body | {first: child}


def nested(depth: int) -> JsonObject:
    """Build tables inside each other, `depth` of them; does not recurse."""
    content: JsonObject = {}
    for _ in range(depth - 1):
        content = {"a": content}
    return content
