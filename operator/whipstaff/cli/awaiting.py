"""Wait for the operator, and show what it waits for: live on a terminal, as lines elsewhere."""

import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import click

from whipstaff.cli.helm_flags import Decorated
from whipstaff.cli.helmreleases import HelmReleases
from whipstaff.golang.durations import parse_duration
from whipstaff.release.revision import JsonObject

INTERRUPTED = 130  # as the shell has it
POLL_SECONDS = 0.4
_NANOSECONDS = 1e9


class _Interrupted(click.ClickException):
    exit_code = INTERRUPTED


def seconds(_: click.Context, option: click.Parameter, text: str) -> float:
    """Read a duration as Go writes it."""
    try:
        return parse_duration(text) / _NANOSECONDS
    except ValueError as error:
        name = option.opts[-1]
        raise click.ClickException(
            f'invalid argument "{text}" for "{name}" flag: {error}'
        ) from error


def timeout_flag(command: Decorated) -> Decorated:
    """Add helm's `--timeout`."""
    return click.option(
        "--timeout", default="5m0s", callback=seconds, help="How long to wait at most."
    )(command)


def is_acted_on(live: JsonObject, requested: str = "") -> bool:
    """Whether the operator has come to an end with what spec says, or with a request."""
    status = live.get("status") or {}
    if requested and status.get("lastHandledReconcileAt") != requested:
        return _is(live, "Stalled", "True")
    generation = live["metadata"].get("generation", 0)
    if status.get("observedGeneration") != generation or _is(live, "Reconciling", "True"):
        return False
    ready = _condition(live, "Ready")
    return ready.get("observedGeneration", generation) == generation and bool(ready)


def _is(live: JsonObject, kind: str, value: str) -> bool:
    found = _condition(live, kind)
    current = found.get("observedGeneration") == live["metadata"].get("generation")
    return current and found.get("status") == value


def _condition(live: JsonObject, kind: str) -> JsonObject:
    conditions = (live.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == kind), {})


def ready(live: JsonObject) -> tuple[bool, str]:
    """Return whether a HelmRelease is ready, and what it says of itself."""
    found = _condition(live, "Ready")
    return found.get("status") == "True", str(found.get("message", ""))


def wait_for(
    releases: HelmReleases, name: str, timeout_seconds: float, requested: str = ""
) -> JsonObject:
    """Wait until the operator has done what is asked; a ClickException tells how it failed."""
    with _Showing(releases.subject(name)) as showing:
        deadline = time.monotonic() + timeout_seconds
        while True:
            live = releases.get(name)
            if (live.get("spec") or {}).get("suspend") is True:
                raise click.ClickException(f"{releases.subject(name)} is suspended")
            if is_acted_on(live, requested):
                break
            showing.show(live)
            if time.monotonic() > deadline:
                raise click.ClickException(_too_late(releases.subject(name), live))
            time.sleep(POLL_SECONDS)
    done, message = ready(live)
    if not done:
        raise click.ClickException(f"{releases.subject(name)}: {_plain(message)}")
    return live


def wait_until_gone(releases: HelmReleases, name: str, timeout_seconds: float) -> None:
    """Wait until a deleted HelmRelease is gone, and its release uninstalled with it."""
    with _Showing(releases.subject(name)) as showing:
        deadline = time.monotonic() + timeout_seconds
        while (live := releases.find(name)) is not None:
            showing.show(live)
            if time.monotonic() > deadline:
                raise click.ClickException(_too_late(releases.subject(name), live))
            time.sleep(POLL_SECONDS)


def _too_late(subject: str, live: JsonObject) -> str:
    lines = list(_lines(live))
    why = "\n".join(f"  {line}" for line in lines)
    return f"timed out waiting for {subject}; the operator goes on" + (f"\n{why}" if why else "")


@dataclass(slots=True)
class _Showing:
    """Tells what is waited for, each thing once, or again and again in place on a terminal."""

    subject: str
    _told: set[str] = field(default_factory=set)
    _height: int = 0

    def __enter__(self) -> "_Showing":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._clear()
        if kind is KeyboardInterrupt:
            raise _Interrupted(f"no longer waiting for {self.subject}; the operator goes on")

    def show(self, live: JsonObject) -> None:
        """Tell where it stands."""
        lines = list(_lines(live))
        if not sys.stderr.isatty():
            for line in lines:
                if line not in self._told:
                    click.echo(line, err=True)
            self._told |= set(lines)
            return
        self._clear()
        width = shutil.get_terminal_size().columns - 1  # a line that wraps cannot be taken back
        for line in lines:
            click.echo(line[:width], err=True)
        self._height = len(lines)

    def _clear(self) -> None:
        height, self._height = self._height, 0  # first: an interrupt may come in between
        if height:
            click.echo(f"\x1b[{height}A\x1b[J", nl=False, err=True)


def _lines(live: JsonObject) -> Iterator[str]:
    """Yield what the operator is doing, and each object that is not ready with its cause."""
    for kind in ("Reconciling", "ApprovalRequired", "Stalled"):
        found = _condition(live, kind)
        if found.get("status") == "True":
            yield _plain(str(found.get("message", "")))
    for one in (live.get("status") or {}).get("unready") or ():
        place = f"{one.get('namespace')}/" if one.get("namespace") else ""
        yield _plain(f"{one.get('kind', '')} {place}{one.get('name', '')}: {one.get('cause', '')}")


def _plain(text: str) -> str:
    """Take from a text what would steer a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
