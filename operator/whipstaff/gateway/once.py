"""Requests with a key are carried out once, however often and by which gateway they are taken.

What was carried out is written down with its effect, in one write of one object: an annotation of
the HelmRelease has the digests of the last keys and of what was asked for with them. No gateway
remembers anything, so none forgets it when it is killed.
"""

import hashlib
import json
from dataclasses import dataclass
from http import HTTPStatus

from whipstaff.gateway.problems import Problem, bad
from whipstaff.helmrelease.names import ORDERS
from whipstaff.release.revision import JsonObject

KEYS_KEPT = 16  # of one release, the newest
KEY_LIMIT = 255
_DIGEST = 24  # characters: nobody finds two keys that have it in common


@dataclass(frozen=True, slots=True)
class Order:
    """One request that is to have one effect; without a key it has one each time."""

    key: str = ""  # a digest of the caller's name and key
    content: str = ""  # a digest of what is asked for

    def is_done(self, live: JsonObject) -> bool:
        """Whether a HelmRelease has its effect; Problem(422) if the key was for something else."""
        if not self.key:
            return False
        known = dict(entry.partition(":")[::2] for entry in _entries(live))
        if self.key not in known:
            return False
        if known[self.key] != self.content:
            text = "this Idempotency-Key was given with another request"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, text)
        return True

    def noted(self, live: JsonObject) -> dict[str, str]:
        """Return the annotation to write with the effect."""
        if not self.key:
            return {}
        kept = _entries(live)[-(KEYS_KEPT - 1) :]
        return {ORDERS: " ".join([*kept, f"{self.key}:{self.content}"])}


def order(caller: str, key: str | None, *facts: object) -> Order:
    """Return the order of a request; `facts` are all that makes it another one. Problem(400)."""
    if key is None:
        return Order()
    plain = key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key
    if not 1 <= len(plain) <= KEY_LIMIT or not all("!" <= letter <= "~" for letter in plain):
        raise bad(f"Idempotency-Key has to be 1 to {KEY_LIMIT} visible characters")
    return Order(_digest(caller, plain), _digest(*facts))


def _entries(live: JsonObject) -> list[str]:
    annotations = (live.get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(ORDERS, "")).split()


def _digest(*facts: object) -> str:
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
