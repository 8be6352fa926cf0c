"""Write HelmReleases as the caller: each change is one edit, shown to whoever asked for it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from http import HTTPStatus

from whipstaff.errors import ClusterRefused
from whipstaff.gateway.once import Order
from whipstaff.gateway.problems import Problem, conflict
from whipstaff.gateway.releases import Named
from whipstaff.gateway.summaries import summary_of
from whipstaff.golang import yaml
from whipstaff.helmrelease.edits import (
    GATEWAY_MANAGER,
    Edit,
    applied,
    is_whole,
    patched,
    synced_by,
)
from whipstaff.helmrelease.names import API_VERSION, KIND, PLURAL
from whipstaff.kube.client import Request, Requester
from whipstaff.kube.media_types import APPLY_PATCH, JSON, JSON_PATCH
from whipstaff.release.revision import JsonObject
from whipstaff.release.secrecy import masked_values

ATTEMPTS = 10  # status is written while a release is at work, which is a conflict each time


class DryRun(StrEnum):
    """How far a change goes that is not to be made."""

    NONE = "none"
    CLIENT = "client"  # it is shown
    SERVER = "server"  # the API server tries it


@dataclass(frozen=True, slots=True)
class How:
    """How a change is to be made."""

    order: Order
    dry_run: DryRun = DryRun.NONE
    reveal: bool = False  # show secret values in the edit
    version: str = ""  # the resourceVersion that it is about; empty: whichever there is
    uid: str = ""  # of the HelmRelease that it is about; empty: whichever there is


class Writer:
    """Makes, edits and deletes HelmReleases."""

    def __init__(self, client: Requester) -> None:
        self._client = client

    async def edit(self, named: Named, edit: Callable[[JsonObject], Edit], how: How) -> JsonObject:
        """Make the edit that fits the object as it is at the moment; it and the object are told."""
        for attempt in range(ATTEMPTS):
            live = await self._read(named)
            _check_uid(named, live, how.uid)
            if how.order.is_done(live):
                return _told(None, live, made=False, repeated=True)
            _check_version(live, how.version)
            wanted = edit(live)
            shown = await _shown(wanted.shown(named.namespace, named.name), reveal=how.reveal)
            if how.dry_run is DryRun.CLIENT:
                return _told(shown, live, made=False)
            try:
                found = await self._send(named, _noting(wanted, how, live), live, how.dry_run)
            except ClusterRefused as error:
                if error.code != HTTPStatus.CONFLICT or attempt == ATTEMPTS - 1:
                    raise
                continue
            return _told(shown, found, made=how.dry_run is DryRun.NONE)
        raise AssertionError("the last attempt returns or raises")

    async def create(self, named: Named, spec: JsonObject, how: How) -> JsonObject:
        """Make a HelmRelease; ClusterRefused(409) if there is one, unless this order made it."""
        body: JsonObject = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": named.name, "namespace": named.namespace},
            "spec": spec,
        }
        shown = await _shown(body, reveal=how.reveal)
        if how.dry_run is DryRun.CLIENT:
            return _told(shown, body, made=False)
        noted = {} if how.dry_run is DryRun.SERVER else how.order.noted({})
        if noted:
            body = {**body, "metadata": {**body["metadata"], "annotations": noted}}
        request = Request(
            "POST",
            _path(named).rpartition("/")[0],
            named.caller.identity,
            query=_query(how.dry_run),
            body=body,
            subject=_subject(named),
            repeatable=bool(noted),
        )
        try:
            found = await self._client.send(request)
        except ClusterRefused as error:
            if error.code != HTTPStatus.CONFLICT or not noted:
                raise
            live = await self._read(named)
            if not how.order.is_done(live):
                raise
            return _told(None, live, made=False, repeated=True)
        return _told(shown, found, made=how.dry_run is DryRun.NONE)

    async def delete(
        self, named: Named, edit: Callable[[JsonObject], Edit], how: How
    ) -> JsonObject:
        """Delete a HelmRelease, after it was said in it how to uninstall its release.

        With a key, one that is gone was deleted before, whatever has its name by now.
        """
        try:
            return await self._delete(named, edit, how)
        except (ClusterRefused, Problem):
            if how.order.key and await self._is_gone(named, how.uid):
                return _GONE
            raise

    async def _delete(
        self, named: Named, edit: Callable[[JsonObject], Edit], how: How
    ) -> JsonObject:
        live = await self._read(named)
        _check_uid(named, live, how.uid)
        uid = str(live["metadata"].get("uid", ""))
        how.order.is_done(live)  # whether or not, its key must not be that of another request
        going, wanted = bool(live["metadata"].get("deletionTimestamp")), edit(live)
        if going and is_whole(wanted, live):
            return _told(None, live, made=False, repeated=True)
        told = _told(None, live, made=False)
        if wanted.spec:
            # Two writes: whoever sends it again, for want of an answer, has the second made.
            told = {**await self.edit(named, edit, replace(how, uid=uid)), "repeated": False}
        if going or how.dry_run is DryRun.CLIENT:
            return told
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        if how.dry_run is DryRun.SERVER:
            options["dryRun"] = ["All"]  # where there is a body, the query does not count
        await self._request("DELETE", named, options, JSON)
        return {**told, "made": how.dry_run is DryRun.NONE}

    async def _is_gone(self, named: Named, uid: str) -> bool:
        """Whether there is no HelmRelease of a uid; another one may have its name."""
        try:
            live = await self._read(named)
        except ClusterRefused as error:
            if error.api_reason != "NotFound":  # which a path that is none is not
                raise
            return True
        return bool(live["metadata"].get("uid") != uid)

    async def _send(
        self, named: Named, edit: Edit, live: JsonObject, dry_run: DryRun
    ) -> JsonObject:
        """Send an edit as one request: half of one would be acted on."""
        query = _query(dry_run)
        operations = patched(edit, live)
        if not edit.whole and operations:
            return await self._patch_json(named, operations, live, query)
        if not edit.spec and not edit.annotations:
            return live
        body = applied(edit, live, GATEWAY_MANAGER)
        if edit.whole and not await self._comes_out_whole(named, edit, body):
            return await self._patch_json(named, operations, live, query)
        return await self._request("PATCH", named, body, APPLY_PATCH, {**query, "force": "true"})

    async def _patch_json(
        self, named: Named, operations: list[JsonObject], live: JsonObject, query: dict[str, str]
    ) -> JsonObject:
        """Send a JSON patch for the object as it was read, and for no later one."""
        version = live["metadata"]["resourceVersion"]
        same = {"op": "replace", "path": "/metadata/resourceVersion", "value": version}
        return await self._request("PATCH", named, [same, *operations], JSON_PATCH, query)

    async def _comes_out_whole(self, named: Named, edit: Edit, body: JsonObject) -> bool:
        """Whether applying makes of the fields what is asked for, and no mixture."""
        query = {**_query(DryRun.SERVER), "force": "true"}
        try:
            found = await self._request("PATCH", named, body, APPLY_PATCH, query)
        except ClusterRefused as error:
            if error.code != HTTPStatus.UNPROCESSABLE_ENTITY:
                raise
            return False
        return is_whole(edit, found)

    async def _read(self, named: Named) -> JsonObject:
        return await self._request("GET", named)

    async def _request(
        self,
        method: str,
        named: Named,
        body: object = None,
        content_type: str = JSON,
        query: dict[str, str] | None = None,
    ) -> JsonObject:
        return await self._client.send(
            Request(
                method,
                _path(named),
                named.caller.identity,
                query=query or {},
                body=body,
                content_type=content_type,
                subject=_subject(named),
            )
        )


def _noting(edit: Edit, how: How, live: JsonObject) -> Edit:
    """Have the edit write down whose it is; a dry run has no effect that could be known again."""
    if how.dry_run is DryRun.SERVER:
        return edit
    annotations = {**edit.annotations, **how.order.noted(live)}
    return Edit(edit.spec, annotations, edit.cleared, edit.whole)


def _check_uid(named: Named, live: JsonObject, uid: str) -> None:
    is_now = live["metadata"].get("uid", "")
    if uid and uid != is_now:
        raise conflict(f"{_subject(named)} is another one, of uid {is_now}")


def _check_version(live: JsonObject, version: str) -> None:
    is_now = live["metadata"].get("resourceVersion", "")
    if version and version != is_now:
        raise conflict(f"resourceVersion is {is_now} by now, not {version}")


async def _shown(body: JsonObject, *, reveal: bool) -> str:
    spec = body.get("spec") or {}
    if "values" in spec and not reveal:
        body = {**body, "spec": {**spec, "values": masked_values(spec["values"])}}
    return await asyncio.to_thread(yaml.dump, body)  # large values take longer than others may wait


def _told(shown: str | None, live: JsonObject, *, made: bool, repeated: bool = False) -> JsonObject:
    tool = synced_by(live)
    warning = (
        f"{tool} syncs this HelmRelease: what Git says of the same field comes back with the next "
        "sync, so put the edit into Git"
    )
    return {
        "edit": shown,
        "syncedBy": tool or None,
        "warning": warning if tool else None,
        "made": made,
        "repeated": repeated,
        "release": summary_of(live),
    }


# Of what has the name by now, nothing is told: it is not what was asked about.
_GONE: JsonObject = {
    "edit": None,
    "syncedBy": None,
    "warning": None,
    "made": False,
    "repeated": True,
    "release": None,
}


def _query(dry_run: DryRun) -> dict[str, str]:
    tried = {"dryRun": "All"} if dry_run is DryRun.SERVER else {}
    return {"fieldManager": GATEWAY_MANAGER, "fieldValidation": "Strict", **tried}


def _subject(named: Named) -> str:
    return f"{KIND} {named.namespace}/{named.name}"


def _path(named: Named) -> str:
    return f"/apis/{API_VERSION}/namespaces/{named.namespace}/{PLURAL}/{named.name}"
