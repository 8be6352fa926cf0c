"""The objects of a release as they live in the cluster: what `helm status` shows of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import click

from whipstaff.cli.cluster_flags import Cluster
from whipstaff.errors import ClusterRefused
from whipstaff.golang import yaml
from whipstaff.kube.media_types import JSON, TABLE
from whipstaff.release.revision import JsonObject
from whipstaff.release.stored import table

RELATED_PODS = "v1/Pod(related)"

_WITH_SELECTORS = frozenset({"ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job"})
_NARROWEST, _PADDING = 6, 3  # of a column, in characters
_LINE_ENDS = "\f\n\r"


@dataclass(slots=True)
class LiveObjects:
    """Reads objects of one cluster; kinds that it does not serve have none."""

    cluster: Cluster
    _kinds: dict[str, dict[str, tuple[str, bool]]] = field(default_factory=dict)

    def of(self, manifest: str, *, as_tables: bool) -> dict[str, list[JsonObject]]:
        """Return the objects of a manifest and the pods that they select, by version and kind."""
        found: dict[str, list[JsonObject]] = {}
        seen: list[dict[str, str]] = []
        accept = TABLE if as_tables else JSON
        for body in _bodies(manifest):
            live = self._get(body, accept)
            if live is None:
                continue
            kind = f"{str(body['apiVersion']).rpartition('/')[2]}/{body['kind']}"
            found.setdefault(kind, []).append(live)
            selector = _selector(body)
            if selector and selector not in seen:
                seen.append(selector)
                pods = self._pods(self._namespace(body), selector, accept)
                if pods is not None:
                    found.setdefault(RELATED_PODS, []).append(pods)
        return found

    def _get(self, body: JsonObject, accept: str) -> JsonObject | None:
        api_version, kind = str(body["apiVersion"]), str(body["kind"])
        plural, namespaced = self._kinds_of(api_version).get(kind, ("", False))
        name = table(body.get("metadata")).get("name")
        if not plural or not name:
            return None
        place = f"/namespaces/{self._namespace(body)}" if namespaced else ""
        try:
            return self.cluster.client.get(
                f"{_root(api_version)}{place}/{plural}/{name}", accept=accept
            )
        except ClusterRefused as error:
            if not error.code:
                raise
            return None  # helm shows what can be had

    def _pods(self, namespace: str, selector: dict[str, str], accept: str) -> JsonObject | None:
        """Return the list, or the table, of the pods with some labels."""
        labels = ",".join(f"{name}={text}" for name, text in sorted(selector.items()))
        try:
            found = self.cluster.client.get(
                f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": labels}, accept=accept
            )
        except ClusterRefused as error:
            if not error.code:
                raise
            return None
        for pod in found.get("items") or ():  # a list says it once for all, helm for each
            pod |= {"apiVersion": "v1", "kind": "Pod"}
        return found

    def _namespace(self, body: JsonObject) -> str:
        return str(table(body.get("metadata")).get("namespace") or self.cluster.namespace)

    def _kinds_of(self, api_version: str) -> dict[str, tuple[str, bool]]:
        """Return plural, and whether it lives in namespaces, of each kind."""
        if api_version not in self._kinds:
            try:
                answer = self.cluster.client.get(_root(api_version))
            except ClusterRefused as error:
                if not error.code:
                    raise
                answer = {}
            self._kinds[api_version] = {
                str(one["kind"]): (str(one["name"]), one.get("namespaced") is True)
                for one in answer.get("resources") or ()
                if "/" not in one["name"]
            }
        return self._kinds[api_version]


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _bodies(manifest: str) -> Iterator[JsonObject]:
    """The objects of a manifest, those inside a List too."""
    try:
        documents = list(yaml.load_all(manifest))
    except yaml.YAMLError as error:
        text = f"error parsing : {error.text}"  # helm names no file either
        raise click.ClickException(text) from error
    for document in documents:
        if not isinstance(document, dict):
            continue
        items = document.get("items")
        inner = items if str(document.get("kind", "")).endswith("List") else None
        for body in inner if isinstance(inner, list) else [document]:
            if isinstance(body, dict) and body.get("apiVersion") and body.get("kind"):
                yield body


def _selector(body: JsonObject) -> dict[str, str]:
    """Return the labels by which an object chooses its pods."""
    selector = table(table(body.get("spec")).get("selector"))
    if body["kind"] in _WITH_SELECTORS:
        selector = table(selector.get("matchLabels"))
    elif body["kind"] != "ReplicationController":
        return {}
    return {str(name): str(text) for name, text in selector.items()}


def sections(found: dict[str, list[JsonObject]]) -> str:
    """Return the tables as kubectl prints them, each kind below its name.

    A head is printed where the columns are others than before, and each table is as wide as it is.
    """
    text, columns = "", None
    for kind, tables in found.items():
        text += f"==> {kind}\n"
        for one in tables:
            own = one.get("columnDefinitions")
            shown, head = _table(one, with_head=own != columns)
            text += shown
            columns = own if head or own != columns else columns
        text += "\n"
    return text


def _table(one: JsonObject, *, with_head: bool) -> tuple[str, bool]:
    columns = [table(column) for column in one.get("columnDefinitions") or ()]
    wanted = [at for at, column in enumerate(columns) if not column.get("priority")]
    rows = [
        [_cell(row["cells"][at]) for at in wanted if at < len(row["cells"])]
        for row in one.get("rows") or ()
    ]
    if rows and with_head:
        rows.insert(0, [str(columns[at].get("name", "")).upper() for at in wanted])
    return "".join(f"{line}\n" for line in _aligned(rows)), bool(rows)


def _aligned(rows: list[list[str]]) -> Iterator[str]:
    widths = [
        max(_NARROWEST, *(len(row[at]) + _PADDING for row in rows if at < len(row)))
        for at in range(max(map(len, rows), default=1) - 1)
    ]
    for row in rows:
        filled = (cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False))
        yield "".join((*filled, row[-1] if row else ""))


def _cell(value: Any) -> str:  # noqa: ANN401 - any JSON
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    end = next((at for at, letter in enumerate(text) if letter in _LINE_ENDS), None)
    if end is not None:
        text = f"{text[:end]}..."
    return text.replace("\x1b", "^[")
