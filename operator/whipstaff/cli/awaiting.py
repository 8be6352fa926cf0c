"""Wait for the operator, and show what it waits for: live on a terminal, as lines elsewhere."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import click

from whipstaff.cli.helm_flags import Decorated
from whipstaff.cli.helmreleases import HelmReleases
from whipstaff.cli.interrupts import Interrupted, goes_on
from whipstaff.golang.durations import parse_duration
from whipstaff.release.revision import JsonObject

POLL_SECONDS = 0.4
_NANOSECONDS = 1e9


@contextmanager
def failing(what: str) -> Iterator[None]:
    """Begin the message of a failure with what failed, as helm does."""
    try:
        yield
    except Interrupted:
        raise
    except click.ClickException as error:
        raise click.ClickException(f"{what}: {error.message}") from error


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
    live = _waited(releases, name, timeout_seconds, lambda live: is_acted_on(live, requested))
    done, message = ready(live)
    if not done:
        raise click.ClickException(f"{releases.subject(name)}: {_plain(message)}")
    return live


def wait_for_tests(
    releases: HelmReleases, name: str, timeout_seconds: float, request: str
) -> JsonObject:
    """Wait until the tests ran that were asked for; a ClickException tells why they did not."""

    def is_answered(live: JsonObject) -> bool:
        return (live.get("status") or {}).get("lastHandledTestAt") == request

    live = _waited(releases, name, timeout_seconds, is_answered)
    if (live.get("status") or {}).get("testRequest") != request:
        why = _plain(ready(live)[1])
        raise click.ClickException(f"{releases.subject(name)}: no test ran: {why}")
    return live


def outcome_of_tests(live: JsonObject) -> tuple[bool, str]:
    """Return whether tests failed, and what is told of them."""
    found = _condition(live, "Tested")
    return found.get("status") == "False", _plain(str(found.get("message", "")))


def _waited(
    releases: HelmReleases, name: str, timeout_seconds: float, is_done: Callable[[JsonObject], bool]
) -> JsonObject:
    with _Showing(releases, name) as showing:
        deadline = time.monotonic() + timeout_seconds
        while True:
            live = releases.get(name)
            if (live.get("spec") or {}).get("suspend") is True:
                raise click.ClickException(f"{releases.subject(name)} is suspended")
            if is_done(live):
                return live
            showing.show(live)
            if time.monotonic() > deadline:
                raise click.ClickException(_too_late(releases.subject(name), live))
            time.sleep(POLL_SECONDS)


def wait_until_gone(releases: HelmReleases, name: str, timeout_seconds: float) -> None:
    """Wait until a deleted HelmRelease is gone, and its release uninstalled with it."""
    with _Showing(releases, name) as showing:
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

    releases: HelmReleases
    name: str
    _told: set[str] = field(default_factory=set)
    _height: int = 0

    def __enter__(self) -> "_Showing":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._clear()
        if kind is KeyboardInterrupt:
            raise goes_on(self.releases, self.name)

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
