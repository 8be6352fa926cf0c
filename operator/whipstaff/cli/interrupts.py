"""Ctrl-C: nothing is left half-written, and a person is told how to go on."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from whipstaff.cli.helm_flags import INTERRUPTED
from whipstaff.cli.helmreleases import HelmReleases


class Interrupted(click.ClickException):
    """A command that Ctrl-C ended; the message says what goes on without it."""

    exit_code = INTERRUPTED


def goes_on(releases: HelmReleases, name: str) -> Interrupted:
    """Return what ends a wait: the operator needs nobody who waits."""
    subject, place = releases.subject(name), f"{name} -n {releases.cluster.namespace}"
    return Interrupted(
        f"no longer waiting for {subject}; the operator goes on: "
        f"`whipstaff wait {place}` waits again, `whipstaff status {place}` shows where it stands"
    )


@contextmanager
def unwritten() -> Iterator[None]:
    """Say that nothing was written yet, where Ctrl-C comes before."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise Interrupted("interrupted; nothing was written") from interrupt


@contextmanager
def written_whole(releases: HelmReleases, name: str) -> Iterator[None]:
    """Have Ctrl-C wait until all that belongs together is written; a second one ends it at once."""
    if threading.current_thread() is not threading.main_thread():  # which alone is told of signals
        yield
        return
    asked = False

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        click.echo("ends once all is written; Ctrl-C again ends it at once", err=True)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise Interrupted(
            f"interrupted while {releases.subject(name)} was written: the same command again "
            "writes all of it"
        ) from interrupt
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise goes_on(releases, name)
