"""HelmReleases that are edited through a gateway: the same edits, by the routes that it has."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import click

from whipstaff.cli.gateway_client import GatewayClient, Wish
from whipstaff.cli.helmreleases import CONFLICT, WRITE_ATTEMPTS, HelmReleases
from whipstaff.errors import ClusterRefused
from whipstaff.helmrelease.edits import Edit
from whipstaff.helmrelease.names import (
    FORCE_AT,
    REQUESTED_AT,
    RESET_AT,
    TEST_AT,
    TEST_FILTER,
    TEST_TIMEOUT,
)
from whipstaff.release.revision import JsonObject

_INSTEAD = "or have the command go to the API server, without --server and $WHIPSTAFF_SERVER"


@dataclass(frozen=True, slots=True)
class GatewayReleases(HelmReleases):
    """The HelmReleases of one namespace, in a cluster behind a gateway."""

    def edit(self, name: str, edit: Edit, *, dry_run: bool = False) -> JsonObject:
        """Make an edit and return the object as it is then; ClusterRefused if it is refused."""
        for attempt in range(WRITE_ATTEMPTS):
            live = self.get(name)
            try:
                self._ask(name, *_asked(edit, live), dry_run=dry_run)
                break
            except ClusterRefused as error:
                # What is as it was read is edited alone; else it is read, and reckoned, again.
                if error.code != CONFLICT or not edit.whole or attempt == WRITE_ATTEMPTS - 1:
                    raise
        return self.get(name)

    def uninstall(
        self, name: str, how: Mapping[str, Any], live: JsonObject, *, dry_run: bool
    ) -> None:
        """Delete a HelmRelease, and say in it how its release is to be uninstalled."""
        query = {
            "uid": str(live["metadata"].get("uid", "")),
            **{_QUERY[field]: _text(value) for field, value in how.items()},
        }
        self._ask(name, "DELETE", "", None, query, dry_run=dry_run)

    def ensure_namespace(self, *, dry_run: bool) -> None:
        """See that the namespace is there: a gateway makes none."""
        del dry_run
        if not self._has_namespace():
            place = self.cluster.namespace
            raise click.ClickException(
                f"a gateway makes no namespaces: have {place} made, as by `kubectl create "
                f"namespace {place}`, {_INSTEAD}"
            )

    def apply(self, body: JsonObject, *, dry_run: bool = False) -> NoReturn:
        """Refuse: a gateway writes HelmReleases alone."""
        del dry_run
        raise click.ClickException(
            f"a gateway takes no {body['kind']}s, and this chart needs one, for its files or a "
            "login: push it to a repository or registry that asks for no login, "
            f"{_INSTEAD}"
        )

    def adopt(self, name: str, bodies: Iterable[JsonObject]) -> None:
        """Do nothing: nothing was made."""

    def forget(self, selector: str, kept: Collection[str]) -> None:
        """Leave what was made without a gateway: it goes with the HelmRelease."""

    def _make(self, body: JsonObject, *, dry_run: bool) -> JsonObject:
        name = str(body["metadata"]["name"])
        wanted = {"name": name, "spec": body["spec"]}
        return self._ask("", "POST", "", wanted, dry_run=dry_run, subject=self.subject(name))

    def _ask(  # noqa: PLR0913 - facts of one request
        self,
        name: str,
        method: str,
        action: str,
        body: JsonObject | None,
        query: Mapping[str, str] | None = None,
        *,
        dry_run: bool,
        subject: str = "",
    ) -> JsonObject:
        client = self.cluster.client
        assert isinstance(client, GatewayClient)  # noqa: S101 - as it was made
        parts = ["/v1/namespaces", self.cluster.namespace, "releases", name, action]
        asked = {**(query or {}), **({"dryRun": "server"} if dry_run else {})}
        path = "/".join(part for part in parts if part)
        return client.wish(Wish(method, path, body, asked, subject or self.subject(name)))


_QUERY = {
    "keepHistory": "keepHistory",
    "disableHooks": "disableHooks",
    "disableWait": "disableWait",
    "deletionPropagation": "propagation",
}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _asked(edit: Edit, live: JsonObject) -> tuple[str, str, JsonObject]:
    """Return method, action and body of the request that makes an edit."""
    if edit.whole:
        return "PATCH", "", _change(edit, live)
    notes = edit.annotations
    if TEST_AT in notes:
        asked = {"at": TEST_AT, "filter": TEST_FILTER, "timeout": TEST_TIMEOUT}
        return "POST", "test", {name: notes.get(note, "") for name, note in asked.items()}
    if REQUESTED_AT in notes:
        more = {"force": FORCE_AT in notes, "reset": RESET_AT in notes}
        return "POST", "reconcile", {"at": notes[REQUESTED_AT], **more}
    match dict(edit.spec), edit.cleared:
        case {"revision": number}, ():
            return "POST", "pin", {"revision": number}
        case {"approvedPlan": digest}, ():
            return "POST", "approve", {"digest": digest}
        case {"suspend": True}, ():
            return "POST", "suspend", {}
        case {}, ("suspend",):
            return "POST", "resume", {}
        case {}, ("revision",):
            return "POST", "unpin", {}
        case _:
            raise AssertionError("commands make no other edits")


def _change(edit: Edit, live: JsonObject) -> JsonObject:
    """Return an edit as a merge patch of what was read; values are replaced as a whole."""
    before = live.get("spec") or {}
    spec = {
        name: value if name == "values" else _merge_patch(before.get(name), value)
        for name, value in edit.spec.items()
    }
    gone = {name: None for name in edit.cleared if name in before}
    version = live["metadata"].get("resourceVersion", "")
    return {"spec": {**spec, **gone}, "resetValues": True, "resourceVersion": version}


def _merge_patch(before: Any, wanted: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return what laid over `before` (RFC 7396) makes of it what is wanted, which has no null."""
    if not isinstance(before, dict) or not isinstance(wanted, dict):
        return wanted
    changed = {name: _merge_patch(before.get(name), value) for name, value in wanted.items()}
    return {**changed, **{name: None for name in before if name not in wanted}}
