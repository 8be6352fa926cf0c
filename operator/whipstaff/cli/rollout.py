"""Wait for an object of the installation, and say why it is not ready if it takes too long."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from whipstaff.cli.awaiting import POLL_SECONDS
from whipstaff.cli.carried import path_of, subject_of
from whipstaff.cli.interrupts import Interrupted
from whipstaff.kube.direct import Direct
from whipstaff.planning.readiness import Verdict, readiness
from whipstaff.release.revision import JsonObject


@contextmanager
def interruptible(told: str) -> Iterator[None]:
    """Have Ctrl-C end the command with this sentence."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(told) from None


def await_ready(client: Direct, body: JsonObject, timeout_seconds: float) -> None:
    """Wait until an object is ready; a ClickException says what it lacks."""
    metadata = body["metadata"]
    subject = subject_of(body)
    path = path_of(str(body["kind"]), str(metadata.get("namespace", "")), str(metadata["name"]))
    deadline = time.monotonic() + timeout_seconds
    told = ""
    while (found := readiness(client.get(path, subject=subject))).verdict is not Verdict.READY:
        if time.monotonic() > deadline:
            raise click.ClickException(f"timed out waiting for {subject}: {found.cause}")
        if found.cause != told:
            click.echo(f"{subject}: {found.cause}", err=True)
            told = found.cause
        time.sleep(POLL_SECONDS)
