"""Programs that keep logins at registries, as docker's file of logins names them."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from whipstaff.cli.helm_home import Refused
from whipstaff.sources.credentials import ANONYMOUS, Credentials

_TOKEN = "<token>"  # noqa: S105 - what stands for a user where there is none
_TIMEOUT_SECONDS = 60.0


def program_of(config: Mapping[str, Any], server: str) -> str:
    """Return the program that keeps the login at a server, empty if the file itself does."""
    helpers = config.get("credHelpers")
    named = helpers.get(server) if isinstance(helpers, dict) else None
    found = named or config.get("credsStore")
    return f"docker-credential-{found}" if isinstance(found, str) and found else ""


def fetched(program: str, server: str) -> Credentials:
    """Return the login that a program keeps; nobody's if it keeps none or cannot say."""
    try:
        found = json.loads(_ask(program, "get", server))
        username, secret = str(found["Username"]), str(found["Secret"])
    except (Refused, ValueError, TypeError, KeyError, RecursionError):
        return ANONYMOUS
    if username in {"", _TOKEN}:
        return Credentials(identity_token=secret)
    return Credentials(username=username, password=secret)


def store(program: str, server: str, username: str, password: str) -> None:
    """Give a program a login to keep; Refused if it does not."""
    login = {"ServerURL": server, "Username": username or _TOKEN, "Secret": password}
    _ask(program, "store", json.dumps(login))


def erase(program: str, server: str) -> None:
    """Have a program forget a login; Refused if it does not."""
    _ask(program, "erase", server)


def _ask(program: str, action: str, text: str) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - named by the user's own file, as docker runs it
            [program, action],
            input=text.encode(),
            capture_output=True,
            check=True,
            timeout=_TIMEOUT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Refused(f"{program} {action} failed") from error
    return done.stdout
