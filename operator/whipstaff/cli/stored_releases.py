"""The releases that are stored in a cluster, whoever made them, read as helm reads them."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from click import ClickException

from whipstaff.cli.cluster_flags import Cluster
from whipstaff.errors import ClusterRefused, StorageCorrupt
from whipstaff.golang.strconv import quote
from whipstaff.kube.media_types import METADATA_LIST
from whipstaff.kube.unreachable import UNREACHABLE
from whipstaff.release.revision import JsonObject
from whipstaff.release.stored import (
    OWNED_BY_HELM,
    StoredRelease,
    newest,
    object_name,
    place,
    stored,
)

NOT_FOUND = "release: not found"

_NAME_FORM = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_NAME = 53
_KINDS = {"": "Secret", "secret": "Secret", "secrets": "Secret"} | dict.fromkeys(
    ("configmap", "configmaps"), "ConfigMap"
)
_NOT_FOUND = 404


def is_name(text: str) -> bool:
    """Whether helm would take a text for the name of a release."""
    return bool(_NAME_FORM.fullmatch(text)) and len(text) <= _LONGEST_NAME


@dataclass(frozen=True, slots=True)
class StoredReleases:
    """What helm's storage holds; `$HELM_DRIVER` says of which kind it is."""

    cluster: Cluster

    def newest(self, *, all_namespaces: bool) -> list[StoredRelease]:
        """Return the newest revision of each release."""
        path = self._path("" if all_namespaces else self.cluster.namespace)
        try:
            holders = list(self._revisions(path))
        except ClusterRefused as error:
            raise _failed("list: failed to list", error) from error
        return newest(holders, self._kind(), _tell)

    def _revisions(self, path: str) -> Iterator[JsonObject]:
        """Yield what the newest revisions are among: superseded ones only where there is no other.

        They are most of what is stored, and only in odd cases the newest of their release.
        """
        client = self.cluster.client
        seen = set()
        for holder in client.items(path, _selected(f"{OWNED_BY_HELM},status!=superseded")):
            seen.add(place(holder))
            yield holder
        left = _selected(f"{OWNED_BY_HELM},status=superseded")
        alone = {
            place(holder)
            for holder in client.items(path, left, accept=METADATA_LIST)
            if place(holder) not in seen
        }
        for namespace, name in sorted(alone):
            yield from client.items(
                self._path(namespace), _selected(f"{OWNED_BY_HELM},name={name}")
            )

    def superseded(self, *, all_namespaces: bool) -> list[StoredRelease]:
        """Return all revisions that others followed."""
        path = self._path("" if all_namespaces else self.cluster.namespace)
        query = _selected(f"{OWNED_BY_HELM},status=superseded")
        return [
            found for one in self.cluster.client.items(path, query) for found in self._read(one)
        ]

    def names(self) -> set[str]:
        """Return the names of all releases, without a look into them."""
        heads = self.cluster.client.items(
            self._path(self.cluster.namespace), _selected(OWNED_BY_HELM), accept=METADATA_LIST
        )
        return {str(head["metadata"].get("labels", {}).get("name", "")) for head in heads} - {""}

    def numbers(self, name: str) -> set[int]:
        """Return the numbers of a release's revisions, without a look into them; ClusterRefused."""
        return {_number(str(head["metadata"]["name"])) for head in self._heads(name)}

    def status(self, name: str) -> str:
        """Return the status of the newest revision by its label; empty if none is to be seen."""
        try:
            heads: list[JsonObject] = [head["metadata"] for head in self._heads(name)]
        except ClusterRefused:
            return ""
        if not heads:
            return ""
        last = max(heads, key=lambda one: _number(str(one["name"])))
        return str((last.get("labels") or {}).get("status", ""))

    def history(self, name: str) -> list[StoredRelease]:
        """Return all revisions of a release, oldest first; ClickException if there is none."""
        query = _selected(f"name={name},{OWNED_BY_HELM}")
        try:
            holders = list(self.cluster.client.items(self._path(self.cluster.namespace), query))
        except ClusterRefused as error:
            raise _failed("query: failed to query with labels", error) from error
        if not holders:
            raise ClickException(NOT_FOUND)
        found = [revision for one in holders for revision in self._read(one)]
        return sorted(found, key=lambda one: one.number)

    def revision(self, name: str, number: int) -> StoredRelease:
        """Return one revision of a release, the newest for 0; ClickException if it is not there."""
        if not is_name(name):
            raise ClickException(f"releaseContent: Release name is invalid: {name}")
        if number <= 0:
            return self._last(name)
        key = object_name(name, number)
        try:
            holder = self.cluster.client.get(f"{self._path(self.cluster.namespace)}/{key}")
            return stored(holder, self._kind())
        except ClusterRefused as error:
            if error.code == _NOT_FOUND:
                raise ClickException(NOT_FOUND) from error
            raise _failed(f"get: failed to get {quote(key)}", error) from error
        except StorageCorrupt as error:
            raise ClickException(
                f"get: failed to decode data {quote(key)}: {error.text}"
            ) from error

    def _last(self, name: str) -> StoredRelease:
        path = self._path(self.cluster.namespace)
        try:
            names = [str(head["metadata"]["name"]) for head in self._heads(name)]
        except ClusterRefused as error:
            raise _failed("query: failed to query with labels", error) from error
        if not names:
            raise ClickException(NOT_FOUND)
        for key in sorted(names, key=_number, reverse=True):
            for found in self._read(self.cluster.client.get(f"{path}/{key}")):
                return found
        raise ClickException(f"no revision for release {quote(name)}")

    def _heads(self, name: str) -> Iterator[JsonObject]:
        """Yield the metadata of what holds the revisions of a release."""
        return self.cluster.client.items(
            self._path(self.cluster.namespace),
            _selected(f"name={name},{OWNED_BY_HELM}"),
            accept=METADATA_LIST,
        )

    def _read(self, holder: JsonObject) -> Iterator[StoredRelease]:
        try:
            yield stored(holder, self._kind())
        except StorageCorrupt as error:
            _tell(error)

    def _path(self, namespace: str) -> str:
        plural = f"{self._kind().lower()}s"
        return f"/api/v1/namespaces/{namespace}/{plural}" if namespace else f"/api/v1/{plural}"

    def _kind(self) -> str:
        driver = os.environ.get("HELM_DRIVER", "")  # noqa: TID251 - helm's own variable
        if driver not in _KINDS:
            raise ClickException(f"unknown driver {quote(driver)}")
        return _KINDS[driver]


def _failed(what: str, error: ClusterRefused) -> ClickException:
    """Word as helm does, which asks beforehand whether the cluster is there."""
    away = error.text.startswith(UNREACHABLE)
    return ClickException(error.text if away else f"{what}: {error.text}")


def _selected(labels: str) -> dict[str, str]:
    return {"labelSelector": labels}


def _number(name: str) -> int:
    digits = name.rpartition(".v")[2]
    return int(digits) if digits.isdecimal() else 0


def _tell(error: StorageCorrupt) -> None:
    """Name what is passed over: helm says so with --debug alone."""
    from whipstaff.cli.helm_logs import log  # noqa: PLC0415 - hardly ever

    log("WARN", "a stored release is passed over", error=error.text)
