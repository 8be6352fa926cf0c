"""Wait for the operator, and show what it waits for: live on a terminal, as lines elsewhere."""

import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import click

from whipstaff.cli.helm_flags import Decorated
from whipstaff.cli.helmreleases import HelmReleases
from whipstaff.cli.interrupts import Interrupted, goes_on
from whipstaff.cli.lease_holders import Signs
from whipstaff.cli.printing import one_line
from whipstaff.errors import ClusterRefused
from whipstaff.golang.durations import parse_duration
from whipstaff.release.revision import JsonObject

POLL_SECONDS = 0.4
SILENT_SECONDS = 5.0  # an operator that runs has long taken up what is new
_SERVER_ERRORS = 500
_NANOSECONDS = 1e9


@contextmanager
def failing(what: str, *, but: type[click.ClickException] = Interrupted) -> Iterator[None]:
    """Begin the message of a failure with what failed, as helm does, unless it is a `but`."""
    try:
        yield
    except (Interrupted, but):
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
    request = _Request("lastHandledReconcileAt", requested)

    def is_over(live: JsonObject) -> bool:
        return is_acted_on(live, requested)

    live = _waited(releases, name, timeout_seconds, request, is_over)
    return _ended_well(releases, name, live)


def wait_until_ready(releases: HelmReleases, name: str, timeout_seconds: float) -> JsonObject:
    """Wait until a HelmRelease is ready; a ClickException tells why it is not going to be.

    What is tried again without anyone's edit, as a chart that is not there yet, ends no wait.
    """

    def is_over(live: JsonObject) -> bool:
        return is_acted_on(live) and (ready(live)[0] or _is(live, "Stalled", "True"))

    live = _waited(releases, name, timeout_seconds, _Request(), is_over)
    return _ended_well(releases, name, live)


def _ended_well(releases: HelmReleases, name: str, live: JsonObject) -> JsonObject:
    done, message = ready(live)
    if not done:
        raise click.ClickException(f"{releases.subject(name)}: {one_line(message)}")
    return live


def wait_for_tests(
    releases: HelmReleases, name: str, timeout_seconds: float, request: str
) -> JsonObject:
    """Wait until the tests ran that were asked for; a ClickException tells why they did not."""

    def is_answered(live: JsonObject) -> bool:
        return (live.get("status") or {}).get("lastHandledTestAt") == request

    asked = _Request("lastHandledTestAt", request)
    live = _waited(releases, name, timeout_seconds, asked, is_answered)
    if (live.get("status") or {}).get("testRequest") != request:
        why = one_line(ready(live)[1])
        raise click.ClickException(f"{releases.subject(name)}: no test ran: {why}")
    return live


def outcome_of_tests(live: JsonObject) -> tuple[bool, str]:
    """Return whether tests failed, and what is told of them."""
    found = _condition(live, "Tested")
    return found.get("status") == "False", one_line(str(found.get("message", "")))


@dataclass(frozen=True, slots=True)
class _Request:
    """What an annotation asks for, and the field of status that says that it was heard."""

    field: str = ""
    value: str = ""  # empty: nothing but the spec asks for something

    def is_taken_up(self, live: JsonObject) -> bool:
        """Whether there is a sign of an operator since it was asked, or spec edited."""
        if _condition(live, "Reconciling").get("status") == "True":
            return True
        status = live.get("status") or {}
        if self.value:
            return bool(status.get(self.field) == self.value)
        return bool(status.get("observedGeneration", "") == live["metadata"].get("generation", 0))


def _waited(
    releases: HelmReleases,
    name: str,
    timeout_seconds: float,
    request: _Request,
    is_done: Callable[[JsonObject], bool],
) -> JsonObject:
    subject = releases.subject(name)

    def is_over(live: JsonObject | None) -> bool:
        if live is None:
            raise releases.missing(name)
        if (live.get("spec") or {}).get("suspend") is True:
            place = f"{name} -n {releases.cluster.namespace}"
            raise click.ClickException(
                f"{subject} is suspended: what it asks for begins after `whipstaff resume {place}`"
            )
        return is_done(live)

    live = _looked(releases, name, timeout_seconds, request, is_over)
    assert live is not None  # noqa: S101 - says the type
    return live


def wait_until_gone(releases: HelmReleases, name: str, timeout_seconds: float) -> None:
    """Wait until a deleted HelmRelease is gone, and its release uninstalled with it."""
    _looked(releases, name, timeout_seconds, _Request(), lambda live: live is None)


def _looked(
    releases: HelmReleases,
    name: str,
    timeout_seconds: float,
    request: _Request,
    is_over: Callable[[JsonObject | None], bool],
) -> JsonObject | None:
    """Look at a HelmRelease, None where there is none, until that is over.

    An API server that answers no more, as one that is restarted, is asked again.
    """
    has_answered, signs = False, Signs(releases.cluster.client)
    with _Showing(releases, name) as showing:
        began = time.monotonic()
        while True:
            try:
                live = releases.find(name)
            except ClusterRefused as error:
                if not has_answered or 0 < error.code < _SERVER_ERRORS:
                    raise
                lines, end = [f"{one_line(error.text)}; asking again"], f"; {error.text}"
            else:
                has_answered = True
                if is_over(live):
                    return live
                assert live is not None  # noqa: S101 - a wait for one that is gone is over
                signs.look()
                waited = time.monotonic() - began
                taken_up = request.is_taken_up(live)
                lines, end = _standing(live, signs, waited, is_taken_up=taken_up)
            showing.show(lines)
            if time.monotonic() - began > timeout_seconds:
                raise click.ClickException(f"timed out waiting for {releases.subject(name)}{end}")
            time.sleep(POLL_SECONDS)


def _standing(
    live: JsonObject, signs: Signs, waited_seconds: float, *, is_taken_up: bool
) -> tuple[list[str], str]:
    """Return what to tell of a HelmRelease now, and if it is too late."""
    absence = f"{signs.absence or 'no operator has taken it up'}; {_WHICH_RUN}"
    if not is_taken_up:
        return [absence] if waited_seconds > SILENT_SECONDS else [], f": {absence}"
    lines = list(_lines(live))
    told = "".join(f"\n  {line}" for line in lines)
    if signs.absence:
        return [absence, *lines], f": {absence}{told}"
    return lines, f"; the operator goes on{'' if signs.at_work else ' if it runs'}{told}"


_WHICH_RUN = "`whipstaff version` shows which ones run"


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

    def show(self, lines: list[str]) -> None:
        """Tell where it stands."""
        if not sys.stderr.isatty():
            for line in lines:
                if line not in self._told:
                    click.echo(line, err=True)
            self._told |= set(lines)
            return
        rows = _rows(lines)
        self._clear()
        for row in rows:
            click.echo(row, err=True)
        self._height = len(rows)

    def _clear(self) -> None:
        height, self._height = self._height, 0  # first: an interrupt may come in between
        if height:
            click.echo(f"\x1b[{height}A\x1b[J", nl=False, err=True)


def _rows(lines: list[str]) -> list[str]:
    """Wrap lines to the terminal: what scrolls away or wraps by itself cannot be taken back."""
    width, height = shutil.get_terminal_size()
    wrapped = [row for line in lines for row in textwrap.wrap(line, max(width - 1, 1))]
    return wrapped[: max(height - 1, 1)]


def _lines(live: JsonObject) -> Iterator[str]:
    """Yield what the operator is doing, and each object that is not ready with its cause."""
    found = _condition(live, "Reconciling")
    if found.get("status") == "True":
        yield one_line(str(found.get("message", "")))
    status = live.get("status") or {}
    if status.get("failures") and _is(live, "Released", "False"):  # why it is tried again
        yield one_line(str(_condition(live, "Released").get("message", "")))
    elif _is(live, "Ready", "False"):  # so is a refusal
        yield one_line(ready(live)[1])
    for kind in ("ApprovalRequired", "Stalled"):
        if _is(live, kind, "True"):
            yield one_line(str(_condition(live, kind).get("message", "")))
    for one in status.get("unready") or ():
        place = f"{one.get('namespace')}/" if one.get("namespace") else ""
        yield one_line(
            f"{one.get('kind', '')} {place}{one.get('name', '')}: {one.get('cause', '')}"
        )
