"""Push charts to OCI registries, as `helm push` does."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from yarl import URL

from whipstaff.errors import ChartUnavailable
from whipstaff.sources.fetch import displayed
from whipstaff.sources.oci_client import PUSH, Answer, RegistryClient, Request, refused
from whipstaff.sources.oci_manifest import (
    ARCHIVE,
    CONFIG,
    IMAGE_MANIFEST,
    PROVENANCE,
    Descriptor,
)
from whipstaff.sources.oci_place import ChartPlace
from whipstaff.sources.oci_repository import MANIFEST_BYTES_LIMIT

_ESCAPED = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}
_TITLE = "org.opencontainers.image.title"
_VERSION = "org.opencontainers.image.version"
_DESCRIPTION = "org.opencontainers.image.description"
_HOME = "org.opencontainers.image.url"
_CREATED = "org.opencontainers.image.created"
_SOURCE = "org.opencontainers.image.source"
_AUTHORS = "org.opencontainers.image.authors"


@dataclass(frozen=True, slots=True)
class Packaged:
    """A chart to push: its archive, its provenance if it has one, its Chart.yaml as Helm stores it.

    `created` is when the archive was written, as RFC 3339.
    """

    archive: bytes
    metadata: Mapping[str, Any]
    created: str
    provenance: bytes | None = None


async def push(client: RegistryClient, place: ChartPlace, chart: Packaged, tag: str) -> str:
    """Push a chart under a tag and return the digest of its manifest.

    ChartUnavailable and its kin where the registry does not take it.
    """
    config = _as_go_writes(chart.metadata)
    blobs = [(CONFIG, config), (ARCHIVE, chart.archive)]
    if chart.provenance is not None:
        blobs.append((PROVENANCE, chart.provenance))
    described = [await push_blob(client, place, kind, data) for kind, data in blobs]
    annotations = annotations_of(chart.metadata, chart.created)
    manifest = manifest_of(described[0], described[1:], annotations)
    return await push_manifest(client, place, manifest, tag)


async def push_blob(
    client: RegistryClient, place: ChartPlace, media_type: str, data: bytes
) -> Descriptor:
    """Upload a blob in one go, unless the registry has it."""
    found = Descriptor(media_type, digest_of(data), len(data))
    there = await _ask(client, place, "HEAD", place.url("blobs", found.digest))
    if there.status == HTTPStatus.OK:
        return found
    url = place.url("blobs", "uploads", "")
    begun = await _ask(client, place, "POST", url)
    if begun.status != HTTPStatus.ACCEPTED:
        raise refused(url, begun)
    upload = _upload_url(url, begun.headers.get("Location", ""))
    ended = await _ask(
        client,
        place,
        "PUT",
        upload.update_query(digest=found.digest),
        {"Content-Type": "application/octet-stream"},
        data,
    )
    if ended.status != HTTPStatus.CREATED:
        raise refused(upload, ended)
    return found


async def push_manifest(
    client: RegistryClient, place: ChartPlace, manifest: bytes, tag: str
) -> str:
    """Give a manifest a tag and return its digest."""
    url = place.url("manifests", tag)
    answer = await client.ask(
        place.registry,
        Request(
            "PUT",
            url,
            place.repository,
            MANIFEST_BYTES_LIMIT,
            PUSH,
            {"Content-Type": IMAGE_MANIFEST},
            manifest,
        ),
    )
    if answer.status != HTTPStatus.CREATED:
        raise refused(url, answer)
    return digest_of(manifest)


def manifest_of(
    config: Descriptor, layers: Sequence[Descriptor], annotations: Mapping[str, str]
) -> bytes:
    """Return the bytes of a manifest, its layers in the order of their digests as Helm's."""
    listed = sorted(layers, key=lambda layer: layer.digest)
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "config": config.as_json(),
        "layers": [layer.as_json() for layer in listed],
        "annotations": dict(sorted(annotations.items())),
    }
    return _as_go_writes(manifest)


def annotations_of(metadata: Mapping[str, Any], created: str) -> dict[str, str]:
    """Return what a manifest says of its chart: the chart's own annotations, and Helm's."""
    sources = metadata.get("sources") or []
    found = {
        _DESCRIPTION: metadata.get("description"),
        _TITLE: metadata.get("name"),
        _VERSION: metadata.get("version"),
        _HOME: metadata.get("home"),
        _CREATED: created,
        _SOURCE: sources[0] if sources else "",
        _AUTHORS: _authors(metadata.get("maintainers") or []),
    }
    said = {name: text for name, text in found.items() if isinstance(text, str) and text.strip()}
    own = metadata.get("annotations") or {}
    # A chart may say of itself what it likes, but not that it is another one.
    return said | {name: text for name, text in own.items() if name not in {_TITLE, _VERSION}}


def digest_of(data: bytes) -> str:
    """Return the digest under which a registry has these bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _as_go_writes(value: object) -> bytes:
    """Return JSON as Go does, which escapes what HTML would mind."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_ESCAPED).encode()


def _authors(maintainers: Sequence[Mapping[str, Any]]) -> str:
    named = []
    for one in maintainers:
        email = f" ({one['email']})" if one.get("email") else ""
        named.append(f"{one.get('name') or ''}{email}")
    return ", ".join(named)


async def _ask(
    client: RegistryClient,
    place: ChartPlace,
    method: str,
    url: URL,
    headers: Mapping[str, str] | None = None,
    data: bytes | None = None,
) -> Answer:
    request = Request(
        method, url, place.repository, MANIFEST_BYTES_LIMIT, PUSH, headers or {}, data
    )
    return await client.ask(place.registry, request)


def _upload_url(url: URL, location: str) -> URL:
    """Return where to upload to: the registry's word, or nothing if it says nothing usable."""
    try:
        found = url.join(URL(location, encoded=True))
    except ValueError:
        found = URL()
    if not location or found.scheme not in {"http", "https"} or not found.host:
        where = displayed(url)
        raise ChartUnavailable(f"{where}: the registry names no place to upload to", where)
    return found
