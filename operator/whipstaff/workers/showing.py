"""What people want to see of stored releases, with what is secret masked."""

import base64
import binascii
import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from whipstaff.chart.record import computed_values
from whipstaff.errors import ManifestInvalid, StorageCorrupt
from whipstaff.release import codec
from whipstaff.release.legible import legible
from whipstaff.release.revision import JsonObject
from whipstaff.release.secrecy import (
    Blacking,
    Origin,
    data_texts,
    masked_secret,
    masked_values,
    secret_values,
)
from whipstaff.workers import documents
from whipstaff.workers.unified import unified

DOCUMENTS_LIMIT = 10_000  # as of a rendering

_HOOK_FACTS = ("name", "kind", "path", "weight", "events", "delete_policies", "last_run")

_SOURCE = re.compile(
    r"\A# Source: [^\n]*\n"
)  # a template may be renamed and its object be the same

Named = tuple[str, str]  # namespace and name of a Secret


class Shown:
    """One stored release as it may be shown."""

    def __init__(
        self,
        data: str,
        name: str,
        revealed: Collection[Named],
        origin: Origin,
        *,
        values: bool,
    ) -> None:
        """`revealed` are Secrets whose data may be seen; `values`: whether secret values may."""
        self.record = codec.decode(data, name)
        self._name = name
        self._revealed = revealed
        self._origin = origin
        self._values_revealed = values
        manifest, hooks = codec.texts(self.record, name)
        try:
            self.documents = [self._read(one) for one in documents.split(manifest)]
            texts = (documents.Document(path, text) for path, text in hooks)
            self.hooks = [self._read(one) for one in texts]
        except ManifestInvalid as error:
            text = f"the stored release {name} cannot be read: {error.text}"
            raise StorageCorrupt(text, name) from error
        if len(self.documents) > DOCUMENTS_LIMIT:
            raise StorageCorrupt(f"the stored release {name} has too many objects", name)
        self.secret_texts = frozenset(self._secret_texts())
        self._blacking = Blacking(self.secret_texts)

    def hide(self, texts: Collection[str]) -> None:
        """Mask these texts, too: another revision knows them for secrets."""
        self._blacking = Blacking(self.secret_texts | set(texts))

    @property
    def secrets(self) -> list[Named]:
        """The Secrets among its objects and hooks."""
        return sorted({self._place(body) for body in self._bodies() if _is_secret(body)})

    @property
    def config(self) -> Any:  # noqa: ANN401 - a stored release may hold anything here
        """The values that were given."""
        given = self.record.get("config") or {}
        if self._values_revealed:
            return given
        return self._blacking.value(masked_values(given, self._schema, self._origin))

    @property
    def computed(self) -> Any:  # noqa: ANN401 - as the config
        """The values that were given, over the chart's own."""
        found = computed_values(_table(self.record.get("chart")), self.config)
        if self._values_revealed:
            return found
        return self._blacking.value(masked_values(found, self._schema))

    @property
    def subcharts(self) -> list[str]:
        """The charts in the chart that took part, as its values call them."""
        declared = _table(_table(self.record.get("chart")).get("metadata")).get("dependencies")
        listed = declared if isinstance(declared, list) else []
        found = [one for one in listed if isinstance(one, dict)]
        return [str(one.get("alias") or one.get("name") or "") for one in found]

    @property
    def defaults(self) -> Any:  # noqa: ANN401 - as above
        """The values of the chart and those in it, which hold where none was given."""
        own = _table(_table(self.record.get("chart")).get("values"))
        if self._values_revealed:
            return own
        return self._blacking.value(masked_values(own, self._schema))

    @property
    def notes(self) -> str:
        """What the chart says to its user."""
        return self._blacking.text(str(self._info.get("notes") or ""))

    @property
    def facts(self) -> JsonObject:
        """What the release says of itself, but for what is long."""
        info, chart = self._info, _table(self.record.get("chart"))
        hooks = [_table(hook) for hook in self.record.get("hooks") or ()]
        return {
            "name": self.record.get("name"),
            "namespace": self.record.get("namespace"),
            "revision": self.record.get("version"),
            "status": info.get("status"),
            "description": self._blacking.text(str(info.get("description") or "")),
            "firstDeployed": info.get("first_deployed") or None,
            "lastDeployed": info.get("last_deployed") or None,
            "deleted": info.get("deleted") or None,
            "chart": _table(chart.get("metadata")),
            "hooks": [{key: hook[key] for key in _HOOK_FACTS if key in hook} for hook in hooks],
            "secrets": [{"namespace": place, "name": name} for place, name in self.secrets],
        }

    def shown(self, of: "list[_Document]", beside: "Shown | None" = None) -> list[JsonObject]:
        """Return documents as people read them; in Secrets, what `beside` has otherwise stands out.

        Each with the objects that it holds.
        """
        return [self._shown(one, beside) for one in of]

    def _shown(self, one: "_Document", beside: "Shown | None") -> JsonObject:
        hides = any(_is_secret(body) and not self._reveals(body) for body in one.bodies)
        if hides:
            others = beside.by_place() if beside else {}
            bodies = [
                masked_secret(body, others.get(self.identity(body), {}) if beside else None)
                if _is_secret(body) and not self._reveals(body)
                else body
                for body in one.bodies
            ]
            text = "---\n".join(legible(body) for body in bodies)
        else:
            text = one.text.strip("\n") + "\n"
        objects = [self.identity(body) for body in one.bodies]
        named = [
            dict(zip(("apiVersion", "kind", "namespace", "name"), o, strict=True)) for o in objects
        ]
        return {
            "source": one.where,
            "objects": named,
            "masked": hides,
            "text": self._blacking.text(text),
        }

    def by_place(self) -> dict[tuple[str, str, str, str], JsonObject]:
        """Return all objects by their identities."""
        return {self.identity(body): body for one in self.documents for body in one.bodies}

    def identity(self, body: JsonObject) -> tuple[str, str, str, str]:
        """Return apiVersion, kind, namespace and name; the namespace may be the release's."""
        return (str(body["apiVersion"]), str(body["kind"]), *self._place(body))

    def _reveals(self, body: JsonObject) -> bool:
        return self._place(body) in self._revealed

    def _place(self, body: JsonObject) -> Named:
        metadata = _table(body.get("metadata"))
        namespace = metadata.get("namespace") or self.record.get("namespace") or ""
        return str(namespace), str(metadata.get("name") or metadata.get("generateName") or "")

    def _bodies(self) -> Iterator[JsonObject]:
        for one in (*self.documents, *self.hooks):
            yield from one.bodies

    def _read(self, document: documents.Document) -> "_Document":
        value = documents.load(document)
        return _Document(document.where, document.text, list(documents.objects(document, value)))

    def _secret_texts(self) -> Iterator[str]:
        for body in self._bodies():
            if _is_secret(body) and not self._reveals(body):
                yield from data_texts(body)
        if not self._values_revealed:
            yield from secret_values(self.record.get("config"), self._schema, self._origin)

    @property
    def _schema(self) -> object:
        chart = _table(self.record.get("chart"))
        packed = chart.get("schema")
        if not isinstance(packed, str):
            return None
        try:
            return json.loads(base64.b64decode(packed, validate=True))
        except (binascii.Error, ValueError, RecursionError):
            return None

    @property
    def _info(self) -> JsonObject:
        return _table(self.record.get("info"))


class _Document:
    def __init__(self, where: str, text: str, bodies: list[JsonObject]) -> None:
        self.where = where
        self.text = text
        self.bodies = bodies


def show(
    data: str,
    name: str,
    part: str,
    revealed: Collection[Collection[str]],
    sources: JsonObject,
    *,
    values: bool,
) -> JsonObject:
    """Return a part of a stored release; `sources` are `values` and `valuesFrom` of its spec.

    That is facts, values, computed, layers, manifest, hooks or notes.
    """
    shown = Shown(data, name, {_named(one) for one in revealed}, Origin.of(sources), values=values)
    match part:
        case "values":
            return {"values": shown.config}
        case "computed":
            return {"values": shown.computed}
        case "layers":
            subcharts = shown.subcharts
            return {"values": shown.config, "defaults": shown.defaults, "subcharts": subcharts}
        case "manifest":
            return {"documents": shown.shown(shown.documents)}
        case "hooks":
            return {"documents": shown.shown(shown.hooks)}
        case "notes":
            return {"notes": shown.notes}
        case _:
            return shown.facts


def compare(
    before: JsonObject,
    after: JsonObject,
    revealed: Collection[Collection[str]],
    sources: JsonObject,
    *,
    values: bool,
) -> JsonObject:
    """Tell in which objects and values two stored releases differ; each has `data` and `name`."""
    names = {_named(one) for one in revealed}
    origin = Origin.of(sources)
    old = Shown(before["data"], before["name"], names, origin, values=values)
    new = Shown(after["data"], after["name"], names, origin, values=values)
    old.hide(new.secret_texts)
    new.hide(old.secret_texts)
    olds, news = _texts(old, None), _texts(new, old)
    told = []
    for place in [*news, *(place for place in olds if place not in news)]:
        left, right = olds.get(place), news.get(place)
        if left == right:
            continue
        effect = "added" if left is None else "removed" if right is None else "changed"
        facts = dict(zip(("apiVersion", "kind", "namespace", "name"), place, strict=True))
        told.append({**facts, "effect": effect, "diff": unified(left or "", right or "")})
    values_diff = unified(legible(old.config), legible(new.config))
    return {"objects": told, "values": values_diff}


def _texts(shown: Shown, beside: Shown | None) -> dict[tuple[str, str, str, str], str]:
    """Return the text of each object; those of one document are told apart by their masked form."""
    found = {}
    for one in shown.documents:
        if len(one.bodies) == 1:
            text = shown.shown([one], beside)[0]["text"]
            found[shown.identity(one.bodies[0])] = _SOURCE.sub("", text)
            continue
        for body in one.bodies:
            single = _Document(one.where, legible(body), [body])
            found[shown.identity(body)] = shown.shown([single], beside)[0]["text"]
    return found


def _named(one: Collection[str]) -> Named:
    namespace, name = one
    return namespace, name


def _is_secret(body: JsonObject) -> bool:
    return bool(body.get("kind") == "Secret" and body.get("apiVersion") == "v1")


def _table(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}
