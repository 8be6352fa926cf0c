"""HelmReleases of a cluster, read and edited with the user's own rights."""

import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import click

from whipstaff.cli.cluster_flags import Cluster
from whipstaff.cli.stored_releases import NOT_FOUND, StoredReleases, is_name
from whipstaff.errors import ClusterRefused
from whipstaff.golang.strconv import quote
from whipstaff.helmrelease.edits import (
    MANAGER,
    Edit,
    applied,
    is_whole,
    patched,
    synced_by,
    uninstall,
)
from whipstaff.helmrelease.names import API_VERSION, KIND, PLURAL
from whipstaff.helmrelease.placements import placement_told
from whipstaff.helmrepository.names import KIND as REPOSITORY
from whipstaff.helmrepository.names import PLURAL as REPOSITORIES
from whipstaff.kube.direct import Call, Direct
from whipstaff.kube.media_types import APPLY_PATCH, JSON_PATCH, METADATA_LIST
from whipstaff.release.revision import JsonObject, ReleaseStatus

CONFLICT, _ABSENT, _INVALID = 409, 404, 422
_UNKNOWN_KIND = (
    "this cluster knows no HelmReleases: `whipstaff init` installs their definition, and the "
    "operator"
)
_LONGEST_NAME = 253
_NAME_FORM = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
WRITE_ATTEMPTS = 10  # status is written while a release is at work, which is a conflict each time


@dataclass(frozen=True, slots=True)
class HelmReleases:
    """The HelmReleases of one namespace."""

    cluster: Cluster

    def names(self) -> list[str]:
        """Return the names of all HelmReleases."""
        path = f"/apis/{API_VERSION}/namespaces/{self.cluster.namespace}/{PLURAL}"
        heads = self.cluster.client.items(path, accept=METADATA_LIST)
        return [str(head["metadata"]["name"]) for head in heads]

    def find(self, name: str) -> JsonObject | None:
        """Return a HelmRelease, None if there is none."""
        try:
            return self.cluster.client.get(self._path(name), subject=self.subject(name))
        except ClusterRefused as error:
            if error.code == _ABSENT:
                return None
            raise

    def get(self, name: str) -> JsonObject:
        """Return a HelmRelease; a ClickException if there is none."""
        found = self.find(name)
        if found is None:
            raise self.missing(name)
        return found

    def missing(self, name: str) -> click.ClickException:
        """Return what says that there is no such HelmRelease, and what there is instead."""
        if not self._are_known():
            return click.ClickException(_UNKNOWN_KIND)
        lacks = f"{NOT_FOUND}: there is no {self.subject(name)}"
        status = StoredReleases(self.cluster).status(name) if is_name(name) else ""
        if status == ReleaseStatus.UNINSTALLED:
            lacks += (
                f"; release {name} was uninstalled and its history kept: "
                f"`whipstaff install {name} CHART --replace` uses the name again, `kubectl delete "
                f"secret -n {self.cluster.namespace} -l owner=helm,name={name}` forgets it"
            )
        elif status:
            lacks += (
                f"; the helm command made release {name}, and changes it: "
                f"`whipstaff upgrade {name} CHART` takes it over"
            )
        return click.ClickException(lacks)

    def _are_known(self) -> bool:
        """Whether the cluster has the definition of HelmReleases."""
        try:
            self.cluster.client.get(f"/apis/{API_VERSION}")
        except ClusterRefused as error:
            return error.code != _ABSENT
        return True

    def edit(self, name: str, edit: Edit, *, dry_run: bool = False) -> JsonObject:
        """Make an edit and return the object as it is then; ClusterRefused if it is refused."""
        for attempt in range(WRITE_ATTEMPTS):
            live = self.get(name)
            try:
                return self._send(name, edit, live, dry_run=dry_run)
            except ClusterRefused as error:
                if error.code != CONFLICT or attempt == WRITE_ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _send(self, name: str, edit: Edit, live: JsonObject, *, dry_run: bool) -> JsonObject:
        """Send an edit as one request: half of one would be acted on."""
        query = _query(dry_run=dry_run)
        operations = patched(edit, live)
        if not edit.whole and operations:
            return self._patch(name, operations, JSON_PATCH, query)
        if not edit.spec and not edit.annotations:
            return live
        forced = {**query, "force": "true"}
        body = applied(edit, live)
        if edit.whole and not self._comes_out_whole(name, edit, body):
            return self._patch(name, operations, JSON_PATCH, query)
        return self._patch(name, body, APPLY_PATCH, forced)

    def _comes_out_whole(self, name: str, edit: Edit, body: JsonObject) -> bool:
        """Whether applying makes of the fields what is asked for, and no mixture.

        What others had put into a field stays; and a table of which all goes becomes null.
        """
        query = {**_query(dry_run=True), "force": "true"}
        try:
            return is_whole(edit, self._patch(name, body, APPLY_PATCH, query))
        except ClusterRefused as error:
            if error.code != _INVALID:
                raise
            return False

    def create(self, body: JsonObject, *, dry_run: bool) -> JsonObject:
        """Make a HelmRelease that is not there."""
        try:
            return self._make(body, dry_run=dry_run)
        except ClusterRefused as error:
            if error.code != _ABSENT:
                raise
            if self._has_namespace():
                raise click.ClickException(_UNKNOWN_KIND) from error
            raise click.ClickException(
                f"create: failed to create: namespaces {quote(self.cluster.namespace)} not found; "
                "--create-namespace makes it"
            ) from error

    def _make(self, body: JsonObject, *, dry_run: bool) -> JsonObject:
        name = str(body["metadata"]["name"])
        return self._patch(name, body, APPLY_PATCH, _query(dry_run=dry_run))

    def _has_namespace(self) -> bool:
        try:
            self.cluster.client.get(f"/api/v1/namespaces/{self.cluster.namespace}")
        except ClusterRefused as error:
            return error.code != _ABSENT
        return True

    def ensure_namespace(self, *, dry_run: bool) -> None:
        """Make the namespace unless it is there."""
        if self._has_namespace():
            return
        body = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": self.cluster.namespace},
        }
        self.cluster.client.send(
            Call("POST", "/api/v1/namespaces", _query(dry_run=dry_run), body, subject="Namespace")
        )

    def apply(self, body: JsonObject, *, dry_run: bool = False) -> None:
        """Apply a Secret or a HelmRepository that a HelmRelease is going to name."""
        kind, name = str(body["kind"]), str(body["metadata"]["name"])
        root = f"/apis/{API_VERSION}" if kind == REPOSITORY else "/api/v1"
        plural = REPOSITORIES if kind == REPOSITORY else "secrets"
        path = f"{root}/namespaces/{self.cluster.namespace}/{plural}/{name}"
        query = {**_query(dry_run=dry_run), "force": "true"}
        subject = f"{kind} {self.cluster.namespace}/{name}"
        self.cluster.client.send(Call("PATCH", path, query, body, APPLY_PATCH, subject=subject))

    def adopt(self, name: str, bodies: Iterable[JsonObject]) -> None:
        """Have objects go with the HelmRelease that names them."""
        live = self.get(name)
        owner = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": name,
            "uid": live["metadata"]["uid"],
        }
        for body in bodies:
            self.apply({**body, "metadata": {**body["metadata"], "ownerReferences": [owner]}})

    def forget(self, selector: str, kept: Collection[str]) -> None:
        """Delete the Secrets with a label but some; those that one may not see stay."""
        path = f"/api/v1/namespaces/{self.cluster.namespace}/secrets"
        with suppress(ClusterRefused):
            heads = self.cluster.client.items(
                path, {"labelSelector": selector}, accept=METADATA_LIST
            )
            for name in [str(head["metadata"]["name"]) for head in heads]:
                if name not in kept:
                    self.cluster.client.send(Call("DELETE", f"{path}/{name}"))

    def _patch(self, name: str, body: Any, kind: str, query: dict[str, str]) -> JsonObject:  # noqa: ANN401
        return self.cluster.client.send(
            Call("PATCH", self._path(name), query, body, kind, subject=self.subject(name))
        )

    def uninstall(
        self, name: str, how: Mapping[str, Any], live: JsonObject, *, dry_run: bool
    ) -> None:
        """Delete a HelmRelease; the operator uninstalls its release, as `how` says."""
        if how:
            self.edit(name, uninstall(how, live), dry_run=dry_run)
        if "deletionTimestamp" in live["metadata"]:  # after the edit it may be gone already
            return
        query = {"dryRun": "All"} if dry_run else {}
        self.cluster.client.send(
            Call("DELETE", self._path(name), query, subject=self.subject(name))
        )

    def stored_numbers(self, live: JsonObject) -> set[int]:
        """Return the numbers of a release's revisions: a helm command's may be newer than status.

        Empty where they are in another cluster, or not to be read.
        """
        place = placement_told(live.get("status") or {})
        if place is None or (live.get("spec") or {}).get("kubeConfig"):
            return set()
        with suppress(ClusterRefused):
            storage = replace(self.cluster, namespace=place.storage_namespace)
            return StoredReleases(storage).numbers(place.release_name)
        return set()

    def subject(self, name: str) -> str:
        """Return what errors call a HelmRelease."""
        return f"HelmRelease {self.cluster.namespace}/{name}"

    def _path(self, name: str) -> str:
        return path_of(self.cluster.namespace, name)


def helmreleases(cluster: Cluster) -> HelmReleases:
    """Return the HelmReleases of a cluster, edited by the way that leads there."""
    if type(cluster.client) is Direct:
        return HelmReleases(cluster)
    # Few commands go through a gateway.
    from whipstaff.cli.gateway_client import GatewayClient  # noqa: PLC0415
    from whipstaff.cli.gateway_releases import GatewayReleases  # noqa: PLC0415

    through = isinstance(cluster.client, GatewayClient)
    return GatewayReleases(cluster) if through else HelmReleases(cluster)


def path_of(namespace: str, name: str) -> str:
    """Return the path of a HelmRelease; a ClickException for a name that would be more than one.

    The path of no name at all is that of every HelmRelease in the namespace.
    """
    if len(name) > _LONGEST_NAME or not _NAME_FORM.fullmatch(name):
        raise click.ClickException(f"Release name is invalid: {name}")
    return f"/apis/{API_VERSION}/namespaces/{namespace}/{PLURAL}/{name}"


def _query(*, dry_run: bool) -> dict[str, str]:
    return {"fieldManager": MANAGER, **({"dryRun": "All"} if dry_run else {})}


def tell_of_git(live: JsonObject) -> None:
    """Say on standard error that an edit may not stay."""
    tool = synced_by(live)
    if tool:
        click.echo(
            f"Note: {tool} syncs this HelmRelease; what Git says of the same field comes back "
            "with the next sync",
            err=True,
        )
