"""Take our definitions out of a cluster without anything being uninstalled.

Deleting a definition deletes every object of its kind, and an operator that sees a HelmRelease
deleted uninstalls its release. So no operator may be at work by then, and no finalizer may be left
that one would act upon later.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from whipstaff.cli.awaiting import POLL_SECONDS
from whipstaff.cli.carried import path_of
from whipstaff.cli.given_values import os_text
from whipstaff.errors import ClusterRefused
from whipstaff.golang import yaml
from whipstaff.helmrelease import names
from whipstaff.helmrelease.edits import MANAGER
from whipstaff.helmrelease.names import API_VERSION, FINALIZER
from whipstaff.helmrepository import names as repository_names
from whipstaff.kube.direct import Call, Direct
from whipstaff.kube.media_types import MERGE_PATCH, METADATA_LIST
from whipstaff.release.revision import JsonObject

KINDS = {names.KIND: names.PLURAL, repository_names.KIND: repository_names.PLURAL}
DEFINITIONS = (names.CRD_NAME, repository_names.CRD_NAME)

_NOT_FOUND, _CONFLICT = 404, 409
_ATTEMPTS = 10
_SECRETS = "/api/v1/secrets"
# Neither is a plan that waits, which goes with its HelmRelease, nor a revision, which has no owner.
_LENT = "type!=whipstaff.dev/plan,type!=helm.sh/release.v1"
# Without the status, which says that they were met, they would be met once more.
_WISHES = frozenset({names.REQUESTED_AT, names.FORCE_AT, names.RESET_AT})
# What the API server wrote into metadata; and owners, as one that is not there any more, or is
# another one by then, would have what is applied from the file deleted at once.
_NOT_OF_PEOPLE = frozenset(
    {
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "managedFields",
        "selfLink",
        "ownerReferences",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    }
)


@dataclass(slots=True)
class Objects:
    """HelmReleases and HelmRepositories of a cluster as they were read."""

    kept: list[JsonObject] = field(default_factory=list)
    going: list[JsonObject] = field(default_factory=list)  # being deleted already

    def all(self) -> Iterator[JsonObject]:
        """Yield everything."""
        yield from self.kept
        yield from self.going


def objects(client: Direct) -> Objects:
    """Read all objects of our kinds; none where a definition is not there."""
    found = Objects()
    for kind, plural in KINDS.items():
        try:
            for body in client.items(f"/apis/{API_VERSION}/{plural}"):
                whole = {**body, "apiVersion": API_VERSION, "kind": kind}
                going = whole["metadata"].get("deletionTimestamp")
                (found.going if going else found.kept).append(whole)
        except ClusterRefused as error:
            if error.code != _NOT_FOUND:
                raise
    return found


class Saved:
    """The file of what goes: made at the start, so that it can be written when it counts."""

    def __init__(self, path: Path) -> None:
        """Make the file, for its owner's eyes alone; a ClickException if that cannot be done."""
        self.path = path
        self._beside = path.parent / f"{path.name}.part"
        try:
            path.touch(mode=0o600, exist_ok=False)
        except OSError as error:
            text = f"{os_text(str(path), error, 'create')}; nothing was changed"
            if isinstance(error, FileExistsError):
                text += "; it may hold what an interrupted run took away: name another file"
            raise click.ClickException(text) from error

    def write(self, bodies: list[JsonObject]) -> None:
        """Replace what is in the file; a ClickException if not all of it can be read back."""
        plain = [as_people_wrote_it(body) for body in bodies]
        text = _written(plain)
        try:
            # Whatever has its name is none of ours: a link might lead to another file.
            self._beside.unlink(missing_ok=True)
            self._beside.touch(mode=0o600, exist_ok=False)
            self._beside.write_text(text, encoding="utf-8")
            self._beside.replace(self.path)
            read = self.path.read_text(encoding="utf-8")
        except OSError as error:
            raise click.ClickException(os_text(str(self.path), error, "write")) from error
        if read != text:
            raise click.ClickException(f"{self.path} does not hold what was written to it")

    def discard(self) -> None:
        """Take away a file that has nothing to say."""
        self._beside.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


def as_people_wrote_it(body: JsonObject) -> JsonObject:
    """Leave out of an object what the API server and the operator wrote, and what is done."""
    metadata = {key: part for key, part in body["metadata"].items() if key not in _NOT_OF_PEOPLE}
    notes = metadata.get("annotations") or {}
    metadata["annotations"] = {key: text for key, text in notes.items() if key not in _WISHES}
    metadata["finalizers"] = _others(body)
    for key in ("annotations", "finalizers"):
        if not metadata[key]:
            del metadata[key]
    rest = {key: part for key, part in body.items() if key not in ("metadata", "status")}
    return {**rest, "metadata": metadata}


def _written(bodies: list[JsonObject]) -> str:
    """Write objects as YAML; as a List in JSON where reading YAML would not give the same."""
    try:
        texts = [yaml.dump(body) for body in bodies]
        if [yaml.load(text) for text in texts] == bodies:
            return "".join(f"---\n{text}" for text in texts)
    except yaml.YAMLError:
        pass
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies}, indent=1) + "\n"


def let_go(client: Direct, bodies: list[JsonObject]) -> None:
    """Take our finalizer off objects, so that nothing is done when they are deleted."""
    for body in bodies:
        if FINALIZER not in (body["metadata"].get("finalizers") or ()):
            continue
        path = _path(body)
        _edited(client, path, _subject(body), lambda live: {"finalizers": _others(live)})


def keep_secrets(client: Direct) -> int:
    """Have Secrets with charts and logins outlive the HelmReleases they belong to; say how many."""
    count = 0
    query = {"fieldSelector": _LENT}
    for head in list(client.items(_SECRETS, query, accept=METADATA_LIST)):
        if _free_owners(head) == (head["metadata"].get("ownerReferences") or []):
            continue
        metadata = head["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/secrets/{metadata['name']}"
        subject = f"Secret {metadata['namespace']}/{metadata['name']}"
        _edited(client, path, subject, lambda live: {"ownerReferences": _free_owners(live)})
        count += 1
    return count


def _edited(client: Direct, path: str, subject: str, change: Any) -> None:  # noqa: ANN401 - a function of the object
    """Change metadata of what was just read; what is gone meanwhile needs nothing."""
    for attempt in range(_ATTEMPTS):
        try:
            live = client.get(path, subject=subject)
            version = live["metadata"]["resourceVersion"]
            body = {"metadata": {"resourceVersion": version, **change(live)}}
            query = {"fieldManager": MANAGER}
            client.send(Call("PATCH", path, query, body, MERGE_PATCH, subject=subject))
        except ClusterRefused as error:
            if error.code == _NOT_FOUND:
                return
            if error.code != _CONFLICT or attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def remove_definitions(client: Direct, timeout_seconds: float) -> None:
    """Delete the definitions and wait until they and their objects are gone."""
    for name in DEFINITIONS:
        path = path_of("CustomResourceDefinition", "", name)
        try:
            client.send(Call("DELETE", path, subject=f"CustomResourceDefinition {name}"))
        except ClusterRefused as error:
            if error.code != _NOT_FOUND:
                raise
    deadline = time.monotonic() + timeout_seconds
    while any(_is_there(client, name) for name in DEFINITIONS):
        if time.monotonic() > deadline:
            raise click.ClickException(_why_not_gone(objects(client)))
        time.sleep(POLL_SECONDS)


def _is_there(client: Direct, name: str) -> bool:
    try:
        client.get(path_of("CustomResourceDefinition", "", name))
    except ClusterRefused as error:
        if error.code != _NOT_FOUND:
            raise
        return False
    return True


def _why_not_gone(left: Objects) -> str:
    held = [
        f"{_subject(body)} (finalizers: {', '.join(body['metadata'].get('finalizers') or ())})"
        for body in left.all()
    ]
    what = f"; these objects are held by others: {', '.join(held)}" if held else ""
    return f"timed out waiting for the CustomResourceDefinitions to be gone{what}"


def _others(body: JsonObject) -> list[str]:
    return [word for word in body["metadata"].get("finalizers") or () if word != FINALIZER]


def _free_owners(body: JsonObject) -> list[JsonObject]:
    return [
        owner
        for owner in body["metadata"].get("ownerReferences") or []
        if not (owner.get("apiVersion") == API_VERSION and owner.get("kind") in KINDS)
    ]


def _path(body: JsonObject) -> str:
    metadata = body["metadata"]
    place = f"/apis/{API_VERSION}/namespaces/{metadata['namespace']}"
    return f"{place}/{KINDS[body['kind']]}/{metadata['name']}"


def _subject(body: JsonObject) -> str:
    return f"{body['kind']} {body['metadata']['namespace']}/{body['metadata']['name']}"
