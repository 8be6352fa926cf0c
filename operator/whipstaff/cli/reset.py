"""`whipstaff reset`: the operator goes, and what it installed stays."""

import shlex
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from whipstaff.cli import letting_go
from whipstaff.cli.awaiting import POLL_SECONDS, timeout_flag
from whipstaff.cli.carried import noted, path_of, subject_of
from whipstaff.cli.cluster_flags import api_server_flags, reached_directly
from whipstaff.cli.helm_flags import HelmCommand, exactly
from whipstaff.cli.installations import Installation, Maker, installations
from whipstaff.cli.lease_holders import LeaseWatch
from whipstaff.cli.letting_go import Saved
from whipstaff.cli.owned import owned, take_away
from whipstaff.cli.preflight import Right, Rights, right_to
from whipstaff.cli.rollout import interruptible
from whipstaff.helmrelease.edits import MANAGER
from whipstaff.helmrelease.names import GROUP
from whipstaff.kube.direct import Call, Direct
from whipstaff.kube.media_types import MERGE_PATCH
from whipstaff.release.revision import JsonObject
from whipstaff.settings import VERSION


@click.command("reset", cls=HelmCommand)
@click.argument("arguments", nargs=-1, callback=exactly(0, "whipstaff reset [flags]"))
@click.option(
    "--crds", is_flag=True, help="Remove the definitions and HelmReleases too; nothing stops."
)
@click.option("--file", default="", help="Where HelmReleases are written before they go.")
@timeout_flag
@api_server_flags
def reset(arguments: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Remove the operator, and nothing that it installed."""
    del arguments
    wanted = flags["namespace"]
    with reached_directly(flags) as cluster:
        client = cluster.client
        there = _ours(installations(client, wanted), wanted, crds=flags["crds"])
        if not there and not flags["crds"]:
            raise click.ClickException("no operator is installed that `reset` could remove")
        _check_rights(client, there, crds=flags["crds"])
        with interruptible("not finished: run the same again"):
            if flags["crds"]:
                _reset_all(client, there, flags)
                return
            for one in there:
                _remove(client, one, flags["timeout"])
    click.echo(
        "HelmReleases, their releases and all that runs stay; `whipstaff init` takes them up"
    )


def _ours(found: list[Installation], namespace: str, *, crds: bool) -> list[Installation]:
    """Choose what is to be removed; a ClickException if others have to be asked."""
    chosen = [one for one in found if namespace in ("", one.namespace)]
    # Without definitions no operator may be left, whoever made it.
    concerned = found if crds else chosen
    for one in concerned:
        if one.maker in (Maker.HELM, Maker.GIT):
            raise click.ClickException(f"nothing was changed: there is {one}; {one.removed}")
        if not one.instance:
            raise click.ClickException(
                f"nothing was changed: what belongs to {one}, cannot be told from others, as its "
                "Deployment has no label app.kubernetes.io/instance"
            )
    if crds and len(chosen) != len(found):
        others = ", ".join(str(one) for one in found if one not in chosen)
        raise click.ClickException(f"nothing was changed: there is {others} as well")
    if len(chosen) > 1 and not crds:
        raise click.ClickException(
            f"there are several operators, in the namespaces "
            f"{', '.join(one.namespace for one in chosen)}: say which with --namespace"
        )
    return chosen


def _check_rights(client: Direct, there: list[Installation], *, crds: bool) -> None:
    """Ask for all rights beforehand: half of a removal would be the worst of all."""
    rights = Rights(client)
    needed = [right for one in there for right in _needed_for(client, one)]
    if crds:
        needed += _NEEDED_FOR_DEFINITIONS
    lacking = [str(right) for right in dict.fromkeys(needed) if not rights.has(right)]
    if lacking:
        listed = "\n".join(f"- you may not {right}" for right in lacking)
        raise click.ClickException(f"nothing was changed, because:\n{listed}")


def _needed_for(client: Direct, one: Installation) -> list[Right]:
    return [
        Right("patch", "apps", "deployments", one.namespace, one.name),
        Right("list", "", "pods", one.namespace),
        *(right_to("delete", body) for body in owned(client, one)),
    ]


_NEEDED_FOR_DEFINITIONS = [
    *(
        Right(verb, GROUP, plural)
        for plural in letting_go.KINDS.values()
        for verb in ("list", "get", "patch")
    ),
    *(
        Right(verb, "apiextensions.k8s.io", "customresourcedefinitions", "", name)
        for name in letting_go.DEFINITIONS
        for verb in ("get", "delete")
    ),
    Right("list", "", "secrets"),
    Right("get", "", "secrets"),
    Right("patch", "", "secrets"),
    Right("list", "coordination.k8s.io", "leases"),
    Right("list", "apps", "deployments"),
]


def _remove(client: Direct, one: Installation, timeout_seconds: float) -> None:
    """Stop an operator, see that it is gone, and delete what it had: its rights after itself."""
    bodies = list(owned(client, one))
    webhooks = [body for body in bodies if body["kind"].endswith("WebhookConfiguration")]
    for body in webhooks:
        take_away(client, body)
    _stop(client, one, timeout_seconds)
    for body in bodies:
        if body not in webhooks:
            take_away(client, body)
    click.echo(f"removed {one}")
    if one.maker is Maker.INIT:
        again = ["whipstaff", "init", "-n", one.namespace]
        again += ["--version", one.version] if one.version != VERSION else []
        again += ["--set-json", noted(one.values)] if one.values else []
        click.echo(f"the same again: {shlex.join(again)}")


def _stop(client: Direct, one: Installation, timeout_seconds: float) -> None:
    """Have no pod of an operator run any more; a ClickException says which does."""
    path = path_of("Deployment", one.namespace, one.name)
    subject = f"Deployment {one.namespace}/{one.name}"
    live = client.get(path, subject=subject)
    body = {"spec": {"replicas": 0}}
    query = {"fieldManager": MANAGER}
    client.send(Call("PATCH", path, query, body, MERGE_PATCH, subject=subject))
    labels = live["spec"]["selector"].get("matchLabels") or {}
    selector = ",".join(f"{name}={text}" for name, text in labels.items())
    deadline = time.monotonic() + timeout_seconds
    while pods := _pods(client, one.namespace, selector):
        if time.monotonic() > deadline:
            raise click.ClickException(
                f"the operator does not end: {', '.join(pods)}; its Deployment has no replicas "
                "now, and nothing else was removed: run the same again once they are gone"
            )
        time.sleep(POLL_SECONDS)


def _pods(client: Direct, namespace: str, selector: str) -> list[str]:
    path = f"/api/v1/namespaces/{namespace}/pods"
    ended = ("Succeeded", "Failed")
    return [
        f"Pod {namespace}/{pod['metadata']['name']}"
        for pod in client.items(path, {"labelSelector": selector})
        if (pod.get("status") or {}).get("phase") not in ended
    ]


def _reset_all(client: Direct, there: list[Installation], flags: dict[str, Any]) -> None:
    """Write HelmReleases to a file, and let go of everything; only then definitions are deleted.

    Until they are deleted all can be stopped: `init` takes up what is there.
    """
    moment = datetime.now(UTC)  # noqa: TID251 - a name that is new
    saved = Saved(Path(flags["file"] or f"whipstaff-helmreleases-{moment:%Y%m%d-%H%M%S}.yaml"))
    try:
        found = letting_go.objects(client)
        saved.write(found.kept)
        for one in there:
            _remove(client, one, flags["timeout"])
        leases = LeaseWatch(client)
        _see_that_nobody_works(client, leases)
        secrets = letting_go.keep_secrets(client)
        letting_go.let_go(client, list(found.all()))
        # Somebody may have edited a HelmRelease meanwhile, and an operator have been started.
        last = letting_go.objects(client)
        letting_go.let_go(client, list(last.all()))
        saved.write(last.kept)
        _see_that_nobody_works(client, leases)
    except BaseException:
        saved.discard()  # it says nothing that the cluster does not, and is in the way of the next
        raise
    try:
        letting_go.remove_definitions(client, flags["timeout"])
    except BaseException:
        _tell_of_file(saved, last.kept)
        raise
    _tell(saved, last.kept, found.going, secrets)


def _see_that_nobody_works(client: Direct, leases: LeaseWatch) -> None:
    left = installations(client, "")
    if left:
        raise click.ClickException(f"an operator is installed again: {left[0]}; no definition went")
    working = leases.still_working()
    if working:
        raise click.ClickException(
            f"an operator is at work: {working}. Stop it and run the same again; "
            "no definition was removed"
        )


def _tell_of_file(saved: Saved, kept: list[JsonObject]) -> None:
    """Say where HelmReleases are that may be in the cluster no more; the next run has them not."""
    if not kept:
        saved.discard()
        return
    click.echo(
        f"{saved.path} holds {len(kept)} HelmReleases and HelmRepositories that may be nowhere "
        "else by now: keep it, and have the next run write to another file",
        err=True,
    )


def _tell(saved: Saved, kept: list[JsonObject], going: list[JsonObject], secrets: int) -> None:
    click.echo("removed the definitions; what runs goes on, and so do the records of its revisions")
    if secrets:
        click.echo(f"{secrets} Secrets of HelmReleases, with charts and logins, were kept")
    for body in going:
        click.echo(
            f"{subject_of(body)} was being deleted: what is left of its release stays", err=True
        )
    if not kept:
        saved.discard()
        click.echo("there was no HelmRelease to write to a file")
        return
    click.echo(
        f"{len(kept)} HelmReleases and HelmRepositories were written to {saved.path}; after "
        f"`whipstaff init`, `kubectl apply --server-side -f {shlex.quote(str(saved.path))}` "
        "has them taken up again"
    )
