"""Manifests of charts in OCI registries: which blob is the archive, which its provenance."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from whipstaff.errors import ChartInvalid

IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
IMAGE_INDEX = "application/vnd.oci.image.index.v1+json"
ACCEPTED = f"{IMAGE_MANIFEST}, {IMAGE_INDEX}"
CONFIG = "application/vnd.cncf.helm.config.v1+json"
ARCHIVE = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
LEGACY_ARCHIVE = "application/tar+gzip"  # what Helm wrote before 3.7, and still reads
SIGNATURE = "application/vnd.dev.cosign.simplesigning.v1+json"
# What annotations of a signature are called, in the order of CosignSignature.
SIGNATURE_ANNOTATIONS = (
    "dev.cosignproject.cosign/signature",
    "dev.sigstore.cosign/certificate",
    "dev.sigstore.cosign/bundle",
    "dev.sigstore.cosign/rfc3161timestamp",
)
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PROVENANCE = "application/vnd.cncf.helm.chart.provenance.v1.prov"

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def is_digest(text: object) -> TypeGuard[str]:
    """Whether a text is a SHA-256 digest as registries write it."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A blob: what it is, its digest and its size in bytes."""

    media_type: str
    digest: str
    size: int

    def as_json(self) -> dict[str, object]:
        """Return the form that manifests have."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True, slots=True)
class ChartManifest:
    """The manifest of one chart version."""

    digest: str  # of the manifest itself
    archive: Descriptor
    provenance: Descriptor | None = None


def read_manifest(data: bytes, digest: str, place: str) -> ChartManifest | Descriptor:
    """Read a manifest; of an index, the descriptor of the only manifest that may be a chart.

    ChartInvalid names `place` and says what is there instead of a chart.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ChartInvalid(f"{place}: the manifest is no JSON", place) from error
    if not isinstance(document, dict):
        raise ChartInvalid(f"{place}: the manifest is no JSON object", place)
    if isinstance(document.get("manifests"), list):
        return _only_chart(document["manifests"], place)
    return _chart(document, digest, place)


def read_signatures(data: bytes, place: str) -> list[tuple[Descriptor, tuple[str, ...]]]:
    """Read a manifest of cosign 2: which blobs were signed, each with its annotations' texts."""
    found = []
    for layer in _listed(data, "layers", place):
        if layer.get("mediaType") != SIGNATURE:
            continue
        annotations = layer.get("annotations")
        known = annotations if isinstance(annotations, dict) else {}
        texts = tuple(str(known.get(name, "")) for name in SIGNATURE_ANNOTATIONS)
        found.append((_descriptor(layer, place), texts))
    return found


def read_referrers(data: bytes, place: str) -> list[Descriptor]:
    """Read a list of what refers to a manifest: which of them are Sigstore's bundles."""
    listed = _listed(data, "manifests", place)
    return [_descriptor(one, place) for one in listed if one.get("artifactType") == BUNDLE]


def read_bundle(data: bytes, place: str) -> Descriptor | None:
    """Read the manifest of a bundle: which blob it is, None for none."""
    layers = _listed(data, "layers", place)
    return _layer(layers, BUNDLE, place)


def _listed(data: bytes, member: str, place: str) -> list[dict[str, Any]]:
    try:
        listed = json.loads(data)[member]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ChartInvalid(f"{place}: the signatures are no manifest", place) from error
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _chart(document: Mapping[str, Any], digest: str, place: str) -> ChartManifest:
    config = document.get("config")
    kind = config.get("mediaType") if isinstance(config, dict) else None
    if kind != CONFIG:
        found = _shown(kind) or "nothing"
        raise ChartInvalid(f"{place} is no Helm chart: its configuration is {found}", place)
    layers = document.get("layers")
    archive = _layer(layers, ARCHIVE, place) or _layer(layers, LEGACY_ARCHIVE, place)
    if archive is None:
        raise ChartInvalid(f"{place}: the manifest has no layer {ARCHIVE}", place)
    return ChartManifest(digest, archive, _layer(layers, PROVENANCE, place))


def _only_chart(listed: list[Any], place: str) -> Descriptor:
    manifests = [
        one for one in listed if isinstance(one, dict) and one.get("mediaType") == IMAGE_MANIFEST
    ]
    charts = [one for one in manifests if one.get("artifactType") == CONFIG] or manifests
    if len(charts) != 1:
        raise ChartInvalid(f"{place} is an index of {len(charts)} manifests, not a chart", place)
    return _descriptor(charts[0], place)


def _layer(layers: object, media_type: str, place: str) -> Descriptor | None:
    """Return the last layer of a type, as Helm takes it."""
    found = None
    for layer in layers if isinstance(layers, list) else []:
        if isinstance(layer, dict) and layer.get("mediaType") == media_type:
            found = layer
    return _descriptor(found, place) if found else None


def _descriptor(found: Mapping[str, Any], place: str) -> Descriptor:
    digest, size = found.get("digest"), found.get("size")
    if not is_digest(digest):
        raise ChartInvalid(f"{place}: a digest in the manifest is no SHA-256 digest", place)
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ChartInvalid(f"{place}: a size in the manifest is no number of bytes", place)
    return Descriptor(str(found.get("mediaType")), digest, size)


def _shown(kind: object) -> str:
    """Return a media type that may be shown, empty for what is none."""
    text = kind if isinstance(kind, str) else ""
    return text if re.fullmatch(r"[\w.+/-]{1,128}", text, re.ASCII) else ""
