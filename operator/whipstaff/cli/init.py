"""`whipstaff init`: the definitions and the operator, from what the package carries."""

import base64
import json
import re
import ssl
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from whipstaff.chart.values import merge_documents
from whipstaff.cli.awaiting import timeout_flag
from whipstaff.cli.carried import (
    NAME,
    NAMESPACE,
    VERSION_LABEL,
    Carried,
    Choice,
    carried,
    noted,
    path_of,
    subject_of,
    table,
)
from whipstaff.cli.cluster_flags import api_server_flags, reached_directly
from whipstaff.cli.given_values import ValuesRefused, given, os_text, value_options
from whipstaff.cli.helm_flags import HelmCommand, exactly
from whipstaff.cli.image_names import CANARY, ImageRefused, image_values, operator_version
from whipstaff.cli.installations import Installation, Maker, installations
from whipstaff.cli.owned import key_of, owned, take_away
from whipstaff.cli.preflight import is_there, missing_rights, of_objects, of_the_server, read
from whipstaff.cli.printing import as_yaml, echo
from whipstaff.cli.rollout import await_ready, interruptible
from whipstaff.errors import ClusterRefused, OperatorError
from whipstaff.golang.semver import SemverError, Version
from whipstaff.helmrelease.edits import MANAGER
from whipstaff.helmrelease.names import API_VERSION, PLURAL
from whipstaff.kube.direct import Call, Direct
from whipstaff.kube.media_types import APPLY_PATCH, METADATA_LIST
from whipstaff.release.revision import JsonObject
from whipstaff.settings import VERSION

CERTIFICATE = f"{NAME}-gateway-tls"  # the Secret of --tls-cert
_CLIENT_CA = "ca.crt"
_FORBIDDEN = 403
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_OF_ONE_VERSION = ("tag", "digest")  # of an image: an upgrade does not keep them


@click.command("init", cls=HelmCommand)
@click.argument("arguments", nargs=-1, callback=exactly(0, "whipstaff init [flags]"))
@click.option("--upgrade", is_flag=True, help="Upgrade an installation that `init` made.")
@click.option("--check", is_flag=True, help="Say what is missing or in the way; change nothing.")
@click.option("--image", default="", help="Image of the operator, with a tag or digest or without.")
@click.option(
    "--version", default="", help="Version of the operator; that of this client if empty."
)
@click.option("--canary", is_flag=True, help="Take the image `canary`, always a new one.")
@click.option("--service-account", default="", help="An account that is there already.")
@click.option("--tls-cert", default="", help="Certificate of the gateway, in PEM; installs it.")
@click.option("--tls-key", default="", help="Its key.")
@click.option("--tls-client-ca", default="", help="Whose certificates say who a client is.")
@value_options
@click.option("--wait", is_flag=True, help="Wait until the operator is ready.")
@timeout_flag
@click.option(
    "-o", "--output", type=click.Choice(["yaml", "json"]), help="Print the objects, make none."
)
@api_server_flags
def init(arguments: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Install the operator, or upgrade it."""
    del arguments
    flags["namespace"] = flags["namespace"] or NAMESPACE
    choice = _chosen(flags)
    if flags["output"]:
        _print(_carried(choice), flags["output"])
        return
    with reached_directly(flags) as cluster:
        if flags["check"]:
            _check(cluster.client, choice, upgrade=flags["upgrade"])
            return
        _install(cluster.client, choice, flags)


def _chosen(flags: dict[str, Any]) -> Choice:
    """Read what the flags say about what is installed where."""
    for flag in ("namespace", "service_account"):
        if flags[flag] and not _NAME.fullmatch(flags[flag]):
            raise click.ClickException(f'--{flag.replace("_", "-")} "{flags[flag]}": no name')
    try:
        values = given(flags).merged()
        version = operator_version(flags["version"], canary=flags["canary"])
        image = image_values(flags["image"], version, canary=flags["canary"])
    except (ValuesRefused, ImageRefused) as error:
        raise click.ClickException(str(error)) from error
    if image:
        values = merge_documents([values, {"image": image}])
    if flags["service_account"]:
        account = {"create": False, "name": flags["service_account"]}
        values = merge_documents([values, {"serviceAccount": account}])
    secrets = _certificate(flags)
    for one in secrets:
        tls = {"secretName": CERTIFICATE}
        if _CLIENT_CA in one["data"]:
            tls["clientCA"] = _CLIENT_CA
        values = merge_documents([values, {"gateway": {"enabled": True, "tls": tls}}])
    return Choice(flags["namespace"], values, version, secrets)


def _certificate(flags: dict[str, Any]) -> tuple[JsonObject, ...]:
    """Make the Secret of a certificate; a ClickException if its files do not fit together."""
    cert, key, authority = flags["tls_cert"], flags["tls_key"], flags["tls_client_ca"]
    if not cert and not key and not authority:
        return ()
    if not cert or not key:
        raise click.ClickException("--tls-cert and --tls-key are needed, both of them")
    files = {"tls.crt": cert, "tls.key": key, **({_CLIENT_CA: authority} if authority else {})}
    data = {name: _file(path) for name, path in files.items()}
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key, password="")
    except (ssl.SSLError, OSError) as error:
        raise click.ClickException(f"{cert}, {key}: no certificate and its key, in PEM") from error
    try:
        if authority:
            context.load_verify_locations(authority)
    except (ssl.SSLError, OSError) as error:
        raise click.ClickException(f"{authority}: no certificates in PEM") from error
    body: JsonObject = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {
            "name": CERTIFICATE,
            "labels": {
                "app.kubernetes.io/name": f"{NAME}-gateway",
                "app.kubernetes.io/instance": NAME,
            },
        },
        "data": {name: base64.b64encode(part).decode() for name, part in data.items()},
    }
    return (body,)


def _file(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise click.ClickException(os_text(path, error)) from error


def _carried(choice: Choice) -> Carried:
    try:
        return carried(choice)
    except OperatorError as error:
        raise click.ClickException(error.text) from error


def _print(found: Carried, output: str) -> None:
    if output == "json":
        items = list(found.all())
        click.echo(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=2))
        return
    for body in found.all():
        echo(f"---\n{as_yaml(body)}")


@dataclass(frozen=True, slots=True)
class _Intent:
    """What is to be done to a cluster, and what stands in its way."""

    choice: Choice
    carried: Carried
    there: list[Installation]  # operators
    ours: Installation | None  # the one among them that is upgraded, or finished
    going: list[JsonObject]  # what it had and has no more
    missing: list[str]
    notes: list[str]


def _looked(client: Direct, choice: Choice, *, upgrade: bool) -> _Intent:
    """Find out all that there is to know; nothing is written."""
    there = _operators(client, choice.namespace)
    ours = next((one for one in there if _is_meant(one, choice, upgrade=upgrade)), None)
    if ours is not None and upgrade:
        choice = replace(choice, values=_kept(ours, choice.values or {}))
    found, notes = _fitting(client, _carried(choice))
    going = _no_more(client, ours, found) if ours is not None else []
    others = [one for one in there if one is not ours]
    missing = [*of_the_server(client), *(f"there is {one}: {one.upgraded}" for one in others)]
    if upgrade and not there:
        missing.append("no operator is installed that could be upgraded: leave --upgrade out")
    if not others:
        missing += of_objects(client, found)
    missing += missing_rights(client, found, going)
    return _Intent(choice, found, there, ours, going, missing, notes)


def _operators(client: Direct, namespace: str) -> list[Installation]:
    try:
        return installations(client, namespace)
    except ClusterRefused as error:
        if error.code != _FORBIDDEN:
            raise
        return []  # that the right is missing is told with the others


def _is_meant(one: Installation, choice: Choice, *, upgrade: bool) -> bool:
    """Whether an operator may be changed, or is the very one that is asked for.

    Made of the same it is made again: what was interrupted is finished, what was deleted is back.
    """
    if one.maker is not Maker.INIT or one.namespace != choice.namespace:
        return False
    same = one.version == (choice.version or VERSION)
    return upgrade or (same and noted(one.values) == noted(choice.values or {}))


def _kept(before: Installation, now: JsonObject) -> JsonObject:
    """Lay values over those of an installation, but for what chose its version."""
    dropped = _OF_ONE_VERSION + (("pullPolicy",) if before.version == CANARY else ())
    image = table(before.values.get("image"))
    image = {key: part for key, part in image.items() if key not in dropped}
    values = {key: part for key, part in before.values.items() if key != "image"}
    return merge_documents([values, {"image": image} if image else {}, now])


def _no_more(client: Direct, ours: Installation, found: Carried) -> list[JsonObject]:
    """Return what an installation had and has no more: rights, above all."""
    kept = {key_of(body) for body in found.objects}
    return [body for body in owned(client, ours) if key_of(body) not in kept]


def _check(client: Direct, choice: Choice, *, upgrade: bool) -> None:
    """Say all that is missing; code 1 if something is."""
    intent = _looked(client, choice, upgrade=upgrade)
    click.echo(f"API server: {client.get('/version').get('gitVersion', '')}")
    for one in intent.there:
        click.echo(f"operator: {one}")
    taken_up = _helmreleases(client)
    if taken_up:
        click.echo(f"HelmReleases: {taken_up}, which are taken up as they are")
    for line in intent.notes:
        click.echo(f"note: {line}")
    if intent.missing:
        raise click.ClickException(_listed("in the way:", intent.missing))
    click.echo(f"nothing is in the way of {choice.version or VERSION}")


def _listed(title: str, missing: list[str]) -> str:
    return "\n".join([title, *(f"- {one}" for one in missing)])


def _install(client: Direct, choice: Choice, flags: dict[str, Any]) -> None:
    intent = _looked(client, choice, upgrade=flags["upgrade"])
    if intent.missing:
        raise click.ClickException(_listed("nothing was changed, because:", intent.missing))
    for line in intent.notes:
        click.echo(f"note: {line}", err=True)
    taken_up = _helmreleases(client)
    with interruptible("not finished: run the same again"):
        _apply_all(client, intent.carried.marked(intent.choice.values or {}), flags["timeout"])
        for body in intent.going:
            take_away(client, body)
        if flags["wait"]:
            for body in intent.carried.objects:
                if body["kind"] == "Deployment":
                    await_ready(client, body, flags["timeout"])
    version = choice.version or VERSION
    before = intent.ours.version if intent.ours else version
    change = f" in place of {before}" if before != version else ""
    click.echo(f"whipstaff {version} is installed in the namespace {choice.namespace}{change}")
    if taken_up:
        click.echo(f"HelmReleases: {taken_up}, taken up as they are")


def _fitting(client: Direct, found: Carried) -> tuple[Carried, list[str]]:
    """Leave definitions of a newer version as they are, and say so.

    An older one does not know all fields, and the API server would drop these from HelmReleases.
    """
    kept, notes = [], []
    for body in found.definitions:
        live = read(client, body) or {}
        labels = (live.get("metadata") or {}).get("labels") or {}
        newer = str(labels.get(VERSION_LABEL, ""))
        if _is_newer(newer):
            notes.append(f"{subject_of(body)} stays as version {newer} made it")
        else:
            kept.append(body)
    return replace(found, definitions=tuple(kept)), notes


def _is_newer(version: str) -> bool:
    try:
        return bool(version) and Version.parse(version) > Version.parse(VERSION)
    except SemverError:
        return False


def _helmreleases(client: Direct) -> int:
    """Count what waits for an operator; 0 where nobody may say."""
    try:
        path = f"/apis/{API_VERSION}/{PLURAL}"
        return sum(1 for _ in client.items(path, accept=METADATA_LIST))
    except ClusterRefused:
        return 0


def _apply_all(client: Direct, found: Carried, timeout_seconds: float) -> None:
    if not is_there(client, found.namespace):
        _apply(client, found.namespace)
    for body in found.definitions:
        _apply(client, body)
    for body in found.definitions:
        await_ready(client, body, timeout_seconds)
    for body in found.objects:
        _apply(client, body)


def _apply(client: Direct, body: JsonObject) -> None:
    metadata = body["metadata"]
    path = path_of(str(body["kind"]), str(metadata.get("namespace", "")), str(metadata["name"]))
    query = {"fieldManager": MANAGER, "force": "true"}
    client.send(Call("PATCH", path, query, body, APPLY_PATCH, subject=subject_of(body)))
