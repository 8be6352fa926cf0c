"""HelmReleases of a cluster, read and edited with the user's own rights."""

from dataclasses import dataclass
from typing import Any

import click

from whipstaff.cli.cluster_flags import Cluster
from whipstaff.errors import ClusterRefused
from whipstaff.helmrelease.edits import MANAGER, Edit, applied, removed, synced_by
from whipstaff.helmrelease.names import API_VERSION, PLURAL
from whipstaff.kube.direct import APPLY_PATCH, JSON_PATCH, Call
from whipstaff.release.revision import JsonObject

_CONFLICT, _NOT_FOUND = 409, 404
_ATTEMPTS = 10  # status is written while a release is at work, which is a conflict each time
_MANAGER = {"fieldManager": MANAGER}


@dataclass(frozen=True, slots=True)
class HelmReleases:
    """The HelmReleases of one namespace."""

    cluster: Cluster

    def find(self, name: str) -> JsonObject | None:
        """Return a HelmRelease, None if there is none."""
        try:
            return self.cluster.client.get(self._path(name), subject=self.subject(name))
        except ClusterRefused as error:
            if error.code == _NOT_FOUND:
                return None
            raise

    def get(self, name: str) -> JsonObject:
        """Return a HelmRelease; a ClickException if there is none."""
        found = self.find(name)
        if found is None:
            raise click.ClickException(
                f"{self.subject(name)} not found: a release is changed by its HelmRelease, "
                "and one that the helm command made has none"
            )
        return found

    def edit(self, name: str, edit: Edit, *, dry_run: bool = False) -> JsonObject:
        """Make an edit and return the object as it is then; ClusterRefused if it is refused."""
        for attempt in range(_ATTEMPTS):
            live = self.get(name)
            try:
                return self._send(name, edit, live, dry_run=dry_run)
            except ClusterRefused as error:
                if error.code != _CONFLICT or attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _send(self, name: str, edit: Edit, live: JsonObject, *, dry_run: bool) -> JsonObject:
        query = {**_MANAGER, **({"dryRun": "All"} if dry_run else {})}
        if edit.spec or edit.annotations:
            body = applied(edit, live)
            live = self._patch(name, body, APPLY_PATCH, {**query, "force": "true"})
        operations = removed(edit, live)
        if operations:
            live = self._patch(name, operations, JSON_PATCH, query)
        return live

    def _patch(self, name: str, body: Any, kind: str, query: dict[str, str]) -> JsonObject:  # noqa: ANN401
        return self.cluster.client.send(
            Call("PATCH", self._path(name), query, body, kind, subject=self.subject(name))
        )

    def delete(self, name: str, *, dry_run: bool = False) -> None:
        """Delete a HelmRelease; the operator uninstalls its release."""
        query = {"dryRun": "All"} if dry_run else {}
        self.cluster.client.send(
            Call("DELETE", self._path(name), query, subject=self.subject(name))
        )

    def subject(self, name: str) -> str:
        """Return what errors call a HelmRelease."""
        return f"HelmRelease {self.cluster.namespace}/{name}"

    def _path(self, name: str) -> str:
        return f"/apis/{API_VERSION}/namespaces/{self.cluster.namespace}/{PLURAL}/{name}"


def tell_of_git(live: JsonObject) -> None:
    """Say on standard error that an edit may not stay."""
    tool = synced_by(live)
    if tool:
        click.echo(
            f"Note: {tool} syncs this HelmRelease; what Git says of the same field comes back "
            "with the next sync",
            err=True,
        )
