"""Rendered templates on disk, for the first render of a release after a restart.

What is rendered may hold secrets, so it is encrypted under a key made of all that it was rendered
from: the chart, the values, the release, the cluster. Whoever has all of these can render it, and
nobody else can read it. Texts that are no function of these (what is generated or looked up)
are not kept.
"""

import hashlib
import json
import marshal
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from whipstaff.chart.incremental import Question, Saved, SavedTemplate
from whipstaff.chart.manifests import Document, Hook
from whipstaff.chart.model import JsonObject
from whipstaff.template.tracing import Place
from whipstaff.workers.compiled import CompiledCharts

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

_NONCE_BYTES = 12


class Snapshots:
    """Rendered templates of one chart, known by the digest of its archive."""

    def __init__(self, folder: CompiledCharts, digest: str) -> None:
        self._folder = folder
        self._digest = digest

    def find(self, question: Question, values: JsonObject) -> Saved | None:
        """Return what `store` was given for the same question and values; None if it is gone."""
        name, key = self._name_and_key(question, values)
        data = self._folder.find_bytes(name)
        if data is None:
            return None
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - heavy

        try:
            plain = _cipher(key).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], None)
        except InvalidTag:
            return None
        # Only we can have written it: the folder sees to that.
        rows, is_whole = marshal.loads(plain)  # noqa: S302
        return Saved(list(map(_saved_template, rows)), is_whole)

    def store(self, question: Question, values: JsonObject, saved: Saved) -> None:
        """Keep rendered templates, if they can be kept."""
        name, key = self._name_and_key(question, values)
        nonce = os.urandom(_NONCE_BYTES)
        plain = marshal.dumps((list(map(_saved_row, saved.templates)), saved.is_whole))
        self._folder.store_bytes(name, nonce + _cipher(key).encrypt(nonce, plain, None))

    def _name_and_key(self, question: Question, values: JsonObject) -> tuple[str, bytes]:
        # The order of keys counts: places in the data are numbered in that order.
        facts = json.dumps(
            [
                self._digest,
                repr(question.release),
                repr(question.capabilities),
                repr(question.options),
                values,
            ]
        ).encode()
        return _digest(b"name", facts).hex(), _digest(b"key", facts)


def _saved_row(one: SavedTemplate) -> tuple[object, ...]:
    parts = None if one.parts is None else list(map(_row, one.parts))
    return one.path, _plain(one.reads), one.writes, one.steps, one.text, parts


def _saved_template(row: tuple[Any, ...]) -> SavedTemplate:
    path, reads, writes, steps, text, parts = row
    read = None if parts is None else tuple(map(_read, parts))
    return SavedTemplate(path, reads, writes, steps, text, read)


def _plain(reads: Iterable[Place]) -> frozenset[tuple[int, str | int]]:
    """Return places whose keys are no members of an enumeration; they equal those that are."""
    return frozenset((number, key if type(key) is str else int(key)) for number, key in reads)


def _row(part: Document | Hook) -> tuple[object, ...]:
    return (isinstance(part, Hook), *(getattr(part, name) for name in part.__slots__))


def _read(row: tuple[Any, ...]) -> Document | Hook:
    is_hook, *members = row
    return Hook(*members) if is_hook else Document(*members)


def _digest(purpose: bytes, facts: bytes) -> bytes:
    return hashlib.sha256(b"rendered " + purpose + b"\0" + facts).digest()


def _cipher(key: bytes) -> "ChaCha20Poly1305":
    from cryptography.hazmat.primitives.ciphers import aead  # noqa: PLC0415 - heavy

    return aead.ChaCha20Poly1305(key)
