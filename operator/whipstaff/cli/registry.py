"""`whipstaff registry`: log in to OCI registries and out of them, for both clients."""

import asyncio
import base64
import fcntl
import getpass
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from yarl import URL

from whipstaff.cli import credential_programs
from whipstaff.cli.downloads import certificates
from whipstaff.cli.given_values import os_text
from whipstaff.cli.helm_flags import HelmCommand, at_least_one
from whipstaff.cli.helm_home import Refused, home_of, home_options, write_whole
from whipstaff.cli.helm_logs import log
from whipstaff.cli.late import Commands
from whipstaff.cli.proxied import registry_client
from whipstaff.cli.registry_login import DOCKER_HUB, DOCKER_HUB_KEY
from whipstaff.errors import OperatorError
from whipstaff.golang.strconv import quote
from whipstaff.sources.credentials import Credentials
from whipstaff.sources.fetch import Asker
from whipstaff.sources.oci_client import Registry, Request
from whipstaff.sources.oci_place import registry_of
from whipstaff.sources.place import Place

_TIMEOUT_SECONDS = 60.0
_ANSWER_BYTES_LIMIT = 1 << 20


@click.group("registry", cls=Commands)
def registry() -> None:
    """Log in to registries and out, as `helm registry` does."""


@registry.command("login", cls=HelmCommand)
@click.argument(
    "hosts",
    nargs=-1,
    metavar="HOST",
    callback=at_least_one("whipstaff registry login [host] [flags]"),
)
@click.option("-u", "--username", default="", help="User at the registry.")
@click.option("-p", "--password", default="", help="Password; asked for if left out.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--insecure", is_flag=True, help="Check no certificate of the registry.")
@click.option("--cert-file", default="", help="Certificate to show, in PEM.")
@click.option("--key-file", default="", help="Key of that certificate, in PEM.")
@click.option("--ca-file", default="", help="Authorities to trust, in PEM.")
@click.option("--plain-http", is_flag=True, help="Ask without TLS.")
@home_options
def login(hosts: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Prove a login at a registry, and keep it."""
    file, host = home_of(flags).registry_config, hosts[0]
    username, password = _username_and_password(flags)
    if "/" in host:
        log(
            "WARN",
            "registry login currently only supports registry hostname, not a repository path",
            host=host,
            suggested=host.partition("/")[0],
        )
    known = certificates(flags["ca_file"], flags["cert_file"], flags["key_file"])
    credentials = Credentials(username=username, password=password).trusting(known)
    place = _registry(host, credentials, plain=flags["plain_http"], insecure=flags["insecure"])
    try:
        asyncio.run(_prove(place))
    except OperatorError as error:
        raise Refused(f"authenticating to {quote(host)}: {error.text}") from error
    _keep(file, _key(host), username, password)
    click.echo("Login Succeeded")


@registry.command("logout", cls=HelmCommand)
@click.argument(
    "hosts",
    nargs=-1,
    metavar="HOST",
    callback=at_least_one("whipstaff registry logout [host] [flags]"),
)
@home_options
def logout(hosts: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Forget the login at a registry."""
    file, host = home_of(flags).registry_config, hosts[0]
    _forget(file, _key(host))
    click.echo(f"Removing login credentials for {host}")


def _username_and_password(flags: dict[str, Any]) -> tuple[str, str]:
    username, password = flags["username"], flags["password"]
    if flags["password_stdin"]:
        return username, sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if password:
        log("WARN", "using --password via the CLI is insecure. Use --password-stdin")
        return username, password
    if not username:
        click.echo("Username: ", nl=False)
        username = sys.stdin.readline()
        if not username:
            raise Refused("EOF")
        username = username.strip()
    what = "Password" if username else "Token"
    if not sys.stdin.isatty():
        click.echo(f"{what}: ", nl=False)
        raise Refused("inappropriate ioctl for device")
    password = getpass.getpass(f"{what}: ", sys.stdout)
    if not password:
        raise Refused(f"{what.lower()} required")
    return username, password


def _registry(host: str, credentials: Credentials, *, plain: bool, insecure: bool) -> Registry:
    try:
        url = URL(f"oci://{host}")
    except ValueError as error:
        raise Refused(f"invalid reference: invalid registry {quote(host)}") from error
    if not url.host or url.path not in {"", "/"} or url.raw_user is not None:
        raise Refused(f"invalid reference: invalid registry {quote(host)}")
    place = Place(url, credentials, insecure=plain, timeout_seconds=_TIMEOUT_SECONDS)
    found = registry_of(place)
    if not insecure or plain:
        return found
    asker = Asker(credentials, insecure=True, timeout_seconds=_TIMEOUT_SECONDS)
    return Registry(found.origin.with_scheme("https"), asker)


async def _prove(place: Registry) -> None:
    client = registry_client()
    try:
        url = place.origin.joinpath("v2", "")
        answer = await client.ask(place, Request("GET", url, "", _ANSWER_BYTES_LIMIT))
    finally:
        await client.close()
    if answer.status >= 400:  # noqa: PLR2004 - HTTP's errors
        raise OperatorError(f"{url}: response status code {answer.status}")


def _key(host: str) -> str:
    return DOCKER_HUB_KEY if host in DOCKER_HUB else host


def _keep(file: Path, key: str, username: str, password: str) -> None:
    with _changing(file) as config:
        if program := credential_programs.program_of(config, key):
            credential_programs.store(program, key, username, password)
        pair = base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
        auths = config.get("auths") or {}
        # Where a program keeps the login, its name alone stands in the file.
        config["auths"] = {**auths, key: {} if program else {"auth": pair}}


def _forget(file: Path, key: str) -> None:
    with _changing(file) as config:
        if program := credential_programs.program_of(config, key):
            credential_programs.erase(program, key)
        auths = config.get("auths") or {}
        if key in auths:
            config["auths"] = {name: one for name, one in auths.items() if name != key}


@contextmanager
def _changing(file: Path) -> Iterator[dict[str, Any]]:
    """Give what the file says, and write it if that was changed; one process at a time."""
    if not file.parent.is_dir():
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Refused(os_text(str(file.parent), error, verb="mkdir")) from error
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        config = _read(file)
        before = json.dumps(config)
        yield config
        if json.dumps(config) != before:
            write_whole(Path(os.path.realpath(file)), _text(config), mode=0o600)
    finally:
        os.close(folder)


def _read(file: Path) -> dict[str, Any]:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        why = os_text(str(file), error)
        raise Refused(f"failed to open config file at {file}: {why}") from error
    try:
        found = json.loads(data) if data.strip() else {}
    except (ValueError, RecursionError) as error:
        raise Refused(f"failed to decode config file {file}: invalid config format") from error
    auths = found.get("auths") if isinstance(found, dict) else 0
    if not isinstance(found, dict) or not (auths is None or isinstance(auths, dict)):
        raise Refused(f"failed to decode config file {file}: invalid config format")
    return found


def _text(config: dict[str, Any]) -> bytes:
    """Return the file as docker's libraries write it."""
    auths = dict(sorted(config.get("auths", {}).items()))
    ordered = dict(sorted({**config, "auths": auths}.items()))
    return json.dumps(ordered, indent="\t", ensure_ascii=False).encode()
