"""What the pool gives a worker to judge cosign's signatures by, in the JSON that travels."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from whipstaff.helmrelease.types import OIDCIdentity
from whipstaff.workers.protocol import JsonObject


class CosignSignature(NamedTuple):
    """One signature of cosign 2 beside a manifest; texts are as its annotations have them."""

    payload: bytes
    signature: str  # in base64
    certificate: str = ""  # PEM; empty if a key signed
    log: str = ""  # JSON: what a transparency log promised
    timestamp: str = ""  # JSON: an RFC 3161 timestamp

    @property
    def as_json(self) -> JsonObject:
        """The form that travels."""
        return {**self._asdict(), "payload": in_base64(self.payload)}


@dataclass(frozen=True, slots=True)
class Trusted:
    """By whom a manifest must be signed: keys by their names, or identities by a trusted root."""

    keys: Mapping[str, bytes] = field(default_factory=dict)  # PEM
    identities: Sequence[OIDCIdentity] = ()
    root: bytes = b""  # trusted_root.json
    root_name: str = ""  # that errors call it

    @property
    def as_json(self) -> JsonObject:
        """The form that travels."""
        return {
            "keys": {name: in_base64(key) for name, key in self.keys.items()},
            "identities": [one._asdict() for one in self.identities],
            "root": in_base64(self.root),
            "root_name": self.root_name,
        }


def in_base64(data: bytes) -> str:
    """Return bytes as JSON can hold them."""
    return base64.b64encode(data).decode("ascii")
